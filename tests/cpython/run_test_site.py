"""Run this interpreter's own ``test.test_site`` and print what becomes of its tests, as JSON.

Runs inside the target interpreter, 3.10 to 3.15, with nothing but its standard library:

    python run_test_site.py                  stock site
    python run_test_site.py FOLDER           safesite, from FOLDER, takes over a site that has run
    python -S -m safesite run_test_site.py   safesite has taken over, and has run site itself

``test.test_site`` skips itself whole under ``-S``, where stock ``site`` has added nothing.  Taking
over a ``site`` that has run does not meet this: what replaces parts of the module is tested, and
nothing is pretended.  When safesite is launched, ``site`` has run too, although ``sys.flags`` says
``no_site``; so it says otherwise while the suite is imported, and only then.  That way also tests
what safesite's own start has built.

The last line of the output is an object: ``outcomes`` by test (``passed``, ``skipped: why``,
``failed``, ``error``), ``details`` (tracebacks), ``refused`` (the kinds of lines that safesite
refused during the test), ``mode`` (null for stock), ``sitecustomize`` (it was imported at startup).
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
import unittest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType, TracebackType
    from typing import TypeAlias

    ExcInfo: TypeAlias = (
        tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
    )

SUITE = "test.test_site"
REAL_FLAGS = sys.flags


class FlagsWithSite:
    """``sys.flags`` of a Python that was started without ``-S``."""

    no_site = 0

    def __getattr__(self, name: str) -> object:
        return getattr(REAL_FLAGS, name)


class Outcomes(unittest.TestResult):
    """Notes the outcome of each test."""

    def __init__(self, core: ModuleType | None) -> None:
        super().__init__()
        self.core = core
        self.outcomes: dict[str, str] = {}
        self.details: dict[str, str] = {}
        self.refused: dict[str, list[str]] = {}

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """Let safesite begin anew, so that the order of the tests does not matter.

        They use one file name and read stderr; a line is refused once a process, the first ten
        refusals are printed.
        """
        super().startTest(test)
        if self.core is not None:
            startup = self.core.startup
            startup.refused.clear()
            startup.printed = startup.unprinted = startup.logged = 0

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """Note what was refused since startTest(); no test goes without an outcome."""
        self.outcomes.setdefault(name_of(test), "neither passed nor failed")
        if self.core is not None and self.core.startup.refused:
            kinds = {line.kind for line in self.core.startup.refused.values()}
            self.refused[name_of(test)] = sorted(kinds)
        super().stopTest(test)

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """Note a test that passed."""
        self.outcomes[name_of(test)] = "passed"

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802 - unittest's name
        """Note a skipped test and its reason."""
        self.outcomes[name_of(test)] = f"skipped: {reason}"

    def addFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:  # noqa: N802 - as above
        """Note a test whose assertion is false."""
        self.note(test, "failed", err)

    def addError(self, test: unittest.TestCase, err: ExcInfo) -> None:  # noqa: N802 - as above
        """Note a test, or a setUpModule(), that raised."""
        self.note(test, "error", err)

    def addSubTest(  # noqa: N802 - unittest's name
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: ExcInfo | None
    ) -> None:
        """Note a subtest that did not pass, under its own name."""
        if err is not None:
            self.note(subtest, f"failed in {name_of(test)}", err)

    def note(self, test: unittest.TestCase, outcome: str, err: ExcInfo) -> None:
        """Note a test that did not pass, and its traceback."""
        self.outcomes[name_of(test)] = outcome
        self.details[name_of(test)] = "".join(traceback.format_exception(*err))


def name_of(test: unittest.TestCase) -> str:
    """Return ``Class.method``."""
    return test.id().removeprefix(f"{SUITE}.")


def take_over(folder: str) -> None:
    """Import safesite from a folder, which is on sys.path no longer than that, and take over."""
    sys.path.insert(0, folder)
    site = importlib.import_module("safesite.site")
    sys.path.remove(folder)
    site.take_over()


def load_suite() -> unittest.TestSuite:
    """Return the tests; as by regrtest's default, without those that need the network."""
    support = importlib.import_module("test.support")
    vars(support)["use_resources"] = {}
    if REAL_FLAGS.no_site:
        vars(sys)["flags"] = FlagsWithSite()
    try:
        return unittest.defaultTestLoader.loadTestsFromName(SUITE)
    finally:
        vars(sys)["flags"] = REAL_FLAGS


def main(args: list[str]) -> None:
    """Run the suite and print the report."""
    if args:
        take_over(args[0])
    sitecustomize = "sitecustomize" in sys.modules
    safesite = sys.modules.get("safesite")
    if safesite is not None and safesite.gate["mode"] is not None:
        safesite.open_gate()  # as the first of the suite's startup files would
    result = Outcomes(sys.modules.get("safesite.core"))
    load_suite().run(result)
    report = {
        "mode": safesite.active() if safesite is not None else None,
        "sitecustomize": sitecustomize,
        "outcomes": result.outcomes,
        "details": result.details,
        "refused": result.refused,
    }
    sys.stdout.write(f"\n{json.dumps(report)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
