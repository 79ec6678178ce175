"""The audit hook: which event goes to which rule, and what could lead a package to these files.

Executed apart by `safesite.guard`: see the package's first lines.
"""

import _imp
import _posixsubprocess
import _signal  # type: ignore[import-not-found]
import gc
import os
import posix
import sys
from _thread import get_ident
from posix import _exit, getpid, kill

from safesite.watch import network, paths, programs
from safesite.watch.build import (
    active,
    call_own,
    expected,
    facts,
    is_own_namespace,
    outer,
    refusal,
    want,
)
from safesite.watch.paths import below, is_own, resolve, text_of
from safesite.watch.programs import fixed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from safesite.watch.build import Refusal

# Bound now: what stands in its place later is not asked.
audit, add_hook = sys.audit, sys.addaudithook
gc_enable, gc_disable, gc_is_enabled = gc.enable, gc.disable, gc.isenabled
set_signal: "Any" = _signal.signal
interrupt = _signal.default_int_handler
FUNCTION: "Any" = type(lambda: None)
PLAIN_OBJECT: "Any" = type(sys.implementation)

# Modules behind which Python's own code is not asked any more.
DOORS = frozenset(
    (
        *("_ctypes", "_ctypes_test", "_dbm", "_gdbm", "_remote_debugging", "_sqlite3", "_testcapi"),
        *("_testclinic", "_testclinic_limited", "_testexternalinspection", "_testinternalcapi"),
        *("_testlimitedcapi", "_testmultiphase", "_testsinglephase", "_tkinter", "_xxtestfuzz"),
        "spwd",
    )
)
QUIET_DOORS = frozenset(  # which the standard library tries, and does without
    (
        *("_interpchannels", "_interpqueues", "_interpreters", "_xxinterpchannels"),
        *("_xxsubinterpreters", "readline"),
    )
)
TAKEN = frozenset(("_imp", "_posixsubprocess", "_signal", "posix"))  # a second one is unchanged
ELSEWHERE = ("chroot", "setns", "unshare")  # after which a path is another's; not audited
TTY_INPUT = frozenset((0x5412, 0x541C))  # TIOCSTI, TIOCLINUX: they put words into a terminal

state: "dict[str, Any]" = {"status": 0, "collects": True}


def decide(event: str, args: "Any") -> "Refusal":
    """Return what a package gets in the place of what it wants to do, None if it may do it.

    Nothing of the package runs meanwhile in this thread; what does all the same may do nothing.
    """
    me = get_ident()
    if me in active:
        return None if expected.pop(me, None) == event else on_tampering(args)
    if not active:
        state["collects"] = gc_is_enabled()
    active.add(me)
    gc_disable()
    try:
        return RULES[event](args)
    except (KeyboardInterrupt, SystemExit) as exc:
        return exc.with_traceback(None)
    except BaseException:  # noqa: BLE001 - whatever an odd argument makes of it
        return refusal(f"{event}: what it names cannot be told (guard)")
    finally:
        active.discard(me)
        if not active and state["collects"]:
            gc_enable()


# What would lead to these files, or past them.


def leads_here(frame: "FrameType | None", finished: bool) -> bool:
    """Return whether a frame is one of these files', or runs below one.

    ``finished``: it comes from a traceback, so that the functions outside, which hold nothing when
    they have ended, may be seen.
    """
    first = frame
    while frame is not None:
        names = frame.f_globals
        if is_own_namespace(names) or (names is outer and not (finished and frame is first)):
            return True
        frame = frame.f_back
    return False


def on_get_frame(args: "Any") -> "Refusal":
    """Decide on sys._getframe(frame)."""
    return on_tampering(args) if leads_here(args[0], False) else None


def on_attribute(args: "Any") -> "Refusal":
    """Decide on object.__getattr__(object, name), and on setting and deleting: code and frames."""
    owner, name = args[:2]
    if type(owner) is FUNCTION:
        names = owner.__globals__
        return on_tampering(args) if names is outer or is_own_namespace(names) else None
    if name == "tb_frame":
        frame = call_own("object.__getattr__", getattr, owner, "tb_frame")
        return on_tampering(args) if leads_here(frame, True) else None
    return None


def on_tampering(_args: "Any") -> "Refusal":
    """Refuse what builds have no use for, but who wants to be rid of the guard has."""
    return refusal("what could take away the guard is refused in a build (guard)")


def on_ioctl(args: "Any") -> "Refusal":
    """Decide on fcntl.ioctl(fd, request, arg)."""
    return on_tampering(args) if args[1] & 0xFFFFFFFF in TTY_INPUT else None


def on_import(args: "Any") -> "Refusal":
    """Decide on import(module, filename, ...), which an extension raises twice."""
    name, path = text_of(args[0]) or "", text_of(args[1])
    if path is not None:
        name = name.rpartition(".")[2]  # by which its initialisation is found
    if name in TAKEN:
        return on_tampering(args)
    if name in QUIET_DOORS:
        return ImportError(f"safesite: {name} is not for a build (guard)")
    if name in DOORS:
        return want("load", name.removeprefix("_"), "a module past which safesite sees nothing")
    if path is None:
        return None
    path = resolve(path)
    known = path.startswith(paths.SYSTEM) or below(path, facts["readable"])
    return None if known and not is_own(path) else want("load", path)


def on_library(args: "Any") -> "Refusal":
    """Decide on ctypes.dlopen(name)."""
    name = text_of(args[0])
    return None if name is None else want("load", name)


def on_status(args: "Any") -> "Refusal":
    """Decide on safesite.status(status), raised by guard when the program ends."""
    state["status"] = args[0] if type(args[0]) is int else 1
    return None


