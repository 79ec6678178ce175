"""What a person sees of ``--guard``: questions at a terminal, refusals without one, and no trace.

Most builds here are a ``setup.py`` that is started by itself, the cheapest build there is.  What
installers have to do with it is tried with sdists that real releases of pip, build, tox and nox
build, each of them stock too, where the code of the package does what the guard keeps it from.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
import policies
import pytest
import test_command
from conftest import need
from environments import PACKAGE, Environment, Outcome
from guarded import SCRIPT, sdist, write_files
from installers import Builder, make_once, run_pip
from interpreters import VERSIONS, Interpreter
from test_tools import TOX

from safesite import keep

if sys.platform != "linux":
    pytest.skip("the guard is for Linux alone", allow_module_level=True)

PATIENCE = 15.0  # seconds for what should take a fraction of one
QUIET = 0.3  # seconds in which something would show itself
TICK = 0.02
CHOICE = "Allow? [y]es, [a]lways in this run, [N]o "
TO_BUILD = "run code to build itself: setup.py"
VISIBLE = "\x1b[0m\x1b[?25h"  # what is written before a question, so that it can be seen
INTERRUPT, END_OF_FILE = "\x03", "\x04"
HOSTILE = (
    "\x1b[2J\x1b]0;x\x07\r\n\u202e\x9b1A\udcff"  # a name that would write elsewhere on a terminal
)
HOSTILE_SHOWN = r"\x1b[2J\x1b]0;x\x07\r\n\u202e\x9b1A\udcff"


# How often.


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on one version, by its name's turn, and on all with --full."""
    if "interpreter" in metafunc.fixturenames:
        turn = sum(map(ord, metafunc.function.__name__)) % len(VERSIONS)
        versions = [
            pytest.param(version, marks=() if number == turn else pytest.mark.full)
            for number, version in enumerate(VERSIONS)
        ]
        metafunc.parametrize("interpreter", versions, indirect=True, scope="session")


@pytest.fixture(scope="session")
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    """The version of a turn."""
    return need(request.param)


def some(cases: Mapping[str, object], *kept: str) -> list[object]:
    """Return the cases of a test, of which those that are not named here are left to --full."""
    marks = {name: () if name in kept else pytest.mark.full for name in cases}
    return [pytest.param(case, id=name, marks=marks[name]) for name, case in cases.items()]


# What is started, and where.


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, as sockets have room for 107 bytes; what runs there is ended."""
    with tempfile.TemporaryDirectory(prefix="g-") as folder, ended_below(Path(folder)) as root:
        yield root
        assert list(root.glob("*/safesite-guard-*")) == []


@pytest.fixture
def environment(interpreter: Interpreter, short: Path) -> Environment:
    """A fresh environment with a secret in its home."""
    return environment_in(interpreter, short)


def environment_in(interpreter: Interpreter, folder: Path) -> Environment:
    """Make an environment with a secret in its home, and a TMPDIR of its own."""
    variables: dict[str, Any] = {"TMPDIR": str(folder / "tmp"), "TERM": "xterm"}
    made = environments.make(interpreter, folder / "e", **variables)
    temp(made).mkdir()
    victim(made).write_text("secret")
    return made


@contextlib.contextmanager
def ended_below(folder: Path) -> Iterator[Path]:
    """End what has been started with this folder in its variables, and is still running."""
    try:
        yield folder.resolve()
    finally:
        for pid in running(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def running(folder: Path) -> list[int]:
    """Return the processes with a folder's path in their variables."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if os.fsencode(folder) in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def temp(environment: Environment) -> Path:
    return Path(environment.variables["TMPDIR"])


def victim(environment: Environment) -> Path:
    """Return what no build may read."""
    return environment.home / ".netrc"


def leftovers(environment: Environment) -> list[str]:
    """Return the folders that a broker has left."""
    return sorted(path.name for path in temp(environment).glob("safesite-guard-*"))


def guarded(environment: Environment, *words: str | Path, mode: str = "") -> list[str]:
    """Return the command line that starts something under the guard."""
    option = f"--guard={mode}" if mode else "--guard"
    return [*environment.launcher(), option, *map(str, words)]


def metadata(name: str, version: str = "1.0") -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


def write_setup(environment: Environment, *lines: str, name: str = "evil") -> Path:
    """Write a project whose setup.py is these lines; return its path."""
    folder = environment.work / name
    folder.mkdir(exist_ok=True)
    (folder / "PKG-INFO").write_text(metadata(name), errors="surrogateescape")
    setup = folder / "setup.py"
    setup.write_text("".join(f"{line}\n" for line in lines), errors="surrogatepass")
    return setup


def in_background(
    environment: Environment, command: list[str], cwd: Path | None = None, **more: str
) -> subprocess.Popen[str]:
    """Start a command without a terminal: in a session of its own it has no /dev/tty either."""
    heeding = ["/usr/bin/env", "--default-signal=INT,QUIT"]  # also where the tests do not
    return subprocess.Popen(
        [*heeding, *command],
        cwd=cwd or environment.work,
        env=environment.environ() | more,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        start_new_session=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    """Wait for the first line that a command prints."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], PATIENCE)[0], "it says nothing"
    return process.stdout.readline()


def alone(
    environment: Environment, *command: str | Path, cwd: Path | None = None, **more: str
) -> Outcome:
    """Run a command to its end without a terminal."""
    process = in_background(environment, [str(word) for word in command], cwd, **more)
    out, err = process.communicate(timeout=PATIENCE)
    return Outcome(process.returncode, out, err)


class Terminal:
    """A command in a terminal of its own, what that shows, and what is typed there."""

    def __init__(self, environment: Environment, command: list[str], **more: str) -> None:
        self.shown, self.seen = "", 0
        self.code: int | None = None
        variables = environment.environ() | more
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            for number in (
                signal.SIGINT,
                signal.SIGQUIT,
            ):  # not so where the tests run in background
                signal.signal(number, signal.SIG_DFL)
            fcntl.ioctl(
                0, termios.TIOCSWINSZ, struct.pack("4H", 50, 1000, 0, 0)
            )  # no line is broken
            os.chdir(environment.work)
            os.execve(command[0], command, variables)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_details: object) -> None:
        os.close(self.terminal)  # which ends what heeds it
        deadline = time.monotonic() + 1
        while not self.has_ended():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(TICK)

    @property
    def unseen(self) -> str:
        """What has been shown since what was last waited for."""
        return self.shown[self.seen :]

    def read(self, seconds: float) -> bool:
        """Take what is shown, and wait for it as long; return whether anything was."""
        try:
            if not select.select([self.terminal], [], [], seconds)[0]:
                return False
            data = os.read(self.terminal, 65536)
        except OSError:  # what Linux says when the other side is closed
            return False
        self.shown += data.decode(errors="backslashreplace")
        return bool(data)

    def until(self, text: str) -> str:
        """Wait for a text; return what was shown before it, since the last one."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.unseen:
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.shown}"
            if not self.read(TICK) and self.has_ended():
                self.read(0)
                assert text in self.unseen, f"ended without {text!r}:\n{self.shown}"
        before, _, _ = self.unseen.partition(text)
        self.seen += len(before) + len(text)
        return before

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self.terminal, text.encode())

    def answer(self, question: str, text: str) -> None:
        """Wait for a question, and answer it."""
        self.until(f"safesite: {question}. {CHOICE}")
        self.type(text)

    def has_ended(self) -> bool:
        """Return whether the command has ended."""
        if self.code is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if found else None
        return self.code is not None

    def end(self) -> int:
        """Wait for the end of the command, not of what it has left running; return its code."""
        deadline = time.monotonic() + PATIENCE
        while not self.has_ended():
            assert time.monotonic() < deadline, f"it does not end:\n{self.shown}"
            self.read(TICK)
        while self.read(0):
            pass
        assert self.code is not None
        return self.code

    def questions(self) -> list[str]:
        """Return what has been asked."""
        return re.findall(rf"safesite: (.*?)\. {re.escape(CHOICE)}", self.shown)


def conversation(
    environment: Environment, command: list[str], *answers: str, **more: str
) -> tuple[int, Terminal]:
    """Run a command in a terminal, and give an answer to each question; return how it ended."""
    with Terminal(environment, command, **more) as terminal:
        for answer in answers:
            terminal.until(CHOICE)
            terminal.type(answer)
        return terminal.end(), terminal


# What is answered.

ANSWERS = {
    **dict.fromkeys(("y\r", "Y\r", "yes\r", " yes \r", "ye\r", "a\r", "Always\r"), True),
    **dict.fromkeys(("n\r", "no\r", "\r", " \r", END_OF_FILE), False),
}


NONSENSE = {("yess\r", "x\r", "q\r"): False, ("j\r", "y\r"): True}
START_EACH = """\
import subprocess, sys

sys.exit(max(subprocess.run([sys.executable, word]).returncode for word in sys.argv[1:]))
"""


def start_each(environment: Environment, *setups: Path, mode: str = "") -> list[str]:
    """Return the command line of a program, guarded, that starts one build after the other."""
    return guarded(environment, "-c", START_EACH, *setups, mode=mode)


def test_an_answer_lets_code_run_or_not(environment: Environment) -> None:
    all_answers: dict[tuple[str, ...], Any] = {(text,): runs for text, runs in ANSWERS.items()}
    all_answers |= NONSENSE
    names = [f"evil{number}" for number in range(len(all_answers))]
    setups = [write_setup(environment, f"print('ran', {n!r})", name=n) for n in names]
    with Terminal(environment, start_each(environment, *setups)) as terminal:
        for name, (texts, runs) in zip(names, all_answers.items(), strict=True):
            for text in texts:
                terminal.answer(f"{name} 1.0 wants to {TO_BUILD}", text)
            asked = f"{name} 1.0 wants to {TO_BUILD}"
            terminal.until(f"ran {name}\r\n" if runs else f"safesite: {asked}: refused")
        assert terminal.end() == 1
        assert len(terminal.questions()) == sum(map(len, all_answers))


def reads(path: Path | str) -> list[str]:
    """Return the lines of a program that says whether it may read a file."""
    return [
        "try:",
        f"    print('took', open({str(path)!r}).read())",
        "except PermissionError as exc:",
        "    print('refused', 'safesite: ' in str(exc))",
    ]


@pytest.mark.parametrize("answer, told", [("y\r", "took secret"), ("n\r", "refused True")])
def test_code_that_reaches_out_is_asked_about_with_its_place(
    environment: Environment, answer: str, told: str
) -> None:
    setup = write_setup(environment, "import os", "", *reads(victim(environment)))
    code, terminal = conversation(environment, guarded(environment, setup), "y\r", answer)
    wanted = f"evil 1.0 (setup.py:4) wants to read {victim(environment)}"
    assert terminal.questions() == [f"evil 1.0 wants to {TO_BUILD}", wanted]
    assert code == 0
    assert told in terminal.shown
    assert terminal.shown.count(wanted) == 1  # what a person has refused is no news


