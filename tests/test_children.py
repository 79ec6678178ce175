"""The interpreter launcher, which ``sys.executable`` names: Python's command line, under safesite.

What it makes of a command line is compared with stock Python's; where it lies and who starts it is
varied; and over whole trees of processes the lines are counted that run.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import environments
import policies
import pytest
from environments import PACKAGE, TIMEOUT, Environment, Outcome
from interpreters import VERSIONS, Interpreter

if sys.platform == "win32":
    pytest.skip("there is no launcher on Windows", allow_module_level=True)


def launcher(environment: Environment, name: str = "python") -> str:
    """Return what sys.executable is under ``-m safesite`` in an environment, when all is plain."""
    folder = environment.prefix / "bin"
    up = "/.." * (len(folder.parts) - 1)
    return f"{folder}{up}/.{environment.work}/safesite/command/bin/{name}"


def test_sys_executable_names_it(environment: Environment) -> None:
    code = "import sys; print(sys.executable)"
    for name in ("python", "python3", f"python{environment.interpreter.version}"):
        python = environment.prefix / "bin" / name
        outcome = environment.run(python, "-S", "-m", "safesite", "-c", code)
        assert outcome.out == f"{launcher(environment, name)}\n"
        assert environment.run(launcher(environment, name), "-c", code) == outcome


# The command line.  What differs by its nature: the name of the program in what Python says of it.

TELL = """
import site, sys
names = [name for name in dir(sys.flags) if name[0] != "_"]
names = [name for name in names if name not in ("no_site", "count", "index")]
print(ascii([
    sys.argv, sys.path, {name: getattr(sys.flags, name) for name in names}, sys.warnoptions,
    sys._xoptions, sys.prefix, sys.base_prefix, sys.exec_prefix, sys._base_executable,
    site.PREFIXES, site.ENABLE_USER_SITE, sys.dont_write_bytecode, sys.pycache_prefix, __name__,
]))
"""
C = ("-c", TELL)
ODD = ("", "a\nb", "\n", "a'b\"c", "*", "[a]*", "$HOME", "$(id)", "`id`", "\\", "\\\\n", "%s", "~")
BYTES = bytes(n for n in range(1, 256)).decode("utf-8", "surrogateescape")
FILES = {
    "app.py": TELL,
    "-odd-name.py": TELL,
    "-x.py": TELL,
    "first.py": f"this is no Python\n{TELL}",
    "wrong.py": "this is no Python\nx = (\n",
    "fails.py": "this is no Python\n\n1/0\n",
    "package/__main__.py": TELL,
}

LINES: list[tuple[str, ...]] = [
    # Options, alone and in clusters, with values in the same word and in the next.
    ("-I", "-Im", "this"),
    ("-Im", "this", "a"),
    ("-Ic", TELL, "x"),
    ("-E", "-s", *C),
    ("-Wd", *C),
    ("-W", "d", *C),
    ("-W", "-x", *C),
    ("-W", "--", *C),
    ("-W", "-c", *C),
    ("-W", "", *C),
    ("-bWd", *C),
    ("-IW", "d", *C),
    ("-W", BYTES, *C),
    (f"-W{BYTES}", *C),
    ("-X", "dev", *C),
    ("-Xdev", *C),
    ("-IXdev", *C),
    ("-IX", "dev", *C),
    ("-X", "-c", *C),
    ("-X", BYTES, *C),
    ("-X", "utf8=0", "-X", "pycache_prefix=/tmp/x y", "-X", "int_max_str_digits=5000", *C),
    ("-X", "utf8=2", *C),
    ("-X", "int_max_str_digits=5", *C),
    ("-u", *C),
    ("-b", "-bb", *C),
    ("-bbb", *C),
    ("-O", "-OO", "-OOc", TELL),
    ("-q", *C),
    ("-B", *C),
    ("-P", *C),
    ("-P", "-m", "package"),
    ("-R", *C),
    ("-d", *C),
    ("-t", *C),
    ("-tB", "package"),
    ("-EIsc", TELL, "-c", "-S"),
    ("--check-hash-based-pycs", "always", *C),
    ("--check-hash-based-pycs", "-c", *C),
    ("--check-hash-based-pycs", "never", "-Bs", *C),
    # -x and -S, which are not for Python.
    ("-x", "first.py"),
    ("-x", "wrong.py"),
    ("-x", "fails.py"),
    ("-xI", "first.py", "-a"),
    ("-Ix", "first.py"),
    ("-x", *C),
    ("-x", "package"),
    ("-x", "-"),
    ("-S", *C),
    ("-SI", *C),
    ("-ISc", TELL, "q"),
    ("-SSB", "-S", *C),
    ("-S", "-m", "package"),
    ("-S", "app.py", "-S"),
    ("-S", "package"),
    ("-S", "-"),
    ("-S",),
    ("-Sx", "first.py"),
    ("-s", "-S", "-E", *C),
    ("-S", "nosuch.py"),
    ("-S", "wrong.py"),
    # Where they end, and what there is to run.
    (),
    ("-",),
    ("-", "x", "-c"),
    ("--",),
    ("--", "-"),
    ("--", "-odd-name.py", "x"),
    ("--", "./-x.py"),
    ("-B", "--", "-x.py"),
    ("./-x.py", "-x"),
    ("app.py", "-x", "--", "", "-c"),
    ("-c", ""),
    ("-m", ""),
    ("-m", "nosuch"),
    ("-m", "package", "-m"),
    ("-mpackage", "y"),
    (f"-c{TELL}", "y"),
    ("-OOm", "package", "-O"),
    ("",),
    ("-B", ""),
    ("nosuch.py",),
    ("wrong.py",),
    ("-Bs", "wrong.py"),
    ("app.py", *ODD, BYTES),
    ("-B", "app.py", *ODD, BYTES),
    ("-Ic", TELL, *ODD, BYTES),
    # What Python answers itself.
    ("-V",),
    ("-VV",),
    ("-BVB",),
    ("--version",),
    ("-B", "--version", "-Z"),
    ("-V", "-c", "1/0"),
    ("-h",),
    ("--help",),
    ("-Bh",),
    ("-?",),
    ("-h", "-Z"),
    ("--help-all",),
    ("--help-env", "x"),
    ("--help-xoptions",),
    # What is wrong.
    ("-c",),
    ("-m",),
    ("-Ic",),
    ("-X",),
    ("-BX",),
    ("-W",),
    ("--check-hash-based-pycs",),
    ("--check-hash-based-pycs", "bad", *C),
    ("--check-hash-based-pycs=always", *C),
    ("-Z",),
    ("-BZ", *C),
    ("-Z", "-V"),
    ("--nosuch", *C),
    ("-J",),
    ("-e", "print(1)"),
    ("---",),
    ("-+",),
    ("-W", "nosuch::", "-c", "print(1)"),
    # How it ends.
    ("-c", "import sys; sys.exit(7)"),
    ("-Bc", "import sys; sys.exit('said')"),
    ("-c", "import os; os.kill(os.getpid(), 9)"),
    ("-Bc", "raise KeyboardInterrupt"),
    ("-Bc", "1/0"),
    ("-Bc", "x = ("),
    ("-W", "error", "-c", "import warnings; warnings.warn('said')"),
    # The prompt, which reads standard input here.
    ("-i", "-c", "1"),
    ("-qi", "-c", "1/0"),
    ("-i", "app.py"),
    ("-i",),
    ("-iS", "-c", "print(1)"),
    ("-i", "nosuch.py"),
]
STDIN = f"{TELL}\nprint('end')\n"


@pytest.fixture(scope="module")
def served(interpreter: Interpreter, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with programs that tell of themselves, for tests that change nothing."""
    environment = environments.make(interpreter, tmp_path_factory.mktemp("served") / "served")
    for name, text in FILES.items():
        (environment.work / name).parent.mkdir(exist_ok=True)
        (environment.work / name).write_text(text)
    return environment


