"""Real programs under the launcher, in environments from the registry: all is as under stock.

Each program runs twice in the same fresh folder, by the same command, stock and launched.  Exit
code, both outputs and the files left behind are compared.  A startup file that leaves a marker, and
is refused by name, shows that the first was stock and the second under safesite.

What differs and does not show here: ``sys.flags.no_site``, ``sys.orig_argv``, and a script in the
environment's ``bin`` does not find its neighbours there (the design's choice: wheels write there).
"""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import environments
import interpreters
import pytest
from environments import Environment, Outcome
from installers import PIP, Builder, make_once, run_pip
from interpreters import VERSIONS, Interpreter

PACKAGES = ("black >=26,<27", "flask >=3.1,<4", "pytest >=9,<10", "pytest-cov >=7,<8")
WHEEL = "tabulate ==0.9.0"  # pure Python, without dependencies, with a script

MARKER_LINE = "import os; open(os.path.join(os.environ['MARKERS'], str(os.getpid())), 'w').close()"
SHOWN_LINE = '"' + MARKER_LINE[:75] + '..."'

# The oldest and the newest: that keeps the environments few, of which each worker has its own.
pytestmark = pytest.mark.parametrize(
    "interpreter",
    [v if v in ("3.10", "3.15") else pytest.param(v, marks=pytest.mark.full) for v in VERSIONS],
    indirect=True,
)

PROJECT = {
    "app.py": """\
from flask import Flask, request

app = Flask(__name__)


@app.get("/hello")
def hello() -> str:
    return f"hello {request.args['name']}\\n"
""",
    "long.py": "numbers = {'one':1,\n  'two':2}\n",
    "short.py": "x=1\n",
    "coverage.ini": "[run]\ndata_file = project/data\n",
    "suite/code_under_test.py": """\
def half(number: int) -> int:
    if number % 2:
        raise ValueError(number)
    return number // 2


def unused() -> None:
    print("unused")
""",
    "suite/pytest.ini": "[pytest]\n",
    "suite/test_code.py": """\
import sys
import warnings

import pytest

from code_under_test import half


@pytest.mark.parametrize("number", [2, 4])
def test_half(number: int) -> None:
    assert half(number) * 2 == number


def test_wrong() -> None:
    result = half(2)
    assert result == 3


def test_raises() -> None:
    half(1)


def test_warns() -> None:
    warnings.warn("a warning of the suite")


def test_prints(capsys: pytest.CaptureFixture[str]) -> None:
    print("out", sys.argv)
    assert capsys.readouterr().out.startswith("out")


@pytest.mark.xfail(reason="not yet")
def test_later() -> None:
    raise RuntimeError
""",
}

TELL_PREFIX = "import sys; print(sys.prefix)"
LAUNCHER = ("-S", "-m", "safesite")

# What no two runs have in common, stock or not.
VOLATILE = (
    (re.compile(r"\bin \d+\.\d\ds\b"), "in N.NNs"),  # pytest's duration
    (re.compile(r"\[\d\d/\w{3}/\d{4} \d\d:\d\d:\d\d\]"), "[TIME]"),  # a request in a server's log
    (re.compile(r"\b(127\.0\.0\.1:|port )\d+"), r"\1PORT"),
)


@dataclass(frozen=True)
class Tools:
    """What is fetched for all interpreters: a new pip, and the wheel that it will install."""

    folder: Path

    def wheel(self, name: str) -> Path:
        """Return the wheel of a project."""
        (path,) = self.folder.glob(f"{name}-*.whl")
        return path

    def fetch(self) -> None:
        """Download with the test runner's own pip, of which any version will do."""
        download = ("download", "--quiet", "--no-deps", "--only-binary=:all:")
        pip = (sys.executable, "-m", "pip")
        run_pip("download two wheels", *pip, *download, "--dest", self.folder, PIP, WHEEL)

    def install(self, environment: Environment, builder: Builder) -> None:
        """Install the programs, and a startup file that leaves a marker."""
        uv = (builder.uv, "pip", "install", "--quiet", "--python", environment.python)
        what = f"the programs on {environment.interpreter.version}"
        builder.run(what, *uv, self.wheel("pip"), *PACKAGES)
        (environment.site_packages / "marker.pth").write_text(f"{MARKER_LINE}\n")


