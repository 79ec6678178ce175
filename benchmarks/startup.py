"""Measure what a start costs under safesite, or under a Python of yours, against stock Python.

Needs nothing but Python 3.10 or newer; valgrind to count instructions, strace to count files.  The
README beside this file says what is measured and how to use it in CI.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import chart
from comparisons import Comparison, OwnCommand, list_comparisons, select
from gates import Gate, judge, unmatched
from measure import tool
from profiles import GROWTH, PROFILES
from pythons import CannotMeasure, find_interpreter, run_quietly
from results import Report, as_json, markdown, text_table
from session import Session
from store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Value = TypeVar("Value")

CHECKOUT = Path(__file__).resolve().parent.parent
EXCEEDED, CANNOT = 1, 2  # exit codes
LEAST_ROUNDS = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: benchmark(options))


def exit_code(measure: Callable[[], int], program: str = "startup.py") -> int:
    """Return what a benchmark ends with: 2, having told why, where it cannot measure."""
    try:
        return measure()
    except CannotMeasure as exc:
        complain(str(exc), program)
        return CANNOT


def complain(text: str, program: str = "startup.py") -> None:
    """Print a line on standard error."""
    print(f"{program}: {text}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(
        prog="startup.py",
        description="Measure what a start of Python costs under safesite, against stock Python.",
        epilog="exit code: 0; 1 if a --max-ratio is exceeded; 2 if something cannot be measured",
    )
    add_subjects(made)
    add_choices(made)
    add_outputs(made)
    return made


def add_subjects(made: argparse.ArgumentParser) -> None:
    """Add the options that say what is measured."""
    made.add_argument(
        "--python",
        action="append",
        metavar="P",
        help="an interpreter, by path or name; may be repeated (default: the one that runs this)",
    )
    made.add_argument(
        "--command",
        action="append",
        default=[],
        type=value(OwnCommand.parse),
        metavar="[NAME=]CMD",
        help="also measure 'CMD app.py', over the first --python as it is: CMD is a Python with "
        "options, or any command with {python} where an environment's Python stands",
    )
    made.add_argument(
        "--safesite",
        type=Path,
        default=CHECKOUT,
        metavar="DIR",
        help="the checkout whose safesite is measured (default: this one)",
    )


def add_choices(made: argparse.ArgumentParser) -> None:
    """Add the options that say how much is measured."""
    made.add_argument(
        "--only", action="append", default=[], metavar="GLOB", help="only comparisons so named"
    )
    made.add_argument("--list", action="store_true", help="print the comparisons and end")
    made.add_argument(
        "--growth",
        action="store_true",
        help="instead: 1, 10, 100 and 1,000 startup files, and path entries",
    )
    made.add_argument("--no-wall", action="store_true", help="do not measure wall time")
    made.add_argument("--no-instructions", action="store_true", help="do not count instructions")
    made.add_argument(
        "--rounds", type=value(rounds), default=100, metavar="N", help="of wall time (default 100)"
    )
    made.add_argument(
        "--max-ratio",
        action="append",
        default=[],
        type=value(Gate.parse),
        metavar="NAME=RATIO",
        help="end with 1 if a comparison so named (a glob) takes more instructions than RATIO "
        "times its baseline's; may be repeated",
    )


def add_outputs(made: argparse.ArgumentParser) -> None:
    """Add the options that say where results and environments go."""
    for name, what in (("json", "JSON"), ("markdown", "Markdown, for a CI job's summary")):
        made.add_argument(f"--{name}", metavar="FILE", help=f"write {what}; - is standard output")
    made.add_argument("--svg", metavar="FILE", help="write a bar chart of the instructions")
    made.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the environments here, and use those there"
    )


def value(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """Make argparse print what a value's parser raises."""

    def parse_or_explain(text: str) -> Value:
        try:
            return parse(text)
        except ValueError as exc:
            raise argparse.ArgumentTypeError(f"{text!r}: {exc}") from exc

    return parse_or_explain


