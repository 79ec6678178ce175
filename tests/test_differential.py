"""Random site directories: ``sys.path`` under safesite is stock's, entry for entry.

``differential.py`` makes the trees and the calls; here its two processes, one stock and one with
safesite in place, are started and compared.  A tree has up to a dozen site
directories; ``--fuzz-directories`` counts the trees, ``--fuzz-seed`` repeats a single one.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import environments
import pytest
from environments import Environment

PROGRAM = Path(__file__).with_name("differential.py")
CHUNK = 250  # trees a process: some seconds, far from the time that a process is given
SHOWN = 3  # failing trees in one report

ASPECTS = ("sys.path", "known_paths", "returned", "site", "stderr")

LATIN_1 = "safesite.ISO-8859-1"  # a locale that the tests make, as machines no longer have one


@dataclass(frozen=True)
class Variant:
    """How both interpreters are started: encodings, the user site, the ways through safesite."""

    name: str
    options: tuple[str, ...]
    locale: str
    mode: str = "refuse"

    @property
    def verbose(self) -> bool:
        """Whether Python tells of every import, and site of every step."""
        return "-v" in self.options


VARIANTS = (
    Variant("utf-8", ("-I",), "C.UTF-8"),
    Variant("utf-8-and-user-site", ("-E",), "C.UTF-8"),
    Variant("ascii", ("-I", "-X", "utf8=0"), "C"),
    Variant("utf-8-mode", ("-I", "-X", "utf8=1"), "C"),
    Variant("latin-1", ("-I", "-X", "utf8=0"), LATIN_1),
    Variant("latin-1-in-utf-8-mode", ("-E", "-X", "utf8=1"), LATIN_1),
    Variant("verbose", ("-I", "-v"), "C.UTF-8"),
    Variant("mode-warn", ("-s",), "C.UTF-8", "warn"),  # a mode is read where the environment counts
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each variant its share of the seeds: those whose remainder is its place in the list."""
    if "variant" in metafunc.fixturenames:
        seed = metafunc.config.getoption("--fuzz-seed")
        all_of_them = [pytest.param(variant, marks=pytest.mark.spread) for variant in VARIANTS]
        chosen = all_of_them if seed is None else [VARIANTS[seed % len(VARIANTS)]]
        metafunc.parametrize("variant", chosen, ids=lambda variant: variant.name)


@pytest.fixture(scope="session")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Latin-1 locale, for LOCPATH."""
    localedef = shutil.which("localedef")
    if localedef is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("no program localedef, which the Latin-1 locale is made with")
    folder = tmp_path_factory.mktemp("locales")
    codes = "".join(f"<U{code:04X}> /x{code:02x} CHARACTER\n" for code in range(256))
    (folder / "charmap").write_text(
        f"<code_set_name> ISO-8859-1\n<escape_char> /\nCHARMAP\n{codes}END CHARMAP\n"
    )
    (folder / "source").write_text("LC_CTYPE\nupper <U0041>\nlower <U0061>\nEND LC_CTYPE\n")
    # --force: it warns of the categories that are not there, and counts that as failure.
    command = [localedef, "--force", "--no-archive", "-f", "./charmap", "-i", "./source"]
    subprocess.run([*command, f"./{LATIN_1}"], cwd=folder, capture_output=True, check=False)
    assert (folder / LATIN_1 / "LC_CTYPE").exists()
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder for the trees, in memory where possible: they are many small files."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of our own in it
    parent = memory if os.access(memory, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(prefix="safesite-", dir=parent) as folder:
        yield Path(folder)


@dataclass
class Comparison:
    """Stock and safesite, started the same way, on the same seeds."""

    environment: Environment
    variant: Variant
    locales: Path
    scratch: Path
    package: Path = environments.PACKAGE
    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def run(self, seeds: range) -> None:
        """Compare what the seeds make, chunk by chunk."""
        for start in range(0, len(seeds), CHUNK):
            chunk = seeds[start : start + CHUNK]
            with ThreadPoolExecutor(2) as pool:
                stock, ours = pool.map(self.results, (False, True), (chunk, chunk))
            for seed, one, other in zip(chunk, stock, ours, strict=True):
                assert one["seed"] == other["seed"] == seed
                self.compare(one, other)

    def results(self, safesite: bool, seeds: range) -> list[dict[str, Any]]:
        """Return what one process, stock or safesite's, tells of each seed."""
        return [json.loads(line) for line in self.start(safesite, seeds).splitlines()]

    def start(self, safesite: bool, seeds: range, *options: str | Path) -> str:
        """Run ``differential.py`` and return what it prints."""
        # Names of one length: in a path that is nearly too long, it must not matter which.
        folder = self.scratch / ("altern" if safesite else "stock_")
        takeover: list[str | Path] = ["--safesite", self.package.parent] if safesite else []
        numbers = [str(number) for number in (seeds.start, seeds.stop, seeds.step)]
        done = self.environment.run(
            self.environment.python,
            *self.variant.options,
            *("-S", PROGRAM, *takeover, *options, "--scratch", folder, *numbers),
            LC_ALL=self.variant.locale,
            LOCPATH=str(self.locales),
            SAFESITE_MODE=self.variant.mode,
        )
        assert done.code == 0, done.err
        assert self.variant.verbose or not done.err, done.err
        return done.out

    def compare(self, stock: dict[str, Any], ours: dict[str, Any]) -> None:
        """Note how a seed's results differ, if they do."""
        # What -v prints is each side's own.
        aspects = ASPECTS[:-1] if self.variant.verbose else ASPECTS
        differences = list(difference(stock, ours, aspects))
        calls = stock.get("reference", stock["seen"])
        self.counts["trees"] += 1
        self.counts["site directories"] += stock["site_directories"]
        self.counts["calls"] += len(calls)
        self.counts["trees that stop stock"] += bool(stock["raised"])
        self.counts["entries"] += len(calls[-1]["sys.path"]) if calls else 0
        if differences:
            self.failures[stock["seed"]] = "\n".join(differences)

    def report(self, seed: int, test: str) -> str:
        """Return everything about a seed: how to repeat it, its tree, both results."""
        return "\n".join(
            (
                f"seed {seed}; to repeat it:",
                f"python -m pytest --fuzz-seed {seed} {shlex.quote(test)}",
                self.start(False, range(seed, seed + 1), "--show").rstrip(),
                self.failures[seed],
            )
        )


