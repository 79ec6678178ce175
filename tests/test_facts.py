"""`safesite.facts`: each kind of fact in crafted folders, and where there is none to tell.

`facts` is told what a start has, so a crafted start takes the place of a real one, on the standard
library that is crafted beside it; one test asks a real environment.
"""

from __future__ import annotations

import importlib.machinery
import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from environments import PACKAGE, Environment

from safesite import facts, places
from safesite.facts import Start
from safesite.findings import Fact

EXTENSION = importlib.machinery.EXTENSION_SUFFIXES[0]
FOREIGN = [name for name in facts.foreign_names(os.name, sys.platform) if "." not in name]
HOME = "whoever can write this file chooses the standard library"
FIRST = "the first on sys.path"
Claims = list[tuple[str, tuple[str, ...]]]


@dataclass
class Crafted:
    """A start in ``root`` that lacks nothing and has nothing to tell; a test adds to it."""

    root: Path
    extra: list[str] = field(default_factory=list)
    pythonpath: list[str] = field(default_factory=list)
    claims: Claims = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the folders; the standard library has three modules of its own."""
        for folder in (self.bin, self.library, self.site, self.other):
            folder.mkdir(parents=True)
        self.put("library", "os.py", "json/__init__.py", "zipfile.py")
        (self.bin / "python").touch()

    @property
    def bin(self) -> Path:
        """Where the executable is."""
        return self.root / "prefix" / "bin"

    @property
    def library(self) -> Path:
        """The standard library's folder."""
        return self.root / "library"

    @property
    def site(self) -> Path:
        """The site directory."""
        return self.root / "site"

    @property
    def other(self) -> Path:
        """A path entry, or a folder of PYTHONPATH."""
        return self.root / "other"

    def put(self, folder: str, *names: str) -> None:
        """Write empty files, with the folders they need."""
        for name in names:
            path = self.root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def zip(self, name: str, *members: str) -> str:
        """Write a zip file with empty members and return its path."""
        path = self.root / name
        with zipfile.ZipFile(path, "w") as opened:
            for member in members:
                opened.writestr(member, "")
        return str(path)

    def start(self, **changes: object) -> Start:
        """Return what `facts` is told."""
        library = [str(self.root / "absent" / "python.zip"), str(self.library)]
        parts: dict[str, object] = {
            "executable": str(self.bin / "python"),
            "prefix": str(self.root / "prefix"),
            "base_prefix": str(self.root),
            "home_file": "",
            "path": [*self.pythonpath, *library, str(self.site), *self.extra],
            "site_directories": [str(self.site)],
            "pythonpath": self.pythonpath,
            "library": library,
        }
        return Start(**{**parts, **changes})  # type: ignore[arg-type]

    def find(self, **changes: object) -> list[Fact]:
        """Return the facts."""
        return facts.find(self.start(**changes), lambda _: self.claims)

    def told(self, slug: str, **changes: object) -> dict[str, str]:
        """Return, for each file with a fact of this kind, the text; files below root shortened."""
        found = [fact for fact in self.find(**changes) if fact.slug == slug]
        root = str(self.root) + os.sep
        return {fact.file.replace(root, ""): fact.text.replace(root, "") for fact in found}


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """An empty folder on a disk: in memory, below ``/dev``, the path itself is a fact."""
    with tempfile.TemporaryDirectory(prefix="safesite-") as folder:
        yield Path(folder).resolve()


@pytest.fixture
def crafted(tmp_path: Path) -> Crafted:
    """A start without facts."""
    return Crafted(tmp_path)


def test_plain_start_has_no_facts(crafted: Crafted) -> None:
    crafted.put("site", "pip/__init__.py", "_distutils_hack/__init__.py", "a.pth", "six.py")
    crafted.put("site", "setuptools/_vendor/json/__init__.py", "pip-1.dist-info/RECORD")
    crafted.put("site", "__pycache__/six.cpython-313.pyc", "README.txt", "bin/json.py")
    assert crafted.find() == []


# Files near the executable.


@pytest.mark.parametrize("name", ["python", "python{0}", "python{0}{1}", "python{0}.{1}"])
def test_path_file_beside_the_executable(crafted: Crafted, name: str) -> None:
    name = name.format(*sys.version_info) + "._pth"
    crafted.put("prefix/bin", name, "other._pth")
    assert list(crafted.told("path-file")) == [f"prefix/bin/{name}"]


