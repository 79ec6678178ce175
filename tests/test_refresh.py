"""``patches/refresh.py``: what it writes, what it refuses, and that it leaves a tree alone then."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import refresh
from interpreters import VERSIONS, Interpreter
from patched import FILES, PATCHES

import safesite
from safesite import facts

PROGRAM = PATCHES / "refresh.py"


def run(*args: str | Path, folder: Path = PATCHES) -> subprocess.CompletedProcess[str]:
    """Run the program, of a copy of the patches if a folder is given."""
    command = [sys.executable, folder / "refresh.py", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of ``patches/`` and of the modules it is made from."""
    shutil.copytree(PATCHES, tmp_path / "patches", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "safesite").mkdir()
    for path in (PATCHES.parent / "safesite").glob("*.py"):
        shutil.copy(path, tmp_path / "safesite")
    return tmp_path / "patches"


@pytest.fixture
def tree(interpreter: Interpreter, tmp_path: Path) -> Path:
    """The part of a source tree that an installed interpreter has."""
    (tmp_path / "tree" / "Lib").mkdir(parents=True)
    shutil.copy(interpreter.library / "site.py", tmp_path / "tree" / "Lib" / "site.py")
    return tmp_path / "tree"


def content(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    files = (
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_patches_are_what_would_be_written() -> None:
    done = run("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_writing_twice_gives_the_same(copy: Path) -> None:
    before = content(copy)
    shutil.rmtree(copy / "3.13")
    (copy / "3.12" / "stray.diff").write_text("")
    assert run(folder=copy).returncode == 0
    assert content(copy) == before


@pytest.mark.parametrize("name", ["core.py", "known.py"])
def test_a_change_that_was_not_refreshed_is_found(copy: Path, name: str) -> None:
    module = copy.parent / "safesite" / name
    module.write_text(module.read_text() + "\n# more\n")
    done = run("--check", folder=copy)
    assert done.returncode == 1
    assert "patches/3.10/safesite-site.diff" in done.stderr


def test_a_patch_that_was_edited_by_hand_is_found(copy: Path) -> None:
    patch = copy / "3.15" / "safesite-doc.diff"
    patch.write_text(patch.read_text().replace("refuse", "REFUSE"))
    done = run("--check", folder=copy)
    assert done.returncode == 1
    assert "patches/3.15/safesite-doc.diff: not what" in done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_each_folder_is_a_series_with_headers(version: str) -> None:
    folder = PATCHES / version
    names = (folder / "series").read_text().split()
    assert {path.name for path in folder.iterdir()} == {"series", *names}
    for name in names:
        head, _, body = (folder / name).read_text("utf-8").partition("---\n")
        assert re.match(r"Description: \S.*\n( .+\n)+Author: .+\nForwarded: not-needed\n", head)
        assert re.search(r"^Last-Update: \d{4}-\d\d-\d\d$", head, re.MULTILINE)
        assert body.startswith("--- a/")
        assert not re.search(r"^(Index:|diff |\+\+\+ .*\t)", body, re.MULTILINE)


def test_a_tree_gets_the_patch_once(tree: Path, interpreter: Interpreter) -> None:
    refresh.apply(interpreter.version, tree, FILES)
    patched = content(tree)
    with pytest.raises(refresh.Failed, match="is there already"):
        refresh.apply(interpreter.version, tree, FILES)
    with pytest.raises(refresh.Failed, match="does not apply"):
        refresh.apply(interpreter.version, tree, ["Lib/site.py"])
    assert content(tree) == patched


def test_fuzz_is_refused_and_the_tree_left_as_it_was(tree: Path, interpreter: Interpreter) -> None:
    """A context line that differs is somebody else's change: a person has to look at it."""
    site = tree / "Lib" / "site.py"
    text = site.read_text("utf-8")
    site.write_text(
        text.replace("    dir = os.path.join(*paths)\n", "    dir = os.path.join(*paths) \n")
    )
    before = content(tree)
    with pytest.raises(refresh.Failed, match="does not apply"):
        refresh.apply(interpreter.version, tree, FILES)
    assert content(tree) == before


def test_what_cannot_be_written_leaves_the_tree_as_it_was(
    tree: Path, interpreter: Interpreter
) -> None:
    site = tree / "Lib" / "site.py"
    (tree / "elsewhere.py").write_bytes(site.read_bytes())
    (tree / "Lib" / "_safesite_keep.py.safesite").mkdir()  # nothing can be written there
    before = content(tree)
    with pytest.raises(refresh.Failed, match="nothing is changed"):
        refresh.apply(interpreter.version, tree, FILES)
    assert content(tree) == before


def test_a_link_is_replaced_and_not_followed(tree: Path, interpreter: Interpreter) -> None:
    site = tree / "Lib" / "site.py"
    site.rename(tree / "elsewhere.py")
    site.symlink_to(tree / "elsewhere.py")
    before = (tree / "elsewhere.py").read_bytes()
    refresh.apply(interpreter.version, tree, FILES)
    assert (tree / "elsewhere.py").read_bytes() == before
    assert not site.is_symlink()


def test_the_later_text_of_upstream_is_patched_too(tree: Path, interpreter: Interpreter) -> None:
    """gh-113659 came to 3.10, 3.11 and 3.12 in micro releases, beside a place of the patch."""
    site = tree / "Lib" / "site.py"
    text = site.read_text("utf-8")
    one = '    names = [name for name in names if name.endswith(".pth")]\n'
    two = "    names = [name for name in names\n"
    two += '             if name.endswith(".pth") and not name.startswith(".")]\n'
    if interpreter.number < (3, 15):
        assert (one in text) != (two in text)
    site.write_text(text.replace(one, two) if one in text else text.replace(two, one))
    refresh.apply(interpreter.version, tree, FILES)


def test_a_patched_tree_is_not_recorded(copy: Path, tree: Path, interpreter: Interpreter) -> None:
    refresh.apply(interpreter.version, tree, FILES)
    before = (copy / "upstream.json").read_bytes()
    done = run("--record", f"{interpreter.version}={tree}", folder=copy)
    assert done.returncode == 1
    assert (copy / "upstream.json").read_bytes() == before


def test_an_offset_is_told(tree: Path, interpreter: Interpreter) -> None:
    site = tree / "Lib" / "site.py"
    site.write_text("# one more line\n" + site.read_text("utf-8"), "utf-8")
    told = refresh.apply(interpreter.version, tree, FILES)
    assert told
    assert all("offset" in line for line in told)


def test_the_patched_site_hides_what_the_launcher_hides() -> None:
    text = (PATCHES / "parts" / "site-start.py.in").read_text()
    names = set(
        re.findall(r'"([\w.]+)"', text.partition('for _name in ("_winapi')[2] + '"_winapi"')
    )
    names -= {"darwin"}
    assert names == set(facts.foreign_names("posix", "linux"))


def test_the_default_mode_is_the_launchers() -> None:
    part = (PATCHES / "parts" / "site-decider.py.in").read_text()
    assert f'_DEFAULT_MODE = "{safesite.DEFAULT_MODE}"\n' in part


def test_what_it_explains_names_every_file(copy: Path) -> None:
    for version in VERSIONS:
        done = run("--explain", version)
        assert done.returncode == 0, done.stderr
        for name in (copy / version / "series").read_text().split():
            text = (copy / version / name).read_text("utf-8")
            assert all(file in done.stdout for file in refresh.sections(text))


@pytest.mark.parametrize(
    "args, said",
    [
        (["--apply", "/nonexistent"], "there is no such folder"),
        (["--apply", "/"], "no source of CPython"),
        (["--check", "3.9=/"], "no source of CPython"),
        (["--check", "3.13=/"], "none of the files"),
        (["--record", "/"], "no source of CPython"),
    ],
)
def test_a_wrong_tree_is_told_in_a_sentence(args: list[str], said: str) -> None:
    done = run(*args)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert content(PATCHES)
