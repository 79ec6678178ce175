"""``uv run --with PACKAGE``, by uv itself: the package is there, and in children; nothing is said.

uv makes an environment for the package, whose one startup file leads to that and to the project's.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import environments
import pytest
from conftest import need
from environments import Environment, Outcome
from installers import Builder
from interpreters import VERSIONS
from patched import Base
from test_programs import LAUNCHER

PACKAGE = "tabulate==0.9.0"
CODE = """\
import subprocess, sys
import in_project, tabulate
print(tabulate.__version__, in_project.WHERE, len(set(sys.path)))
sys.stdout.flush()
code = "import tabulate, in_project; print('child', tabulate.__version__)"
if "safesite" not in sys.modules:
    subprocess.run([sys.executable, "-c", code], check=True)
"""


def prepared(environment: Environment) -> Environment:
    """Put a module into the project's environment, and a line that must not run."""
    (environment.site_packages / "in_project.py").write_text("WHERE = 'project'\n")
    return environment


def run_with(environment: Environment, builder: Builder, *words: str, **variables: str) -> Outcome:
    """Run the program by uv, in an environment of the package over that of the project."""
    app = environment.work / "app.py"
    app.write_text(CODE)
    uv = (builder.uv, "run", "--quiet", "--no-project", "--active")
    python = ("--python", environment.python, "--with", PACKAGE, "python")
    more = {**builder.variables(), "VIRTUAL_ENV": str(environment.prefix), **variables}
    more |= {"HOME": str(environment.home), "SAFESITE_MODE": ""}
    outside = dataclasses.replace(environment, variables=more)
    return outside.run(*uv, *python, *words, "app.py")


@pytest.mark.parametrize(
    "version",
    [pytest.param(v, marks=() if v in ("3.11", "3.15") else pytest.mark.full) for v in VERSIONS],
)
def test_the_launcher_finds_the_packages(version: str, builder: Builder, tmp_path: Path) -> None:
    environment = prepared(environments.make(need(version), tmp_path / "environment"))
    stock = run_with(environment, builder)
    told, child = stock.out.splitlines()
    assert (told.split()[:2], child) == (["0.9.0", "project"], "child 0.9.0"), stock.err
    launched = run_with(environment, builder, *LAUNCHER)
    assert (launched.out, launched.err) == (f"{told}\n", "")


@pytest.mark.sampled
def test_a_patched_interpreter_and_its_children_do(
    patched_base: Base, builder: Builder, tmp_path: Path
) -> None:
    """From 3.13 on a variable has one that was not built use the files of its site."""
    if patched_base.options and patched_base.stock.number < (3, 13):
        pytest.skip("uv does not pass the option that an interpreter of this kind needs")
    environment = prepared(environments.make(patched_base.patched, tmp_path / "environment"))
    environment.rebase(patched_base.patched)
    line = environment.site_packages / "line.pth"
    line.write_text("import antigravity\n")
    variables = {"PYTHON_FROZEN_MODULES": "off"} if patched_base.options else {}
    done = run_with(environment, builder, **variables)
    assert done.out.startswith("0.9.0 project "), done.err
    assert done.out.endswith("\nchild 0.9.0\n")
    assert "line.pth:1: refused import line" in done.reports[0]
    assert "_uv_ephemeral_overlay.pth" not in done.err
