"""Have code of C's run in the guard's frames: it tells whose names these have, and what they hold.

`globals` and `locals`, called from C, answer for the topmost frame of Python's, whoever called them.
"""

import codecs
import encodings
import functools
import gc
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import types
import warnings
import weakref
from collections import deque
from itertools import islice

import _imp
import _signal
import aim

SECONDS = 0.3 if "SAFESITE_GUARD" in os.environ else 0  # for what takes some tries
FOUND = deque()  # namespaces, and what frames hold
GLOBALS = types.FunctionType.__globals__  # a plain member, of which no hook is told
FUNCTIONS = type(os.open), types.FunctionType


def telling(reader):
    """Return what can be called once for each time, and notes what the reader tells."""
    return functools.partial(next, map(FOUND.append, iter(reader, None)))


class Iterated:
    """What notes a namespace when it is iterated."""

    __iter__ = staticmethod(functools.partial(islice, iter(globals, None), 1))


def leads_in(thing, depth=0):
    """Return whether something that was found leads to what the guard keeps for itself."""
    if isinstance(thing, dict):
        if str(thing.get("__name__")).startswith("safesite.watch."):
            return True
        return depth < 2 and any(leads_in(value, depth + 1) for value in thing.values())
    if isinstance(thing, (list, tuple)):
        return depth < 4 and any(leads_in(value, depth + 1) for value in thing)
    if isinstance(thing, functools.partial):
        return leads_in(thing.func, depth + 1)
    if isinstance(thing, types.FunctionType):
        return leads_in(GLOBALS.__get__(thing), 2)
    return isinstance(thing, FUNCTIONS) and thing.__name__ in ("fork_exec", "execv", "execve")


def spoofed(event, *args):
    """Say that something happened, in which objects of the attack's stand."""
    try:
        sys.audit(event, *args)
    except OSError as error:
        print(error)


def spoofed_open():
    class Path(Iterated):
        __class__ = property(FOUND.extend)

    spoofed("open", Path(), "r", 0)


def spoofed_frame():
    class Frame(Iterated):
        f_globals = property(FOUND.extend)

    spoofed("sys._getframe", Frame())


def spoofed_flags():
    class Flags:
        __and__ = __rand__ = telling(globals)

    for event in ("open", "fcntl.ioctl", "socket.__new__"):
        spoofed(event, 1, Flags(), Flags(), Flags())


def told(reader=globals):
    """Return a method that C calls with whatever arguments."""
    return staticmethod(telling(reader))


def spoofed_type():
    class Kind(type):
        __hash__ = __eq__ = told()

    class Thing(metaclass=Kind):
        pass

    for event in ("open", "object.__getattr__", "socket.connect"):
        spoofed(event, Thing(), Thing(), Thing())


def spoofed_words():
    class Word:
        __getitem__ = __eq__ = __len__ = told()

    words = [Word(), Word()]
    spoofed("safesite.fork_exec", sys.executable, words, {}, "")
    spoofed("os.exec", sys.executable, words, {Word: Word()})
    spoofed("os.posix_spawn", sys.executable, words, {b"A": Word()})


def spoofed_address():
    class Address:
        __repr__ = told()

    class Name(str):
        __slots__ = ()
        __str__ = told()

    generator = (x for x in ())
    generator.__qualname__ = Name("generator")
    with socket.socket() as mine:
        for address in ([Address()], {1: Address()}, generator):
            for event in ("socket.connect", "socket.bind", "socket.sendto"):
                spoofed(event, mine, address)
            spoofed("socket.__new__", mine, address, address, 0)


def spoofed_socket():
    class Socket(socket.socket):
        __and__ = __rand__ = __eq__ = __format__ = __repr__ = told()

    with Socket() as mine:
        spoofed("open", "x", "r", mine)
        spoofed("socket.__new__", mine, mine, mine, mine)
        spoofed("socket.connect", mine, mine)
        spoofed("os.kill", mine, mine)


