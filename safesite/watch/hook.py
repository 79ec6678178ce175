"""The audit hook: which event goes to which rule, and what could lead a package to these files.

Executed apart by `safesite.guard`: see the package's first lines.
"""

import _functools  # type: ignore[import-not-found]
import _imp
import _posixsubprocess
import _signal  # type: ignore[import-not-found]
import _socket
import gc
import posix
import sys
import time
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
    keep,
    keeping,
    outer,
    refusal,
    want,
)
from safesite.watch.network import family_of
from safesite.watch.paths import below, is_own, is_plain, resolve, text_of
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
partial, uncached = _functools.partial, _functools._lru_cache_wrapper
set_signal: "Any" = _signal.signal
get_signal: "Any" = _signal.getsignal
interrupt, SIGINT = _signal.default_int_handler, _signal.SIGINT
FUNCTION: "Any" = type(lambda: None)
FRAMES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")
INTEGER = int.__pos__  # of a subclass, what it is and not what it says
SIGNAL = "safesite.signal"
ODD = object()
DEEPEST = 2  # a dictionary's values
COLLECTED = 2000  # events after which garbage is collected
PLAIN_OBJECT: "Any" = type(sys.implementation)

# Modules behind which Python's own code is not asked any more.
DOORS = frozenset(
    (
        *("_ctypes", "_ctypes_test", "_remote_debugging", "_sqlite3", "_testcapi"),
        *("_testclinic", "_testclinic_limited", "_testexternalinspection", "_testinternalcapi"),
        *("_testlimitedcapi", "_testmultiphase", "_testsinglephase", "_tkinter", "_xxtestfuzz"),
        "spwd",
    )
)
QUIET_DOORS = frozenset(  # which the standard library tries, and does without
    (
        *("_posixshmem", "_dbm", "_gdbm", "_interpchannels", "_interpqueues", "_interpreters"),
        *("_xxinterpchannels", "_xxsubinterpreters", "readline"),
    )
)
TAKEN = frozenset(
    ("_imp", "_posixsubprocess", "_signal", "_socket", "gc", "posix", "sys", "time")
)  # a second one is unchanged
UNSEEN = (  # not audited: after which a path is another's; what kills, shows all, has C write
    (gc, "set_debug"),
    (time, "clock_settime"),
    (time, "clock_settime_ns"),
    (_signal, "pidfd_send_signal"),
    (posix, "chroot"),
    (posix, "setns"),
    (posix, "unshare"),
    (sys, "activate_stack_trampoline"),
)
# TIOCSTI, TIOCLINUX, KDSKBENT, KDSKBSENT put words into a terminal, TIOCSCTTY takes it; FIOSETOWN
# and SIOCSPGRP are as F_SETOWN.
TTY_INPUT = frozenset((0x5412, 0x541C, 0x4B47, 0x4B49, 0x540E, 0x8901, 0x8902))
SET_OWNER, FILES = 8, 7  # of Linux: F_SETOWN, RLIMIT_NOFILE
SIGNALLING = frozenset((SET_OWNER, 10, 15))  # besides F_SETSIG, F_SETOWN_EX

REPLACED = (  # that other modules have copies of
    *("execv", "execve", "posix_spawn", "posix_spawnp", "system", "putenv", "unsetenv"),
    *("_clearenv", "chroot", "setns", "unshare", "default_int_handler", "pidfd_send_signal"),
    *("gethostbyaddr", "gethostbyname", "gethostbyname_ex"),
)
LOOKUPS = ("getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex")

state: "dict[str, Any]" = {"status": 0, "events": 0, "signals": bytearray()}


def opaque(function: "Any") -> "Any":
    """Return what calls a function, written in C: nothing leads from it to the function."""
    return uncached(function, 0, False, tuple)


NOTHING = opaque([].clear)


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
del _traceback, _started
FRAME = type(get_frame())
SETTLED = (str, int, type(None), bytes, bool, float)
RAISED_HERE = frozenset(("import", "safesite.fork_exec", "safesite.signal"))  # above these files
LOOKING = frozenset(  # events whose first argument is looked at as it is
    ("object.__delattr__", "object.__getattr__", "object.__setattr__", "sys._getframe")
)


