"""Side by side with autorun-audit: what each finds in site directories, misses, calls wrongly.

``audited`` holds the directories.  What runs in one is what stock Python of any version runs:
markers that a start leaves, and the lines and entry points that its ``site`` executes, watched.
``side_by_side.txt`` is the table, compared with what is found now; to write it anew, run this file
with SAFESITE_WRITE_TABLE=1.

A tool finds what runs if it names the place, by default, as something that runs.  It misses what it
does not name, or calls a path entry or recognised as harmless though it is not.  It calls wrongly
what does not run, or is known to do nothing, if that makes it exit with 1; or if it crashes there.
That safesite names something without refusing it is right because nothing of it runs at its start:
that is tested too.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
import pytest
from audited import DIRECTORIES, SITE, USER, Directory, place_of
from conftest import need
from environments import Environment
from installers import Builder, make_once
from interpreters import VERSIONS, Interpreter
from test_locales import latin  # noqa: F401 - a fixture

CHECKOUT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).with_name("side_by_side.txt")
PEER = "autorun-audit 0.4.0"
COLUMNS = ("site directory", "what runs", PEER, "", "safesite", "")
BUILT_FOR = "3.13"  # bytecode, binary wheels; and what autorun-audit runs on
PATIENCE = 1.0  # seconds until a start that waits for a pipe counts as one that never ends
UNWATCHED = ("3.10", "3.13", "3.15")  # on one of them, in turn, the same is seen without watching
HANGS, CRASHES = "hangs", "crashes"

# Runs stock site in a process that watches it, and writes down what it executes from which file.
OBSERVER = """
import sys
del sys.path[0]
import site

out = open(sys.argv[1], "w")

def note(file, line):
    print(ascii((file, line)), file=out, flush=True)

def watch(frame, event, arg):
    caller = frame.f_back if event == "call" else frame
    if caller is None or caller.f_globals is not vars(site):
        return
    names = caller.f_locals
    if event == "c_call" and arg is exec:
        note(names["fullname"], names["line"])
    elif caller.f_code.co_name == "_execute_start_entrypoints" and event in ("call", "c_call"):
        called = names.get("callable_")
        if called and (arg is called or getattr(called, "__code__", None) is frame.f_code):
            note(names["filename"], names["entrypoint"])

sys.setprofile(watch)
try:
    site.main()
finally:
    sys.setprofile(None)
    for name in ("sitecustomize", "usercustomize"):
        origin = getattr(sys.modules.get(name), "__file__", None)
        if origin:
            note(origin, "")