@pytest.fixture(scope="session")
def tools(shared: Path) -> Tools:
    """The tools, fetched once."""
    tools = Tools(shared / "tools")
    make_once(tools.folder, tools.fetch)
    return tools


def wanted(session: pytest.Session) -> list[Interpreter]:
    """Return the interpreters that tests of programs were selected for, in the tests' order."""
    chosen = [
        item.callspec.params["interpreter"]
        for item in session.items
        if isinstance(item, pytest.Function) and "programs" in item.fixturenames
    ]
    found = (interpreters.find(version) for version in dict.fromkeys(chosen))
    return [interpreter for interpreter in found if interpreter]


@pytest.fixture(scope="session")
def installing(
    request: pytest.FixtureRequest, shared: Path, tools: Tools, builder: Builder
) -> Iterator[dict[Interpreter, Future[Path]]]:
    """Begin to install for all interpreters: most of it is waiting for the registry."""

    def install(interpreter: Interpreter) -> Path:
        root = shared / f"programs-{interpreter.version.replace('.', '-')}"
        make_once(root, lambda: tools.install(environments.make(interpreter, root), builder))
        return root

    pool = ThreadPoolExecutor(max_workers=2)
    yield {
        interpreter: pool.submit(install, interpreter) for interpreter in wanted(request.session)
    }
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def programs(
    interpreter: Interpreter,
    installing: dict[Interpreter, Future[Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Environment:
    """An environment with the programs: this worker's own, as tests change what is in it."""
    root = tmp_path_factory.mktemp("programs") / "environment"
    shutil.copytree(installing[interpreter].result(), root, symlinks=True)
    return Environment(interpreter, root, {"TMPDIR": str(root / "tmp")})


def begin(environment: Environment) -> None:
    """Make the project, the home and the folder for temporary files anew; remove markers."""
    environment.ran()
    for folder in (project(environment), environment.home, environment.root / "tmp"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for name, text in PROJECT.items():
        path = project(environment) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def project(environment: Environment) -> Path:
    """Return the folder that programs work on."""
    return environment.work / "project"


def files(folder: Path) -> dict[str, bytes | str]:
    """Return what is in a folder, by name: bytes of files, targets of links.

    Left out is what holds times: bytecode and coverage's data.  The interpreter launcher, which is
    sys.executable, stands as the interpreter that it starts.
    """
    found: dict[str, bytes | str] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file() and path.suffix != ".pyc" and path.name != ".coverage":
            found[name] = without_launcher(path.read_bytes())
    return found


def without_launcher(data: bytes) -> bytes:
    """Replace the launcher's path by Python's, also where it is too long for a script's first line.

    The hash of such a script, in a RECORD, is left out; so is what nothing reads of a pyvenv.cfg,
    the real path of sys.executable.
    """
    data = re.sub(rb"(/bin)/[./]+/\S*?/safesite/command/bin(/python)", rb"\1\2", data)
    long = rb"""\A#!/bin/sh\n'{3}exec' (\S+) "\$0" "\$@"\n' '{3}\n"""
    data = re.sub(long, rb"#!\1\n", data)
    data = re.sub(rb"(?m)^executable = .*\n", b"", data)
    return re.sub(rb"(/bin/\w+),sha256=\S+", rb"\1", data)


def normalised(text: str) -> list[str]:
    """Return the lines of a program's output without what is different in each run."""
    for pattern, replacement in VOLATILE:
        text = pattern.sub(replacement, text)
    return text.splitlines(keepends=True)


def assert_was_stock(environment: Environment, outcome: Outcome) -> None:
    """Check that the program ran under stock Python: the startup file left markers."""
    assert environment.ran() != []
    assert outcome.reports == []


def assert_was_launched(environment: Environment, outcome: Outcome) -> None:
    """Check that the program ran under safesite: the startup file was refused, once, by name."""
    assert environment.ran() == []
    start = f"safesite: {environment.site_packages}/marker.pth:"
    reports = [line for line in outcome.reports if line.startswith(start)]
    assert reports == [f"{start}1: refused import line: {SHOWN_LINE} (import-line)"]


def assert_same_outcome(stock: Outcome, launched: Outcome, *, in_any_order: bool = False) -> None:
    """Check that two runs ended alike and printed the same, safesite's own lines apart."""
    order = sorted if in_any_order else list
    assert order(normalised(launched.out)) == order(normalised(stock.out))
    assert order(normalised(launched.other_err)) == order(normalised(stock.err))
    assert launched.code == stock.code


def run_both(
    environment: Environment, *args: str | Path, stdin: str = "", in_any_order: bool = False
) -> Outcome:
    """Run a program stock and launched, check that nothing differs, return stock's outcome."""
    begin(environment)
    stock = environment.run(environment.python, *args, stdin=stdin)
    left = files(project(environment))
    assert_was_stock(environment, stock)
    begin(environment)
    launched = environment.run(environment.python, *LAUNCHER, *args, stdin=stdin)
    assert_was_launched(environment, launched)
    assert_same_outcome(stock, launched, in_any_order=in_any_order)
    assert files(project(environment)) == left
    return stock


# What is run, its exit code, and something that it says.
COMMANDS = {
    "pip-module": ("-m pip --version", 0, r"^pip 26\S* from .*/site-packages/pip \(python 3"),
    "pip-script": ("{bin}/pip --no-such", 2, r"^  pip <command> \[options\]$"),
    "black-module": ("-m black --no-such", 2, r"^Usage: python -m black \[OPTIONS\]"),
    "black-script": ("{bin}/black --check project/long.py", 1, r"^would reformat project/long"),
    "pytest-script": ("{bin}/pytest -q project/suite", 1, r"^2 failed, 4 passed, 1 xfailed, 1 w"),
    "pytest-plugin": (
        "-m pytest --cov=project --cov-report=term-missing project/suite",
        1,
        r"^project/suite/code_under_test\.py +6 +1 +83% +8$",
    ),
}


@pytest.mark.parametrize("command, code, said", COMMANDS.values(), ids=COMMANDS)
def test_command(programs: Environment, command: str, code: int, said: str) -> None:
    stock = run_both(programs, *command.format(bin=programs.prefix / "bin").split())
    assert stock.code == code
    assert re.search(said, stock.out + stock.err, re.MULTILINE)


def test_black_reads_standard_input(programs: Environment) -> None:
    assert run_both(programs, "-m", "black", "-q", "-", stdin="x=1").out == "x = 1\n"


@pytest.mark.parametrize("target", [("-m", "black"), ("{bin}/black",)], ids=["module", "script"])
def test_black_in_processes(programs: Environment, target: tuple[str, ...]) -> None:
    """Several files are formatted by multiprocessing's children, in an order that is not fixed."""
    black = [part.format(bin=programs.prefix / "bin") for part in target]
    stock = run_both(programs, *black, "project", in_any_order=True)
    assert "2 files reformatted, 3 files left unchanged." in stock.err


def test_pip_install(programs: Environment, tools: Tools) -> None:
    """A wheel with a script, whose first line names Python: under safesite, its launcher."""
    install = ("-m", "pip", "install", "--no-index", "--no-deps", "--prefix", "project/prefix")
    stock = run_both(programs, *install, tools.wheel("tabulate"))
    assert stock.out.endswith("Successfully installed tabulate-0.9.0\n")
    script = project(programs) / "prefix" / "bin" / "tabulate"
    assert without_launcher(script.read_bytes()).startswith(f"#!{programs.python}\n".encode())
    site = project(programs) / "prefix" / "lib" / programs.site_packages.parent.name
    outcome = programs.run(script, "--version", PYTHONPATH=str(site / "site-packages"))
    assert_was_launched(programs, outcome)


def test_venv(programs: Environment) -> None:
    """What ``venv`` makes is the same, down to its configuration, and works."""
    assert run_both(programs, "-m", "venv", "--without-pip", "project/new").code == 0
    prefix = project(programs) / "new"
    assert programs.run(prefix / "bin" / "python", "-c", TELL_PREFIX).out == f"{prefix}\n"


@pytest.mark.full
def test_venv_with_pip(programs: Environment) -> None:
    """The same with pip, which the new Python installs."""
    assert run_both(programs, "-m", "venv", "project/new").code == 0
    python = project(programs) / "new" / "bin" / "python"
    told = programs.run(python, "-m", "pip", "--version").out
    assert re.match(rf"pip \S+ from {re.escape(str(python.parents[1]))}/lib/", told)


def test_coverage_does_not_start_itself(programs: Environment) -> None:
    """The startup file of coverage measures each Python that has a variable; here it is refused."""
    configuration, data = "project/coverage.ini", project(programs) / "data"
    begin(programs)
    programs.stock("project/short.py", COVERAGE_PROCESS_START=configuration)
    assert data.exists()
    data.unlink()
    outcome = programs.launched("project/short.py", COVERAGE_PROCESS_START=configuration)
    assert not data.exists()
    assert (outcome.code, outcome.out, outcome.other_err) == (0, "", "")
    start = f"safesite: {programs.site_packages}/a1_coverage.pth:1: refused import line: "
    assert [line for line in outcome.reports if line.startswith(start)] != []


@dataclass(frozen=True)
class Served:
    """How a server ended, and what it answered: status, headers and body of each request."""

    outcome: Outcome
    answers: list[tuple[int, list[tuple[str, str]], bytes]]


def get(port: int, path: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Request a path from a server on this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=environments.TIMEOUT)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        headers = [(n, v) for n, v in response.getheaders() if n not in ("Date", "Last-Modified")]
        return response.status, headers, response.read()
    finally:
        connection.close()


def port_of(stream: IO[bytes]) -> tuple[int, bytes]:
    """Read a server's output up to the line with its port; return this, and what was read."""
    read = b""
    while line := stream.readline():
        read += line
        if found := re.search(rb"(?:127\.0\.0\.1:|port )(\d+)", line):
            return int(found[1]), read
    pytest.fail(f"no server has started:\n{read.decode()}", pytrace=False)


def serve(environment: Environment, *command: str | Path, says: str, paths: list[str]) -> Served:
    """Start a server, send it requests, and end it as Ctrl+C does.

    ``says`` names the stream on which it tells its port.
    """
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=environment.work,
        env=environment.environ() | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # so that nothing read too far is lost to communicate()
    ) as process:
        alarm = threading.Timer(environments.TIMEOUT, process.kill)
        alarm.start()
        try:
            port, read = port_of(getattr(process, says))
            answers = [get(port, path) for path in paths]
            process.send_signal(signal.SIGINT)
            out, err = process.communicate()
        finally:
            alarm.cancel()
            process.kill()
    texts = {"stdout": out, "stderr": err}
    texts[says] = read + texts[says]
    outcome = Outcome(process.returncode, texts["stdout"].decode(), texts["stderr"].decode())
    return Served(outcome, answers)


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Let servers be interrupted also where the test runner is not, as in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


SERVERS = {
    "flask": (
        "-m flask --app project/app.py run --port 0",
        "stderr",
        {"/hello?name=world": (200, b"hello world\n"), "/no": (404, b"Not Found")},
    ),
    "http.server": (
        "-m http.server --bind 127.0.0.1 --directory project 0",
        "stdout",
        {"/short.py": (200, b"x=1\n"), "/no": (404, b"File not found"), "/": (200, b"app.py")},
    ),
}


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("command, says, answers", SERVERS.values(), ids=SERVERS)
def test_server(
    programs: Environment, command: str, says: str, answers: dict[str, tuple[int, bytes]]
) -> None:
    """A server answers alike, logs alike, and ends alike when it is interrupted."""
    args, paths = command.split(), list(answers)
    begin(programs)
    stock = serve(programs, programs.python, *args, says=says, paths=paths)
    assert_was_stock(programs, stock.outcome)
    begin(programs)
    launched = serve(programs, programs.python, *LAUNCHER, *args, says=says, paths=paths)
    assert_was_launched(programs, launched.outcome)
    assert_same_outcome(stock.outcome, launched.outcome)
    assert launched.answers == stock.answers
    for (status, part), answer in zip(answers.values(), stock.answers, strict=True):
        assert answer[0] == status
        assert part in answer[2]