# What a package can do meanwhile is to be kept in mind.  A C function that it calls, or has called
# by an object's method, finds the innermost frame, by globals() for one; so none of its objects may
# be asked for anything in here: not compared, hashed, shown, nor let go of last.


def decide(event: str, args: "Any") -> "tuple[Any, Any, Any]":
    """Return what a package gets in the place of what it wants to do, None if it may do it.

    Besides, what holds the package's objects that were looked at, and what is to be called at the
    end: until then no signal handler of the package runs in this thread.  None where nothing is.
    """
    me = get_ident()
    if type(event) is not str or type(args) is not tuple:  # called by the package itself
        return refusal("this is not an event (guard)"), None, None
    if me in active:
        return inside(me, event, args), None, None
    kept: list[Any] = []
    active.add(me)
    try:
        keeping[me] = kept
        state["events"] += 1
        given = [arg if type(arg) is str or type(arg) is int else settled(arg) for arg in args]
        if event in LOOKING:
            given[0] = args[0]
        elif event == SIGNAL:
            given[1] = args[1]
        refused: Any = RULES[event](given)
        if refused is None and state["events"] > COLLECTED and event not in RAISED_HERE:
            state["events"] = 0
            refused = collect
    except BaseException:  # noqa: BLE001 - whatever an odd argument makes of it
        # Made by no function of ours: there may be no room for one's frame.
        refused = PermissionError(13, f"safesite: {event}: what it names cannot be told (guard)")
    if kept:
        return refused, uncached(kept.clear, 0, False, tuple), leave
    active.discard(me)
    return refused, None, None


def inside(me: int, event: str, args: "Any") -> "Refusal":
    """Return what an event gets that something in here has raised, or a signal meanwhile."""
    if event == SIGNAL:
        return put_off(args[0])
    return None if expected.pop(me, None) == event else on_tampering(args)


def put_off(number: "Any") -> PermissionError:
    """Have a signal come again when none of these frames is left."""
    if type(number) is int:
        state["signals"].append(number)
    return refusal("later")


def on_signal(args: "Any") -> "Refusal":
    """Decide on safesite.signal(number, frame): above none of these frames a handler may run.

    It could go on with a generator, whose frame then leads down to them, or to what `hook` is told.
    """
    number, frame = args
    if frame is not None and type(frame) is not FRAME:
        raise TypeError
    while frame is not None:
        names = frame.f_globals
        if is_own_namespace(names):
            return put_off(number)
        if names is outer and frame.f_locals.get("told") is not None:
            return put_off(number)
        frame = frame.f_back
    return None


def end_decision() -> "Any":
    """Have it be known that none of this runs; return what holds the objects looked at."""
    me = get_ident()
    holder = opaque(keeping[me].clear) if me in keeping else None
    keeping.pop(me, None)
    active.discard(me)
    return holder


leave = opaque(end_decision)


def settled(arg: "Any", depth: int = 0) -> "Any":
    """Return an argument of an event that cannot be anything else a moment later.

    Exact types, lists and dictionaries as tuples of them, of a socket its family.
    """
    kind = type(arg)
    for known in SETTLED:
        if kind is known:
            return arg
    if issubclass(kind, str):
        return text_of(arg)
    if issubclass(kind, int):
        return INTEGER(arg)
    if issubclass(kind, SOCKET):
        return PLAIN_OBJECT(family=family_of.__get__(arg))
    if depth < DEEPEST and kind is list:
        arg, kind = keep((*arg,)), tuple
    elif depth < DEEPEST and kind is dict:
        arg, kind = keep((*arg.items(),)), tuple
    if depth < DEEPEST and kind is tuple:
        return (*[settled(part, depth + 1) for part in arg],)
    return ODD


# What would lead to these files, or past them.


def leads_here(frame: "FrameType | None", finished: bool) -> bool:
    """Return whether a frame is one of these files', or runs below one.

    ``finished``: it comes from a traceback, so that the functions outside, which hold nothing when
    they have ended, may be seen.
    """
    first, kept = frame, keeping[get_ident()]
    while frame is not None:
        kept.append(frame)
        names = frame.f_globals
        if is_own_namespace(names) or (names is outer and not (finished and frame is first)):
            return True
        frame = frame.f_back
    return False


