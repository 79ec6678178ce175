"""Take the guard's descriptors away, or have others in their place that say yes to all."""

import marshal
import os
import socket
import sys
import threading
import time

import aim

MOST = 128
SECONDS = 0.3 if "SAFESITE_GUARD" in os.environ else 0  # for what takes some tries
YES = (b"yes\n", b"y\n", b"y", b"1\n", b"allow\n", b"true\n", b'{"answer": true}\n', b"\1")


def closed():
    os.closerange(3, MOST)


def null():
    place = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3, MOST):
        if descriptor != place:
            os.dup2(place, descriptor)


def answering():
    """Have each lead to one who answers yes in every way."""
    ours, theirs = socket.socketpair()
    number = theirs.fileno()
    other = os.dup2(ours.fileno(), MOST + 1)
    for descriptor in range(3, MOST):
        if descriptor != number:
            os.dup2(number, descriptor)

    def answer():
        while os.read(other, 10_000):
            for yes in YES:
                os.write(other, yes)

    for yes in YES:
        os.write(other, yes)
    threading.Thread(target=answer, daemon=True).start()


def filled():
    """Say yes in advance to whatever is open."""
    for descriptor in range(3, MOST):
        for yes in YES:
            try:
                os.set_blocking(descriptor, False)
                os.write(descriptor, yes)
            except OSError:
                pass


def files():
    """Have each be a file that is full of yes."""
    path = aim.put("answers", "".join(yes.decode() for yes in YES) * 100)
    place = os.open(path, os.O_RDWR)
    for descriptor in range(3, MOST):
        if descriptor != place:
            os.dup2(place, descriptor)


def tried(prepare):
    """Read again and again, and do something with the guard's connection from another thread."""
    sys.setswitchinterval(0.000001)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        meanwhile = prepare()
        number = os.open(os.devnull, os.O_RDONLY)
        os.close(number)  # the lowest that is free
        stop = threading.Event()
        thread = threading.Thread(target=meanwhile, args=(number, stop))
        thread.start()
        try:
            aim.read()
            return
        except OSError:
            pass
        finally:
            stop.set()
            thread.join()
    sys.setswitchinterval(0.005)


def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def swapped():
    """Have another socket stand in its place, in which the answer is."""
    ours, theirs = socket.socketpair()
    ours.sendall(b"yes")
    ours.shutdown(socket.SHUT_WR)

    def swap(number, stop):
        while not stop.is_set():
            if is_open(number):
                os.dup2(theirs.fileno(), number)
                break
        ours.close()
        theirs.close()

    return swap


def borrowed():
    """Ask by it, as what starts in a build does."""
    return ask


def ask(number, stop):
    build = int(os.environ["SAFESITE_GUARD_RUN"].rpartition("/")[2])
    lines = (f'["join", {build}]\n', f'["", "join", {build}]\n')
    while not stop.is_set():
        try:
            mine = os.dup(number)
        except OSError:
            continue
        try:
            os.write(mine, lines[int(time.monotonic() * 1000) % 2].encode())
            told = os.read(mine, 100_000)
            if told and isinstance(marshal.loads(told), dict):
                aim.reached()
        except (OSError, ValueError, EOFError, TypeError):
            pass
        finally:
            os.close(mine)


WAYS = {
    "closed": closed,
    "null": null,
    "answering": answering,
    "filled": filled,
    "files": files,
    "swapped": lambda: tried(swapped),
    "borrowed": lambda: tried(borrowed),
}
WAYS[aim.VARIANT]()
aim.steal_and_tell()
