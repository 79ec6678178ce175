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
from _socket import socket as SOCKET  # noqa: N812 - the type
from _thread import get_ident, interrupt_main
from posix import _exit, fspath, getpgrp, getpid, kill

from safesite.watch import network, paths, programs
from safesite.watch.build import (
    active,
    call_own,
    expected,
    facts,
    get_frame,
    is_own_namespace,
    outer,
    refusal,
    want,
)
from safesite.watch.paths import below, is_own, resolve, text_of
from safesite.watch.programs import fixed, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from safesite.watch.build import Refusal

# Bound now: what stands in its place later is not asked.
audit, add_hook = sys.audit, sys.addaudithook
collect = gc.collect
set_signal: "Any" = _signal.signal
interrupt = _signal.default_int_handler
FUNCTION: "Any" = type(lambda: None)
FRAMES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")
INTEGER = int.__pos__  # of a subclass, what it is and not what it says
SIGNAL = "safesite.signal"
ODD = object()
COLLECTED = 2000  # events after which garbage is collected
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
TAKEN = frozenset(
    ("_imp", "_posixsubprocess", "_signal", "gc", "posix", "sys")
)  # a second one is unchanged
UNSEEN = (  # what is not audited: after which a path is another's; what has C write a file
    (posix, "chroot"),
    (posix, "setns"),
    (posix, "unshare"),
    (sys, "activate_stack_trampoline"),
)
TTY_INPUT = frozenset((0x5412, 0x541C))  # TIOCSTI, TIOCLINUX: they put words into a terminal

state: "dict[str, Any]" = {"status": 0, "events": 0, "signals": []}


async def _coroutine() -> None: ...


async def _generator() -> "Any":
    yield


try:
    raise OSError  # noqa: TRY301 - for its traceback
except OSError as _exc:
    _traceback = _exc.__traceback__
_started: "Any" = _coroutine()
FRAMED: "tuple[Any, ...]" = (
    type(_traceback),
    type(character for character in ""),
    type(_started),
    type(_generator()),
)
_started.close()
SETTLED = frozenset(
    (
        *(bool, bytes, dict, float, int, list, str, tuple, type(None)),
        *(FUNCTION, type(get_frame()), *FRAMED),
    )
)
del _traceback, _started


def decide(event: str, args: "Any") -> "Refusal":
    """Return what a package gets in the place of what it wants to do, None if it may do it.

    Nothing of the package runs meanwhile in this thread; what does all the same may do nothing.
    """
    me = get_ident()
    if me in active:
        if event == SIGNAL:
            state["signals"].append(args)
            return refusal("later")
        return None if expected.pop(me, None) == event else on_tampering(args)
    active.add(me)
    try:
        state["events"] += 1
        return RULES[event]([settled(arg) for arg in args])
    except KeyboardInterrupt as exc:
        return plain(exc)
    except BaseException:  # noqa: BLE001 - whatever an odd argument makes of it
        return refusal(f"{event}: what it names cannot be told (guard)")
    finally:
        active.discard(me)
        while state["signals"] and not active:
            interrupt_main(*state["signals"].pop())


def settled(arg: "Any") -> "Any":
    """Return an argument of an event that cannot be anything else a moment later.

    An object of the package's own could run its code by being compared, or asked for anything.
    """
    kind = type(arg)
    if kind in SETTLED or issubclass(kind, SOCKET):
        return arg
    if issubclass(kind, str):
        return text_of(arg)
    if issubclass(kind, int):
        return INTEGER(arg)
    return None if arg is None else ODD


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
    frame = args[0]
    return on_tampering(args) if frame is ODD or leads_here(frame, False) else None


def on_attribute(args: "Any") -> "Refusal":
    """Decide on object.__getattr__(object, name), and on setting and deleting: code and frames."""
    owner, name = args[:2]
    if type(owner) is FUNCTION:
        names = owner.__globals__
        return on_tampering(args) if names is outer or is_own_namespace(names) else None
    if type(owner) in FRAMED and name in FRAMES:
        frame = call_own("object.__getattr__", getattr, owner, name)
        return on_tampering(args) if leads_here(frame, name == "tb_frame") else None
    return None


def on_tampering(_args: "Any") -> "Refusal":
    """Refuse what builds have no use for, but who wants to be rid of the guard has."""
    return refusal("what could take away the guard is refused in a build (guard)")


def on_kill(args: "Any") -> "Refusal":
    """Decide on os.kill(pid, signal) and os.killpg(group, signal): not what guards the build."""
    pid = args[0]
    others = pid <= 1 or pid in facts["guards"]
    return on_tampering(args) if others or pid == getpgrp() != getpid() else None


def on_limits(args: "Any") -> "Refusal":
    """Decide on resource.prlimit(pid, resource, limits)."""
    return None if args[0] in (0, getpid()) else on_tampering(args)


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
    "os.kill": on_kill,
    "os.killpg": on_kill,
    "os.remove": paths.on_entry,
    "os.removexattr": paths.on_write_here,
    "os.rename": paths.on_rename,
    "os.rmdir": paths.on_entry,
    "os.scandir": paths.on_listing,
    "os.setxattr": paths.on_write_here,
    "os.symlink": paths.on_symlink,
    "os.system": programs.on_system,
    "os.truncate": paths.on_write_here,
    "os.utime": paths.on_write,
    "resource.prlimit": on_limits,
    "safesite.fork_exec": programs.on_fork_exec,
    SIGNAL: lambda _args: None,
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


