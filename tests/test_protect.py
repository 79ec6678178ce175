"""``--protect`` and ``--unprotect``: what starts, is restored, was undone, is refused.

The command runs in this process, as it runs nothing of an environment; what is protected is
started.  What is the same on each version, as the command is, is tried on one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import environments
import pytest
from conftest import SOME_VERSIONS, need
from environments import PACKAGE, Environment, Outcome
from installers import Builder
from interpreters import Interpreter
from test_odd_surroundings import modes_count

from safesite import __version__, protect, protectable, protection


@pytest.fixture(scope="module", params=SOME_VERSIONS)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    """Some versions in turn; with --full, all."""
    return need(request.param)


@pytest.fixture
def one(tmp_path: Path) -> Environment:
    """An environment of one version."""
    return environments.make(need("3.13"), tmp_path / "environment")


MARK = 'import os; open(os.environ["MARKERS"] + "/{}", "a").close()\n'
TELL = (
    "import json, site, sys, sysconfig; print(json.dumps([sys.executable, sys.prefix,"
    " sys.exec_prefix, sys.base_prefix, sys.path, site.getsitepackages(), sys.argv,"
    " sysconfig.get_paths()]))"
)


START = PACKAGE / "command" / "start.py"


# The command, and trees.


def command(option: str, *words: str | Path) -> Outcome:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = protect.main(option, [str(word) for word in words], [])
    return Outcome(code, out.getvalue(), err.getvalue())


def protected(environment: Environment) -> Environment:
    """Protect an environment, which has to succeed without a word on standard error."""
    outcome = command("--protect", environment.prefix)
    assert (outcome.code, outcome.err) == (0, "")
    return environment


def tree(folder: Path, *, folders: bool = False) -> dict[str, tuple[object, ...]]:
    """Return type, mode, time, and target or sha256 of all below a folder; times of folders too."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts:
            continue
        st = path.lstat()
        content = ""
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        time = st.st_mtime_ns if folders or not stat.S_ISDIR(st.st_mode) else 0
        found[str(path.relative_to(folder))] = (st.st_mode, time, content)
    return found


def names_in_bin(environment: Environment) -> list[str]:
    return sorted(path.name for path in (environment.prefix / "bin").iterdir())


def launchers(environment: Environment) -> list[str]:
    found = (environment.prefix / "bin").iterdir()
    return sorted(path.name for path in found if protection.is_launcher(str(path)))


def start_folder(environment: Environment) -> Path:
    (name,) = protection.start_folders(str(environment.prefix))
    return environment.prefix / name


def plant(environment: Environment, name: str = "foo.pth") -> None:
    """Put an import line that leaves a marker into the site directory."""
    (environment.site_packages / name).write_text(MARK.format("line"))


@dataclasses.dataclass(frozen=True)
class Made(Environment):
    """An environment that a tool made, which decides what is in ``bin``."""


def made_by_venv(interpreter: Interpreter, root: Path, *options: str) -> Environment:
    """Make an environment as its users do."""
    made = Made(interpreter, root)
    for folder in (made.home, made.work, made.markers):
        folder.mkdir(parents=True)
    venv: list[str | Path] = [interpreter.path, "-I", "-m", "venv", "--without-pip", *options]
    subprocess.run([*venv, made.prefix], check=True)
    return made


def refused(environment: Environment, slug: str) -> str:
    """Return the sentence with which ``--protect`` refuses; nothing is written."""
    before = tree(environment.prefix, folders=True)
    outcome = command("--protect", environment.prefix)
    (line,) = outcome.reports
    assert (outcome.code, outcome.out) == (2, "")
    assert line.endswith(f" ({slug})")
    assert tree(environment.prefix, folders=True) == before
    return line


# What starts.


LINES = [
    ["-c", TELL],
    ["app.py", "a", "b c", ""],
    ["-m", "app"],
    ["-I", "app.py", "x"],
    ["-Es", "-W", "error", "-X", "dev", "-c", TELL, "-c"],
    ["-"],
]


def test_a_program_sees_what_stock_shows_it(environment: Environment) -> None:
    (environment.work / "app.py").write_text(TELL)
    python3 = environment.prefix / "bin" / "python3"
    lines: list[list[str | Path]] = [[environment.python, *line] for line in LINES]
    lines.append([python3, *LINES[1]])
    lines.append([environment.python, "-c", "import sys; print(sys._base_executable)"])
    stock = [environment.run(*line, stdin=TELL) for line in lines]
    assert {outcome.code for outcome in stock} == {0}
    if environment.interpreter.number < (3, 11):  # 3.10 takes what was started for the base
        assert stock.pop().out == f"{environment.python}\n"
        stock.append(Outcome(0, f"{environment.interpreter.path.resolve()}\n", ""))
    protected(environment)
    for line, outcome in zip(lines, stock, strict=True):
        assert environment.run(*line, stdin=TELL) == outcome, line


def test_no_line_runs_whoever_starts_python(environment: Environment) -> None:
    """By each name, through a link from elsewhere, with no variable, as a child, by exec."""
    plant(environment)
    for name in ("python", "python3"):
        assert environment.run(environment.prefix / "bin" / name, "-c", "pass").code == 0
    assert environment.ran() == ["line"], "stock runs it"
    protected(environment)
    link = environment.root / "link"
    link.symlink_to(environment.python)
    relative = os.path.relpath(environment.python, environment.work)
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}], check=True)"
    code = "print('end')"
    ways: list[list[str | Path]] = [
        [link, "-c", code],
        [relative, "-c", code],
        ["python3", "-c", code],  # on PATH
        ["/bin/sh", environment.python, "-c", code],
        [environment.python, "-c", child.format(child.format(code))],
        [environment.python, "-c", child.format(child.format(code)).replace("-c'", "-Ic'")],
        [
            environment.python,
            "-c",
            f"import os, sys; os.execv(sys.executable, [sys.executable, '-c', {code!r}])",
        ],
        [environment.python, "-Sc", code],
        [environment.prefix / "bin" / launchers(environment)[-1], "-c", code],
        ["env", "-i", f"MARKERS={environment.markers}", environment.python, "-c", code],
        ["/bin/sh", "-c", f"exec '{environment.python}' -c \"{code}\" <&- 3<&-"],
    ]
    for way in ways:
        outcome = environment.run(*way)
        assert (outcome.code, outcome.out) == (0, "end\n"), (way, outcome)
        assert environment.ran() == [], way
    outcome = environment.run(link, "-c", "import sys; print(sys.executable, sys.prefix)")
    assert outcome.out == f"{environment.python} {environment.prefix}\n"
    assert outcome.reports[0].endswith("(import-line)")