def test_path_files_along_the_links_of_the_executable(crafted: Crafted) -> None:
    crafted.put("base", "real", "real._pth", "unrelated._pth")
    crafted.put("prefix/bin", "mine._pth", "python._pth")
    crafted.put("between", "link._pth")
    (crafted.root / "between" / "link").symlink_to("../base/real")
    (crafted.bin / "mine").symlink_to("../../between/link")
    found = crafted.told("path-file", executable=str(crafted.bin / "mine"))
    assert list(found) == [
        "prefix/bin/python._pth",
        "prefix/bin/mine._pth",
        "between/link._pth",
        "base/real._pth",
    ]


@pytest.mark.parametrize(
    "file_mode,folder_mode,who",
    [
        (0o644, 0o755, "only its owner can write it"),
        (0o644, 0o775, "its group can write it or its folder"),
        (0o664, 0o755, "its group can write it or its folder"),
        (0o646, 0o755, "everybody can write it or its folder"),
        (0o644, 0o777, "everybody can write it or its folder"),
        (0o644, 0o1777, "only its owner can write it"),
    ],
)
def test_home_key(crafted: Crafted, file_mode: int, folder_mode: int, who: str) -> None:
    file = crafted.root / "prefix" / "pyvenv.cfg"
    file.write_text("include-system-site-packages = false\nversion=3\n HOME =/a b\nhome = /c\n")
    file.chmod(file_mode)
    file.parent.chmod(folder_mode)
    told = {"prefix/pyvenv.cfg": f"home = /a b: {HOME}; {who}"}
    assert crafted.told("home-key") == told
    assert crafted.told("home-key", home_file=str(file)) == told
    assert crafted.told("system-site") == {}


def test_home_key_is_found_by_lines_as_python_splits_them(crafted: Crafted) -> None:
    text = "x = 1\rhome = /b\x0chome = /c\nhome = /d\rinclude-system-site-packages = TRUE"
    (crafted.bin / "pyvenv.cfg").write_text(text)
    (told,) = crafted.told("home-key").values()
    assert told.startswith("home = /d\rinclude-system-site-packages = TRUE: ")
    assert list(crafted.told("system-site")) == ["prefix/bin/pyvenv.cfg"]


@pytest.mark.parametrize("last", ["true", "false"])
def test_last_word_on_site_directories_counts(crafted: Crafted, last: str) -> None:
    words = ["true", "false", last]
    text = "".join(f"include-system-site-packages = {word}\n" for word in words)
    (crafted.bin / "pyvenv.cfg").write_text("home = /x\n" + text)
    text = "include-system-site-packages = true: the base's site directories count too"
    told = {"prefix/bin/pyvenv.cfg": text} if last == "true" else {}
    assert crafted.told("system-site") == told


def test_two_pyvenv_cfg(crafted: Crafted) -> None:
    for folder in (crafted.bin, crafted.bin.parent):
        (folder / "pyvenv.cfg").write_text(f"home = {folder.name}\n")
    assert list(crafted.told("home-key")) == ["prefix/pyvenv.cfg", "prefix/bin/pyvenv.cfg"]


def test_pyvenv_cfg_that_says_nothing(crafted: Crafted) -> None:
    (crafted.bin / "pyvenv.cfg").write_bytes(b"\xff\n#home\n")
    text = "has no home key, so the executable's place chooses the library"
    assert crafted.told("home-key") == {"prefix/bin/pyvenv.cfg": text}
    text = "has no include-system-site-packages, which site takes for true"
    assert crafted.told("system-site") == {"prefix/bin/pyvenv.cfg": text}


def test_huge_pyvenv_cfg_is_not_read(crafted: Crafted) -> None:
    (crafted.bin / "pyvenv.cfg").write_bytes(b"home = /x\n" + b" " * facts.MOST_OF_CFG)
    assert crafted.told("home-key") == {}
    told = {"prefix/bin/pyvenv.cfg": "larger than 1 MiB: not looked into"}
    assert crafted.told("not-looked-into") == told


@pytest.mark.parametrize("exists", [False, True])
def test_zip_file_of_the_library(crafted: Crafted, exists: bool) -> None:
    text = "is not there, would be looked in first, and this user can write its folder"
    if exists:
        crafted.zip("python.zip", "json.pyc")
        text = "is looked in before the standard library's folders"
    library = [str(crafted.root / "python.zip"), str(crafted.library)]
    start = {"library": library, "path": [*library, str(crafted.site)]}
    assert crafted.told("library-zip", **start) == {"python.zip": text}
    assert crafted.told("zip-entry", **start) == {}


