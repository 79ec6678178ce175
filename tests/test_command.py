"""The command ``safesite``: a shell launcher beside the environment's Python, and ``--python``."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import environments
import pytest
from conftest import need
from environments import PACKAGE, Environment
from installers import OUTSIDE
from interpreters import VERSIONS, Interpreter

COMMAND = PACKAGE / "command" / "safesite"
TELL = "import sys; print(sys.argv, sys.path, sys.warnoptions, sys._xoptions, sys.prefix)\n"
STRICT = {
    "env",
    "readlink",
    "dirname",
    "sh",
    "basename",
    "python3",
    "cat",
    "sed",
    "ls",
    "test",
    "[",
}


def install(environment: Environment) -> Path:
    """Put the package into an environment as its wheel does, and return the command."""
    shutil.copytree(
        PACKAGE,
        environment.site_packages / "safesite",
        ignore=shutil.ignore_patterns("__pycache__", "safesite", "safesite.cmd"),
    )
    (environment.work / "safesite").unlink()
    return Path(shutil.copy(COMMAND, environment.prefix / "bin" / "safesite"))


@pytest.fixture
def command(environment: Environment) -> Path:
    """The command in a fresh environment."""
    return install(environment)


# Each is what follows `safesite`; what Python gets of it, stock and without safesite.
LINES = [
    ["app.py", "a", "b c", "", "-x", "--python"],
    ["-X", "dev", "-W", "error", "app.py", "-c"],
    ["-Xutf8", "-Wi", "-Wd", "app.py"],
    ["-W", "ignore::DeprecationWarning", "app.py"],
    ["-Bs", "-u", "app.py"],
    ["-BWerror", "app.py"],
    ["-Ic", TELL, "x", "-c"],
    ["-Em", "app", "1 2"],
    ["-c", TELL, "*", "$HOME", "`x`", "a'b\"c", "\\"],
    ["-c" + TELL, "x"],
    ["-mapp", "x"],
    ["-", "x"],
    ["folder", "x"],
    ["--check-hash-based-pycs", "always", "app.py"],
    ["--", "app.py", "x"],
]


@pytest.mark.spread
@pytest.mark.parametrize("line", LINES, ids=[" ".join(line[:2])[:20] for line in LINES])
def test_a_line_means_what_it_means_to_python(
    environment: Environment, command: Path, line: list[str]
) -> None:
    (environment.work / "app.py").write_text(TELL)
    (environment.work / "folder").mkdir()
    (environment.work / "folder" / "__main__.py").write_text(TELL)
    stock = environment.run(environment.python, *line, stdin=TELL)
    assert stock.code == 0
    assert environment.run(command, *line, stdin=TELL) == stock


def test_a_line_of_many_words_is_no_slower(environment: Environment, command: Path) -> None:
    words = [str(n) for n in range(20000)]
    code = "import sys; print(sys.argv[1:] == [str(n) for n in range(20000)])"
    assert environment.run(command, "-X", "dev", "-Bs", "-c", code, *words).out == "True\n"


def test_without_a_target_it_reads_standard_input(environment: Environment, command: Path) -> None:
    assert environment.run(command, stdin="print('read')").out == "read\n"


@pytest.mark.rotated
@pytest.mark.parametrize(
    "line, message",
    [
        (["-x", "app.py"], "unknown option '-x'; see --help (usage)"),
        (["-S", "app.py"], "unknown option '-S'; see --help (usage)"),
        (["-X"], "unknown option '-X'; see --help (usage)"),
        (["--nosuch"], "unknown option '--nosuch'; see --help (usage)"),
        (["--python"], "--python needs a path; see --help (usage)"),
        (
            ["--python", "python3", "app.py"],
            "--python needs the path of a Python or an environment: no name is looked up (usage)",
        ),
        (
            ["--python=/nosuch/python", "app.py"],
            "there is no Python at that path, or beside this command: name one with --python (command)",  # noqa: E501 - a message
        ),
    ],
)
def test_a_wrong_line_is_one_sentence(
    environment: Environment, command: Path, line: list[str], message: str
) -> None:
    outcome = environment.run(command, *line)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"safesite: {message}\n")


def test_it_refuses_and_says_so(environment: Environment, command: Path) -> None:
    (environment.site_packages / "foo.pth").write_text("import sys; print('ran')\n")
    outcome = environment.run(command, "-X", "dev", "-c", "print('program')")
    assert outcome.out == "program\n"
    assert [line.rpartition("(")[2] for line in outcome.reports] == ["import-line)", "hint)"]
    advice = environments.advice(command, "-X", "dev")
    assert outcome.reports[-1] == environments.hint(1, advice)


# Where the command can be found.


def test_it_works_through_links(environment: Environment, command: Path) -> None:
    (environment.work / "app.py").write_text(TELL)
    expected = environment.run(command, "app.py")
    links = environment.root / "links"
    (links / "deep").mkdir(parents=True)
    (links / "absolute").symlink_to(command)
    (links / "deep" / "relative").symlink_to("../absolute")
    (links / "folder").symlink_to(environment.prefix)
    for link in ("absolute", "deep/relative"):
        assert environment.run(links / link, "app.py") == expected, link


@pytest.mark.rotated
@pytest.mark.parametrize("name", ["white space", "quote'\"$x", "-dash", "star*[a]", "umlaut-ü"])
def test_it_works_in_folders_of_any_name(
    interpreter: Interpreter, tmp_path: Path, name: str
) -> None:
    environment = environments.make(interpreter, tmp_path / name)
    command = install(environment)
    assert environment.run(command, "-c", "print(1)").out == "1\n"
    relative = os.path.relpath(command, environment.work)
    assert environment.run(relative, "-c", "print(2)").out == "2\n"
    assert environment.run("safesite", "-c", "print(3)").out == "3\n", "found on PATH"
    links = tmp_path / "links"
    links.mkdir()
    (links / "link").symlink_to(command)
    assert environment.run(links / "link", "-c", "print(4)").out == "4\n"


def test_it_is_an_interpreter_for_scripts(environment: Environment, command: Path) -> None:
    script = environment.work / "script"
    script.write_text(f"#!{command} -I\nimport sys; print(sys.argv, sys.flags.isolated)\n")
    script.chmod(0o755)
    assert environment.run("./script", "a b").out == "['./script', 'a b'] 1\n"


@pytest.mark.rotated
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox", "ksh", "zsh"])
def test_other_shells_read_it(environment: Environment, command: Path, shell: str) -> None:
    path = shutil.which(shell)
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"no {shell} on this machine")
    words = {"busybox": ["sh"], "bash": ["--posix"], "zsh": ["--emulate", "sh"]}.get(shell, [])
    (environment.root / "link").symlink_to(command)
    line: list[str | Path] = [
        path,
        *words,
        environment.root / "link",
        "-BX",
        "dev",
        "-c",
        TELL,
        "a b",
    ]
    outcome = environment.run(*line)
    assert (outcome.code, outcome.out.startswith("['-c', 'a b']")) == (0, True), outcome


def test_an_environment_upgraded_in_place_uses_the_newer_package(
    environment: Environment, command: Path
) -> None:
    """Beside an older version's folder, in either order of their names."""
    config = environment.prefix / "pyvenv.cfg"
    for key in ("version", "version_info"):
        for version in ("3.9", "3.99"):
            lines = config.read_text().replace("version =", f"{key} =")
            config.write_text(f"{lines.replace('version_info_info', 'version_info')}")
            other = environment.prefix / "lib" / f"python{version}" / "site-packages" / "safesite"
            (other / "command").mkdir(parents=True, exist_ok=True)
            (other / "command" / "start.py").write_text("raise SystemExit('the wrong one')")
            assert environment.run(command, "-c", "print(1)").err == ""
    assert environment.run(command, "-c", "print(1)").out == "1\n"