def test_each_name_of_the_interpreter_is_covered(one: Environment) -> None:
    """Whatever the name, and by however many links; nothing else is touched."""
    folder = one.prefix / "bin"
    (folder / "python3").unlink()
    (folder / "python3").symlink_to("./python")
    (folder / "\u03c0thon").symlink_to(folder / "python3")
    (folder / "pythonw").symlink_to("python")
    shutil.copy2(one.interpreter.path, folder / "copied")
    (folder / "tool").write_text("#!/bin/sh\necho tool\n")
    (folder / "python3-config").write_text("#!/bin/sh\necho config\n")
    (folder / "python3.9").symlink_to("/nosuch/python3.9")
    (folder / "other").symlink_to("/bin/sh")
    before = tree(one.prefix)
    protected(one)
    version = f"python{one.interpreter.version}"
    expected = sorted(["copied", "python", "python3", version, "pythonw", "\u03c0thon"])
    assert launchers(one) == expected
    for name in expected:
        code = "import os, sys; print(os.path.basename(sys.executable), sys.prefix)"
        outcome = one.run(folder / name, "-c", code, PYTHONIOENCODING="utf-8")
        assert outcome.out == f"{name} {one.prefix}\n"
    outcome = command("--unprotect", one.prefix)
    assert (outcome.code, outcome.err) == (0, "")
    assert tree(one.prefix) == before


def test_what_it_says_and_records(one: Environment) -> None:
    names = ["python", "python3", f"python{one.interpreter.version}"]
    told = f"by safesite {__version__} in {PACKAGE}: {', '.join(names)}\n"
    outcome = command("--protect", one.prefix)
    assert outcome.out == f"safesite: {one.prefix}: protected {told}"
    record = json.loads((one.prefix / ".safesite" / "record.json").read_text())
    data = (one.prefix / "pyvenv.cfg").read_bytes()
    texts = {name: (one.prefix / "bin" / name).read_bytes() for name in names}
    assert record == {
        "format": 1,
        "safesite": __version__,
        "package": str(PACKAGE),
        "home": str(one.interpreter.path.parent),
        "base": os.path.realpath(one.interpreter.path),
        "start": start_folder(one).name,
        "config": hashlib.sha256(data).hexdigest(),
        "launchers": {name: hashlib.sha256(texts[name]).hexdigest() for name in names},
    }
    links = {path.name: str(path.readlink()) for path in start_folder(one).iterdir()}
    assert links == dict.fromkeys(names, record["base"])
    assert {(one.prefix / "bin" / name).lstat().st_mode for name in names} == {0o100755}


def test_everybody_can_start_it_whatever_the_umask(one: Environment) -> None:
    umask = os.umask(0o077)
    try:
        protected(one)
    finally:
        os.umask(umask)
    written = [start_folder(one), *one.prefix.glob(".safesite/**/*")]
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in written if not path.is_symlink()}
    expected = {path: 0o755 if path.is_dir() else 0o644 for path in modes}
    assert modes == expected


@pytest.mark.parametrize(
    "name",
    ["white space", "quote'\"$x`y`", "new\nline", "-dash", "star*[a]\\", "umlaut-ü", b"\xff"],
)
def test_folders_of_any_name(tmp_path: Path, name: str | bytes, interpreter: Interpreter) -> None:
    environment = environments.make(interpreter, tmp_path / os.fsdecode(name))
    plant(environment)
    before = tree(environment.prefix)
    protected(environment)
    code = "import os, sys; print(os.fsencode(sys.prefix))"
    for words in ([], ["-X", "dev"]):
        outcome = environment.run(environment.python, *words, "-c", code)
        assert outcome.out == f"{os.fsencode(environment.prefix)!r}\n"
    assert environment.ran() == []
    os.utime(environment.prefix / "pyvenv.cfg")
    (environment.prefix / "pyvenv.cfg").write_text("home = /\n")
    outcome = environment.run(environment.python, "-c", code)
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert outcome.err.isascii()
    command("--unprotect", environment.prefix)
    assert {**tree(environment.prefix), "pyvenv.cfg": ()} == {**before, "pyvenv.cfg": ()}


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox", "ksh", "zsh"])
def test_other_shells_read_it(one: Environment, shell: str) -> None:
    path = shutil.which(shell)
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"no {shell} on this machine")
    words = {"busybox": ["sh"], "bash": ["--posix"], "zsh": ["--emulate", "sh"]}.get(shell, [])
    config = one.prefix / "pyvenv.cfg"
    odd = bytes([*range(1, 10), *range(11, 128)]) + "\u0101\u20ac".encode()
    data = config.read_bytes() + odd + b"\nx = \\ \n"
    config.write_bytes(data)
    protected(one)
    line: list[str | Path] = [path, *words, one.python, "-c", "print(input())"]
    assert one.run(*line, stdin="in").out == "in\n"
    for other in (b"\0" + data, data.replace(b"x =", b"x\0 ="), data + b"\n", data[:-1]):
        config.write_bytes(other)
        outcome = one.run(*line, stdin="in")
        assert (outcome.code, outcome.out, len(outcome.err.splitlines())) == (2, "", 1), other[-9:]


def test_no_word_is_looked_up_and_nothing_else_is_started(one: Environment) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace on this machine")
    protected(one)
    trace = one.root / "trace"
    one.run(strace, "-f", "-qq", "-e", "trace=%process", "-o", trace, one.python, "-c", "pass")
    started = re.findall(r"execve\((\".*?\"),", trace.read_text())
    folder = start_folder(one)
    assert started == [f'"{one.python}"', f'"{folder / "python"}"']
    assert not re.search(r"\b(v?fork|clone3?)\(", trace.read_text())


# What is looked at at each start.


def failure(environment: Environment, *line: str | Path) -> str:
    """Return the one line with which a start ends that does nothing else."""
    outcome = environment.run(*(line or (environment.python, "-c", "print('started')")))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.endswith(" (protect)\n")
    (report,) = outcome.err.splitlines()
    assert report.startswith("safesite: ")
    return report


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "home": lambda data: data.replace(b"home = ", b"home = /evil"),
    "no home": lambda data: data.partition(b"\n")[2],
    "another home before": lambda data: b"home = /evil\n" + data,
    "a line more": lambda data: data + b"x = y\n",
    "an empty line more": lambda data: data + b"\n",
    "bytes without line end": lambda data: data + b"x",
    "a line less": lambda data: data[: data.rindex(b"\n", 0, -1) + 1],
    "no last line end": lambda data: data[:-1],
    "NUL for the last line end": lambda data: data[:-1] + b"\0",
    "NUL in the key": lambda data: data.replace(b"home", b"ho\0me"),
    "NUL in the value": lambda data: data.replace(b"home = /", b"home = /\0"),
    "NUL at the end": lambda data: data + b"\0",
    "CR": lambda data: data.replace(b"\n", b"\r\n"),
    "blank at a line's end": lambda data: data.replace(b"\n", b" \n", 1),
    "blank at a line's begin": lambda data: b" " + data,
    "backslash": lambda data: data.replace(b"\n", b"\\\n", 1),
    "capitals": lambda data: data.replace(b"home", b"HOME"),
}