def difference(
    stock: dict[str, Any], ours: dict[str, Any], aspects: tuple[str, ...]
) -> Iterator[str]:
    """Yield how two results of one seed differ.

    Where stock stops at a file that it cannot decode, its reference is the tree with that file
    emptied, and only the paths are compared.
    """
    reference = stock.get("reference", stock["seen"])
    if stock["raised"]:
        aspects = ("sys.path",)
    if stock["raised"] and stock.get("reference_raised", "no reference"):
        yield f"stock raised: {stock['raised']}"
    if ours["raised"]:
        yield f"safesite raised: {ours['raised']}"
    if stock["imported"] or ours["imported"]:
        yield f"a line ran: stock {stock['imported']}, safesite {ours['imported']}"
    for one, other in zip(reference, ours["seen"], strict=False):
        for aspect in aspects:
            if one[aspect] != other[aspect]:
                yield f"after {one['call']}, {aspect}:"
                yield f"  stock    {one[aspect]!a}"
                yield f"  safesite {other[aspect]!a}"


@pytest.fixture
def comparison(
    environment: Environment, variant: Variant, locales: Path, scratch: Path
) -> Comparison:
    """One interpreter, started in one way."""
    return Comparison(environment, variant, locales, scratch)


def test_path_is_stocks(comparison: Comparison, request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--fuzz-seed")
    place = VARIANTS.index(comparison.variant)
    count = request.config.getoption("--fuzz-directories")
    seeds = range(place, count, len(VARIANTS)) if seed is None else range(seed, seed + 1)
    comparison.run(seeds)
    counts = comparison.counts
    print(comparison.environment.interpreter.version, comparison.variant.name, dict(counts))  # noqa: T201
    test = request.node.nodeid
    reports = [comparison.report(seed, test) for seed in list(comparison.failures)[:SHOWN]]
    failed = f"{len(comparison.failures)} of {counts['trees']} trees fail, the first of them:"
    assert not reports, "\n\n".join([failed, *reports])
    if counts["trees"] >= 25:  # enough to say what the trees are like: nearly all have a reference
        assert counts["trees that stop stock"] * 4 < counts["trees"]
        assert counts["entries"] > 4 * counts["trees"]


def wrong_lines(statement: str) -> str:
    """Return code that makes the core read the lines of each file in a wrong way."""
    return (
        "right_line_records = line_records\n"
        "def line_records(file, lines):\n"
        "    lines = list(lines)\n"
        "    records = right_line_records(file, lines)\n"
        f"    {statement}\n"
        "    return records\n"
    )


# How a safesite could be wrong: the module, code at its end, and what the comparison says of it.
WRONG = {
    "loses-a-line": ("core.py", wrong_lines("del records[-1:]"), "sys.path:"),
    "takes-a-comment": (
        "core.py",
        wrong_lines(
            "records += [Record(x.strip(), file, 1, PATH) for x in lines if x.startswith('#')]"
        ),
        "sys.path:",
    ),
    "runs-a-line": (
        "core.py",
        wrong_lines("[__import__('must_not_run') for x in lines if 'must_not_run' in x]"),
        "a line ran: stock [], safesite ['must_not_run']",
    ),
    "raises": ("core.py", wrong_lines("raise UnicodeError"), "safesite raised: UnicodeError"),
    "writes": ("core.py", wrong_lines("print('wrong', file=sys.stderr)"), "stderr:"),
    "turns-files-around": (
        "core.py",  # and on 3.15 batch.py
        "import builtins\ndef sorted(names): return builtins.sorted(names, reverse=True)\n",
        "sys.path:",
    ),
}


@pytest.mark.rotated
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_safesite_is_found(
    wrong: str, environment: Environment, locales: Path, scratch: Path, tmp_path: Path
) -> None:
    package = tmp_path / "safesite"
    shutil.copytree(environments.PACKAGE, package)
    module, code, expected = WRONG[wrong]
    if wrong == "turns-files-around" and environment.interpreter.number >= (3, 15):
        module = "batch.py"
    with (package / module).open("a") as file:
        file.write(code)
    comparison = Comparison(environment, VARIANTS[0], locales, scratch, package)
    found: list[int] = []
    for start in range(0, 30, 10):  # until it is found
        comparison.run(range(start, start + 10))
        found = [seed for seed, text in comparison.failures.items() if expected in text]
        if found:
            break
    assert found
    report = comparison.report(found[0], "test")
    assert f"--fuzz-seed {found[0]} test\n" in report
    assert "\nstartup file b'" in report
    assert report.isascii()
