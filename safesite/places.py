"""What the entries of sys.path offer: which modules, in which forms, in which order.

Reads folder listings and the names inside zip files; imports nothing of what it looks at.  Runs for
`facts` alone, and may use the rest of the standard library.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from dataclasses import dataclass, field
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_NAMES = 100_000  # of a folder or zip file
MOST_OF_ZIP = 64 << 20
MOST_OF_PATH = 4_096  # for a name inside a zip file: each part of it is looked for

# O_NONBLOCK: a FIFO that took the file's place does not wait for a writer.
READING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

# In the order in which Python takes them; in a zip file it takes bytecode first.
KINDS = [(suffix, "extension") for suffix in EXTENSION_SUFFIXES]
KINDS += [(suffix, "module") for suffix in SOURCE_SUFFIXES]
KINDS += [(suffix, "bytecode") for suffix in BYTECODE_SUFFIXES]
KINDS_IN_ZIP = [(".pyc", "bytecode"), (".py", "module")]


class Form(NamedTuple):
    """One form of a module, as ``package``; ``rank`` orders those of one name as Python does."""

    rank: int
    kind: str
    file: str


@dataclass
class Place:
    """What an entry of sys.path offers: the forms of each top-level name, in order.

    ``problem``: why it was not looked into.  ``standard``: whether it is the standard library's.
    """

    entry: str
    forms: dict[str, list[Form]] = field(default_factory=dict)
    problem: str = ""
    is_zip: bool = False
    standard: bool = False

    def add(self, name: str, form: Form) -> None:
        """Note a form of a module that an import statement can name."""
        if name.isidentifier():
            self.forms.setdefault(name, []).append(form)

    def running(self, name: str) -> list[Form]:
        """Return the forms of a name that run code when it is imported, the one taken first."""
        return sorted(form for form in self.forms.get(name, ()) if form.kind != "namespace")

    def modules(self) -> Iterator[tuple[str, list[Form]]]:
        """Yield each name that runs code when it is imported, with its forms that do."""
        for name in sorted(self.forms):
            if running := self.running(name):
                yield name, running


class NotLookedInto(Exception):
    """Why a place was left alone."""


def must_not_be_touched(path: str) -> bool:
    """Return whether to look at a path is to log in on another machine, under Windows."""
    return os.name == "nt" and bool(odd(path))


def odd(path: str) -> str:
    """Return the slug of a path that is a network or device path, else ""."""
    plain = path.replace("\\", "/").upper()
    if plain.startswith(("//?/UNC/", "//./UNC/", "/??/UNC/")):
        return "network-path"
    if plain.startswith(("//?/", "//./", "/??/")) or is_below_dev(path):
        return "device-path"
    return "network-path" if plain.startswith("//") and plain.strip("/") else ""


def is_below_dev(path: str) -> bool:
    """Return whether a path, as it stands or behind links, lies below /dev or /proc."""
    try:
        paths = [os.path.normpath(path), os.path.realpath(path)] if os.name != "nt" else []
    except (OSError, ValueError):
        return False
    return any(re.match("/+(dev|proc)/", path) for path in paths)


def each_once(paths: Iterable[str]) -> list[str]:
    """Return paths in order, the first name of each folder or file."""
    once: dict[object, str] = {}
    for path in paths:
        once.setdefault(identity(path), path)
    return list(once.values())


def identity(path: str) -> object:
    """Return what is the same for all names of a folder or file."""
    st = None if must_not_be_touched(path) else status(path or os.curdir)
    return (st.st_dev, st.st_ino) if st and st.st_ino else path


def status(path: str) -> os.stat_result | None:
    """Return what stat() tells; None where it tells nothing: absent, a loop, no path at all."""
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None


def look_into(entries: list[str], library: set[object]) -> list[Place]:
    """Return what each entry offers."""
    places = []
    for entry in entries:
        place = look(entry)
        place.standard = identity(entry) in library
        places.append(place)
    return places


def look(entry: str) -> Place:
    """Return what one entry offers: a folder, a zip file, or a folder inside one."""
    place = Place(entry)
    if must_not_be_touched(entry):
        place.problem = "on another machine or a device: not looked into"
        return place
    try:
        if os.path.isdir(entry or os.curdir):
            list_folder(place, entry or os.curdir)
        else:
            list_zip(place)
    except NotLookedInto as exc:
        place.problem = str(exc)
    return place


def list_folder(place: Place, folder: str) -> None:
    """Note the modules of a folder."""
    try:
        with os.scandir(folder) as listing:
            for number, entry in enumerate(listing):
                if number == MOST_NAMES:
                    raise NotLookedInto(f"more than {MOST_NAMES} names: not looked into further")
                note_entry(place, entry)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or type(exc).__name__
        raise NotLookedInto(f"cannot be listed ({reason}): not looked into") from None


def note_entry(place: Place, entry: os.DirEntry[str]) -> None:
    """Note what an entry of a folder is to Python, if it is a module."""
    try:
        if entry.is_dir():
            inits = (os.path.join(entry.path, "__init__" + suffix) for suffix, _ in KINDS)
            is_package = entry.name.isidentifier() and any(map(os.path.isfile, inits))
            kind = (0, "package") if is_package else (len(KINDS) + 1, "namespace")
            place.add(entry.name, Form(*kind, entry.path))
        elif entry.is_file():
            note_file(place, entry.name, entry.path, KINDS)
    except OSError:  # a loop of links: Python cannot import it either
        pass


def note_file(place: Place, name: str, path: str, kinds: list[tuple[str, str]]) -> None:
    for rank, (suffix, kind) in enumerate(kinds, 1):
        if name.endswith(suffix):
            place.add(name.removesuffix(suffix), Form(rank, kind, path))


def list_zip(place: Place) -> None:
    """Note the modules of a zip file, if the entry is one or goes on inside one."""
    archive, inside = split_archive(place.entry)
    data = read(archive, MOST_OF_ZIP)
    if data is None:
        return
    place.is_zip = True
    if data.count(b"PK\1\2") > MOST_NAMES:  # begins each member's entry; before zipfile reads all
        raise NotLookedInto(f"more than {MOST_NAMES} members: not looked into")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            names = sorted(set(opened.namelist()))
    except Exception:  # noqa: BLE001 - zipfile raises what a crafted file leads it to
        raise NotLookedInto("a file that is no readable zip file: not looked into") from None
    for name in names:
        if name.startswith(inside):
            note_member(place, name[len(inside) :])


def note_member(place: Place, name: str) -> None:
    """Note what a member of a zip file is to Python, if it is a module at the top."""
    top, is_below, rest = name.partition("/")
    path = os.path.join(place.entry, name)
    if not is_below:
        note_file(place, name, path, KINDS_IN_ZIP)
    elif rest in ("__init__.pyc", "__init__.py"):
        place.add(top, Form(0, "package", path))
    elif top not in place.forms:
        place.add(top, Form(len(KINDS) + 1, "namespace", os.path.join(place.entry, top)))


def split_archive(path: str) -> tuple[str, str]:
    """Return the file that a path goes through, as zipimport finds it, and the rest with ``/``."""
    inside = ""
    while len(path) < MOST_OF_PATH and status(path) is None:
        head, name = os.path.split(path)
        if head == path:
            break
        path, inside = head, f"{name}/{inside}" if name else inside
    return path, inside


def read(path: str, most: int) -> bytes | None:
    """Return a regular file's bytes, None if it is none; raises NotLookedInto beyond a size."""
    st = status(path)
    if not (st and stat.S_ISREG(st.st_mode)):
        return None
    try:
        with open(os.open(path, os.O_RDONLY | READING), "rb") as file:
            data = file.read(most + 1) if st.st_size <= most else b" " * (most + 1)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or type(exc).__name__
        raise NotLookedInto(f"cannot be read ({reason}): not looked into") from None
    if len(data) > most:
        raise NotLookedInto(f"larger than {most >> 20} MiB: not looked into")
    return data
