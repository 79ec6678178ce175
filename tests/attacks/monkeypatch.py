"""Put other functions in the place of those that a guard may use, and steal."""

import builtins
import os
import posix
import posixpath
import socket
import stat
import sys
import threading
import time
import types

import aim

HARMLESS = aim.put("harmless", "harmless")
VALUES = (True, False, None, "", HARMLESS, ())


def read(opened=os.open, read=os.read, flags=os.O_RDONLY):
    """Read the key with functions taken before they were replaced."""
    kept = aim.take
    kept(read(opened(aim.SECRET, flags), 10_000))


def tried(owner, names):
    """Replace one function at a time by one that always gives the same."""
    for name in names:
        kept = getattr(owner, name, None)
        if kept is None:
            continue
        for value in VALUES:
            refusal = ""
            setattr(owner, name, lambda *_, answer=value, **__: answer)
            try:
                read()
            except BaseException as error:
                refusal = error
            finally:
                setattr(owner, name, kept)
            if value is True and refusal:
                print(name, type(refusal).__name__, refusal, file=sys.__stderr__, flush=True)


def all_at_once():
    """Replace what can be, without a way back."""
    for module in (posixpath, stat, time, threading, socket):
        for name, thing in list(vars(module).items()):
            if isinstance(thing, types.FunctionType):
                setattr(module, name, lambda *_, **__: HARMLESS)


def modules():
    """Have each module that a guard may import be another one."""
    for name in list(sys.modules):
        if name.startswith("safesite") or name in ("os", "posix", "posixpath", "socket", "stat"):
            sys.modules[name] = types.ModuleType(name)
    for name in ("safesite.guard", "safesite.hook", "safesite.broker", "safesite.policyfile"):
        aim.put(name.replace(".", "/") + ".py", "raise SystemExit")
        sys.modules[name] = types.ModuleType(name)


def importing():
    """Have imports of the guard's give what the attack likes."""

    def other(name, *_, **__):
        aim.steal_and_tell()
        return types.ModuleType(name)

    builtins.__import__ = other
    sys.meta_path.clear()
    sys.path[:] = [aim.WORK]


def exceptions():
    """Have the error that is raised be none."""
    builtins.PermissionError = builtins.OSError = type("Warned", (UserWarning,), {})


def encodings():
    """Have paths be decoded to others."""
    os.fsencode = lambda _: os.open(HARMLESS, os.O_RDONLY) and b"/"
    os.fsdecode = os.fspath = lambda _: HARMLESS
    sys.getfilesystemencoding = lambda: "nothing"


def environment():
    os.environ = {}
    os.getenv = lambda *_: "allow"
    os.getcwd = lambda: aim.KEYS
    sys.executable = sys.prefix = sys.base_prefix = "/"


def output():
    """Have the guard's words go wrong."""
    sys.stderr = sys.stdout = None
    sys.excepthook = sys.unraisablehook = lambda *_: None


def streams():
    class Stealing:
        def write(self, _text):
            aim.steal()

        flush = write

    sys.stderr = sys.stdout = Stealing()


def answers():
    """Have whoever asks be told yes."""
    builtins.input = lambda *_: "y"
    os.read = lambda *_: b"y\n"
    posix.isatty = os.isatty = lambda *_: True
    socket.socket.recv = socket.socket.recv_into = lambda *_: b"y"


POSIX = (
    "stat",
    "lstat",
    "readlink",
    "getcwd",
    "fspath",
    "open",
    "read",
    "write",
    "fstat",
    "getpid",
)
PATHS = (
    *("realpath", "abspath", "normpath", "join", "dirname", "basename", "isabs", "commonpath"),
    *("islink", "lexists", "exists", "samefile", "split", "relpath", "commonprefix"),
)
BUILTINS = (
    *("isinstance", "any", "all", "repr", "sorted", "getattr", "hasattr", "map", "filter", "next"),
    *("issubclass", "min", "max", "str", "bytes", "tuple", "set", "frozenset", "type", "callable"),
)
WAYS = {
    "os": lambda: tried(os, POSIX),
    "posix": lambda: tried(posix, POSIX),
    "os.path": lambda: tried(posixpath, PATHS),
    "builtins": lambda: tried(builtins, BUILTINS),
    "all at once": all_at_once,
    "modules": modules,
    "importing": importing,
    "exceptions": exceptions,
    "encodings": encodings,
    "environment": environment,
    "output": output,
    "streams": streams,
    "answers": answers,
}
WAYS[aim.VARIANT]()
try:
    read()
except BaseException as error:
    os.write(2, f"PermissionError {error}".encode())
