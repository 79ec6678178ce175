"""Editable installs by real backends: under safesite they are what they are under stock Python.

Each shape of ``editables`` is a project, built by its backend and installed into an environment of
its own.  A program looks at it in every way that is known; what it sees under stock is expected
under safesite, where nothing of a helper runs before the first import of a name of the project.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import environments
import patched
import pytest
from conftest import need
from editables import NOTE, PROBE, SETUPTOOLS, SHAPES, Project, Shape
from environments import Environment, Outcome
from installers import Builder, make_once
from interpreters import VERSIONS
from test_programs import LAUNCHER

SETUP_PY = "setuptools ==79.0.1"  # the last whose develop command does not call pip
HELPERS = re.compile(
    r"__editable__.*_finder|_editable_impl_|_editable_skbc_|\w+_editable_loader|editables\b"
    r"|_distutils_hack"
)
PLACEHOLDER = re.compile(r"__editable__\..*\.finder\.__path_hook__")
SAMPLE = ("setuptools-flat", "hatchling-exact", "scikit-build", "meson")  # one for each helper

STOCK = ()
KEPT = "kept.txt"  # pip removes a site-packages that has become empty
SCENARIOS = ("find", "use", "threads")


@dataclass(frozen=True)
class Installed:
    """A shape in its environment."""

    environment: Environment
    shape: Shape
    builder: Builder

    def folder(self, project: Project) -> Path:
        """Return the folder of a project."""
        return self.environment.root / self.shape.folder / project.name

    def make(self) -> None:
        """Write the projects, install them, and let everything be built and compiled once."""
        environments.make(self.environment.interpreter, self.environment.root)
        (self.environment.root / "probe.py").write_text(PROBE)
        (self.environment.site_packages / KEPT).touch()
        for project in self.shape.projects:
            project.write(self.folder(project))
        self.install()
        self.probe("use")

    def install(self) -> None:
        """Install the projects."""
        for project in self.shape.projects:
            if self.shape.installer == "develop":
                self.install_setuptools()
                self.develop(project)
            else:
                self.install_project(project)

    def install_project(self, project: Project) -> None:
        """Install a project by the backend that it names.

        The setuptools of most is not unpacked and compiled for each anew.
        """
        settings = [f"--config-settings={setting}" for setting in project.settings]
        what = ("--editable", self.folder(project)) if project.editable else (self.folder(project),)
        if project.backend is not SETUPTOOLS or self.shape.installer != "uv":
            self.installer("install", *settings, *what)
            return
        path = str(self.setuptools())
        self.installer("install", *settings, "--no-build-isolation", *what, PYTHONPATH=path)

    def setuptools(self) -> Path:
        """Return a folder with setuptools, common to all environments."""
        folder = self.builder.folder.parent / "setuptools"
        command = (self.builder.uv, "pip", "install", "--target", folder, SETUPTOOLS.requires[0])
        make_once(folder, lambda: self.builder.run("setuptools", *command))
        return folder

    def install_setuptools(self) -> None:
        """Install a setuptools where only what is told so sees it."""
        self.installer("install", "--target", self.environment.root / "lib", SETUP_PY)

    def develop(self, project: Project) -> None:
        """Run the develop command of a project's setup.py."""
        command = ("env", "-C", self.folder(project), self.environment.python, "setup.py")
        path = str(self.environment.root / "lib")
        self.builder.run(self.environment.root.name, *command, "develop", PYTHONPATH=path)

    def uninstall(self) -> None:
        """Uninstall the projects, and what they have brought along."""
        metadata = self.environment.site_packages.glob("*.dist-info")
        names = {project.name for project in self.shape.projects}
        self.installer("uninstall", *names | {path.name.partition("-")[0] for path in metadata})

    def installer(self, command: str, *args: str | Path, **more: str) -> None:
        """Run uv, or pip where that is the shape's installer."""
        python = ("--python", self.environment.python)
        words: tuple[str | Path, ...] = (self.builder.uv, "pip", command, *python)
        if self.shape.installer == "pip":
            yes = ("--yes",) if command == "uninstall" else ()
            words = (sys.executable, self.builder.pip, *python, command, "--quiet", *yes)
        self.builder.run(self.environment.root.name, *words, *args, **more)

    def startup_files(self) -> list[str]:
        """Return the names of the startup files in site-packages."""
        found = self.environment.site_packages.iterdir()
        return sorted(path.name for path in found if path.suffix in {".pth", ".start"})

    def files(self) -> list[str]:
        """Return what is in site-packages, without bytecode."""
        folder = self.environment.site_packages
        found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        return sorted(path for path in found if not path.endswith(".pyc"))

    def run(self, words: tuple[str, ...], *args: str | Path) -> Outcome:
        """Run a target; ``words`` come before it, as for stock, launched or patched."""
        return self.environment.run(self.environment.python, *words, *args)

    def run_in_project(self, words: tuple[str, ...], *args: str | Path) -> Outcome:
        """Run a target with the project's root as the current directory."""
        start = ("env", "-C", self.folder(self.shape.project), self.environment.python)
        return self.environment.run(*start, *words, *args, PYTHONPATH=str(self.environment.work))

    def probe(self, scenario: str, words: tuple[str, ...] = STOCK) -> dict[str, Any]:
        """Run the program that looks, and return what it sees."""
        shape = self.shape
        request = {"names": shape.names, "top": shape.project.top}
        request["projects"] = [project.name for project in shape.projects]
        args = (self.environment.root / "probe.py", scenario, json.dumps(request))
        done = self.run(words, *args)
        assert done.code == 0, done.err
        assert done.reports == []
        *more, seen = done.out.splitlines()
        return {**json.loads(seen), "stdout": more, "stderr": done.err}


