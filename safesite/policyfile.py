"""A policy's file: whether a start would believe it, and replacing it in one step.

Nothing is written that a start would not trust.  A policy keeps its owner, mode, comments and
order; two writers wait for each other.

Runs for `approve` alone, and may use the whole standard library.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from typing import TYPE_CHECKING, Any

from safesite import core, keep, trust

if os.name == "posix":  # on Windows two writers do not wait for each other
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Change = Callable[[list[bytes]], list[bytes]]


def trusted(target: str, startup: Any) -> str:
    """Return the real path of a policy that a start would believe, made or to be made.

    Makes its folder.  Raises trust.Ignored, OSError.
    """
    if not os.path.isabs(target):
        raise trust.Ignored(target, "not an absolute path", "policy-relative")
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        os.makedirs(os.path.dirname(folder), 0o700, exist_ok=True)
        os.makedirs(folder, 0o700, exist_ok=True)
        if target == core.SYSTEM_POLICY:
            os.chmod(folder, 0o755)  # noqa: S103 - every start reads it, whatever the umask
    if os.path.lexists(target):
        policy = trust.read(target)
    else:
        real, above = trust.resolve(folder)
        policy = keep.Policy(os.path.join(real, name), b"", above)
    if keep.lies_with_packages(startup, policy):
        why = "packages can write it, so it would grant nothing"
        raise trust.Ignored(policy.path, why, "policy-place")
    return policy.path


def read_lines(path: str) -> list[bytes]:
    """Return the lines of a policy, none if it is not there."""
    try:
        data = trust.read_file(path)
    except FileNotFoundError:
        return []
    return data.removesuffix(b"\n").split(b"\n") if data else []


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Have other writers wait; the lock is the folder's own, so that none is left behind."""
    if os.name != "posix":
        yield
        return
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def edit(path: str, change: Change) -> list[bytes]:
    """Replace a policy by what ``change`` makes of its lines, in one step; return what is gone.

    It keeps its owner and mode.  What was there stays if anything fails.
    """
    folder = os.path.dirname(path)
    with locked(folder):
        before = read_lines(path)
        after = change(before)
        if after != before:
            file, temporary = tempfile.mkstemp(prefix=".policy-", dir=folder)
            try:
                with os.fdopen(file, "wb") as stream:
                    stream.write(b"".join(line + b"\n" for line in after))
                    stream.flush()
                    keep_owner(path, stream.fileno())
                    os.fsync(stream.fileno())
                os.replace(temporary, path)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
                raise
    return [line for line in before if line not in after]


def keep_owner(path: str, file: int) -> None:
    """Give an open file the owner and mode of the one that it replaces, if that is there."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        if path == os.path.realpath(core.SYSTEM_POLICY):
            os.fchmod(file, 0o644)
        return
    if hasattr(os, "fchown"):
        own = os.fstat(file)
        if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
            os.fchown(file, status.st_uid, status.st_gid)
        os.fchmod(file, stat.S_IMODE(status.st_mode))