@pytest.mark.parametrize("answer, told", [("y\r", "took"), ("n\r", "refused")])
def test_an_equal_question_is_asked_once(environment: Environment, answer: str, told: str) -> None:
    """Of one build: twice in a process, in a child, and in another build of the same package."""
    again = ["if not sys.argv[1:]:", "    subprocess.run([sys.executable, __file__, 'child'])"]
    lines = ("import subprocess, sys", *reads(victim(environment)) * 2, *again)
    setup = write_setup(environment, *lines)
    with Terminal(environment, start_each(environment, setup, setup)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        wanted = f"evil 1.0 (setup.py:3) wants to read {victim(environment)}"
        terminal.answer(wanted, answer)
        assert terminal.end() == 0
        assert terminal.questions() == [f"evil 1.0 wants to {TO_BUILD}", wanted]
        assert terminal.shown.count(f"\n{told} ") == 8


@pytest.mark.parametrize("answer", ["y\r", "a\r"])
def test_always_is_for_all_packages_and_processes(environment: Environment, answer: str) -> None:
    """And for one target: of the other's code, and of other files, it says nothing."""
    other = environment.home / ".pypirc"
    other.write_text("secret")
    lines = [*reads(victim(environment)), *reads(other)]
    setups = [write_setup(environment, *lines, name=name) for name in ("evil", "ghastly")]
    with Terminal(environment, start_each(environment, *setups)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        terminal.answer(f"evil 1.0 (setup.py:2) wants to read {victim(environment)}", answer)
        terminal.answer(f"evil 1.0 (setup.py:6) wants to read {other}", "n\r")
        terminal.answer(f"ghastly 1.0 wants to {TO_BUILD}", "y\r")
        if answer == "y\r":
            asked = f"ghastly 1.0 (setup.py:2) wants to read {victim(environment)}"
            terminal.answer(asked, "y\r")
        terminal.answer(f"ghastly 1.0 (setup.py:6) wants to read {other}", "n\r")
        assert terminal.end() == 0
        assert terminal.shown.count("took secret") == terminal.shown.count("refused True") == 2


@pytest.mark.parametrize("answer", ["y\r", "a\r"])
def test_always_is_for_all_hooks_of_a_package(environment: Environment, answer: str) -> None:
    setup, other = (write_setup(environment, "print('ran')", name=n) for n in ("evil", "other"))
    program = "import subprocess, sys\nfor line in sys.argv[1:]:\n"
    program += "    subprocess.run([sys.executable, *line.split()])\n"
    lines = [f"{setup} egg_info", f"{setup} bdist_wheel", f"{other} egg_info"]
    with Terminal(environment, guarded(environment, "-c", program, *lines)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD} egg_info", answer)
        if answer == "y\r":
            terminal.answer(f"evil 1.0 wants to {TO_BUILD} bdist_wheel", "y\r")
        terminal.answer(f"other 1.0 wants to {TO_BUILD} egg_info", "n\r")
        assert terminal.end() == 0
        assert terminal.shown.count("ran\r\n") == 2


def test_an_answer_is_gone_with_the_run(environment: Environment) -> None:
    """Where it is kept meanwhile, nobody else can look."""
    setup = write_setup(environment, "print('ran')")
    for _ in range(2):
        with Terminal(environment, guarded(environment, setup)) as terminal:
            terminal.until(CHOICE)
            (name,) = leftovers(environment)
            assert stat.S_IMODE((temp(environment) / name).stat().st_mode) == 0o700
            terminal.type("always\r")
            assert terminal.end() == 0
            assert len(terminal.questions()) == 1
            assert leftovers(environment) == []


def test_the_program_itself_reads_what_is_typed(environment: Environment) -> None:
    setup = write_setup(environment, "print('ran')")
    program = f"{START_EACH.replace('sys.exit', 'print')}print('got', input('name? '))\n"
    with Terminal(environment, guarded(environment, "-c", program, setup)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        terminal.until("name? ")
        terminal.type("yes\r")
        assert terminal.end() == 0
        assert "got yes" in terminal.shown


# What is typed is for the questions.


TAKES = """\
import os, sys, threading, time

def take(opened):
    try:
        print("got", os.read(opened(), 99), flush=True)
    except OSError as exc:
        print("got", exc, flush=True)

for number in range(3):
    threading.Thread(target=take, args=(lambda number=number: number,), daemon=True).start()
opening = (lambda: os.open("/dev/stdin", os.O_RDONLY),)
threading.Thread(target=take, args=opening, daemon=True).start()
time.sleep({pause})
"""


def test_a_build_gets_none_of_the_answers(environment: Environment) -> None:
    """It reads in threads, before and while the questions are open."""
    lines = TAKES.format(pause=QUIET).splitlines()
    setup = write_setup(environment, *lines, *reads(victim(environment)), "print(input())")
    with Terminal(environment, guarded(environment, setup)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        terminal.answer(f"evil 1.0 (setup.py:15) wants to read {victim(environment)}", "yes\r")
        terminal.until("took secret")
        terminal.type("more\r")
        assert terminal.end() == 1
        assert terminal.shown.count("got b''") == 2
        assert terminal.shown.count("got [Errno 9]") == 2
        assert "EOFError" in terminal.shown


TERMINALS = {path: path for path in ("/dev/tty", "/dev/stdout", "/proc/self/fd/2")}


@pytest.mark.parametrize("path", some(TERMINALS, "/dev/stdout"))
def test_a_build_is_asked_about_the_terminal(environment: Environment, path: str) -> None:
    setup = write_setup(environment, *reads(path))
    with Terminal(environment, guarded(environment, setup)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        name = path if path == "/dev/tty" else str(Path(f"/proc/{terminal.pid}/fd/0").readlink())
        terminal.answer(f"evil 1.0 (setup.py:2) wants to read {name}", "n\r")
        assert terminal.end() == 0
        assert "refused True" in terminal.shown


def test_what_is_typed_before_a_question_counts_for_nothing(environment: Environment) -> None:
    setup = write_setup(environment, "print('ran')")
    typed = environment.markers / "typed"
    program = (
        f"import os, time\nprint('type', flush=True)\nwhile not os.path.exists({str(typed)!r}):\n"
    )
    program += f"    time.sleep({TICK})\n{START_EACH}"
    with Terminal(environment, guarded(environment, "-c", program, setup)) as terminal:
        terminal.until("type\r\n")
        terminal.type("yes\ryes\rye")
        terminal.until("yes\r\nyes\r\nye")
        typed.touch()
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "s\r")
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "\r")
        assert terminal.end() == 1
        assert "\nran\r\n" not in terminal.shown


PUSH = """\
import fcntl, os, signal, termios, threading

def push(request):
    try:
        for byte in b"yes\\n":
            fcntl.ioctl(1, request, bytes([byte]))
        print("pushed", flush=True)
    except OSError as exc:
        print("refused", "safesite: " in str(exc), flush=True)

for request in (termios.TIOCSTI, termios.TIOCSTI - (1 << 32), 0x541C):
    push(request)
threading.Timer(0.2, push, (termios.TIOCSTI,)).start()
"""


def test_a_build_cannot_answer(environment: Environment) -> None:
    """It would put an answer into the terminal as if it was typed."""
    setup = write_setup(environment, *PUSH.splitlines(), *reads(victim(environment)))
    with Terminal(environment, guarded(environment, setup)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        terminal.until(CHOICE)
        terminal.read(QUIET)
        time.sleep(QUIET)
        terminal.type("n\r")
        assert terminal.end() == 0
        assert terminal.shown.count("refused True") == 5, terminal.shown
        assert "pushed" not in terminal.shown


# Who asks, and what is shown.

MISLEADING = "requests 2.32.5 wants to run code to build itself: setup.py. Allow? [y]es"
ODD_NAME = HOSTILE.replace("\r\n", "")
NAMED = {
    "PKG-INFO": (ODD_NAME, {"PKG-INFO": metadata(ODD_NAME)}),
    "pyproject.toml": (
        ODD_NAME,
        {"PKG-INFO": "Version: 1.0\n", "pyproject.toml": f"[project]\nname = '{ODD_NAME}'\n"},
    ),
    "misleading": (MISLEADING, {"PKG-INFO": metadata(MISLEADING)}),
}


def inert(text: str) -> bool:
    """Return whether what a terminal was sent holds but text, ends of lines, and safesite's own."""
    text = text.replace(VISIBLE, "")
    return text.replace("\r\n", "").replace("\r", "").isprintable() and text.isascii()


@pytest.mark.parametrize("case", NAMED.values(), ids=NAMED)
def test_an_odd_name_is_quoted(
    environment: Environment, case: tuple[str, Mapping[str, str]]
) -> None:
    setup = write_setup(environment, "print('ran')")
    claimed, files = case
    for name, text in files.items():
        (setup.parent / name).write_text(text, errors="surrogateescape")
    with Terminal(environment, guarded(environment, setup)) as terminal:
        shown = claimed.replace("\udcff", "\ufffd").encode("unicode-escape").decode()
        terminal.answer(f"'{shown}' 1.0 wants to {TO_BUILD}", "y\r")
        assert terminal.end() == 0
        assert "\nran\r\n" in terminal.shown
        assert inert(terminal.shown)


def test_an_odd_place_is_quoted(environment: Environment) -> None:
    place = f"setup.py:1) wants to read {environment.home}/README. Allow? [y]es (x"
    code = (
        f"exec(compile('open(name)', {place!r}, 'exec'), {{'name': {str(victim(environment))!r}}})"
    )
    setup = write_setup(environment, code)
    with Terminal(environment, guarded(environment, setup)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        terminal.answer(f"evil 1.0 ('{place}:1') wants to read {victim(environment)}", "n\r")
        assert terminal.end() == 1


def test_a_folder_and_a_command_are_shown_escaped(environment: Environment) -> None:
    """A folder without metadata is named by its own name; the command is what setup.py is given."""
    setup = write_setup(environment, "print('ran')", name=HOSTILE)
    (setup.parent / "PKG-INFO").unlink()
    with Terminal(environment, guarded(environment, setup, HOSTILE)) as terminal:
        shown = f"'{HOSTILE_SHOWN}'"
        terminal.answer(f"{shown} wants to {TO_BUILD} {shown}", "n\r")
        assert terminal.end() == 1
        assert inert(terminal.shown)


def test_targets_and_places_are_shown_escaped(environment: Environment) -> None:
    secret = str(victim(environment))
    lines = [
        "import os, socket, subprocess",
        f"text = {HOSTILE!a}",
        "for do in (",
        f"    lambda: open({str(environment.home)!r} + '/' + text, 'w'),",
        "    lambda: subprocess.run(['/usr/bin/id', text]),",
        "    lambda: os.system(text),",
        "    lambda: socket.getaddrinfo(b'evil\\x1b[2J\\n\\xe9.x', 1),",
        f"    lambda: exec(compile('open(victim)', text, 'exec'), {{'victim': {secret!r}}}),",
        "):",
        *(
            "    try:",
            "        do()",
            "    except OSError as exc:",
            "        assert 'safesite: ' in str(exc)",
        ),
    ]
    setup = write_setup(environment, *lines)
    with Terminal(environment, guarded(environment, setup)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        path = f"'{environment.home}/{HOSTILE_SHOWN}'"
        terminal.answer(f"evil 1.0 (setup.py:4) wants to write {path}", "n\r")
        shown = HOSTILE_SHOWN.replace(r"\udcff", r"\ufffd")
        terminal.answer(
            f"evil 1.0 (setup.py:5) wants to run /usr/bin/id ('/usr/bin/id {shown}')", "n\r"
        )
        shell = os.path.realpath("/bin/sh")
        terminal.answer(f"evil 1.0 (setup.py:6) wants to run {shell} ('sh -c {shown}')", "n\r")
        host = r"'evil\x1b[2J\n\udce9.x:1'"
        terminal.answer(f"evil 1.0 (setup.py:7) wants to connect to {host}", "n\r")
        terminal.answer(
            f"evil 1.0 ('{HOSTILE_SHOWN}:1') wants to read {victim(environment)}", "n\r"
        )
        assert terminal.end() == 0
        assert inert(terminal.shown)


def test_two_builds_do_not_mix_their_questions(environment: Environment) -> None:
    """One program starts them together; each is asked about when the other is answered."""
    names = ("evil", "other")
    for name in names:
        write_setup(environment, f"print('ran', {name!r})", *reads(victim(environment)), name=name)
    program = "import subprocess, sys\n"
    program += "all = [subprocess.Popen([sys.executable, word]) for word in sys.argv[1:]]\n"
    program += "sys.exit(max(child.wait() for child in all))\n"
    setups = [environment.work / name / "setup.py" for name in names]
    with Terminal(environment, guarded(environment, "-c", program, *setups)) as terminal:
        for _ in range(2):
            terminal.until(CHOICE)
            terminal.read(QUIET)
            assert "Allow?" not in terminal.unseen
            is_evil = terminal.questions()[-1].startswith("evil ")
            terminal.type("y\r" if is_evil else "n\r")
            if is_evil and len(terminal.questions()) == 1:
                continue
        terminal.answer(f"evil 1.0 (setup.py:3) wants to read {victim(environment)}", "y\r")
        assert terminal.end() == 1
        assert "ran evil" in terminal.shown
        assert "took secret" in terminal.shown
        assert "ran other" not in terminal.shown
        assert "other 1.0 (setup.py" not in terminal.shown


DRAWS = """\
import os, threading, time

def draw():
    for _ in range(3000):
        os.write(1, b"\\r\\x1b[2Kforged\\n")
        time.sleep(0.01)

threading.Thread(target=draw, daemon=True).start()
child = os.fork()
if child == 0:
    draw()
time.sleep(0.1)
"""


def test_a_build_draws_nothing_over_a_question(environment: Environment) -> None:
    """Neither in another thread or process of its own, nor in one of another build's."""
    beside = write_setup(environment, *DRAWS.splitlines()[:-4], "draw()", name="other")
    ending = ["print('they go on')", "os.kill(child, 9)"]
    lines = [DRAWS, *reads(victim(environment)), f"time.sleep({QUIET})", *ending]
    setup = write_setup(environment, *lines)
    program = "import subprocess, sys\n"
    program += f"other = subprocess.Popen([sys.executable, {str(beside)!r}])\n"
    program += f"subprocess.run([sys.executable, {str(setup)!r}])\nother.kill()\n"
    with Terminal(environment, guarded(environment, "-c", program, mode="watch")) as terminal:
        terminal.until(CHOICE)
        time.sleep(QUIET)
        terminal.read(0)
        assert terminal.unseen == ""
        terminal.type("n\r")
        after = terminal.until("they go on")
        assert "forged" in after
        assert "refused True" in after
        terminal.type(INTERRUPT)
        terminal.end()


@pytest.mark.parametrize("option", ["-Werror", "-Xdev"])
def test_warnings_are_the_programs_own(environment: Environment, option: str) -> None:
    if option == "-Xdev" and environment.interpreter.number < (3, 12):
        pytest.skip("a build in the development mode is not started")
    setup = write_setup(environment, *reads(victim(environment)))
    command = [*environment.launcher(option), "--guard", str(setup)]
    with Terminal(environment, command) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        terminal.answer(f"evil 1.0 (setup.py:2) wants to read {victim(environment)}", "n\r")
        assert terminal.end() == 0
        assert "Warning" not in terminal.shown


# Ctrl-C.

SLEEPS = """\
import os, signal, subprocess, sys, time

def sleep():
    print("asleep", flush=True)
    for _ in range(600):
        time.sleep(0.1)
"""
OBSTINATE = {
    "itself": "signal.signal(signal.SIGINT, signal.SIG_IGN)\nsleep()\n",
    "a child": """\
if sys.argv[1:]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sleep()
subprocess.run([sys.executable, __file__, "child"], start_new_session=True)
""",
    "a fork": """\
signal.signal(signal.SIGINT, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    sleep()
signal.signal(signal.SIGINT, signal.SIG_DFL)
time.sleep(60)
""",
}


def stops(folder: Path) -> bool:
    """Return whether soon nothing runs any more that has a folder in its variables."""
    deadline = time.monotonic() + 5
    while running(folder) and time.monotonic() < deadline:
        time.sleep(TICK)
    return running(folder) == []


@pytest.mark.parametrize("way", OBSTINATE)
def test_ctrl_c_stops_a_build_that_does_not_heed_it(environment: Environment, way: str) -> None:
    setup = write_setup(environment, SLEEPS, OBSTINATE[way])
    with Terminal(environment, start_each(environment, setup, mode="watch")) as terminal:
        terminal.until("asleep")
        terminal.type(INTERRUPT)
        assert terminal.end() == -signal.SIGINT
        assert stops(environment.root.parent)
        assert leftovers(environment) == []


def test_ctrl_c_stops_a_build_that_is_the_program(environment: Environment) -> None:
    setup = write_setup(environment, SLEEPS, OBSTINATE["itself"])
    with Terminal(environment, guarded(environment, setup, mode="watch")) as terminal:
        terminal.until("asleep")
        terminal.type(INTERRUPT)
        assert terminal.end() == -signal.SIGKILL


def test_ctrl_c_at_a_question_stops_all(environment: Environment) -> None:
    lines = [
        *("import signal", "signal.signal(signal.SIGINT, signal.SIG_IGN)"),
        *("while True:", "    try:", f"        open({str(victim(environment))!r})"),
        *("    except KeyboardInterrupt:", "        print('told', flush=True)"),
    ]
    setup = write_setup(environment, *lines)
    with Terminal(environment, start_each(environment, setup)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        terminal.answer(f"evil 1.0 (setup.py:5) wants to read {victim(environment)}", INTERRUPT)
        assert terminal.end() == -signal.SIGINT
        assert stops(environment.root.parent)
        assert len(terminal.questions()) == 2
        assert "refused" not in terminal.shown  # it is the person who stopped it


def test_ctrl_c_at_the_first_question_stops_all(environment: Environment) -> None:
    setup = write_setup(environment, "print('ran')")
    with Terminal(environment, start_each(environment, setup, setup)) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", INTERRUPT)
        assert terminal.end() == -signal.SIGINT
        assert stops(environment.root.parent)
        assert len(terminal.questions()) == 1
        assert "\nran\r\n" not in terminal.shown


# Real pips.

PIPS = {
    "3.10": "22.0.4",
    "3.11": "23.0.1",
    "3.12": "24.0",
    "3.13": "26.3",
    "3.14": "25.3",
    "3.15": "26.3",
}


def plain(text: str) -> str:
    """Return a text as a name without a suffix, in whose place `make_once` puts others."""
    return re.sub(r"\W+", "-", text)


@dataclass(frozen=True)
class Shelf:
    """Fixed releases from the registry, each in a folder of its own, for all workers and tests."""

    folder: Path

    def fetched(self, requirement: str, interpreter: Interpreter) -> Path:
        """Return the folder of a release, which is fetched once, with bytecode of a version."""
        folder = self.folder / plain(requirement)
        target = ("--no-deps", "--no-compile", "--target", folder, requirement)
        pip = (sys.executable, "-m", "pip", "install", "--quiet", *target)
        make_once(folder, lambda: run_pip(f"fetch {requirement}", *pip))
        compiled = folder / "__pycache__" / plain(interpreter.version)
        compiler = (interpreter.path, "-S", "-m", "compileall", "-q", folder)
        compiled.parent.mkdir(exist_ok=True)
        make_once(compiled, lambda: run_pip(f"compile {requirement}", *compiler))
        return folder

    def wheel(self, requirement: str) -> Path:
        """Return the folder that holds a release as a wheel."""
        folder = self.folder / f"wheel-{plain(requirement)}"
        target = ("--no-deps", "--only-binary", ":all:", "--dest", folder, requirement)
        pip = (sys.executable, "-m", "pip", "download", "--quiet", *target)
        make_once(folder, lambda: run_pip(f"fetch {requirement}", *pip))
        return folder

    def put(self, environment: Environment, *requirements: str) -> None:
        """Have releases in an environment, by hard links."""
        for requirement in requirements:
            folder = self.fetched(requirement, environment.interpreter)
            for path in folder.iterdir():
                target = environment.site_packages / path.name
                if path.name in ("bin", "__pycache__"):
                    continue
                if path.is_dir():
                    shutil.copytree(path, target, copy_function=os.link)
                else:
                    os.link(path, target)


@pytest.fixture(scope="session")
def shelf(shared: Path) -> Shelf:
    """What comes from the registry."""
    folder = shared / "shelf"
    folder.mkdir(exist_ok=True)
    return Shelf(folder)


def pip(*words: str | Path) -> list[str | Path]:
    """Return the words that start the environment's pip, which asks no registry."""
    command, *args = words
    options = ("--no-index", "--no-cache-dir", "--disable-pip-version-check")
    return ["-m", "pip", command, *options, *args]


def probe(environment: Environment) -> str:
    """Return code that tries what no build may, and leaves what came of it in TMPDIR."""
    return PROBE.format(victim=str(victim(environment)), temp=str(temp(environment)))


PROBE = """\
import os, tempfile
try:
    took = open({victim!r}).read()
except PermissionError as exc:
    took = "refused" if "safesite: " in str(exc) else str(exc)
file, _ = tempfile.mkstemp(prefix="ran.", dir={temp!r})
os.write(file, took.encode())
os.close(file)
"""


def ran(environment: Environment) -> set[str]:
    """Return what has come of the probe, each time, and forget it; nothing where it has not run."""
    found = set()
    for path in temp(environment).glob("ran.*"):
        found.add(path.read_text())
        path.unlink()
    return found


PYPROJECT = (
    "[build-system]\nrequires = [{}]\nbuild-backend = 'evil_backend'\nbackend-path = ['backend']\n"
)
BACKEND = """\
import os, tarfile, zipfile

NAME, VERSION = "{name}", "1.0"


def get_requires_for_build_wheel(config_settings=None):
    return []


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as archive:
        archive.writestr(f"{{NAME}}.py", "")
        metadata = f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n"
        archive.writestr(f"{{info}}/METADATA", metadata)
        tags = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        archive.writestr(f"{{info}}/WHEEL", tags)
        archive.writestr(f"{{info}}/RECORD", "".join(f"{{n}},,\\n" for n in archive.namelist()))
    return name


build_editable = build_wheel


def build_sdist(sdist_directory, config_settings=None):
    root = f"{{NAME}}-{{VERSION}}"
    with tarfile.open(os.path.join(sdist_directory, f"{{root}}.tar.gz"), "w:gz") as archive:
        for name in ("PKG-INFO", "pyproject.toml", "backend"):
            archive.add(name, f"{{root}}/{{name}}")
    return f"{{root}}.tar.gz"
"""
SETUP = "from setuptools import setup; setup(name='{name}', version='1.0', py_modules=[])\n"


def with_backend(code: str, name: str = "evil", requires: str = "") -> dict[str, str]:
    """Return the files of a project with an in-tree backend, which runs this code."""
    return {
        "PKG-INFO": metadata(name),
        "pyproject.toml": PYPROJECT.format(requires),
        "backend/evil_backend.py": code + BACKEND.format(name=name),
    }


def with_setuptools(code: str, name: str = "evil") -> dict[str, str]:
    """Return the files of a project with a setup.py, which runs this code."""
    return {"PKG-INFO": metadata(name), "setup.py": code + SETUP.format(name=name)}


def screen(text: str) -> list[str]:  # noqa: C901 - a terminal has many words
    """Return the lines that a terminal shows, which has been sent a text."""
    rows, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[@-~]|.|\n", text, re.DOTALL):
        if part[:2] == "\x1b[":
            count = int(re.sub(r"\D", "", part) or "1")
            if part[-1] == "K":
                rows[row] = "" if "2" in part else rows[row][:column]
            elif part[-1] in "AB":
                row = max(0, row - count) if part[-1] == "A" else row + count
            elif part[-1] in "CD":
                column = max(0, column + (count if part[-1] == "C" else -count))
            elif part[-1] == "G":
                column = count - 1
        elif part == "\r":
            column = 0
        elif part == "\n":
            row += 1
        elif part == "\b":
            column = max(0, column - 1)
        elif part.isprintable():
            before = rows[row][:column].ljust(column)
            rows[row] = before + part + rows[row][column + 1 :]
            column += 1
        rows += [""] * (row + 1 - len(rows))
    return [text.rstrip() for text in rows]


CONNECTS = """\
import socket, time

def reach():
    socket.create_connection(("203.0.113.7", 443))
for _ in range(3):
    print("busy", flush=True)
    time.sleep(0.2)  # pip shows that something goes on
try:
    reach()
except OSError as exc:
    print(exc)
"""


def test_pip_at_a_terminal(shelf: Shelf, short: Path) -> None:
    """The words of the questions, and what the terminal shows: pip's own lines stay whole."""
    environment = environment_in(need("3.13"), short)
    shelf.put(environment, "pip ==26.3")
    links = ("--find-links", shelf.wheel("setuptools ==84.2.1"))
    sdist(environment.work, "evil", "1.0", with_setuptools(CONNECTS))
    command = guarded(environment, *pip("install", *links, "./evil-1.0.tar.gz"))
    with Terminal(environment, command, PIP_FIND_LINKS="") as terminal:
        hook = "evil 1.0 wants to run code to build itself: setup.py, get_requires_for_build_wheel"
        terminal.answer(hook, "y\r")
        terminal.answer("evil 1.0 (setup.py:4) wants to connect to 203.0.113.7:443", "n\r")
        metadata = hook.replace("get_requires_for", "prepare_metadata_for")
        terminal.answer(metadata, "always\r")
        assert terminal.end() == 0, terminal.shown
        lines = [line for line in screen(terminal.shown) if line]
    question = "safesite: {}. Allow? [y]es, [a]lways in this run, [N]o {}".format
    expected = [
        "Processing ./evil-1.0.tar.gz",
        "  Installing build dependencies ... done",
        question(hook, "y"),
        "  Getting requirements to build wheel ... *",
        question("evil 1.0 (setup.py:4) wants to connect to 203.0.113.7:443", "n"),
        "done",
        question(metadata, "always"),
        "  Preparing metadata (pyproject.toml) ... done",
        "Building wheels for collected packages: evil",
        "  Building wheel for evil (pyproject.toml) ... done",
    ]
    start = lines.index(expected[0])
    lines[start + 3] = re.sub(r"[-/|\\]$", "*", lines[start + 3])
    assert lines[start : start + len(expected)] == expected
    assert lines[-1] == "Successfully installed evil-1.0"


BUILDS = {"stock": "sleep()\n", "heeds": "sleep()\n", "does not heed": OBSTINATE["itself"]}


@pytest.mark.parametrize("code", some({name: name for name in BUILDS}, "does not heed"))
def test_ctrl_c_stops_pip_as_it_does_stock(shelf: Shelf, short: Path, code: str) -> None:
    environment = environment_in(need("3.13"), short)
    shelf.put(environment, f"pip =={PIPS['3.13']}")
    asleep = temp(environment) / "asleep"
    told = SLEEPS.replace("print(", f"open({str(asleep)!r}, 'w'), print(")
    sdist(environment.work, "evil", "1.0", with_backend(told + BUILDS[code]))
    words = [str(word) for word in pip("install", "./evil-1.0.tar.gz")]
    stock = [str(environment.python), *words]
    command = stock if code == "stock" else guarded(environment, *words, mode="watch")
    with Terminal(environment, command) as terminal:
        wait_for(asleep)
        terminal.type(INTERRUPT)
        assert terminal.end() == 1
        assert "ERROR: Operation cancelled by user" in terminal.shown
        assert stops(environment.root.parent)


def test_ctrl_c_at_a_question_stops_pip(shelf: Shelf, short: Path) -> None:
    environment = environment_in(need("3.13"), short)
    shelf.put(environment, f"pip =={PIPS['3.13']}")
    sdist(environment.work, "evil", "1.0", with_backend(probe(environment)))
    words = pip("install", "./evil-1.0.tar.gz")
    with Terminal(environment, guarded(environment, *words)) as terminal:
        terminal.until(CHOICE)
        terminal.type(INTERRUPT)
        assert terminal.end() == 1
        assert "ERROR: Operation cancelled by user" in terminal.shown
        assert stops(environment.root.parent)
    assert ran(environment) == set()


def wait_for(path: Path) -> None:
    """Wait until there is a file, and remove it."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(TICK)
    path.unlink()


# The ways in: each stock, watched, and refused.

INSTALL = "-m pip install --no-index --no-cache-dir --force-reinstall"
DOWNLOAD = "-m pip download --no-index --no-cache-dir -d {target}"
WHEEL = "-m pip wheel --no-index --no-cache-dir -w {target}"
NEW_SETUPTOOLS = ("setuptools ==84.2.1", "wheel ==0.45.1")
OLD_SETUPTOOLS = ("setuptools ==65.7.0",)  # with it, and without wheel, pip runs setup.py itself
SETUP_PY = ("setuptools ==79.0.1",)  # the last whose develop does not call pip
WHEEL_TOO = (*OLD_SETUPTOOLS, "wheel ==0.38.4")
BUILD = ("build ==1.6.1", "pyproject-hooks ==1.2.0", "packaging ==25.0", "tomli ==2.2.1")
SETUP_COMMANDS = {"bdist_wheel": False, "sdist": False, "install": True, "develop": True}
OLD, SOME = ("3.10", "3.11"), ("3.10", "3.13", "3.15")


@dataclass(frozen=True)
class Way:
    """A command line that builds a project, what that needs, and how the project is built.

    ``{target}`` is an empty folder; ``default``: the version that it is always tried on;
    ``variables``: more of the environment.
    """

    words: str
    requires: tuple[str, ...] = ()
    files: Callable[[str], dict[str, str]] = with_backend
    versions: tuple[str, ...] = VERSIONS
    default: str = ""
    asks: bool = False  # itself, as what it writes into the environment
    variables: tuple[tuple[str, str], ...] = ()


WAYS = {
    "install": Way(f"{INSTALL} {{sdist}}", default="3.10"),
    "install, not isolated": Way(f"{INSTALL} --no-build-isolation {{sdist}}"),
    "install a folder": Way(f"{INSTALL} ."),
    "install -e": Way(f"{INSTALL} -e ."),
    "install -e, not isolated": Way(f"{INSTALL} --no-build-isolation -e ."),
    "download": Way(f"{DOWNLOAD} {{sdist}}"),
    "wheel": Way(f"{WHEEL} {{sdist}}"),
    "wheel, not isolated": Way(f"{WHEEL} --no-build-isolation {{sdist}}"),
    "setuptools": Way(f"{INSTALL} --no-build-isolation {{sdist}}", NEW_SETUPTOOLS, with_setuptools),
    "setuptools, -e": Way(
        f"{INSTALL} --no-build-isolation --use-pep517 -e .", NEW_SETUPTOOLS, with_setuptools
    ),
    "setuptools, -e by another pip": Way(
        f"{INSTALL} --no-build-isolation -e .",
        NEW_SETUPTOOLS,
        with_setuptools,
        (*OLD, "3.12"),
        asks=True,
        variables=(("PIP_NO_BUILD_ISOLATION", "0"),),  # in pip's words: there is none
    ),
    "--use-pep517": Way(
        f"{INSTALL} --no-build-isolation --use-pep517 {{sdist}}", WHEEL_TOO, with_setuptools, OLD
    ),
    "pip runs bdist_wheel": Way(f"{INSTALL} {{sdist}}", WHEEL_TOO, with_setuptools, OLD),
    "pip runs install": Way(
        f"{INSTALL} {{sdist}}", OLD_SETUPTOOLS, with_setuptools, OLD, asks=True
    ),
    "pip runs develop": Way(f"{INSTALL} -e .", OLD_SETUPTOOLS, with_setuptools, OLD, asks=True),
    **{
        f"setup.py {command}": Way(
            f"setup.py {command}", SETUP_PY, with_setuptools, SOME, asks=asks
        )
        for command, asks in SETUP_COMMANDS.items()
    },
    "build": Way("-m build", BUILD),
    "build --no-isolation": Way("-m build --no-isolation", BUILD),
    "build --sdist": Way("-m build --sdist --no-isolation", BUILD),
}


def way_cases() -> Iterator[object]:
    """Each way on each of its versions; by default a few on one."""
    for name, way in WAYS.items():
        for version in way.versions:
            marks = () if version == way.default else pytest.mark.full
            yield pytest.param(way, version, marks=marks, id=f"{name}-{version}")


SENTENCE = re.escape(f"safesite: evil 1.0 wants to {TO_BUILD}").replace("setup\\.py", "*") + (
    r".*: refused; in a policy, to allow it: guard allow build evil \(guard\)"
)


@pytest.mark.parametrize("way, version", list(way_cases()))
def test_way(way: Way, version: str, shelf: Shelf, short: Path, trusted_folder: Path) -> None:
    environment = environment_in(need(version), short)
    shelf.put(environment, f"pip =={PIPS[version]}", *way.requires)
    files = way.files(probe(environment))
    project = write_files(environment.work / "evil", files)
    (project / "safesite").symlink_to(PACKAGE)
    archive = sdist(environment.root, "evil", "1.0", files)
    target = environment.root / "target"
    words = way.words.format(sdist=archive, target=target).split()

    more = dict(way.variables)
    stock = alone(environment, environment.python, *words, cwd=project, **more)
    assert (stock.code, ran(environment)) == (0, {"secret"}), stock.err

    granted: set[str] = set()
    secret = f"guard allow read {victim(environment)}"
    while True:
        shutil.rmtree(target, ignore_errors=True)
        policy = policies.write(trusted_folder / "policy", granted)
        command = guarded(environment, *words, mode="watch")
        watched = alone(environment, *command, cwd=project, **more, SAFESITE_POLICY=str(policy))
        assert ran(environment) == {"refused"}, watched.err
        wanted = {*remedies(watched.err)} - {secret}
        if wanted <= granted:
            break
        granted |= wanted
        assert len(granted) < 9, granted
    assert watched.code == 0, watched.err
    assert bool(granted) == way.asks, granted

    shutil.rmtree(target, ignore_errors=True)
    command = guarded(environment, *words, mode="deny")
    denied = alone(environment, *command, cwd=project, **more)
    assert denied.code == 1, denied.err
    assert ran(environment) == set()
    assert re.fullmatch(SENTENCE, denied.err.splitlines()[-1])
    assert not target.exists() or list(target.iterdir()) == []


TOX_INI = "[tox]\nenv_list = a\n[testenv]\nset_env = PIP_NO_INDEX = 1\n"
NOXFILE = """\
import nox

@nox.session(venv_backend="virtualenv")
def a(session):
    session.install("--no-index", ".")
"""
RUNNERS = {
    "tox": (TOX, "-m tox -r", {"tox.ini": TOX_INI}),
    "tox, pip": (
        TOX,
        "-m tox -r",
        {"tox.ini": f"{TOX_INI}package = skip\ncommands = python -m pip install .\n"},
    ),
    "tox, pip by its script": (
        TOX,
        "-m tox -r",
        {"tox.ini": f"{TOX_INI}package = skip\ncommands = pip install .\n"},
    ),
    "nox": (("nox ==2026.10.20",), "-m nox", {"noxfile.py": NOXFILE}),
}


@pytest.mark.full
@pytest.mark.parametrize("version", SOME)
@pytest.mark.parametrize("runner", RUNNERS.values(), ids=RUNNERS)
def test_a_runner_with_environments_of_its_own(
    runner: tuple[tuple[str, ...], str, dict[str, str]], version: str, builder: Builder, short: Path
) -> None:
    """The Pythons in these are under the guard too."""
    environment = environment_in(need(version), short)
    requires, words, files = runner
    uv = (builder.uv, "pip", "install", "--quiet", "--python", environment.python)
    builder.run("a runner", *uv, *requires)
    project = environment.work / "evil"
    write_files(project, {**with_backend(probe(environment)), **files})
    (project / "safesite").symlink_to(PACKAGE)

    stock = alone(environment, environment.python, *words.split(), cwd=project)
    assert (stock.code, ran(environment)) == (0, {"secret"}), stock.out + stock.err
    command = guarded(environment, *words.split(), mode="watch")
    watched = alone(environment, *command, cwd=project)
    assert (watched.code, ran(environment)) == (0, {"refused"}), watched.out + watched.err
    command = guarded(environment, *words.split(), mode="deny")
    denied = alone(environment, *command, cwd=project)
    assert denied.code, denied.out + denied.err
    assert ran(environment) == set()
    assert re.fullmatch(SENTENCE, denied.err.splitlines()[-1])


BACKEND_OF_TOX = """\
import os, sys

for name in ("dist", ".meta", "lib"):
    try:
        os.mkdir(os.path.join(sys.prefix, name, "made"))
    except PermissionError:
        print("refused", name)
"""


def test_a_backend_writes_where_tox_tells_it_to(environment: Environment) -> None:
    """Into two folders of the environment that tox made for it in the project."""
    project = write_setup(environment).parent
    other = environments.make(environment.interpreter, project / ".tox" / ".pkg")
    (project / "safesite").symlink_to(PACKAGE)
    runner = environment.root / "pyproject_api" / "_backend.py"
    for folder in (runner.parent, other.prefix / "dist", other.prefix / ".meta"):
        folder.mkdir()
    runner.write_text(BACKEND_OF_TOX)
    outcome = alone(environment, *guarded(other, runner, mode="watch"), cwd=project)
    assert outcome.out == "refused lib\n", outcome.err
    assert outcome.err.count("(guard)") == 1


WHEEL_HOOK = """\
import json, os, sys

with open(os.path.join(sys.argv[2], "input.json")) as file:
    folder = json.load(file)["kwargs"]["wheel_directory"]
try:
    open(os.path.join(folder, "made"), "w").close()
except PermissionError:
    print("refused")
"""
GIVEN = {"dist": False, ".cache/pip/wheels/a/tmpb": False, ".ssh": True, "link": True}


@pytest.mark.parametrize("given, refused", GIVEN.items(), ids=GIVEN)
def test_a_hook_writes_where_its_caller_tells_it_to(
    environment: Environment, given: str, refused: bool
) -> None:
    """By a file that what an earlier hook has left running can write, too."""
    project = write_setup(environment).parent
    place = project / given if "." not in given else environment.home / given
    keys = environment.home / ".ssh"
    keys.mkdir()
    (keys / "id_rsa").write_text("key")
    if given == "link":
        place.symlink_to(keys)
    place.mkdir(parents=True, exist_ok=True)
    control = temp(environment) / "control"
    control.mkdir()
    arguments = {"kwargs": {"wheel_directory": str(place)}}
    (control / "input.json").write_text(json.dumps(arguments))
    runner = environment.root / "_in_process.py"
    runner.write_text(WHEEL_HOOK)
    command = guarded(environment, runner, "build_wheel", control, mode="watch")
    (project / "safesite").symlink_to(PACKAGE)
    outcome = alone(environment, *command, cwd=project)
    assert outcome.out == "refused\n" * refused, outcome.err
    assert (place / "made").exists() != refused


@pytest.mark.full
def test_two_pips_do_not_mix_their_questions(shelf: Shelf, short: Path) -> None:
    """One program starts them together; each is let do what the other is not."""
    environment = environment_in(need("3.13"), short)
    shelf.put(environment, f"pip =={PIPS['3.13']}")
    commands = []
    for name in ("evil", "other"):
        code = probe(environment).replace("ran.", f"ran.{name}.")
        sdist(environment.work, name, "1.0", with_backend(code, name))
        words = pip("wheel", f"./{name}-1.0.tar.gz", "-w", environment.root / name)
        commands.append([str(word) for word in words])
    program = "import subprocess, sys\n"
    program += f"all = [subprocess.Popen([sys.executable, *words]) for words in {commands!r}]\n"
    program += "print(*[child.wait() for child in all])\n"
    with Terminal(environment, guarded(environment, "-c", program)) as terminal:
        while "0 0\r\n" not in terminal.shown:
            terminal.until(CHOICE)
            terminal.read(QUIET)
            asked = terminal.questions()[-1]
            is_read, is_evil = " wants to read " in asked, asked.startswith("evil ")
            terminal.type("n\r" if is_read and is_evil else "y\r")
            terminal.read(QUIET)
            while "Allow?" not in terminal.unseen and not terminal.has_ended():
                terminal.read(TICK)
        assert terminal.end() == 0
    for name, told in (("evil", "refused"), ("other", "secret")):
        found = list(temp(environment).glob(f"ran.{name}.*"))
        assert {path.read_text() for path in found} == {told}


def test_two_runs_at_one_terminal_ask_in_turn(environment: Environment) -> None:
    """As a script starts them beside each other: an answer is for the question that is shown."""
    names = {"evil", "other"}
    setups = [write_setup(environment, f"print('ran', {name!r})", name=name) for name in names]
    commands = [shlex.join(map(str, guarded(environment, setup))) for setup in setups]
    script = "".join(f"{command} & " for command in commands) + "wait"
    with Terminal(environment, ["/bin/sh", "-c", script]) as terminal:
        terminal.until(CHOICE)
        end = time.monotonic() + QUIET
        while time.monotonic() < end:
            terminal.read(TICK)
        (asked,) = terminal.questions()
        terminal.type("n\r")
        terminal.until(CHOICE)
        terminal.type("y\r")
        terminal.end()
        assert {name for name in names if f"ran {name}" in terminal.shown} == names - {
            asked.split()[0]
        }


# What build tools do, of which nobody is asked.

QUIET_WAYS = """\
import dbm, os, subprocess, sys

for folder in (home, home + "/.local/lib"):
    try:
        os.listdir(folder)
    except OSError as exc:
        print(exc)
os.listdir("..")
for words in (["update-index", "-q", "--refresh"], "submodule status --cached --recursive".split()):
    print(subprocess.run(["git", *words]).returncode)
print(subprocess.run([sys.executable, "-"], input=b"import json", cwd=home).returncode)
"""


def test_what_build_tools_look_at_is_not_asked(environment: Environment) -> None:
    """By meson (cmake's folders, git), setuptools-scm, pyo3 (Python's standard input), dbm."""
    home = environment.root / "home"
    (home / ".local" / "lib").mkdir(parents=True)
    project = temp(environment) / "build-via-sdist-x" / "evil-1.0"
    project.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", project], check=True)
    setup = project / "setup.py"
    setup.write_text(f"home = {str(home)!r}\n{QUIET_WAYS}")
    path = f"{home}/bin:{home}/.local/bin:{os.environ['PATH']}"
    command = guarded(environment, setup, mode="watch")
    where = str(PACKAGE.parent)
    outcome = alone(environment, *command, cwd=project, PATH=path, PYTHONPATH=where)
    refused = "[Errno 13] safesite: the names in there are not told (guard)\n"
    assert outcome == Outcome(0, refused * 2 + "0\n0\n0\n", ""), outcome.err


def test_a_child_that_imports_from_where_it_starts_is_asked_about(environment: Environment) -> None:
    folder = environment.root / "folder"
    folder.mkdir()
    (folder / "sibling.py").write_text("print('imported')")
    words = f"[sys.executable, '-c', 'import sibling'], cwd={str(folder)!r}"
    setup = write_setup(environment, "import subprocess, sys", f"subprocess.run({words})")
    command = guarded(environment, setup, mode="watch")
    outcome = alone(environment, *command, PYTHONPATH=str(PACKAGE.parent))
    assert f" wants to read {folder}: refused" in outcome.err


# Without a terminal.


def test_in_the_background_nobody_is_asked(environment: Environment) -> None:
    """Another program has the terminal: what is typed there is not for the questions."""
    setup = write_setup(environment, "print('ran')")
    command = " ".join(map(shlex.quote, guarded(environment, setup)))
    shell = ["/bin/bash", "-ic", f"{command} & wait; echo end; read line; echo got $line"]
    with Terminal(environment, shell, PS1="") as terminal:
        terminal.until("end\r\n")
        terminal.type("y\r")
        assert terminal.end() == 0
        assert terminal.questions() == []
        assert "guard allow build evil (guard)" in terminal.shown
        assert "got y" in terminal.shown


def remedies(text: str) -> list[str]:
    """Return the lines of a policy that are told."""
    return re.findall(r"; in a policy, to allow it: (.*?) \(guard\)$", text, re.MULTILINE)


LONG_HOST = "x" * 64 + ".invalid"  # a name that no resolver has to be asked about
WISHES = {
    "resolve": ("socket.gethostbyname(b'{host}')", "look up {host}", "{host}"),
    "connect": ("socket.create_connection(('127.0.0.1', {port}))", "connect to {at}", "{at}"),
    "listen": ("socket.socket().bind(('127.0.0.1', {free}))", "listen on {bound}", "{bound}"),
    "read": ("open('{home}/.netrc').close()", "read {home}/.netrc", "{home}/.netrc"),
    "write": ("open('{home}/a b', 'w').close()", "write '{home}/a b'", "{home}/a%20b"),
    "run": (
        "subprocess.run(['/usr/bin/env', 'true'], check=True)",
        "run {env} ('/usr/bin/env true')",
        "{env}",
    ),
    "load": ("import_module('ctypes').CDLL(None)", "load native code: ctypes", "ctypes"),
}
TRIES = """\
import socket, subprocess, sys
from importlib import import_module
try:
    {}
except PermissionError as exc:
    print(exc)
except OSError:
    print("done, in vain")
else:
    print("done")
"""


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A server on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


@pytest.mark.parametrize("kind", WISHES)
def test_a_refusal_tells_the_line_that_allows(
    environment: Environment, server: socket.socket, trusted_folder: Path, kind: str
) -> None:
    port = server.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    names = {
        "host": LONG_HOST,
        "port": port,
        "at": f"127.0.0.1:{port}",
        "free": free,
        "bound": f"127.0.0.1:{free}",
        "home": environment.home,
        "env": Path("/usr/bin/env").resolve(),
    }
    code, what, target = (text.format(**names) for text in WISHES[kind])
    setup = write_setup(environment, TRIES.format(code))
    command = guarded(environment, setup, mode="watch")
    line = f"guard allow {kind} {target}"
    policy = policies.write(trusted_folder / "policy", ["guard allow build other"])
    refused = alone(environment, *command, SAFESITE_POLICY=str(policy))
    sentence = f"safesite: evil 1.0 (setup.py:4) wants to {what}"
    assert refused.out.startswith(f"[Errno 13] {sentence}"), refused.err
    assert refused.out.endswith(f": refused; in a policy, to allow it: {line} (guard)\n")
    assert refused.err.splitlines() == [refused.out.removeprefix("[Errno 13] ").strip()]
    policies.write(policy, [line])
    allowed = alone(environment, *command, SAFESITE_POLICY=str(policy))
    assert (allowed.err, allowed.out) == ("", "done, in vain\n" if kind == "resolve" else "done\n")


@pytest.mark.parametrize("mode", ["ask", "deny"])
def test_a_build_is_refused_with_the_line_that_allows(
    environment: Environment, trusted_folder: Path, mode: str
) -> None:
    setup = write_setup(environment, "print('ran')")
    command = guarded(environment, setup, mode=mode)
    refused = alone(environment, *command)
    line = "guard allow build evil"
    told = (
        f"safesite: evil 1.0 wants to {TO_BUILD}: refused; in a policy, to allow it: {line} (guard)"
    )
    assert (refused.code, refused.out, set(refused.err.splitlines())) == (1, "", {told})
    policy = policies.write(trusted_folder / "policy", [line])
    allowed = alone(environment, *command, SAFESITE_POLICY=str(policy))
    assert allowed == Outcome(0, "ran\n", "")


def policy_with(folder: Path, *lines: str) -> dict[str, Any]:
    """Return the variable that names a policy, which is written."""
    return {"SAFESITE_POLICY": str(policies.write(folder / "policy", lines))}


def test_what_was_refused_is_pending_until_a_policy_allows_it(
    environment: Environment, trusted_folder: Path
) -> None:
    secret = victim(environment)
    setup = write_setup(environment, *reads(secret), *reads("/etc/shadow"))
    command = guarded(environment, setup, mode="watch")
    variables = policy_with(trusted_folder, f"guard allow read {secret}", "guard allow build spam")
    alone(environment, *command)
    pending = environment.launched("--pending").out
    for line in (f"guard allow read {secret}", "guard allow read /etc/shadow"):
        assert f"safesite:   {line}\n" in pending
    assert f"safesite: evil 1.0: refused read: '{secret}', by setup.py:2" in pending
    pending = environment.launched("--pending", **variables).out
    assert str(secret) not in pending
    assert "guard allow read /etc/shadow" in pending
    explained = " ".join(environment.launched("--explain", **variables).out.split())
    policy = variables["SAFESITE_POLICY"]
    assert f"{policy}:1: read {secret} {policy}:2: build spam " in explained


def test_a_refused_build_is_pending(environment: Environment) -> None:
    setup = write_setup(environment, "print('ran')")
    alone(environment, *guarded(environment, setup))
    assert "safesite:   guard allow build evil\n" in environment.launched("--pending").out


def test_an_answer_is_not_pending(environment: Environment) -> None:
    """What a person has said no to has been reviewed."""
    setup = write_setup(environment, *reads(victim(environment)))
    conversation(environment, guarded(environment, setup), "y\r", "n\r")
    assert environment.launched("--pending").out == (
        "safesite: nothing is refused that nobody has reviewed\n"
    )


@pytest.mark.parametrize("place", ["venv/policy", "others"])
def test_a_policy_that_others_can_write_grants_nothing(
    interpreter: Interpreter, short: Path, trusted_folder: Path, place: str
) -> None:
    environment = environments.make(interpreter, trusted_folder / "e", TMPDIR=str(short))
    policy = environment.root / place
    policies.write(policy, ["guard allow build evil"], 0o666 if place == "others" else 0o600)
    setup = write_setup(environment, "print('ran')")
    refused = alone(environment, *guarded(environment, setup), SAFESITE_POLICY=str(policy))
    assert (refused.code, refused.out) == (1, "")
    assert re.search(rf"^safesite: {policy}: grants nothing: ", refused.err, re.MULTILINE)


HOMES = {
    "state in /proc": {"XDG_STATE_HOME": "/proc/state"},
    "state below a file": {"XDG_STATE_HOME": "/etc/passwd"},
    "state relative": {"XDG_STATE_HOME": "state"},
    "no home": {"HOME": ""},
    "a home that is missing": {"HOME": "/nonexistent/home"},
    "a home that is a file": {"HOME": "/etc/passwd"},
    "home relative": {"HOME": "home"},
    "home in /proc": {"HOME": "/proc/1/home"},
}


@pytest.mark.parametrize("variables", some(HOMES, "state in /proc", "no home"))
def test_an_odd_home_breaks_nothing(environment: Environment, variables: dict[str, Any]) -> None:
    setup = write_setup(environment, *reads(victim(environment)))
    outcome = alone(environment, *guarded(environment, setup, mode="watch"), **variables)
    assert (outcome.code, outcome.out) == (0, "refused True\n"), outcome.err
    first, *others = outcome.err.splitlines()
    wanted = (
        f"safesite: evil 1.0 (setup.py:2) wants to read {victim(environment)}: refused; in a policy"
    )
    assert first.startswith(wanted)
    assert all(re.fullmatch(r"safesite: not kept for --pending: .* \(guard\)", o) for o in others)


def test_without_a_home_variable(environment: Environment) -> None:
    setup = write_setup(environment, *reads(victim(environment)))
    command = guarded(environment, setup, mode="watch")
    # The system's entry of this user names a home, in which nothing is to be written.
    state = str(environment.root / "state")
    clean = ("/usr/bin/env", "-u", "HOME")
    outcome = alone(environment, *clean, *command, XDG_STATE_HOME=state)
    assert (outcome.code, outcome.out) == (0, "refused True\n"), outcome.err


# Deny.


@pytest.mark.parametrize(
    "isolation", ["", pytest.param("--no-build-isolation", marks=pytest.mark.full)]
)
def test_deny_leaves_nothing_of_an_sdist(isolation: str, shelf: Shelf, short: Path) -> None:
    environment = environment_in(need("3.13"), short)
    shelf.put(environment, f"pip =={PIPS['3.13']}")
    archive = sdist(environment.root, "evil", "1.0", with_backend(probe(environment)))
    target = environment.root / "target"
    for words in (INSTALL, DOWNLOAD, WHEEL):
        command = [*words.format(target=target).split(), *isolation.split(), str(archive)]
        outcome = alone(environment, *guarded(environment, *command, mode="deny"))
        assert outcome.code == 1, outcome.err
        assert ran(environment) == set()
        assert re.fullmatch(SENTENCE, outcome.err.splitlines()[-1]), outcome.err
        assert not target.exists() or list(target.iterdir()) == []
        assert not (environment.site_packages / "evil.py").exists()


def test_deny_installs_wheels(shelf: Shelf, short: Path) -> None:
    environment = environment_in(need("3.13"), short)
    shelf.put(environment, f"pip =={PIPS['3.13']}")
    namespace: dict[str, Any] = {}
    exec(BACKEND.format(name="fine"), namespace)  # noqa: S102 - what makes the wheel
    links = environment.root / "links"
    links.mkdir()
    namespace["build_wheel"](str(links))
    command = f"{INSTALL} --find-links {links} fine".split()
    outcome = alone(environment, *guarded(environment, *command, mode="deny"))
    assert outcome.code == 0, outcome.err
    assert "safesite" not in outcome.err
    assert (environment.site_packages / "fine.py").exists()


@pytest.mark.full
def test_what_is_required_to_build_is_asked_about_too(
    shelf: Shelf, short: Path, trusted_folder: Path
) -> None:
    """An sdist requires another one for its build; a policy allows first one, then both."""
    environment = environment_in(need("3.13"), short)
    shelf.put(environment, f"pip =={PIPS['3.13']}")
    links = environment.root / "links"
    links.mkdir()
    sdist(links, "helper", "1.0", with_backend(probe(environment), "helper"))
    sdist(links, "evil", "1.0", with_backend(probe(environment), requires="'helper'"))
    command = guarded(environment, *f"{INSTALL} --find-links {links} evil".split(), mode="deny")
    allow: list[str] = []
    for name in ("helper", "evil"):
        outcome = alone(environment, *command, **policy_with(trusted_folder, *allow))
        assert outcome.code == 1
        assert ran(environment) == ({"refused"} if allow else set())
        last = outcome.err.splitlines()[-1]
        assert f"safesite: {name} 1.0 wants to run code to build itself: " in outcome.err
        allow = [*allow, f"guard allow build {name}"]
        if len(allow) == 1:
            assert last.endswith(f"guard allow build {name} (guard)")
    outcome = alone(environment, *command, **policy_with(trusted_folder, *allow))
    assert outcome.code == 0, outcome.err
    assert (environment.site_packages / "evil.py").exists()


@pytest.mark.parametrize("asked_for", ["evil", "Re_quests"])
def test_a_name_that_is_a_lie_is_not_let_through(
    environment: Environment, trusted_folder: Path, asked_for: str
) -> None:
    """What pip downloads for a name it unpacks into a folder of that name."""
    setup = write_setup(environment, "print('ran')", name=f"{asked_for}_{'0a' * 16}")
    (setup.parent / "PKG-INFO").write_text(metadata("re-quests"))
    variables = policy_with(trusted_folder, "guard allow build RE.quests")
    outcome = alone(environment, *guarded(environment, setup, mode="deny"), **variables)
    if asked_for == "evil":
        assert (outcome.code, outcome.out) == (1, "")
        told = f"safesite: evil 1.0 (calls itself re-quests) wants to {TO_BUILD}: refused (guard)"
        assert set(outcome.err.splitlines()) == {told}
    else:
        assert outcome == Outcome(0, "ran\n", "")


def test_pip_does_not_let_a_lie_through(shelf: Shelf, short: Path, trusted_folder: Path) -> None:
    environment = environment_in(need("3.13"), short)
    shelf.put(environment, f"pip =={PIPS['3.13']}")
    links = environment.root / "links"
    links.mkdir()
    files = with_backend(probe(environment)) | {"PKG-INFO": metadata("requests")}
    sdist(links, "evil", "1.0", files)
    command = guarded(environment, *f"{INSTALL} --find-links {links} evil".split(), mode="deny")
    variables = policy_with(trusted_folder, "guard allow build requests")
    outcome = alone(environment, *command, **variables)
    assert outcome.code == 1
    assert ran(environment) == set()
    start = "safesite: evil 1.0 (calls itself requests) wants to run code to build itself: "
    assert outcome.err.splitlines()[-1].startswith(start)


# Other ways to have it on.


@pytest.mark.parametrize("value", some({m: m for m in ("ask", "watch", "deny")}, "watch"))
def test_the_variable_alone(environment: Environment, value: str) -> None:
    setup = write_setup(environment, *reads(victim(environment)))
    outcome = alone(environment, *environment.launcher(), setup, SAFESITE_GUARD=value)
    assert outcome.code == (0 if value == "watch" else 1)
    assert outcome.out == ("refused True\n" if value == "watch" else "")
    assert "safesite: evil 1.0 " in outcome.err


@pytest.mark.parametrize("order", some({n: n for n in ("before", "after")}, "before"))
def test_another_python_is_named(environment: Environment, order: str) -> None:
    """The interpreter that starts is not the one that runs the build."""
    setup = write_setup(environment, *reads(victim(environment)), "import sys", "print(sys.prefix)")
    words = ["--guard=watch", "--python", str(environment.prefix)]
    words = words[1:] + words[:1] if order == "before" else words
    base = environment.interpreter.path
    outcome = alone(environment, base, "-S", "-m", "safesite", *words, setup)
    assert outcome.out == f"refused True\n{environment.prefix}\n", outcome.err


def test_the_command(environment: Environment) -> None:
    command = test_command.install(environment)
    setup = write_setup(environment, *reads(victim(environment)))
    outcome = alone(environment, command, "-Werror", "--guard=watch", setup)
    assert (outcome.code, outcome.out) == (0, "refused True\n"), outcome.err
    with Terminal(environment, [str(command), "--guard", str(setup)]) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "n\r")
        assert terminal.end() == 1


MODES = {mode: mode for mode in ("allow", "warn", "quiet", "skip", "nonsense")}


@pytest.mark.parametrize("mode", some(MODES, "allow"))
def test_the_mode_is_another_matter(environment: Environment, mode: str) -> None:
    setup = write_setup(environment, *reads(victim(environment)))
    (environment.site_packages / "foo.pth").write_text("import sys; sys.stdout.write('ran\\n')\n")
    outcome = alone(environment, *start_each(environment, setup, mode="watch"), SAFESITE_MODE=mode)
    assert (outcome.code, outcome.out.replace("ran\n", "")) == (0, "refused True\n"), outcome.err
    assert ("ran\n" in outcome.out) == (mode in ("allow", "warn"))


OPTIONS = ("-I", "-E", "-s", "-P", "-X dev", "-W ignore", "-B", "-S", "-IS", "-u", "-O")


def options_of(environment: Environment) -> list[str]:
    """Return the options that a version has, and can be guarded with."""
    since = {"-P": (3, 11), "-X dev": (3, 12)}
    return [o for o in OPTIONS if environment.interpreter.number >= since.get(o, (3, 0))]


UNGUARDABLE = {
    "development mode": ({"PYTHONDEVMODE": "1"}, "before Python 3.12 the development mode cannot"),
    "encoding": (
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        "only paths in UTF-8 can",
    ),
}


@pytest.mark.parametrize("variables, told", UNGUARDABLE.values(), ids=UNGUARDABLE)
def test_what_cannot_be_guarded_does_not_start(
    variables: dict[str, str], told: str, short: Path
) -> None:
    """The hook would decode by what a package can replace."""
    environment = environment_in(need("3.10"), short)
    command = guarded(environment, write_setup(environment, "print('ran')"), mode="watch")
    outcome = environment.run(*command, **variables)
    assert outcome == Outcome(1, "", f"safesite: {told} be guarded (guard)\n")


def test_children_of_a_build_are_watched_whatever_their_options(environment: Environment) -> None:
    program = "import os, subprocess, sys\n"
    program += "os.environ.pop('SAFESITE_GUARD', 0), os.environ.pop('SAFESITE_GUARD_RUN', 0)\n"
    program += "for options in {}:\n"
    program += "    subprocess.run([sys.executable, *options.split(), 'evil/child.py'])"
    options = options_of(environment)
    setup = write_setup(environment, *program.format(options).splitlines())
    child = setup.parent / "child.py"
    child.write_text("\n".join(reads(victim(environment))))
    outcome = alone(environment, *guarded(environment, setup, mode="watch"))
    assert outcome.out == "refused True\n" * len(options), outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_children_of_the_installer_are_builds_whatever_their_options(
    environment: Environment,
) -> None:
    program = "import os, subprocess, sys\n"
    program += "for options in {}:\n    subprocess.run([sys.executable, *options.split(), {!r}])"
    options = options_of(environment)
    setup = write_setup(environment, *reads(victim(environment)))
    command = guarded(environment, "-c", program.format(options, str(setup)), mode="watch")
    outcome = alone(environment, *command)
    assert outcome.out == "refused True\n" * len(options), outcome.err


def test_a_protected_environment(shelf: Shelf, short: Path) -> None:
    """By the environment's own pip, with the variable alone."""
    environment = environment_in(need("3.13"), short)
    shelf.put(environment, f"pip =={PIPS['3.13']}")
    script = environment.prefix / "bin" / "pip"
    script.write_text(SCRIPT.format(environment.python))
    script.chmod(0o755)
    done = environment.run(
        environment.interpreter.path, "-S", "-m", "safesite", "--protect", environment.prefix
    )
    assert done.code == 0, done.err
    archive = sdist(environment.root, "evil", "1.0", with_backend(probe(environment)))
    command = [str(environment.prefix / "bin" / "pip"), *INSTALL.split()[2:], str(archive)]
    with Terminal(environment, command, SAFESITE_GUARD="ask") as terminal:
        hook = (
            "evil 1.0 wants to run code to build itself: evil_backend, get_requires_for_build_wheel"
        )
        terminal.answer(hook, "a\r")
        wanted = f"evil 1.0 (backend/evil_backend.py:3) wants to read {victim(environment)}"
        terminal.answer(wanted, "n\r")
        assert terminal.end() == 0, terminal.shown
    assert ran(environment) == {"refused"}


STARTS = {
    "run": "subprocess.run([python, setup])",
    "run elsewhere": "subprocess.run([python, setup], cwd='/')",
    "run with files": "subprocess.run([python, setup], close_fds=False)",
    "run by name": "subprocess.run(['python', setup], env=first)",
    "run with nothing": "subprocess.run([python, setup], env={})",
    "run a script": "subprocess.run([script, setup])",
    "run a script by name": "subprocess.run(['script', setup], env=first)",
    "run a link": "subprocess.run([python.replace('/bin/', '/bin/../bin/'), setup])",
    "run with another name": "subprocess.run(['python3', setup], executable=python)",
    "run from its folder": "subprocess.run(['./python', setup], cwd=os.path.dirname(python))",
    "exec from its folder": (
        "os.chdir(os.path.dirname(python)); os.execv('python', [python, setup])"
    ),
    "spawn": "os.spawnv(os.P_WAIT, python, [python, setup])",
    "spawn with nothing": "os.spawnve(os.P_WAIT, python, [python, setup], {})",
    "posix_spawn": "os.waitpid(os.posix_spawn(python, [python, setup], {}), 0)",
    "posix_spawn by name": "os.waitpid(os.posix_spawnp('python', ['python', setup], first), 0)",
    "exec": "os.execv(python, [python, setup])",
    "exec with nothing": "os.execve(python, [python, setup], {})",
    "exec by name": "os.execvpe('python', ['python', setup], first)",
}
SHELLS = {
    "system": "os.system(python + ' ' + setup)",
    "a script": "subprocess.run(script + ' ' + setup, shell=True)",
    "with nothing": "subprocess.run(python + ' ' + setup, shell=True, env={})",
}


def another_environment(environment: Environment, start: str) -> tuple[Environment, Path]:
    """Make another environment; return it, and a program that starts a build by its Python."""
    other = environments.make(environment.interpreter, environment.root / "other")
    script = other.prefix / "bin" / "script"
    lines = ["import subprocess, sys", "subprocess.run([sys.executable, *sys.argv[1:]])"]
    script.write_text("\n".join([f"#!{other.python}", *lines, ""]))
    script.chmod(0o755)
    setup = write_setup(environment, *reads(victim(environment)), "import sys; print(sys.prefix)")
    names = {"python": str(other.python), "script": str(script), "setup": str(setup)}
    lines = ["import os, subprocess", f"globals().update({names!r})"]
    lines += [f"first = dict(os.environ, PATH={str(other.prefix / 'bin')!r})", start]
    program = environment.work / "program.py"
    program.write_text("\n".join(lines))
    return other, program


@pytest.mark.parametrize("start", some(STARTS, "run", "run by name", "exec"))
def test_the_python_of_another_environment(environment: Environment, start: str) -> None:
    """A runner's, into which it installs, is under the guard whatever way starts it."""
    other, program = another_environment(environment, start)
    path = f"{other.prefix / 'bin'}:/usr/bin:/bin"
    stock = alone(environment, environment.python, program, PATH=path)
    assert stock.out == f"took secret\n{other.prefix}\n", stock.err
    outcome = alone(environment, *guarded(environment, program, mode="watch"), PATH=path)
    assert outcome.out == f"refused True\n{other.prefix}\n", outcome.err


def test_the_python_of_another_version(environment: Environment) -> None:
    others = [v for v in ("3.10", "3.13") if v != environment.interpreter.version]
    other = environments.make(need(others[0]), environment.root / "other")
    setup = write_setup(environment, *reads(victim(environment)), "import sys; print(sys.prefix)")
    code = f"import subprocess; subprocess.run([{str(other.python)!r}, {str(setup)!r}])"
    outcome = alone(environment, *guarded(environment, "-c", code, mode="watch"))
    assert outcome.out == f"refused True\n{other.prefix}\n", outcome.err


def test_a_python_that_is_not_covered_is_named(environment: Environment) -> None:
    """Once; safesite is not for this version, and it starts as it is."""
    program = shutil.copy("/usr/bin/true", environment.work / "python3.9")
    code = f"import subprocess\nfor _ in 'ab': print(subprocess.run([{str(program)!r}]).returncode)"
    outcome = alone(environment, *guarded(environment, "-c", code))
    told = f"safesite: {program}: a Python that the guard does not cover (guard)\n"
    assert outcome == Outcome(0, "0\n0\n", told)


@pytest.mark.parametrize("start", some(SHELLS, "system"))
def test_a_shell_gets_past_unless_the_environment_is_protected(
    environment: Environment, start: str
) -> None:
    """What a shell starts, safesite does not see: this is what the README says."""
    other, program = another_environment(environment, start)
    command = guarded(environment, program, mode="watch")
    assert alone(environment, *command).out == f"took secret\n{other.prefix}\n"
    base = environment.interpreter.path
    done = environment.run(base, "-S", "-m", "safesite", "--protect", other.prefix)
    assert done.code == 0, done.err
    outcome = alone(environment, *command)
    if "env={}" not in start:
        assert outcome.out == f"refused True\n{other.prefix}\n", outcome.err


# What is no build is as it was.

UNCHANGED = {
    "exit code": "import sys; sys.exit(7)",
    "exit text": "import sys; sys.exit('text')",
    "exception": "1/0",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "terminated": "import os; os.kill(os.getpid(), 15)",
    "aborted": "import os; os.abort()",
    "interrupted": "raise KeyboardInterrupt",
    "large code": "import os; os._exit(256 + 3)",
    "stdin": "import sys; print(sys.stdin.read(), sys.stdin.buffer.raw)",
    "arguments": "import sys; print(sys.argv, sys.path, sys.flags, __name__)",
    "ignored signal": "import signal; print([signal.getsignal(n) for n in (2, 13, 15, 17, 22)])",
    "signals": "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))",
    "files": "import os; print(sorted(os.listdir('/proc/self/fd')))",
    "groups": (
        "from os import *; parent = getppid()\n"
        "print(getsid(0) == getsid(parent), getpgrp() == getpgid(parent))"
    ),
    "read": "import os; print(open(os.environ['HOME'] + '/.netrc').read(), os.system('true'))",
    "atexit": "import atexit; atexit.register(print, 'end')",
    "children": "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(1)']))",
}


@pytest.mark.parametrize("code", some(UNCHANGED, "exit code", "killed", "stdin", "children"))
def test_what_is_no_build_is_as_it_was(environment: Environment, code: str) -> None:
    program = environment.work / "program.py"
    program.write_text(code)
    launched = environment.run(*environment.launcher(), program, stdin="words")
    outcome = environment.run(*guarded(environment, program), stdin="words")
    assert outcome == launched


SIGNALS = {
    number.name: number
    for number in (
        *(signal.SIGTERM, signal.SIGHUP, signal.SIGINT),
        *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT),
    )
}


@pytest.mark.parametrize("number", some(SIGNALS, "SIGTERM", "SIGINT"))
def test_a_signal_to_the_outer_process_ends_the_inner(
    environment: Environment, number: signal.Signals
) -> None:
    """As it ends the program without the guard."""
    code = "import time; print('asleep', flush=True); time.sleep(60)"
    process = in_background(environment, guarded(environment, "-c", code))
    first_line(process)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -number
    assert running(environment.root) == []


@pytest.mark.parametrize("before", ["", 'trap "" INT TERM; '], ids=["", "ignored before"])
def test_a_signal_can_be_handled_by_the_inner_process(
    environment: Environment, before: str
) -> None:
    code = """\
import signal, time
def told(number, frame):
    raise SystemExit(number)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, told)
print("asleep", flush=True)
while True:
    time.sleep(0.1)  # one that begins between a signal and its handler is not interrupted
"""
    shell = ["/bin/sh", "-c", before + 'exec "$@"', "sh"]
    for number in (signal.SIGTERM, signal.SIGINT):
        process = in_background(environment, [*shell, *guarded(environment, "-c", code)])
        first_line(process)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == number


def test_ignored_signals_stay_ignored(environment: Environment) -> None:
    """As in a shell's background, or below nohup."""
    setup = write_setup(
        environment, "print('asleep', flush=True)", "input()", *reads(victim(environment))
    )
    program = f"import subprocess, sys; subprocess.run([sys.executable, {str(setup)!r}])"
    command = guarded(environment, "-c", program, mode="watch")
    shell = ["/bin/sh", "-c", 'trap "" INT HUP; exec "$@"', "sh", *command]
    process = subprocess.Popen(
        shell,
        cwd=environment.work,
        env=environment.environ(),
        text=True,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    first_line(process)
    for number in (signal.SIGINT, signal.SIGHUP):
        os.killpg(process.pid, number)
    out, err = process.communicate("\n", timeout=PATIENCE)
    assert (process.returncode, out) == (0, "refused True\n"), err


def test_an_ignored_ctrl_c_stays_ignored(environment: Environment) -> None:
    """As a shell without job control has it for what runs in its background."""
    lines = ["import time", "print('asleep', flush=True)", f"time.sleep({QUIET})"]
    setup = write_setup(environment, *lines, *reads(victim(environment)))
    command = guarded(environment, setup, mode="watch")
    shell = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    with Terminal(environment, shell) as terminal:
        terminal.until("asleep")
        terminal.type(INTERRUPT)
        terminal.answer(f"evil 1.0 (setup.py:5) wants to read {victim(environment)}", "n\r")
        assert terminal.end() == 0
        assert "refused True" in terminal.shown


# Wrong use.

GONE = "safesite: refused, as what would ask is gone (guard)"


OPTIONS_WRONG = {name: f"--guard={name}" for name in ("foo", "", "ASK", "ask ")}


@pytest.mark.parametrize("option", some(OPTIONS_WRONG, "foo"))
def test_an_unknown_mode_is_wrong_use(environment: Environment, option: str) -> None:
    outcome = environment.launched(option, "-c", "print('ran')")
    told = "safesite: --guard is ask, watch or deny; see --help (usage)\n"
    assert outcome == Outcome(2, "", told)


VALUES = {"word": "foo", "capitals": "ASK", "padded": " ask", "number": "1", "hostile": HOSTILE}


@pytest.mark.parametrize("value", some(VALUES, "hostile"))
def test_an_unknown_value_is_deny(environment: Environment, value: str) -> None:
    setup = write_setup(environment, "print('ran')")
    outcome = alone(environment, *environment.launcher(), setup, SAFESITE_GUARD=value)
    assert (outcome.code, outcome.out) == (1, "")
    shown = keep.quoted(value)
    told = f"safesite: SAFESITE_GUARD: unknown value {shown}, so deny is used (guard)"
    assert outcome.err.splitlines().count(told) == 1
    outcome = alone(
        environment, *environment.launcher(), "-c", START_EACH, setup, SAFESITE_GUARD=value
    )
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines().count(told) == 1


def test_no_value_is_no_guard(environment: Environment) -> None:
    setup = write_setup(environment, *reads(victim(environment)))
    outcome = alone(environment, *environment.launcher(), setup, SAFESITE_GUARD="")
    assert outcome == Outcome(0, "took secret\n", "")


NO_RUNS = {
    "a file": "/etc/passwd",
    "no path": "nonsense",
    "missing": "/nonexistent/safesite",
    "system": "/etc",
    "too long": "/" + "x" * 300,
    "odd": "\n/\udcff",
    "only a number": "/0",
    "a large number": "/etc/" + "9" * 5000,
}


@pytest.mark.parametrize("run", some(NO_RUNS, "a file", "missing", "a large number"))
@pytest.mark.parametrize("number", ["", "/0"])
def test_a_run_that_is_none_allows_nothing(environment: Environment, run: str, number: str) -> None:
    setup = write_setup(environment, *reads(victim(environment)))
    command = guarded(environment, setup, mode="watch")
    outcome = alone(environment, *command, SAFESITE_GUARD_RUN=run + number)
    if number or run == NO_RUNS["only a number"]:
        assert outcome == Outcome(1, "", f"{GONE}\n")
    else:
        assert outcome.out == "refused True\n"


FOLDERS = {
    "private": (0o700, 0),
    "all can write": (0o777, 0),
    "the group can write": (0o770, 0),
    "another user's": (0o700, 54321),
}


@pytest.mark.parametrize("folder_is", some(FOLDERS, "private", "all can write"))
@pytest.mark.parametrize("number", ["", "/0"])
def test_a_run_that_others_could_answer_allows_nothing(
    environment: Environment, trusted_folder: Path, folder_is: tuple[int, int], number: str
) -> None:
    """That of a broker that allows what is tried, whose folder others can write to."""
    mode, user = folder_is
    waits = write_setup(environment, "print('ready', flush=True)", "import time; time.sleep(60)")
    program = "import os, subprocess, sys; print(os.environ['SAFESITE_GUARD_KEY'], flush=True); "
    program += f"subprocess.run([sys.executable, {str(waits)!r}])"
    allowing = policy_with(trusted_folder, f"guard allow read {victim(environment)}")
    setup = write_setup(environment, *reads(victim(environment)), name="other")
    command = guarded(environment, "-c", program, mode="watch")
    with in_background(environment, command, **allowing) as first:
        key = first_line(first).strip()
        first_line(first)
        (name,) = leftovers(environment)
        folder = temp(environment) / name
        folder.chmod(mode)
        if user:
            if os.geteuid():
                pytest.skip("only root can give it away")
            os.chown(folder, user, -1)
        command = guarded(environment, setup, mode="watch")
        run = f"{folder}{number}"
        outcome = alone(environment, *command, SAFESITE_GUARD_RUN=run, SAFESITE_GUARD_KEY=key)
        without = alone(environment, *command, SAFESITE_GUARD_RUN=run)
        os.killpg(first.pid, signal.SIGTERM)
    told = {"": "refused True\n", "/0": ""}[number]
    is_own = (mode, user) == (0o700, 0)
    assert outcome.out == ("took secret\n" if is_own else told), outcome.err
    assert without.out == ("" if is_own else told), without.err


# The broker is killed.

ORPHAN = """\
import os, subprocess, sys, time
print("ready", flush=True)
while not os.path.exists({go!r}):
    time.sleep(0.02)
"""


def test_without_a_broker_all_is_refused(environment: Environment) -> None:
    """The build itself, its child, its child that hides the variables, and what pip starts next."""
    go = environment.markers / "go"
    wait = ORPHAN.format(go=str(go)).splitlines()
    child = write_setup(environment).parent / "child.py"
    child.write_text("\n".join(reads(victim(environment))))
    words = f"[sys.executable, '-I', {str(child)!r}]"
    children = []
    for more in ("", ", env={'PATH': '/bin'}", ", close_fds=False"):
        children += ["try:", f"    subprocess.run({words}{more})"]
        children += ["except PermissionError as exc:", "    print('refused', exc)"]
    setup = write_setup(environment, *wait, *reads(victim(environment)), *children)
    other = write_setup(environment, "print('took secret')", name="other")
    process = in_background(environment, start_each(environment, setup, other, mode="watch"))
    first_line(process)
    process.kill()
    process.wait(PATIENCE)
    go.touch()
    out, err = process.communicate(timeout=PATIENCE)
    assert "took" not in out, out
    assert "refused True" in out
    assert (out + err).count("refused, as what would ask is gone (guard)") == 4, out + err
    assert stops(environment.root)
    assert len(leftovers(environment)) == 1
    alone(environment, *guarded(environment, "-c", "0"))
    assert leftovers(environment) == []  # the next run sweeps


def test_without_a_broker_a_question_is_answered_by_no(environment: Environment) -> None:
    """It is killed while it asks; nothing stands still for ever."""
    setup = write_setup(environment, *reads(victim(environment)))
    shell = ["/bin/sh", "-c", '"$@"; read line', "sh", *start_each(environment, setup)]
    with Terminal(environment, shell) as terminal:
        terminal.answer(f"evil 1.0 wants to {TO_BUILD}", "y\r")
        terminal.until(CHOICE)
        (name,) = leftovers(environment)
        os.kill(int(name.split("-")[2]), signal.SIGKILL)
        terminal.until("refused True\r\n")
        terminal.type("\r")
        terminal.end()
        assert stops(environment.root)
    alone(environment, *guarded(environment, "-c", "0"))
    assert leftovers(environment) == []


def test_a_build_cannot_get_rid_of_the_guard_by_killing_the_broker(
    environment: Environment,
) -> None:
    child = write_setup(environment).parent / "child.py"
    child.write_text("\n".join(reads(victim(environment))))
    lines = [
        *("import os, subprocess, sys, time", "for pid in (os.getppid(),):"),
        *("    try:", "        os.kill(pid, 9)", "    except OSError:", "        pass"),
        *("time.sleep(0.1)", f"subprocess.run([sys.executable, {str(child)!r}])"),
        *("subprocess.run([sys.executable, '-c', 'import time; time.sleep(0)'])",),
        f"open({str(environment.markers / 'end')!r}, 'w')",
    ]
    setup = write_setup(environment, *lines)
    outcome = alone(environment, *guarded(environment, setup, mode="watch"))
    assert "took" not in outcome.out
    assert stops(environment.root)
    assert not (environment.markers / "end").exists()
    alone(environment, *guarded(environment, "-c", "0"))


TEMPORARY = {"long": "x" * 120, "space": "a b", "hostile": "\n\u202e\udcff", "missing": "no/folder"}


@pytest.mark.parametrize("name", some(TEMPORARY, "long", "hostile"))
def test_an_odd_temporary_folder(environment: Environment, name: str) -> None:
    folder = temp(environment) / name
    if name != TEMPORARY["missing"]:
        folder.mkdir()
    setup = write_setup(environment, *reads(victim(environment)))
    command = start_each(environment, setup, mode="watch")
    outcome = alone(environment, *command, TMPDIR=str(folder))
    assert outcome.out == "refused True\n", outcome.err
    assert not folder.exists() or list(folder.iterdir()) == []