# The environments.


def place(builder: Builder, shape: str, version: str) -> Installed:
    """Return where a shape is, or will be, installed for a version."""
    root = builder.folder.parent / "editables" / f"{shape}-{version.replace('.', '-')}"
    root.parent.mkdir(exist_ok=True)
    plain = Environment(need(version), root)
    path = f"{builder.programs}:{plain.environ()['PATH']}"
    return Installed(replace(plain, variables={"PATH": path}), SHAPES[shape], builder)


def cases(names: Iterable[str]) -> list[Any]:
    """Return shapes on each version as parameters; ``full`` where not tested by default."""
    return [
        pytest.param(
            (name, version),
            id=f"{name}-{version}",
            marks=() if version in SHAPES[name].on else pytest.mark.full,
        )
        for name in names
        for version in VERSIONS
        if version not in SHAPES[name].without
    ]


LEFT_OUT = [(name, version) for name, shape in SHAPES.items() for version in shape.without]


@pytest.fixture(scope="session", params=cases(SHAPES))
def made(request: pytest.FixtureRequest, builder: Builder) -> Installed:
    """Each shape on each version, built once."""
    installed = place(builder, *request.param)
    compiler = installed.shape.project.backend.compiler
    if compiler and shutil.which(compiler) is None:
        end = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        end(f"no {compiler} on this machine")
    make_once(installed.environment.root, installed.make)
    return installed


@pytest.fixture
def installed(made: Installed) -> Iterator[Installed]:
    """A shape that no other worker uses meanwhile: some tests edit its source, or reinstall it."""
    with made.environment.root.with_suffix(".use").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield made


# What differs.


def as_launched(stock: dict[str, Any]) -> dict[str, Any]:
    """Return what is expected of safesite where stock sees a thing: the same, but for this.

    Before the first import no helper has put its placeholder on ``sys.path``.  Up to 3.13 stock
    reads the startup files of an environment twice, and meson-python's helper adds its finder each
    time.
    """
    expected = dict(stock)
    if path := stock.get("path at the start"):
        expected["path at the start"] = [e for e in path if not PLACEHOLDER.fullmatch(e)]
    for added in {"finders", "path hooks"} & stock.keys():
        expected[added] = list(dict.fromkeys(stock[added]))
    return expected


def without_own(seen: dict[str, Any]) -> dict[str, Any]:
    """Return what was seen under safesite without the finders that are its own."""
    if "finders" not in seen:
        return seen
    return seen | {"finders": [name for name in seen["finders"] if "safesite" not in name]}


def assert_equal(expected: object, found: object) -> None:
    """Check that two observations are equal; say in which of their parts they are not."""
    wrong = "\n".join(differences(expected, found, ""))
    assert not wrong, wrong