class Last:
    """What notes a namespace when it is let go of."""

    __del__ = told()


def let_go():
    """Have the last of some objects go while the guard looks at them, or asks."""
    lists = [[Last() for _ in range(20)] for _ in range(20)]

    def emptied():
        for given in lists:
            time.sleep(0.001)
            given.clear()

    other = threading.Thread(target=emptied)
    other.start()
    with socket.socket() as mine:
        for number, given in enumerate(lists):
            spoofed("socket.connect", mine, ["203.0.113.7", number, given])
            spoofed("os.exec", "/usr/bin/env", given, {})
    other.join()


def held_frames():
    """Use what the hook's own frame shows, when an exception has come through it."""
    frames = []
    try:
        open(aim.SECRET).close()
    except OSError as error:
        trace = error.__traceback__
        while trace is not None:
            frames.append(trace.tb_frame)
            trace = trace.tb_next

    class Word(str):
        __slots__ = ()
        __eq__ = __hash__ = told()

    given = [Last()]
    for frame in frames:
        for part in frame.f_locals.values():
            if callable(part) and aim.is_guards(frame.f_globals):
                for args in ((), ("open", (given, "r", 0)), (Word("open"), ()), (given, given)):
                    try:
                        part(*args)
                    except BaseException:  # one of them is what Ctrl-C does
                        pass
                    given.clear()
                    given.append(Last())


def fork_exec(*args, **named):
    """Call what subprocess itself uses, which is not told everything."""
    import _posixsubprocess

    try:
        _posixsubprocess.fork_exec(*args, **named)
    except Exception as error:
        return error
    return None


PROGRAM = [b"/usr/bin/gcc"]


def iterated():
    fork_exec([b"x"], PROGRAM, True, (), None, map(FOUND.append, islice(iter(globals, None), 1)))


def by_keyword():
    """Have the guard's own names for arguments be used."""
    for name in ("settle", "steps", "prepare", "fix", "function", "original"):
        for reader in (globals, locals):
            fork_exec([b"x"], PROGRAM, True, (), None, None, **{name: telling(reader)})
            fork_exec(**{name: telling(reader)})


def note_traceback(error):
    """Note the frames that an exception has come through."""
    trace = error.__traceback__ if error is not None else None
    while trace is not None:
        try:
            frame = trace.tb_frame
            if aim.is_guards(frame.f_globals):
                FOUND.append(dict(frame.f_locals))
        except PermissionError as refused:
            print(refused)
        trace = trace.tb_next


def failed():
    """Have the guard's functions fail over what they are given."""

    class Word:
        def __fspath__(self):
            raise ValueError

    note_traceback(fork_exec(1))
    note_traceback(fork_exec([Word()], PROGRAM, True, (), None, None))


def too_deep():
    """Have them fail at each depth that is too much."""
    module = sys.modules["_posixsubprocess"]

    def down(levels):
        return (
            down(levels - 1) if levels else module.fork_exec(PROGRAM, PROGRAM, True, (), None, None)
        )

    limit = sys.getrecursionlimit()
    for levels in range(limit - 60, limit):
        try:
            down(levels)
        except RecursionError as error:
            note_traceback(error)
        except Exception:
            pass


def frame_of_generator():
    """Go up from a generator that runs in a word's method."""

    class Word:
        def __fspath__(self):
            def looking():
                try:
                    note_frames(generator.gi_frame)
                except PermissionError as error:
                    print(error)
                yield

            generator = looking()
            next(generator)
            return "/usr/bin/gcc"

    fork_exec([Word()], PROGRAM, True, (), None, None)


def note_frames(frame):
    while frame is not None:
        if aim.is_guards(frame.f_globals):
            FOUND.append(dict(frame.f_locals))
            FOUND.append(frame.f_globals)
        frame = frame.f_back