def test_a_command_without_its_package_says_so(environment: Environment, command: Path) -> None:
    shutil.rmtree(environment.site_packages / "safesite")
    outcome = environment.run(command, "app.py")
    expected = "safesite: its package is not beside it; install safesite anew (command)\n"
    assert (outcome.code, outcome.err) == (2, expected)


# What must not be imported or looked up.


def standard_names(environment: Environment) -> list[str]:
    code = "import sys; print(*sorted(sys.stdlib_module_names | {'safesite'}))"
    return environment.run(environment.python, "-I", "-S", "-c", code).out.split()


def test_no_hostile_module_is_imported_before_the_program(
    environment: Environment, command: Path
) -> None:
    """A module for every name of the standard library, where a package or a user could put it."""
    hostile = 'import os; open(os.environ["MARKERS"] + "/{0}", "w")\n'
    folders = [environment.work, environment.site_packages, environment.prefix / "bin"]
    for name in standard_names(environment):
        for folder in folders:
            if not (folder / name).exists():
                (folder / f"{name}.py").write_text(hostile.format(name))
    elsewhere = environment.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "app.py").write_text("print('program')\n")
    lines: list[list[str | Path]] = [[elsewhere / "app.py"], ["-"], ["--version"]]
    if environment.interpreter.number >= (3, 11):  # -m searches the current folder without -P
        lines.append(["-P", "-m", "this"])
    if environment.interpreter.number < (3, 13):  # itself it imports linecache from there for -c
        lines.append(["-c", "print('program')"])
    for line in lines:
        outcome = environment.run(command, *line, stdin="print('program')")
        assert environment.ran() == [], line
        assert (outcome.code, outcome.err) == (0, ""), line
        assert outcome.out.startswith(("program", "The Zen", "safesite 0")), line


