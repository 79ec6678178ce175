"""``--install-stdlib`` and ``--uninstall-stdlib``: a copy of safesite beside the standard library.

``python -S -m safesite`` finds it there from any folder, and in every virtual environment of that
interpreter.  What was written stands in the copy's record: the version, then sha256 and name of
each file.  Only a copy that has a record is replaced or removed.

A file that was changed since is no longer what was written here, and neither is a file that was
added: nothing is replaced while there are such, and what is removed is everything else.  Then the
added ones are named; so are the changed ones, with exit code 2, and the record stays with them.

Runs for its two options alone, and may use the whole standard library.
"""

import errno
import hashlib
import os
import py_compile
import re
import shutil
import signal
import stat
import sys
import sysconfig
import tempfile

from safesite import __version__
from safesite.keep import place, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = os.path.dirname(os.path.realpath(__file__))
RECORD = "RECORD.stdlib"
NAME = r"(?!.*\.\.)[\w.~#-]+(?:/[\w.~#-]+)*"  # printable, and below the folder
PLAIN_NAME = re.compile(NAME, re.ASCII)
RECORD_TEXT = re.compile(rf"safesite ([\w.+-]+)\n((?:[0-9a-f]{{64}}  {NAME}\n)+)", re.ASCII)

WORK = ".safesite-"  # begins the name of the folder that a copy is made in

PACKAGER = "install your distributor's package of safesite or its patch (patches/README.md)"
OWNER = f"; do this as the folder's owner, or {PACKAGER}"
ADVICE = {
    errno.EACCES: OWNER,
    errno.EPERM: OWNER,
    errno.EROFS: OWNER,
    errno.EXDEV: "; run --uninstall-stdlib first",  # overlayfs moves no folder of a layer below
}


class Refused(Exception):
    """Why nothing was done, as a sentence."""


class Copy:
    """What lies in a folder that has a record: the names of its files, with ``/``, sorted out.

    Raises `Refused` for a folder without one.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.record = read_record(folder)
        text = RECORD_TEXT.fullmatch(self.record)
        if not text:
            raise Refused(f"{place(folder)}: not from --install-stdlib, so it stays (foreign)")
        self.version = text[1]
        hashes = {line[66:]: line[:64] for line in text[2].splitlines()}
        names = [name for name in file_names(folder) if name != RECORD]
        self.missing = hashes.keys() - set(names)
        self.changed = [n for n in names if n in hashes and self.digest(n) != hashes[n]]
        self.added = [n for n in names if n not in hashes and not is_bytecode(n, hashes)]
        self.own = [n for n in names if n not in self.changed and n not in self.added]

    def digest(self, name: str) -> "str | None":
        """Return the sha256 of a file, None if it is no regular one."""
        path = os.path.join(self.folder, name)
        return sha256(read(path)) if stat.S_ISREG(os.lstat(path).st_mode) else None

    def name_others(self) -> None:
        """Print a line for each file that is not, or not any more, what was written."""
        reasons = dict.fromkeys(self.changed, "changed since it was installed (changed)")
        reasons |= dict.fromkeys(self.added, "not from --install-stdlib (foreign)")
        for name, reason in reasons.items():
            say(f"safesite: {place(os.path.join(self.folder, name))}: left as it is: {reason}")

    def remove(self) -> None:
        """Remove the own files and the folders that are then empty; the record last."""
        folders = {os.path.dirname(os.path.join(self.folder, name)) for name in self.own}
        for name in self.own:
            os.unlink(os.path.join(self.folder, name))
        if not self.changed:
            os.unlink(os.path.join(self.folder, RECORD))
        for folder in sorted({*folders, self.folder}, key=len, reverse=True):
            if not os.listdir(folder):
                os.rmdir(folder)


def install() -> int:
    """Put a copy of this package beside the standard library; return the exit code.

    Changes nothing if it is there.  Replaces one of another version as a whole.
    """
    return guarded(put)


def uninstall() -> int:
    """Remove what `install` wrote, and nothing else; return the exit code, 2 if some of it stays.

    Works also from the copy itself.
    """
    return guarded(take_away)


def guarded(action: "Callable[[str], int]") -> int:
    """Call an action with the copy's place; what stands in its way becomes one line and 2."""
    try:
        return action(os.path.join(standard_library(), "safesite"))
    except Refused as exc:
        message = str(exc)
    except OSError as exc:
        where = exc.filename if isinstance(exc.filename, str) else PACKAGE
        if not os.path.lexists(where):
            where = where.partition(os.sep + WORK)[0]
        advice = ADVICE.get(exc.errno or 0, "")
        message = f"{place(where)}: {exc.strerror or ascii(str(exc))}{advice} (os-error)"
    say(f"safesite: {message}")
    return 2


