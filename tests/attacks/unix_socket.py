"""Connect to a socket in the file system: a key agent, a container's engine."""

import os
import socket

import aim


def connect(address):
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    client.sendall(aim.TOKEN.encode())


def through_link():
    os.symlink(aim.UNIX, "socket")
    connect("socket")


def from_its_folder():
    os.chdir(os.path.dirname(aim.UNIX))
    connect(os.path.basename(aim.UNIX))


def through_link_in_bytes():
    """Have a link whose name is another text for who takes its bytes for letters."""
    os.symlink(os.path.dirname(aim.UNIX), b"\xc3\xa9")
    connect(b"\xc3\xa9/" + os.fsencode(os.path.basename(aim.UNIX)))


WAYS = {
    "connect": lambda: connect(aim.UNIX),
    "bytes": lambda: connect(os.fsencode(aim.UNIX)),
    "through link": through_link,
    "through link in bytes": through_link_in_bytes,
    "from its folder": from_its_folder,
}
WAYS[aim.VARIANT]()
