"""Run every folder of ``tests/conformance`` in fresh interpreters, by every way into Python.

A case is a folder named as its claim, with data alone (see conformance/README.md).  It is laid out
as an environment and run as stock Python, under the launcher in the mode of the case, under the
launcher in the mode ``allow``, and on a patched base in both modes.  An executed line proves itself
with a marker file: what a case says was refused has left none, and has left one as stock and under
``allow``.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
import policies
import pytest
from environments import Environment, Outcome
from interpreters import VERSIONS, Interpreter
from patched import Base

CASES = Path(__file__).parent / "conformance"
TREES = ("site-packages", "user-site", "user-base", "pythonpath", "work", "extra")
MARKER = 'import os; open(os.environ["MARKERS"] + "/{}", "w")'
APP = "import sys; print(ascii(sys.path))\n"  # and nothing that takes as long as the start


@dataclass(frozen=True)
class Case:
    """One folder: what it holds, and what ``case.json`` says about it."""

    folder: Path

    @property
    def name(self) -> str:
        """The claim that the folder's name makes."""
        return self.folder.name

    def read(self) -> dict[str, Any]:
        """Return the content of case.json."""
        data: dict[str, Any] = json.loads((self.folder / "case.json").read_text("utf-8"))
        return data

    @functools.cached_property
    def turns(self) -> set[str]:
        """The versions at which an expectation begins or ends; all where something else decides."""
        conditions = [expect.get("when", "3.10-3.15") for expect in self.read()["expect"]]
        ends = {end for condition in conditions for end in condition.split("-")}
        return ends if ends.issubset(VERSIONS) else set(VERSIONS)

    @functools.cached_property
    def is_timeless(self) -> bool:
        """Whether no expectation depends on the version, or on anything else."""
        return not any("when" in expect for expect in self.read()["expect"])


CASE_LIST = [Case(path.parent) for path in sorted(CASES.glob("*/case.json"))]
assert len(CASE_LIST) > 50, "the folders of cases were not found"


def applies(condition: str, interpreter: Interpreter, hides: bool) -> bool:
    """Return whether ``3.13``, ``3.10-3.12`` or ``skips-hidden`` is true of an interpreter."""
    if condition in {"own-sitecustomize", "no-sitecustomize"}:
        return interpreter.has_sitecustomize == (condition == "own-sitecustomize")
    if condition in {"skips-hidden", "reads-hidden"}:
        return hides == (condition == "skips-hidden")
    first, _, last = condition.partition("-")
    low, high = (tuple(map(int, version.split("."))) for version in (first, last or first))
    return low <= interpreter.number <= high


def expectation(data: dict[str, Any], interpreter: Interpreter) -> dict[str, Any]:
    """Return the part of ``expect`` that is meant for an interpreter; at most one may be."""
    hides = interpreter.skips_dot_files
    found = [e for e in data["expect"] if applies(e.get("when", "3.10-3.15"), interpreter, hides)]
    assert len(found) <= 1, f"{len(found)} expectations for {interpreter.version}"
    if not found:
        pytest.skip(f"the case is not about {interpreter.version}")
    return dict(found[0])


def lay_out(case: Case, data: dict[str, Any], root: Path, interpreter: Interpreter) -> Environment:
    """Make the environment that a case describes."""
    environment = environments.make(interpreter, root, system_site=data.get("system_site", False))
    (environment.work / "app.py").write_text(APP)
    for tree in TREES:
        if (case.folder / tree).is_dir():
            shutil.copytree(
                case.folder / tree, place(environment, tree), symlinks=True, dirs_exist_ok=True
            )
    for name, what in data.get("make", {}).items():
        tree, _, rest = name.partition("/")
        make_special(place(environment, tree) / rest, what)
    return environment


def place(environment: Environment, tree: str) -> Path:
    """Return where a tree of a case lies in its environment."""
    version = f"python{environment.interpreter.version}"
    folders = {
        "site-packages": environment.site_packages,
        "user-site": environment.user_site,
        "prefix": environment.prefix,
        "user-base": environment.root / "extra" / "lib" / version / "site-packages",
    }
    return folders.get(tree, environment.root / tree)