def test_no_hostile_module_is_imported_in_a_subinterpreter(
    environment: Environment, command: Path
) -> None:
    """Where ``os`` is not frozen (3.10) it is imported anew, before the package's folder counts."""
    for name in ("os", "stat", "site", "posixpath"):
        text = f'import posix; posix.mkdir("{environment.markers}/{name}")\n'
        (environment.site_packages / f"{name}.py").write_text(text)
    name = "_interpreters" if environment.interpreter.number >= (3, 13) else "_xxsubinterpreters"
    code = f"import {name} as made; made.destroy(made.create()); print('made')"
    outcome = environment.run(command, "-c", code)
    assert (outcome.code, outcome.out, outcome.err) == (0, "made\n", "")
    assert list(environment.markers.iterdir()) == []


def test_a_false_safesite_of_pythonpath_is_not_imported(
    environment: Environment, command: Path
) -> None:
    false = environment.root / "false" / "safesite"
    false.mkdir(parents=True)
    (false / "__init__.py").write_text("raise SystemExit('false')\n")
    code = "import sys; print(sys.modules['safesite'].active())"
    outcome = environment.run(command, "-c", code, PYTHONPATH=str(false.parent))
    assert (outcome.code, outcome.out) == (0, "refuse\n")


def test_no_word_is_looked_up_on_path(environment: Environment, command: Path) -> None:
    """Neither for a plain start nor for one through links, options and ``--python``."""
    scripts = environment.prefix / "bin"
    for name in STRICT:
        (scripts / name).unlink(missing_ok=True)
        (scripts / name).write_text('#!/bin/sh\n: > "$MARKERS/hostile"\nexit 1\n')
        (scripts / name).chmod(0o755)
    (environment.root / "link").symlink_to(command)
    for line in (
        [command, "-c", "print(1)"],
        [environment.root / "link", "-X", "dev", "-c", "print(1)"],
        [environment.root / "link", "--python", environment.prefix, "-c", "print(1)"],
        ["safesite", "-c", "print(1)"],
    ):
        assert environment.run(*line).out == "1\n"
    assert environment.ran() == []
    strace = shutil.which("strace")
    if strace is None:
        return
    tracing: list[str | Path] = [
        strace,
        "-f",
        "-qq",
        "-e",
        "trace=execve",
        "-o",
        environment.root / "trace",
    ]
    environment.run(*tracing, environment.root / "link", "-c", "print(1)")
    lines = (environment.root / "trace").read_text().splitlines()
    started = [line.split('"')[1] for line in lines if "execve(" in line]
    assert all(path.startswith("/") for path in started)
    assert len(started) == 3, "the command, readlink and Python"


