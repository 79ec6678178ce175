"""What the guard has refused where nobody could answer: a list for ``--pending``, never a policy.

A file of the user's own, a line of JSON for each refusal, the newest last.  Runs for the guard and
for `explain`, and loads little besides: the guard's process is a program's own.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from safesite import keep

if os.name == "posix":  # on Windows two writers do not wait for each other
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CAP = 1000  # lines that are kept
SIZE_CAP = 4 << 20  # bytes of them
LONGEST = 4096  # characters of a field: no path that can be opened has more
PATIENCE = 5.0  # seconds to wait for other writers


class Refusal(NamedTuple):
    """What was refused: when (UTC, ISO 8601), to which package, and at what place in its code."""

    time: str
    package: str
    kind: str
    target: str
    place: str


def path() -> str | None:
    """Return the file's path, None where the user has no place for it."""
    folder = os.environ.get("XDG_STATE_HOME")
    if not folder:
        home = os.path.expanduser("~")
        if os.environ.get("HOME") == "" or not os.path.isdir(home):
            return None  # no home is made for it
        folder = os.path.join(home, ".local", "state")
    return os.path.join(folder, "safesite", "refused") if os.path.isabs(folder) else None


def now() -> str:
    """Return the time as a `Refusal` has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def read() -> list[Refusal]:
    """Return what is in the file, the newest last, without lines that are not as they should be.

    Raises OSError for one that is not the user's own file.
    """
    file = path()
    return read_file(file) if file is not None else []


def append(refusals: Iterable[Refusal]) -> None:
    """Add refusals to the file; of equal ones the newest alone is kept.

    It is replaced in one step, and stays what it was if anything fails.  Raises OSError.
    """
    file, new = path(), [shortened(refusal) for refusal in refusals]
    if file is None or not new:
        return
    folder = make_folder(file)
    with locked(folder):
        kept: dict[tuple[str, ...], Refusal] = {}
        for refusal in [*read_file(file), *new]:
            kept.pop(refusal[1:4], None)
            kept[refusal[1:4]] = refusal
        replace(file, text_of(list(kept.values())))


def make_folder(file: str) -> str:
    """Return the folder of the file, which is there then; raises OSError."""
    folder = os.path.dirname(file)
    os.makedirs(os.path.dirname(folder), 0o700, exist_ok=True)
    os.makedirs(folder, 0o700, exist_ok=True)
    return folder


def open_lock() -> int | None:
    """Open an empty file, by whose bytes the guard's runs lock terminals; raises OSError.

    None where the user has no place for it.
    """
    file = path()
    if file is None:
        return None
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return open_own(os.path.join(make_folder(file), "asking"), flags)


# The text.


def shortened(refusal: Refusal) -> Refusal:
    return Refusal(*(field[:LONGEST] for field in refusal))


def text_of(refusals: list[Refusal]) -> bytes:
    """Return the newest of the refusals as the file has them, as far as they fit."""
    lines: list[bytes] = []
    room = SIZE_CAP
    for refusal in refusals[: -CAP - 1 : -1]:
        line = json.dumps(refusal._asdict()).encode("ascii") + b"\n"
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    return b"".join(lines[::-1])


def refusals_in(data: bytes) -> Iterator[Refusal]:
    """Yield the refusals in a file's text."""
    for line in data.split(b"\n"):
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        fields = [told.get(name) for name in Refusal._fields] if isinstance(told, dict) else [None]
        if all(isinstance(field, str) for field in fields):
            yield shortened(Refusal(*fields))


# The file.


def read_file(name: str) -> list[Refusal]:
    """Return the newest refusals in a file, none if it is not there; raises OSError."""
    try:
        file = open_own(name, keep.OPEN)
    except FileNotFoundError:
        return []
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
        os.lseek(file, max(0, status.st_size - SIZE_CAP), os.SEEK_SET)
        data = b""  # half of a line, at its beginning, is no refusal
        while len(data) < SIZE_CAP and (more := os.read(file, SIZE_CAP - len(data))):
            data += more
    finally:
        os.close(file)
    return list(refusals_in(data))[-CAP:]


def open_own(name: str, flags: int) -> int:
    """Open what the user owns, and what no link leads to; raises OSError."""
    try:
        file = os.open(name, flags, 0o600)
    except OSError:
        if os.path.islink(name):
            raise OSError(errno.ELOOP, "a link, which is not followed", name) from None
        raise
    if os.name == "posix" and os.fstat(file).st_uid != os.geteuid():
        os.close(file)
        raise OSError(errno.EPERM, "another user owns it", name)
    return file


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Have other writers wait, and nobody else look into the folder, whose own lock it is."""
    if os.name != "posix":
        yield
        return
    file = open_own(folder, keep.OPEN | os.O_DIRECTORY)
    try:
        mode = stat.S_IMODE(os.fstat(file).st_mode)
        if mode & 0o077:
            os.fchmod(file, mode & 0o700)
        wait_for(file, folder)
        yield
    finally:
        os.close(file)


def wait_for(file: int, name: str) -> None:
    """Take the lock of an open folder; raises OSError where another process does not give it up."""
    end = time.monotonic() + PATIENCE
    while not is_locked(file):
        if time.monotonic() > end:
            raise OSError(errno.EAGAIN, "another process keeps it locked", name)
        time.sleep(0.01)


def is_locked(file: int) -> bool:
    """Take a lock, if it is free; return whether it was."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def replace(name: str, data: bytes) -> None:
    """Put a text in the place of a file, in one step; raises OSError."""
    temporary = f"{name}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)  # of a writer that was killed
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, name)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
