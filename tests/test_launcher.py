"""The command line of ``python -S -m safesite``, and that a target runs as under stock Python.

The full comparison of everything that a program can observe has its own place in the plan; here
stand the targets of the command line, how they end, and what the launcher refuses.
"""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import environments
import interpreters
import pytest
from environments import PACKAGE, Environment
from interpreters import Interpreter

pytestmark = pytest.mark.spread

TELL = """\
import sys
names = {k: v if isinstance(v, (str, type(None), dict)) else str(type(v)) for k, v in list(globals().items())}
main = sys.modules["__main__"]
print(ascii([list(names), names, sys.argv, sys.path, vars(main) is globals(), __name__]))
"""  # noqa: E501 - a program


def write_targets(environment: Environment) -> None:
    """Write one program as a script, module, package, folder, zip file and bytecode."""
    work = environment.work
    (work / "app.py").write_text(TELL)
    for folder in ("package", "folder", "sub"):
        (work / folder).mkdir()
    (work / "package" / "__init__.py").write_text("")
    (work / "package" / "__main__.py").write_text(TELL)
    (work / "folder" / "__main__.py").write_text(TELL)
    (work / "sub" / "deep.py").write_text(TELL)
    (work / "link.py").symlink_to("sub/deep.py")
    (work / "-odd.py").write_text(TELL)
    with zipfile.ZipFile(work / "app.zip", "w") as archive:
        archive.writestr("__main__.py", TELL)
    code = "import py_compile; py_compile.compile('app.py', 'app.pyc')"
    environment.run(environment.python, "-I", "-S", "-c", code)


TARGETS = [
    ["app.py", "a", "-b", "--", "-c"],
    ["./app.py"],
    ["sub/deep.py"],
    ["link.py"],
    ["app.pyc", "x"],
    ["-m", "app", "a", "-m"],
    ["-mapp", "a"],
    ["-m", "package", "x"],
    ["-m", "package.__main__"],
    ["-c", TELL, "a", "-c"],
    ["-c" + TELL, "a"],
    ["folder", "x"],
    ["./folder"],
    ["app.zip", "x"],
    ["-", "x"],
    ["--", "app.py", "a", "--"],
    ["--", "-odd.py", "a"],
]


@pytest.mark.rotated
@pytest.mark.parametrize("options", [[], ["-I"], ["-P"], ["-O"]], ids=["plain", "I", "P", "O"])
def test_a_target_sees_what_stock_shows_it(environment: Environment, options: list[str]) -> None:
    if options == ["-P"] and environment.interpreter.number < (3, 11):
        pytest.skip("-P is new in 3.11")
    write_targets(environment)
    for target in TARGETS:
        stdin = TELL if target[0] == "-" else ""
        stock = environment.run(environment.python, *options, *target, stdin=stdin)
        launched = launch(environment, options, target, stdin)
        assert launched.out.replace("link_to_safesite", "") == stock.out, target
        assert (launched.code, launched.err) == (stock.code, stock.err), target


def launch(
    environment: Environment, options: list[str], target: list[str], stdin: str = ""
) -> environments.Outcome:
    """Run a target, also where the current directory is not searched for safesite."""
    python = environment.python
    if not {"-I", "-P"} & set(options):
        return environment.run(python, *options, "-S", "-m", "safesite", *target, stdin=stdin)
    return environment.run(python, *options, "-S", "-c", IMPORT_AND_GO, *target, stdin=stdin)


IMPORT_AND_GO = f"""\
import sys, runpy
sys.path.insert(0, {str(PACKAGE.parent)!r})
import safesite
del sys.path[0]
sys.argv[0] = "-m"
runpy._run_module_as_main("safesite")
"""