"""

pytestmark = pytest.mark.begun_first

Rows = list[list[str]]  # cells
Truth = dict[str, list[str]]  # the versions that run a place


@dataclass(frozen=True)
class Answer:
    """What a tool says of a directory: how it ends, and its findings.

    A finding is a word, a place, whether that says that something runs there, whether it alarms.
    """

    end: str
    findings: tuple[tuple[str, str, bool, bool], ...] = ()

    def names(self, place: str) -> bool:
        """Return whether a finding says that something runs there, or is wrong with the file."""
        file = place.rpartition(":")[0]
        return any(says and at in (place, file) for _, at, says, _ in self.findings)

    def verdict(self, directory: Directory, truth: Truth) -> str:
        """Return what it finds, misses and calls wrongly; ``agrees`` if there is nothing."""
        failed = self.end in (HANGS, CRASHES)
        misses = failed or not all(self.names(place) for place in truth)
        covered = set(truth) | {place.rpartition(":")[0] for place in truth}
        alarms = {at for _, at, _, alarm in self.findings if alarm}
        wrong = bool(alarms if directory.idle else alarms - covered)
        verdicts = ["misses"] if truth and misses else ["finds"] if truth else []
        if wrong or (failed and not truth):
            verdicts.append("calls wrongly")
        return ", ".join(verdicts) or "agrees"


def shown(place: str) -> str:
    """Return a place as printable ASCII."""
    return place if place.isascii() and place.isprintable() else ascii(place)[1:-1]


def by_file(places: Iterable[str]) -> str:
    """Return places as text, the lines of a file together."""
    lines: dict[str, list[str]] = {}
    for place in places:
        file, _, line = place.rpartition(":") if place[-1:].isdigit() else (place, "", "")
        lines.setdefault(file, []).append(line)
    found = []
    for file, numbers in sorted(lines.items()):
        known = ",".join(map(str, sorted(int(n) for n in set(numbers) if n)))
        found.append(shown(file) + (f":{known}" if known else ""))
    return " ".join(found)


def grouped(pairs: Iterable[tuple[str, str]]) -> str:
    """Return words with the places that have them: ``high x.pth:1,2; info y.pth:1``."""
    groups: dict[str, list[str]] = {}
    for word, place in pairs:
        groups.setdefault(word, []).append(place)
    return "; ".join(f"{word} {by_file(places)}" for word, places in sorted(groups.items()))


def span(versions: list[str]) -> str:
    """Return versions as ``3.10-3.12``; they follow each other."""
    first, last = versions[0], versions[-1]
    between = VERSIONS[VERSIONS.index(first) : VERSIONS.index(last) + 1]
    assert tuple(versions) == between
    return first if first == last else f"{first}-{last}"


# The truth.


@dataclass(frozen=True)
class Start:
    """A directory as the site-packages of an environment of one version."""

    directory: Directory
    folder: Path
    environment: Environment
    variables: dict[str, str]

    @property
    def number(self) -> tuple[int, int]:
        """The version of Python."""
        return self.environment.interpreter.number

    def markers(self, *command: str | Path) -> list[str]:
        """Start an interpreter here, and return the places whose markers are left."""
        done = self.environment.stock("-B", *command, **self.variables)
        assert "safesite" not in command or done.code == 0, done.err
        return [place_of(name) for name in self.environment.ran()]

    def observed(self) -> list[str]:
        """Return the places that stock ``site`` runs something from, as it is watched."""
        script = self.environment.root / "observer" / "observer.py"
        script.parent.mkdir()
        script.write_text(OBSERVER)
        seen = self.environment.root / "seen"
        left = self.markers("-S", script, seen)
        turn = UNWATCHED[DIRECTORIES.index(self.directory) % len(UNWATCHED)]
        if left and self.environment.interpreter.version == turn:
            assert left == self.markers("-c", "pass"), self.directory.name
        lines = map(ast.literal_eval, seen.read_text().splitlines())
        return [*left, *(place for file, line in lines for place in self.place(Path(file), line))]

    def place(self, file: Path, line: str) -> list[str]:
        """Return the place of a text of a file that lies in the directory."""
        if not file.is_relative_to(self.environment.site_packages):
            return []
        name = str(file.relative_to(self.environment.site_packages))
        if not line:
            return [module_place(name)]
        data = (self.folder / name).read_bytes()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        before = text[: text.index(line.strip())]
        return [f"{name}:{len(f'{before}x'.splitlines())}"]

    def never_ends(self) -> bool:
        """Return whether a start waits for ever."""
        command = [str(self.environment.python), "-c", "pass"]
        variables = self.environment.environ()
        try:
            subprocess.run(command, env=variables, timeout=PATIENCE, check=True)
        except subprocess.TimeoutExpired:
            return True
        return False

    def truth(self) -> list[str]:
        """Return the places that run something here; the file at which a start never ends."""
        file, first = self.directory.stops
        if not file or self.number < Interpreter(first, Path()).number:
            return self.observed()
        assert self.never_ends()
        return [file]

    def under_safesite(self) -> list[str]:
        """Return the places whose markers are left by a start under safesite."""
        return self.markers("-S", "-m", "safesite", "-c", "pass")


def module_place(name: str) -> str:
    """Return the place of a customize module, in whatever form: its folder and name."""
    parts = name.split("/")
    for number, part in enumerate(parts):
        module = part.partition(".")[0]
        if module in (SITE, USER):
            return "/".join([*parts[:number], module])
    return name


# The two tools.


def relative(file: str, folder: Path) -> str:
    """Return the name of a file in the directory; of another the whole path."""
    path = Path(file)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else file


# What the tools are run with: no policy of the user's, no variable that a line waits for.
VARIABLES = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def answer(code: int, out: str, err: str) -> tuple[str, dict[str, Any]]:
    """Return how a tool has ended, and the document that it has printed, if any."""
    if code == -signal.SIGALRM:
        return HANGS, {}
    try:
        return f"exit {code}", json.loads(out)
    except ValueError:
        sys.stderr.write(f"{err}\n")  # for whom it fails
        return CRASHES, {}


# Runs autorun-audit's command in a process for each directory, which has loaded it already: also
# what it loads when it is first used, here on its own folder.  What a process ends with is the exit
# code alone: to take apart all that it has loaded takes longer than the command.
FORKS = """
import contextlib, gc, io, json, os, signal, sys
from autorun_audit.cli import app

