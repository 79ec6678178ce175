"""Limits for somebody's CI: the most that a comparison's instructions may be of its baseline's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from comparisons import matches

if TYPE_CHECKING:
    from results import Result


@dataclass(frozen=True)
class Gate:
    """A glob of comparisons' names and the greatest ratio that is allowed to them."""

    glob: str
    allowed: float

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Read ``NAME=RATIO``; raises ValueError."""
        glob, equals, ratio = text.rpartition("=")
        allowed = float(ratio)
        if not equals or not glob or not 0 < allowed < float("inf"):
            raise ValueError("not of the form NAME=RATIO")
        return cls(glob, allowed)


@dataclass(frozen=True)
class Verdict:
    """What one gate says of one result."""

    name: str
    interpreter: str
    measured: float
    allowed: float

    @property
    def held(self) -> bool:
        """Whether the comparison stays within its limit."""
        return self.measured <= self.allowed

    def __str__(self) -> str:
        relation = "within" if self.held else "more than"
        return (
            f"{self.name} on {self.interpreter}: {self.measured:.4f} times the instructions, "
            f"{relation} the {self.allowed:.4f} allowed"
        )


def unmatched(gates: list[Gate], names: list[str]) -> list[str]:
    """Return the globs that name no comparison: a gate that checks nothing must not pass."""
    return [gate.glob for gate in gates if not any(matches(name, [gate.glob]) for name in names)]


def judge(gates: list[Gate], results: list[Result]) -> list[Verdict]:
    """Return a verdict for each gate on each comparison that it names."""
    return [
        Verdict(result.name, result.interpreter.title, result.ratio("instructions"), gate.allowed)
        for gate in gates
        for result in results
        if matches(result.name, [gate.glob])
    ]
