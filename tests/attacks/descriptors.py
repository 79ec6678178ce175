"""Take the guard's descriptors away, or have others in their place that say yes to all."""

import os
import socket
import threading

import aim

MOST = 128
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


WAYS = {
    "closed": closed,
    "null": null,
    "answering": answering,
    "filled": filled,
    "files": files,
}
WAYS[aim.VARIANT]()
aim.steal_and_tell()
