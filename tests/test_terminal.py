"""What a program and its user see in a real terminal: the same under safesite and stock Python.

Where lines are edited, what is drawn depends on the moment; there, what was typed writes into a
file, and this is compared.  Everything else is compared byte for byte.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from environments import Environment
from test_observables import ADDRESS, LAUNCHER, begin

PATIENCE = 60.0  # seconds until a session that says nothing is given up
PAUSE = 0.05  # seconds before something is typed
PROMPT = ">>> "
Words = tuple[str, ...]
LOG = "log = lambda *args: print(*args, file=open('log', 'a'))"


@dataclass(frozen=True)
class Session:
    """What is started, and what is typed when: pairs of a text that is shown and the answer."""

    steps: tuple[tuple[str, str], ...]
    target: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    code: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)


def typed(*lines: str, prompt: str = PROMPT) -> tuple[tuple[str, str], ...]:
    """Return the steps of a session in which each line is typed at a prompt."""
    return tuple((prompt, f"{line}\r") for line in lines)


def hold(environment: Environment, session: Session, words: Words) -> tuple[int, str]:
    """Hold a session; return how it ended, and what the terminal showed."""
    command = [str(environment.python), *session.options, *words, *session.target]
    env = {**environment.environ(), "TERM": "dumb", "PYTHONHASHSEED": "0", **session.variables}
    pid, terminal = pty.fork()
    if pid == 0:
        for number in (signal.SIGINT, signal.SIGQUIT):  # not so where the tests run in background
            signal.signal(number, signal.SIG_DFL)
        os.chdir(environment.work)
        os.execve(environment.python, command, env)
    shown = unanswered = ""
    waiting = list(session.steps)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if waiting and waiting[0][0] in unanswered:
            time.sleep(PAUSE)  # until the program that said so waits itself
            os.write(terminal, waiting.pop(0)[1].encode())
            unanswered = ""
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(terminal, 65536).decode(errors="backslashreplace")
        except OSError:  # what Linux says when the other side is closed
            break
        shown += data
        unanswered += data
    else:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), re.sub(ADDRESS, "*", shown)


XTERM = {"TERM": "xterm"}
STARTUP = {"PYTHONSTARTUP": "startup.py"}
STATE = """
import os, sys
print(sys.stdin, sys.stdout, sys.stderr, sys.stdin.isatty(), sys.stdout.line_buffering)
print(os.get_terminal_size(), hasattr(sys, "ps1"), "readline" in sys.modules, os.ttyname(0)[:9])
"""

# Programs, which show the same bytes.
SHOWN: dict[str, Session] = {
    "state": Session((), ("app.py",), files={"app.py": STATE}),
    "state-command": Session((), ("-c", STATE)),
    "state-module": Session((), ("-m", "app"), files={"app.py": STATE}),
    "coloured": Session((), ("app.py",), code=1, variables=XTERM, files={"app.py": "1/0"}),
    "coloured-syntax": Session((), ("app.py",), code=1, variables=XTERM, files={"app.py": "x = ("}),
    "coloured-command": Session((), ("-c", "1/0"), code=1, variables=XTERM),
    "coloured-module": Session((), ("-m", "app"), code=1, variables=XTERM, files={"app.py": "1/0"}),
    "input": Session(
        (("name? ", "ä\r"), ("again? ", "\x04")),
        ("-c", "print(ascii(input('name? ')))\ninput('again? ')"),
        code=1,
    ),
    "interrupted": Session(
        (("wait", "\x03"),),
        ("-c", "import time; print('wait', flush=True); time.sleep(9)"),
        code=-2,
    ),
    "interrupted-input": Session((("wait", "\x03"),), ("-c", "input('wait')"), code=-2),
    "quit": Session(
        (("wait", "\x1c"),),
        ("-c", "import time; print('wait', flush=True); time.sleep(9)"),
        code=-3,
    ),
    "pdb": Session(
        (("(Pdb) ", "p x\r"), ("(Pdb) ", "c\r")), ("-c", "x = 5\nbreakpoint()\nprint(x)")
    ),
    "stdin": Session(
        (("wait", "1\r"),),
        ("-c", "import sys; print('wait', flush=True); print(ascii(sys.stdin.readline()))"),
    ),
    "code": Session(typed("x = 5", "x", "exit()"), target=("-m", "code")),
    "prompt": Session(
        typed("x = 5", "x", "__name__", "import sys; sys.argv, sys.path[0]", "1/0", "_", "exit(3)"),
        code=3,
    ),
    "prompt-dash": Session(
        typed("import sys; sys.argv, sys.path[0]", "exit()"), target=("-", "a", "b")
    ),
    "prompt-names": Session(
        typed(
            "list(globals())",
            "__annotations__ if '__annotations__' in globals() else 0",
            "__spec__, __loader__",
            "exit()",
        )
    ),
    "prompt-quiet": Session(
        typed("import sys; sys.flags.quiet, sys.flags.interactive, sys.flags.inspect", "exit()"),
        options=("-q",),
    ),
    "prompt-isolated": Session(
        typed("import sys; sys.flags.ignore_environment", "exit()"), options=("-E",)
    ),
    "prompt-block": Session(
        (
            (PROMPT, "for x in (1, 2):\r"),
            ("... ", "    print(x)\r"),
            ("... ", "\r"),
            (PROMPT, "exit()\r"),
        )
    ),
    "prompt-wrong": Session(typed("x = )", "f = lambda: 1/0", "f()", "exit()")),
    "prompt-warns": Session(
        typed(
            "1 is 1",
            "import warnings; warnings.warn('x')",
            "'\\d'",
            "warnings.warn('x', DeprecationWarning)",
            "exit()",
        )
    ),
    "prompt-changed": Session(
        ((PROMPT, "import sys; sys.ps1 = 'mi' 'ne> '\r"), ("mine> ", "1\r"), ("mine> ", "exit()\r"))
    ),
    "prompt-hook": Session(
        typed(
            "import sys; sys.displayhook = lambda x: print('shown', x)",
            "5",
            "sys.excepthook = lambda *a: print(a[0])",
            "1/0",
            "exit()",
        )
    ),
    "prompt-exit": Session(typed("exit", "exit()")),
    "prompt-help": Session(typed("exit, quit, copyright, help", "exit()")),
    "prompt-exits-text": Session(typed("raise SystemExit('text')"), code=1),
    "prompt-ends": Session(((PROMPT, "x = 5\r"), (PROMPT, "\x04"))),
    "prompt-interrupted": Session(
        ((PROMPT, "x = 5"), ("x = 5", "\x03"), (PROMPT, "x\r"), (PROMPT, "exit()\r"))
    ),
    "prompt-interrupted-program": Session(
        (
            (PROMPT, "import time\r"),
            (PROMPT, "print('wa' 'it'); time.sleep(9)\r"),
            ("wait", "\x03"),
            (PROMPT, "exit()\r"),
        )
    ),
    "prompt-killed": Session(typed("import os; os.kill(os.getpid(), 15)"), code=-15),
    "prompt-at-exit": Session(
        typed("import atexit; atexit.register(print, 'end') and None", "exit(4)"), code=4
    ),
    "prompt-last": Session(
        typed("1/0", "import sys, traceback; sys.last_value, traceback.print_last()", "exit()")
    ),
    "prompt-coloured": Session(typed("1/0", "exit()"), variables={"FORCE_COLOR": "1"}),
    "prompt-basic": Session(
        typed("x = 5", "x", "1/0", "exit()"), variables={"PYTHON_BASIC_REPL": "1"}
    ),
    "prompt-inspect": Session(typed("x = 5", "x", "exit()"), variables={"PYTHONINSPECT": "1"}),
    "prompt-no-readline": Session(
        typed("x = 5", "import sys; 'readline' in sys.modules", "exit()"),
        files={"startup.py": "import sys; del sys.__interactivehook__"},
        variables=STARTUP,
    ),
    "startup-globals": Session(
        typed("x, 'os' in globals(), '__file__' in globals()", "exit()"),
        files={"startup.py": "import os; x = 5"},
        variables=STARTUP,
    ),
    "startup-future": Session(
        typed("exec('def f(x: undefined): pass')", "exit()"),
        files={"startup.py": "from __future__ import annotations"},
        variables=STARTUP,
    ),
    "startup-prompt": Session(
        typed("1", "exit()", prompt="mine> "),
        files={"startup.py": "import sys; sys.ps1 = 'mine> '"},
        variables=STARTUP,
    ),
    "startup-missing": Session(typed("1", "exit()"), variables=STARTUP),
    "startup-wrong": Session(
        typed("1", "exit()"), files={"startup.py": "x = ("}, variables=STARTUP
    ),
    "startup-exits": Session(
        (), code=3, files={"startup.py": "raise SystemExit(3)"}, variables=STARTUP
    ),
    "startup-latin": Session(
        typed("x", "exit()"),
        files={"startup.py": b"# coding: latin-1\nx = ascii('\xe9')"},
        variables=STARTUP,
    ),
    "inspect": Session(
        typed("x, '__file__' in globals()", "exit()"),
        target=("app.py", "a"),
        options=("-i",),
        files={"app.py": "x = 5"},
    ),
    "inspect-module": Session(
        typed("x", "exit()"), target=("-m", "app", "a"), options=("-i",), files={"app.py": "x = 5"}
    ),
    "inspect-fails": Session(
        typed("x", "exit()"),
        target=("app.py", "a"),
        options=("-i",),
        files={"app.py": "x = 5\n1/0"},
    ),
    "inspect-exits": Session(
        typed("x", "exit()"), target=("-c", "x = 5; raise SystemExit(3)"), options=("-i",)
    ),
    "inspect-alone": Session(typed("1", "exit()"), options=("-i",)),
    "inspect-variable": Session(
        typed("x", "exit()"), target=("-c", "x = 5"), variables={"PYTHONINSPECT": "1"}
    ),
    "inspect-set": Session(
        typed("x", "exit()"), target=("-c", "import os; os.environ['PYTHONINSPECT'] = '1'; x = 5")
    ),
    "asyncio": Session(
        (("import asyncio\r\n>>> ", "await asyncio.sleep(0, 5)\r"), (PROMPT, "exit()\r")),
        ("-m", "asyncio"),
    ),
}


@pytest.mark.rotated
@pytest.mark.parametrize("name", SHOWN)
def test_a_terminal_shows_the_same(environment: Environment, name: str) -> None:
    session = SHOWN[name]
    begin(environment, session.files)
    stock = hold(environment, session, ())
    begin(environment, session.files)
    launched = hold(environment, session, LAUNCHER)
    assert launched == stock
    assert stock[0] == session.code


# Line editing, which logs the same.
EDITED: dict[str, tuple[tuple[str, ...], str]] = {
    "keyword": (("impo\tsys", "log(sys.__name__)"), "sys"),
    "attribute": (("import sys", "log(sys.getrecursionlim\t)"), ""),
    "name": (("value_of_a_name = 5", "log(value_of_a_n\t)"), "5"),
    "indent": (("if 1:\r\tlog(1)\r",), "1"),
    "up": (("log(1)", "\x10"), "1\n1"),
    "left": (("log(2)\x02\x021",), "12"),
    "modules": (
        ("import sys; log(sorted(set(sys.modules) & {'readline', 'rlcompleter', '_pyrepl'}))",),
        "",
    ),
    "completer": (("import readline; log(readline.get_completer().__qualname__)",), ""),
    "history": (("import readline; log(readline.get_current_history_length())",), ""),
    "main": (
        ("import sys; log(sys.modules['__main__'].__name__, __name__, sys.argv, sys.path[0])",),
        "",
    ),
    "names": (("log(sorted(globals()))",), ""),
    "source": (("def f(): return 1\r", "import linecache; log(list(linecache.cache))"), ""),
    "flags": (("import sys; log(sys.flags.inspect, sys.flags.interactive, sys.ps1, sys.ps2)",), ""),
    "environment": (
        ("import os; log(sorted(x for x in os.environ.items() if x[0][:4] != 'SAFE'))",),
        "",
    ),
    "children": (("import os; log(os.popen('echo $PYTHONINSPECT').read())",), ""),
    "future": (
        (
            "from __future__ import annotations",
            "def f(x: undefined): pass\r",
            "log(f.__annotations__)",
        ),
        "",
    ),
}
TERMINALS = {"xterm": XTERM, "basic": {"TERM": "xterm", "PYTHON_BASIC_REPL": "1"}}


def edit(
    environment: Environment, lines: tuple[str, ...], variables: dict[str, str], words: Words
) -> tuple[int, dict[str, str]]:
    """Type lines at a prompt; return the exit code, and the files that are left."""
    begin(environment, {})
    session = Session((*typed(LOG, *lines), (PROMPT, "\x04")), variables=variables)
    code, _ = hold(environment, session, words)
    work, home = environment.work, environment.home
    left = (work / "log", home / ".python_history", work / "history")
    return code, {path.name: path.read_text() for path in left if path.exists()}


@pytest.mark.rotated
@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("name", EDITED)
def test_a_line_is_edited_the_same(environment: Environment, name: str, terminal: str) -> None:
    lines, logged = EDITED[name]
    stock = edit(environment, lines, TERMINALS[terminal], ())
    launched = edit(environment, lines, TERMINALS[terminal], LAUNCHER)
    assert launched == stock
    assert stock[0] == 0
    assert logged in stock[1]["log"]
    assert LOG in stock[1][".python_history"]


@pytest.mark.spread
def test_history_has_its_own_place(environment: Environment) -> None:
    variables = {"TERM": "xterm", "PYTHON_HISTORY": "history"}
    stock = edit(environment, ("log(1)",), variables, ())
    assert edit(environment, ("log(1)",), variables, LAUNCHER) == stock
    new = environment.interpreter.number >= (3, 13)
    assert ("history" in stock[1]) == new


@pytest.mark.spread
def test_history_is_read_again(environment: Environment) -> None:
    shown = []
    for words in ((), LAUNCHER):
        begin(environment, {})
        end = (PROMPT, "\x04")
        hold(environment, Session((*typed("'first'"), end), variables=XTERM), words)
        again = Session((*typed("\x10"), end), variables=XTERM)
        shown.append(hold(environment, again, words))
    assert shown[1] == shown[0]
    assert "'first'" in shown[0][1]