def make_special(path: Path, what: dict[str, Any]) -> None:
    """Make a file that a repository cannot hold, or should not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if what.get("fifo"):
        os.mkfifo(path)
    elif "link" in what:
        path.symlink_to(what["link"])
    elif "text" in what:
        text = what["text"] * what.get("times", 1)
        path.write_text(what.get("begin", "") + text + what.get("end", ""), "utf-8")
    elif "marker" in what:
        path.write_text(MARKER.format(what["marker"]) + "\n")
    elif "bytecode" in what:
        source = path.with_name("source.py")
        source.write_text(MARKER.format(what["bytecode"]))
        # Compiled where the interpreter of the case runs it: see bytecode() below.
        path.with_suffix(".compile").write_text(str(source))
    elif "extension" in what:
        compile_extension(path, what["extension"])
    elif "zip" in what:
        with zipfile.ZipFile(path, "w") as archive:
            for name, marker in what["zip"].items():
                archive.writestr(name, MARKER.format(marker))
    else:
        raise ValueError(what)


def compile_extension(path: Path, marker: str) -> None:
    """Make a shared library that leaves a marker when it is loaded; it needs no Python headers."""
    if shutil.which("cc") is None:
        reason = "no C compiler on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    source = path.with_suffix(".c")
    source.write_text(EXTENSION.replace("@", marker))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", path, source], check=True)
    source.unlink()


EXTENSION = """
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void loaded(void) {
    char name[4096];
    snprintf(name, sizeof name, "%s/@", getenv("MARKERS"));
    FILE *file = fopen(name, "w");
    if (file) fclose(file);
}
"""


def compile_bytecode(environment: Environment) -> None:
    """Turn the sources that a case wants as bytecode alone into that, for its interpreter."""
    for order in environment.root.rglob("*.compile"):
        source, target = Path(order.read_text()), order.with_suffix(".pyc")
        code = f"import py_compile; py_compile.compile({str(source)!r}, {str(target)!r})"
        environment.interpreter.run("-I", "-S", "-c", code)
        source.unlink()
        order.unlink()


def write_policy(data: dict[str, Any], environment: Environment) -> dict[str, str]:
    """Write the policy of a case, and return the variable that names it unless it is the user's."""
    tree, _, rest = data.get("policy_file", "policy/policy").partition("/")
    path = place(environment, tree) / rest
    lines = (with_folders(line, environment) for line in data["policy"])
    policies.write(path, [DIGEST.sub(lambda m: digest(m, environment), line) for line in lines])
    return {} if tree == "home" else {"SAFESITE_POLICY": str(path)}


DIGEST = re.compile("<(line|marker|module): (.*?)>")


def digest(found: re.Match[str], environment: Environment) -> str:
    """Return what ``<line: TEXT>``, ``<marker: NAME>`` or ``<module: TREE/PATH>`` stands for."""
    if found[1] == "module":
        tree, _, rest = found[2].partition("/")
        return policies.module_digest(place(environment, tree) / rest)
    return policies.line_digest(found[2] if found[1] == "line" else MARKER.format(found[2]))


def with_folders(text: str, environment: Environment) -> str:
    """Replace the names of trees, as ``<extra>``, by their folders."""
    for tree in (*TREES, "home", "policy", "prefix"):
        if f"<{tree}>" in text:
            text = text.replace(f"<{tree}>", str(place(environment, tree)))
    return text


def fill_in(line: str, environment: Environment, advice: str) -> str:
    """Replace what a case abbreviates in an expected line."""
    if line.startswith("hint "):
        return environments.hint(int(line.split()[1]), advice, *map(int, line.split()[2:]))
    line = with_folders(line, environment)
    before, found, after = line.partition("<marker ")
    if found:
        marker, _, rest = after.partition(">")
        line = before + repr(MARKER.format(marker)) + rest
    return "safesite: " + line