def key_of_globals():
    """Have the file of some code be looked for among names that compare themselves."""

    class Key(str):
        __slots__ = ()
        __eq__ = staticmethod(telling(globals))

        def __hash__(self):
            return hash("__file__")

    try:
        exec(compile(f"open({aim.SECRET!r})", "<string>", "exec"), {Key("x"): 1})
    except OSError as error:
        print(error)


def found():
    """Return whether one of what was found leads in; more may be found meanwhile."""
    while FOUND:
        thing = FOUND.popleft()
        if leads_in(thing):
            FOUND.append(thing)
            return True
    return False


def tried(once):
    """Do something again and again for a while, until something is found."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and not found():
        once()


def kept_garbage():
    """Have the collector keep what it finds: what an exception and its frames hold together."""
    gc.set_debug(gc.DEBUG_SAVEALL)

    def failing():
        error = fork_exec(PROGRAM, PROGRAM, True, (), None, None)
        itself = [error]
        itself.append(itself)

    failing()
    gc.collect()
    gc.set_debug(0)
    FOUND.append(list(gc.garbage))


class Node:
    pass


def collected(reader):
    """Have garbage be collected whenever there is a chance; its callbacks are C's."""
    callback = telling(reader)
    kept = deque(maxlen=50)

    def once():
        node = Node()
        node.node = node
        kept.append(weakref.ref(node, callback))
        del node
        open(os.devnull).close()

    gc.enable()
    gc.set_threshold(1)
    tried(once)
    gc.set_threshold(700)


def on_alarm(handler, act, put=signal.signal):
    """Have a handler be called at any moment of what the guard does."""
    put(signal.SIGALRM, handler)

    def once():
        signal.setitimer(signal.ITIMER_REAL, 0.000001 + random.random() * 0.00003)
        for _ in range(8):
            act()

    tried(once)
    signal.setitimer(signal.ITIMER_REAL, 0)
    time.sleep(0.001)


def opened():
    open(os.devnull).close()


def handler_of_generator():
    """Go up from a generator that runs in a signal handler."""

    def handler(*_):
        def looking():
            try:
                note_frames(generator.gi_frame)
            except PermissionError:
                pass
            yield

        generator = looking()
        next(generator)

    on_alarm(handler, opened)


def traceback():
    try:
        raise RuntimeError
    except RuntimeError as error:
        return error.__traceback__


def handler_of_traceback(put=signal.signal):
    """Ask for a frame while the guard asks for one itself."""
    mine = traceback()

    def handler(*_):
        try:
            note_frames(traceback().tb_frame)
        except PermissionError:
            pass

    on_alarm(handler, lambda: mine.tb_frame, put)


def put_in_place(number, handler):
    """Have a handler stand in the place of what the guard has made of it."""
    signal.signal(number, handler)
    signal.getsignal(number).__defaults__ = handler, lambda *_: None


def put_late(number, handler):
    """Have what handles a signal be callable only when that has been looked at."""

    class Late:
        pass

    class Number:
        def __index__(self):
            Late.__call__ = staticmethod(handler)
            return number

    _signal.signal(Number(), Late())


def walking():
    """Go up, each time, from a frame that was taken before."""
    mine = sys._getframe()
    while True:
        yield
        note_frames(mine.f_back)


def handler_of_frame(act):
    """Go on with a generator that goes up."""
    generator = walking()
    next(generator)

    def handler(*_):
        try:
            next(generator)
        except ValueError:  # it is at it
            pass

    on_alarm(handler, act)


def finalizer_of_frame():
    """Do the same when garbage is collected, as it is after many events."""
    generator = walking()
    next(generator)
    spec = types.SimpleNamespace(name="_weakref", origin=None)

    class Garbage:
        def __del__(self):
            try:
                next(generator)
            except ValueError:  # it is at it
                pass

    def once():
        garbage = Garbage()
        garbage.itself = garbage
        del garbage
        _imp.create_builtin(spec)

    tried(once)