FAILING = {
    "exception": ["-c", "1/0"],
    "chained": ["failing.py", "chained"],
    "group": ["failing.py", "group"],
    "exit-3": ["-c", "import sys; sys.exit(3)"],
    "exit-text": ["-c", "import sys; sys.exit('text')"],
    "interrupt": ["-c", "raise KeyboardInterrupt"],
    "interrupt-in-script": ["failing.py", "interrupt"],
    "terminated": ["-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"],
    "aborted": ["-c", "import os; os.abort()"],
    "syntax-error": ["-c", "x = (1,\ndef"],
    "syntax-error-in-script": ["syntax.py"],
    "null-byte": ["null.py"],
    "bad-cookie": ["cookie.py"],
    "not-utf-8": ["latin.py"],
    "missing-script": ["nosuch.py"],
    "missing-module": ["-m", "nosuch"],
    "missing-main": ["-m", "safesite.nosuch"],
    "folder-without-main": ["empty"],
    "empty-name": [""],
    "import-error": ["-c", "import nosuch"],
    "in-module": ["-m", "failing", "chained"],
    "in-folder": ["bad"],
    "own-hook": ["failing.py", "hook"],
}

FAILING_SCRIPT = """\
import sys

def chained():
    try:
        {}["key"]
    except KeyError as exc:
        raise ValueError("second") from exc

def group():
    if sys.version_info >= (3, 11):
        raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
    raise ValueError(1)

def interrupt():
    raise KeyboardInterrupt

def hook():
    import traceback
    def show(kind, exc, trace):
        traceback.print_exception(kind, exc, trace)
        print(sys.last_value is exc, sys.last_traceback is trace, exc.__traceback__ is trace)
    sys.excepthook = show
    chained()

globals()[sys.argv[1]]()
"""


@pytest.mark.rotated
@pytest.mark.parametrize("name", FAILING)
def test_a_program_fails_as_under_stock(environment: Environment, name: str) -> None:
    work = environment.work
    (work / "failing.py").write_text(FAILING_SCRIPT)
    (work / "syntax.py").write_text("print('never')\nx = (1,\ndef\n")
    (work / "null.py").write_bytes(b"x = 1\0\n")
    (work / "cookie.py").write_text("# coding: nosuch\n")
    (work / "latin.py").write_bytes(b"x = '\xe9'\n")
    (work / "empty").mkdir()
    (work / "bad").mkdir()
    (work / "bad" / "__main__.py").write_text("1/0\n")
    stock = environment.stock(*FAILING[name])
    launched = environment.launched(*FAILING[name])
    reads_up_to_null = name == "null-byte" and environment.interpreter.number < (3, 11)
    assert (stock.code == 0) == reads_up_to_null
    assert (launched.code, launched.out) == (stock.code, stock.out)
    assert launched.err == stock.err


@pytest.mark.parametrize("args", [[], ["--user-site"], ["--user-base", "--user-site"], ["--no"]])
def test_the_command_of_site_tells_of_this_start(environment: Environment, args: list[str]) -> None:
    (environment.site_packages / "foo.pth").write_text("entry\nimport os\n")
    (environment.site_packages / "entry").mkdir()
    stock = environment.stock("-m", "site", *args)
    launched = environment.launched("-m", "site", *args)
    assert (launched.code, launched.out) == (stock.code, stock.out)
    assert stock.out


def test_a_script_beside_the_interpreter_does_not_shadow(environment: Environment) -> None:
    scripts = environment.prefix / "bin"
    (scripts / "optparse.py").write_text("print('shadowed')\n")
    (scripts / "tool").write_text("import sys, optparse; print(sys.path[0])\n")
    assert "shadowed" in environment.stock(scripts / "tool").out
    outcome = environment.launched(scripts / "tool")
    assert outcome.code == 0
    assert "shadowed" not in outcome.out
    assert outcome.out != f"{scripts}\n"


def test_the_current_folder_does_not_reach_the_program(environment: Environment) -> None:
    (environment.root / "app.py").write_text("import sys; print(sys.path)\n")
    stock = environment.stock("../app.py")
    assert environment.launched("../app.py").out == stock.out
    assert str(environment.work) not in stock.out