def hook(event: str, args: "Any", decide: "Any", known: "frozenset[str]", collect: "Any") -> None:
    if event in known:
        refused = decide(event, args)
        decide = None
        if refused is collect:
            collect()
        elif refused is not None:
            raise refused


def decide_or_collect(event: str, args: "Any") -> "Any":
    """Return what `decide` does; now and then, instead of None, the function that collects garbage.

    Python's own collector, which runs finalizers and callbacks in whatever frame there is, is off.
    """
    refused = decide(event, args)
    if refused is None and state["events"] > COLLECTED:
        state["events"] = 0
        return collect
    return refused


def hidden(*args: "Any", steps: "Any", settle: "Any", **named: "Any") -> "Any":
    args = settle(*args, **named)
    steps = [*steps]
    refused, args = steps.pop()(args)
    if refused is not None:
        steps.clear()
        raise refused
    return steps.pop()(*args, **named)


def handler(signum: int, _frame: object, handler: "Any", audit: "Any") -> None:
    try:
        audit("safesite.signal", signum)
    except:  # noqa: E722 - no name is at hand; it is called when the hook has ended
        return
    handler(signum, None)


# What makes objects of the package's into what they name, before the steps of `hidden` are there.


def as_they_are(*args: "Any", **_named: "Any") -> "Any":
    return args


def name_of(spec: "Any", *rest: "Any") -> "Any":
    return spec.name, *rest


def of_exec(
    path: "Any",
    argv: "Any",
    *rest: "Any",
    fix: "Any" = fspath,
    file_actions: "Any" = (),
    **_: "Any",
) -> "Any":
    for _action in file_actions:
        return path, None  # it would open files unseen: refused
    try:
        path = fix(path)
    except:  # noqa: E722 - no name is at hand; it may be a descriptor
        argv = [*argv]
    argv = [fix(word) for word in argv]
    if not rest or rest[0] is None:
        return path, argv, *rest
    return path, argv, {fix(name): fix(rest[0][name]) for name in rest[0]}, *rest[1:]


def of_putenv(*args: "Any", fix: "Any" = fspath) -> "Any":
    return [fix(word) for word in args]


def of_fork_exec(*args: "Any", fix: "Any" = fspath) -> "Any":
    words, programs, close, keep, cwd, env, *rest = args
    words, programs = [fix(word) for word in words], [fix(program) for program in programs]
    env = env if env is None else [fix(entry) for entry in env]
    return words, programs, close, keep, cwd if cwd is None else fix(cwd), env, *rest


HANDLER = handler.__code__


def outside(function: "Any", names: "dict[str, Any]", *defaults: "Any") -> "Any":
    """Return a function with other names, which are no way into this file."""
    return FUNCTION(function.__code__, names, function.__name__, defaults or None)


def put_before(module: "Any", name: str, prepare: "Any", settle: "Any" = as_they_are) -> None:
    """Have a function of a module be called with what ``prepare`` makes of its arguments.

    ``settle`` comes before that, and may run code of the package.
    """
    original = getattr(module, name)
    first = outside(settle, outer)
    first.__kwdefaults__ = settle.__kwdefaults__
    replacement = outside(hidden, outer)
    replacement.__kwdefaults__ = {"steps": (original, prepare), "settle": first}
    replacement.__name__ = replacement.__qualname__ = name
    replacement.__module__ = module.__name__
    setattr(module, name, replacement)


def prepare_signal(args: "Any") -> "tuple[Refusal, Any]":
    """Give a signal handler no frame, and call it when nothing of this runs."""
    if len(args) == 2 and callable(args[1]) and args[1] is not interrupt:
        args = args[0], FUNCTION(HANDLER, {"__builtins__": {}}, "handler", (args[1], audit))
    return None, args


def prepare_builtin(args: "Any") -> "tuple[Refusal, Any]":
    """Make no second one of a module that has been changed; ask for one that is a door."""
    try:
        name = fixed(args[0]).decode()
        audit("import", name, None, None, None, None)
    except BaseException as exc:  # noqa: BLE001 - it is raised where nothing leads to this file
        return plain(exc), ()
    return None, (PLAIN_OBJECT(name=name), *args[1:])


def prepare_nothing(args: "Any") -> "tuple[Refusal, Any]":
    """Refuse a function that no build has a use for."""
    return on_tampering(args), ()


def install() -> None:
    """Put the hook in place: from here on what runs is the package's."""
    put_before(_posixsubprocess, "fork_exec", programs.prepare_fork_exec, of_fork_exec)
    vars(sys.modules["subprocess"])["_fork_exec"] = _posixsubprocess.fork_exec  # from 3.11 on
    put_before(_imp, "create_builtin", prepare_builtin, name_of)
    put_before(_signal, "signal", prepare_signal)
    for name in ("execv", "execve", "posix_spawn", "posix_spawnp"):
        put_before(posix, name, programs.prepare_exec, of_exec)
        setattr(os, name, getattr(posix, name))
    for name in ("putenv", "unsetenv"):
        put_before(posix, name, programs.prepare_putenv, of_putenv)
        setattr(os, name, getattr(posix, name))
    for module, name in UNSEEN:
        if hasattr(module, name):
            put_before(module, name, prepare_nothing)
            setattr(os if module is posix else module, name, getattr(module, name))
    if "signal" in sys.modules:  # it names what it wraps
        sys.modules["signal"].signal.__wrapped__ = _signal.signal
    gc.disable()
    gc.enable = outside(as_they_are, outer)
    add_hook(outside(hook, outer, decide_or_collect, frozenset(RULES), collect))