def test_a_changed_pyvenv_cfg_ends_a_start(one: Environment) -> None:
    protected(one)
    config = one.prefix / "pyvenv.cfg"
    data = config.read_bytes()
    told = f"safesite: {config}: not what it was when the environment was protected, so "
    told += "nothing starts; restore it, or run safesite --protect on it (protect)"
    for name, change in CHANGES.items():
        config.write_bytes(change(data))
        assert change(data) != data
        assert failure(one) == told, name
    config.unlink()
    assert failure(one) == told
    config.mkdir()
    assert failure(one) == told
    config.rmdir()
    config.write_bytes(data)
    assert one.run(one.python, "-c", "print(1)").out == "1\n"


@pytest.mark.parametrize("end", ["\n", "", "\r\n", "\n\n", "\nx = \\\\ \t"])
def test_any_pyvenv_cfg_can_be_recorded(one: Environment, end: str) -> None:
    config = one.prefix / "pyvenv.cfg"
    data = config.read_bytes()[:-1] + end.encode()
    config.write_bytes(data)
    protected(one)
    assert one.run(one.python, "-c", "print(1)").out == "1\n"
    others = [data + b"\n", data + b"\0", data.replace(b"h", b"\0h", 1), data[:-1], data + b" "]
    for other in others:
        config.write_bytes(other)
        assert failure(one)


@pytest.mark.parametrize("change", ["NUL at the end", "NUL in the key", "home", "no home"])
def test_it_is_looked_at_without_proc_too(one: Environment, change: str) -> None:
    """Where the kernel does not tell how far a file was read, the base is asked for its size."""
    protected(one)
    text = one.python.read_text()
    assert text.count("/proc/self") == 2
    one.python.write_text(text.replace("/proc/self", "/nosuch"))
    assert one.run(one.python, "-c", "print(input())", stdin="1").out == "1\n" or (
        one.run(one.python, "-c", "print(1)").out == "1\n"
    )
    config = one.prefix / "pyvenv.cfg"
    config.write_bytes(CHANGES[change](config.read_bytes()))
    assert failure(one)


def hostile_library(environment: Environment, folder: Path) -> None:
    """Write what takes a folder for Python's, and leaves a marker when Python starts there."""
    library = folder / "lib" / f"python{environment.interpreter.version}"
    (library / "encodings").mkdir(parents=True, exist_ok=True)
    (library / "os.py").write_text("")
    (library / "lib-dynload").mkdir(exist_ok=True)
    text = f"import posix\nposix.mkdir({str(environment.markers / 'hostile')!r})\n"
    (library / "encodings" / "__init__.py").write_text(text)


def hostile(environment: Environment) -> bool:
    """Return whether the false library was used, and forget it."""
    marker = environment.markers / "hostile"
    used = marker.is_dir()
    if used:
        marker.rmdir()
    return used


def copy_pythons(environment: Environment) -> None:
    """Have copies in ``bin``: by links most versions find their own library whatever home says."""
    for name in names_in_bin(environment):
        path = environment.prefix / "bin" / name
        path.unlink()
        shutil.copy2(environment.interpreter.path, path)


@pytest.mark.parametrize("kind", ["links", "copies"])
def test_a_nul_in_pyvenv_cfg_cannot_cut_home(environment: Environment, kind: str) -> None:
    """Python ends a line there; shells read on.  Cut so, home is the environment's own folder."""
    home = environment.root / "venv-base" / "bin"
    home.mkdir(parents=True)
    for name in names_in_bin(environment):
        (home / name).symlink_to(os.path.realpath(environment.interpreter.path))
    configure(environment, str(environment.interpreter.path.parent), str(home))
    hostile_library(environment, environment.prefix)
    if kind == "copies":
        copy_pythons(environment)
    config = environment.prefix / "pyvenv.cfg"
    data = config.read_bytes()
    cut = data.replace(b"venv-base", b"venv\0-base")
    assert cut != data
    config.write_bytes(cut)
    environment.stock("-c", "pass")
    assert hostile(environment) or kind == "links", "stock uses it"
    config.write_bytes(data)
    protected(environment)
    assert environment.run(environment.python, "-c", "print(1)").out == "1\n"
    config.write_bytes(cut)
    failure(environment)
    assert not hostile(environment)


def test_a_moved_environment_says_so_and_can_be_protected_anew(one: Environment) -> None:
    before = tree(one.prefix)
    protected(one)
    moved = one.root / "moved"
    one.prefix.rename(moved)
    advice = "the environment was moved or copied from there; run safesite --protect on it"
    told = f"safesite: {one.python}: {advice} (protect)"
    assert failure(one, moved / "bin" / "python", "-c", "print(1)") == told
    assert command("--protect", moved).code == 0
    code = "import sys; print(sys.prefix)"
    assert one.run(moved / "bin" / "python", "-c", code).out == f"{moved}\n"
    moved.rename(one.prefix)
    assert command("--unprotect", one.prefix).code == 0
    assert tree(one.prefix) == before


def test_a_copied_environment_says_so(one: Environment) -> None:
    before = tree(one.prefix)
    protected(one)
    copied = one.root / "copied"
    subprocess.run(["cp", "-a", one.prefix, copied], check=True)
    assert "moved or copied" in failure(one, copied / "bin" / "python", "-c", "print(1)")
    assert one.run(one.python, "-c", "print(1)").out == "1\n"
    assert command("--unprotect", copied).code == 0
    assert tree(copied) == before
    assert one.run(one.python, "-c", "print(1)").out == "1\n"


