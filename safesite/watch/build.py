"""The build that this process belongs to, and the questions that its code raises.

Executed apart by `safesite.guard`: see the package's first lines.
"""

import sys
from _blake2 import blake2s
from _json import encode_basestring_ascii as quoted
from _socket import AF_UNIX, SOCK_STREAM
from _socket import socket as new_socket
from _thread import get_ident
from posix import urandom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Refusal = BaseException | None

TEXT_CAP = 100_000  # characters of a target, or of what is told with it
ANSWER_CAP = 1 << 16

# What guard knows of the build; see its `facts_of`.
facts: "dict[str, Any]" = {}

# The namespaces of these files; and the one of the few functions that a package can get hold of,
# which hold nothing.
namespaces: "list[dict[str, Any]]" = []
outer: "dict[str, Any]" = {"__name__": "safesite.watch", "__builtins__": {}}

# By thread: which one is in here, and which event of its own it is about to raise.
active: "set[int]" = set()
expected: "dict[int, str]" = {}

# By thread: objects of the package's that a decision has looked at, and may be the last to hold.
keeping: "dict[int, list[Any]]" = {}

get_frame = sys._getframe


def call_own(event: str, function: "Callable[..., Any]", *args: "Any") -> "Any":
    """Call a function that is audited itself; the hook lets that one event pass."""
    me = get_ident()
    expected[me] = event
    try:
        return function(*args)
    finally:
        expected.pop(me, None)


def keep(value: "Any") -> "Any":
    """Return an object of the package's, which is let go of when none of this runs any more."""
    keeping[get_ident()].append(value)
    return value


def refusal(text: str) -> PermissionError:
    """Return what a package gets to see."""
    return PermissionError(13, "safesite: " + text)


def want(kind: str, target: str, detail: str = "") -> "Refusal":
    """Return None if the package may do this, else what it gets to see."""
    if max(len(target), len(detail)) > TEXT_CAP:
        return refusal("what this names is too long to be asked (guard)")
    nonce = urandom(16).hex()
    words = kind, target, detail, place(), nonce
    request = f'["ask", {facts["id"]}, {", ".join(map(quoted, words))}]'.encode("ascii")
    # Both are signed: another thread can put a socket of its own in the place of the connection.
    try:
        told = exchange(signature(b"ask", request) + b" " + request + b"\n")
    except OSError:
        told = b""
    signed, _, answer = told.partition(b" ")
    if signed != signature(nonce.encode("ascii"), answer):
        return refusal("refused, as what would ask is gone (guard)")
    if answer == b"yes":
        return None
    if answer == b"interrupted":
        return KeyboardInterrupt()
    return refusal(answer.decode("ascii", "replace").removeprefix("no ") or "refused (guard)")


def signature(purpose: bytes, data: bytes) -> bytes:
    """Return what only the broker can make of this, and what has its key."""
    key: bytes = facts["key"]
    return blake2s(purpose + b" " + data, key=key).hexdigest().encode("ascii")


def exchange(request: bytes) -> bytes:
    """Send one line to the broker, and return its answer; raises OSError."""
    answer = b""
    # Kept: one that is let go of unclosed shows a warning, by functions that can be replaced.
    kept = keeping[get_ident()]
    call_own("socket.__new__", kept.extend, map(new_socket, (AF_UNIX,), (SOCK_STREAM,)))
    connection = kept[-1]
    try:
        call_own("socket.connect", connection.connect, facts["socket"])
        connection.sendall(request)
        while len(answer) < ANSWER_CAP and (more := connection.recv(4096)):
            answer += more
    finally:
        connection.close()
    return answer


def place() -> str:
    """Return the innermost place in the package's code, ``FILE:LINE``; "" if there is none."""
    frame = call_own("sys._getframe", get_frame)
    while frame is not None:
        names = frame.f_globals
        if names is not outer and not is_own_namespace(names):
            name = call_own("object.__getattr__", getattr, frame, "f_code").co_filename
            name = "".join((name,))  # noqa: FLY002 - of a subclass, what it holds
            if name[:1] == "<":
                name = file_of(names)  # setuptools executes the text of setup.py
            project = facts["project"] + "/"
            if type(name) is str and (name[:1] not in ("/", "<") or name.startswith(project)):
                return f"{name.removeprefix(project)[-200:]}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def file_of(names: "dict[str, Any]") -> "Any":
    """Return what a namespace has as its file; no key of the package's own is compared."""
    if type(names) is dict:
        for key, value in keep((*names.items(),)):
            if type(key) is str and key == "__file__":
                return value
    return None


def is_own_namespace(names: "dict[str, Any]") -> bool:
    """Return whether a frame's names are those of a file of this folder."""
    for own in namespaces:  # noqa: SIM110 - a generator would be a frame more
        if names is own:
            return True
    return False