def differences(expected: object, found: object, at: str) -> Iterator[str]:
    """Yield where two observations differ, and how."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in expected | found:
            yield from differences(expected.get(key), found.get(key), f"{at}/{key}")
    elif expected != found:
        yield f"{at}:\n  expected {expected}\n  found    {found}"


# The tests.


def test_its_startup_files_are_the_known_ones(installed: Installed) -> None:
    version = installed.environment.interpreter.version
    expected = [
        name for project in installed.shape.projects for name in project.startup_on(version)
    ]
    assert installed.startup_files() == sorted(expected)
    for project in installed.shape.projects:
        helper = installed.environment.site_packages / f"{project.helper}.py"
        assert helper.is_file() == project.has_helper


def test_startup_runs_none_of_it(installed: Installed) -> None:
    """Only the first import of a name runs the helper that declares it, and no other."""
    seen = installed.probe("start", LAUNCHER)
    assert [name for name in seen["start"] if HELPERS.match(name)] == []
    project, *others = installed.shape.projects
    top = project.names[0]
    needed = {project.helper, *(other.helper for other in others if other.names[0] == top)}
    ran = {name for name in seen["after"] if HELPERS.match(name)} - {"editables"}
    assert {name for name in ran if "." not in name} == needed - {""}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_looks_the_same(installed: Installed, scenario: str) -> None:
    stock = installed.probe(scenario)
    assert_is_whole(installed, stock)
    launched = installed.probe(scenario, LAUNCHER)
    assert_equal(as_launched(stock), without_own(launched))


def assert_is_whole(installed: Installed, stock: dict[str, Any]) -> None:
    """Check that stock sees all there is, so that being equal says something."""
    missing = [name for name, spec in stock.get("specs", {}).items() if not isinstance(spec, dict)]
    missing += [name for name, held in stock.get("modules", {}).items() if "values" not in held]
    assert set(missing) <= set(installed.shape.hidden)
    if "texts" in stock and f"{installed.shape.project.top}.data" in installed.shape.names:
        assert stock["texts"][:1] == [NOTE]


TARGETS = {
    "module": ("-m", "{0}", "an argument"),
    "pickle": ("-c", "import pickle; print(pickle.loads(b'c{0}\\nThing\\n.').__module__)"),
}


@pytest.mark.parametrize("target", TARGETS)
def test_it_runs(installed: Installed, target: str) -> None:
    """As a module, or by a name that pickle has: also where the project's own folder is first."""
    args = [word.format(installed.shape.project.top) for word in TARGETS[target]]
    for run in (installed.run, installed.run_in_project):
        assert run(LAUNCHER, *args) == run(STOCK, *args)


# From 3.14 on the finders are listed when a search begins; a helper may run before it has ended, in
# another thread or, as here, in the same.
DURING = """\
import importlib, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{last}":
            importlib.import_module("{top}")
sys.meta_path.insert(0, Finder())
print(importlib.import_module("{last}"))
"""
TWO_NAMES = ("setuptools-two-packages", "setuptools-modules")


@pytest.mark.parametrize("made", cases(TWO_NAMES), indirect=True)
def test_a_search_that_has_begun_before_finds_it(installed: Installed) -> None:
    names = installed.shape.names
    code = ("-c", DURING.format(top=names[0], last=names[-1]))
    stock = installed.run(STOCK, *code)
    assert stock.code == 0
    assert installed.run(LAUNCHER, *code) == stock


# A child process finds by itself what it is told the name of, and so does another interpreter, into
# which not every extension module can be imported.
CHILDREN = """\
import multiprocessing
for method in ("spawn", "forkserver"):
    child = multiprocessing.get_context(method).Process(target=exec, args=["import {names}"])
    child.start()
    child.join()
    print(method, child.exitcode)
"""
INTERPRETER = """\
from concurrent import interpreters
other = interpreters.create()
other.exec("import {top} as it; print(it)")
other.close()
"""


@pytest.mark.parametrize("made", cases(SAMPLE), indirect=True)
def test_its_children_import_it(installed: Installed) -> None:
    code = ("-c", CHILDREN.format(names=", ".join(installed.shape.names)))
    assert installed.run(LAUNCHER, *code) == installed.run(STOCK, *code)


