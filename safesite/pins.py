"""What an ``allow`` of the policy is bound to: the line, and the modules that it names.

A module's digest is the sha256 of the list that ``sha256sum`` would print of its files, sorted: of
one file, or of every file below a package's folder.  ``library`` stands for the standard library's
modules, which change with each release of Python and which no package may write.

Loaded by ``entries`` when an entry is about a line, and by the commands; imports only what stock
``site`` has loaded, and the extension that hashes.
"""

import _frozen_importlib
import _frozen_importlib_external as _external
import _imp
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Unit = tuple[str, str]

    from safesite.core import Record

if TYPE_CHECKING or __name__ == "safesite.pins":
    from safesite import core, entries
else:
    import _safesite as core
    import _safesite_entries as entries

FILE_CAP = 20_000  # files of one package
DEPTH_CAP = 64
BYTE_CAP = 512 << 20
CHUNK = 1 << 20
LOADERS = (
    _external.SourceFileLoader,
    _external.SourcelessFileLoader,
    _external.ExtensionFileLoader,
)
READ = os.O_RDONLY
for flag in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    READ |= getattr(os, flag, 0)


class Unpinnable(Exception):
    """A module that no digest can stand for: the message says why."""


# Verifying.


def verify(line: "Record", pins: "list[str]", known: "dict[str, str] | None" = None) -> str:
    """Return why an entry with these pins does not allow a line any more, "" if it does.

    ``known``: digests that have been computed for this line.
    """
    digests = {} if known is None else known
    if line.kind == core.CUSTOMIZE and not any(pin.startswith(f"{line}=") for pin in pins):
        return f"an entry that is not bound to {line}"
    try:
        for pin in pins:
            name, _, digest = pin.partition("=")
            if name not in digests:
                digests[name] = line_digest(line) if name == "line" else module_digest(name, line)
            if digest != digests[name]:
                changed = f"{name} has changed since it was allowed"
                return "not the line that was allowed" if name == "line" else changed
    except Unpinnable as exc:
        return str(exc)
    except (OSError, ValueError, ImportError, RecursionError) as exc:
        return f"{type(exc).__name__}: {exc}"
    return ""


def line_digest(line: str) -> str:
    """Return the sha256 of a line, without the white space around it, which 3.15 takes off."""
    return str(sha256(str(line).strip().encode("utf-8", "surrogatepass")).hexdigest())


def sha256(data: bytes = b"") -> "Any":
    """Return a hash object from the interpreter's own extension; raises ImportError.

    ``hashlib`` would load OpenSSL, and the path may have a folder before the standard library.
    """
    name = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
    return load_from_library(name).sha256(data)


def load_from_library(name: str) -> "Any":
    """Return an extension of the standard library, whatever is on sys.path; raises ImportError."""
    if name in sys.builtin_module_names or name in sys.modules:
        __import__(name)
        return sys.modules[name]
    for folder in library_folders():
        spec = _external.PathFinder.find_spec(name, [folder])
        if spec is not None and isinstance(spec.loader, _external.ExtensionFileLoader):
            return _frozen_importlib._load(spec)  # type: ignore[attr-defined]
    raise ImportError(f"this Python has no {name}", name=name)


def library_folders() -> "list[str]":
    """Return the folders of the standard library."""
    folder = os.path.dirname(os.__file__)
    version = "python{}.{}".format(*sys.version_info[:2])
    base = os.path.join(sys.base_exec_prefix, sys.platlibdir, version, "lib-dynload")
    return [
        folder,
        os.path.join(folder, "lib-dynload"),
        base,
        os.path.join(sys.base_prefix, "DLLs"),
    ]


# A module, without importing it.


def module_digest(name: str, line: "Record") -> str:
    """Return what stands for a module in an entry; raises Unpinnable, OSError, ValueError."""
    folder, unit = find(name)
    if is_library(name, folder):
        return "library"
    path = os.path.join(folder, unit)
    if line.kind == core.CUSTOMIZE and not line.file.startswith(path):
        raise Unpinnable(f"another {name} comes first")
    part = name.rpartition(".")[2]
    forms = [form for form in forms_of(part) if os.path.lexists(os.path.join(folder, form))]
    if forms != [unit]:
        raise Unpinnable(f"{name} is there in several forms")
    names = list(files_below(path)) if os.path.isdir(path) else [unit]
    return digest(path if os.path.isdir(path) else folder, names)


def find(name: str) -> "Unit":
    """Return the folder in which an import would find a module, and its file or folder in there.

    Both are empty for one that is built in.  A dotted name is that of a package or module directly
    below a namespace package: of any other, the first name stands for all.  Raises Unpinnable.
    """
    folder, unit, stands_for = locate(name)
    if stands_for != name:
        raise Unpinnable(f"{name} lies in a package that has code of its own")
    return folder, unit


