"""The interpreters that are measured, and how the benchmark runs a program of its preparations."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

FACTS = """
import json, os, sys
version = "%d.%d" % sys.version_info[:2]
folder = "python" + version + ("t" if "t" in getattr(sys, "abiflags", "") else "")
base = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
release = sys.version.split()[0]
print(json.dumps([sys.implementation.name, release, sys.version, folder, base]))
"""
ANSWER_TIME = 60  # seconds that an interpreter has to tell of itself


class CannotMeasure(Exception):
    """What was asked for cannot be measured; says why, in one sentence."""


@dataclass(frozen=True)
class Interpreter:
    """A base interpreter, by what it tells of itself."""

    implementation: str
    release: str
    """As ``3.13.0``."""
    build: str
    """``sys.version``, which tells two builds of a release apart."""
    library: str
    """The folder below ``lib``: ``python3.13``."""
    path: Path

    @property
    def title(self) -> str:
        """What a report calls it."""
        name = {"cpython": "CPython"}.get(self.implementation, self.implementation)
        return f"{name} {self.release}"


def find_interpreter(command: str) -> Interpreter:
    """Return the interpreter that a command or path starts, or the base of its environment."""
    path = shutil.which(command)
    if path is None:
        raise CannotMeasure(f"there is no program {command!r}")
    asked = [os.path.abspath(path), "-I", "-S", "-c", FACTS]  # noqa: PTH100 - keeps the link
    try:
        told = run_quietly(asked, timeout=ANSWER_TIME)
        implementation, release, build, library, base = json.loads(told)
    except (CannotMeasure, subprocess.TimeoutExpired, ValueError) as exc:
        raise CannotMeasure(f"{command!r} does not answer as a Python interpreter") from exc
    return Interpreter(implementation, release, build, library, Path(base))


def run_quietly(command: list[str], timeout: float | None = None) -> str:
    """Run a program of the preparations and return what it prints."""
    # Variables of Python would change what is prepared, those of pip must reach it.
    variables = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise CannotMeasure(f"{' '.join(command[:6])} ... failed: {reason}")
    return done.stdout