OPTIONS = ["env", "--format", "json", "--min-severity", "info", "--site-dir"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    sys.argv[1:] = [*OPTIONS, os.path.dirname(sys.executable)]
    app()
children = {}
gc.freeze()
for output, folder, seconds in json.load(sys.stdin):
    child = os.fork()
    if not child:
        for number, suffix in (1, ".out"), (2, ".err"):
            os.dup2(os.open(output + suffix, os.O_WRONLY | os.O_CREAT), number)
        signal.alarm(seconds)
        sys.argv[1:] = [*OPTIONS, folder]
        try:
            app()
        except SystemExit as end:
            if not isinstance(end.code, int):
                raise
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code)
    children[child] = output
ends = (os.wait() for child in list(children))
print(json.dumps({children[child]: os.waitstatus_to_exitcode(status) for child, status in ends}))
"""


def peer_answer(directory: Directory, folder: Path, code: int, output: str) -> Answer:
    """Return what autorun-audit has said."""
    out, err = (Path(output + suffix).read_text("utf-8", "replace") for suffix in (".out", ".err"))
    end, document = answer(code, out, err)
    findings = []
    for found in document.get("findings", []):
        rule, severity = found["rule"], found["severity"]
        place = relative(found["path"], folder)
        if rule == "python.customize-module":
            place = module_place(place)
        elif found["line"]:
            place += f":{found['line']}"
        runs = rule in ("pth.import-line", "start.entry-point", "python.customize-module")
        recognised = rule == "pth.import-line.known" and directory.idle
        word = {"pth.path-only": "path-only", "start.invalid-entry": "invalid"}.get(rule, severity)
        alarm = severity in ("high", "critical")  # what it exits with 1 for
        findings.append((word, place, runs or recognised, alarm))
    return Answer(end, tuple(findings))


def ask_safesite(directory: Directory, folder: Path) -> Answer:
    """Return what ``--explain`` says."""
    options = ("--explain", "--json", "--site-dir", str(folder))
    done = subprocess.run(
        [need(directory.on).path, "-S", "-m", "safesite", *options],
        env=VARIABLES,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=environments.TIMEOUT,
        check=False,
    )
    end, document = answer(done.returncode, done.stdout, done.stderr)
    if end != CRASHES:
        head = [document.get("schema"), document.get("version"), f"exit {document.get('exit')}"]
        assert head == ["safesite-explain", 1, end]
    findings = []
    for found in document.get("findings", []):
        decision, place = found["decision"], relative(found["file"], folder)
        if found["kind"] == "customize module":
            place = module_place(place)
        elif found["line"]:
            place += f":{found['line']}"
        if decision not in ("kept", "missing"):
            findings.append((decision, place, True, decision == "refused"))
    return Answer(end, tuple(findings))


def between(versions: list[str]) -> list[str]:
    """Return versions with those between the first and the last."""
    first, last = (VERSIONS.index(versions[number]) for number in (0, -1))
    return list(VERSIONS[first : last + 1])


# All of it, made once.


@dataclass(frozen=True)
class Comparison:
    """The directories below a folder, and what is found out about each, kept there as well."""

    root: Path
    builder: Builder
    request: pytest.FixtureRequest

    def folder(self, directory: Directory) -> Path:
        """Return where a directory is."""
        return self.root / "directories" / directory.folder

    def build(self) -> None:
        """Make the directories, and install autorun-audit."""
        python = need(BUILT_FOR)
        uv = self.builder.uv
        peer = self.root / "peer"
        self.builder.run("an environment", uv, "venv", "--quiet", "--python", python.path, peer)
        wanted = PEER.replace(" ", "==")
        to = ("--python", peer / "bin" / "python")
        self.builder.run(PEER, uv, "pip", "install", "--quiet", *to, wanted)
        for directory in DIRECTORIES:
            directory.build(self.folder(directory), python, self.builder)

    def once(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what JSON can hold, made once for all workers."""
        file = self.root / f"{name}.json"

        def write() -> None:
            file.write_text(json.dumps(make()))

        make_once(file, write)
        kept: dict[str, Any] = json.loads(file.read_text())
        return kept

    def each(self, ask: Callable[[Directory, Path], object]) -> dict[str, Any]:
        """Ask about every directory, some at a time."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            answers = pool.map(lambda d: ask(d, self.folder(d)), DIRECTORIES)
            return dict(zip((d.name for d in DIRECTORIES), answers, strict=True))

    def start(self, directory: Directory, version: str, purpose: str) -> Start:
        """Return an environment with a directory in it."""
        root = self.root / purpose / f"{directory.folder}-{version}"
        made = environments.make(need(version), root, system_site=directory.user)
        made.site_packages.rmdir()
        made.site_packages.symlink_to(self.folder(directory))
        variables = self.request.getfixturevalue("latin") if directory.latin else {}
        return Start(directory, self.folder(directory), made, variables)

    def run(self, directory: Directory) -> Truth:
        """Return what runs in a directory, and on which versions."""
        seen: Truth = {}
        looked_at = list(self.looked_at(directory))
        for version in looked_at:
            for place in self.start(directory, version, "truth").truth():
                if version not in seen.setdefault(place, []):
                    seen[place].append(version)
        if len(looked_at) == len(VERSIONS):
            return seen
        return {place: between(versions) for place, versions in seen.items()}

    def looked_at(self, directory: Directory) -> Iterable[str]:
        """Return the versions on which is looked: all, or by default those that the table names.

        The first and the last of a range speak for those between: released Pythons do not change.
        """
        writes = "SAFESITE_WRITE_TABLE" in os.environ
        if writes or directory.varies or self.request.config.getoption("--full"):
            return VERSIONS
        row = next((row for row in rows_of_table() if row[0] == directory.name), ["", ""])
        named = {version for version in VERSIONS if version in re.findall(r"3\.\d+", row[1])}
        return [v for v in VERSIONS if v in (named or {VERSIONS[0], VERSIONS[-1]})]

    def truths(self) -> dict[str, Truth]:
        """Return what runs in each directory."""
        self.request.getfixturevalue("latin")
        truths: dict[str, Truth] = self.once("truth", lambda: self.each(lambda d, _: self.run(d)))
        return truths

    def peers(self) -> dict[str, Answer]:
        """Return what autorun-audit says of each."""
        return self.answers("peers", self.ask_peer)

    def ask_peer(self) -> dict[str, Any]:
        """Ask autorun-audit about each directory."""
        output = {d.name: str(self.root / f"peer-{d.folder}") for d in DIRECTORIES}
        orders = [
            [output[d.name], str(self.folder(d)), 5 if d.stops[0] else environments.TIMEOUT]
            for d in DIRECTORIES
        ]
        told = subprocess.run(
            [self.root / "peer" / "bin" / "python", "-c", FORKS],
            input=json.dumps(orders),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=VARIABLES | {"TYPER_STANDARD_TRACEBACK": "1"},  # the other is drawn for a second
        )
        codes = json.loads(told.stdout)
        return {
            d.name: vars(peer_answer(d, self.folder(d), codes[output[d.name]], output[d.name]))
            for d in DIRECTORIES
        }

    def ours(self) -> dict[str, Answer]:
        """Return what safesite says of each."""
        return self.answers("ours", lambda: self.each(lambda d, f: vars(ask_safesite(d, f))))

    def answers(self, name: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Answer]:
        """Return the answers of a tool."""
        return {
            name: Answer(kept["end"], tuple((w, p, s, a) for w, p, s, a in kept["findings"]))
            for name, kept in self.once(name, ask).items()
        }


@pytest.fixture(scope="session")
def comparison(shared: Path, builder: Builder, request: pytest.FixtureRequest) -> Comparison:
    """The directories, built, and autorun-audit, installed."""
    for version in VERSIONS:
        need(version)
    made = Comparison(shared.resolve() / "side-by-side", builder, request)
    make_once(made.root, made.build)
    return made


# The table.


def cells_of_truth(directory: Directory, truth: Truth) -> str:
    """Return the cell about what runs."""
    places = directory.varies or truth
    how = {p: "" if directory.varies else f"({span(truth[p])})" for p in places}
    groups: dict[str, list[str]] = {}
    for place in places:
        groups.setdefault(how[place], []).append(place)
    text = "; ".join(f"{by_file(there)} {versions}".strip() for versions, there in groups.items())
    if directory.stops[0]:
        return f"never gets past {text}"
    return text or "-"


def cell_of(answer: Answer) -> str:
    """Return the cell about a tool's answer."""
    said = grouped((word, place) for word, place, _, _ in answer.findings)
    return f"{answer.end}: {said}" if said else answer.end


