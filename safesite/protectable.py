"""An environment that is to be protected: what stands for Python in it, and whether it may be.

Reads pyvenv.cfg and ``bin``; starts the interpreter that the environment stands on, which lies
outside, to ask for its version, and nothing of the environment.  Runs for `protect` alone, and may
use the whole standard library.
"""

import contextlib
import errno
import filecmp
import os
import re
import subprocess

from safesite import protection
from safesite.keep import place, quoted
from safesite.protection import CONFIG, KEPT, RECORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

OLDEST, NEWEST = (3, 10), (3, 15)
NAME = re.compile(r"python[0-9.t]*", re.ASCII)
MOST_OF_CONFIG = 1 << 14  # bytes: each start reads them one by one
MOST_LINKS = 40
NO_LOCKS = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP)  # NFS has none for folders
ASK = "import sys; print(sys.implementation.name, *sys.version_info[:2])"


class Refused(Exception):
    """Why nothing was done, as a sentence."""


class Environment:
    """The folder of a virtual environment, and what stands for Python in its ``bin``."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        if not os.path.isdir(folder):
            raise Refused(f"{place(folder)}: there is no such folder (environment)")
        if not (os.path.isdir(self.folder) and os.path.samefile(folder, self.folder)):
            self.folder = os.path.realpath(folder)  # a link stands before a ..
        self.bin = self.path("bin")

    def path(self, *names: str) -> str:
        """Return the path of something in the environment."""
        return os.path.join(self.folder, *names)

    def holds(self, path: str) -> bool:
        """Return whether a path leads into the environment."""
        return (os.path.realpath(path) + os.sep).startswith(os.path.realpath(self.folder) + os.sep)

    @contextlib.contextmanager
    def locked(self) -> "Iterator[None]":
        """Wait until no other command is at work here."""
        import fcntl  # not on Windows

        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
        except OSError as exc:
            if exc.errno not in NO_LOCKS:
                os.close(folder)
                raise
        try:
            yield
        finally:
            os.close(folder)

    def record(self) -> "dict[str, Any] | None":
        """Return the record, None if there is none."""
        try:
            return protection.read_record(self.folder)
        except protection.Broken:
            where = place(self.path(RECORD))
            raise Refused(f"{where}: not from --protect; try --unprotect first (record)") from None

    def is_launcher(self, name: str) -> bool:
        """Return whether a name in ``bin`` is a launcher itself, of whatever safesite."""
        path = os.path.join(self.bin, name)
        return not os.path.islink(path) and protection.is_launcher(path)

    def launchers(self) -> "list[str]":
        """Return the names in ``bin`` that are launchers."""
        return [name for name in sorted(os.listdir(self.bin)) if self.is_launcher(name)]

    def original(self, name: str) -> str:
        """Return where that is which stands in ``bin`` under a name when nothing is protected."""
        path = os.path.join(self.bin, name)
        if self.is_launcher(name) or not os.path.lexists(path):
            return self.path(KEPT, name)
        return path

    def behind(self, name: str) -> str:
        """Return the real path of what a name leads to; of a file in ``bin``, where it is now."""
        path = self.original(name)
        for _ in range(MOST_LINKS):
            if not os.path.islink(path):
                break
            folder, name = os.path.split(os.path.join(self.bin, os.readlink(path)))
            if os.path.realpath(folder) != os.path.realpath(self.bin):
                return os.path.realpath(os.path.join(folder, name))
            path = self.original(name)
        return path


class Base:
    """The interpreter that an environment stands on, and what pyvenv.cfg says; or `Refused`.

    ``path``: its real path.  ``config``: the bytes of pyvenv.cfg.  ``home``: as it names it.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.config = read_config(environment)
        values = values_of(self.config)
        self.home = values.get("home", "")
        self.where = place(environment.path(CONFIG))
        version = values.get("version") or values.get("version_info", "")
        self.version = ".".join(version.split(".")[:2])
        if not os.path.isabs(self.home):
            raise Refused(f"{self.where}: names no folder as home (home)")
        self.path = self.find()
        if environment.holds(self.path):
            what = "the interpreter lies inside the environment, where packages can replace it"
            raise Refused(f"{place(self.path)}: {what} (inside)")
        self.check_version()

    def find(self) -> str:
        """Return the real path of the interpreter in ``home`` that a Python in ``bin`` is."""
        names = ("python", "python3", f"python{self.version}", f"python{self.version}t")
        others = filter(NAME.fullmatch, protection.listed(self.environment.bin))
        homes = [os.path.join(self.home, name) for name in dict.fromkeys([*names, *others])]
        homes = [os.path.realpath(path) for path in homes if os.path.isfile(path)]
        for name in names:
            behind = self.environment.behind(name)
            for path in homes:
                if behind == path or is_copy(behind, path):
                    return path
        told = place(self.home)
        if not homes:
            raise Refused(f"{self.where}: home = {told} has no interpreter (home)")
        raise Refused(f"{self.where}: home = {told} has not the interpreter that is in bin (home)")

    def check_version(self) -> None:
        """Refuse an interpreter that safesite does not know, or that pyvenv.cfg does not name."""
        command = [self.path, "-I", "-S", "-c", ASK]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell
        name, *numbers = done.stdout.decode("ascii", "replace").split() or [""]
        version = ".".join(numbers)
        if done.returncode or name != "cpython":
            raise Refused(f"{place(self.path)}: is no CPython that starts (interpreter)")
        if not OLDEST <= tuple(map(int, numbers)) <= NEWEST:
            known = "it knows CPython 3.10 to 3.15"
            raise Refused(f"{place(self.path)}: {known}, and this is {version} (interpreter)")
        if self.version and version != self.version:
            made = f"made for {quoted(self.version)[1:-1]}"
            raise Refused(f"{self.where}: {made}, but the interpreter is {version} (version)")

    def is_behind(self, name: str) -> bool:
        """Return whether a name in ``bin`` leads to the interpreter, or is a copy of it."""
        path = self.environment.behind(name)
        return path == self.path or is_copy(path, self.path)


