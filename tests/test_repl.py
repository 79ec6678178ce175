"""The interactive interpreter under safesite, in a real terminal."""

from __future__ import annotations

import pytest
from environments import Environment
from terminal import Session, talk

pytestmark = pytest.mark.spread

MARKER = 'import os; open(os.environ["MARKERS"] + "/{}", "w")\n'
LINES = ["import os, sys; print([os.environ.get('PYTHONINSPECT'), __name__, sys.argv])", "exit(3)"]


def session(
    environment: Environment, *args: str, lines: list[str] = LINES, **variables: str
) -> Session:
    """Start the environment's Python in a terminal and type lines."""
    # A plain terminal: what is compared is what is said, not how it is drawn.
    env = environment.environ() | {"TERM": "dumb"} | variables
    return talk([str(environment.python), *args], env, environment.work, lines)


def test_repl_is_that_of_stock(environment: Environment) -> None:
    stock = session(environment)
    launched = session(environment, "-S", "-m", "safesite")
    assert stock.code == 3
    assert "[None, '__main__', ['']]" in stock.shown
    assert launched == stock


def test_repl_runs_pythonstartup(environment: Environment) -> None:
    (environment.work / "startup.py").write_text("print('started'); value = 5; 1/0\n")
    lines = ["print(value, __name__, '__file__' in globals())", "exit()"]
    stock = session(environment, lines=lines, PYTHONSTARTUP="startup.py")
    launched = session(environment, "-S", "-m", "safesite", lines=lines, PYTHONSTARTUP="startup.py")
    assert "started" in stock.shown
    assert "5 __main__ " in stock.shown
    assert launched == stock


def test_repl_leaves_no_pythoninspect_to_children(environment: Environment) -> None:
    lines = ["import os; os.system('echo [$PYTHONINSPECT]') and None", "exit()"]
    launched = session(environment, "-S", "-m", "safesite", lines=lines)
    assert "[]\n" in launched.shown


@pytest.mark.parametrize("name", ["_wmi", "_winapi", "nt"])
def test_repl_start_tries_a_foreign_name(environment: Environment, name: str) -> None:
    (environment.site_packages / f"{name}.py").write_text(MARKER.format(name))
    session(environment, lines=["exit()"], TERM="xterm")
    tried = environment.ran()
    session(environment, "-S", "-m", "safesite", lines=["exit()"], TERM="xterm")
    assert environment.ran() == []
    number = environment.interpreter.number
    expected = {"_wmi": number >= (3, 13), "_winapi": number >= (3, 14), "nt": number >= (3, 14)}
    assert tried == ([name] if expected[name] else [])
