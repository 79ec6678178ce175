"""One run of the benchmark: make what the comparisons need, measure each start once, tell how far.

A start that takes part in several comparisons, as stock Python's does, is measured once for all.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from measure import (
    REPEATS,
    Numbers,
    Start,
    ask,
    count_files,
    count_instructions,
    run,
    tell,
    time_round,
)
from results import Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comparisons import Comparison, Side
    from profiles import Profile
    from pythons import Interpreter
    from store import Environment, Store


class Progress:
    """A line on a terminal that says what is being done; nothing elsewhere."""

    def __init__(self) -> None:
        self.shows = sys.stderr.isatty()

    def __call__(self, text: str) -> None:
        """Replace the line; an empty text removes it."""
        if self.shows:
            sys.stderr.write(f"\r\x1b[K{text[:78]}")
            sys.stderr.flush()


class Session:
    """Measures comparisons in environments of a store."""

    def __init__(self, store: Store, comparisons: list[Comparison]) -> None:
        self.store = store
        self.comparisons = comparisons
        self.progress = Progress()
        self.environments: dict[tuple[Interpreter, Profile], Environment] = {}
        self.starts: dict[Side, Start] = {}
        self.numbers: dict[Start, Numbers] = {}

    def prepare(self) -> None:
        """Make the environments, and run each start once: that writes the bytecode it needs."""
        for comparison in self.comparisons:
            for side in (comparison.subject, comparison.baseline):
                self.progress(f"preparing {comparison.name} on {side.interpreter.title}")
                if side not in self.starts:
                    start = self.starts[side] = self.start(side)
                    self.numbers[start] = Numbers()
                    run(start)
                    ask(start)

    def start(self, side: Side) -> Start:
        """Return what one side starts, in its environment."""
        place = (side.interpreter, side.profile)
        if place not in self.environments:
            self.environments[place] = self.store.provide(*place)
        environment = self.environments[place]
        return Start(
            environment.words(side.template), environment.work, environment.told, environment.policy
        )

    def count(self) -> None:
        """Count the instructions of each start, several at a time: that does not change them."""
        jobs = [start for start in self.numbers for _ in range(REPEATS)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            counts = pool.map(count_instructions, jobs)
            for done, (start, count) in enumerate(zip(jobs, counts, strict=True), 1):
                self.progress(f"counting instructions: {done} of {len(jobs)}")
                self.numbers[start].counts += (count,)

    def look(self) -> None:
        """Count modules and files, and take the memory, of each start."""
        for done, (start, numbers) in enumerate(self.numbers.items(), 1):
            self.progress(f"counting modules and files: {done} of {len(self.numbers)}")
            tell(start, numbers)
            numbers.files = count_files(start)

    def time(self, rounds: int) -> None:
        """Time the starts, those of one profile on one interpreter in turn with each other."""
        groups: dict[tuple[Interpreter, str], list[Comparison]] = {}
        for comparison in self.comparisons:
            place = (comparison.baseline.interpreter, comparison.subject.profile.name)
            groups.setdefault(place, []).append(comparison)
        for (interpreter, name), group in groups.items():
            starts = list(dict.fromkeys(self.sides(group)))
            for done in range(rounds):
                self.progress(f"timing {name} on {interpreter.title}: {done + 1} of {rounds}")
                time_round(starts, self.numbers)

    def sides(self, comparisons: Iterable[Comparison]) -> list[Start]:
        """Return the starts of comparisons."""
        return [self.starts[side] for c in comparisons for side in (c.subject, c.baseline)]

    def results(self) -> list[Result]:
        """Return what was measured."""
        self.progress("")
        found = []
        for comparison in self.comparisons:
            subject, baseline = self.sides([comparison])
            found.append(Result(comparison, self.numbers[subject], self.numbers[baseline]))
        return found
