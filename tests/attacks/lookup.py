"""Look up a name: a name server learns it, whatever the answer."""

import asyncio
import socket

import _socket
import aim

NAME = f"{aim.TOKEN}.invalid"
ADDRESS = "192.0.2.1"  # of nobody, by RFC 5737

WAYS = {
    "getaddrinfo": lambda: socket.getaddrinfo(NAME, 80),
    "gethostbyname": lambda: socket.gethostbyname(NAME),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex(NAME),
    "gethostbyaddr": lambda: socket.gethostbyaddr(ADDRESS),
    "getnameinfo": lambda: socket.getnameinfo((ADDRESS, 80), 0),
    "_socket": lambda: _socket.getaddrinfo(NAME.encode(), None),
    "asyncio": lambda: asyncio.run(looked_up()),
}


async def looked_up():
    return await asyncio.get_running_loop().getaddrinfo(NAME, 80)


try:
    WAYS[aim.VARIANT]()
except (socket.gaierror, socket.herror):  # it was asked
    pass
aim.reached()