def locate(name: str) -> "tuple[str, str, str]":
    """Return what `find` does, and the part of a dotted name that it is; raises Unpinnable."""
    path, parts = sys.path, name.split(".")
    if _imp.is_builtin(parts[0]) or _imp.is_frozen(parts[0]):
        return "", "", parts[0]
    for number, part in enumerate(parts, 1):
        spec = _external.PathFinder.find_spec(part, path)
        if spec is None:
            raise Unpinnable(f"{name} is not found")
        if spec.origin is not None:
            return (*unit_of(name, spec), ".".join(parts[:number]))
        path = list(spec.submodule_search_locations or [])
    raise Unpinnable(f"{name} is a namespace package")


def unit_of(name: str, spec: "Any") -> "Unit":
    """Return the folder and the file or folder of a module that has been found."""
    if not isinstance(spec.loader, LOADERS):
        raise Unpinnable(f"{name} does not lie in a folder")
    folder, unit = os.path.split(spec.origin)
    return (folder, unit) if spec.submodule_search_locations is None else os.path.split(folder)


def is_library(name: str, folder: str) -> bool:
    """Return whether a module is the standard library's: by its name, and by where it is."""
    if name.partition(".")[0] not in sys.stdlib_module_names:
        return False
    real = os.path.realpath(folder)
    return not folder or any(real == os.path.realpath(other) for other in library_folders())


def forms_of(part: str) -> "list[str]":
    """Return what a module can be called in a folder, in the order in which Python looks."""
    suffixes = [*_imp.extension_suffixes(), *_external.SOURCE_SUFFIXES, ".pyc"]
    return [part, *(part + suffix for suffix in suffixes)]


def files_below(folder: str, below: str = "") -> "Iterator[str]":
    """Yield the files below a package's folder, without the cached bytecode of a source.

    Raises Unpinnable for a link to a folder, which could be made to lead elsewhere.
    """
    if below.count("/") > DEPTH_CAP:
        raise Unpinnable(f"more than {DEPTH_CAP} folders deep")
    for name in os.listdir(os.path.join(folder, below)):
        relative = f"{below}{name}"
        path = os.path.join(folder, relative)
        if os.path.isdir(path):
            if os.path.islink(path):
                raise Unpinnable(f"{relative} is a link to a folder")
            yield from files_below(folder, f"{relative}/")
        elif not is_cached(folder, below, name):
            yield relative


def is_cached(folder: str, below: str, name: str) -> bool:
    """Return whether a file is named as the bytecode of a source is that lies beside its folder."""
    stem, dot, _ = name.removesuffix(".pyc").partition(".")
    source = os.path.join(folder, below, os.pardir, stem + ".py")
    named = below.endswith("__pycache__/") and name.endswith(".pyc") and dot
    return bool(named) and os.path.isfile(source)


def digest(folder: str, names: "list[str]") -> str:
    """Return the sha256 of the names and digests of files; raises Unpinnable, OSError."""
    if len(names) > FILE_CAP:
        raise Unpinnable(f"more than {FILE_CAP} files")
    lines, left = [], BYTE_CAP
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(".py"):
            check_bytecode(path)
        hashed, size = file_digest(path, left)
        left -= size
        lines.append(f"{hashed}  {entries.encode(name)}\n".encode())
    return str(sha256(b"".join(sorted(lines))).hexdigest())


def check_bytecode(path: str) -> None:
    """Raise Unpinnable where Python would load bytecode that only claims to be of this source.

    Bytecode that names the hash of its source (PEP 552) can be made by anybody who has the source.
    What names its time and size is believed, as Python believes it: who makes that knows when the
    source was installed, or runs code.
    """
    try:
        file = os.open(_external.cache_from_source(path), READ)
    except (OSError, NotImplementedError):
        return
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise Unpinnable(f"{os.path.basename(path)} has bytecode that is not a regular file")
        head = os.read(file, 8)
    finally:
        os.close(file)
    if head[:4] == _external.MAGIC_NUMBER and head[4:8] != b"\0\0\0\0":
        raise Unpinnable(f"{os.path.basename(path)} has bytecode that is not checked by its time")


def file_digest(path: str, cap: int) -> "tuple[str, int]":
    """Return the sha256 of a regular file, and its size; raises Unpinnable, OSError."""
    file = os.open(path, READ)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size > cap:
            raise Unpinnable(f"{os.path.basename(path)} is too large, or not a regular file")
        hashed, size = sha256(), 0
        while (data := os.read(file, CHUNK)) and size <= cap:
            hashed.update(data)
            size += len(data)
    finally:
        os.close(file)
    return hashed.hexdigest(), size