def on_get_frame(args: "Any") -> "Refusal":
    """Decide on sys._getframe(frame)."""
    frame = args[0]
    return on_tampering(args) if type(frame) is not FRAME or leads_here(frame, False) else None


def on_attribute(args: "Any") -> "Refusal":
    """Decide on object.__getattr__(object, name), and on setting and deleting: code and frames."""
    owner, name = args[:2]
    if type(name) is not str:
        raise TypeError
    if type(owner) is FUNCTION:
        names = owner.__globals__
        return on_tampering(args) if names is outer or is_own_namespace(names) else None
    if name in FRAMES and is_framed(type(owner)):
        frame = call_own("object.__getattr__", getattr, owner, name)
        return on_tampering(args) if leads_here(frame, name == "tb_frame") else None
    return None


def is_framed(kind: "Any") -> bool:
    """Return whether objects of a type have a frame."""
    for known in FRAMED:  # noqa: SIM110 - a generator would be a frame more
        if kind is known:
            return True
    return False


def on_tampering(_args: "Any") -> "Refusal":
    """Refuse what builds have no use for, but who wants to be rid of the guard has."""
    return refusal("what could take away the guard is refused in a build (guard)")


def on_kill(args: "Any") -> "Refusal":
    """Decide on os.kill(pid, signal) and os.killpg(group, signal): not what guards the build."""
    pid = args[0]
    if type(pid) is not int:
        raise TypeError
    others = pid <= 1 or pid in facts["guards"]
    return on_tampering(args) if others or pid == getpgrp() != getpid() else None


def on_limits(args: "Any") -> "Refusal":
    """Decide on resource.prlimit(pid, resource, limits), resource.setrlimit(resource, limits)."""
    pid, kind = args[:2] if len(args) == 3 else (0, args[0])
    if type(pid) is not int or type(kind) is not int:
        raise TypeError
    # Without memory, or room for a frame, the hook could not end what it has to.
    return None if pid in (0, getpid()) and kind == FILES else on_tampering(args)


def on_fcntl(args: "Any") -> "Refusal":
    """Decide on fcntl.fcntl(fd, cmd, arg): no signal for another process, nor another signal."""
    command, arg = args[1:3]
    if type(command) is not int:
        raise TypeError
    own = command == SET_OWNER and type(arg) is int and arg == getpid()
    return on_tampering(args) if command in SIGNALLING and not own else None


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
    if path is None or is_plain(path):
        return None
    path = resolve(path)
    known = below(path, facts["readable"])  # not all that the system has: cffi is among that
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
    "fcntl.fcntl": on_fcntl,
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
    "os.rmdir": paths.on_rmdir,
    "os.scandir": paths.on_listing,
    "os.setxattr": paths.on_write_here,
    "os.symlink": paths.on_symlink,
    "os.truncate": paths.on_write_here,
    "os.utime": paths.on_write,
    "resource.prlimit": on_limits,
    "resource.setrlimit": on_limits,
    "safesite.fork_exec": programs.on_fork_exec,
    SIGNAL: on_signal,
    "safesite.status": on_status,
    "socket.__new__": network.on_socket,
    "socket.bind": network.on_bind,
    "socket.connect": network.on_address,
    "socket.getaddrinfo": network.on_getaddrinfo,
    "socket.gethostbyaddr": network.on_gethostbyaddr,
    "socket.gethostbyname": network.on_gethostbyname,
    "socket.sethostname": on_tampering,
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


# What a package can get hold of: the functions below run with other names, and hold nothing but
# what `opaque` makes.  By an exception it sees their frames too, and what is in them.


def hook(
    event: str,
    told: "Any",
    decide: "Any",
    known: "frozenset[str]",
    collect: "Any",
    later: "Any",
) -> None:
    if event == "cpython.PyInterpreterState_Clear":
        signals, signal, leave = later
        try:
            decide(event, told)  # which ends the process, unless there is no room for its frames
        finally:
            leave(1)
    if event in known:
        try:
            refused, _held, end = decide(event, told)
        finally:
            told = None  # a child's variables may be in it, with the key
        if end is not None:
            end()
        signals, signal, _leave = later
        if signals and event != "safesite.signal":
            late = signals[:]
            signals.clear()
            for number in late:
                signal(number)
        if refused is collect:
            collect()  # Python's own collector, which runs finalizers in any frame, is off
        elif refused is not None:
            raise refused


