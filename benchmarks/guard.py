"""Measure what ``--guard=watch`` costs a build: processor time, guarded over unguarded.

Builds sdists of the registry with pip, isolated as pip does it, from files that are fetched before:
in turn unguarded and guarded, so that what disturbs the machine meets both.  Instructions are
counted on request; under valgrind a build takes minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from measure import VARIABLES, Wall, tool, total
from profiles import PROFILES, SETUPTOOLS
from pythons import CannotMeasure, find_interpreter, run_quietly
from session import Progress
from startup import CHECKOUT, EXCEEDED, complain, exit_code, rounds, safesite_package, value
from store import Environment, Store

if TYPE_CHECKING:
    from collections.abc import Iterable

PROGRAM = "guard.py"
# Pure Python, by two backends, and C, without and with Cython.
SDISTS = ("docopt==0.6.2", "click==8.1.8", "MarkupSafe==3.0.2", "PyYAML==6.0.2")
BACKENDS = (SETUPTOOLS, "wheel==0.48.0", "flit-core==3.12.0", "Cython==3.3.1")
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
ENDINGS = ("Program termination", "--dump-before=fork")


@dataclass
class Side:
    """A way to build one sdist, and what it took: seconds of processor and wall, instructions."""

    words: tuple[str, ...]
    processor: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    instructions: int = 0


@dataclass(frozen=True)
class Pair:
    """An sdist, and both ways to build it."""

    name: str
    stock: Side
    guarded: Side

    @property
    def ratio(self) -> float:
        """Guarded over unguarded, of the medians of processor time."""
        return Wall(tuple(self.guarded.processor)).median / Wall(tuple(self.stock.processor)).median

    def line(self) -> str:
        """Return the line of the table."""
        parts = [f"{self.name:20}", f"{self.ratio:6.3f}"]
        parts += [f"{times(side.processor):>14}" for side in (self.guarded, self.stock)]
        parts += [f"{times(side.wall):>14}" for side in (self.guarded, self.stock)]
        if self.stock.instructions:
            above, below = self.guarded.instructions, self.stock.instructions
            parts.append(f"{above / below:12.3f} {above / 1e6:9.0f} {below / 1e6:9.0f}")
        return " ".join(parts)


def times(seconds: list[float]) -> str:
    """Return a median and its deviation for the table."""
    found = Wall(tuple(seconds))
    return f"{found.median:.2f} ± {found.deviation:.2f}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: benchmark(options), PROGRAM)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Measure what --guard=watch costs a build by pip, against the same unguarded.",
        epilog="exit code: 0; 1 if --max-ratio is exceeded; 2 if something cannot be measured",
    )
    made.add_argument("sdists", nargs="*", metavar="NAME==VERSION", help=f"default: {SDISTS}")
    made.add_argument("--python", default=sys.executable, metavar="P", help="an interpreter")
    made.add_argument("--safesite", type=Path, default=CHECKOUT, metavar="DIR", help="a checkout")
    made.add_argument(
        "--rounds", type=value(rounds), default=7, metavar="N", help="builds (default 7)"
    )
    made.add_argument(
        "--instructions", action="store_true", help="also count them: minutes for each sdist"
    )
    made.add_argument(
        "--max-ratio",
        type=float,
        metavar="R",
        help="end with 1 if all together take more than R times the processor time",
    )
    return made


def benchmark(options: argparse.Namespace) -> int:
    """Measure what the options ask for, report it, and return the exit code."""
    interpreter = find_interpreter(options.python)
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="safesite-benchmark-") as name:
        folder = Path(name).resolve()
        progress("fetching what is built")
        store = Store(folder, safesite_package(options.safesite))
        environment = store.provide(interpreter, PROFILES[0])
        pip = next(store.pip().parent.parent.glob("lib/*/site-packages/pip"))
        (environment.site_packages / "pip").symlink_to(pip)
        fetch(environment, folder / "files", options.sdists or SDISTS)
        pairs = [pair(environment, folder, path) for path in sdists_in(folder / "files")]
        for number in range(
            options.rounds + 1
        ):  # the first one writes bytecode, and does not count
            for each in pairs:
                progress(f"round {number} of {options.rounds}: {each.name}")
                time_pair(each, counts=number > 0)
        if options.instructions:
            for each in pairs:
                progress(f"instructions: {each.name}")
                count_pair(each)
        progress("")
    return report(interpreter.title, pairs, options.max_ratio)


def fetch(environment: Environment, files: Path, sdists: Iterable[str]) -> None:
    """Download the sdists, and wheels of what builds them."""
    python = str(environment.binaries / "python")
    download = [python, *PIP, "download", "--dest", str(files)]
    run_quietly([*download, "--only-binary", ":all:", *BACKENDS])
    for sdist in sdists:
        run_quietly([*download, "--no-deps", "--no-binary", sdist.partition("==")[0], sdist])


def sdists_in(files: Path) -> list[Path]:
    """Return the sdists of a folder."""
    return sorted(path for path in files.iterdir() if path.suffix != ".whl")


def pair(environment: Environment, folder: Path, sdist: Path) -> Pair:
    """Return both ways to build an sdist."""
    offline = ("--no-index", "--no-cache-dir", "--find-links", str(sdist.parent))
    build = (*PIP, "wheel", *offline, "--no-deps", "--wheel-dir", str(folder / "out"), str(sdist))
    python, safesite = (str(environment.binaries / name) for name in ("python", "safesite"))
    stock, guarded = (python, *build), (safesite, "--guard=watch", *build)
    return Pair(sdist.name.removesuffix(".tar.gz"), Side(stock), Side(guarded))


def time_pair(each: Pair, *, counts: bool) -> None:
    """Build once in both ways."""
    for side in (each.stock, each.guarded):
        begin = time.perf_counter()
        processor = run(side.words)
        if counts:
            side.processor.append(processor)
            side.wall.append(time.perf_counter() - begin)


def run(words: tuple[str, ...], prefix: tuple[str, ...] = ()) -> float:
    """Run a build to its end; return the seconds of processor of all that was started for it.

    Without a terminal: a question would be a refusal, and is told.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            [*prefix, *words],
            env=VARIABLES | {"PIP_CONFIG_FILE": os.devnull},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read()
    if process.returncode or "safesite:" in said:
        last = (said.strip() or "no message").splitlines()[-1]
        raise CannotMeasure(f"building {words[-1]} ends with {process.returncode}: {last}")
    return usage.ru_utime + usage.ru_stime


