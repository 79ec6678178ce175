"""Connect to a server over TCP."""

import logging.handlers
import multiprocessing.connection
import random
import signal
import socket
import time

import _socket
import aim

DATA = aim.TOKEN.encode()
SECONDS = 0.5  # for what takes some tries


def send_by(connection):
    connection.sendall(DATA)
    connection.close()


def connect(family=socket.AF_INET, address=aim.TCP, of=socket.socket):
    connection = of(family, socket.SOCK_STREAM)
    connection.connect(address)
    send_by(connection)


def connect_ex():
    connection = socket.socket()
    if code := connection.connect_ex(aim.TCP):
        raise OSError(code, "connect_ex")
    send_by(connection)


def low_level():
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0)
    connection.connect(aim.TCP)
    connection.send(DATA)


def without_blocking():
    connection = socket.socket()
    connection.setblocking(False)
    try:
        connection.connect(aim.TCP)
    except BlockingIOError:
        pass
    connection.setblocking(True)
    send_by(connection)


def fast_open():
    connection = socket.socket()
    connection.sendto(DATA, socket.MSG_FASTOPEN, aim.TCP)
    connection.close()


class Silent(socket.socket):
    """A socket that has its own idea of connecting."""

    def connect(self, address):
        super().connect(address)


class Odd(tuple):
    """An address that looks like another."""

    __slots__ = ()

    def __repr__(self):
        return "('', 0)"

    def __getitem__(self, _at):
        return ""

    def __iter__(self):
        return iter(("", 0))


def in_handler():
    """Connect in a signal handler, at any moment of what the guard itself does to ask."""
    connected, made = [], []

    def handler(*_):
        connection = made.pop()
        try:
            connection.connect(aim.TCP)
        except PermissionError as error:
            refused.append(error)
        else:
            connected.append(connection)

    refused = []
    signal.signal(signal.SIGALRM, handler)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and not connected:
        made.append(socket.socket())
        signal.setitimer(signal.ITIMER_REAL, 0.000001 + random.random() * 0.0002)
        try:
            open(aim.SECRET).close()
        except OSError:
            pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    for connection in connected:
        send_by(connection)
    if refused:
        raise refused[0]


WAYS = {
    "connect": connect,
    "connect_ex": connect_ex,
    "create_connection": lambda: send_by(socket.create_connection(aim.TCP)),
    "by name": lambda: send_by(socket.create_connection(("localhost", aim.TCP[1]))),
    "ipv6": lambda: connect(socket.AF_INET6, ("::ffff:127.0.0.1", aim.TCP[1])),
    "_socket": low_level,
    "without blocking": without_blocking,
    "fast open": fast_open,
    "subclass": lambda: connect(of=Silent),
    "odd address": lambda: connect(address=Odd(aim.TCP)),
    "multiprocessing": lambda: multiprocessing.connection.Client(aim.TCP).send(DATA),
    "in handler": in_handler,
    "logging": lambda: logging.handlers.SocketHandler(*aim.TCP).send(DATA),
}
WAYS[aim.VARIANT]()