def test_a_base_or_a_safesite_that_is_gone_is_told(
    one: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "elsewhere" / "safesite"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    with monkeypatch.context() as patch:
        patch.setattr(protect, "PACKAGE", str(package))
        protected(one)
    link = start_folder(one) / "python"
    real = str(link.readlink())
    for other in ("/bin/sh", "/nosuch"):
        link.unlink()
        link.symlink_to(other)
        gone = "the interpreter is gone, or not the one of this environment any more"
        told = f"safesite: {real}: {gone}; run safesite --protect on it (protect)"
        assert failure(one) == told
    link.unlink()
    link.symlink_to(real)
    shutil.rmtree(package)
    gone = "safesite is not there any more; run safesite --protect on it, from another place"
    assert failure(one) == f"safesite: {package}: {gone} (protect)"
    assert command("--protect", one.prefix).code == 0
    assert one.run(one.python, "-c", "print(1)").out == "1\n"


# What is restored.


@pytest.mark.parametrize("options", [(), ("--copies",)], ids=["links", "copies"])
def test_an_environment_of_venv(
    interpreter: Interpreter, tmp_path: Path, options: tuple[str, ...]
) -> None:
    environment = made_by_venv(interpreter, tmp_path / "made", *options)
    plant(environment)
    before = tree(environment.prefix)
    kinds = {name: (environment.prefix / "bin" / name).is_symlink() for name in ("python",)}
    assert kinds == {"python": not options}
    protected(environment)
    again = tree(environment.prefix, folders=True)
    names = launchers(environment)
    assert names == [x for x in names_in_bin(environment) if x.startswith(("python", "\U0001d70b"))]
    outcome = command("--protect", environment.prefix)
    told = ", ".join(names) if str(names).isascii() else outcome.out.partition("already: ")[2][:-1]
    assert outcome.out == f"safesite: {environment.prefix}: protected already: {told}\n"
    assert (outcome.code, outcome.err) == (0, "")
    assert tree(environment.prefix, folders=True) == again
    for name in names:
        outcome = environment.run(environment.prefix / "bin" / name, "-c", "print(1)")
        assert outcome.out == "1\n"
    assert environment.ran() == []
    outcome = command("--unprotect", environment.prefix)
    assert outcome.out == f"safesite: {environment.prefix}: not protected any more: {told}\n"
    assert (outcome.code, outcome.err) == (0, "")
    assert tree(environment.prefix) == before
    outcome = command("--unprotect", environment.prefix)
    assert outcome.out == f"safesite: {environment.prefix}: not protected, so nothing to do\n"
    assert outcome.code == 0


def test_where_links_have_no_second_name_a_true_copy_is_kept(
    one: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:

    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "not permitted")

    copied = one.prefix / "bin" / "copied"
    shutil.copy2(one.interpreter.path, copied)
    copied.chmod(0o711)
    os.utime(copied, ns=(1, 1_000_000_001))
    os.utime(one.python, ns=(1, 2_000_000_003), follow_symlinks=False)
    before = tree(one.prefix)
    monkeypatch.setattr(os, "link", link)
    protected(one)
    assert command("--unprotect", one.prefix).code == 0
    assert tree(one.prefix) == before


def test_another_safesite_or_pyvenv_cfg_renews_it(
    one: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = one.prefix / "pyvenv.cfg"
    before = tree(one.prefix)
    protected(one)
    first = start_folder(one)
    with config.open("a") as file:
        file.write("prompt = x\n")
    outcome = command("--protect", one.prefix)
    assert outcome.code == 0
    assert outcome.reports == [
        f"safesite: {config}: has changed, but for home; recorded anew (config)"
    ]
    assert start_folder(one) != first
    assert one.run(one.python, "-c", "print(1)").out == "1\n"
    monkeypatch.setattr(protect, "__version__", "9.9")
    outcome = command("--protect", one.prefix)
    assert (outcome.code, "by safesite 9.9 in" in outcome.out) == (0, True)
    before["pyvenv.cfg"] = tree(one.prefix)["pyvenv.cfg"]
    assert command("--unprotect", one.prefix).code == 0
    assert tree(one.prefix) == before


def test_a_changed_home_is_refused(one: Environment, tmp_path: Path) -> None:
    protected(one)
    base = Path(os.path.realpath(one.interpreter.path))
    other = tmp_path / "other"
    other.mkdir()
    (other / "python3").symlink_to(base)
    config = one.prefix / "pyvenv.cfg"
    text = config.read_text()
    home = str(one.interpreter.path.parent)
    config.write_text(text.replace(home, str(other)))
    was = f"home was {home} when it was protected; restore that, or --unprotect first"
    told = f"safesite: {config}: home = {other}, but {was} (home)"
    assert refused(one, "home") == told
    assert command("--unprotect", one.prefix).code == 0
    assert command("--protect", one.prefix).code == 0
    assert one.run(one.python, "-c", "print(1)").out == "1\n"


# What was undone.


def test_an_undone_name_is_told_and_protected_again(one: Environment) -> None:
    """As ``uv venv`` and ``venv --upgrade`` undo it; the new link is kept then."""
    protected(one)
    real = os.path.realpath(one.interpreter.path)
    one.python.unlink()
    one.python.symlink_to(real)
    assert protection.undone(str(one.prefix)) == ["python"]
    outcome = command("--protect", one.prefix)
    was = "was not the launcher any more; it is again (undone)"
    assert outcome.reports == [f"safesite: {one.python}: {was}"]
    assert (outcome.code, protection.undone(str(one.prefix))) == (0, [])
    assert one.run(one.python, "-c", "print(1)").out == "1\n"
    assert command("--unprotect", one.prefix).code == 0
    assert str(one.python.readlink()) == real


def test_a_removed_name_is_put_back(one: Environment) -> None:
    before = tree(one.prefix)
    protected(one)
    one.python.unlink()
    assert protection.undone(str(one.prefix)) == []
    assert command("--protect", one.prefix).code == 0
    assert one.run(one.python, "-c", "print(1)").out == "1\n"
    one.python.unlink()
    assert command("--unprotect", one.prefix).code == 0
    assert tree(one.prefix) == before


def test_a_foreign_file_is_left_and_told(one: Environment) -> None:
    protected(one)
    one.python.unlink()
    one.python.write_text("#!/bin/sh\necho foreign\n")
    one.python.chmod(0o755)
    why = "not this environment's interpreter; to have it protected, remove it or put that there"
    told = f"safesite: {one.python}: left as it is: {why} (foreign)"
    for already in (False, True):
        outcome = command("--protect", one.prefix)
        assert (outcome.code, outcome.reports) == (2, [told])
        assert ("already" in outcome.out) == already
    assert one.run(one.python).out == "foreign\n"
    python3 = one.prefix / "bin" / "python3"
    assert one.run(python3, "-c", "print(1)").out == "1\n"
    outcome = command("--unprotect", one.prefix)
    left = f"safesite: {one.python}: left as it is: not the launcher any more (undone)"
    assert (outcome.code, outcome.reports) == (0, [left])
    assert one.run(one.python).out == "foreign\n"
    assert python3.is_symlink()
    assert not list(one.prefix.glob(".safesite*"))


def test_a_changed_launcher_is_written_anew(one: Environment) -> None:
    before = tree(one.prefix)
    protected(one)
    with one.python.open("a") as file:
        file.write("echo more\n")
    assert protection.undone(str(one.prefix)) == [], "it looks at the first lines"
    outcome = command("--protect", one.prefix)
    assert (outcome.code, outcome.err.count("(undone)")) == (0, 1)
    with one.python.open("a") as file:
        file.write("echo more\n")
    assert command("--unprotect", one.prefix).code == 0
    assert tree(one.prefix) == before


def test_a_launcher_without_its_original_stays(one: Environment) -> None:
    protected(one)
    (one.prefix / ".safesite" / "kept" / "python").unlink()
    before = tree(one.prefix, folders=True)
    outcome = command("--unprotect", one.prefix)
    why = "a launcher, of which the original is not kept; put Python there first (original)"
    assert (outcome.code, outcome.reports) == (2, [f"safesite: {one.python}: {why}"])
    assert tree(one.prefix, folders=True) == before
    assert one.run(one.python, "-c", "print(1)").out == "1\n"


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x00", '{"format": 2}', "[" * 100000])
def test_a_false_record_is_refused(one: Environment, text: str) -> None:
    before = tree(one.prefix)
    protected(one)
    record = one.prefix / ".safesite" / "record.json"
    record.write_text(text)
    told = f"safesite: {record}: not from --protect; try --unprotect first (record)"
    assert refused(one, "record") == told
    record.unlink()
    told = f"safesite: {record}: is missing; --unprotect first (record)"
    assert refused(one, "record") == told
    record.write_text(text)
    assert command("--unprotect", one.prefix).code == 0
    assert tree(one.prefix) == before


def test_what_a_wheel_puts_beside_it_does_no_harm(one: Environment) -> None:
    """Files with the names that are used, before and after: they stay, or are replaced."""
    kept = one.prefix / ".safesite" / "kept"
    kept.mkdir(parents=True)
    (kept / "python").write_text("#!/bin/sh\necho planted\n")
    (one.prefix / ".safesite" / "more").touch()
    false = one.prefix / f".safesite-{'0' * 16}"
    false.mkdir()
    (false / "python3._pth").touch()
    outcome = command("--protect", one.prefix)
    assert outcome.code == 0
    stays = f"safesite: {false}: holds what is not from --protect, so it stays (foreign)"
    assert stays in outcome.reports
    assert str((kept / "python").readlink()) == str(one.interpreter.path)
    outcome = command("--unprotect", one.prefix)
    stays = "holds what is not from --protect, so it stays (foreign)"
    named = [false, one.prefix / ".safesite"]
    assert outcome.reports == [f"safesite: {path}: {stays}" for path in named]
    assert (outcome.code, str(one.python.readlink())) == (
        2,
        str(one.interpreter.path),
    )


# What is refused.


def test_wrong_words_are_one_sentence(one: Environment) -> None:
    for option in ("--protect", "--unprotect"):
        needs = f"safesite: {option} needs the folder of one environment; see --help (usage)\n"
        for words in ([], [""], ["--"], ["a", "b"]):
            assert command(option, *words) == Outcome(2, "", needs)
        unknown = f"safesite: unknown option '--x' of {option}; see --help (usage)\n"
        assert command(option, "--x", one.prefix) == Outcome(2, "", unknown)
        told = "safesite: /nosuch: there is no such folder (environment)\n"
        assert command(option, "/nosuch") == Outcome(2, "", told)
    assert command("--protect", "--", one.prefix).code == 0


def test_the_command_line_leads_here(one: Environment) -> None:
    """Also relative and by a link, from inside the environment, which then goes on to start."""
    (one.root / "other" / "deep").mkdir(parents=True)
    (one.root / "other" / "made").symlink_to(one.prefix)
    (one.root / "link").symlink_to("other/deep")
    outcome = one.launched("--protect", "../link/../made")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"safesite: {one.prefix}: protected by")
    assert one.run(one.python, "-c", "print(1)").out == "1\n"
    outcome = one.launched("--unprotect", "../venv")
    assert (outcome.code, one.python.is_symlink()) == (0, True), outcome
    assert one.launched("--protect").code == 2
    assert "--unprotect VENV" in one.launched("--help").out


def conda(environment: Environment) -> None:
    (environment.prefix / "pyvenv.cfg").unlink()
    (environment.prefix / "conda-meta").mkdir()


def base_inside(environment: Environment) -> None:
    inside = environment.prefix / "base" / "bin"
    inside.mkdir(parents=True)
    shutil.copy(environment.interpreter.path, inside / "python3")
    for name in names_in_bin(environment):
        (environment.prefix / "bin" / name).unlink()
        (environment.prefix / "bin" / name).symlink_to(inside / "python3")
    configure(environment, str(environment.interpreter.path.parent), str(inside))


def bin_is_a_link(environment: Environment) -> None:
    (environment.prefix / "bin").rename(environment.root / "bin")
    (environment.prefix / "bin").symlink_to(environment.root / "bin")


def foreign_python(environment: Environment) -> None:
    for name in names_in_bin(environment):
        (environment.prefix / "bin" / name).unlink()
        (environment.prefix / "bin" / name).write_text("#!/bin/sh\n")


def configure(environment: Environment, old: str, new: str) -> None:
    config = environment.prefix / "pyvenv.cfg"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))