def rounds(text: str) -> int:
    """Read a number of rounds, of which a spread needs two."""
    number = int(text)
    if number < LEAST_ROUNDS:
        raise ValueError("a spread needs two rounds or more")
    return number


def benchmark(options: argparse.Namespace) -> int:
    """Measure what the options ask for, report it, and return the exit code."""
    wanted = plan(options)
    if options.list:
        for name, about in dict.fromkeys((c.name, c.about) for c in wanted):
            print(f"{name:20} {about}")
        return 0
    check(options, wanted)
    package = safesite_package(options.safesite)
    with environments_folder(options.keep) as folder:
        session = Session(Store(folder, package), wanted)
        measure(session, options)
    found = session.results()
    verdicts = judge(options.max_ratio, found)
    version = safesite_version(package)
    write(Report(version, platform.platform(), valgrind_version(), found, verdicts), options)
    exceeded = [verdict for verdict in verdicts if not verdict.held]
    for verdict in exceeded:
        complain(str(verdict))
    return EXCEEDED if exceeded else 0


def plan(options: argparse.Namespace) -> list[Comparison]:
    """Return the comparisons that the options select; commands are measured beside the first."""
    profiles = GROWTH if options.growth else PROFILES
    labels = [command.label for command in options.command]
    if len(set(labels)) < len(labels):
        raise CannotMeasure("two commands have one name; write --command NAME=CMD")
    found = []
    for number, python in enumerate(options.python or [sys.executable]):
        commands = options.command if number == 0 else []
        found += list_comparisons(find_interpreter(python), profiles, commands)
    return select(found, options.only)


def check(options: argparse.Namespace, wanted: list[Comparison]) -> None:
    """Refuse, before anything is measured, what would have no result."""
    names = [comparison.name for comparison in wanted]
    if not names:
        raise CannotMeasure("no comparison has such a name; see --list")
    for glob in unmatched(options.max_ratio, names):
        raise CannotMeasure(f"--max-ratio {glob}: no comparison that is measured has this name")
    counted = "--max-ratio" if options.max_ratio else "--svg" if options.svg else ""
    if counted and options.no_instructions:
        raise CannotMeasure(f"{counted} needs the instructions that --no-instructions leaves out")
    if counted:
        tool("valgrind", f"{counted} needs the count of instructions")


def safesite_package(checkout: Path) -> Path:
    """Return the folder of the package to measure."""
    package = checkout.resolve() / "safesite"
    if not (package / "__init__.py").is_file():
        raise CannotMeasure(f"there is no package safesite in {str(checkout)!r}")
    return package


def safesite_version(package: Path) -> str:
    """Return the version that a package states."""
    text = (package / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return found[1] if found else "unknown"


def valgrind_version() -> str | None:
    """Return the version of valgrind, None where it is not installed."""
    program = shutil.which("valgrind")
    return run_quietly([program, "--version"]).strip() if program else None


@contextmanager
def environments_folder(keep: Path | None) -> Iterator[Path]:
    """Provide the folder to make environments in: one that stays, or one that goes."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="safesite-benchmark-") as folder:
        yield Path(folder).resolve()


def measure(session: Session, options: argparse.Namespace) -> None:
    """Measure all that the options and this machine allow."""
    session.prepare()
    if not options.no_instructions:
        if shutil.which("valgrind"):
            session.count()
        else:
            complain("instructions are not counted: valgrind is not installed")
    session.look()
    if not options.no_wall:
        session.time(options.rounds)


def write(report: Report, options: argparse.Namespace) -> None:
    """Write each form that was asked for, and the table if none takes standard output."""
    forms = [(options.json, as_json), (options.markdown, markdown)]
    if not any(target == "-" for target, _ in forms):
        sys.stdout.write(text_table(report))
    for target, form in [*forms, (options.svg, chart.svg)]:
        if target == "-":
            sys.stdout.write(form(report))
        elif target:
            Path(target).write_text(form(report), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
