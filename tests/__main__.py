"""Run the tests: ``python3 tests [options of pytest]``.

Makes an environment of its own in the checkout's ``.venv`` (pytest and what else pyproject.toml
names for tests), and runs pytest in it.  Needs Python 3.10 or newer, its ``venv`` and ``pip``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENT = CHECKOUT / ".venv"


def tool(name: str) -> str:
    """Return a program of the environment."""
    return str(ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin") / name)


def requirements(group: str) -> list[str]:
    """Return the requirements of a dependency group of pyproject.toml.

    Read here because ``pip install --group`` is newer than the pip of a fresh environment.
    """
    lines = (CHECKOUT / "pyproject.toml").read_text("utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"{group} = ["))
    text = lines[start].partition("[")[2].rpartition("]")[0]
    return [part.strip().strip('"') for part in text.split('", "')]


def provide(group: str) -> None:
    """Make the environment, and install a group into it unless exactly that was done before."""
    wanted = requirements(group)
    stamp = ENVIRONMENT / f"{group}.stamp"
    content = "\n".join([sys.version, *wanted])
    if stamp.is_file() and stamp.read_text("utf-8") == content:
        return
    subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    pip = [tool("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *wanted], check=True)
    stamp.write_text(content, "utf-8")


def main() -> int:
    """Provide pytest, run it with the given options, and return its exit code."""
    provide("test")
    options = sys.argv[1:] or ["-n", "auto"]
    # So that no worker has tests left while another has none.
    dist = ["--dist", "worksteal"] if any(option.startswith("-n") for option in options) else []
    command = [tool("python"), "-m", "pytest", *dist, *options]
    return subprocess.run(command, cwd=CHECKOUT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
