"""Run a program in a pseudo-terminal and type into it."""

from __future__ import annotations

import os
import pty
import re
import select
import time
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60.0  # seconds until a session that says nothing is given up


@dataclass(frozen=True)
class Session:
    """What a terminal showed, and how the program ended."""

    shown: str
    code: int


def talk(
    command: list[str], env: dict[str, str], cwd: Path, lines: list[str], prompt: str = ">>> "
) -> Session:
    """Start a command, and type each line when it has shown the prompt once more."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execve(command[0], command, env)
    shown = b""
    deadline = time.monotonic() + PATIENCE
    waiting = list(lines)
    typed = 0
    while time.monotonic() < deadline:
        if waiting and shown.count(prompt.encode()) > typed:
            os.write(terminal, waiting.pop(0).encode() + b"\r")
            typed = shown.count(prompt.encode())
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # what Linux says when the other side is closed
            break
        if not data:
            break
        shown += data
    else:
        os.kill(pid, 9)
    status = os.waitpid(pid, 0)[1]
    os.close(terminal)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r", "", shown.decode("utf-8", "replace"))
    return Session(plain, os.waitstatus_to_exitcode(status))
