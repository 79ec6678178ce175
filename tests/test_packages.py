"""Known packages with startup code: nothing of it runs, and the README says what helps.

Each of ``packages`` is installed from the registry, as wheels, into an environment of its own.
"""

from __future__ import annotations

import fnmatch
import re
import shutil
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
import pytest
from conftest import need
from environments import Environment
from installers import Builder, make_once
from interpreters import VERSIONS, Interpreter
from packages import PACKAGES, VIRTUALENV, VIRTUALENV_OLD, Package, Use
from test_readme import README

from safesite import core

# What comes from the site directory, which is its argument, at the first line of a program.
START = """\
import sys
site = sys.argv[1]
places = {
    name: str(getattr(module, "__file__", None) or list(getattr(module, "__path__", ())))
    for name, module in sys.modules.items()
}
print([name for name, place in places.items() if site in place])
print([entry for entry in sys.path if site in entry])
print([finder for finder in sys.meta_path if site in str(sys.modules[finder.__module__])])
"""


@dataclass(frozen=True)
class Installed:
    """A package in its environment."""

    environment: Environment
    package: Package

    def make(self, builder: Builder) -> None:
        """Install the package, or a project that is built with it, and what is beside it."""
        environment, package = self.environment, self.package
        environments.make(environment.interpreter, environment.root)
        wanted = ("--only-binary", ":all:", f"{package.name}=={package.release}", *package.requires)
        if package.project:
            folder = environment.root / "project"
            folder.mkdir()
            (folder / "pyproject.toml").write_text(textwrap.dedent(package.project), "utf-8")
            wanted = (str(folder),)
        uv = (builder.uv, "pip", "install", "--python", environment.python, "--no-deps")
        builder.run(package.label, *uv, *package.settings, *wanted)
        for name, text in package.beside.items():
            path = environment.site_packages / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        if package.command:
            assert environment.stock(*package.command).code == 0

    def fill(self, text: str) -> str:
        """Return a text with this environment's places."""
        environment = self.environment
        places = {"site": environment.site_packages, "prefix": environment.prefix}
        for name, value in {**places, "version": environment.interpreter.version}.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def reports(self, refusal: str) -> list[str]:
        """Return what safesite is to print on a refusal; nothing if there is none."""
        hint = environments.hint(1, environments.advice(*self.environment.launcher()))
        return [self.fill(refusal), hint] if refusal else []

    @property
    def runs_its_module(self) -> bool:
        """Whether stock finds a customize module of the package before any other."""
        is_second = (
            self.package.is_customize_module and self.environment.interpreter.has_sitecustomize
        )
        return not is_second


def place(builder: Builder, package: Package, version: str) -> Installed:
    """Return where a package is, or will be, installed for a version."""
    folder = builder.folder.parent / "packages"
    folder.mkdir(exist_ok=True)
    root = folder / f"{package.name}-{package.release}-{version}".replace(".", "-")
    return Installed(Environment(need(version), root), package)


def cases(packages: Iterable[Package]) -> list[Any]:
    """Return packages on each version as parameters; ``full`` where not tested by default."""
    return [
        pytest.param(
            (package, version),
            id=f"{package.label}-{version}".replace(" ", "-"),
            marks=() if version in package.on and not package.large else pytest.mark.full,
        )
        for package in packages
        for version in package.versions
        if version not in package.without
    ]


@pytest.fixture(scope="session", params=cases(PACKAGES))
def installed(request: pytest.FixtureRequest, builder: Builder) -> Installed:
    """Each package on each version, installed once."""
    installed = place(builder, *request.param)
    make_once(installed.environment.root, lambda: installed.make(builder))
    return installed


def test_nothing_of_it_runs_at_startup(installed: Installed) -> None:
    package, site = installed.package, installed.environment.site_packages
    files = [path for pattern in package.files for path in site.glob(pattern)]
    assert len(files) == len(package.files)
    others = {path for path in site.iterdir() if path.suffix in {".pth", ".start"}}
    assert others.difference(files) == set()

    done = installed.environment.launched("-c", START, site)
    path = [str(site), *(str(site / entry) for entry in package.paths)]
    assert (done.code, done.out) == (0, f"[]\n{path}\n[]\n")
    assert done.err.splitlines() == installed.reports(package.refusal)


@pytest.mark.parametrize("installed", cases(p for p in PACKAGES if p.uses), indirect=True)
def test_what_is_lost_and_how_to_get_it_back(installed: Installed) -> None:
    for use in installed.package.uses:
        check(installed, use)