def test_the_environment_of_the_shell_does_not_matter(
    environment: Environment, command: Path
) -> None:
    """Nor is it changed, but for what a shell itself sets (PWD, IFS; bash SHLVL and _)."""
    (environment.root / "env.sh").write_text(': > "$MARKERS/env"\n')
    text = COMMAND.read_text("ascii")
    names = {
        "count",
        "start",
        "python",
        "version",
        *re.findall(r"\b(?:for )?(\w+)(?:=| in )", text),
    }
    variables = dict.fromkeys(names, "/nosuch") | {
        "ENV": str(environment.root / "env.sh"),
        "BASH_ENV": str(environment.root / "env.sh"),
        "CDPATH": "/:/usr",
        "IFS": "/",
        "PWD": str(environment.work),
        "_option1": "-V",
        "_count": "7",
    }
    own = {name: value for name, value in variables.items() if name[0] != "_" and name != "IFS"}
    relative = os.path.relpath(command, environment.work)
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    for options in ([], ["-B"]):
        outcome = environment.run(relative, *options, "-c", code, **variables)
        seen = json.loads(outcome.out)
        assert {name: seen.get(name) for name in own} == own
        assert set(seen) - set(variables) - set(environment.environ()) <= {
            "_",
            "SHLVL",
            "OLDPWD",
            "SAFESITE_EXECUTABLE",
        }
    assert environment.ran() == []