def hidden_by(settle: "Any", prepare: "Any") -> "Any":
    """Return the function that stands in the place of one of Python's."""

    def hidden(*args: "Any", **named: "Any") -> "Any":
        args, named = settle(args, named)
        refused, act = prepare((*args,), (*named.items(),))
        if refused is not None:
            raise refused
        return act()

    return hidden


def handler(signum: int, frame: object, handler: "Any", audit: "Any") -> None:
    try:
        audit("safesite.signal", signum, frame)
    except:  # noqa: E722 - no name is at hand; it is called when the hook has ended
        return
    handler(signum, None)


# What makes objects of the package's into texts, before anything looks at that.  Nothing that these
# return can be changed, but for what is not looked at.


def as_they_are(args: "Any" = (), named: "Any" = None) -> "Any":
    return args, named


def fixed_word(value: "Any", path: "Any", text: "Any", data: "Any") -> "Any":
    value = path(value)
    try:
        return text((value,))
    except:  # noqa: E722 - no name is at hand; it is bytes
        return data((value,))


def name_of(args: "Any", named: "Any", fix: "Any") -> "Any":
    spec, *rest = args
    return (fix(spec.name), *rest), named


def of_exec(args: "Any", named: "Any", fix: "Any") -> "Any":
    for name in ("path", "argv", "env"):
        if name in named:
            args = (*args, named.pop(name))
    path, argv, *rest = args
    for _action in named.pop("file_actions", None) or ():
        return (path, None), named  # it would open files unseen: refused
    try:
        path = fix(path)
    except:  # noqa: E722 - no name is at hand; it may be a descriptor
        argv = [*argv]
    argv = [fix(word) for word in argv]
    if rest and rest[0] is not None:
        rest = [(*[(fix(name), fix(rest[0][name])) for name in rest[0]],)]
    return (path, (*argv,), *rest), named


def of_lookup(args: "Any" = (), named: "Any" = None) -> "Any":
    for name in ("host", "port"):
        if name in named:
            args = (*args, named.pop(name))
    return args, named


def of_system(args: "Any", named: "Any", fix: "Any") -> "Any":
    if "command" in named:
        args = (*args, named.pop("command"))
    return [fix(word) for word in args], named


def of_putenv(args: "Any", named: "Any", fix: "Any") -> "Any":
    return [fix(word) for word in args], named


def of_fork_exec(args: "Any", named: "Any", fix: "Any") -> "Any":
    words, programs, close, keep, cwd, env, *rest = args
    words, programs = [fix(word) for word in words], [fix(program) for program in programs]
    env = env if env is None else (*[fix(entry) for entry in env],)
    cwd = cwd if cwd is None else fix(cwd)
    return ((*words,), (*programs,), close, keep, cwd, env, *rest), named


HANDLER = handler.__code__


def outside(function: "Any", names: "dict[str, Any]", *defaults: "Any") -> "Any":
    """Return a function with other names, which are no way into this file."""
    return FUNCTION(function.__code__, names, function.__name__, defaults or None)


def once(function: "Any", args: "Any", named: "Any") -> "Any":
    """Return what calls a function with these arguments, of which there is one at least, once.

    No Python code is between: what the function calls may look at its frames.
    """
    calls = map(partial(function, **named), *[[arg] for arg in args])
    return opaque(partial(next, calls))


fix = outside(fixed_word, outer, fspath, "".join, b"".join)


def put_before(
    module: "Any", name: str, prepare: "Any", settle: "Any" = as_they_are, original: "Any" = None
) -> None:
    """Have a function of a module, or another, be called with what ``prepare`` makes of arguments.

    ``settle`` comes before that, and may run code of the package.
    """
    original = original or getattr(module, name)

    def prepared(args: "Any", named: "Any") -> "Any":
        if type(args) is not tuple or type(named) is not tuple:
            return on_tampering(args), NOTHING
        for pair in named:
            if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not str:
                return on_tampering(args), NOTHING
        refused, given = prepare(args)
        if refused is not None or given is None:
            return refused, NOTHING
        return None, once(original, given, dict(named))

    first = outside(settle, outer, *(settle.__defaults__ or (fix,)))
    hidden = hidden_by(opaque(first), opaque(prepared))
    replacement = FUNCTION(hidden.__code__, outer, name, None, hidden.__closure__)
    replacement.__qualname__ = name
    replacement.__module__ = module.__name__
    setattr(module, name, replacement)


