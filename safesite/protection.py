"""What ``--protect`` leaves in an environment, and whether that still is what it was.

``.safesite`` in the environment's folder holds the record and, in ``kept``, the Pythons that stood
in ``bin``; in their places stand launchers.  A start that finds that folder loads this, so the
module imports what a start has; what the commands alone need, its functions import.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = ".safesite"
KEPT = os.path.join(FOLDER, "kept")
STAGED = os.path.join(FOLDER, "staged")  # there while a command is at work, or broke off
RECORD = os.path.join(FOLDER, "record.json")
CONFIG = "pyvenv.cfg"

HEADER = b"#!/bin/sh\n# Written by safesite --protect in the place of Python.\n"
MOST = 1 << 20  # bytes of a record, of a launcher, of pyvenv.cfg
OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class Broken(Exception):
    """Why a record is none."""


def is_protected(prefix: str) -> "bool | None":
    """Return whether ``--protect`` has been run on an environment, None where that is none."""
    if not os.path.lexists(os.path.join(prefix, CONFIG)):
        return None
    return os.path.lexists(os.path.join(prefix, RECORD))


def undone(prefix: str) -> "list[str]":
    """Return the names in a protected environment's ``bin`` that no longer start safesite.

    Looks at the first lines alone, as each start does this: `changed` looks at all.
    """
    if not os.access(os.path.join(prefix, RECORD), 0):
        return []
    folder = os.path.join(prefix, "bin")
    names = sorted(listed(os.path.join(prefix, KEPT)))
    paths = [os.path.join(folder, name) for name in names]
    return [os.path.basename(x) for x in paths if os.path.lexists(x) and not is_launcher(x)]


def tell_undone(prefix: str) -> None:
    """Say at a start what in its environment is protected no longer."""
    from safesite.asked import active
    from safesite.keep import place, say

    for name in undone(prefix) if active() != "quiet" else ():
        file = place(os.path.join(prefix, "bin", name))
        say(f"safesite: {file}: not the launcher that --protect wrote; protect it again (undone)")


def is_launcher(path: str) -> bool:
    """Return whether a file, or what a link leads to, begins as the launchers do."""
    return read(path, len(HEADER)) == HEADER


def read(path: str, most: int = MOST) -> "bytes | None":
    """Return the first bytes of a regular file, None if it cannot be read; waits for no FIFO."""
    import stat

    try:
        file = os.open(path, OPEN)
    except (OSError, ValueError):
        return None
    try:
        return os.read(file, most) if stat.S_ISREG(os.fstat(file).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(file)


def listed(folder: str) -> "list[str]":
    """Return the names in a folder, none if it cannot be listed."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def start_folders(prefix: str) -> "list[str]":
    """Return the folders in which launchers have Python: 16 random digits, which no wheel knows."""
    import re

    pattern = re.compile(re.escape(FOLDER) + "-[0-9a-f]{16}")
    return sorted(name for name in listed(prefix) if pattern.fullmatch(name))


def digest(data: "bytes | None") -> str:
    """Return the sha256 of bytes, "" of None."""
    import hashlib

    return "" if data is None else hashlib.sha256(data).hexdigest()


def read_record(prefix: str) -> "dict[str, Any] | None":
    """Return what ``--protect`` recorded, None if there is no record; raises `Broken`.

    Its texts are the paths ``package``, ``home``, ``base`` and the folder's name ``start``, the
    version ``safesite`` and the sha256 ``config``; ``launchers`` has the sha256 by name.
    """
    import json

    path = os.path.join(prefix, RECORD)
    if not os.path.lexists(path):
        return None
    try:
        record = json.loads(read(path) or b"")
        texts = [record[key] for key in ("safesite", "package", "home", "base", "start", "config")]
        texts += [*record["launchers"], *record["launchers"].values()]
        fine = record["format"] == 1 and all(isinstance(text, str) for text in texts)
        fine = fine and all(os.path.basename(name) == name for name in record["launchers"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fine = False
    if not fine:
        raise Broken
    return record  # type: ignore[no-any-return]


def changed(prefix: str, record: "dict[str, Any]") -> "list[str]":
    """Return the names whose files are not the launchers that were recorded; a missing one is."""
    folder = os.path.join(prefix, "bin")
    return [
        name
        for name, recorded in sorted(record["launchers"].items())
        if os.path.islink(os.path.join(folder, name))
        or digest(read(os.path.join(folder, name))) != recorded
    ]