def without_paths_of(others: bool, lines: list[str], environment: Environment) -> list[str]:
    """Leave out reports about what lies outside the environment, and the hint, which counts it."""
    if not others:
        return lines
    here = str(environment.root)
    return [line for line in lines if here in line and not line.endswith(" (hint)")]


@dataclass
class Run:
    """A case in its environment, ready to be started."""

    name: str
    environment: Environment
    data: dict[str, Any]
    expect: dict[str, Any]
    policy: dict[str, str]

    def command(self) -> list[str]:
        """Return the target and its arguments."""
        parts: list[str] = self.data.get("target", ["app.py"])
        return [with_folders(part, self.environment) for part in parts]

    def variables(self) -> dict[str, str]:
        """Return the variables that the case sets."""
        environ: dict[str, str] = self.data.get("environ", {})
        filled = {name: with_folders(value, self.environment) for name, value in environ.items()}
        return filled | self.policy

    def options(self) -> list[str]:
        """Return Python's own options."""
        return list(self.data.get("options", []))

    def advice(self, *, patched: bool = False) -> str:
        """Return what the hint advises: by the launcher, and where site is patched, differently.

        With -I the launcher is a file of the test's own, which nobody else can type.
        """
        options = self.options()
        is_typed = not patched and "-I" not in options
        command = self.environment.launcher(*options) if is_typed else ()
        return environments.advice(*command, options=options)

    def stock(self) -> Outcome:
        """Run it as stock Python."""
        return self.environment.stock(*self.options(), *self.command(), **self.variables())

    def launched(self, **more: str) -> Outcome:
        """Run it under the launcher."""
        variables = self.variables() | more
        options = self.options()
        if "-I" in options:  # which takes safesite's folder off the path: start it by its file
            link = self.environment.work / "launch.py"
            link.write_text(LAUNCH.format(package=str(environments.PACKAGE.parent)))
            python = self.environment.python
            return self.environment.run(python, *options, "-S", link, *self.command(), **variables)
        return self.environment.launched(*self.command(), options=tuple(options), **variables)

    def launched_as_patched(self, **more: str) -> Outcome:
        """Run it under the launcher; of what it prints, the hint becomes that of a patched site."""
        done = self.launched(**more)
        given, expected = (f"; {self.advice(patched=is_so)} (hint)\n" for is_so in (False, True))
        return Outcome(done.code, done.out, done.err.replace(given, expected))


LAUNCH = """\
import runpy, sys
sys.path.insert(0, {package!r})
import safesite
del sys.path[0]
runpy._run_module_as_main("safesite", alter_argv=False)
"""


def selected(cases: list[Case], otherwise: pytest.MarkDecorator, share: int = 3) -> list[Any]:
    """Return cases as parameters: those that are the same on all versions run on a share of them.

    The others have another mark.
    """
    rotated = pytest.mark.rotated(share)
    return [
        pytest.param(case, id=case.name, marks=rotated if case.is_timeless else otherwise)
        for case in cases
    ]