def read_config(environment: Environment) -> bytes:
    """Return the bytes of pyvenv.cfg; refuse what is no environment, or cannot be protected."""
    folder = place(environment.folder)
    data = protection.read(environment.path(CONFIG), MOST_OF_CONFIG + 1)
    if data is None and os.path.isdir(environment.path("conda-meta")):
        what = (
            "a conda environment, whose interpreter lies inside it, where packages can replace it"
        )
        raise Refused(f"{folder}: {what} (inside)")
    if data is None:
        raise Refused(f"{folder}: no virtual environment: it has no {CONFIG} (environment)")
    if len(data) > MOST_OF_CONFIG or b"\0" in data:
        why = "longer than 16 KiB, or with a NUL"
        raise Refused(f"{place(environment.path(CONFIG))}: {why} (environment)")
    if os.path.islink(environment.bin) or not os.path.isdir(environment.bin):
        raise Refused(f"{place(environment.bin)}: no folder of the environment's own (environment)")
    for path in (environment.folder, environment.bin):
        if not os.access(path, os.W_OK | os.X_OK):
            why = "cannot be written; do this as the environment's owner"
            raise Refused(f"{place(path)}: {why}, before it is made read-only (read-only)")
    return data


def values_of(config: bytes) -> "dict[str, str]":
    """Return what pyvenv.cfg says, of each key the first, as Python takes ``home``."""
    values: dict[str, str] = {}
    for line in config.split(b"\n"):
        key, equals, value = os.fsdecode(line).partition("=")
        if equals:
            values.setdefault(key.strip().lower(), value.strip())
    return values


def is_copy(path: str, other: str) -> bool:
    """Return whether two files have the same bytes."""
    try:
        return filecmp.cmp(path, other, shallow=False)
    except (OSError, ValueError):
        return False
