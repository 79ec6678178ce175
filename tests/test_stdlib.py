"""``--install-stdlib`` and ``--uninstall-stdlib``, on bases that the tests make and may write to.

Such a base is a copied executable above a real folder of links to the standard library's entries,
so the interpreters of this machine are only read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from pathlib import Path

import environments
import pytest
from environments import PACKAGE, Environment, Outcome
from interpreters import VERSIONS, Interpreter
from test_odd_surroundings import modes_count

LEFT_OUT = ("EXTERNALLY-MANAGED", "__pycache__", "site-packages", "dist-packages")
PACKAGER = "install your distributor's package of safesite or its patch (patches/README.md)"
OWNER = f"Permission denied; do this as the folder's owner, or {PACKAGER} (os-error)\n"
TELL = "import safesite; print(safesite.active(), safesite.__file__)"

pytestmark = pytest.mark.rotated  # what finds it, or it finds


@dataclasses.dataclass(frozen=True)
class Base(Environment):
    """A virtual environment of a base that may be written to; ``work`` holds a copy of safesite."""

    @property
    def folder(self) -> Path:
        """The folder of the base's standard library."""
        version = f"python{self.interpreter.version}"
        return self.interpreter.path.parent.parent / "lib" / version

    @property
    def target(self) -> Path:
        """Where safesite is put."""
        return self.folder / "safesite"

    @property
    def record(self) -> Path:
        """What was written there."""
        return self.target / "RECORD.stdlib"

    @property
    def source(self) -> Path:
        """The copy of safesite in the current folder."""
        return self.work / "safesite"

    @property
    def written(self) -> list[str]:
        """The names in the standard library's folder that are no links to the real one's."""
        names = (path.name for path in self.folder.iterdir() if not path.is_symlink())
        return sorted(set(names) - {"__pycache__"})

    def bytecode(self, name: str, level: str = "") -> Path:
        """Return where the bytecode of an installed module is."""
        tag = f"cpython-{self.interpreter.version.replace('.', '')}{level}"
        return self.target / "__pycache__" / f"{name}.{tag}.pyc"

    def install(self) -> Outcome:
        """Install as the launcher does."""
        return self.launched("--install-stdlib")

    def uninstall(self) -> Outcome:
        """Uninstall as the launcher does."""
        return self.launched("--uninstall-stdlib")

    def restricted(self, option: str) -> Outcome:
        """Run an option where file modes count, also for root."""
        return self.run(*modes_count(), self.python, "-S", "-m", "safesite", option)

    def listing(self) -> dict[str, tuple[int, int, bytes]]:
        """Return mode, time and content of all below the standard library's folder but links."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            if not path.is_symlink():
                st = path.stat()
                data = path.read_bytes() if path.is_file() else b""
                time = 0 if path.is_dir() else st.st_mtime_ns
                found[str(path.relative_to(self.folder))] = (st.st_mode, time, data)
        return found

    def change(self, text: str) -> None:
        """Make the safesite in the current folder another version."""
        init = self.source / "__init__.py"
        init.write_text(init.read_text().replace('__version__ = "', f'__version__ = "{text}'))


def link_base(interpreter: Interpreter, prefix: Path) -> Interpreter:
    """Make a base of an interpreter; its standard library's folder is real, the entries linked."""
    original = interpreter.library
    folder = prefix / "lib" / original.name
    (folder / "__pycache__").mkdir(parents=True)
    bytecode = f"*.cpython-{interpreter.version.replace('.', '')}.pyc"  # not that of -O and -OO
    for entry in [*original.iterdir(), *(original / "__pycache__").glob(bytecode)]:
        if entry.name not in LEFT_OUT:
            (folder / entry.relative_to(original)).symlink_to(entry)
    path = prefix / "bin" / interpreter.path.name
    path.parent.mkdir()
    shutil.copy(interpreter.path, path)
    return dataclasses.replace(interpreter, path=path)


