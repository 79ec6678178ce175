"""Which hosts and sockets a build may use without being asked: none but its own processes'.

Executed apart by `safesite.guard`: see the package's first lines.
"""

from _socket import AF_INET, AF_INET6, AF_UNIX
from _socket import socket as socket_type

from safesite.watch.build import refusal, want
from safesite.watch.paths import is_own, resolve, text_of, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from safesite.watch.build import Refusal

family_of: "Any" = socket_type.family  # a subclass may claim another
PLAIN_FAMILIES = (-1, int(AF_UNIX), int(AF_INET), int(AF_INET6))
RAW = 3
LOCAL_NAMES = frozenset(("", "localhost"))
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def host_of(host: "Any") -> str:
    """Return a host, a service or an address as text; raises TypeError for what may change."""
    if host is None:
        return ""
    if type(host) is bytes:
        return host.decode("utf-8", "surrogateescape")
    if type(host) is str:
        return host
    raise TypeError


def endpoint(host: str, port: "Any") -> str:
    """Return HOST:PORT."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_address(host: str) -> bool:
    """Return whether a host is a number, for which no name server is asked."""
    if ":" in host:
        return True
    parts = host.split(".")
    return len(parts) == 4 and all(x.isascii() and x.isdigit() and len(x) < 4 for x in parts)


def look_up(host: "Any", port: "Any" = None) -> "Refusal":
    """Return None if a name may be looked up, which is asked together with the connection."""
    host = host_of(host)
    if host.lower() in LOCAL_NAMES or is_address(host):
        return None  # no name server is asked
    service = str(port) if type(port) is int else host_of(port)
    if service.isdecimal() and service != "0":
        return want("connect", endpoint(host, service))
    return want("resolve", host)


def prepare_lookup(args: "Any") -> "tuple[Refusal, Any]":
    """Give what looks a name up bytes: it would have a codec, which can be replaced, encode it."""
    if not args:
        return None, args
    host, *rest = args
    if host is None or type(host) is bytes:
        return None, args
    if not issubclass(type(host), str) or not str.isascii(host):
        return refusal("a name that is no plain text cannot be told (guard)"), None
    return None, (str.encode(host, "ascii"), *rest)


def on_getaddrinfo(args: "Any") -> "Refusal":
    """Decide on socket.getaddrinfo(host, port, ...)."""
    return look_up(args[0], args[1])


def on_gethostbyname(args: "Any") -> "Refusal":
    """Decide on socket.gethostbyname(name)."""
    return look_up(args[0])


def on_gethostbyaddr(args: "Any") -> "Refusal":
    """Decide on socket.gethostbyaddr(address)."""
    host = host_of(args[0])
    return None if host in LOOPBACK else want("resolve", host)


def on_getnameinfo(args: "Any") -> "Refusal":
    """Decide on socket.getnameinfo((host, port))."""
    return on_gethostbyaddr(args[0])


def on_address(args: "Any") -> "Refusal":
    """Decide on socket.connect(socket, address), socket.sendto(...), socket.sendmsg(...)."""
    connection, address = args
    family = connection.family
    if address is None:
        return None  # it is connected
    if family == AF_UNIX:
        return unix(text_of(address) or "")
    if type(address) is not tuple or family not in (AF_INET, AF_INET6):
        return want("connect", f"socket-of-family-{family}", ascii(address)[:200])
    host, port = host_of(address[0]), address[1]
    if type(port) is not int:
        raise TypeError
    return want("connect", endpoint(host, port))


def unix(path: str) -> "Refusal":
    """Return None if a Unix socket is a process's of the same build."""
    if path.startswith("\0listener-"):  # multiprocessing's, which asks for a key besides
        return None
    if path[:1] == "\0":
        return want("connect", "unix-socket-" + path)
    path = resolve(path)
    return None if is_own(path) else want("connect", path)


def on_bind(args: "Any") -> "Refusal":
    """Decide on socket.bind(socket, address)."""
    connection, address = args
    if connection.family == AF_UNIX:
        path = text_of(address) or ""
        return None if path[:1] in ("", "\0") else write(path)
    if type(address) is not tuple:
        family = connection.family
        return want("listen", f"socket-of-family-{family}", ascii(address)[:200])
    host, port = host_of(address[0]), address[1]
    if type(port) is not int:
        raise TypeError
    if host in LOOPBACK and port == 0:
        return None  # so is looked whether there is IPv6
    return want("listen", endpoint(host or "0.0.0.0", port))  # noqa: S104 - a text


def on_socket(args: "Any") -> "Refusal":
    """Decide on socket.__new__(socket, family, type, protocol)."""
    _, family, kind, _ = args
    if type(family) is not int or type(kind) is not int:
        raise TypeError
    if family in PLAIN_FAMILIES and kind & 0xF != RAW:
        return None
    return want("connect", f"socket-of-family-{family}", f"of type {kind}")
