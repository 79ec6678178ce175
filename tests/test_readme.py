"""What the README shows is what the program prints."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import policies
import pytest
import terminal
from environments import PACKAGE, TIMEOUT
from installers import PIP, Builder
from interpreters import Interpreter

import safesite
from safesite import core

README = (PACKAGE.parent / "README.md").read_text("utf-8")


def transcripts() -> list[tuple[str, str]]:
    """Return each command of the README's transcripts with the output it shows."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    parts = re.split(r"^\$ (.*)\n", "".join(blocks), flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def shows(shown: str, output: str) -> bool:
    """Return whether an output is what is shown; a line of dots stands for any lines."""
    lines = shown.splitlines(keepends=True)
    pattern = "".join("(?:.*\n)*" if line == "...\n" else re.escape(line) for line in lines)
    return re.fullmatch(pattern, output) is not None


def run_here(command: str, folder: Path, interpreter: Interpreter) -> str:
    """Return what a command prints, with the paths shortened as in the README."""
    # The environment is made without pip, which is not what is shown here.
    made = command.replace("python3 -m venv", f"{interpreter.path} -m venv --without-pip")
    done = subprocess.run(
        ["/bin/bash", "-c", made],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check="--explain" not in command,  # which ends with 1 where something is refused
    )
    output = re.sub(r"/\S*/site-packages/", ".../site-packages/", done.stdout)
    return output.replace(f"{folder}/", ".../")


@pytest.mark.spread
def test_the_transcripts(interpreter: Interpreter) -> None:
    commands = transcripts()
    assert len(commands) == 11
    with policies.trusted_folder() as folder:  # in which permission can be given
        (folder / "safesite").symlink_to(PACKAGE)
        for command, shown in commands:
            if "--explain" in command:  # it is shown before the permission
                (folder / ".config" / "safesite" / "policy").unlink()
            output = run_here(command, folder, interpreter)
            assert shows(shown, output), f"{command}:\n{output}"


@pytest.mark.rotated
def test_the_transcript_at_a_terminal(
    interpreter: Interpreter, builder: Builder, tmp_path: Path
) -> None:
    block = re.search(r"```terminal\n\$ cat (\S+)\n(.*?)\$ (.*?)\n(.*?)```", README, re.DOTALL)
    assert block is not None
    path, source, command, shown = block.groups()
    script = tmp_path / path
    script.parent.mkdir()
    script.write_text(source)
    (script.parent / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (tmp_path / "safesite").symlink_to(PACKAGE)
    made = (interpreter.path, "-m", "venv", "--without-pip", "venv")
    subprocess.run(made, cwd=tmp_path, check=True)
    uv = (builder.uv, "pip", "install", "--quiet", "--python", tmp_path / "venv/bin/python")
    builder.run("pip", *uv, PIP)
    answers = re.findall(r"\[N\]o (\w*)$", shown, re.MULTILINE)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    words = [str(tmp_path / command.split()[0]), *command.split()[1:]]
    session = terminal.talk(words, env, tmp_path, answers, prompt="[N]o ")
    assert session.code == 1
    # A question has a line of its own, whatever stood there before.
    printed = "".join(line.rstrip() + "\n" for line in session.shown.split("\n") if line.strip())
    assert shows(shown, printed), printed


def test_the_table_of_modes_has_every_mode() -> None:
    rows = re.findall(r"^\| `(\w+)`[^|]*\| (?:runs|refused|startup files)", README, re.MULTILINE)
    assert sorted(rows) == sorted(core.MODES)
    assert f"`{safesite.DEFAULT_MODE}` (default)" in README


def test_the_cap_is_the_one_named() -> None:
    assert f"larger than {core.SIZE_CAP >> 20} MiB" in README
