"""Learn or leave something by a call that no audit hook is told of."""

import os

import aim

PLACE = os.path.join(aim.HOME, aim.TOKEN)


def made(make):
    make()
    if not os.path.lexists(PLACE):
        raise RuntimeError("it was not made")


def seen(found):
    if found:
        aim.reached()


WAYS = {
    "os.stat": lambda: seen(os.stat(aim.SECRET).st_size),
    "os.access": lambda: seen(os.access(aim.SECRET, os.R_OK)),
    "os.path.exists": lambda: seen(os.path.exists(aim.SECRET)),
    "os.readlink": lambda: seen(os.readlink(f"/proc/{aim.PROCESS}/exe")),
    "os.mkfifo": lambda: made(lambda: os.mkfifo(PLACE)),
    "os.mknod": lambda: made(lambda: os.mknod(PLACE)),
    "os.environ": lambda: seen(dict(os.environ)),
}
WAYS[aim.VARIANT]()