def check(installed: Installed, use: Use) -> None:
    """Check what a use prints, first where nothing runs: stock may leave something behind."""
    environment = installed.environment
    variables = {name: installed.fill(value) for name, value in use.variables.items()}
    more = {name: installed.fill(value) for name, value in use.back_variables.items()}
    reports = installed.reports(use.refusal or installed.package.refusal)

    launched = environment.launched("-c", use.program, options=(), **variables)
    assert (launched.code, launched.reports) == (0, reports), launched.err
    if use.back:
        back = environment.launched("-c", use.back, options=(), **variables, **more)
        assert (back.out, back.reports) == (f"{use.stock}\n", reports), back.err

    stock = environment.stock("-c", use.program, **variables)
    for mode in core.RUNNING_MODES if use.refusal else ("allow",):
        allowed = environment.launched(
            "-c", use.program, options=(), **variables, SAFESITE_MODE=mode
        )
        assert (allowed.out, allowed.reports) == (stock.out, []), allowed.err
    if not use.stock:
        assert launched.out == stock.out != ""
        return
    assert launched.out == f"{use.launched}\n"
    assert stock.out == f"{use.stock if installed.runs_its_module else use.launched}\n"


LEFT_OUT = [(package, version) for package in PACKAGES for version in package.without]


@pytest.mark.full
@pytest.mark.parametrize(
    "package, version", LEFT_OUT, ids=lambda value: getattr(value, "name", value)
)
def test_what_is_left_out_cannot_be_installed(
    package: Package, version: str, builder: Builder
) -> None:
    said = package.without[version].replace(" ", r"\s+")
    with pytest.raises(pytest.fail.Exception, match=said):
        place(builder, package, version).make(builder)


def environment_by(
    package: Package, interpreter: Interpreter, builder: Builder, root: Path
) -> Environment:
    """Return an environment that a virtualenv has made."""
    installed = place(builder, package, interpreter.version)
    make_once(installed.environment.root, lambda: installed.make(builder))
    made = environments.make(interpreter, root)
    shutil.rmtree(made.prefix)
    command = (installed.environment.python, "-m", "virtualenv", "--no-seed", made.prefix)
    builder.run("an environment", *command)
    return made


def startup_files(environment: Environment) -> set[str]:
    """Return the names of the startup files in a site directory."""
    paths = environment.site_packages.iterdir()
    return {path.name for path in paths if path.suffix in {".pth", ".start"}}


@pytest.mark.rotated
def test_a_new_environment_has_no_startup_file(
    interpreter: Interpreter, builder: Builder, tmp_path: Path
) -> None:
    """Those that uv to 0.12 and virtualenv to 21.5 have made have one."""
    made = environment_by(VIRTUALENV, interpreter, builder, tmp_path / "virtualenv")
    assert startup_files(made) == set()
    made = Environment(interpreter, tmp_path / "uv")
    builder.run("an environment", builder.uv, "venv", "--python", interpreter.path, made.prefix)
    assert startup_files(made) == set()


def test_that_of_an_older_environment_is_inert(builder: Builder, tmp_path: Path) -> None:
    made = environment_by(VIRTUALENV_OLD, need("3.13"), builder, tmp_path / "old")
    assert startup_files(made) == {"_virtualenv.pth"}
    code = "import sys; print('_virtualenv' in sys.modules)"
    assert made.stock("-c", code).out == "True\n"
    done = made.launched("-c", code)
    assert (done.out, done.err) == ("False\n", "")


# The README's table.

LABEL = re.compile(r"`([\w.-]+)` (\d[\w.]*)(?: \((3\.\d+) to (3\.\d+)\))?")
QUOTED = re.compile(r"`([^`]+)`")
HEADING = "\n## Startup files of known packages\n"


def rows() -> list[list[str]]:
    """Return the cells of each row of the README's table."""
    section = README.partition(HEADING)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def described() -> dict[tuple[str, str], list[Package]]:
    """Return the packages by name and release: some are two, for two kinds of versions."""
    found: dict[tuple[str, str], list[Package]] = {}
    for package in PACKAGES:
        found.setdefault((package.name, package.release), []).append(package)
    return found


def test_the_readme_names_what_is_tested() -> None:
    expected = {}
    for label, packages in described().items():
        tried = [v for v in VERSIONS for p in packages if v in p.versions and v not in p.without]
        expected[label] = (tried[0], tried[-1]) if len(tried) < len(VERSIONS) else ("", "")
    named = [found for row in rows() for found in LABEL.findall(row[0])]
    assert sorted(named) == sorted((*label, *tried) for label, tried in expected.items())


def test_the_readme_says_what_is_made_of_it() -> None:
    packages = described()
    for what, files, _, kind, _ in rows():
        for name, release in (found[:2] for found in LABEL.findall(what)):
            for package in packages[name, release]:
                assert package.kind in kind, package.label
                for file in package.files:
                    patterns = QUOTED.findall(files)
                    assert any(fnmatch.fnmatch(file, pattern) for pattern in patterns), file