def test_zip_file_of_the_library_in_a_folder_that_cannot_be_written(
    crafted: Crafted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    library = [str(crafted.root / "python.zip"), str(crafted.library)]
    assert crafted.find(library=library, path=library) == []


@pytest.mark.parametrize(
    "path,slug",
    [
        (r"\\server\share", "network-path"),
        ("//server/share", "network-path"),
        (r"\\?\UNC\server\share", "network-path"),
        (r"\\?\C:\x", "device-path"),
        (r"\\.\pipe\x", "device-path"),
        ("/dev/fd/9999", "device-path"),
        ("//dev/fd/9999", "device-path"),
        ("/tmp/../proc/self/none", "device-path"),  # noqa: S108 - never written to
        ("//proc/self/cwd/none", "device-path"),
        ("/device/x", ""),
        ("//", ""),
        (r"C:\dev\x", ""),
        ("", ""),
    ],
)
def test_network_and_device_paths(crafted: Crafted, path: str, slug: str) -> None:
    found = crafted.find(pythonpath=[path], path=[*crafted.start().path, path])
    assert [(fact.slug, fact.file) for fact in found] == ([(slug, path)] if slug else [])


def test_another_machine_is_not_asked_under_windows(
    crafted: Crafted, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = crafted.start(path=["//server/share"], site_directories=["//server/share"])
    stat, asked = os.stat, []

    def ask_for(path: str) -> os.stat_result:
        asked.append(path)
        return stat(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", ask_for)
        patch.setattr(os, "name", "nt")
        found = facts.find(start, lambda _: [])
    assert asked
    assert "//server/share" not in asked
    assert [(fact.slug, fact.file) for fact in found] == [
        ("network-path", "//server/share"),
        ("not-looked-into", "//server/share"),
    ]


def test_link_to_a_device_path(crafted: Crafted) -> None:
    (crafted.root / "link").symlink_to("/dev/no-such")
    crafted.extra = [str(crafted.root / "link")]
    assert list(crafted.told("device-path")) == ["link"]


# Customize modules.


def test_customize_modules_in_every_form_and_in_order(crafted: Crafted) -> None:
    crafted.pythonpath = [crafted.zip("z.egg", "sitecustomize.py", "usercustomize/")]
    crafted.put("library", "sitecustomize.py")
    crafted.put("site", "sitecustomize.pyc", f"sitecustomize{EXTENSION}")
    crafted.put("site", "sitecustomize/__init__.py", "sitecustomize.py.bak")
    crafted.put("other", "sitecustomize/data", "usercustomize.py", "usercustomize.pth")
    crafted.extra = [str(crafted.other)]
    behind = "behind z.egg/sitecustomize.py"
    namespace = "a folder without __init__, which runs nothing"
    assert list(crafted.told("customize-candidate").items()) == [
        ("z.egg/sitecustomize.py", f"sitecustomize as a module, {FIRST}"),
        ("library/sitecustomize.py", f"sitecustomize as a module, {behind}"),
        ("site/sitecustomize", f"sitecustomize as a package, {behind}"),
        (f"site/sitecustomize{EXTENSION}", f"sitecustomize as an extension module, {behind}"),
        ("site/sitecustomize.pyc", f"sitecustomize as bytecode without source, {behind}"),
        ("other/sitecustomize", f"sitecustomize as {namespace}"),
        ("z.egg/usercustomize", f"usercustomize as {namespace}"),
        ("other/usercustomize.py", f"usercustomize as a module, {FIRST}"),
    ]
    slugs = {fact.slug for fact in crafted.find()}
    assert slugs == {"customize-candidate", "zip-entry"}


# Names of the standard library.


def test_name_of_the_library_in_a_site_directory(crafted: Crafted) -> None:
    crafted.put("site", "json.py", "zipfile/__init__.py")
    text = "has a name of the standard library, {}, for which library/{} answers first"
    assert crafted.told("shadows-library") == {
        "site/json.py": text.format("json", "json/__init__.py".partition("/")[0]),
        "site/zipfile": text.format("zipfile", "zipfile.py"),
    }
    assert crafted.told("probed-name") == {}


def test_name_of_the_library_on_pythonpath(crafted: Crafted) -> None:
    crafted.put("other", "json.py", "sys.py")
    crafted.put("site", "json.py")
    crafted.pythonpath = [str(crafted.other)]
    answers = "answers import json before the standard library's own module"
    built_in = "has the name of sys, which is built into Python and answers first"
    behind = "has a name of the standard library, json, for which other/json.py answers first"
    told = {"other/json.py": answers, "site/json.py": behind, "other/sys.py": built_in}
    assert crafted.told("shadows-library") == told
    assert crafted.told("shadowed") == {}


@pytest.mark.parametrize("frozen", ["os", "site"])
def test_frozen_name_of_the_library_on_pythonpath(crafted: Crafted, frozen: str) -> None:
    crafted.put("other", f"{frozen}.py")
    crafted.put("library", f"{frozen}.py")
    crafted.pythonpath = [str(crafted.other)]
    (told,) = crafted.told("shadows-library").values()
    assert ("is built into Python" in told) == (sys.version_info >= (3, 11))


def test_empty_folder_with_a_name_of_the_library_is_no_fact(crafted: Crafted) -> None:
    for name in ("json", "readline", "org", "msvcrt"):
        crafted.put("site", f"{name}/data.txt")
    assert crafted.find() == []


@pytest.mark.parametrize("name", ["readline", "_ssl", "_gdbm", "_tkinter"])
def test_module_that_this_build_lacks(crafted: Crafted, name: str) -> None:
    crafted.put("site", f"{name}{EXTENSION}")
    text = f"answers import {name}, a standard library module that this Python does not have"
    assert crafted.told("probed-name") == {f"site/{name}{EXTENSION}": text}
    crafted.put("library", f"{name}{EXTENSION}")
    assert crafted.told("probed-name") == {}
    assert list(crafted.told("shadows-library")) == [f"site/{name}{EXTENSION}"]


@pytest.mark.parametrize("name", [*FOREIGN, "_missing_stdlib_info", "vms_lib"])
def test_name_that_the_library_tries(crafted: Crafted, name: str) -> None:
    crafted.put("site", f"{name}.py")
    crafted.put("other", f"{name}.py")
    crafted.extra = [str(crafted.other)]
    answers = f"answers import {name}, which the standard library tries and does not have here"
    behind = f"has a name of the standard library, {name}, for which site/{name}.py answers first"
    assert crafted.told("probed-name") == {
        f"site/{name}.py": answers,
        f"other/{name}.py": behind,
    }


@pytest.mark.parametrize(
    "file,answers",
    [
        ("org/python/core.py", "org/python/core.py"),
        ("org/python/core/__init__.pyc", "org/python/core"),
        ("org/__init__.py", "org"),
        ("org.py", "org.py"),
        ("org/python/core/data", ""),
        ("org/python/other.py", ""),
        ("org/gnome/__init__.py", ""),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_dotted_name_that_the_library_tries(
    crafted: Crafted, file: str, answers: str, zipped: bool
) -> None:
    crafted.put("site", *() if zipped else (file,))
    crafted.extra = [crafted.zip("z.zip", file)] if zipped else []
    place = "z.zip" if zipped else "site"
    if zipped and answers.endswith(("org", "core")):
        answers = file
    text = "answers import org.python.core, which the standard library tries and does not have here"
    assert crafted.told("probed-name") == ({f"{place}/{answers}": text} if answers else {})


def test_library_that_cannot_be_listed_is_taken_to_be_whole(crafted: Crafted) -> None:
    crafted.put("site", "json.py", "readline.py")
    library = [str(crafted.root / "absent")]
    start = {"library": library, "path": [*library, str(crafted.site)]}
    assert crafted.told("probed-name", **start) == {}
    assert len(crafted.told("shadows-library", **start)) == 2


# Other names.


def test_module_in_two_places(crafted: Crafted) -> None:
    crafted.put("site", "mine.py", "google/a.py", "regular/__init__.py", "conf.d/x.py")
    crafted.put("other", "mine/__init__.py", "google/b.py", "regular/x.py", "conf.d/y.py")
    crafted.put("other", "__init__.py", "__main__.py", "a-b.py")
    crafted.put("site", "__init__.py", "__main__.py", "a-b.py")
    crafted.extra = [str(crafted.other), crafted.zip("z.zip", "mine.pyc")]
    text = "answers import mine before other/mine, z.zip/mine.pyc"
    assert crafted.told("shadowed") == {"site/mine.py": text}


def test_module_in_many_places(crafted: Crafted) -> None:
    crafted.extra = [crafted.zip(f"{n}.zip", "mine.py") for n in range(6)]
    files = ", ".join(f"{n}.zip/mine.py" for n in (1, 2, 3))
    text = f"answers import mine before {files} and 2 more"
    assert crafted.told("shadowed") == {"0.zip/mine.py": text}


def test_folder_under_two_names_shadows_nothing(crafted: Crafted) -> None:
    crafted.put("site", "mine.py")
    (crafted.root / "lib64").symlink_to("site")
    crafted.extra = [str(crafted.root / "lib64"), str(crafted.site) + "/."]
    crafted.pythonpath = [str(crafted.root / "lib64")]
    assert crafted.find() == []


def test_folder_of_pythonpath_is_named_as_on_the_path(crafted: Crafted) -> None:
    crafted.put("other", "readline.py")
    crafted.extra = [str(crafted.other)]
    path = crafted.start().path
    found = crafted.told("probed-name", path=path, pythonpath=[str(crafted.other) + "/."])
    assert list(found) == ["other/readline.py"]


def test_site_directory_that_is_not_on_the_path_is_looked_into(crafted: Crafted) -> None:
    crafted.put("site", "mine.py")
    crafted.put("other", "mine.py", "readline.py")
    found = crafted.find(site_directories=[str(crafted.other)])
    assert [fact.slug for fact in found] == ["probed-name", "shadowed"]


def test_several_forms_in_one_folder(crafted: Crafted) -> None:
    crafted.put("site", "a/__init__.py", f"a{EXTENSION}", "a.py", "a.pyc")
    crafted.put("site", f"b{EXTENSION}", "b.py", "c.py", "c.pyc", "d.py", "d/data.txt")
    crafted.put("library", "e.py", "e.pyc")
    assert crafted.told("several-forms") == {
        "site/a": f"answers import a as a package, before site/a{EXTENSION}, site/a.py, "
        "site/a.pyc beside it",
        f"site/b{EXTENSION}": "answers import b as an extension module, before site/b.py beside it",
        "site/c.py": "answers import c as a module, before site/c.pyc beside it",
    }


def test_several_forms_in_a_zip_file(crafted: Crafted) -> None:
    crafted.extra = [crafted.zip("z.zip", "a.py", "a.pyc", "a.so", "sub/a.py")]
    text = "answers import a as bytecode without source, before z.zip/a.py beside it"
    assert crafted.told("several-forms") == {"z.zip/a.pyc": text}


def test_python_takes_the_form_that_is_told(crafted: Crafted) -> None:
    names = ["m/__init__.py", f"m{EXTENSION}", "m.py", "m.pyc"]
    while len(names) > 1:
        crafted.put("site", *names)
        spec = importlib.machinery.PathFinder.find_spec("m", [str(crafted.site)])
        assert spec
        assert spec.origin
        (told,) = crafted.told("several-forms")
        assert spec.origin.removesuffix("/__init__.py") == str(crafted.root / told)
        (crafted.site / names.pop(0)).unlink()
        sys.path_importer_cache.pop(str(crafted.site), None)


def test_zip_file_as_an_entry(crafted: Crafted) -> None:
    path = crafted.zip("a.egg", "one.py", "two/__init__.py", "lib/three.py", "EGG-INFO/x")
    crafted.extra = [path, path + "/lib"]
    assert crafted.told("zip-entry") == {
        "a.egg": "is a zip file on sys.path, with 3 names to import",
        "a.egg/lib": "is a zip file on sys.path, with 1 names to import",
    }


def test_claims(crafted: Crafted) -> None:
    crafted.claims = [("b.py", ("x 1", "y 2")), ("a.py", ("x 1", "y 2", "z 3", "u 4"))]
    assert list(crafted.told("claimed-twice").items()) == [
        ("site/a.py", "claimed by x 1, y 2, z 3 and 1 more"),
        ("site/b.py", "claimed by x 1, y 2"),
    ]


# Limits, and what nobody would put there.


def test_large_zip_file_is_not_looked_into(crafted: Crafted) -> None:
    crafted.extra = [crafted.zip("z.zip", "readline.py")]
    os.truncate(crafted.extra[0], places.MOST_OF_ZIP + 1)
    assert crafted.find() == [
        Fact("not-looked-into", crafted.extra[0], "larger than 64 MiB: not looked into")
    ]


def test_zip_file_of_many_members_is_not_looked_into(
    crafted: Crafted, monkeypatch: pytest.MonkeyPatch
) -> None:
    crafted.extra = [crafted.zip("z.zip", *(f"m{n}.py" for n in range(11)))]
    monkeypatch.setattr(places, "MOST_NAMES", 11)
    assert list(crafted.told("zip-entry")) == ["z.zip"]
    monkeypatch.setattr(places, "MOST_NAMES", 10)
    monkeypatch.setattr(zipfile, "ZipFile", None)  # it would read all that it has to say
    text = "more than 10 members: not looked into"
    assert crafted.told("not-looked-into") == {"z.zip": text}


def test_crafted_zip_files(crafted: Crafted) -> None:
    good = Path(crafted.zip("good.zip", *"abcdef")).read_bytes()
    for number in range(len(good)):
        path = crafted.root / f"{number}.zip"
        path.write_bytes(good[:number] + b"\xff" + good[number + 1 :])
        crafted.extra.append(str(path))
    text = "a file that is no readable zip file: not looked into"
    found = crafted.told("not-looked-into")
    assert found
    assert {text for name, text in found.items() if name} == {text}


def test_folder_of_many_names(crafted: Crafted, monkeypatch: pytest.MonkeyPatch) -> None:
    crafted.put("other", *(f"n{n}" for n in range(11)))
    crafted.extra = [str(crafted.other)]
    monkeypatch.setattr(places, "MOST_NAMES", 10)
    told = {"other": "more than 10 names: not looked into further"}
    assert crafted.told("not-looked-into") == told


def test_folder_that_cannot_be_listed(crafted: Crafted, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    text = "cannot be listed (Permission denied): not looked into"
    assert crafted.told("not-looked-into") == {"library": text, "site": text}


def test_no_more_than_fifty_of_a_kind(crafted: Crafted) -> None:
    crafted.put("site", *(f"m{n:03}.py{c}" for n in range(60) for c in ("", "c")))
    found = crafted.find()
    assert [fact.file for fact in found[:50]] == [
        str(crafted.site / f"m{n:03}.py") for n in range(50)
    ]
    assert found[50:] == [Fact("several-forms", "", "10 more like these")]


def test_no_more_than_a_thousand_entries(crafted: Crafted) -> None:
    crafted.extra = [str(crafted.root / f"absent{n}") for n in range(1000)]
    text = "the 3 entries of sys.path from here on: not looked into"
    assert crafted.told("not-looked-into") == {"absent997": text}


def test_long_path_is_not_taken_apart(crafted: Crafted, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(facts, "status", asked.append)
    crafted.extra = ["a/" * 3000]
    crafted.find()
    assert len(asked) < 100


def test_nothing_raises_or_waits(crafted: Crafted) -> None:
    os.mkfifo(crafted.site / "readline.py")
    os.mkfifo(crafted.bin / "pyvenv.cfg")
    os.mkfifo(crafted.root / "fifo")
    (crafted.site / "json.py").symlink_to("json.py")
    (crafted.site / "dangling.py").symlink_to("nowhere")
    (crafted.bin / "loop").symlink_to("loop")
    for name in (b"new\nline.py", b"\x1b[31m.py", b"\xff.py", b"\xffpkg/__init__.py"):
        crafted.put("site", os.fsdecode(name))
    odd = ["", "\0", "a\0b", "\udcff\udc80", "\ud800", "x" * 5000, "a/" * 3000, "/", "relative"]
    odd += [str(crafted.root / name) for name in ("fifo", "gone", "gone/below")]
    odd += [str(crafted.bin / "loop"), str(crafted.bin / "python") + "/x"]
    crafted.pythonpath = crafted.extra = odd
    for executable in [*odd, str(crafted.bin / "python")]:
        start = crafted.start(
            executable=executable,
            home_file=executable,
            library=[*odd, *(entry + ".zip" for entry in odd), str(crafted.library)],
            site_directories=[*odd, str(crafted.site)],
        )
        found = facts.find(start, lambda _: [])
        assert found == facts.find(start, lambda _: [])
        assert not [fact for fact in found if fact.file.startswith(str(crafted.site))]


def test_names_are_told_as_they_are(crafted: Crafted) -> None:
    folder = crafted.root / "new\nline\x1b"
    folder.mkdir()
    (folder / "readline.py").touch()
    crafted.extra = [str(folder)]
    assert list(crafted.told("probed-name")) == ["new\nline\x1b/readline.py"]


def test_slugs_are_all_known(crafted: Crafted) -> None:
    found = io.StringIO((PACKAGE / "facts.py").read_text("utf-8"))
    used = {part for line in found for part in line.split('"') if part in facts.SLUGS}
    assert used == set(facts.SLUGS)
    assert len(set(facts.SLUGS)) == len(facts.SLUGS)
    assert crafted.find() == []


# Real interpreters.

ASK = """
import json, site, sys
own = json.loads(sys.stdin.read())
sys.path.append(own["safesite"])
from safesite import facts
before = set(sys.modules), sys.path[:], sys.meta_path[:], dict(sys.path_importer_cache)
found = facts.find(facts.Start(**own["start"]), lambda _: [])
print(json.dumps([
    [[fact.slug, fact.file, fact.text] for fact in found],
    sorted(set(sys.modules) - before[0]),
    before[1:] == (sys.path, sys.meta_path, dict(sys.path_importer_cache)),
]))
"""
TELL = "import json, site, sys; print(json.dumps([sys.path[1:], site.getsitepackages()]))"


def ask(environment: Environment, **start: object) -> tuple[list[list[str]], list[str], bool]:
    """Have an interpreter of the environment tell its facts."""
    path, sites = json.loads(environment.stock("-c", TELL).out)
    library = json.loads(environment.stock("-S", "-c", TELL).out)[0]
    told = {
        "executable": str(environment.python),
        "prefix": str(environment.prefix),
        "base_prefix": str(environment.interpreter.path.parent.parent),
        "home_file": str(environment.prefix / "pyvenv.cfg"),
        "path": path,
        "site_directories": sites,
        "pythonpath": [],
        "library": library,
    }
    own = {"safesite": str(PACKAGE.parent), "start": told | start}
    environment.ran()  # what stock has run
    outcome = environment.run(environment.python, "-I", "-S", "-c", ASK, stdin=json.dumps(own))
    assert (outcome.code, outcome.err) == (0, "")
    facts_told, loaded, unchanged = json.loads(outcome.out)
    return facts_told, loaded, unchanged


@pytest.mark.spread
def test_fresh_environment(environment: Environment) -> None:
    found, _, unchanged = ask(environment)
    slugs = [slug for slug, _, _ in found]
    assert unchanged
    expected = ["home-key", "library-zip"] + ["customize-candidate"] * 2
    assert set(slugs) <= set(expected)
    assert slugs.count("home-key") == 1
    assert slugs.count("customize-candidate") == int(environment.interpreter.has_sitecustomize)


@pytest.mark.spread
def test_nothing_that_lies_there_is_imported(environment: Environment, tmp_path: Path) -> None:
    """Every name of the standard library, tried ones and packages: each leaves a marker if run."""
    names = environment.interpreter.run("-c", "import sys; print(*sys.stdlib_module_names)")
    mark = f"open({str(environment.markers)!r} + '/ran', 'a').write(__name__)\n"
    other = tmp_path / "other"
    other.mkdir()
    for name in [*names.split(), "org", "pip", "sitecustomize", "_missing_stdlib_info"]:
        (environment.site_packages / f"{name}.py").write_text(mark)
        (other / name).mkdir()
        (other / name / "__init__.py").write_text(mark)
    archive = tmp_path / "z.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for name in names.split():
            opened.writestr(f"{name}.py", mark)
    told = environment.stock("-S", "-c", TELL).out
    library = json.loads(told)[0]
    entries = [str(other), str(archive), *library, str(environment.site_packages)]
    found, loaded, unchanged = ask(
        environment,
        path=entries,
        pythonpath=entries[:2],
        site_directories=[str(environment.site_packages)],
        library=library,
    )
    assert len([1 for slug, _, _ in found if slug == "shadows-library"]) == 51
    assert "probed-name" in {slug for slug, _, _ in found}
    assert set(loaded) <= {"encodings.cp437"}  # the standard library's, for names in a zip file
    assert unchanged
    assert environment.ran() == []