def nameless(environment: Environment, outcome: Outcome) -> Outcome:
    """Return an outcome without the names that the program was started by."""

    def without(text: str) -> str:
        for name in (launcher(environment), str(environment.python)):
            text = text.replace(name, "PYTHON")
        return text

    return replace(outcome, out=without(outcome.out), err=without(outcome.err))


def assert_same(environment: Environment, *line: str, stdin: str = STDIN) -> Outcome:
    """Compare what the launcher does with what stock Python does; return that."""
    stock = environment.run(environment.python, *line, stdin=stdin)
    ours = environment.run(launcher(environment), *line, stdin=stdin)
    assert nameless(environment, ours) == nameless(environment, stock)
    return ours


@pytest.mark.rotated
@pytest.mark.parametrize(
    "line", LINES, ids=[ascii(" ".join(line).replace(TELL, "..."))[1:-1][:40] for line in LINES]
)
def test_a_line_means_what_it_means_to_python(served: Environment, line: tuple[str, ...]) -> None:
    assert_same(served, *line)


@pytest.mark.rotated
@pytest.mark.parametrize("options", [("-v",), ("-vv",), ("-Xdev", "-v")], ids=" ".join)
def test_verbose_is_handed_on(served: Environment, options: tuple[str, ...]) -> None:
    code = "import sys; print(sys.flags)"
    outcomes = [
        served.run(python, *options, "-c", code) for python in (served.python, launcher(served))
    ]
    out = outcomes[0].out.replace("no_site=0", "no_site=1")
    assert [(x.code, x.out) for x in outcomes] == [(0, outcomes[0].out), (0, out)]


@pytest.mark.rotated
def test_a_line_of_many_words(served: Environment) -> None:
    words = [str(n) for n in range(20000)]
    code = "import sys; print(sys.argv[1:] == [str(n) for n in range(20000)])"
    for options in ([], ["-X", "dev", "-Bs"], ["-W", "i"] * 200):
        assert served.run(launcher(served), *options, "-c", code, *words).out == "True\n"


@pytest.mark.rotated
def test_what_python_derives_from_its_own_path_is_stocks(served: Environment) -> None:
    code = (
        "import json, sys, sysconfig;"
        "names = 'base_prefix', '_base_executable', '_home', 'platlibdir', '_framework';"
        "print(json.dumps([{n: getattr(sys, n, None) for n in names}, sysconfig.get_paths(),"
        "{n: str(v) for n, v in sysconfig.get_config_vars().items()}]))"
    )
    stock, ours = (
        json.loads(served.run(python, "-c", code).out)
        for python in (served.python, launcher(served))
    )
    if served.interpreter.number == (3, 10):  # to ask whether Python lies where it was built
        del stock[2]["projectbase"], ours[2]["projectbase"]
    assert ours == stock


# Typed without clusters, and with -S and -x behind other options.
TYPED = [
    ("-c", "CODE", "-x", ""),
    ("-B", "-X", "dev", "-W", "-W", "-c", "CODE", "a"),
    ("-I", "-S", "-c", "CODE"),
    ("-s", "-x", "again.py", "-s"),
    ("again.py", "x"),
    ("-E", "-m", "again", "-E"),
    ("-u", "--", "again.py"),
    ("-Wd", "--check-hash-based-pycs", "never", "again"),
]
CLUSTERED = [
    ("-Ic", "CODE", "a"),
    ("-SBs", "again.py"),
    ("-xBWd", "again.py"),
    ("-OOE", "-bXdev", "-cCODE", "-S"),
]
AGAIN = """
# again and again
import os, sys
if "AGAIN" not in os.environ:
    os.environ["AGAIN"] = sys.orig_argv[0]
    print(ascii(sys.orig_argv[1:]), flush=True)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
assert sys.orig_argv[0] == os.environ["AGAIN"], (sys.orig_argv[0], os.environ["AGAIN"])
"""


@pytest.mark.rotated
@pytest.mark.parametrize("line", TYPED + CLUSTERED, ids=" ".join)
def test_the_words_typed_start_the_program_again(
    served: Environment, line: tuple[str, ...]
) -> None:
    code = AGAIN + TELL
    (served.work / "again").mkdir(exist_ok=True)
    for name in ("again.py", "again/__main__.py"):
        (served.work / name).write_text(code)
    words = [word.replace("CODE", code) for word in line]
    stock = nameless(served, served.stock(*words))
    ours = nameless(served, served.run(launcher(served), *words))
    assert (ours.code, ours.err) == (0, stock.err)
    typed, told = ours.out.splitlines()
    stock_typed, stock_told = stock.out.splitlines()
    assert told == stock_told
    if line in TYPED:
        assert (ast.literal_eval(typed), typed) == (words, stock_typed)


@pytest.mark.rotated
def test_the_words_of_the_first_start_start_it_again(served: Environment) -> None:
    code = AGAIN.partition("assert")[0] + TELL
    for options in ((), ("-X", "dev", "-s")):
        words = (*options, "-c", code, "x")
        ours = served.launched("-c", code, "x", options=options)
        assert ours.out == served.stock(*words).out


# Where it lies, and how it is reached.

WHERE = "import sys; print(sys.executable, sys.prefix, sys.modules['safesite'].active())"

NAMES = {
    "blank": "a b ",
    "quotes": "q'\"`",
    "newline": "new\nline",
    "newline-last": "line\n",
    "expansion": "$(id)$HOME",
    "semicolon": ";x&|",
    "bytes": "caf\udce9",
    "control": "\x81\x82\x88\x01",
    "dash": "-dash",
    "percent": "%s%n",
    "glob": "*[a]?",
    "backslash": "\\n\\",
    "dots": "..hidden",
    "bin": "bin",
    "colon": "a:b=c",
    "tilde": "~",
}