# Each returns a refusal, or what the function is to be given: None if nothing is left to do.


def prepare_signal(args: "Any") -> "tuple[Refusal, Any]":
    """Give a signal handler no frame, and call it when nothing of this runs."""
    if len(args) != 2 or not issubclass(type(args[0]), int):
        return refusal("this is no signal and its handler (guard)"), None
    number, function = INTEGER(args[0]), args[1]
    if issubclass(type(function), int):  # SIG_DFL, SIG_IGN
        return None, (number, INTEGER(function))
    if function is interrupt or function is polite:
        return None, (number, polite)
    if not callable(function):  # it might become so
        return refusal("a signal's handler cannot be called (guard)"), None
    return None, (number, handler_for(function))


def handler_for(function: "Any", name: str = "handler") -> "Any":
    """Return a signal handler that calls another when nothing of this runs."""
    return opaque(FUNCTION(HANDLER, {"__builtins__": {}}, name, (function, audit)))


polite = handler_for(interrupt, "default_int_handler")


def prepare_builtin(args: "Any") -> "tuple[Refusal, Any]":
    """Make no second one of a module that has been changed; ask for one that is a door."""
    try:
        name = fixed(args[0]).decode()
        audit("import", name, None, None, None, None)
    except BaseException as exc:  # noqa: BLE001 - it is raised where nothing leads to this file
        return plain(exc), None
    return None, (PLAIN_OBJECT(name=name), *args[1:])


def prepare_nothing(args: "Any") -> "tuple[Refusal, Any]":
    """Refuse a function that no build has a use for."""
    return on_tampering(args), None


def replace_starts() -> None:
    """Have what starts programs, and what they are given, be prepared."""
    put_before(_posixsubprocess, "fork_exec", programs.prepare_fork_exec, of_fork_exec)
    vars(sys.modules["subprocess"])["_fork_exec"] = _posixsubprocess.fork_exec  # from 3.11 on
    put_before(posix, "execv", programs.prepare_exec, of_exec, posix.execve)
    for name in ("execve", "posix_spawn", "posix_spawnp"):
        put_before(posix, name, programs.prepare_exec, of_exec)
    put_before(posix, "system", programs.prepare_system, of_system, INTEGER)
    for name in ("putenv", "unsetenv"):
        put_before(posix, name, programs.prepare_putenv, of_putenv)
    if hasattr(posix, "_clearenv"):
        put_before(posix, "_clearenv", programs.prepare_clearenv)


def replace_others() -> None:
    """Have what else an audit hook is not told, or wrongly, be prepared or refused."""
    put_before(_imp, "create_builtin", prepare_builtin, name_of)
    put_before(_signal, "signal", prepare_signal)
    for name in LOOKUPS:
        put_before(_socket, name, network.prepare_lookup, of_lookup)
    for module, name in UNSEEN:
        if hasattr(module, name):
            put_before(module, name, prepare_nothing)
    if get_signal(SIGINT) is interrupt:
        set_signal(SIGINT, polite)
    vars(_signal)["default_int_handler"] = polite


def install() -> None:
    """Put the hook in place: from here on what runs is the package's."""
    replace_starts()
    replace_others()
    for copy, module in (("os", posix), ("socket", _socket), ("signal", _signal)):
        names = vars(sys.modules[copy]) if copy in sys.modules else {}
        for name in REPLACED:
            if name in names and hasattr(module, name):
                names[name] = getattr(module, name)
    if "signal" in sys.modules:
        sys.modules["signal"].signal.__wrapped__ = _signal.signal  # it names what it wraps
    gc.disable()
    gc.enable = outside(as_they_are, outer, (), None)
    later = state["signals"], interrupt_main, _exit
    add_hook(outside(hook, outer, opaque(decide), frozenset(RULES), collect, later))
