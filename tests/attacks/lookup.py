"""Look up a name: a name server learns it, whatever the answer."""

import asyncio
import codecs
import encodings
import os
import socket
import sys

import _socket
import aim

NAME = f"{aim.TOKEN}.invalid"
ADDRESS = "192.0.2.1"  # of nobody, by RFC 5737

def with_variable(name):
    """Have a name that is this machine's be looked up as another, by C's library."""
    os.environ[name] = aim.put("aliases", f"localhost {NAME}\n")
    socket.gethostbyname("localhost")


def with_codec(module):
    """Have a codec make another name of one that is this machine's."""
    others = []

    def encode(name, _errors="strict"):
        others.append(name)
        return b"127.0.0.9", len(name)

    def search(name):
        return codecs.CodecInfo(encode, codecs.ascii_decode) if name == "idna" else None

    codecs.unregister(encodings.search_function)  # whatever was found before is forgotten
    codecs.register(search)
    codecs.register(encodings.search_function)
    for look in (
        lambda: module.getaddrinfo("localhost", 80),
        lambda: module.getaddrinfo(host="localhost", port=80),
        lambda: module.gethostbyname("localhost"),
        lambda: module.gethostbyname_ex("localhost"),
        lambda: module.gethostbyaddr("127.0.0.1"),
    ):
        try:
            look()
        except (TypeError, OSError) as error:  # _socket takes no names of arguments
            print(error)
    if not others:
        raise SystemExit


def with_second_module():
    """Make another module of lookups, which is as it was before the guard."""
    del sys.modules["_socket"]
    import _socket as second

    with_codec(second)


WAYS = {
    "getaddrinfo": lambda: socket.getaddrinfo(NAME, 80),
    "gethostbyname": lambda: socket.gethostbyname(NAME),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex(NAME),
    "gethostbyaddr": lambda: socket.gethostbyaddr(ADDRESS),
    "getnameinfo": lambda: socket.getnameinfo((ADDRESS, 80), 0),
    "_socket": lambda: _socket.getaddrinfo(NAME.encode(), None),
    "asyncio": lambda: asyncio.run(looked_up()),
    "HOSTALIASES": lambda: with_variable("HOSTALIASES"),
    "LOCALDOMAIN": lambda: with_variable("LOCALDOMAIN"),
    "RES_OPTIONS": lambda: with_variable("RES_OPTIONS"),
    "RESOLV_HOST_CONF": lambda: with_variable("RESOLV_HOST_CONF"),
    "codec": lambda: with_codec(socket),
    "codec, _socket": lambda: with_codec(_socket),
    "codec, second module": with_second_module,
}


async def looked_up():
    return await asyncio.get_running_loop().getaddrinfo(NAME, 80)


try:
    WAYS[aim.VARIANT]()
except (socket.gaierror, socket.herror):  # it was asked
    pass
aim.reached()