def put(target: str) -> int:
    if is_real_folder(target) and os.path.samefile(target, PACKAGE):
        tell(f"{place(target)}: there already, and this is it")
        return 0
    files = package_files()
    record = record_of(files)
    old = Copy(target) if os.path.lexists(target) else None
    if old and old.record == record and not old.missing and not old.changed:
        tell(f"{place(target)}: there already, version {__version__}")
        return 0
    if old and (old.changed or old.added):
        old.name_others()
        raise Refused(f"{place(target)}: not replaced; move what is named above away (foreign)")
    marker = os.path.join(os.path.dirname(target), "EXTERNALLY-MANAGED")  # PEP 668
    if os.path.lexists(marker):
        raise Refused(
            f"{place(marker)}: this Python is its packager's to change; {PACKAGER} (managed)"
        )
    replace(target, {**files, RECORD: record.encode("ascii")}, old is not None)
    kinds = f"{len(files)} files, their bytecode, and the record {RECORD}"
    tell(f"{place(target)}: wrote version {__version__}: {kinds}")
    if old:
        tell(f"{place(target)}: version {old.version} was there, and is removed")
    return 0


def take_away(target: str) -> int:
    if not os.path.lexists(target):
        tell(f"{place(target)}: not there, so nothing to remove")
        return 0
    old = Copy(target)
    old.name_others()
    old.remove()
    rest = ", but for what is named above" if old.changed or old.added else ""
    tell(f"{place(target)}: removed{rest}, version {old.version}, {len(old.own)} files")
    return 2 if old.changed else 0


def tell(message: str) -> None:
    """Print what was done."""
    if sys.stdout is not None:
        sys.stdout.write(f"safesite: {message}\n")


def standard_library() -> str:
    """Return the folder of the standard library that this interpreter runs on."""
    folder = os.path.abspath(sysconfig.get_path("stdlib"))
    if os.path.realpath(folder) not in map(os.path.realpath, sys.path):  # in its build folder
        raise Refused(f"{place(folder)}: not where this Python has its standard library (stdlib)")
    return folder


def is_real_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_names(folder: str, below: str = "") -> "Iterator[str]":
    """Yield the name of each file below a folder, in order; a symbolic link counts as a file."""
    for name in sorted(os.listdir(os.path.join(folder, below))):
        if is_real_folder(os.path.join(folder, below, name)):
            yield from file_names(folder, f"{below}{name}/")
        else:
            yield below + name


def is_bytecode(name: str, sources: "dict[str, str]") -> bool:
    """Return whether this version of Python keeps bytecode of one of the sources in a file."""
    folder, cache, file = name.rpartition("__pycache__/")
    stem, tag, _ = file.partition(f".{sys.implementation.cache_tag}.")
    return bool(cache and tag) and f"{folder}{stem}.py" in sources


def package_files() -> "dict[str, bytes]":
    """Return name and content of each file of this package; bytecode is made anew."""
    files = {}
    for name in file_names(PACKAGE):
        if "__pycache__/" in name or name == RECORD:
            continue
        path = os.path.join(PACKAGE, name)
        # The launchers' names are links to one file of this package.
        is_own = os.path.realpath(path).startswith(os.path.join(PACKAGE, ""))
        if not (PLAIN_NAME.fullmatch(name) and is_own and stat.S_ISREG(os.stat(path).st_mode)):
            raise Refused(f"{place(path)}: no plain file, so nothing is copied (foreign)")
        files[name] = read(path)
    return files


def record_of(files: "dict[str, bytes]") -> str:
    """Return the text of the record of files."""
    lines = [f"{sha256(data)}  {name}\n" for name, data in files.items()]
    return "".join([f"safesite {__version__}\n", *lines])


def read_record(folder: str) -> str:
    """Return the text of a folder's record, "" if it has none or is no folder itself."""
    path = os.path.join(folder, RECORD)
    if not (is_real_folder(folder) and os.path.isfile(path)):
        return ""
    return read(path).decode("ascii", "replace")


def replace(target: str, files: "dict[str, bytes]", is_there: bool) -> None:
    """Write a folder of files in the place of the one that is there; all of it, or nothing.

    Everybody may read it, whatever the umask.
    """
    umask = os.umask(0o022)
    work = tempfile.mkdtemp(prefix=WORK, dir=os.path.dirname(target))
    new, old = os.path.join(work, "new"), os.path.join(work, "old")
    try:
        write(new, files, target)
        if is_there:
            os.rename(target, old)
        os.rename(new, target)
    finally:
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption ends here
        if os.path.lexists(old) and not os.path.lexists(target):
            os.rename(old, target)
        shutil.rmtree(work, ignore_errors=True)
        os.umask(umask)
        signal.signal(signal.SIGINT, handler)


def write(folder: str, files: "dict[str, bytes]", target: str) -> None:
    """Write and compile files that will be in the folder ``target``."""
    for name, data in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)
        if data.startswith(b"#!"):
            os.chmod(path, 0o755)  # noqa: S103 - as pip does
        stem, suffix = os.path.splitext(os.path.basename(path))
        if suffix == ".py":
            cached = f"{stem}.{sys.implementation.cache_tag}.pyc"
            py_compile.compile(
                path,
                os.path.join(os.path.dirname(path), "__pycache__", cached),
                os.path.join(target, name),
                quiet=2,  # a file that does not compile is copied all the same
                optimize=0,
                invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP,
            )