@pytest.fixture
def base(interpreter: Interpreter, tmp_path: Path) -> Base:
    """A fresh base and environment, into which nothing writes bytecode by the way."""
    linked = link_base(interpreter, tmp_path / "base")
    made = environments.make(linked, tmp_path / "environment", PYTHONDONTWRITEBYTECODE="1")
    base = Base(made.interpreter, made.root, made.variables)
    base.source.unlink()
    others = (f"*.cpython-{v.replace('.', '')}*" for v in VERSIONS if v != interpreter.version)
    shutil.copytree(PACKAGE, base.source, ignore=shutil.ignore_patterns(*others))
    return base


def package_files(folder: Path) -> list[Path]:
    """Return the files of a package relative to its folder, without bytecode."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if "__pycache__" not in path.parts)


@pytest.mark.rotated
def test_it_is_found_from_anywhere(base: Base) -> None:
    assert base.launched("-c", TELL).out == f"refuse {base.source / '__init__.py'}\n"
    outcome = base.install()
    assert (outcome.code, outcome.err) == (0, "")
    shutil.rmtree(base.source)
    options: list[list[str]] = [[], ["-O"], ["-I"], ["-E", "-s"]]
    if base.interpreter.number >= (3, 11):
        options.append(["-P"])
    for python in (base.interpreter.path, base.python):
        for option in options:
            outcome = base.run(python, *option, "-S", "-m", "safesite", "-c", TELL)
            told = (outcome.code, outcome.out, outcome.err)
            assert told == (0, f"refuse {base.target / '__init__.py'}\n", "")


@pytest.mark.rotated
def test_a_program_there_has_the_path_of_stock(base: Base) -> None:
    base.install()
    shutil.rmtree(base.source)
    (base.site_packages / "foo.pth").write_text("entry\nimport os\n")
    (base.site_packages / "entry").mkdir()
    (base.work / "app.py").write_text("import sys; print(sys.path, sys.argv)")
    outcome = base.launched("app.py", "x")
    assert outcome.out == base.stock("app.py", "x").out
    assert outcome.err.count("refused import line") == 1


def test_what_was_written_is_told_and_recorded(base: Base) -> None:
    files = package_files(base.source)
    assert base.install().out == (
        f"safesite: {base.target}: wrote version 0.1.0: {len(files)} files, their bytecode,"
        " and the record RECORD.stdlib\n"
    )
    lines = base.record.read_text().splitlines()
    assert lines[0] == "safesite 0.1.0"
    hashes = [line.split("  ") for line in lines[1:]]
    assert sorted(Path(name) for _, name in hashes) == files
    for told, name in hashes:
        data = (base.target / name).read_bytes()
        assert data == (base.source / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == told


@pytest.mark.rotated
def test_everybody_can_read_it_and_finds_bytecode(base: Base) -> None:
    umask = os.umask(0o077)
    try:
        base.install()
    finally:
        os.umask(umask)
    modes = {path: path.stat().st_mode & 0o7777 for path in [base.target, *base.target.rglob("*")]}
    assert set(modes.values()) == {0o755, 0o644}
    for path, mode in modes.items():
        runs = path.is_dir() or path.read_bytes().startswith(b"#!")
        assert mode == (0o755 if runs else 0o644), path
    shutil.rmtree(base.source)
    base.target.chmod(0o555)
    outcome = base.stock("-v", "-S", "-m", "safesite", "-c", "pass", PYTHONDONTWRITEBYTECODE="")
    for name in ("__init__", "__main__", "run"):
        cached = base.bytecode(name)
        assert f"# {cached} matches {base.target / name}.py" in outcome.err
        assert cached.read_bytes()[4:8] == bytes(4)  # by time, not by hash
    assert "# wrote" not in outcome.err


def test_a_second_time_changes_nothing(base: Base) -> None:
    base.install()
    before = base.listing()
    outcome = base.install()
    assert outcome == Outcome(0, f"safesite: {base.target}: there already, version 0.1.0\n", "")
    assert base.listing() == before
    shutil.rmtree(base.source)
    outcome = base.install()
    assert outcome == Outcome(0, f"safesite: {base.target}: there already, and this is it\n", "")
    assert base.listing() == before


@pytest.mark.parametrize("which", ["from-checkout", "from-itself"])
def test_uninstalling_removes_exactly_that(base: Base, which: str) -> None:
    before = base.listing()
    base.install()
    for level in ("1", "2"):  # what python -O and -OO would leave
        base.bytecode("core", f".opt-{level}").write_bytes(b"")
    assert base.listing() != before
    if which == "from-itself":
        shutil.rmtree(base.source)
    outcome = base.uninstall()
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"safesite: {base.target}: removed, version 0.1.0, ")
    assert base.listing() == before
    if which == "from-checkout":
        told = f"safesite: {base.target}: not there, so nothing to remove\n"
        assert base.uninstall() == Outcome(0, told, "")


def test_another_version_is_replaced_as_a_whole(base: Base) -> None:
    (base.source / "gone.py").write_text("")
    base.change("0.")
    base.install()
    (base.source / "gone.py").unlink()
    (base.source / "added.py").write_text("")
    base.change("1.")
    outcome = base.install()
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[1] == (
        f"safesite: {base.target}: version 0.0.1.0 was there, and is removed"
    )
    shutil.rmtree(base.target / "__pycache__")
    assert package_files(base.target) == [Path("RECORD.stdlib"), *package_files(base.source)]
    shutil.rmtree(base.source)
    assert base.launched("--version").out == "safesite 1.0.0.1.0\n"
    assert base.written == ["safesite"]


def test_a_missing_file_is_written_again(base: Base) -> None:
    base.install()
    (base.target / "core.py").unlink()
    outcome = base.install()
    assert (outcome.code, outcome.err) == (0, "")
    assert (base.target / "core.py").read_bytes() == (base.source / "core.py").read_bytes()


def test_other_files_stay_and_are_named(base: Base) -> None:
    base.install()
    (base.target / "notes").mkdir()
    for name in ("notes/mine.txt", "mine.py", "__pycache__/mine.cpython-310.pyc"):
        (base.target / name).write_text("mine")
    (base.target / "link").symlink_to(base.work)
    base.change("1.")
    before = base.listing()
    outcome = base.install()
    names = ["__pycache__/mine.cpython-310.pyc", "link", "mine.py", "notes/mine.txt"]
    named = [
        f"safesite: {base.target / name}: left as it is: not from --install-stdlib (foreign)"
        for name in names
    ]
    last = f"safesite: {base.target}: not replaced; move what is named above away (foreign)"
    assert (outcome.code, outcome.out, outcome.reports) == (2, "", [*named, last])
    assert base.listing() == before
    outcome = base.uninstall()
    assert (outcome.code, outcome.reports) == (0, named)
    assert "removed, but for what is named above, version 0.1.0" in outcome.out
    left = [path for path in base.target.rglob("*") if path.is_symlink() or path.is_file()]
    assert sorted(str(path.relative_to(base.target)) for path in left) == names
    assert base.source.is_dir()


def test_a_changed_file_stays_and_is_named(base: Base) -> None:
    base.install()
    changed = base.target / "core.py"
    changed.write_text("changed")
    outcome = base.install()
    named = f"safesite: {changed}: left as it is: changed since it was installed (changed)"
    assert (outcome.code, outcome.reports[0]) == (2, named)
    outcome = base.uninstall()
    assert (outcome.code, outcome.reports) == (2, [named])
    left = [path for path in base.target.rglob("*") if path.is_file()]
    assert sorted(left) == [base.record, changed]
    changed.unlink()
    assert base.uninstall().code == 0
    assert not base.target.exists()


NOT_OURS = {
    "package": lambda base: shutil.copytree(base.source, base.target),
    "empty-folder": lambda base: base.target.mkdir(),
    "file": lambda base: base.target.write_text("mine"),
    "link": lambda base: base.target.symlink_to(base.source),
    "broken-link": lambda base: base.target.symlink_to("nosuch"),
    "empty-record": lambda base: base.target.mkdir() or base.record.touch(),
    "binary-record": lambda base: base.target.mkdir() or base.record.write_bytes(b"\xff\n\xff"),
    "record-with-escapes": lambda base: (
        base.target.mkdir() or base.record.write_text(f"safesite \x1b[2J\n{'0' * 64}  os.py\n")
    ),
    "record-of-other-folder": lambda base: (
        base.target.mkdir() or base.record.write_text(f"safesite 0\n{'0' * 64}  ../os.py\n")
    ),
}


@pytest.mark.parametrize("what", NOT_OURS)
def test_what_has_no_record_is_left_alone(base: Base, what: str) -> None:
    NOT_OURS[what](base)
    before = base.listing()
    told = f"safesite: {base.target}: not from --install-stdlib, so it stays (foreign)\n"
    assert base.install() == Outcome(2, "", told)
    assert base.uninstall() == Outcome(2, "", told)
    assert base.listing() == before
    assert (base.source / "core.py").is_file()


def test_a_copy_linked_from_another_folder_is_left_alone(base: Base) -> None:
    base.install()
    base.target.rename(base.root / "elsewhere")
    base.target.symlink_to(base.root / "elsewhere")
    told = f"safesite: {base.target}: not from --install-stdlib, so it stays (foreign)\n"
    assert base.uninstall() == Outcome(2, "", told)
    assert base.record.is_file()


def test_what_a_distributor_put_there_is_there_already(base: Base) -> None:
    base.source.rename(base.target)
    told = f"safesite: {base.target}: there already, and this is it\n"
    assert base.install() == Outcome(0, told, "")


def test_an_externally_managed_base_is_refused(base: Base) -> None:
    marker = base.folder / "EXTERNALLY-MANAGED"
    marker.write_text("[externally-managed]\nError=no\n")
    before = base.listing()
    outcome = base.install()
    assert outcome == Outcome(
        2,
        "",
        f"safesite: {marker}: this Python is its packager's to change; {PACKAGER} (managed)\n",
    )
    assert base.listing() == before


def test_what_was_written_before_the_marker_came_can_be_removed(base: Base) -> None:
    base.install()
    (base.folder / "EXTERNALLY-MANAGED").touch()
    assert base.uninstall().code == 0
    assert not base.target.exists()


def test_a_folder_that_cannot_be_written_is_refused(base: Base) -> None:
    base.folder.chmod(0o555)
    before = base.listing()
    outcome = base.restricted("--install-stdlib")
    assert outcome == Outcome(2, "", f"safesite: {base.folder}: {OWNER}")
    assert base.listing() == before


def test_a_copy_that_cannot_be_written_runs_and_stays(base: Base) -> None:
    base.install()
    for path in (base.folder, base.target, *(p for p in base.target.rglob("*") if p.is_dir())):
        path.chmod(0o555)
    before = base.listing()
    assert base.restricted("--install-stdlib").code == 0
    shutil.rmtree(base.source)
    outcome = base.restricted("--uninstall-stdlib")
    assert outcome == Outcome(2, "", f"safesite: {base.target / '__init__.py'}: {OWNER}")
    assert base.listing() == before
    command = [*modes_count(), str(base.interpreter.path), "-S", "-m", "safesite"]
    outcome = base.run(*command, "-c", TELL, PYTHONDONTWRITEBYTECODE="")
    assert (outcome.code, outcome.err) == (0, "")
    assert base.listing() == before


FAILING = """\
import errno, os, py_compile, sys
from safesite import stdlib

