"""Listen for whoever connects."""

import asyncio
import http.server
import multiprocessing.connection
import os
import socket
import socketserver

import aim

HERE = ("0.0.0.0", 0)
PORT = 20_000 + os.getpid() % 20_000


def plain():
    server = socket.socket()
    server.bind(HERE)
    server.listen()


def unbound():
    """Have the system choose the port: nothing is bound before."""
    socket.socket().listen()


async def served():
    await asyncio.start_server(lambda *_: None, *HERE)


WAYS = {
    "listen": plain,
    "unbound": unbound,
    "create_server": lambda: socket.create_server(HERE),
    "socketserver": lambda: socketserver.TCPServer(HERE, socketserver.BaseRequestHandler),
    "http.server": lambda: http.server.HTTPServer(HERE, http.server.BaseHTTPRequestHandler),
    "asyncio": lambda: asyncio.run(served()),
    "multiprocessing": lambda: multiprocessing.connection.Listener(HERE),
    "port of this machine": lambda: socket.create_server(("127.0.0.1", PORT)),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(HERE),
}
WAYS[aim.VARIANT]()
aim.reached()