@pytest.mark.rotated
@pytest.mark.parametrize("name", NAMES)
def test_folders_of_any_name(interpreter: Interpreter, tmp_path: Path, name: str) -> None:
    environment = environments.make(interpreter, tmp_path / NAMES[name])
    code = "import os, sys; os.write(1, os.fsencode(sys.prefix + sys.executable))"
    for options in ((), ("-B",)):
        outcome = environment.run(launcher(environment), *options, "-c", code)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out == f"{environment.prefix}{launcher(environment)}"
    link = environment.root / "link"
    link.symlink_to(launcher(environment))
    outcome = environment.run(link, "-c", code)
    assert (outcome.out, outcome.err) == (f"{environment.prefix}{launcher(environment)}", "")
    parent = f"{code}; import subprocess; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    first = environment.launched("-c", parent, code)
    assert (first.code, first.err) == (0, "")
    assert first.out == first.out[: len(first.out) // 2] * 2
    assert first.out.startswith(f"{environment.prefix}{environment.prefix}/bin/../")


def covered(environment: Environment, python: str | Path, **more: str) -> list[str]:
    """Start safesite by an interpreter's path, and a child; return what each says of itself."""
    code = (
        "import os, subprocess, sys; tell = sys.argv[1]; exec(tell); sys.stdout.flush();"
        "subprocess.run([sys.executable, '-B', '-c', tell], check=True)"
    )
    outcome = environment.run(python, "-S", "-m", "safesite", "-c", code, WHERE, **more)
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out.splitlines()


LINKS = ["environment", "deeper", "less-deep", "relative", "package", "folders", "interpreter"]


@pytest.mark.rotated
@pytest.mark.parametrize("link", LINKS)
def test_links_on_the_way(interpreter: Interpreter, tmp_path: Path, link: str) -> None:
    """Links to the environment, of another depth than it; to safesite; to the interpreter."""
    environment = environments.make(interpreter, tmp_path / "one" / "two" / "environment")
    prefix = environment.prefix
    deep = tmp_path / "a" / "b" / "c" / "d" / "e" / "f"
    deep.mkdir(parents=True)
    if link == "environment":
        prefix = environment.root / "link"
        prefix.symlink_to("venv")
    elif link == "deeper":
        shutil.move(prefix, deep)
        prefix.symlink_to(deep / "venv")
    elif link == "less-deep":
        (deep / "link").symlink_to(prefix)
        prefix = deep / "link"
    elif link == "relative":
        (deep / "link").symlink_to(os.path.relpath(prefix.parent, deep))
        prefix = deep / "link" / "venv"
    elif link == "package":
        (environment.work / "safesite").unlink()
        (deep / "package").symlink_to(PACKAGE)
        (environment.work / "safesite").symlink_to(deep / "package")
    elif link == "folders":
        shutil.move(environment.work, deep)
        environment.work.symlink_to(deep / "work")
    else:
        (prefix / "bin" / "python").unlink()
        (deep / "python").symlink_to(interpreter.path)
        (prefix / "bin" / "python").symlink_to(deep / "python")
    stock = environment.run(prefix / "bin" / "python", "-c", "import sys; print(sys.prefix)")
    parent, child = covered(environment, prefix / "bin" / "python")
    assert parent == child
    executable, found, mode = child.split()
    assert (found, mode) == (stock.out.strip(), "refuse")
    assert executable.startswith(f"{prefix}/bin/../")


@pytest.mark.rotated
def test_links_to_the_launcher(served: Environment) -> None:
    """Absolute, relative, in a chain, with and without options; each names itself no longer."""
    links = served.root / "links"
    (links / "deep").mkdir(parents=True)
    (links / "absolute").symlink_to(launcher(served))
    (links / "deep" / "relative").symlink_to("../absolute")
    (links / "last").symlink_to("deep/../deep/relative")
    expected = served.run(launcher(served), "-c", WHERE).out
    for name in ("absolute", "deep/relative", "last"):
        for options in ((), ("-X", "dev")):
            outcome = served.run(links / name, *options, "-c", WHERE)
            assert (outcome.out, outcome.err) == (expected, ""), name
    on_path = {"PATH": f"{links}/deep:/bin"}
    assert served.run("sh", "-c", 'relative -c "$0"', WHERE, **on_path).out == expected
    here = served.work / "here"
    here.symlink_to("../links/deep/relative")
    try:
        for words in (["./here"], ["sh", "-c", 'PATH=:/bin; here "$@"', "sh"], ["sh", "here"]):
            assert served.run(*words, "-c", WHERE).out == expected, words
    finally:
        here.unlink()


@pytest.mark.rotated
def test_another_spelling_of_its_path(served: Environment) -> None:
    """As pathlib spells it, without the dot, and with more slashes."""
    expected = served.run(launcher(served), "-c", WHERE).out
    spelt = [
        str(Path(launcher(served))),
        launcher(served).replace("/bin/", "//bin/", 1),
        launcher(served).replace("/./", "/.//"),
    ]
    for path in spelt:
        for options in ((), ("-B",)):
            outcome = served.run(path, *options, "-c", WHERE)
            assert (outcome.code, outcome.err) == (0, "")
            assert outcome.out.split()[1:] == expected.split()[1:]
    assert served.run(spelt[0], "-c", WHERE).out == expected, "and names itself as ever"


NAMELESS = (
    "safesite: the path that started it names no interpreter: use sys.executable as it is "
    "(launcher)\n"
)


@pytest.mark.rotated
def test_a_path_that_names_no_interpreter_is_one_sentence(served: Environment) -> None:
    path = launcher(served)
    copy = served.root / "copy"
    shutil.copy(path, copy)
    there = PACKAGE / "command" / "python"
    for wrong in (
        os.path.normpath(path),
        os.path.realpath(path),
        os.path.relpath(path, served.work),
        str(copy),
        str(there),
        f"{there.parent}/bin/python3",
        f"{there.parent}/bin/../python",
        f"{served.prefix}/bin/../.././nosuch/command/bin/python",
        path.replace(str(served.prefix), f"{served.prefix}/nosuch"),
    ):
        for options in ((), ("-B",)):
            outcome = served.run("sh", "-c", '"$@"', "sh", wrong, *options, "-c", "print(1)")
            if "nosuch" in wrong:
                assert (outcome.code, outcome.out) == (127, "")
            else:
                assert (outcome.code, outcome.out, outcome.err) == (2, "", NAMELESS), wrong
        if not wrong.endswith("/../python"):
            outcome = served.run("sh", wrong, "-c", "print(1)")
            assert (outcome.code, outcome.out) == (2, ""), wrong


@pytest.mark.rotated
def test_a_name_that_is_gone_starts_no_other_interpreter(environment: Environment) -> None:
    name = f"python{environment.interpreter.version}"
    (environment.prefix / "bin" / name).unlink()
    for options in ((), ("-B",)):
        outcome = environment.run(launcher(environment, name), *options, "-c", "print(1)")
        assert (outcome.code, outcome.out, outcome.err) == (2, "", NAMELESS)


NONE = (
    "safesite: there is no interpreter launcher for this Python, so sys.executable is empty: "
    "no child process can be started by it (launcher)"
)


@pytest.mark.rotated
def test_a_name_that_no_launcher_has(environment: Environment) -> None:
    """It is started by a neighbour's name; without one sys.executable is empty, and it says so."""
    folder = environment.prefix / "bin"
    (folder / "mypython").symlink_to(environment.interpreter.path)
    parent, child = covered(environment, folder / "mypython")
    assert parent == child
    assert child.split()[1] == str(environment.prefix)
    for name in ("python", "python3", f"python{environment.interpreter.version}"):
        (folder / name).unlink()
    code = "import sys; print(ascii(sys.executable), sys.prefix)"
    outcome = environment.run(folder / "mypython", "-S", "-m", "safesite", "-c", code)
    assert (outcome.code, outcome.err) == (0, f"{NONE}\n")
    assert outcome.out == f"'' {environment.prefix}\n"
    inner = subinterpreter(environment, "import sys; print([sys.executable])")
    code = f"{inner}\nimport os.path; print(os.path.normpath(''), flush=True)"
    outcome = environment.run(folder / "mypython", "-S", "-m", "safesite", "-c", code)
    assert (outcome.code, outcome.out, outcome.err) == (0, "['']\n.\n", f"{NONE}\n")


@pytest.mark.rotated
def test_a_base_interpreter_too(environment: Environment) -> None:
    """Outside an environment, where nothing but its folder says which interpreter it is."""
    python = environment.interpreter.path
    stock = environment.run(python, "-I", "-c", "import sys; print(sys.prefix)")
    tell = "import sys; print(sys._base_executable, sys.base_prefix)"
    ours = environment.run(python, "-S", "-m", "safesite", "-c", tell, SAFESITE_MODE="quiet")
    assert ours == environment.run(python, "-I", "-c", tell)
    parent, child = covered(environment, python, SAFESITE_MODE="quiet")
    assert parent == child
    assert child.split()[1:] == [stock.out.strip(), "quiet"]


# What surrounds it.


GONE = "mkdir -p gone && cd gone && rmdir ../gone &&"  # no current folder


@pytest.mark.rotated
@pytest.mark.parametrize(
    "line",
    [
        "\"$PYTHON\" -c 'import sys; print(sys.stdin, 1)' 0<&-",
        '"$PYTHON" -B - 0<&-; echo $?',
        "\"$PYTHON\" -c 'import sys; print(2, file=sys.stderr); print(sys.stdout)' 1>&-",
        "\"$PYTHON\" -Bc 'import sys; print(sys.stderr)' 2>&-",
        '"$PYTHON" -c pass 0<&- 1>&- 2>&-; echo $?',
        '"$PYTHON" -c \'import os; print(sorted(os.listdir("/proc/self/fd")))\' 0<&- 7<.',
        'cd / && "$PYTHON" -c \'import os; print(os.getcwd(), os.environ["PWD"])\'',
        "trap '' INT; \"$PYTHON\" -c 'import signal; print(signal.getsignal(2))'",
        "umask 027; \"$PYTHON\" -Bc 'import os; print(os.umask(0))'",
        # Here the shell itself complains of the folder.
        f"{GONE} \"$PYTHON\" -c 'import sys; print(sys.path[0], sys.prefix)' 2> /dev/null",
        f'{GONE} "$PYTHON" -BIm this 2> /dev/null',
    ],
)
def test_streams_and_folders(served: Environment, line: str) -> None:
    stock = served.run("/bin/sh", "-c", line, PYTHON=str(served.python))
    ours = served.run("/bin/sh", "-c", line, PYTHON=launcher(served))
    assert nameless(served, ours) == nameless(served, stock)


@pytest.mark.rotated
def test_it_makes_no_process(served: Environment) -> None:
    for options in ([], ["-Bs"]):
        command = [launcher(served), *options, "-c", "import os; print(os.getpid(), os.getppid())"]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, env=served.environ())
        assert started.communicate()[0].split() == [b"%d" % started.pid, b"%d" % os.getpid()]


