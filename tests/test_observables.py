"""Everything that a program can observe under safesite is what it observes under stock Python.

One comparison of real processes: exit code or signal, standard output and standard error, byte for
byte.  What is compared stands in ``observables`` and ``command_lines``; what must differ, here in
DIFFERENCES, which are the rows of the README's table.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import environments
import pytest
from command_lines import COMMANDS, Command
from environments import PACKAGE, TIMEOUT, Environment
from interpreters import Interpreter
from observables import FORMS, OPTIONS, PROGRAMS, STATE, VARIABLES, Program, Run
from test_stdlib import link_base

from safesite import inert
from safesite.facts import foreign_names

LAUNCHER = ("-S", "-m", "safesite")
ARGUMENTS = ("a", "-b", "--", "-c")
ADDRESS = "0x[0-9a-f]{6,}"


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Let programs be interrupted also where the test runner is not, as in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def begin(environment: Environment, files: Mapping[str, str | bytes]) -> None:
    """Make the current directory and the home of what is started anew, with these files."""
    for folder in (environment.work, environment.home):
        shutil.rmtree(folder)
        folder.mkdir()
    (environment.work / "safesite").symlink_to(PACKAGE)
    for name, content in files.items():
        path = environment.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def execute(
    environment: Environment, run: Run, words: tuple[str, ...], target: tuple[str, ...]
) -> tuple[int, str, str]:
    """Start a target behind the launcher's words, none for stock Python; return how it ended."""
    target = tuple(word.replace("$PWD", str(environment.work)) for word in target)
    command = [str(environment.python), *run.options, *words, *target]
    if run.line:
        command = ["bash", "-c", run.line, "bash", *command]
    done = subprocess.run(
        [os.fsencode(word) for word in command],
        cwd=environment.work,
        env={**environment.environ(), "PYTHONHASHSEED": "0", **run.variables},
        input=run.stdin if isinstance(run.stdin, bytes) else run.stdin.encode(),
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    texts = [stream.decode(errors="backslashreplace") for stream in (done.stdout, done.stderr)]
    for pattern in (ADDRESS, *run.volatile):
        texts = [re.sub(pattern, "*", text) for text in texts]
    return done.returncode, texts[0], texts[1]


def start_program(
    environment: Environment, program: Program, form: str, words: tuple[str, ...]
) -> tuple[int, str, str]:
    """Run a program in one form, from files that nothing has touched yet."""
    begin(environment, program.files)
    work, text = environment.work, program.text
    data = text if isinstance(text, bytes) else text.encode()
    if form == "folder":
        (work / "folder").mkdir()
        (work / "folder" / "__main__.py").write_bytes(data)
    elif form == "zip":
        with zipfile.ZipFile(work / "app.zip", "w") as archive:
            archive.writestr("__main__.py", data)
    elif form == "stdin":
        program = replace(program, stdin=data)
    elif form != "command":
        (work / "app.py").write_bytes(data)
    target = {
        "script": ("app.py",),
        "module": ("-m", "app"),
        "command": ("-c", data.decode(errors="surrogateescape")),
        "stdin": ("-",),
        "folder": ("folder",),
        "zip": ("app.zip",),
    }[form]
    return execute(environment, program, words, (*target, *ARGUMENTS))


def start_command(
    environment: Environment, command: Command, words: tuple[str, ...]
) -> tuple[int, str, str]:
    """Run a command line, among files that nothing has touched yet."""
    begin(environment, command.files)
    if command.before:
        python = () if command.before[0] == "sh" else (str(environment.python),)
        subprocess.run(
            [*python, *command.before],
            cwd=environment.work,
            env=environment.environ() | {"PYTHON": str(environment.python)},
            check=True,
        )
    return execute(environment, command, words, command.target)


def skip_where_it_is_not(interpreter: Interpreter, run: Run) -> None:
    """Skip what a version does not have."""
    if not run.since <= interpreter.number <= run.until:
        pytest.skip(f"not on {interpreter.version}")


def chosen_forms(
    interpreter: Interpreter, program: Program, config: pytest.Config
) -> tuple[str, ...]:
    """Return all forms with --full; else one, on each version another: the six cover them all."""
    if config.getoption("--full"):
        return program.forms
    return (program.forms[interpreter.number[1] % len(program.forms)],)


def compare(environment: Environment, program: Program) -> None:
    """Check that a program is the same, stock and launched, in each of its forms."""
    skip_where_it_is_not(environment.interpreter, program)
    stock = {form: start_program(environment, program, form, ()) for form in program.forms}
    launched = {form: start_program(environment, program, form, LAUNCHER) for form in program.forms}
    assert launched == stock
    if program.code is not None:
        assert {form: outcome[0] for form, outcome in stock.items()} == dict.fromkeys(
            program.forms, program.code
        )


def in_turn(runs: Mapping[str, Run]) -> list[Any]:
    """Return names as parameters, each on one version in turn; where some lack it, on two."""
    everywhere = Run()
    return [
        pytest.param(
            name,
            marks=pytest.mark.rotated
            if (run.since, run.until) == (everywhere.since, everywhere.until)
            else pytest.mark.rotated(3),
        )
        for name, run in runs.items()
    ]


@pytest.mark.parametrize("name", in_turn(PROGRAMS))
def test_a_program_is_the_same(
    environment: Environment, name: str, request: pytest.FixtureRequest
) -> None:
    program = PROGRAMS[name]
    forms = chosen_forms(environment.interpreter, program, request.config)
    compare(environment, replace(program, forms=forms))


@pytest.mark.parametrize("name", in_turn(OPTIONS | VARIABLES))
def test_options_and_variables_reach_the_program(environment: Environment, name: str) -> None:
    run = (OPTIONS | VARIABLES)[name]
    program = Program(
        STATE, code=None, options=run.options, variables=run.variables, forms=("script",)
    )
    compare(environment, program)


@pytest.mark.parametrize("name", in_turn(COMMANDS))
def test_a_command_line_is_the_same(environment: Environment, name: str) -> None:
    command = COMMANDS[name]
    skip_where_it_is_not(environment.interpreter, command)
    stock = start_command(environment, command, ())
    launched = start_command(environment, command, LAUNCHER)
    assert launched == stock
    if command.code is not None:
        assert stock[0] == command.code


@dataclass(frozen=True)
class Difference:
    """A row of the README's table, and what shows it.

    ``stock`` and ``launched`` are patterns of which each is found in its own output alone.
    """

    shown_by: Program | Command
    stock: str
    launched: str


NO_SAFESITE = r"\A(?![\s\S]*safesite)"
SITE_PACKAGES = "../venv/lib/python$VERSION/site-packages"
PART = """\
import ns
try:
    import ns.part
except ImportError:
    print("none")
else:
    print("part")
"""
FINDER = "__editable___x_finder"
HELPER = """\
import sys
from importlib.machinery import ModuleSpec
MAPPING: dict[str, str] = {"ns": "project/ns"}
NAMESPACES: dict[str, list[str]] = {}


class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return ModuleSpec(name, cls) if name == "ns.part" else None

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        pass


def install():
    sys.meta_path.append(Finder)
"""
NAMESPACE_LINE = inert.NAMESPACE + inert.NEWER_NAMESPACE.format(parts=("ns",), name="ns") + "\n"

DIFFERENCES: dict[str, dict[str, Difference]] = {
    "`sys.flags.no_site` is 1, and `safesite`, `runpy` and what it needs are in `sys.modules`": {
        "no_site": Difference(
            Program("import sys\nprint(sys.flags.no_site, len(sys.flags))"),
            r"^0 \d+$",
            r"^1 \d+$",
        ),
        "safesite": Difference(
            Program("import sys\nprint('safesite' in sys.modules)"), "^False$", "^True$"
        ),
        "a file types.py": Difference(
            Command(
                ("sub/app.py",), files={"sub/app.py": "import types", "sub/types.py": "print(1)"}
            ),
            "^1$",
            r"\A\Z",
        ),
    },
    "`sys.executable`, `sys.orig_argv[0]` and the variable `SAFESITE_EXECUTABLE` name the"
    " interpreter launcher, a script, whose path `os.path.normpath` leaves as it is; `subprocess`"
    " has a `getattr` of its own": {
        "executable": Difference(
            Program("import sys\nprint(sys.executable)"),
            r"venv/bin/python$",
            r"venv/bin/[./]+/\S+/safesite/command/bin/python$",
        ),
        "orig_argv": Difference(
            Program("import sys\nprint(sys.orig_argv[0])"), NO_SAFESITE, "safesite"
        ),
        "SAFESITE_EXECUTABLE": Difference(
            Program("import os\nprint(os.environ.get('SAFESITE_EXECUTABLE'))"), "^None$", "safesite"
        ),
        "abspath": Difference(
            Program("import os, sys\nprint('..' in os.path.abspath(sys.executable))"),
            "^False$",
            "^True$",
        ),
        "architecture": Difference(
            Program("import platform\nprint(platform.architecture()[1])"), "^ELF$", r"\A\n"
        ),
        "getattr": Difference(
            Program("import subprocess\nprint(hasattr(subprocess, 'getattr'))"),
            "^False$",
            "^True$",
        ),
    },
    "a child that is given an environment without `PWD` has it, and has no variable whose name no"
    " shell would take": {
        "PWD": Difference(
            Program(
                "import subprocess, sys\ncode = 'import os; print(os.environ)'\n"
                "subprocess.run([sys.executable, '-c', code], env={})"
            ),
            r"\A(?![\s\S]*PWD)",
            "PWD",
        ),
        "odd name": Difference(
            Program(
                "import os, subprocess, sys\ncode = 'import os; print(os.environ.get(\"A-B\"))'\n"
                "os.environ['A-B'] = 'value'\nsubprocess.run([sys.executable, '-c', code])"
            ),
            "^value$",
            "^None$",
        ),
    },
    "what looks below the first frame of the program (stack walkers, `stacklevel` at module level,"
    " `faulthandler`) sees the launcher's frames": {
        "frame": Difference(
            Program("import sys\nprint(sys._getframe().f_back)", forms=("script", "command")),
            "^None$",
            "^<frame at ",
        ),
        "stack": Difference(
            Program("import traceback\ntraceback.print_stack()"), NO_SAFESITE, "safesite"
        ),
        "stacklevel": Difference(
            Program(
                "import warnings\nwarnings.warn('text', stacklevel=2)", forms=("script", "stdin")
            ),
            r"^<?sys>?:\d: UserWarning: text$",
            r"safesite/\w+\.py:\d+: UserWarning: text$",
        ),
        "faulthandler": Difference(
            Program("import faulthandler\nfaulthandler.dump_traceback()"),
            NO_SAFESITE,
            "safesite",
        ),
        "tracemalloc": Difference(
            Program("x = open('left-open', 'w')\nx = 1", options=("-Xtracemalloc=9", "-Wd")),
            NO_SAFESITE,
            "safesite",
        ),
        "recursion": Difference(
            Program("def recurse():\n    recurse()\nrecurse()", code=1),
            r"line repeated 99\d more times",
            r"line repeated 98\d more times",
        ),
    },
    "a script in the environment's own `bin` does not find its neighbours there": {
        "neighbour": Difference(
            Command(
                ("../venv/bin/tool",),
                code=None,
                files={
                    "../venv/bin/tool": "import neighbour",
                    "../venv/bin/neighbour.py": "print('found')",
                },
            ),
            "^found$",
            "ModuleNotFoundError: No module named 'neighbour'",
        )
    },
    "names of other platforms' modules are `None` in `sys.modules`; a module of your own with such"
    " a name is hidden": {
        "names": Difference(
            Program("import sys\nprint(sys.modules.get('winreg', 'missing'))"), "missing", "None"
        ),
        "own": Difference(
            Program("import nt", code=None, files={"nt.py": "print('own')"}, forms=("script",)),
            "^own$",
            "ModuleNotFoundError: ",
        ),
        "text": Difference(
            Program("import msvcrt", code=1, until=(3, 14)),
            "No module named 'msvcrt'",
            "import of msvcrt halted; None in sys.modules",
        ),
    },
    "on 3.15, a formatted `ModuleNotFoundError` (`traceback.format_exc()`, `logging`, the prompt)"
    " ends with advice about `-S`; an uncaught one does not": {
        "advice at the prompt": Difference(
            Command((), options=("-iq",), stdin="import nosuch\n", since=(3, 15)),
            "No module named 'nosuch'$",
            "No module named 'nosuch'.*Site initialization is disabled",
        ),
        "advice": Difference(
            Program(
                "import traceback\ntry:\n    import nosuch\nexcept ImportError:\n"
                "    print(traceback.format_exc())",
                since=(3, 15),
            ),
            "No module named 'nosuch'$",
            "No module named 'nosuch'.*Site initialization is disabled",
        ),
    },
    "after a report the variable `SAFESITE_HINTED` is set": {
        "hint": Difference(
            Program(
                "import os, site\nsite.addsitedir('extra')\nos.system('echo [$SAFESITE_HINTED]')",
                files={"extra/foo.pth": "import os\n"},
            ),
            r"^\[\]$",
            r"^\[1,[0-9a-f]{16}\]$",
        )
    },
    '`importlib.reload(site)` and `runpy.run_module("site")` bring the original functions back': {
        "reload": Difference(
            Program(
                "import importlib, site\nbefore = site.main.__code__.co_filename\n"
                "importlib.reload(site)\nprint(site.main.__code__.co_filename == before)"
            ),
            "^True$",
            "^False$",
        )
    },
    "up to 3.13 the startup files of a virtual environment are read once, not twice": {
        "reading": Difference(
            Command(
                ("-c", ""),
                options=("-v",),
                files={f"{SITE_PACKAGES}/foo.pth": "import os\n"},
                line='"$@" 2>&1 | grep -c "^Processing .pth.*foo.pth"; "$@" 2>/dev/null',
                until=(3, 13),
            ),
            "^2$",
            "^1$",
        )
    },
    "where an editable install is deferred, one or two finders of safesite stand on "
    "`sys.meta_path`, and what it adds to `sys.modules`, `sys.path` and `sys.path_hooks` is "
    "not there before the first import that needs it": {
        "module": Difference(
            Command(
                ("-c", "import sys; print('_editable_impl_x' in sys.modules)"),
                files={
                    f"{SITE_PACKAGES}/x.pth": "import _editable_impl_x\n",
                    f"{SITE_PACKAGES}/_editable_impl_x.py": "",
                },
            ),
            "^True$",
            "^False$",
        ),
        "finder": Difference(
            Command(
                ("-c", "import sys; print(*sys.meta_path)"),
                files={
                    f"{SITE_PACKAGES}/x.pth": "import _editable_impl_x\n",
                    f"{SITE_PACKAGES}/_editable_impl_x.py": "",
                },
            ),
            NO_SAFESITE,
            "safesite",
        ),
    },
    "an installed package hides an editable one of the same name, also below it: with "
    "`ns/__init__.py` in site-packages, an editable `ns.part` is not found": {
        "hidden": Difference(
            Command(
                ("-c", PART),
                files={
                    f"{SITE_PACKAGES}/ns/__init__.py": "",
                    f"{SITE_PACKAGES}/x.pth": f"import {FINDER}; {FINDER}.install()\n",
                    f"{SITE_PACKAGES}/{FINDER}.py": HELPER,
                },
            ),
            "^part$",
            "^none$",
        )
    },
    "where a line for a namespace package is inert, a package or module of that name "
    "elsewhere on `sys.path` comes first, also one in the program's own folder; with the "
    "line, the namespace package does": {
        "first": Difference(
            Command(
                ("-c", "import ns; print(getattr(ns, '__file__', None) is None)"),
                files={
                    "ns/__init__.py": "",
                    f"{SITE_PACKAGES}/ns/one.py": "",
                    f"{SITE_PACKAGES}/ns-nspkg.pth": NAMESPACE_LINE,
                },
            ),
            "^True$",
            "^False$",
        )
    },
    "a program on a pipe whose first lines name an encoding other than UTF-8 runs": {
        "cookie": Difference(
            Program("# coding: latin-1\nprint('ran')", code=None, forms=("stdin",)),
            "SyntaxError: encoding problem|OSError: .* Illegal seek",
            "^ran$",
        )
    },
}


@pytest.fixture(scope="session")
def furnished(interpreter: Interpreter, tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    """A base that has safesite beside its standard library."""
    folder = tmp_path_factory.mktemp("base")
    base = link_base(interpreter, folder)
    library = next((folder / "lib").iterdir())
    (library / "safesite").symlink_to(PACKAGE)
    return base


@pytest.fixture
def isolated(furnished: Interpreter, tmp_path: Path) -> Environment:
    """An environment in which ``-m safesite`` is found without the current directory."""
    return environments.make(furnished, tmp_path / "environment")


@pytest.mark.spread
@pytest.mark.parametrize(
    "name, options",
    [("state", "-I"), ("state", "-P"), ("state", "-IO"), ("syntax", "-I"), ("processes", "-I")],
)
def test_a_program_is_the_same_where_nothing_unsafe_is_searched(
    isolated: Environment, name: str, options: str, request: pytest.FixtureRequest
) -> None:
    if "P" in options and isolated.interpreter.number < (3, 11):
        pytest.skip("-P is new in 3.11")
    program = PROGRAMS[name]
    if not request.config.getoption("--full"):  # half of the forms: the oldest's, the newest's
        forms = program.forms[isolated.interpreter.number[1] % 2 :: 2]
        program = replace(program, forms=forms)
    hash_differs = (r"(?m)^hash = .*$",) if "E" in options or "I" in options else ()
    compare(isolated, replace(program, options=(options,), code=None, volatile=hash_differs))


@pytest.mark.spread
def test_a_program_is_the_same_under_pythonsafepath(isolated: Environment) -> None:
    if isolated.interpreter.number < (3, 11):
        pytest.skip("new in 3.11")
    compare(isolated, replace(PROGRAMS["state"], code=None, variables={"PYTHONSAFEPATH": "1"}))


@pytest.mark.spread
def test_only_what_starts_safesite_is_loaded_besides(environment: Environment) -> None:
    program = Program("import sys\nprint(*sys.modules)")
    runpy = "import sys, runpy; print(*sys.modules, sep=' ')"
    needed = set(environment.stock("-I", "-S", "-c", runpy).out.split())
    needed |= {"safesite", "safesite.run", *foreign_names(os.name, sys.platform)}
    if environment.interpreter.has_sitecustomize:  # a policy might allow it, if there is one
        needed |= {"safesite.lookout"}
    for form in FORMS:
        stock = set(start_program(environment, program, form, ())[1].split())
        launched = set(start_program(environment, program, form, LAUNCHER)[1].split())
        assert launched - stock <= needed
        assert stock - launched <= {"sitecustomize"}  # Debian's, which safesite refuses


SHOWN = {f"{name}": shown for row in DIFFERENCES.values() for name, shown in row.items()}


@pytest.mark.spread
@pytest.mark.parametrize("name", SHOWN)
def test_what_differs_differs_as_documented(
    environment: Environment, name: str, request: pytest.FixtureRequest
) -> None:
    shown = SHOWN[name]
    run = shown.shown_by
    skip_where_it_is_not(environment.interpreter, run)
    files = {
        path.replace("$VERSION", environment.interpreter.version): content
        for path, content in run.files.items()
    }
    outputs = []
    for words in ((), LAUNCHER):
        if isinstance(run, Command):
            outputs.append([start_command(environment, replace(run, files=files), words)])
        else:
            forms = chosen_forms(environment.interpreter, run, request.config)
            outputs.append([start_program(environment, run, form, words) for form in forms])
    for stock, launched in zip(*outputs, strict=True):
        texts = [outcome[1] + outcome[2] for outcome in (stock, launched)]
        found = [
            [bool(re.search(pattern, text, re.MULTILINE)) for text in texts]
            for pattern in (shown.stock, shown.launched)
        ]
        assert found == [[True, False], [False, True]], texts
        assert run.code is None or (stock[0], launched[0]) == (run.code, run.code)


def test_the_readme_lists_what_differs() -> None:
    readme = (PACKAGE.parent / "README.md").read_text("utf-8")
    table = readme.partition("## What differs from `python app.py`\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if "|" in line]
    assert set(rows[2:]) == set(DIFFERENCES)