def count_pair(each: Pair) -> None:
    """Count the instructions of both ways."""
    for side in (each.stock, each.guarded):
        side.instructions = count_instructions(side.words)


def count_instructions(words: tuple[str, ...]) -> int:
    """Count the user-space instructions of a build, of all its processes.

    What a process has counted is written down when it forks, for its child would begin with that.
    A child that becomes another program at once has what it inherited written down then, and that
    is not added; nor are the 0.4 million of the shell that each launcher is.
    """
    with tempfile.TemporaryDirectory() as folder:
        callgrind = (
            tool("valgrind", "instructions are counted by valgrind"),
            "--tool=callgrind",
            "--quiet",
            f"--callgrind-out-file={folder}/out.%p",
            "--dump-before=fork",
            "--dump-before=execve",
            "--trace-children=yes",
        )
        run(words, callgrind)
        texts = [path.read_text(errors="replace") for path in Path(folder).iterdir()]
        return sum(total(text) for text in texts if trigger(text).startswith(ENDINGS))


def trigger(profile: str) -> str:
    """Return why callgrind wrote a file."""
    found = re.search(r"^desc: Trigger: (.*)$", profile, re.MULTILINE)
    return found[1] if found else ""


def report(title: str, pairs: list[Pair], most: float | None) -> int:
    """Print the table; return the exit code."""
    print(f"{title}: pip wheel, --guard=watch over unguarded; processor and wall time in seconds")
    counted = "  instructions  guarded unguarded" if pairs[0].stock.instructions else ""
    head = f"{'sdist':20} {'ratio':>6} {'guarded':>14} {'unguarded':>14}"
    print(f"{head} {'wall: guarded':>14} {'unguarded':>14}{counted}")
    for each in pairs:
        print(each.line())
    above, below = (
        sum(Wall(tuple(getattr(each, way).processor)).median for each in pairs)
        for way in ("guarded", "stock")
    )
    print(f"{'all':20} {above / below:6.3f}")
    if most is not None and above > most * below:
        told = f"{above / below:.3f} times the processor time, more than the {most:.3f} allowed"
        complain(told, PROGRAM)
        return EXCEEDED
    return 0


if __name__ == "__main__":
    sys.exit(main())
