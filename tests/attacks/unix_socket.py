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


WAYS = {
    "connect": lambda: connect(aim.UNIX),
    "bytes": lambda: connect(os.fsencode(aim.UNIX)),
    "through link": through_link,
    "from its folder": from_its_folder,
}
WAYS[aim.VARIANT]()