original, calls = {module}.{name}, []

def failing(*args, **kwargs):
    calls.append(args)
    if len(calls) == {number}:
        {statement}
    return original(*args, **kwargs)

{module}.{name} = failing
sys.exit(stdlib.install())
"""

STEPS = {
    "compile": {"module": "py_compile", "name": "compile", "number": 3},
    "rename-old": {"module": "os", "name": "rename", "number": 1},
    "rename-new": {"module": "os", "name": "rename", "number": 2},
}
FAILURES = {
    "full": "raise OSError(errno.ENOSPC, 'No space left on device', 'F')",
    "layer": "raise OSError(errno.EXDEV, 'Invalid cross-device link', 'F')",
    "interrupt-before": "raise KeyboardInterrupt",
    "interrupt-after": "original(*args, **kwargs); raise KeyboardInterrupt",
}
SENTENCES = {
    "full": "safesite: F: No space left on device (os-error)\n",
    "layer": "safesite: F: Invalid cross-device link; run --uninstall-stdlib first (os-error)\n",
}


CASES = [(step, failure) for failure in FAILURES for step in STEPS]


def fail(base: Base, step: str, failure: str) -> None:
    """Install with a failure at a step, the number of which is 1 if nothing is there before."""
    facts = STEPS[step] | {"number": STEPS[step]["number"] if base.target.exists() else 1}
    program = FAILING.format(**facts, statement=FAILURES[failure])
    outcome = base.stock("-S", "-c", program)
    if failure in SENTENCES:
        assert outcome == Outcome(2, "", SENTENCES[failure])
    else:
        assert outcome.err.endswith("\nKeyboardInterrupt\n")


def test_a_failed_replacement_leaves_one_version(base: Base) -> None:
    base.install()
    before = base.listing()
    base.change("1.")
    for step, failure in CASES[:-1]:
        fail(base, step, failure)
        assert base.listing() == before, (step, failure)
    fail(base, *CASES[-1])  # after the last step
    assert base.written == ["safesite"]
    told = f"safesite: {base.target}: there already, version 1.0.1.0\n"
    assert base.install() == Outcome(0, told, "")


def test_a_failed_installation_leaves_nothing_or_all(base: Base) -> None:
    before = base.listing()
    for step, failure in CASES[:-1]:
        if step != "rename-old":
            fail(base, step, failure)
            assert base.listing() == before, (step, failure)
    fail(base, *CASES[-1])
    assert base.written == ["safesite"]
    told = f"safesite: {base.target}: there already, version 0.1.0\n"
    assert base.install() == Outcome(0, told, "")


def test_a_package_with_a_link_is_not_copied(base: Base) -> None:
    (base.source / "link.py").symlink_to(base.root / "secret")
    outcome = base.install()
    told = f"safesite: {base.source / 'link.py'}: no plain file, so nothing is copied (foreign)\n"
    assert outcome == Outcome(2, "", told)
    assert not base.target.exists()


def test_another_standard_library_than_the_running_one_is_refused(base: Base) -> None:
    program = (
        "import sys, sysconfig; sysconfig.get_path = lambda name: '/nosuch/lib';"
        "from safesite import stdlib; sys.exit(stdlib.install())"
    )
    told = "safesite: /nosuch/lib: not where this Python has its standard library (stdlib)\n"
    assert base.stock("-S", "-c", program) == Outcome(2, "", told)


# What the command imports, or that does; and what only another platform or build has.
HOSTILE = (
    *("_hashlib", "bz2", "fnmatch", "hashlib", "lzma", "py_compile", "random", "re", "shutil"),
    *("sysconfig", "tempfile", "traceback", "zlib", "sitecustomize", "usercustomize"),
    *("_bz2", "_lzma", "_scproxy", "_winapi", "_wmi", "msvcrt", "nt", "winreg"),
)
STARTS = {
    "S-m": ("-S", "-m", "safesite"),
    "m": ("-m", "safesite"),
    "command": ("-S", "safesite/command/start.py"),
}


# A finder that stock site installs: asked for a module of the standard library, it says so.
FINDER = """\
import os, sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in ("hashlib", "py_compile", "sysconfig", "tempfile"):
            open(os.environ["MARKERS"] + "/finder", "w").close()
sys.meta_path.insert(0, Finder)
"""


@pytest.mark.rotated
@pytest.mark.parametrize("start", STARTS)
def test_no_other_module_is_imported(base: Base, start: str) -> None:
    program = "import os; open(os.environ['MARKERS'] + '/' + __name__, 'w').close()\n"
    extra = base.root / "extra"
    extra.mkdir()
    for name in HOSTILE:
        for folder in (base.work, base.site_packages, extra):
            (folder / f"{name}.py").write_text(program)
    (base.site_packages / "finder.pth").write_text(f"import sys; exec({FINDER!r})")
    base.stock(*STARTS[start], "--version", PYTHONPATH=str(extra))
    startup_code = base.ran()
    assert set(startup_code) <= {"sitecustomize", "usercustomize"}
    for option in ("--install-stdlib", "--install-stdlib", "--uninstall-stdlib"):
        outcome = base.stock(*STARTS[start], option, PYTHONPATH=str(extra))
        assert (outcome.code, outcome.err, base.ran()) == (0, "", startup_code)