def test_a_target_without_s_is_told_what_to_type(environment: Environment) -> None:
    outcome = environment.stock("-m", "safesite", "app.py")
    assert outcome.code == 2
    assert outcome.err == (
        "safesite: startup code has run already; type: python -S -m safesite TARGET (usage)\n"
    )


@pytest.mark.parametrize("options", [[], ["-S"]], ids=["stock", "S"])
def test_help_and_version(environment: Environment, options: list[str]) -> None:
    for option in ("-h", "--help"):
        outcome = environment.stock(*options, "-m", "safesite", option)
        assert outcome.code == 0
        assert outcome.out.startswith("usage: safesite ")
    for option in ("-V", "--version"):
        outcome = environment.stock(*options, "-m", "safesite", option)
        assert (outcome.code, outcome.out) == (0, "safesite 0.1.0\n")


@pytest.mark.parametrize(
    "args, message",
    [
        (["--nosuch"], "unknown option '--nosuch'; see --help (usage)"),
        (["-x\x1b[2J", "app.py"], "unknown option '-x\\x1b[2J'; see --help (usage)"),
        (["-c"], "-c needs an argument; see --help (usage)"),
        (["-m"], "-m needs an argument; see --help (usage)"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    environment: Environment, args: list[str], message: str
) -> None:
    outcome = environment.launched(*args)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"safesite: {message}\n")


OTHERS = ["python2.7", "python3.6", "python3.7", "python3.8", "python3.9", "python3.16", "pypy3"]


@pytest.mark.parametrize("name", OTHERS)
def test_an_unknown_interpreter_gets_one_sentence(tmp_path: Path, name: str) -> None:
    found = shutil.which(name)
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"*/bin/{name}"))
    path = Path(found) if found and "shims" not in found else next(iter(pyenv), None)
    if path is None:
        pytest.skip(f"no {name} on this machine; the next test stands for it")
    (tmp_path / "safesite").symlink_to(PACKAGE)
    done = subprocess.run(
        [path, "-B", "-S", "-m", "safesite", "x.py"], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("safesite: it knows CPython 3.10 to 3.15, and this is ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "change",
    [
        "sys.version_info = (3, 9, 0, 'final', 0)",
        "sys.version_info = (3, 16, 0, 'alpha', 1)",
        "sys.implementation.name = 'pypy'",
    ],
)
def test_an_interpreter_that_says_it_is_another(environment: Environment, change: str) -> None:
    code = f"import sys, runpy; {change}; runpy.run_module('safesite', run_name='__main__')"
    outcome = environment.stock("-S", "-c", code)
    assert outcome.code == 2
    assert outcome.err.startswith("safesite: it knows CPython 3.10 to 3.15, and this is ")


UNKNOWN_SITES = {
    "addpackage": "del site.addpackage",
    "execsitecustomize": "site.execsitecustomize = print",
    "another": "exec('def another(line): exec(line)', vars(site))",
    "runs": "exec('def runs(path):\\n with io.open_code(path) as f: return f', vars(site))",
}


@pytest.mark.parametrize("part", UNKNOWN_SITES)
def test_a_site_with_other_parts_is_refused(environment: Environment, part: str) -> None:
    code = (
        f"import site, sys, runpy; {UNKNOWN_SITES[part]}; sys.argv = ['', '-c', 'print(1)'];"
        "runpy.run_module('safesite', run_name='__main__')"
    )
    outcome = environment.stock("-S", "-c", code)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        f"safesite: the site module of this Python is not one it knows, by its {part}"
        " (interpreter)\n"
    )


def test_every_supported_version_is_looked_for(interpreter: Interpreter) -> None:
    assert interpreter.version in interpreters.VERSIONS
    assert interpreter.run("-I", "-S", "-c", "import sys; print(sys.version)").startswith(
        interpreter.version
    )
