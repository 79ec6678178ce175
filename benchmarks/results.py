"""What was measured, and its forms for a reader and for a program: table, Markdown, JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from comparisons import Comparison, Side
    from gates import Verdict
    from measure import Numbers
    from profiles import Profile
    from pythons import Interpreter

SCHEMA = 1  # rises when a name in the JSON changes its meaning or goes
NONE = "-"
MARK = "!"  # beside a number that has a remark below the table
HEADINGS = (
    "comparison",
    "instructions",
    "(millions)",
    "wall",
    "(median ± deviation, ms)",
    "modules",
    "files",
    "peak KiB",
)


@dataclass(frozen=True)
class Result:
    """A comparison and the numbers of its two sides."""

    comparison: Comparison
    subject: Numbers
    baseline: Numbers

    @property
    def name(self) -> str:
        """The comparison's name, which gates use."""
        return self.comparison.name

    @property
    def interpreter(self) -> Interpreter:
        """The interpreter that the report lists it under: the baseline's."""
        return self.comparison.baseline.interpreter

    @property
    def profile(self) -> Profile:
        """The profile that it was measured in."""
        return self.comparison.subject.profile

    def ratio(self, kind: str) -> float:
        """Return subject over baseline; raises ValueError where that was not measured."""
        above, below = value(self.subject, kind), value(self.baseline, kind)
        if above is None or not below:
            raise ValueError(f"{kind} of {self.name} was not measured")
        return above / below

    def ratio_or_none(self, kind: str) -> float | None:
        """Return subject over baseline, None where that was not measured."""
        try:
            return self.ratio(kind)
        except ValueError:
            return None

    def remark(self, kind: str) -> str:
        """Say why a ratio is not to be trusted, of both its sides; empty if it is."""
        both = [remark(numbers, kind) for numbers in (self.subject, self.baseline)]
        if not any(both):
            return ""
        return f"{self.name}: {kind}: {' / '.join(text or 'steady' for text in both)}"


@dataclass(frozen=True)
class Report:
    """All that a run says."""

    safesite: str
    platform: str
    valgrind: str | None
    results: list[Result]
    verdicts: list[Verdict]

    def groups(self) -> list[tuple[Interpreter, list[Result]]]:
        """Return the results of each interpreter, in the order of measuring."""
        interpreters = list(dict.fromkeys(result.interpreter for result in self.results))
        return [(i, [r for r in self.results if r.interpreter == i]) for i in interpreters]


def value(numbers: Numbers, kind: str) -> float | None:
    """Return the number of one kind that is compared."""
    if kind == "wall":
        return numbers.wall.median if numbers.wall else None
    found: int | None = getattr(numbers, kind)
    return found


def remark(numbers: Numbers, kind: str) -> str:
    """Return what is to be said against a number, empty if nothing is."""
    if kind == "wall":
        return numbers.wall.remark() if numbers.wall else ""
    return numbers.remark()


def ratio_cell(result: Result, kind: str) -> str:
    """Return a ratio for a table, marked if there is a remark."""
    ratio = result.ratio_or_none(kind)
    if ratio is None:
        return NONE
    return f"{ratio:.3f}{MARK if result.remark(kind) else ''}"


def pair(result: Result, kind: str, show: Callable[[Numbers], str]) -> str:
    """Return both sides' numbers for a table."""
    if result.ratio_or_none(kind) is None:
        return NONE
    return f"{show(result.subject)} / {show(result.baseline)}"


def millions(numbers: Numbers) -> str:
    """Return a count of instructions as a table shows it."""
    return f"{(numbers.instructions or 0) / 1e6:.2f}"


def milliseconds(numbers: Numbers) -> str:
    """Return a time and its spread as a table shows them."""
    wall = numbers.wall
    return f"{wall.median * 1e3:.1f} ± {wall.deviation * 1e3:.1f}" if wall else NONE