@pytest.mark.rotated
def test_an_empty_environment(served: Environment) -> None:
    shown = "{'PWD', 'LC_CTYPE', 'SAFESITE_EXECUTABLE'}"
    code = f"import os; print(sorted(set(os.environ) - {shown})); {WHERE}"
    expected = f"[]\n{launcher(served)} {served.prefix} refuse\n"
    for options in ([], ["-B"]):
        command = [launcher(served), *options, "-c", code]
        ours = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
        assert (ours.returncode, ours.stdout, ours.stderr) == (0, expected, "")
        assert served.run("/usr/bin/env", "-i", *command).out == expected
        assert served.run("sh", "-c", 'unset HOME PATH; "$@"', "sh", *command).code == 0


SHORTENED = """\
import os, subprocess, sys
for shorten in lambda path: os.path.abspath(path + "/."), os.path.realpath:
    start = [shorten(sys.executable), *sys.argv[2:]]
    print(subprocess.run(start, env=eval(sys.argv[1]), capture_output=True, text=True))
"""
TOLD = "[sys.executable, sys.prefix, 'utf8' in sys._xoptions]"


@pytest.mark.rotated
def test_a_variable_says_what_a_shortened_path_is_of(served: Environment) -> None:
    """But not where variables are not to count, and not of another safesite."""
    code = ("-c", f"import sys; print({TOLD})")
    expected = [launcher(served), str(served.prefix)]
    for options in ([], ["-B"], ["-X", "utf8"], ["-Bs", "-W", "error"]):
        ours = served.launched("-c", SHORTENED, "None", *options, *code).out
        told = f"stdout={str([*expected, 'utf8' in options]) + chr(10)!r}"
        assert [told in line for line in ours.splitlines()] == [True, True], ours
    for given, options in (
        ("None", ["-I"]),
        ("None", ["-BE"]),
        ("None", ["-XI", "-E"]),
        ("{}", []),
    ):
        ours = served.launched("-c", SHORTENED, given, *options, *code).out
        assert [f"stderr={NAMELESS!r}" in x for x in ours.splitlines()] == [True, True], ours
    other = served.root / "other"
    shutil.copytree(PACKAGE, other / "safesite")
    python = other / "safesite" / "command" / "bin" / "python"
    assert served.run(python, *code, SAFESITE_EXECUTABLE=launcher(served)).err == NAMELESS


@pytest.mark.rotated
def test_it_changes_no_variable(served: Environment) -> None:
    """But those that begin with _; and those do not lead it astray."""
    odd = dict.fromkeys(("python", "command", "start", "link", "count", "flags"), "/nosuch")
    odd |= {f"_{name}": value for name, value in odd.items()} | {"_self": "/nosuch"}
    odd |= {"_option1": "-V", "_letters": "c", "_count": "7", "_rest": "../", "OPTIND": "3"}
    odd |= {"IFS": "/-", "CDPATH": "/", "PS4": "$(touch $MARKERS/PS4)", "LC_ALL": "C"}
    odd |= {"ENV": f"{served.root}/env.sh", "BASH_ENV": f"{served.root}/env.sh", "PWD": "/nosuch"}
    (served.root / "env.sh").write_text(': > "$MARKERS/env"\n')
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    (served.root / "link-odd").symlink_to(launcher(served))
    for start in ([launcher(served)], [served.root / "link-odd", "-Bs", "-X", "dev"]):
        given = served.environ() | odd
        outcome = served.run(*start, "-c", code, **odd)
        assert (outcome.code, outcome.err) == (0, "")
        seen = json.loads(outcome.out)
        differ = {name for name in {*seen, *given} if seen.get(name) != given.get(name)}
        assert {name for name in differ if name[0] != "_"} <= {
            "PWD",
            "OLDPWD",
            "OPTIND",
            "IFS",
            "SAFESITE_EXECUTABLE",
        }
    assert served.ran() == []


HOSTILE = ["sh", "env", "readlink", "python", "python3", "printf", "test", "[", "dirname", "exec"]


