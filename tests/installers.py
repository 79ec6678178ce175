"""Install from the registry: with the test runner's own pip, and with what that fetches.

What takes long is made once for all of pytest-xdist's workers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import interpreters
import pytest

PIP = "pip >=26,<27"  # an older pip may fail on a newer Python, as 23.2 does on 3.15
UV = "uv >=0.13,<1"
# What an installer sees: not the tests' own settings, which leave it the user's configuration.
UNSEEN = ("PYTHON", "SAFESITE", "VIRTUAL")
OUTSIDE = {name: text for name, text in os.environ.items() if not name.startswith(UNSEEN)}
TOOLS = (PIP, "cmake >=3.31,<5", "ninja >=1.11,<2")


def run_pip(purpose: str, *command: str | Path) -> None:
    """Run a pip; fail with what it says, for a package may not support a new Python."""
    words = [str(word) for word in command]
    done = subprocess.run(words, env=OUTSIDE, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"pip cannot {purpose}:\n{done.stderr}", pytrace=False)


def make_once(folder: Path, make: Callable[[], object]) -> None:
    """Call what makes a folder unless another of pytest-xdist's workers has, or is at it now."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder.with_suffix(".done")
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a worker has left that failed
            make()
            done.touch()


@dataclass(frozen=True)
class Builder:
    """What builds and installs: uv, pip, and for C projects cmake and ninja; the rest is here."""

    folder: Path

    @property
    def uv(self) -> Path:
        """The program uv."""
        return self.folder / "uv" / "bin" / "uv"

    @property
    def pip(self) -> Path:
        """A folder that any Python can run, and its ``--python`` too."""
        return self.folder / "lib" / "pip"

    @property
    def programs(self) -> Path:
        """The folder of what builds run, and rebuilds: both look it up on PATH."""
        return self.folder / "bin"

    def fetch(self) -> None:
        """Download uv, and with it the others: it keeps what it has unpacked once."""
        target = ("--target", self.folder / "uv", UV)
        run_pip("install uv", sys.executable, "-m", "pip", "install", "--quiet", *target)
        self.run("the tools", self.uv, "pip", "install", "--target", self.folder / "lib", *TOOLS)
        self.programs.mkdir()
        for name in ("cmake", "ninja"):
            found = (path for path in self.folder.rglob(f"bin/{name}") if is_binary(path))
            (self.programs / name).symlink_to(next(found))

    def variables(self) -> dict[str, str]:
        """Return the variables of what it starts."""
        passed = dict(OUTSIDE)
        passed["UV_CACHE_DIR"] = str(interpreters.cache_folder() / "uv")
        passed["PATH"] = f"{self.programs}:{passed['PATH']}"
        return passed

    def run(self, what: str, *command: str | Path, **more: str) -> None:
        """Run an installer with these variables, and more."""
        words = (f"{name}={value}" for name, value in (self.variables() | more).items())
        run_pip(f"install {what}", "env", "-i", *words, *command)


def is_binary(path: Path) -> bool:
    """Tell a program from the script of the same name that only starts it."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
