"""The patched interpreters that ``patches/build.sh`` builds from Debian's source.

CPython's own tests end there as without the patches, ``site`` and what it imports are frozen, and
what is left in the source tree is what ``make regen-frozen`` generates.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edits
import environments
import interpreters
import patched
import pytest
from environments import Environment
from patched import Base

pytestmark = pytest.mark.built

SUITES = (
    "test_site",
    "test_frozen",
    "test_importlib",
    "test_cmd_line",
    "test_sys",
    "test_runpy",
    "test_venv",
    "test_pkgutil",
)
# Of these the patch changes one: it is skipped where startup code is refused.  The other asserts
# that pip says nothing on standard error, and on 3.11 it brings a setuptools whose line is refused.
CHANGED = {"test.test_site.ImportSideEffectTests.test_sitecustomize_executed": "skipped"}
CLEAN = {
    name: text
    for name, text in os.environ.items()
    if not name.startswith(("PYTHON", "SAFESITE", "XDG_CONFIG"))
}


def tree(base: Base) -> Path:
    """Return the source tree that a patched interpreter was built in."""
    return interpreters.cache_folder() / "cpython" / base.name / "build-patched"


def run_suites(program: Path, folder: Path, *suites: str) -> dict[str, str]:
    """Run CPython's tests and return the outcome of each."""
    folder.mkdir()
    report = folder / "report.xml"
    command = [str(program), "-m", "test", "-j2", f"--junit-xml={report}", *suites]
    # As under the distributor's build: not as root's own user site, which a test would fill.
    variables = CLEAN | {"HOME": str(folder), "TMPDIR": str(folder)}
    with (folder / "out").open("w") as out:
        subprocess.run(command, cwd=folder, env=variables, stdout=out, stderr=out, check=False)
    found = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - as above
        kinds = sorted({child.tag for child in case} & {"skipped", "failure", "error"})
        found[case.attrib["name"]] = " ".join(kinds) or "passed"
    return found