REFUSED: dict[str, tuple[Callable[[Environment], object], str, str]] = {
    "conda": (conda, "inside", "a conda environment, whose interpreter lies inside it"),
    "base inside": (base_inside, "inside", "the interpreter lies inside the environment"),
    "no pyvenv.cfg": (
        lambda e: (e.prefix / "pyvenv.cfg").unlink(),
        "environment",
        "no virtual environment: it has no pyvenv.cfg",
    ),
    "no home": (lambda e: configure(e, "home", "dome"), "home", "names no folder as home"),
    "relative home": (lambda e: configure(e, "home = /", "home = "), "home", "names no folder"),
    "home gone": (lambda e: configure(e, "home = ", "home = /x"), "home", "has no interpreter"),
    "foreign": (foreign_python, "home", "has not the interpreter that is in bin"),
    "bin": (bin_is_a_link, "environment", "no folder of the environment's own"),
    "version": (
        lambda e: configure(e, f"version = {e.interpreter.version}", "version = 3.9"),
        "version",
        "made for 3.9, but the interpreter is 3.",
    ),
    "NUL": (lambda e: configure(e, "version", "\0version"), "environment", "with a NUL"),
    "long": (lambda e: configure(e, "version", "#" * 20000 + "\nversion"), "environment", "16 KiB"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_protected_is_refused(one: Environment, what: str) -> None:
    make, slug, words = REFUSED[what]
    make(one)
    assert words in refused(one, slug)


def test_a_safesite_inside_the_environment_is_refused(
    one: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = one.site_packages / "safesite"
    shutil.copytree(PACKAGE, inside)
    monkeypatch.setattr(protect, "PACKAGE", str(inside))
    why = "lies inside the environment, where packages can replace it; use one from outside"
    assert refused(one, "inside") == f"safesite: {inside}: this safesite {why} (inside)"


def test_another_python_is_refused(tmp_path: Path) -> None:
    found = sorted((Path.home() / ".pyenv" / "versions").glob("[23].*/bin/python3"))
    old = [path for path in found if path.parent.parent.name.startswith(("3.8", "3.9"))]
    if not old:
        pytest.skip("no Python of 3.8 or 3.9 on this machine")
    for path in old:
        environment = environments.make(
            Interpreter("3.9", path), tmp_path / path.parent.parent.name
        )
        configure(environment, "version = 3.9\n", "")
        assert "it knows CPython 3.10 to 3.15, and this is 3." in refused(
            environment, "interpreter"
        )


@pytest.mark.parametrize("where", ["prefix", "bin"])
def test_a_read_only_environment_is_refused(one: Environment, where: str) -> None:
    folder = one.prefix if where == "prefix" else one.prefix / "bin"
    before = tree(one.prefix, folders=True)
    folder.chmod(0o555)
    python = one.interpreter.path
    words: list[str | Path] = [*modes_count(), python, "-S", "-m", "safesite", "--protect"]
    outcome = one.run(*words, one.prefix)
    folder.chmod(0o755)
    why = "cannot be written; do this as the environment's owner, before it is made read-only"
    assert outcome == Outcome(2, "", f"safesite: {folder}: {why} (read-only)\n")
    assert tree(one.prefix, folders=True) == before


def test_a_protected_environment_may_be_made_read_only(one: Environment) -> None:
    plant(one)
    protected(one)
    for path in [one.prefix, *one.prefix.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o555)
    line: list[str | Path] = [*modes_count(), one.python, "-c", "print(1)"]
    assert one.run(*line).out == "1\n"
    python = one.interpreter.path
    safesite: list[str | Path] = [*modes_count(), python, "-S", "-m", "safesite"]
    before = tree(one.prefix)
    for option in ("--protect", "--unprotect"):
        outcome = one.run(*safesite, option, one.prefix)
        assert (outcome.code, len(outcome.reports)) == (2, 1), outcome
        assert "as the environment's owner" in outcome.err
    assert tree(one.prefix) == before
    assert one.run(*line).out == "1\n"
    assert one.ran() == []
    for path in [one.prefix, *one.prefix.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def test_macos_and_windows_are_refused(one: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        outcome = command("--protect", one.prefix)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("safesite: --protect is not there on macOS: ")
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        with pytest.raises(protectable.Refused, match="not there on Windows"):
            protect.check_platform()


# Interrupted, and two at once.

# Makes the environment of each path anew, and runs an option there that kills itself before the
# next step on the file system: before the first in the first, before the second in the second ...
KILLED = """
import io, json, os, shutil, signal, sys
sys.path.insert(0, sys.argv[1])
from safesite import protect, protectable
template, root, before, option = sys.argv[2:]
CHANGES = {"os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.chmod"}
protectable.Base.check_version = lambda self: None  # starts a process each time
os.fsync = lambda file: None
protect.tell = protect.say = lambda text: None
left = None
def watch(event, args):
    global left
    if left is None:
        return
    if event in CHANGES or event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR):
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
sys.addaudithook(watch)
for number in range(1000):
    prefix = f"{root}/{number}/venv"
    shutil.copytree(template, prefix, symlinks=True)
    for first in before.split():
        assert protect.main(first, [prefix], []) == 0
        if first == "--protect" and option == "--protect":  # then it is renewed
            open(prefix + "/pyvenv.cfg", "a").write("prompt = x\\n")
    child = os.fork()
    if not child:
        left = number
        code = protect.main(option, [prefix], [])
        left = None
        os._exit(code)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        assert status == 0
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
print(number)
"""


def state(environment: Environment) -> tuple[object, ...]:
    """Return what a start depends on, without what differs by chance."""
    folder = environment.prefix / "bin"
    starts = protection.start_folders(str(environment.prefix))
    texts = []
    for name in names_in_bin(environment):
        path = folder / name
        text = str(path.readlink()) if path.is_symlink() else path.read_text()
        number = next((n for n, start in enumerate(starts) if start in text), None)
        texts.append((path.is_symlink(), number))
    links = [sorted(path.name for path in (environment.prefix / name).iterdir()) for name in starts]
    return tuple(texts), tuple(map(tuple, links))


@pytest.mark.parametrize(
    "before, option",
    [("", "--protect"), ("--protect", "--protect"), ("--protect", "--unprotect")],
    ids=["protect", "renew", "unprotect"],
)
@pytest.mark.parametrize("finish", ["--protect", "--unprotect"])
def test_killed_anywhere_it_starts_and_can_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, option: str, finish: str
) -> None:
    template = environments.make(need("3.13"), tmp_path / "template")
    for name in names_in_bin(template)[1:]:
        (template.prefix / "bin" / name).unlink()
    (template.prefix / "bin" / "python3").symlink_to("python")
    plant(template)
    script: list[str | Path] = [sys.executable, "-c", KILLED, PACKAGE.parent]
    script += [template.prefix, tmp_path / "root"]
    outcome = template.run(*script, before, option)
    assert (outcome.code, outcome.err) == (0, "")
    steps = int(outcome.out)
    assert steps >= (8 if option == "--unprotect" else 20)
    monkeypatch.setattr(protectable.Base, "check_version", lambda _: None)  # starts a process
    monkeypatch.setattr(os, "fsync", lambda _: None)
    seen = set()
    for number in range(steps + 1):
        environment = dataclasses.replace(template, root=tmp_path / "root" / str(number))
        config = environment.prefix / "pyvenv.cfg"
        expected = tree(template.prefix)
        expected["pyvenv.cfg"] = tree(environment.prefix)["pyvenv.cfg"]
        renewed = config.read_text().endswith("prompt = x\n")  # what was protected before is stale
        assert names_in_bin(environment) == ["python", "python3"], number
        if not (environment.prefix / ".safesite" / "record.json").exists():
            assert protection.undone(str(environment.prefix)) == []
        if (found := state(environment)) not in seen and not renewed:
            seen.add(found)
            for name in names_in_bin(environment):
                path = environment.prefix / "bin" / name
                done = subprocess.run(
                    [path, "-c", "print(1)"],
                    env=template.environ(),
                    capture_output=True,
                    check=False,
                )
                assert done.stdout == b"1\n", (number, name, done)
        outcome = command(finish, environment.prefix)
        assert outcome.code == 0, (number, outcome)
        if finish == "--protect":
            assert launchers(environment) == ["python", "python3"]
            assert set(tree(environment.prefix)) - set(expected) >= {".safesite/record.json"}
            whole = command("--protect", environment.prefix)
            assert "protected already" in whole.out, number
            assert command("--unprotect", environment.prefix).code == 0
        assert tree(environment.prefix) == expected, number
        shutil.rmtree(environment.root)
    assert len(seen) >= (0 if before == "--protect" == option else 3)


def test_a_renewal_that_is_killed_leaves_names_that_start(
    one: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old launchers and new ones side by side: each has its folder."""
    protected(one)
    monkeypatch.setattr(protect, "__version__", "9.9")
    real, left = os.rename, [99]

    def rename(*paths: str) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(*paths)

    monkeypatch.setattr(os, "rename", rename)
    code = "import sys; print(sys.prefix)"
    for number in range(5):
        left[0] = number
        with contextlib.suppress(KeyboardInterrupt):
            assert (command("--protect", one.prefix).code, number) == (0, 4)
        for name in names_in_bin(one):
            outcome = one.run(one.prefix / "bin" / name, "-c", code)
            assert outcome.out == f"{one.prefix}\n"
    assert launchers(one) == names_in_bin(one)
    assert protection.start_folders(str(one.prefix)) == [start_folder(one).name]


def test_two_at_once_wait_for_each_other(one: Environment) -> None:
    folder = os.open(one.prefix, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    line: list[str | Path] = [one.interpreter.path, "-S", "-m", "safesite", "--protect"]
    line.append(one.prefix)
    started = [
        subprocess.Popen(line, cwd=one.work, env=one.environ(), stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    with pytest.raises(subprocess.TimeoutExpired):
        started[0].wait(0.5)
    assert not list(one.prefix.glob(".safesite*"))
    os.close(folder)
    told = sorted(process.communicate(timeout=60)[0].split()[3] for process in started)
    assert told == ["already:", "already:", "by"]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert one.run(one.python, "-c", "print(1)").out == "1\n"


# What a start says.


def test_a_start_of_safesite_says_what_is_protected_no_longer(one: Environment) -> None:
    """Of what it starts itself: what a launcher starts is protected."""
    protected(one)
    plant(one)
    one.python.unlink()
    one.python.symlink_to(one.interpreter.path)
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass'])"
    outcome = one.launched("-c", code)
    told = f"safesite: {one.python}: not the launcher that --protect wrote; protect it again"
    assert outcome.reports[2:] == [f"{told} (undone)"]
    python3 = one.prefix / "bin" / "python3"
    hint = environments.hint(1, environments.advice(python3, "-S", START))
    assert one.run(python3, "-c", code).reports == [outcome.reports[0], hint]
    assert one.launched("-c", code, SAFESITE_MODE="quiet").reports == []
    assert command("--protect", one.prefix).code == 0
    assert one.run(one.python, "-c", code).reports[2:] == []
    assert one.ran() == []


# What --explain says.


def facts_told(environment: Environment, python: Path | None = None) -> list[tuple[str, str, str]]:
    """Return what --explain says of the protection."""
    line: list[str | Path] = [
        python or environment.python,
        "-S",
        "-m",
        "safesite",
        "--explain",
        "--json",
    ]
    told = json.loads(environment.run(*line).out)["facts"]
    return [(x["slug"], x["file"], x["text"]) for x in told if x["slug"].startswith("protection")]


def test_explain_says_who_protects_it(one: Environment) -> None:
    assert facts_told(one) == []
    assert "\n  protected: no (--protect)\n" in one.launched("--explain").out
    protected(one)
    names = ", ".join(launchers(one))
    text = f"this environment is protected, by safesite {__version__} in {PACKAGE}: {names}"
    record = str(one.prefix / ".safesite" / "record.json")
    expected = ("protection", record, text)
    assert facts_told(one) == [expected]
    table = one.run(one.python, "-S", "-m", "safesite", "--explain").out
    assert "\n  protected: yes\n" in table
    assert "this environment is protected, by safesite" in " ".join(table.split())
    python3 = one.prefix / "bin" / "python3"
    one.python.unlink()
    one.python.symlink_to(one.interpreter.path)
    (one.prefix / ".safesite" / "staged").mkdir()
    with (one.prefix / "pyvenv.cfg").open("a") as file:
        file.write("prompt = x\n")
    home = one.interpreter.path.parent
    left = "is left from a --protect or --unprotect that was interrupted; either finishes it"
    lost = "is not the launcher that --protect wrote: starts by this name are not protected"
    differs = f"is not what --protect recorded, home = {home}; launchers do not start"
    assert facts_told(one) == [
        expected,
        ("protection-undone", str(one.prefix / ".safesite" / "staged"), left),
        ("protection-undone", str(one.python), lost),
        ("protection-undone", str(one.prefix / "pyvenv.cfg"), differs),
    ]
    failure(one, python3, "-c", "pass")
    Path(record).write_text("x")
    assert facts_told(one) == [
        ("protection-undone", record, "is not the record that --protect writes")
    ]


def test_explain_says_what_an_interrupted_command_has_left(one: Environment) -> None:
    (one.prefix / ".safesite" / "staged").mkdir(parents=True)
    (one.prefix / f".safesite-{'a' * 16}").mkdir()
    names = [f".safesite-{'a' * 16}", ".safesite/staged", ".safesite"]
    found = facts_told(one)
    assert [file for _, file, _ in found] == [str(one.prefix / name) for name in names]
    assert {slug for slug, _, _ in found} == {"protection-undone"}


# Real tools.


def wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Write a wheel; its files are below ``NAME-1.data`` or beside it."""
    path = folder / f"{name}-1-py3-none-any.whl"
    tags = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    info = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        "WHEEL": tags,
        "entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    held = {f"{name}-1.dist-info/{file}": text for file, text in info.items()} | files
    held[f"{name}.py"] = "import sys\ndef main():\n    print('main', sys.prefix)\n"
    record = "".join(f"{file},,\n" for file in [*held, f"{name}-1.dist-info/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in (held | {f"{name}-1.dist-info/RECORD": record}).items():
            member = zipfile.ZipInfo(file)
            member.external_attr = 0o100755 << 16
            archive.writestr(member, text)
    return path


def install(environment: Environment, builder: Builder, path: Path) -> None:
    """Install a wheel with the real pip, in the environment as it is now."""
    options = ("--no-index", "--no-deps", "--disable-pip-version-check", "--quiet")
    outcome = environment.run(environment.python, builder.pip, "install", *options, path)
    assert outcome.code == 0, outcome.err


def test_a_wheel_that_rewrites_home_starts_nothing(
    one: Environment, builder: Builder, tmp_path: Path
) -> None:
    """It brings its own standard library, which stock would use at the next start."""
    evil = one.prefix / "evil"
    hostile_library(one, tmp_path / "evil")
    library = f"lib/python{one.interpreter.version}"
    encodings = (tmp_path / "evil" / library / "encodings" / "__init__.py").read_text()
    data = "hostile-1.data/data"
    files = {
        f"{data}/pyvenv.cfg": f"home = {evil}/bin\ninclude-system-site-packages = false\n",
        f"{data}/evil/{library}/os.py": "",
        f"{data}/evil/{library}/encodings/__init__.py": encodings,
        f"{data}/evil/bin/python": "",
    }
    path = wheel(tmp_path, "hostile", files)
    copy_pythons(one)
    protected(one)
    config = one.prefix / "pyvenv.cfg"
    before = config.read_bytes()
    install(one, builder, path)
    told = f"safesite: {config}: not what it was when the environment was protected, so nothing "
    told += "starts; restore it, or run safesite --protect on it (protect)"
    for line in (["-c", "pass"], ["-I", "-X", "dev", "-c", "pass"], ["-V"], []):
        assert failure(one, one.python, *line) == told
    assert failure(one, one.prefix / "bin" / "hostile") == told
    assert not hostile(one)
    outcome = command("--protect", one.prefix)
    assert (outcome.code, len(outcome.reports)) == (2, 1)
    assert outcome.err.endswith("(home)\n")
    assert command("--unprotect", one.prefix).code == 0
    one.stock("-c", "pass")
    assert hostile(one), "stock uses it"
    config.write_bytes(before)


def test_a_wheel_with_scripts_python_undoes_it_and_that_is_told(
    one: Environment, builder: Builder, tmp_path: Path
) -> None:
    script = '#!/bin/sh\n: > "$MARKERS/hostile"\n'
    path = wheel(tmp_path, "script", {"script-1.data/scripts/python": script})
    protected(one)
    install(one, builder, path)
    one.run(one.python, "-c", "pass")
    assert one.ran() == ["hostile"], "pip has replaced it"
    assert protection.undone(str(one.prefix)) == ["python"]
    python3 = one.prefix / "bin" / "python3"
    found = facts_told(one, python3)
    text = "is not the launcher that --protect wrote: starts by this name are not protected"
    assert found[1:] == [("protection-undone", str(one.python), text)]
    outcome = command("--protect", one.prefix)
    assert (outcome.code, outcome.err.count("(foreign)")) == (2, 1)
    one.python.unlink()
    assert command("--protect", one.prefix).code == 0
    assert one.run(one.python, "-c", "print(1)").out == "1\n"


def test_console_scripts_of_pip_are_covered(
    one: Environment, builder: Builder, tmp_path: Path
) -> None:
    """Those that were there before, and those that are installed afterwards."""
    install(one, builder, wheel(tmp_path, "before", {}))
    plant(one)
    script = one.prefix / "bin" / "before"
    told = f"main {one.prefix}\n"
    assert one.run(script).out == told
    assert one.ran() == ["line"], "stock runs it"
    protected(one)
    install(one, builder, wheel(tmp_path, "after", {}))
    scripts = [script, one.prefix / "bin" / "after"]
    assert str(one.python) in scripts[1].read_text()
    for script in scripts:
        outcome = one.run(script)
        assert (outcome.code, outcome.out) == (0, told)
        assert outcome.reports[0].endswith("(import-line)")
    assert one.ran() == []


def test_uv_works_in_it(one: Environment, builder: Builder, tmp_path: Path) -> None:
    """Its own one, what it installs there and what it runs there."""
    uv: list[str | Path] = [builder.uv, "--offline", "--no-config", "--quiet"]
    more = {"UV_CACHE_DIR": str(tmp_path / "cache"), "VIRTUAL_ENV": str(one.prefix)}
    shutil.rmtree(one.prefix)
    interpreter = one.interpreter.path
    made = one.run(*uv, "venv", "--python", interpreter, one.prefix, **more)
    assert made.code == 0, made.err
    plant(one)
    before = tree(one.prefix)
    protected(one)
    path = wheel(tmp_path, "tool", {})
    done = one.run(*uv, "pip", "install", "--no-deps", path, **more)
    assert done.code == 0, done.err
    assert one.run(*uv, "pip", "list", **more).code == 0
    run = [*uv, "run", "--no-project", "--active"]
    outcomes = [
        one.run(*run, "python", "-c", "import tool; tool.main()", **more),
        one.run(*run, "tool", **more),
        one.run(one.prefix / "bin" / "tool"),
    ]
    for outcome in outcomes:
        assert outcome.out == f"main {one.prefix}\n", outcome
    assert one.ran() == []
    assert protection.undone(str(one.prefix)) == []
    done = one.run(*uv, "pip", "uninstall", "tool", **more)
    assert done.code == 0, done.err
    assert command("--unprotect", one.prefix).code == 0
    after = tree(one.prefix)
    assert set(after) - {".lock"} == set(before) - {".lock"}
    assert {x: after[x] for x in after if x.startswith("bin/")} == {
        x: before[x] for x in before if x.startswith("bin/")
    }


def test_venv_upgrade_undoes_it_and_it_can_be_renewed(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    environment = made_by_venv(interpreter, tmp_path / "made")
    plant(environment)
    protected(environment)
    venv = ("-m", "venv", "--upgrade", "--without-pip", environment.prefix)
    done = environment.run(interpreter.path, "-I", *venv)
    assert done.code == 0, done.err
    found = protection.undone(str(environment.prefix))
    outcome = command("--protect", environment.prefix)
    assert outcome.code == 0, outcome
    assert outcome.err.count("it is again (undone)") == len(found)
    for name in launchers(environment):
        outcome = environment.run(environment.prefix / "bin" / name, "-c", "print(1)")
        assert outcome.out == "1\n"
    assert environment.ran() == []
    assert command("--unprotect", environment.prefix).code == 0
    for name in found:
        assert environment.run(environment.prefix / "bin" / name, "-c", "print(1)").out == "1\n"


def test_it_makes_environments_that_start(interpreter: Interpreter, tmp_path: Path) -> None:
    """By ``venv`` from inside, which from 3.11 on names the base and not what is protected."""
    environment = environments.make(interpreter, tmp_path / "outer")
    protected(environment)
    inner = tmp_path / "inner"
    done = environment.run(environment.python, "-m", "venv", "--without-pip", inner)
    assert done.code == 0, done.err
    code = "import sys; print(sys.prefix)"
    assert environment.run(inner / "bin" / "python", "-c", code).out == f"{inner}\n"
    if interpreter.number >= (3, 11):
        assert command("--unprotect", environment.prefix).code == 0
        assert environment.run(inner / "bin" / "python", "-c", code).out == f"{inner}\n"


@pytest.fixture(autouse=True)
def _linux_only(request: pytest.FixtureRequest) -> None:
    """What is protected starts where scripts start scripts; what refuses is tested anywhere."""
    if sys.platform in ("darwin", "win32") and "refused" not in request.node.name:
        pytest.skip("--protect is for Linux")
