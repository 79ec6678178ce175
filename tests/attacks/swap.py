"""Swap what a name leads to, so that it is one thing when it is looked at, another when used."""

import os
import signal
import subprocess
import time

import aim

aim.put("harmless/name", "harmless")
PATIENCE = 10  # seconds


def link():
    """Have a build tool make a link out of the build, which the build itself may not."""
    os.mkdir("harmful")
    cmake = aim.need_program("cmake")
    subprocess.run([cmake, "-E", "create_symlink", aim.SECRET, "harmful/name"], check=True)


def swap():
    """Have one folder with a file and one with the link take the name in turns, until killed."""
    while True:
        for name in ("harmless", "harmful"):
            os.rename(name, "folder")
            os.rename("folder", name)


def main():
    link()
    child = os.fork()
    if not child:
        swap()
    end = time.monotonic() + PATIENCE
    refused = None
    try:
        while time.monotonic() < end:
            try:
                text = os.read(os.open("folder/name", os.O_RDONLY), 10_000)
            except FileNotFoundError:  # it has neither just now
                continue
            except OSError as error:
                refused = error
                continue
            if text != b"harmless":
                aim.take(text)
                return
        print(f"{type(refused).__name__}: {refused}")
    finally:
        os.kill(child, signal.SIGKILL)


main()