def cells(result: Result) -> list[str]:
    """Return a row of a table."""
    return [
        result.name,
        ratio_cell(result, "instructions"),
        pair(result, "instructions", millions),
        ratio_cell(result, "wall"),
        pair(result, "wall", milliseconds),
        pair(result, "modules", lambda numbers: str(numbers.modules)),
        pair(result, "files", lambda numbers: f"{numbers.files:,}"),
        pair(result, "memory", lambda numbers: f"{numbers.memory:,}"),
    ]


def all_remarks(results: list[Result]) -> list[str]:
    """Return the remarks on a group of results."""
    kinds = ("instructions", "wall")
    return list(filter(None, (result.remark(kind) for result in results for kind in kinds)))


def text_table(report: Report) -> str:
    """Return the report for a terminal."""
    parts = []
    for interpreter, results in report.groups():
        rows = [list(HEADINGS), *map(cells, results)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        remarks = [f"{MARK} {text}" for text in all_remarks(results)]
        parts.append("\n".join([heading(report, interpreter), "", *lines, *remarks, ""]))
    return "\n".join(parts)


def heading(report: Report, interpreter: Interpreter) -> str:
    """Return what a table is of."""
    return f"{interpreter.title}, safesite {report.safesite}, {report.platform}"


def markdown(report: Report) -> str:
    """Return the report for a CI job's summary."""
    parts = []
    for interpreter, results in report.groups():
        rows = [list(HEADINGS), ["---"] + ["---:"] * (len(HEADINGS) - 1)]
        rows += [list(map(escaped, cells(result))) for result in results]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        remarks = [f"- {escaped(text)}" for text in all_remarks(results)]
        title = f"### Startup: {escaped(heading(report, interpreter))}"
        parts.append("\n".join([title, "", *lines, "", *remarks]))
    verdicts = [f"- {mark(verdict)} {escaped(str(verdict))}" for verdict in report.verdicts]
    return "\n\n".join(part.rstrip() for part in [*parts, "\n".join(verdicts)] if part) + "\n"


def mark(verdict: Verdict) -> str:
    """Return a sign that is seen at a glance."""
    return "✅" if verdict.held else "❌"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, also in a table's cell."""
    line = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>|#&~])", r"\\\1", line)


def as_json(report: Report) -> str:
    """Return the report for a program."""
    content = {
        "schema": SCHEMA,
        "safesite": report.safesite,
        "platform": report.platform,
        "valgrind": report.valgrind,
        "interpreters": [
            {
                "implementation": interpreter.implementation,
                "version": interpreter.release,
                "build": interpreter.build,
                "comparisons": [comparison_object(result) for result in results],
            }
            for interpreter, results in report.groups()
        ],
        "gates": [
            {
                "name": verdict.name,
                "interpreter": verdict.interpreter,
                "measured": verdict.measured,
                "allowed": verdict.allowed,
                "held": verdict.held,
            }
            for verdict in report.verdicts
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def comparison_object(result: Result) -> dict[str, Any]:
    """Return a result as the JSON holds it."""
    kinds = ("instructions", "wall", "modules", "files", "memory")
    return {
        "name": result.name,
        "about": result.comparison.about,
        "subject": side_object(result.comparison.subject, result.subject),
        "baseline": side_object(result.comparison.baseline, result.baseline),
        "ratios": {kind: result.ratio_or_none(kind) for kind in kinds},
    }


def side_object(side: Side, numbers: Numbers) -> dict[str, Any]:
    """Return one side's numbers as the JSON holds them."""
    wall = numbers.wall
    return {
        "command": side.text,
        "interpreter": side.interpreter.release,
        "instructions": numbers.instructions,
        "instructions_repeats": list(numbers.counts),
        "wall": wall
        and {
            "rounds": len(wall.times),
            "median": wall.median,
            "stdev": wall.deviation,
            "minimum": min(wall.times),
            "maximum": max(wall.times),
            "unstable": wall.remark() or None,
        },
        "modules": numbers.modules,
        "files": numbers.files,
        "memory_kib": numbers.memory,
    }