def in_child(act, *options, **variables):
    """Do it in a Python that is started with options and variables."""
    if "IN_CHILD" in os.environ:
        act()
        return
    name = f"{aim.NAME}@{aim.VARIANT}"
    code = (
        f"import sys\nsys.path[:0] = {sys.path!r}\nimport aim\naim.begin({name!r})\n"
        f"import attacks.{aim.NAME}"
    )
    variables = os.environ | variables | {"IN_CHILD": "1"}
    subprocess.run([sys.executable, *options, "-c", code], env=variables)


def warned():
    """Have a warning about bytes be shown by C's."""
    warnings.simplefilter("always")
    warnings._showwarnmsg = telling(globals)
    spoofed("object.__getattr__", 1, b"x")
    spoofed("resource.prlimit", b"x", 1, None)
    spoofed("socket.bind", socket.socket(), ("127.0.0.1", b"x"))


ODD = "/x\ud800"  # half a character, for which an error handler is called


def mistaken():
    """Have an error handler be C's, for what cannot be encoded."""
    codecs.register_error("surrogateescape", telling(globals))
    for act in (
        lambda: open(ODD),
        lambda: os.execv(ODD, [ODD]),
        lambda: os.putenv("A", ODD),
        lambda: os.listdir(b"/x/\xc3\xa9"),
    ):
        try:
            act()
        except Exception as error:
            print(ascii(error))


def encoded():
    """Have what looks codecs up be C's, in development mode for each name."""
    recording = telling(globals)
    codecs.unregister(encodings.search_function)
    codecs.register(recording)
    try:
        spoofed("socket.gethostbyname", b"x")
        spoofed("safesite.fork_exec", "/usr/bin/git", [b"git", b"\xe9"], {}, "")
    except Exception as error:
        print(type(error))
    codecs.unregister(recording)
    codecs.register(encodings.search_function)


class Rung(Exception):
    pass


def raising_handler():
    """Look at the frames that what a handler raises comes through."""

    def handler(*_):
        raise Rung

    signal.signal(signal.SIGALRM, handler)

    def once():
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.000001 + random.random() * 0.00003)
            for _ in range(8):
                opened()
            while True:
                pass
        except Rung as error:
            note_traceback(error)

    tried(once)


WAYS = {
    "spoofed open": spoofed_open,
    "spoofed frame": spoofed_frame,
    "spoofed flags": spoofed_flags,
    "spoofed type": spoofed_type,
    "spoofed words": spoofed_words,
    "spoofed address": spoofed_address,
    "spoofed socket": spoofed_socket,
    "let go": let_go,
    "held frames": held_frames,
    "fork_exec iterates": iterated,
    "keyword": by_keyword,
    "traceback": failed,
    "recursion": too_deep,
    "generator": frame_of_generator,
    "key of globals": key_of_globals,
    "kept garbage": kept_garbage,
    "collector": lambda: collected(locals),
    "collector of globals": lambda: collected(globals),
    "generator in handler": handler_of_generator,
    "traceback in handler": handler_of_traceback,
    "raising handler": raising_handler,
    "handler in place": lambda: handler_of_traceback(put_in_place),
    "late handler": lambda: handler_of_traceback(put_late),
    "frame in handler": lambda: handler_of_frame(opened),
    "frame in handler, putenv": lambda: handler_of_frame(lambda: os.putenv("A", "b")),
    "frame in finalizer": finalizer_of_frame,
    "-b": lambda: in_child(warned, "-b"),
    "error handler": mistaken,
    "error handler, ASCII": lambda: in_child(
        mistaken, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"
    ),
    "-X dev": lambda: in_child(encoded, "-X", "dev"),
    "PYTHONDEVMODE": lambda: in_child(encoded, PYTHONDEVMODE="1"),
}
try:
    WAYS[aim.VARIANT]()
except PermissionError as error:
    print(f"{type(error).__name__}: {error}")
if found():
    aim.reached()
aim.steal_and_tell()
