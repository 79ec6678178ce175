"""Measure one start of a program: instructions, wall time, modules, files opened, memory.

Every start has the same few variables and no input.  One that fails is never measured.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from pythons import CannotMeasure

VARIABLES = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0"}
TIME_LIMIT = 600  # seconds, for a start that takes two under callgrind
REPEATS = 2
MOST_PROGRAMS = 2  # that one process is in turn: a shell, then Python
TELLS = 5
AGREEMENT = 0.0005  # of the count: how far repeats may lie apart without a remark


@dataclass(frozen=True)
class Start:
    """A command line, the current directory to measure it in, and the one where it tells."""

    words: tuple[str, ...]
    work: Path
    told: Path
    policy: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """All the variables that are set."""
        return VARIABLES | ({"SAFESITE_POLICY": self.policy} if self.policy else {})


@dataclass(frozen=True)
class Wall:
    """The wall times of a start, in seconds."""

    times: tuple[float, ...]

    @property
    def median(self) -> float:
        """The time that is reported and compared."""
        return statistics.median(self.times)

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return statistics.stdev(self.times)

    def remark(self) -> str:
        """Say why the times are not to be trusted, by pyperf's two rules; empty if they are."""
        mean = statistics.mean(self.times)
        if self.deviation >= 0.10 * mean:
            return f"standard deviation {self.deviation / mean:.0%} of the mean"
        extreme = max(self.times, key=lambda seconds: abs(seconds - mean))
        if abs(extreme - mean) >= 0.50 * mean:
            return f"an extreme {abs(extreme - mean) / mean:.0%} off the mean"
        return ""


@dataclass
class Numbers:
    """What was measured of a start; what was not is None or empty."""

    counts: tuple[int, ...] = ()
    """Instructions, counted more than once."""
    times: list[float] = field(default_factory=list)
    """Seconds, one for each round."""
    modules: int | None = None
    files: int | None = None
    memory: int | None = None
    """Peak memory in KiB."""

    @property
    def wall(self) -> Wall | None:
        """The wall times, once there are enough of them to speak of."""
        return Wall(tuple(self.times)) if len(self.times) > 1 else None

    @property
    def instructions(self) -> int | None:
        """The count that is compared."""
        return min(self.counts, default=None)

    def remark(self) -> str:
        """Say that the counts differ, if they do by more than a trifle."""
        if self.counts and max(self.counts) - min(self.counts) > AGREEMENT * min(self.counts):
            return f"repeats differ: {min(self.counts):,} to {max(self.counts):,}"
        return ""


def run(start: Start, prefix: tuple[str, ...] = (), *, told: bool = False) -> tuple[int, str, str]:
    """Run a start to its end, below another program if one is given; return pid, output, errors."""
    process = subprocess.Popen(
        [*prefix, *start.words],
        cwd=start.told if told else start.work,
        env=start.variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    with process:
        try:
            out, err = process.communicate(timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise CannotMeasure(f"{shown(start)} does not end") from None
    if process.returncode:
        last = (err.strip() or "no message").splitlines()[-1]
        raise CannotMeasure(f"{shown(start)} ends with {process.returncode}: {last}")
    return process.pid, out, err


def shown(start: Start) -> str:
    """Return a command line for a message."""
    return " ".join([Path(start.words[0]).name, *start.words[1:]])


def count_instructions(start: Start) -> int:
    """Count the user-space instructions of a start, also those before a program that it becomes.

    A shell launcher ends in ``exec``.  Callgrind starts anew in the new program and forgets what it
    has counted, so it is told to write that down when ``execve`` is entered.  Children that are
    only started have another process id, and are not counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        callgrind = (
            tool("valgrind", "instructions are counted by valgrind"),
            "--tool=callgrind",
            f"--callgrind-out-file={folder}/out.%p",
            "--dump-before=execve",
            "--trace-children=yes",
        )
        pid, _, err = run(start, callgrind)
        programs = len(re.findall(rf"^=={pid}== Command: ", err, re.MULTILINE))
        return add_counts(Path(folder), pid, programs, start)


def add_counts(folder: Path, pid: int, programs: int, start: Start) -> int:
    """Add up what callgrind wrote for the programs that a process was, one after the other."""
    last = folder / f"out.{pid}"
    before = sorted(folder.glob(f"out.{pid}.*"))
    # A third program would write over what the first left, and one without the symbol leaves none.
    if programs > MOST_PROGRAMS or not last.is_file() or len(before) < programs - 1:
        raise CannotMeasure(
            f"{shown(start)} becomes other programs ({programs - 1}), and callgrind's counts of "
            "them cannot all be read; name one nearer to the last as the command"
        )
    return sum(total(path.read_text()) for path in [last, *before])


def total(profile: str) -> int:
    """Return the count of a file that callgrind wrote."""
    found = re.search(r"^totals: (\d+)$", profile, re.MULTILINE)
    if found is None:
        raise CannotMeasure("a file that callgrind wrote has no line 'totals'")
    return int(found[1])


def count_files(start: Start) -> int | None:
    """Count the files and folders that a start opens; None where strace is not or may not be."""
    program = shutil.which("strace")
    if program is None:
        return None
    with tempfile.NamedTemporaryFile("r", errors="replace") as trace:
        try:
            run(start, (program, "-e", "trace=open,openat", "-o", trace.name))
        except CannotMeasure:
            return None
        return sum(bool(re.search(r"= \d+$", line)) for line in trace)


def tell(start: Start, numbers: Numbers) -> None:
    """Let the program say how many modules it sees, and its peak memory, the median of a few.

    The kernel's answer to ``wait4`` will not do: it is never below the memory of the process that
    started the program, this one.
    """
    answers = [ask(start) for _ in range(TELLS)]
    numbers.modules = answers[0][0]
    numbers.memory = int(statistics.median(memory for _, memory in answers)) or None


def ask(start: Start) -> tuple[int, int]:
    """Return the modules and the memory that a start tells of."""
    pid, out, _ = run(start, told=True)
    modules, memory, own_pid = map(int, out.splitlines()[-1].split())
    if own_pid != pid:
        # The count of such a start would be that of the program which waits for it.
        raise CannotMeasure(f"{shown(start)} starts Python as a child; it must become it (exec)")
    return modules, memory


def time_start(start: Start) -> float:
    """Return the seconds from a start to its end.  The current directory must be its own."""
    begin = time.perf_counter()
    pid = os.posix_spawn(start.words[0], start.words, start.variables, file_actions=NOTHING)
    _, status = os.waitpid(pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        raise CannotMeasure(f"{shown(start)} ends with {os.waitstatus_to_exitcode(status)}")
    return seconds


NOTHING = [
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
]


def time_round(starts: list[Start], numbers: dict[Start, Numbers]) -> None:
    """Time each start once, one after the other: what disturbs the machine meets all alike."""
    here = Path.cwd()
    try:
        for start in starts:
            os.chdir(start.work)
            numbers[start].times.append(time_start(start))
    finally:
        os.chdir(here)


def tool(name: str, purpose: str) -> str:
    """Return the path of a program that measures."""
    path = shutil.which(name)
    if path is None:
        raise CannotMeasure(f"{purpose}: install the package {name} of your distribution")
    return path
