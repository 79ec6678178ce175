"""What is being built: name and version, as the project claims them, and which folders are its own.

Reads metadata as text, and runs nothing.  The broker's; may use the whole standard library.
"""

from __future__ import annotations

import os
import re

CAP = 1 << 20
UNPACKED = ("pip-", "build-via-sdist-")  # begin the names in TMPDIR of an installer's own copies
ASKED_FOR = re.compile(r"(?P<name>.+)_[0-9a-f]{32}")  # pip's folder for what it has downloaded
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
KEY = re.compile(r"""\s*(?P<key>name|version|build-backend)\s*=\s*["'](?P<value>[^"']*)["']""")


class Project:
    """A build of a project.

    name, version: what it calls itself; consistent: whether pip has asked for that name, else alias
    is what it calls itself; backend: what is named before its hooks; own: folders that it may
    write; foreign: the names in TMPDIR that are not its own; readable: whose files are no secret.
    """

    def __init__(self, number: int, folder: str, own: list[str]) -> None:
        self.number, self.folder, self.own = number, folder, own
        self.foreign = os.listdir(temporary_folder())  # what is there before it begins
        self.readable: list[str] = []
        self.name = self.alias = self.version = self.backend = ""
        self.consistent = False

    @property
    def label(self) -> str:
        """How the questions name it."""
        return f"{self.name} {self.version}".rstrip()

    @property
    def details(self) -> dict[str, object]:
        """What its processes are told of it."""
        top = temporary_folder()
        return {
            "id": self.number,
            "project": self.folder,
            "own": self.own,
            "temp": [top],
            "foreign": self.foreign,
            "unpacked": self.folder.startswith(tuple(f"{top}/{name}" for name in UNPACKED)),
        }


def look(number: int, what: str, folder: str, folders: list[str], before: list[str]) -> Project:
    """Return a project that is about to be built in a folder, and what else its caller gave it.

    ``before``: what other builds of the run may write.
    """
    folder = os.path.realpath(folder)
    writable = {folder, temporary_folder(), *before}
    others = [folder_without_link(other, writable) for other in folders if os.path.isabs(other)]
    own = [folder, *filter(None, others)]
    project = Project(number, folder, own)
    found = read_metadata(folder)
    name, version = found.get("name", ""), found.get("version", "")
    claimed = NAME.fullmatch(name) is not None
    unpacked = ASKED_FOR.fullmatch(os.path.basename(folder))
    asked_for = unpacked["name"] if unpacked else name
    project.consistent = claimed and normalised(asked_for) == normalised(name)
    project.name = asked_for or os.path.basename(folder)
    project.alias = name if claimed and not project.consistent else ""
    project.version = version if VERSION.fullmatch(version) else ""
    project.backend = backend_of(folder, found.get("build-backend", ""), what)
    return project


def folder_without_link(path: str, writable: set[str]) -> str:
    """Return a folder without links, "" if one leads there that a build could have made."""
    path = os.path.abspath(path)
    parts = path.split(os.sep)
    for number in range(1, len(parts) + 1):
        above = os.path.realpath(os.sep.join(parts[:number]) or os.sep)
        if above in writable:
            expected = os.path.join(above, *parts[number:])
            return expected if os.path.realpath(path) == expected else ""
    return os.path.realpath(path)


def temporary_folder() -> str:
    """Return the folder for temporary files, as the module tempfile finds it, without links."""
    for name in ("TMPDIR", "TEMP", "TMP"):
        folder = os.environ.get(name, "")
        if os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return os.path.realpath(folder)
    return os.path.realpath("/tmp")  # noqa: S108 - what is in there is told apart


def normalised(name: str) -> str:
    """Return a project's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def backend_of(folder: str, backend: str, what: str) -> str:
    """Return what is named before a hook: ``setup.py`` where there is one, or the backend."""
    if what.startswith("setup.py"):
        return ""
    if backend.startswith("setuptools") or not backend:
        return "setup.py" if os.path.lexists(os.path.join(folder, "setup.py")) else ""
    return backend


def read_metadata(folder: str) -> dict[str, str]:
    """Return name, version and backend, as far as PKG-INFO and pyproject.toml say them plainly."""
    found: dict[str, str] = {}
    for line in lines_of(os.path.join(folder, "pyproject.toml")):
        match = KEY.match(line)
        if match:
            found.setdefault(match["key"], match["value"])
    for line in lines_of(os.path.join(folder, "PKG-INFO")):
        key, colon, value = line.partition(":")
        if not line.strip():
            break
        if colon and key.lower() in ("name", "version"):
            found[key.lower()] = value.strip()
    return found


def lines_of(path: str) -> list[str]:
    """Return the lines of a regular file, none if there is none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as stream:
            return stream.read(CAP).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
