"""Have posix_spawn open a file for the child, of which an audit hook is not told."""

import os
import sys

import aim

SAY = [sys.executable, "-c", "import sys; print(sys.stdin.read())"]
WRITE = [sys.executable, "-c", f"print({aim.TOKEN!r})"]


def spawned(words, *opened):
    spawn = os.posix_spawnp if aim.VARIANT.endswith("p") else os.posix_spawn
    actions = [(os.POSIX_SPAWN_OPEN, *action) for action in opened]
    os.waitpid(spawn(words[0], words, os.environ, file_actions=actions), 0)


result = os.path.join(aim.WORK, "result")
written = (1, result, os.O_WRONLY | os.O_CREAT, 0o600)
if aim.VARIANT.startswith("read"):
    spawned(SAY, (0, aim.SECRET, os.O_RDONLY, 0), written)
    aim.read(result)
else:
    spawned(
        WRITE,
        (1, os.path.join(aim.HOME, ".profile"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600),
    )