def counts(name: str, verdicts: Iterable[str]) -> str:
    """Return a sentence that counts the verdicts of a tool."""
    found = Counter(part for verdict in verdicts for part in verdict.split(", "))
    order = ("finds", "agrees", "misses", "calls wrongly")
    return f"{name}: " + ", ".join(f"{word} {found[word]}" for word in order)


def table(comparison: Comparison) -> Rows:
    """Return the rows: a directory, what runs, and for each tool what it says and a verdict."""
    truths, peers, ours = comparison.truths(), comparison.peers(), comparison.ours()
    rows = []
    for directory in DIRECTORIES:
        name = directory.name
        truth = {place: [""] for place in directory.varies} or truths[name]
        row = [name, cells_of_truth(directory, truths[name])]
        for answer in (peers[name], ours[name]):
            row += [cell_of(answer), answer.verdict(directory, truth)]
        rows.append(row)
    return rows


def as_text(rows: Rows) -> str:
    """Return the table as text, with the counts at its end."""
    whole = [list(COLUMNS), *rows]
    widths = [max(len(row[n]) for row in whole) for n in range(len(COLUMNS))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in whole]
    padded.insert(1, ["-" * width for width in widths])
    lines = [" | ".join(row).rstrip() for row in padded]
    lines += ["", counts(PEER, (row[3] for row in rows)), counts("safesite", (r[5] for r in rows))]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def recorded(comparison: Comparison) -> Rows:
    """The rows of the table that is checked in; of the present one if that is to be written."""
    if "SAFESITE_WRITE_TABLE" in os.environ:
        TABLE.write_text(as_text(table(comparison)), "utf-8")
    return rows_of_table()


