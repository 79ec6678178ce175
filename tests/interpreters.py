"""Find the interpreters that the tests run: CPython 3.10 to 3.15, each by its own executable.

Looked at in this order: SAFESITE_PYTHONS (paths, separated like PATH), the cache that
``tests/sid.sh`` fills (3.14 and 3.15), pyenv's versions, PATH.  The first of each version counts.
A missing one is a skip on a user's machine and a failure under CI=true: a green run there means
that all six were run.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")


# What the tests need to know of an interpreter, told by itself before anything is changed.
FACTS = """
import os, site, sys, sysconfig
print(sys.implementation.name, "%d.%d" % sys.version_info[:2])
print(sys.version_info >= (3, 15) or "UF_HIDDEN" in site.addpackage.__code__.co_names)
print(os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "sitecustomize.py")))
"""


@dataclass(frozen=True)
class Interpreter:
    """A base interpreter: its version as ``3.13``, its executable, and what it does by itself.

    ``skips_dot_files``: whether its site skips hidden startup files (gh-113659), which came in a
    micro release.  ``has_sitecustomize``: whether one lies in its standard library's folder, as
    Debian's does, before every site directory.
    """

    version: str
    path: Path
    skips_dot_files: bool = True
    has_sitecustomize: bool = False

    @property
    def number(self) -> tuple[int, int]:
        """The version as numbers, for comparisons."""
        major, minor = self.version.split(".")
        return int(major), int(minor)

    @functools.cached_property
    def library(self) -> Path:
        """The folder of its standard library."""
        told = self.run("-I", "-S", "-c", "import os; print(os.__file__)")
        return Path(told.strip()).parent

    def run(self, *args: str) -> str:
        """Return what the interpreter prints; raises CalledProcessError if it fails."""
        command = [str(self.path), *args]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def cache_folder() -> Path:
    """Return the folder, outside the checkout, that keeps what is slow to make."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SAFESITE_CACHE") or Path(base) / "safesite")


def candidates(version: str) -> list[Path]:
    """Return the executables that may be CPython of this version, the preferred one first."""
    named = os.environ.get("SAFESITE_PYTHONS", "").split(os.pathsep)
    found = [Path(path) for path in named if path.endswith(version)]
    found.append(cache_folder() / "sid" / "usr" / "bin" / f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found += sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True)
    on_path = shutil.which(f"python{version}")
    return found + ([Path(on_path)] if on_path else [])


@functools.cache
def find(version: str) -> Interpreter | None:
    """Return the interpreter of a version, None if this machine has none that runs."""
    found = (ask(version, path) for path in candidates(version))
    return next((interpreter for interpreter in found if interpreter), None)


def ask(version: str, path: Path) -> Interpreter | None:
    """Return the interpreter at a path, None unless it runs and is CPython of the version."""
    try:
        told = Interpreter(version, path).run("-I", "-S", "-c", FACTS).splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    if told[0] != f"cpython {version}":
        return None
    return Interpreter(version, path, told[1] == "True", told[2] == "True")