def on_end(_args: "Any") -> "Refusal":
    """End where Python lets go of its hooks, and then of other objects.

    Their finalizers would run unasked, so the process ends here.
    """
    status = state["status"]
    if status < 0:
        set_signal(-status, 0)
        kill(getpid(), -status)
    _exit(status & 0xFF)


RULES: "dict[str, Callable[[Any], Refusal]]" = {
    "cpython.PyInterpreterState_Clear": on_end,
    "cpython.PyInterpreterState_New": on_tampering,
    "cpython.remote_debugger_script": on_tampering,
    "ctypes.dlopen": on_library,
    "fcntl.ioctl": on_ioctl,
    "gc.get_objects": on_tampering,
    "gc.get_referents": on_tampering,
    "gc.get_referrers": on_tampering,
    "import": on_import,
    "object.__delattr__": on_attribute,
    "object.__getattr__": on_attribute,
    "object.__setattr__": on_attribute,
    "open": paths.on_open,
    "os.chmod": paths.on_write,
    "os.chown": paths.on_write,
    "os.exec": programs.on_exec,
    "os.link": paths.on_link,
    "os.listdir": paths.on_listing,
    "os.mkdir": paths.on_entry,
    "os.posix_spawn": programs.on_exec,
    "os.putenv": programs.on_putenv,
    "os.remove": paths.on_entry,
    "os.removexattr": paths.on_write_here,
    "os.rename": paths.on_rename,
    "os.rmdir": paths.on_entry,
    "os.scandir": paths.on_listing,
    "os.setxattr": paths.on_write_here,
    "os.symlink": paths.on_symlink,
    "os.system": programs.on_system,
    "os.truncate": paths.on_write_here,
    "os.unsetenv": programs.on_unsetenv,
    "os.utime": paths.on_write,
    "safesite.fork_exec": programs.on_fork_exec,
    "safesite.status": on_status,
    "socket.__new__": network.on_socket,
    "socket.bind": network.on_bind,
    "socket.connect": network.on_address,
    "socket.getaddrinfo": network.on_getaddrinfo,
    "socket.gethostbyaddr": network.on_gethostbyaddr,
    "socket.gethostbyname": network.on_gethostbyname,
    "socket.getnameinfo": network.on_getnameinfo,
    "socket.sendmsg": network.on_address,
    "socket.sendto": network.on_address,
    "sys._current_exceptions": on_tampering,
    "sys._current_frames": on_tampering,
    "sys._getframe": on_get_frame,
    "sys.addaudithook": on_tampering,  # Python takes that for a silent no
    "sys.monitoring.register_callback": on_tampering,
    "sys.remote_exec": on_tampering,
    "sys.setprofile": on_tampering,
    "sys.settrace": on_tampering,
}


# What a package can get hold of: the functions below run with other names, and hold nothing.


def hook(event: str, args: "Any", decide: "Any", known: "frozenset[str]") -> None:
    if event in known:
        refused = decide(event, args)
        decide = None
        if refused is not None:
            raise refused


def hidden(*args: "Any", steps: "Any") -> "Any":
    steps = [*steps]
    refused, args = steps.pop()(args)
    if refused is not None:
        steps.clear()
        raise refused
    return steps.pop()(*args)


def handler(signum: int, _frame: object, handler: "Any") -> None:
    handler(signum, None)


HANDLER = handler.__code__


def outside(function: "Any", names: "dict[str, Any]", *defaults: "Any") -> "Any":
    """Return a function with other names, which are no way into this file."""
    return FUNCTION(function.__code__, names, function.__name__, defaults or None)


def put_before(module: "Any", name: str, prepare: "Any") -> None:
    """Have a function of a module be called with what ``prepare`` makes of its arguments."""
    original = getattr(module, name)
    replacement = outside(hidden, outer)
    replacement.__kwdefaults__ = {"steps": (original, prepare)}
    replacement.__name__ = replacement.__qualname__ = name
    replacement.__module__ = module.__name__
    setattr(module, name, replacement)


def prepare_signal(args: "Any") -> "tuple[Refusal, Any]":
    """Give a signal handler no frame: it could be one of this file's."""
    if len(args) == 2 and callable(args[1]) and args[1] is not interrupt:
        args = args[0], FUNCTION(HANDLER, {"__builtins__": {}}, "handler", (args[1],))
    return None, args


def prepare_builtin(args: "Any") -> "tuple[Refusal, Any]":
    """Make no second one of a module that has been changed; ask for one that is a door."""
    try:
        name = fixed(args[0].name).decode()
        audit("import", name, None, None, None, None)
    except BaseException as exc:  # noqa: BLE001 - it is raised where nothing leads to this file
        return exc.with_traceback(None), ()
    return None, (PLAIN_OBJECT(name=name), *args[1:])


def prepare_nothing(args: "Any") -> "tuple[Refusal, Any]":
    """Refuse a function that no build has a use for."""
    return on_tampering(args), ()


def install() -> None:
    """Put the hook in place: from here on what runs is the package's."""
    put_before(_posixsubprocess, "fork_exec", programs.prepare_fork_exec)
    vars(sys.modules["subprocess"])["_fork_exec"] = _posixsubprocess.fork_exec  # from 3.11 on
    put_before(_imp, "create_builtin", prepare_builtin)
    put_before(_signal, "signal", prepare_signal)
    for name in ELSEWHERE:
        if hasattr(posix, name):
            put_before(posix, name, prepare_nothing)
            setattr(os, name, getattr(posix, name))
    if "signal" in sys.modules:  # it names what it wraps
        sys.modules["signal"].signal.__wrapped__ = _signal.signal
    add_hook(outside(hook, outer, decide, frozenset(RULES)))