@pytest.fixture(params=CASE_LIST, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Each case in turn."""
    found: Case = request.param
    return found


@pytest.fixture
def root(case: Case, tmp_path: Path) -> Iterator[Path]:
    """The folder of each case: one in which its policy counts if it has one."""
    if "policy" not in case.read():
        yield tmp_path / "environment"
        return
    with policies.trusted_folder() as folder:
        yield folder


@pytest.fixture
def run(case: Case, interpreter: Interpreter, root: Path) -> Run:
    """Each case on each interpreter."""
    return prepare(case, interpreter, root)


@pytest.fixture
def run_on_base(case: Case, patched_base: Base, root: Path) -> Run:
    """Each case on each interpreter that there is a patched one of."""
    return prepare(case, patched_base.stock, root)


def prepare(case: Case, interpreter: Interpreter, root: Path) -> Run:
    """Lay a case out for an interpreter."""
    data = case.read()
    assert data.keys() <= KEYS, f"unknown keys in {case.name}"
    expect = expectation(data, interpreter)
    environment = lay_out(case, data, root, interpreter)
    compile_bytecode(environment)
    policy = write_policy(data, environment) if "policy" in data else {}
    return Run(case.name, environment, data, expect, policy)


KEYS = {
    "behind_own_sitecustomize",
    "claim",
    "environ",
    "expect",
    "make",
    "options",
    "policy",
    "policy_file",
    "system_site",
    "target",
}


def visible(run: Run, markers: list[str]) -> list[str]:
    """Return the markers that can be left: fewer where the interpreter's sitecustomize is first.

    Debian has one in the standard library's folder, before every site directory.
    """
    shadowed = run.environment.interpreter.has_sitecustomize
    behind = set(run.data.get("behind_own_sitecustomize", [])) if shadowed else set()
    return sorted(set(markers) - behind)


@pytest.mark.parametrize("case", selected(CASE_LIST, pytest.mark.spread))
def test_case(run: Run) -> None:
    expect, environment = run.expect, run.environment
    stock = None
    if expect.get("stock") is not None:
        stock = run.stock()
        left = visible(run, expect["stock"])
        assert environment.ran() == left, f"as stock:\n{stock.err}"
        assert stock.code == expect.get("stock_code", 0), stock.err
        assert expect.get("stock_says", "") in stock.err or left != sorted(expect["stock"])

    launched = run.launched()
    wanted = [fill_in(line, environment, run.advice()) for line in expect.get("report", [])]
    others = bool(run.data.get("system_site"))
    assert without_paths_of(others, launched.reports, environment) == without_paths_of(
        others, wanted, environment
    )
    assert launched.code == expect.get("code", 0), launched.err
    assert environment.ran() == visible(run, expect.get("ran", [])), launched.err
    assert "Traceback" not in launched.other_err or (stock and "Traceback" in stock.err)
    if stock is None:
        return
    if expect.get("same", True) and stock.code == 0:
        assert launched.out == stock.out

    allowed = run.launched(SAFESITE_MODE="allow")
    if not {"-E", "-I"} & set(run.options()):
        assert environment.ran() == left, allowed.err
        assert allowed.reports == []
        if stock.code == 0:
            assert (allowed.code, allowed.out, allowed.err) == (0, stock.out, stock.err)


def other_modes(run: Run, number: int, *, full: bool) -> list[str]:
    """Return the modes that a case also runs in: all with --full; else a third of them in one.

    Which third, and in which mode, depends on the version, as ``rotated`` does.  In ``allow``
    stock's own parser reads, so not a case that is none for it: it may hold a pipe.
    """
    modes = ["warn", "quiet", "skip"] + ["allow"] * (run.expect.get("stock") is not None)
    place = VERSIONS.index(run.environment.interpreter.version) + number
    if full:
        return modes
    return [] if place % 3 else [modes[place // 3 % len(modes)]]


@pytest.mark.parametrize("case", selected(CASE_LIST, pytest.mark.rotated, share=6))
def test_case_on_a_patched_interpreter(
    run_on_base: Run, patched_base: Base, request: pytest.FixtureRequest
) -> None:
    """A patched interpreter gives what the launcher does, in the mode of the case and others.

    But for the end of the hint, which each has in its own words.
    """
    run, environment = run_on_base, run_on_base.environment
    full = request.config.getoption("--full")
    number = [case.name for case in CASE_LIST].index(run.name)
    for mode in ("", *other_modes(run, number, full=full)):
        variables = {"SAFESITE_MODE": mode} if mode else {}
        environment.rebase(patched_base.stock)
        launched = run.launched_as_patched(**variables)
        ran = environment.ran()
        there = patched_base.run(
            environment, *run.options(), *run.command(), **run.variables() | variables
        )
        assert environment.ran() == ran, there.err
        there = Outcome(there.code, *map(patched_base.as_on_stock, (there.out, there.err)))
        assert (there.code, there.out) == (launched.code, launched.out), there.err
        assert there.reports == launched.reports
        if "Traceback" not in launched.err:
            assert there.err == launched.err