# On another interpreter.


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in an environment of its own, on 3.12, away from every environment it serves."""
    environment = environments.make(need("3.12"), tmp_path_factory.mktemp("tool") / "tool")
    return install(environment)


def test_python_runs_in_the_environment_it_names(environment: Environment, tool: Path) -> None:
    (environment.work / "app.py").write_text(TELL)
    (environment.site_packages / "foo.pth").write_text("import sys; print('ran')\nentry\n")
    (environment.site_packages / "entry").mkdir()
    stock = environment.stock("-X", "dev", "app.py", "x")
    ways: list[list[str | Path]] = [
        ["--python", environment.python],
        ["--python", environment.prefix],
        [f"--python={environment.python}"],
        ["--python", os.path.relpath(environment.prefix, environment.work)],
    ]
    for way in ways:
        outcome = environment.run(tool, "-X", "dev", *way, "app.py", "x")
        expected = stock.out.replace("ran\n", "")
        assert os.path.normpath(outcome.out) == os.path.normpath(expected)
        assert str(tool.parent.parent) not in outcome.out
        (library,) = tool.parent.parent.glob("lib/*/site-packages")
        start = tool.parent / ".." / library.relative_to(tool.parent.parent)
        assert len(outcome.reports) == 2
        python = Path(outcome.reports[-1].split(": ")[2].split()[0])
        folder = os.path.normpath(environment.work / python.parent)
        assert folder == str(environment.python.parent)
        advice = environments.advice(python, "-S", "-X", "dev", start / "safesite/command/start.py")
        assert outcome.reports[-1] == environments.hint(1, advice)


@pytest.mark.parametrize("options", [[], ["-X", "dev", "-B"]], ids=["plain", "options"])
def test_python_is_taken_by_the_module_too(environment: Environment, options: list[str]) -> None:
    other = need("3.11" if environment.interpreter.version != "3.11" else "3.12")
    (environment.work / "app.py").write_text(
        "import sys; print(sys.version_info[:2], sys._xoptions)"
    )
    line = [*options, "-S", "-m", "safesite", "--python", str(environment.python), "app.py"]
    outcome = environment.run(other.path, *line)
    expected = {"dev": True} if options else {}
    assert outcome.out == f"{environment.interpreter.number} {expected}\n"
    late = environment.run(other.path, "-I", "-c", LATE, "--python", str(environment.python), "x")
    assert (late.code, late.err.count("startup code has run already")) == (2, 1)


LATE = f"""
import sys
sys.path.insert(0, {str(PACKAGE.parent)!r})
import safesite
sys.path.insert(0, "")
safesite.start(False)
"""


def test_an_old_python_gets_its_sentence(tmp_path: Path, tool: Path) -> None:
    found = sorted((Path.home() / ".pyenv" / "versions").glob("[23].*/bin/python"))
    old = [path for path in found if not path.parent.parent.name.startswith(tuple(VERSIONS))]
    if not old:
        pytest.skip("no Python older than 3.10 on this machine")
    for path in old:
        line: list[str | Path] = [tool, "--python", path, "x.py"]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("safesite: it knows CPython 3.10 to 3.15, and this is ")
        assert len(done.stderr.splitlines()) == 1


# As it is installed.


def test_the_windows_twin_names_what_the_wheel_installs() -> None:
    text = (PACKAGE / "command" / "safesite.cmd").read_text("ascii")
    assert text.splitlines()[0] == "@echo off"
    (line,) = [line for line in text.splitlines() if not line.startswith(("rem ", "@"))]
    assert line == r'"%~dp0python.exe" -S "%~dp0..\Lib\site-packages\safesite\command\start.py" %*'


@pytest.mark.full
@pytest.mark.parametrize("installer", ["pip", "uv pip", "uv tool", "pipx"])
def test_each_installer_makes_a_command_that_works(
    interpreter: Interpreter, tmp_path: Path, installer: str
) -> None:
    tools = tmp_path / "tools"
    subprocess.run([interpreter.path, "-m", "venv", tools], check=True)
    pip: list[str | Path] = [tools / "bin" / "python", "-m", "pip", "install", "--quiet"]
    environ = OUTSIDE | {
        "UV_TOOL_DIR": str(tmp_path / "uv tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "HOME": str(tmp_path),
    }

    def run(*line: str | Path) -> None:
        subprocess.run([str(word) for word in line], check=True, env=environ, cwd=tmp_path)

    checkout = PACKAGE.parent
    command = tmp_path / "bin" / "safesite"
    if installer == "pip":
        run(*pip, checkout)
        command = tools / "bin" / "safesite"
    elif installer == "uv pip":
        run(*pip, "uv")
        run(tools / "bin" / "uv", "pip", "install", "--python", tools, checkout)
        command = tools / "bin" / "safesite"
    elif installer == "uv tool":
        run(*pip, "uv")
        run(tools / "bin" / "uv", "tool", "install", "--python", interpreter.path, checkout)
    else:
        run(*pip, "pipx")
        run(tools / "bin" / "pipx", "install", "--python", interpreter.path, checkout)
    environment = environments.make(interpreter, tmp_path / "served")
    (environment.site_packages / "foo.pth").write_text("import sys; print('ran')\n")
    for words in ([], ["--python", str(environment.python)]):
        outcome = environment.run(command, *words, "-c", "import sys; print(sys.prefix)")
        expected = environment.prefix if words else command.resolve().parent.parent
        assert (outcome.code, outcome.out) == (0, f"{expected}\n")
        assert bool(outcome.reports) == bool(words) or installer in {"pip", "uv pip"}


if sys.platform == "win32":
    pytest.skip("a POSIX shell runs the command; Windows has its twin", allow_module_level=True)
