"""Policies for tests: a folder where one counts, and the digests of its entries.

The digests are computed here by another implementation than that of ``safesite.pins``: what a
policy holds is a file format, and this is what the format says.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import string
import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

import interpreters
import pytest

PLAIN = "".join(set(string.punctuation) - set("#%"))  # what is not percent-encoded, like letters


@contextlib.contextmanager
def trusted_folder() -> Iterator[Path]:
    """Make an empty folder in which a policy counts, and remove it with all that is in it then.

    A policy counts where root or the user owns every folder above it and nobody else can write
    any.  In pytest's ``tmp_path`` none does, as all users can write to ``/tmp``; so this folder is
    made where the tests keep what is slow to make.  An environment whose own files are to be
    trusted (a user's policy below its home, say) goes into this folder as a whole.
    """
    base = interpreters.cache_folder() / "policies"
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    base = base.resolve()
    for folder in (base, *base.parents):
        status = folder.stat()
        if status.st_uid not in {0, os.geteuid()} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            pytest.fail(f"others can write {folder}: set SAFESITE_CACHE to a folder of your own")
    folder = Path(tempfile.mkdtemp(dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def write(path: Path, lines: Iterable[str] | bytes, mode: int = 0o600) -> Path:
    """Write a policy, its lines or byte for byte, with a mode; missing folders are made 0700."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700)
    if not isinstance(lines, bytes):
        lines = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(lines)
    path.chmod(mode)
    return path


def allow(name: str, line: str, **modules: Path | str) -> str:
    """Return the entry that allows a line of a file, with the paths of the modules it names.

    ``library`` for those of the standard library; ``a__b`` names the module ``a.b``.
    """
    pins = [f"line={line_digest(line)}"]
    for module, path in modules.items():
        digest = module_digest(path) if isinstance(path, Path) else path
        pins.append(f"{module.replace('__', '.')}={digest}")
    return " ".join(("allow" if modules else "allow-line", encoded(name), *pins))


def encoded(name: str) -> str:
    """Return a name as it stands in a policy: all but printable ASCII percent-encoded."""
    return urllib.parse.quote(os.fsencode(name), safe=PLAIN)


def line_digest(line: str) -> str:
    """Return the digest of a line's text."""
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()


def module_digest(path: Path) -> str:
    """Return the digest of a module's file, or of all files below a package's folder.

    It is that of the sorted lines that ``sha256sum`` prints, without bytecode of the cache.
    """
    if path.is_dir():
        found = [file for file in path.rglob("*") if not file.is_dir()]
        found = [f for f in found if f.suffix != ".pyc" or f.parent.name != "__pycache__"]
        names = {file: file.relative_to(path).as_posix() for file in found}
    else:
        names = {path: path.name}
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {encoded(name)}\n"
        for file, name in names.items()
    ]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