def rows_of_table() -> Rows:
    """Return the rows of the table that is checked in."""
    lines = TABLE.read_text("utf-8").partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def column(rows: Rows, *numbers: int) -> dict[str, list[str]]:
    """Return some cells of each row, by the name of the directory."""
    return {row[0]: [row[number] for number in numbers] for row in rows}


def test_there_are_enough_of_each_kind() -> None:
    kinds = Counter(directory.kind for directory in DIRECTORIES)
    assert kinds["harmless"] >= 15
    assert kinds["hostile"] >= 40
    assert kinds["real"] >= 10
    assert len({directory.folder for directory in DIRECTORIES}) == len(DIRECTORIES)


def seen_anywhere(directory: Directory) -> bool:
    """Return whether an interpreter here runs what is a matter of micro release or distributor."""
    alone = any(name.endswith(".pyc") for name in directory.files)
    there = [need(version) for version in ([BUILT_FOR] if alone else VERSIONS)]
    if ".pth" in directory.files:
        return not all(interpreter.skips_dot_files for interpreter in there)
    return not all(interpreter.has_sitecustomize for interpreter in there)


def test_what_runs(comparison: Comparison, recorded: Rows) -> None:
    truths = comparison.truths()
    for directory in DIRECTORIES:
        if directory.varies:
            seen = directory.varies if seen_anywhere(directory) else ()
            assert tuple(sorted(truths[directory.name])) == seen, directory.name
    assert column(table(comparison), 1) == column(recorded, 1)


def test_what_is_harmless_and_hostile(comparison: Comparison) -> None:
    for directory in DIRECTORIES:
        runs = bool(directory.varies or comparison.truths()[directory.name])
        assert runs == (directory.idle or directory.kind == "hostile") or directory.kind == "real"


def test_what_autorun_audit_says(comparison: Comparison, recorded: Rows) -> None:
    assert column(table(comparison), 2, 3) == column(recorded, 2, 3)


def test_what_safesite_says(comparison: Comparison, recorded: Rows) -> None:
    assert column(table(comparison), 4, 5) == column(recorded, 4, 5)


def test_safesite_misses_nothing_and_calls_nothing_wrongly(comparison: Comparison) -> None:
    verdicts = {row[0]: row[5] for row in table(comparison)}
    assert {n: v for n, v in verdicts.items() if v not in ("finds", "agrees")} == {}


def test_safesite_calls_nothing_ignored_that_its_python_runs(comparison: Comparison) -> None:
    truths, ours = comparison.truths(), comparison.ours()
    ignored = []
    for directory in DIRECTORIES:
        findings = ours[directory.name].findings
        heeded = [found for found in findings if found[0] not in ("ignored", "suppressed")]
        told = Answer("", tuple(heeded))
        runs = [at for at, versions in truths[directory.name].items() if directory.on in versions]
        ignored += [(directory.name, at) for at in runs if not told.names(at)]
    assert ignored == []


@pytest.mark.usefixtures("recorded")
def test_the_table_is_laid_out_and_counted(comparison: Comparison) -> None:
    assert TABLE.read_text("utf-8") == as_text(table(comparison))


@pytest.mark.parametrize("version", ["3.13", "3.15"])
def test_nothing_of_it_runs_under_safesite(comparison: Comparison, version: str) -> None:
    ran = comparison.each(lambda d, _: comparison.start(d, version, "safesite").under_safesite())
    assert {name: places for name, places in ran.items() if places} == {}