@pytest.mark.rotated
def test_no_word_is_looked_up_on_path(served: Environment) -> None:
    folder = served.root / "hostile"
    folder.mkdir()
    for name in HOSTILE:
        (folder / name).write_text('#!/bin/sh\n: > "$MARKERS/hostile"\n')
        (folder / name).chmod(0o755)
    link = served.root / "hostile-link"
    link.symlink_to(launcher(served))
    for path in (str(folder), "", "/nosuch"):
        for line in ([launcher(served)], [launcher(served), "-B"], [link, "-Xdev"]):
            outcome = served.run("/bin/sh", "-c", '"$@"', "", *line, "-c", "print(1)", PATH=path)
            assert (outcome.code, outcome.out, outcome.err) == (0, "1\n", "")
    assert served.run("/bin/sh", os.path.realpath(link), PATH=str(folder)).err == NAMELESS
    assert served.ran() == []


SHELLS = {
    "dash": [],
    "bash": ["--posix"],
    "busybox": ["sh"],
    "ksh": [],
    "zsh": ["--emulate", "sh"],
}


@pytest.mark.rotated
@pytest.mark.parametrize("shell", SHELLS)
def test_other_shells_read_it(served: Environment, shell: str) -> None:
    path = shutil.which(shell)
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"no {shell} on this machine")
    start = [path, *SHELLS[shell]]
    link = served.root / f"link-{shell}"
    link.symlink_to(launcher(served))
    for line in (
        ("app.py", *ODD, BYTES),
        ("-BX", "dev", "-W", "-x*", "app.py", *ODD, BYTES),
        ("-Sx", "first.py"),
        ("-Z",),
        ("--",),
    ):
        stock = served.run(served.python, *line, stdin=STDIN)
        for python in (launcher(served), str(Path(launcher(served))), str(link)):
            ours = served.run(*start, python, *line, stdin=STDIN)
            assert nameless(served, ours) == nameless(served, stock), (python, line[:3])
    outcome = served.run(*start, os.path.realpath(link))
    assert (outcome.code, outcome.out, outcome.err) == (2, "", NAMELESS)


@pytest.mark.rotated
def test_read_only_folders(environment: Environment) -> None:
    folders = [environment.prefix, environment.prefix / "bin", environment.work, environment.home]
    folders += [environment.site_packages]
    try:
        for folder in folders:
            folder.chmod(0o555)
        parent, child = covered(environment, environment.python)
        assert parent == child
    finally:
        for folder in folders:
            folder.chmod(0o755)


@pytest.mark.rotated
@pytest.mark.parametrize("where", ["cwd", "PYTHONPATH", "site-packages", "bin", "beside"])
def test_no_hostile_module_is_imported_before_the_program(
    environment: Environment, where: str
) -> None:
    """Modules of the names that the launcher and safesite import, and a false safesite."""
    folders = {"site-packages": environment.site_packages, "bin": environment.prefix / "bin"}
    folders["beside"] = environment.work  # where safesite lies
    folder = folders.get(where, environment.root / "hostile")
    folder.mkdir(exist_ok=True)
    names = "runpy child start safesite ast importlib pkgutil types warnings"
    if where != "PYTHONPATH":  # from there stock Python itself imports these
        names += " os stat site posixpath genericpath encodings codecs _sitebuiltins"
    text = f"import posix; posix.mkdir('{environment.markers}/' + __name__)\n"
    for name in names.split():
        (folder / f"{name}.py").write_text(text)
    if where != "beside":
        (folder / "safesite").mkdir()
        (folder / "safesite.py").rename(folder / "safesite" / "__init__.py")
    more = {"PYTHONPATH": str(folder)} if where == "PYTHONPATH" else {}
    program = environment.root / "app.py"
    program.write_text("print(1)")
    paths = {"cwd": folder, "beside": environment.root}
    for options in ([], ["-u"], ["-S"]):
        command = [launcher(environment), *options, str(program)]
        done = subprocess.run(
            command,
            cwd=paths.get(where, environment.work),
            env=environment.environ() | more,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert list(environment.markers.iterdir()) == []


# Nothing runs, in whole trees of processes.

SEED = (
    "import os; os.close(os.open({markers!r} + '/' + os.urandom(8).hex(), os.O_CREAT)); "
    "os.environ.get('NOSUCH')\n"
)
TOOL = "def double(x):\n    return 2 * x\n"


def infect(environment: Environment) -> None:
    """Put a line into an environment that leaves a marker each time it runs, and a package."""
    text = SEED.format(markers=str(environment.markers))
    (environment.site_packages / "litellm_init.pth").write_text(text)
    (environment.site_packages / "tool.py").write_text(TOOL)


@pytest.fixture
def infected(environment: Environment) -> Environment:
    """An environment with a line that runs at every start of stock Python."""
    infect(environment)
    return environment


def each(environment: Environment) -> int:
    """Return how often stock Python runs a line of a virtual environment in one start."""
    return 2 if environment.interpreter.number < (3, 14) else 1


CHILD = "import tool; print(tool.double(1), flush=True)"
RUN = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}], check=True)"


def multi(method: str, work: str = "tool.double(x)") -> str:
    """Return a program that has two processes of ``multiprocessing`` work."""
    return f"""
import multiprocessing, sys
def work(x):
    import tool
    return {work}
if __name__ == "__main__":
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(pool.map(work, [1, 2, 3]))
"""


POOL = """
import concurrent.futures, multiprocessing, tool
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(list(pool.map(tool.double, [1, 2])))
"""
DAEMON = f"""
import os, sys
reading, writing = os.pipe()
os.set_inheritable(writing, True)
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execv(sys.executable, [sys.executable, "-c", {CHILD!r}])
os.close(writing)
os.wait()
print(os.read(reading, 1), "daemon ended")
"""
SUBINTERPRETER = f"""
import sys
try:
    import _interpreters as made
    number = made.create("legacy")
except ImportError:
    import _xxsubinterpreters as made
    number = made.create(isolated=False)
(getattr(made, "exec", None) or made.run_string)(number, {RUN!r})
made.destroy(number)
"""
AGAIN_SITE = (
    "import site, sys, sysconfig; folder = sysconfig.get_path('purelib');"
    "site.main(); site.addsitedir(folder); print(folder in sys.path)"
)
TREES = {
    "subprocess": RUN,
    "grandchildren": f"import subprocess, sys; subprocess.run([sys.executable, '-Bc', {RUN!r}])",
    "options": "import subprocess, sys\n"
    "for options in ['-B'], ['-Xdev', '-W', 'i'], ['-E', '-s'], ['-I'], ['-Bus'], ['-i', '-q']:\n"
    f"    subprocess.run([sys.executable, *options, '-c', {CHILD!r}], input=b'', stderr=-3)\n",
    "flags": "import subprocess, sys; flags = subprocess._args_from_interpreter_flags();"
    f"print(flags); subprocess.run([sys.executable, *flags, '-c', {CHILD!r}], check=True)",
    "no-environment": "import subprocess, sys;"
    f"subprocess.run([sys.executable, '-c', {CHILD!r}], env={{}}, cwd='/', check=True)",
    "pathlib": "import pathlib, subprocess, sys;"
    f"subprocess.run([pathlib.Path(sys.executable), '-c', {CHILD!r}], check=True)",
    "other-name": "import subprocess, sys;"
    f"subprocess.run(['python', '-c', {CHILD!r}], executable=sys.executable, check=True)",
    "daemon": DAEMON,
    "execv": f"import os, sys; os.execv(sys.executable, ['python', '-c', {CHILD!r}])",
    "spawnv": "import os, sys;"
    f"print(os.spawnv(os.P_WAIT, sys.executable, [sys.executable, '-c', {CHILD!r}]))",
    "posix_spawn": "import os, sys; started = os.posix_spawn("
    f"sys.executable, [sys.executable, '-c', {CHILD!r}], os.environ);"
    "print(os.waitpid(started, 0)[1])",
    "system": "import os, shlex, sys;"
    f"print(os.system(shlex.join([sys.executable, '-Bc', {CHILD!r}])))",
    "popen": "import os, shlex, sys;"
    f"print(os.popen(shlex.join([sys.executable, '-c', {CHILD!r}])).read())",
    "spawn": multi("spawn"),
    "forkserver": multi("forkserver"),
    "fork": multi("fork", "__import__('site').main() or tool.double(x)"),
    "pool": POOL,
    "runpy": "import subprocess, sys; subprocess.run([sys.executable, '-m', 'runpy', 'tool'])",
    "pdb": "import subprocess, sys; open('other.py', 'w').write(sys.argv[1]);"
    "subprocess.run([sys.executable, '-m', 'pdb', '-c', 'c', '-c', 'q', 'other.py'], input=b'')",
    "site": f"import subprocess, sys; subprocess.run([sys.executable, '-c', {AGAIN_SITE!r}])",
    "no-site": "import subprocess, sys;"
    f"subprocess.run([sys.executable, '-S', '-c', {AGAIN_SITE!r}])",
    "subinterpreter": SUBINTERPRETER,
    "venv": "import subprocess, sys; options = ['--clear', '--without-pip', 'v'];"
    "subprocess.run([sys.executable, '-m', 'venv', *options], check=True);"
    "subprocess.run(['v/bin/python', '-c', 'import sys; print(sys.prefix, sys.executable)'])",
}