@pytest.mark.parametrize("made", cases(SAMPLE), indirect=True)
def test_another_interpreter_imports_it(installed: Installed) -> None:
    code = ("-c", INTERPRETER.format(top=installed.shape.project.top))
    stock = installed.run(STOCK, *code)
    new = installed.environment.interpreter.number >= (3, 14)
    assert stock.code == (0 if new else 1), "the module is new in 3.14"
    assert installed.run(LAUNCHER, *code) == stock


def test_an_edit_is_seen(installed: Installed) -> None:
    for file, module in installed.shape.project.edits.items():
        path = installed.folder(installed.shape.project) / file
        code = f"import {module} as it; print(it.VALUE)"
        for value, words in ((2, LAUNCHER), (3, STOCK), (1, LAUNCHER)):
            edit(path, value)
            done = installed.run(words, "-c", code)
            assert (done.out.splitlines()[-1:], done.reports) == ([str(value)], []), done.err


def edit(path: Path, value: int) -> None:
    """Give a source file another number.

    Some see only a change of more than a second: bytecode, and cmake when it installs what it has
    built.
    """
    if path.suffix != ".py":
        time.sleep(1.1)
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"(VALUE (?:= )?)\d", rf"\g<1>{value}", text, count=1), "utf-8")
    if path.suffix == ".py":
        later = time.time() + 10 * value
        os.utime(path, (later, later))


BROKEN = """\
try:
    import {0} as it
except Exception as error:
    print(type(error), error)
"""


@pytest.mark.parametrize("made", cases(["scikit-build-rebuild", "meson"]), indirect=True)
def test_a_build_that_fails_is_told_alike(installed: Installed) -> None:
    project = installed.shape.project
    path = installed.folder(project) / project.rebuilt
    right = path.read_text("utf-8")
    path.write_text("no C", "utf-8")
    code = ("-c", BROKEN.format(f"{project.top}._ext"))
    launched, stock = installed.run(LAUNCHER, *code), installed.run(STOCK, *code)
    path.write_text(right, "utf-8")
    again = installed.run(LAUNCHER, *code)
    assert "Error" in stock.out
    assert launched == stock
    assert "Error" not in again.out


def test_uninstalling_leaves_nothing(installed: Installed, tmp_path: Path) -> None:
    """It is done in a copy of the environment."""
    root = tmp_path / "copy"
    shutil.copytree(installed.environment.root, root, symlinks=True)
    copy = replace(installed, environment=replace(installed.environment, root=root))
    copy.uninstall()
    assert_is_gone(copy)


def assert_is_gone(installed: Installed) -> None:
    """Check that site-packages is as it was, and what stock and safesite say then."""
    assert set(installed.files()) == {KEPT, *installed.shape.left}
    code = ("-c", f"import {installed.shape.project.top}")
    stock = installed.run(STOCK, *code)
    assert "ModuleNotFoundError" in stock.err
    assert installed.run(LAUNCHER, *code) == stock


@pytest.mark.parametrize("made", cases(SAMPLE), indirect=True)
def test_it_can_be_installed_again(installed: Installed) -> None:
    before = installed.files()
    installed.uninstall()
    assert_is_gone(installed)
    installed.install()
    assert installed.files() == before
    launched = without_own(installed.probe("use", LAUNCHER))
    assert_equal(as_launched(installed.probe("use")), launched)


@pytest.mark.full
@pytest.mark.parametrize("name, version", LEFT_OUT)
def test_what_is_left_out_cannot_be_installed(builder: Builder, name: str, version: str) -> None:
    installed = place(builder, name, version)
    said = re.escape(installed.shape.without[version])
    with pytest.raises(pytest.fail.Exception, match=said):
        installed.make()


@pytest.mark.parametrize("made", cases(SAMPLE), indirect=True)
def test_a_patched_interpreter_sees_the_same(installed: Installed, shared: Path) -> None:
    environment = installed.environment
    base = patched.made_once(environment.interpreter, shared)
    stock = {scenario: installed.probe(scenario) for scenario in SCENARIOS}
    environment.rebase(base.patched)
    try:
        seen = {scenario: installed.probe(scenario, base.options) for scenario in SCENARIOS}
        start = installed.probe("start", base.options)
    finally:
        environment.rebase(environment.interpreter)
    assert [name for name in start["start"] if HELPERS.match(name)] == []
    for scenario, expected in stock.items():
        found = json.loads(base.as_on_stock(json.dumps(seen[scenario])))
        assert_equal(as_launched(expected), without_own(found))
