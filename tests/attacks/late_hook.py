"""Add an audit hook behind the guard's."""

import sys

import aim

count = 0
BUSY = []


def is_guard_busy():
    """Return whether the guard itself does what the hook is told of."""
    if BUSY:
        return False
    BUSY.append(1)
    try:
        return aim.is_guard_busy(aim.caller())
    finally:
        BUSY.clear()


def raises(_event, _args):
    """Have what the guard itself does go wrong."""
    if is_guard_busy():
        raise RuntimeError("no more")


def steals(event, _args):
    """Steal within the first events, of which some are the guard's own."""
    global count
    count += 1
    if count in (1, 3, 9, 27):
        aim.steal_and_tell()


def wrecks(_event, _args):
    """Look at who asks, and change what that one knows."""
    if BUSY:
        return
    BUSY.append(1)
    try:
        frame = aim.caller()
        while frame is not None:
            if aim.is_guards(frame.f_globals):
                aim.wreck(frame.f_globals)
                aim.wreck(frame.f_locals)
            frame = frame.f_back
    finally:
        BUSY.clear()


def changes(_event, args):
    """Change what it is told, where that can be changed."""
    for arg in args:
        if isinstance(arg, (list, dict)):
            arg.clear()


def ends(_event, _args):
    if is_guard_busy():
        raise SystemExit


class Hook:
    """A hook that asks for tracing, which CPython then leaves on in all hooks."""

    __cantrace__ = True

    def __call__(self, _event, _args):
        return None


def traced():
    """Have a trace function run in hooks."""

    def trace(frame, _event, _arg):
        if aim.is_guards(frame.f_globals):
            aim.wreck(frame.f_globals)
        return trace

    sys.addaudithook(Hook())
    sys.settrace(trace)


WAYS = {
    "raises": lambda: sys.addaudithook(raises),
    "steals": lambda: sys.addaudithook(steals),
    "wrecks": lambda: sys.addaudithook(wrecks),
    "changes": lambda: sys.addaudithook(changes),
    "ends": lambda: sys.addaudithook(ends),
    "traced": traced,
}
try:
    WAYS[aim.VARIANT]()
except PermissionError as error:
    print(f"{type(error).__name__}: {error}")
aim.steal_and_tell()