HANDED_ON = ("flags", "spawn", "forkserver")  # they give their options to their children


@pytest.mark.rotated
@pytest.mark.parametrize("name", TREES)
def test_no_line_runs_in_the_whole_tree(infected: Environment, name: str) -> None:
    (infected.work / "app.py").write_text(TREES[name])
    stock = infected.stock("app.py", CHILD)
    assert len(infected.ran()) > each(infected)
    ours = infected.launched("app.py", CHILD, SAFESITE_MODE="quiet")
    assert infected.ran() == []
    ours = replace(ours, err=ours.other_err)  # a child without variables reports
    assert nameless(infected, ours) == nameless(infected, stock)
    if name in HANDED_ON:
        assert infected.run(launcher(infected), "-I", "app.py", CHILD).code == 0
        assert infected.ran() == []


@pytest.mark.rotated
def test_the_seed_runs_under_stock_and_where_it_is_allowed(infected: Environment) -> None:
    for outcome in (
        infected.stock("-c", RUN),
        infected.launched("-c", RUN, SAFESITE_MODE="allow"),
        infected.launched("-c", RUN, SAFESITE_MODE="warn"),
    ):
        assert outcome.out == "2\n"
    assert len(infected.ran()) >= 6


RESTORED = """
import sys
if "safesite" in sys.modules:
    sys.executable = sys.modules["safesite"].gate["python"]
import multiprocessing, tool
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(abs, [-1]))
"""


@pytest.mark.rotated
def test_s_is_handed_on_where_sys_executable_is_the_interpreter_again(
    infected: Environment,
) -> None:
    (infected.work / "app.py").write_text(RESTORED)
    assert infected.stock("app.py").out == "[1]\n"
    assert len(infected.ran()) > each(infected)
    assert infected.launched("app.py", SAFESITE_MODE="quiet").out == "[1]\n"
    assert infected.run(launcher(infected), "app.py", SAFESITE_MODE="quiet").out == "[1]\n"
    assert infected.ran() == []


@pytest.mark.rotated
@pytest.mark.parametrize("options", [(), ("-S",), ("-IS",), ("-s", "-W", "i")], ids=" ".join)
def test_the_options_of_a_process_are_what_it_was_given(
    served: Environment, options: tuple[str, ...]
) -> None:
    """As ``subprocess`` and ``multiprocessing`` tell them to children: -S only if it was typed."""
    code = (
        "import subprocess, _posixsubprocess as p; print(subprocess._args_from_interpreter_flags(),"
        "getattr(p, 'getattr', None), [getattr(subprocess, n, 0) for n in ('PIPE', 'nosuch')])"
    )
    stock = served.stock(*options, "-c", code)
    assert served.run(launcher(served), *options, "-c", code) == stock
    if "-S" not in options and "-IS" not in options:
        assert served.launched("-c", code, options=options) == stock


@pytest.mark.rotated
def test_programs_that_name_it_in_their_first_line(infected: Environment) -> None:
    """A zip application, and a script that a shell starts, with the options that fit there."""
    (infected.work / "app").mkdir()
    (infected.work / "app" / "__main__.py").write_text(RUN)
    (infected.work / "make.py").write_text(
        "import os, subprocess, sys, zipapp\n"
        "zipapp.create_archive('app', 'app.pyz', interpreter=sys.executable)\n"
        f"open('app.sh', 'w').write('#!' + sys.executable + ' -Bs\\n' + {RUN!r})\n"
        "for name in 'app.pyz', 'app.sh':\n"
        "    os.chmod(name, 0o755)\n"
        "    subprocess.run(['./' + name, 'a b'], check=True)\n"
    )
    assert infected.stock("make.py").out == "2\n2\n"
    assert len(infected.ran()) >= 5 * each(infected)
    if len(launcher(infected)) > 250:
        pytest.skip("a path longer than Linux takes in a first line")
    assert infected.launched("make.py", SAFESITE_MODE="quiet").out == "2\n2\n"
    for name in ("app.pyz", "app.sh"):
        assert infected.run(f"./{name}", SAFESITE_MODE="quiet").out == "2\n"
    assert infected.ran() == []


def make_wheel(folder: Path) -> Path:
    """Make a wheel with a console script that starts a child."""
    info = "seed-1.dist-info"
    files = {
        "seed.py": f"def main():\n    {RUN}\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: seed\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nseed = seed:main\n",
    }
    records = [f"{info}/RECORD,,"]
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        records.append(f"{name},sha256={digest.decode()},{len(text)}")
    wheel = folder / "seed-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "\n".join(records))
    return wheel


def bundled_pip(interpreter: Interpreter) -> Path:
    """Return the pip that an interpreter bundles; Debian's have none."""
    for wheel in (interpreter.library / "ensurepip" / "_bundled").glob("pip-*.whl"):
        return wheel / "pip"
    pytest.skip("this Python bundles no pip")


