"""CPython's own ``test_site`` with safesite in place: whole in ``allow``, by name in ``refuse``.

The suite is each interpreter's own, run there by ``cpython/run_test_site.py``, which tells of the
two ways to put safesite in place: it takes over a ``site`` that has run, or it was launched and has
run ``site`` itself.  What is expected is what stock gives, on the same interpreter and in the same
kind of environment: a test that fails there (one of Debian's does, in a virtual environment) is
no failure of safesite's.

``cpython/refused.json`` names every test that fails because ``refuse`` refuses: ``reason`` is what
the test asserts and cannot find, ``refused`` the kinds of lines that are refused while it runs.
An entry counts from the version ``since`` on, if it has a ``way`` only there, and with ``needs``
only where stock has imported that module.

The children that the suite starts are stock, because ``sys.executable`` is the interpreter itself.
In a virtual environment its three tests of the user site are skipped; they are about children.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import environments
import pytest
from environments import Environment, Outcome
from interpreters import Interpreter

FOLDER = Path(__file__).parent / "cpython"
PROGRAM = FOLDER / "run_test_site.py"
WAYS = ("taken over", "launched")


@dataclass(frozen=True)
class Report:
    """What ``run_test_site.py`` prints."""

    mode: str | None
    sitecustomize: bool
    outcomes: dict[str, str]
    details: dict[str, str]
    refused: dict[str, list[str]]


@dataclass(frozen=True)
class Named:
    """An entry of ``refused.json``: a test that fails where startup code is refused."""

    test: str
    reason: str
    refused: list[str]
    since: str = "3.10"
    way: str = ""
    needs: str = ""

    def applies(self, interpreter: Interpreter, way: str, stock: Report) -> bool:
        """Return whether the test fails on this interpreter with safesite in place that way."""
        since = tuple(int(number) for number in self.since.split("."))
        needs_met = {"": True, "sitecustomize": stock.sitecustomize}[self.needs]
        return since <= interpreter.number and self.way in ("", way) and needs_met


def named_tests() -> list[Named]:
    """Return the entries of ``refused.json``."""
    return [Named(**entry) for entry in json.loads((FOLDER / "refused.json").read_text())]


def read_report(outcome: Outcome) -> Report:
    """Return what the program told in its last line."""
    assert outcome.code == 0, outcome.err
    return Report(**json.loads(outcome.out.splitlines()[-1]))


def run_with_safesite(environment: Environment, way: str, mode: str) -> Report:
    """Run the suite with safesite in place, and make sure that it was."""
    if way == "launched":
        outcome = environment.launched(PROGRAM, SAFESITE_MODE=mode)
    else:
        outcome = environment.stock(PROGRAM, environment.work, SAFESITE_MODE=mode)
    report = read_report(outcome)
    assert report.mode == mode
    return report


def changes(stock: Report, report: Report) -> dict[str, tuple[str, str, str]]:
    """Return each test that does not end as on stock: both outcomes, the end of its traceback."""
    changed = {}
    for test in stock.outcomes | report.outcomes:
        old, new = stock.outcomes.get(test, "absent"), report.outcomes.get(test, "absent")
        if old != new:
            changed[test] = old, new, report.details.get(test, "")[-500:]
    return changed


@pytest.fixture(scope="module")
def stock(interpreter: Interpreter, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The suite's outcomes on the interpreter's own ``site``."""
    has_suite = "import importlib.util as u; print(u.find_spec('test.test_site') is not None)"
    if interpreter.run("-I", "-S", "-c", has_suite).strip() != "True":
        reason = f"CPython {interpreter.version} comes without its test suite"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    environment = environments.make(interpreter, tmp_path_factory.mktemp("stock") / "environment")
    report = read_report(environment.stock(PROGRAM))
    assert report.mode is None
    assert not report.refused
    return report


@pytest.mark.spread
@pytest.mark.parametrize("way", WAYS)
def test_mode_allow_passes_what_stock_passes(
    environment: Environment, stock: Report, way: str
) -> None:
    """In ``allow`` every test ends as on stock, also the skipped ones, and nothing is refused."""
    report = run_with_safesite(environment, way, "allow")
    assert changes(stock, report) == {}
    assert report.refused == {}


@pytest.mark.spread
@pytest.mark.parametrize("way", WAYS)
def test_mode_refuse_fails_the_named_tests_only(
    environment: Environment, stock: Report, way: str
) -> None:
    """In ``refuse`` the tests that end otherwise are the named ones, which pass on stock and fail.

    Each fails while exactly the kinds of lines are refused that its entry names.
    """
    report = run_with_safesite(environment, way, "refuse")
    changed = changes(stock, report)
    named = [entry for entry in named_tests() if entry.applies(environment.interpreter, way, stock)]
    assert {test: report.refused.get(test, []) for test in changed} == {
        entry.test: entry.refused for entry in named
    }, changed
    assert {(old, new) for old, new, _ in changed.values()} == {("passed", "failed")}


def test_every_named_test_has_a_reason_and_one_entry() -> None:
    """No test is named twice, and none without saying what it asserts."""
    entries = named_tests()
    assert len({entry.test for entry in entries}) == len(entries)
    assert [entry.test for entry in entries if not entry.reason.startswith("asserts ")] == []
    assert entries == sorted(entries, key=lambda entry: entry.test)