@dataclass(frozen=True)
class Kept:
    """The outcome without the patch, kept beside the build until another one is made there."""

    base: Base
    folder: Path

    def read(self) -> dict[str, str]:
        """Return what is kept of this build and these suites; nothing if there is none."""
        try:
            kept: dict[str, Any] = json.loads(self.file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        found: dict[str, str] = kept["outcome"] if kept["of"] == self.of() else {}
        return found

    def make(self) -> dict[str, str]:
        """Run the suites, and keep what comes of them."""
        outcome = run_suites(self.base.stock.path, self.folder, *SUITES)
        self.file.write_text(json.dumps({"of": self.of(), "outcome": outcome}), "utf-8")
        return outcome

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return tree(self.base).with_name("stock.suites.json")

    def of(self) -> list[str]:
        """Return what it depends on: the build, and what is run of it."""
        return [self.file.with_name("stock.stamp").read_text("utf-8"), *SUITES]


def changed(stock: dict[str, str], there: dict[str, str]) -> dict[str, str]:
    """Return the outcome of each test that does not end as without the patch."""
    differ = {name for name in stock | there if stock.get(name) != there.get(name)}
    return {name: there.get(name, "missing") for name in differ}


@pytest.mark.begun_first
def test_the_suites_of_cpython_end_as_without_the_patch(
    patched_base: Base, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Without the patch they are run once for each build; again if something differs."""
    there = run_suites(patched_base.patched.path, tmp_path / "patched", *SUITES)
    kept = Kept(patched_base, tmp_path / "stock")
    stock = {} if request.config.getoption("--full") else kept.read()
    if changed(stock, there) != CHANGED:
        stock = kept.make()
    assert len(stock) > 1000
    assert changed(stock, there) == CHANGED


@pytest.mark.parametrize("options", [(), ("-W", "default", "-bb", "-E", "-R")])
def test_the_suites_of_the_patch_pass(
    patched_base: Base, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """The second way is how Debian runs them on the installed package."""
    program = patched_base.patched.path
    command = [str(program), *options, "-m", "test", "-v", "test_site", "test_safesite"]
    variables = CLEAN | {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "ModeTests.test_refuse) ... ok" in done.stdout


def test_site_and_what_it_imports_are_frozen(patched_base: Base) -> None:
    names = ("site", *edits.MODULES)
    code = f"import _imp; print(all(map(_imp.is_frozen, {names})))"
    assert patched_base.patched.run("-I", "-c", code).strip() == "True"
    code = "import site; print(site.__spec__.origin)"
    assert patched_base.patched.run("-I", "-c", code).strip() == "frozen"


def test_the_standard_library_names_them(patched_base: Base) -> None:
    code = f"import sys; print({{*{tuple(edits.MODULES)}}} <= sys.stdlib_module_names)"
    assert patched_base.patched.run("-I", "-c", code).strip() == "True"


def test_regen_frozen_changes_nothing(patched_base: Base, tmp_path: Path) -> None:
    """The generator of CPython makes the same of the list as the patch."""
    source = tree(patched_base)
    folder = "scripts" if patched_base.stock.version == "3.11" else "build"
    tool = Path("Tools") / folder / "freeze_modules.py"
    for file in (
        tool,
        tool.with_name("update_file.py"),
        Path("Makefile.pre.in"),
        Path("Python/frozen.c"),
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / file, tmp_path / file)
    shutil.copytree(source / "PCbuild", tmp_path / "PCbuild")
    (tmp_path / "Lib").symlink_to(source / "Lib")
    frozen = [] if patched_base.stock.version == "3.11" else ["--frozen-modules"]
    subprocess.run([sys.executable, tool, *frozen], cwd=tmp_path, check=True, capture_output=True)
    for changed in ("Makefile.pre.in", "Python/frozen.c"):
        assert (tmp_path / changed).read_text() == (source / changed).read_text()


def test_pythonpath_cannot_replace_them(patched_base: Base, tmp_path: Path) -> None:
    environment = environments.make(patched_base.patched, tmp_path / "environment")
    false = environment.root / "false"
    false.mkdir()
    for name in (*edits.MODULES, "site", "sitecustomize"):
        (false / f"{name}.py").write_text("print('ran')\n")
    done = environment.stock("-c", "import site; site._safesite()", PYTHONPATH=str(false))
    assert (done.code, done.out) == (0, ""), done.err
    assert any("refused customize module" in line for line in done.reports)


def test_deleted_files_keep_nothing_from_starting(patched_base: Base, tmp_path: Path) -> None:
    """They are in the program; so are they in python3-minimal, whatever its list of files says."""
    library = patched_base.patched.library
    prefix = tmp_path / "prefix"
    patched.link_library(library, prefix / "lib" / library.name)
    program = prefix / "bin" / patched_base.patched.path.name
    program.parent.mkdir()
    shutil.copy(patched_base.patched.path, program)
    shutil.copy(library / "site.py", prefix / "lib" / library.name)
    interpreter = interpreters.ask(patched_base.stock.version, program)
    assert interpreter is not None
    environment = environments.make(interpreter, tmp_path / "environment")
    assert not (prefix / "lib" / library.name / "_safesite.py").exists()
    refuses(environment)


def refuses(environment: Environment) -> None:
    """Assert that an environment's import line is refused, and said to be."""
    line = 'import os; open(os.environ["MARKERS"] + "/ran", "w")\n'
    (environment.site_packages / "x.pth").write_text(line)
    done = environment.stock("-c", "pass")
    assert (done.code, environment.ran()) == (0, []), done.err
    assert f"safesite: {environment.site_packages / 'x.pth'}:1: refused" in done.err


def test_venv_makes_environments_that_refuse(patched_base: Base, tmp_path: Path) -> None:
    environment = Environment(patched_base.patched, tmp_path)
    for folder in (environment.work, environment.home, environment.markers):
        folder.mkdir()
    made = environment.run(patched_base.patched.path, "-m", "venv", environment.prefix)
    assert made.code == 0, made.err
    assert environment.stock("-m", "pip", "--version").code == 0
    refuses(environment)