@pytest.mark.parametrize(
    "interpreter",
    [v if v == "3.13" else pytest.param(v, marks=pytest.mark.full) for v in VERSIONS[:4]],
    indirect=True,
)
def test_console_scripts_that_pip_writes(infected: Environment) -> None:
    wheel, script = make_wheel(infected.root), infected.prefix / "bin" / "seed"
    install: tuple[str | Path, ...]
    install = (bundled_pip(infected.interpreter), "install", "--quiet", "--no-index")
    install += ("--no-deps", "--no-compile", "--force-reinstall", "--disable-pip-version-check")
    code = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], check=True)"
    stock = infected.stock("-c", code, *install, wheel)
    assert (stock.code, infected.run(script).out) == (0, "2\n")
    assert len(infected.ran()) >= 4 * each(infected)
    ours = infected.launched("-c", code, *install, wheel, SAFESITE_MODE="quiet")
    assert (ours.code, ours.out) == (0, stock.out)
    assert infected.run(script, SAFESITE_MODE="quiet").out == "2\n"
    assert infected.ran() == []
    assert infected.run(script, "x").reports  # it is safesite that says nothing in "quiet"


@pytest.mark.full
@pytest.mark.parametrize("interpreter", VERSIONS[:4], indirect=True)
def test_an_environment_with_pip_made_by_a_child(infected: Environment) -> None:
    bundled_pip(infected.interpreter)
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-m', 'venv', 'v'], check=True);"
        "subprocess.run([sys.executable, '-Im', 'ensurepip', '--root', 'r'], check=True, stdout=-3)"
    )
    stock = infected.stock("-c", code)
    shutil.rmtree(infected.work / "v")
    shutil.rmtree(infected.work / "r")
    assert len(infected.ran()) > each(infected)
    ours = infected.launched("-c", code, SAFESITE_MODE="quiet")
    assert (ours.code, stock.code) == (0, 0)
    assert infected.ran() == []
    assert infected.run("v/bin/python", "-m", "pip", "--version").code == 0


# Under an explicit -S there are no site directories, but the alternative site is there.


@pytest.mark.rotated
def test_no_site_means_no_site_directories(infected: Environment) -> None:
    code = (
        "import builtins, json, site, sys; names = 'quit exit copyright credits license help';"
        "print([hasattr(builtins, n) for n in names.split()], site.addsitedir.__module__);"
        "print(sys.path, sys.prefix, sys.flags.no_site, site.PREFIXES, site.ENABLE_USER_SITE)"
    )
    stock = infected.stock("-S", "-c", code)
    ours = infected.run(launcher(infected), "-S", "-c", code)
    assert ours.out.splitlines()[1:] == stock.out.splitlines()[1:]
    assert ours.out.splitlines()[0] == f"{[True] * 6} site"
    assert (infected.ran(), ours.err) == ([], "")


@pytest.mark.rotated
@pytest.mark.parametrize("mode", ["allow", "warn", "quiet", "refuse", "skip"])
def test_without_site_directories_a_later_one_obeys_the_mode(
    infected: Environment, mode: str
) -> None:
    code = (
        "import site, sys, safesite; folder = sys.argv[1];"
        "site.addsitedir(folder); print(folder in sys.path, safesite.active());"
        "print(len(safesite.refusals()))"
    )
    line = ("-S", "-c", code, str(infected.site_packages))
    outcome = infected.run(launcher(infected), *line, SAFESITE_MODE=mode)
    runs = mode in ("allow", "warn")
    assert (outcome.code, len(infected.ran())) == (0, runs)
    assert outcome.out == f"True {mode}\n{int(mode in ('quiet', 'refuse'))}\n"
    assert len(outcome.reports) == 2 * (mode == "refuse")


@pytest.mark.rotated
def test_without_site_directories_main_adds_them(infected: Environment) -> None:
    code = "import site, sys; site.main(); print(sys.path, sys.prefix, site.PREFIXES)"
    stock = infected.stock("-S", "-c", code)
    assert infected.ran()
    ours = infected.run(launcher(infected), "-S", "-c", code, SAFESITE_MODE="quiet")
    assert (ours, infected.ran()) == (stock, [])


def subinterpreter(environment: Environment, code: str) -> str:
    """Return a program that runs code in a subinterpreter."""
    name = "_interpreters" if environment.interpreter.number >= (3, 13) else "_xxsubinterpreters"
    return f"import {name} as m; i = m.create(); m.run_string(i, {code!r}); m.destroy(i)"


@pytest.mark.rotated
def test_a_subinterpreter_has_the_site_directories_of_its_process(served: Environment) -> None:
    code = "import sys; print(sys.path[1:], sys.executable == sys.orig_argv[0], sys.prefix)"
    for options in ((), ("-S",), ("-I",)):
        line = (*options, "-c", subinterpreter(served, code))
        stock, ours = served.stock(*line), served.run(launcher(served), *line)
        stock = replace(
            stock, out=stock.out.replace(" False ", " True ")
        )  # typed as sys.executable
        assert ours == stock, options


@pytest.mark.rotated
def test_main_once_more_gives_what_stock_gives(infected: Environment) -> None:
    (infected.site_packages / "paths.pth").write_text("folder\n../other\n")
    for name in ("folder", "../other"):
        (infected.site_packages / name).mkdir()
    tell = "(sys.path, site.PREFIXES, site.ENABLE_USER_SITE, sys.prefix, sys.exec_prefix)"
    code = f"import site, sys; print({tell}); site.main(); print({tell})\n"
    code += f"sys.path[:] = sys.path[:2]; site.PREFIXES.clear(); site.main(); print({tell})\n"
    code += f"site.addsitedir('.'); site.main(); print({tell}, sys.executable == sys.argv[-1])\n"
    for options in ((), ("-s",), ("-I",)):
        line = ("-c", code)
        stock = infected.stock(*options, *line, infected.python)
        assert (stock.code, stock.out.count("True\n")) == (0, 1)
        assert infected.ran()
        executable = launcher(infected)
        starts = [(executable, *options), infected.launcher(*options)]
        for start in starts[: 1 if "-I" in options else 2]:  # under -I no current folder has it
            ours = infected.run(*start, *line, executable, SAFESITE_MODE="quiet")
            assert (ours.out, ours.other_err, infected.ran()) == (stock.out, "", [])


# What children inherit.

TELL_MODE = (
    "import safesite, subprocess, sys;"
    "print(safesite.active(), len(safesite.refusals()), flush=True);"
    "sys.argv.pop(0); sys.argv and subprocess.run([sys.executable, *sys.argv], check=True)"
)


@pytest.mark.rotated
@pytest.mark.parametrize("mode", ["allow", "warn", "quiet", "refuse", "skip", "nosuch"])
def test_the_mode_is_inherited(infected: Environment, mode: str) -> None:
    words = ("-c", TELL_MODE, "-s", "-c", TELL_MODE, "-I", "-c", TELL_MODE)
    outcome = infected.launched(*words, SAFESITE_MODE=mode)
    refusing, running = mode in ("quiet", "refuse", "nosuch"), mode in ("allow", "warn")
    line = f"{mode if mode != 'nosuch' else 'refuse'} {int(refusing)}"
    # In "allow" children are stock Python's, which under -I finds no safesite to ask.
    expected = [line, line, "refuse 1"] if mode != "allow" else [line, "None 0"]
    assert outcome.out.splitlines() == expected
    assert bool(infected.ran()) == running
    outcome = infected.run(launcher(infected), *words, SAFESITE_MODE=mode)
    assert outcome.out.splitlines() == [line, line, "refuse 1"]
    assert bool(infected.ran()) == running


