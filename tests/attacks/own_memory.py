"""Write into this process's memory, past all rules of Python."""

import os

import aim

TEXT = b"not yet changed "[:15] + bytes([os.getpid() % 256])
PLACE = id(TEXT) + bytes.__basicsize__ - 1


def changed(path):
    with open(path, "r+b", buffering=0) as memory:
        memory.seek(PLACE)
        memory.write(b"well")


def by_descriptor():
    os.pwrite(os.open("/proc/self/mem", os.O_RDWR), b"well", PLACE)


def from_folder():
    os.chdir("/proc/self")
    changed("mem")


WAYS = {
    "self": lambda: changed("/proc/self/mem"),
    "pid": lambda: changed(f"/proc/{os.getpid()}/mem"),
    "task": lambda: changed(f"/proc/self/task/{os.getpid()}/mem"),
    "thread-self": lambda: changed("/proc/thread-self/mem"),
    "os.open": by_descriptor,
    "folder": from_folder,
}
WAYS[aim.VARIANT]()
if TEXT.startswith(b"well"):
    aim.reached()
