"""What the README shows is what the program prints."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from environments import PACKAGE, TIMEOUT
from interpreters import Interpreter

import safesite
from safesite import core

README = (PACKAGE.parent / "README.md").read_text("utf-8")


def transcript() -> list[tuple[str, str]]:
    """Return each command of the README's transcript with the output it shows."""
    (block,) = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def test_the_transcript(interpreter: Interpreter, tmp_path: Path) -> None:
    (tmp_path / "safesite").symlink_to(PACKAGE)
    commands = transcript()
    assert len(commands) == 6
    for command, shown in commands:
        # The environment is made without pip, which is not what is shown here.
        command_here = command.replace(
            "python3 -m venv", f"{interpreter.path} -m venv --without-pip"
        )
        done = subprocess.run(
            ["/bin/bash", "-c", command_here],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=True,
        )
        output = re.sub(r"/\S*/site-packages/", ".../site-packages/", done.stdout)
        assert output == shown, command


def test_the_table_of_modes_has_every_mode() -> None:
    rows = re.findall(r"^\| `(\w+)`[^|]*\| (?:runs|refused|startup files)", README, re.MULTILINE)
    assert sorted(rows) == sorted(core.MODES)
    assert f"`{safesite.DEFAULT_MODE}` (default)" in README


def test_the_cap_is_the_one_named() -> None:
    assert f"larger than {core.SIZE_CAP >> 20} MiB" in README