@pytest.mark.rotated
def test_a_mode_that_the_program_sets_is_its_childrens(infected: Environment) -> None:
    code = f"import os; os.environ['SAFESITE_MODE'] = 'skip'; {TELL_MODE}"
    outcome = infected.launched("-c", code, "-c", TELL_MODE)
    assert outcome.out.splitlines() == ["refuse 1", "skip 0"]
    assert infected.ran() == []


@pytest.mark.rotated
def test_a_policy_is_inherited(infected: Environment, trusted_folder: Path) -> None:
    line = SEED.format(markers=str(infected.markers)).rstrip("\n")
    allowing = policies.write(
        trusted_folder / "allowing", [policies.allow("litellm_init.pth", line)]
    )
    denying = policies.write(trusted_folder / "denying", ["deny litellm_init.pth"])
    words = ("-c", TELL_MODE, "-c", TELL_MODE)
    allowed = infected.launched(*words, SAFESITE_POLICY=str(allowing))
    assert (allowed.out, allowed.err) == ("refuse 0\n" * 2, "")
    assert len(infected.ran()) == 2
    denied = infected.launched(*words, SAFESITE_POLICY=str(denying))
    assert (denied.out, denied.err) == ("refuse 1\n" * 2, "")
    assert infected.ran() == []


@pytest.mark.rotated
def test_the_log_is_inherited(infected: Environment) -> None:
    """With the process that refused, and where a child is in another folder."""
    code = (
        "import os, subprocess, sys; print(os.getpid(), flush=True); os.chdir('/');"
        "subprocess.run([sys.executable, '-c', 'import os; print(os.getpid())'], check=True)"
    )
    log = infected.root / "log"
    outcome = infected.launched("-c", code, SAFESITE_LOG=str(log), SAFESITE_MODE="quiet")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [str(entry["pid"]) for entry in entries] == outcome.out.split()
    assert len(entries) == 2


def kinds(outcome: Outcome) -> list[str]:
    """Return what safesite has reported, by the words in brackets."""
    return [line.rpartition("(")[2].rstrip(")") for line in outcome.reports]


@pytest.mark.rotated
def test_children_do_not_repeat_a_report_but_make_their_own(infected: Environment) -> None:
    (infected.work / "more").mkdir()
    (infected.work / "more" / "more.pth").write_text("import more\n")
    child = "import site; site.addsitedir('more')"
    code = (
        "import os, subprocess, sys;"
        "print([n for n in os.environ if n[:9] == 'SAFESITE_' and n[9:] == 'MODE']);"
        "subprocess.run([sys.executable, *sys.argv[2:]], env=eval(sys.argv[1]), check=True)"
    )
    own = ["import-line", "hint"]
    for given, words, reported in (
        ("None", ("-c", "pass"), []),
        ("None", ("-c", child), ["import-line"]),
        ("None", ("-S", "-c", child), ["import-line"]),
        ("None", ("-c", code, "None", "-c", child), ["import-line"]),
        ("None", ("-I", "-c", "pass"), own),
        ("None", ("-E", "-c", "pass"), own),
        ("{}", ("-c", "pass"), own),
        ("dict(os.environ)", ("-c", "pass"), []),
    ):
        outcome = infected.launched("-c", code, given, *words)
        assert (outcome.code, kinds(outcome)) == (0, own + reported), (given, words)
        assert outcome.out.startswith("[]\n")
    assert infected.ran() == []


BAD_HINTS = {
    "empty": "",
    "comma": ",",
    "commas": "," * 50_000,
    "zero": "0",
    "word": "nosuch",
    "long": "1," + "x" * 120_000,
    "many": "0," + ",".join(str(n) for n in range(20_000)),
    "bytes": "1,\udcff\x81,\n\x01",
    "format": "%s{0},$(id)",
}


@pytest.mark.rotated
@pytest.mark.parametrize("name", BAD_HINTS)
def test_a_malformed_variable_does_no_harm(infected: Environment, name: str) -> None:
    words = ("-c", TELL_MODE, "-c", TELL_MODE)
    for options in ((), ("-B",)):
        outcome = infected.run(
            launcher(infected), *options, *words, SAFESITE_HINTED=BAD_HINTS[name]
        )
        assert (outcome.code, outcome.out, outcome.other_err) == (0, "refuse 1\n" * 2, "")
        assert "import-line" in kinds(outcome)
    assert infected.ran() == []


# A soak.

# Each starts two others, one after the other, each in another way, until none is left to start.
TREE = """
import json, os, shlex, subprocess, sys, tool
number, most = int(sys.argv[1]), int(sys.argv[2])
os.write(1, b"%d\\n" % number)
for child in 2 * number, 2 * number + 1:
    if child > most:
        break
    words = [sys.executable, *["", "-B", "-Xdev"][child % 3 :][: child % 3 > 0], "tree.py"]
    words += [str(child), str(most)]
    way = child % 5
    if way == 0:
        subprocess.run(words, check=True)
    elif way == 1:
        os.waitpid(os.posix_spawn(words[0], words, os.environ), 0)
    elif way == 2:
        os.system(shlex.join(words))
    elif way == 3:
        if not (pid := os.fork()):
            os.execv(words[0], words)
        os.waitpid(pid, 0)
    elif child + child % 2 < most and child % 2:  # the last that is started: it becomes that
        os.execv(words[0], words)
    else:
        subprocess.run(words, env={**os.environ}, check=True)
"""
# Starts it and gets all processes that it leaves behind.
REAPER = """
import ctypes, os, subprocess, sys
assert not ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
code = subprocess.run(sys.argv[1:]).returncode
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    sys.exit(code)
sys.exit("something is left")
"""


def listing(*folders: Path) -> dict[str, int]:
    """Return all files below folders, and their sizes."""
    found = itertools.chain.from_iterable(folder.rglob("*") for folder in folders)
    return {str(path): path.lstat().st_size for path in found}


def soak(environment: Environment, most: int, *start: str, **more: str) -> None:
    """Start a tree of processes; each must have been there once, and nothing be left."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", REAPER, *start, "tree.py", "1", str(most)],
        cwd=environment.work,
        env=environment.environ() | more,
        capture_output=True,
        text=True,
        timeout=TIMEOUT + most,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(map(int, done.stdout.split())) == list(range(1, most + 1))


@pytest.mark.parametrize("most", [40, pytest.param(2000, marks=pytest.mark.full)])
@pytest.mark.rotated
def test_a_soak(infected: Environment, most: int) -> None:
    (infected.work / "tree.py").write_text(TREE)
    (infected.work / "safesite").unlink()
    package = infected.work / "safesite"
    shutil.copytree(PACKAGE, package, symlinks=True)
    temporary = infected.root / "tmp"
    temporary.mkdir()
    folders = (infected.home, temporary, infected.prefix, infected.work)
    more = {"SAFESITE_MODE": "quiet", "TMPDIR": str(temporary)}
    soak(infected, 7, str(infected.python), **more)
    assert len(infected.ran()) >= 7 * each(infected)
    soak(infected, 7, *infected.launcher(), **more)
    before = listing(*folders)
    soak(infected, most, *infected.launcher(), **more)
    assert infected.ran() == []
    assert listing(*folders) == before
