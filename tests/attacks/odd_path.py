"""Give a path that is not what it seems: a str that lies, an object whose answer changes."""

import io
import os
import sys

import aim

HARMLESS = aim.put("harmless", "harmless")


class Liar(str):
    """A path that says of itself what is true of another."""

    __slots__ = ()

    def __fspath__(self):
        return HARMLESS

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __hash__(self):
        return hash(HARMLESS)

    def __str__(self):
        return HARMLESS

    def __len__(self):
        return len(HARMLESS)

    def __iter__(self):
        return iter(HARMLESS)

    def __getitem__(self, at):
        return HARMLESS[at]

    def __contains__(self, _part):
        return False

    def __add__(self, other):
        return HARMLESS + str(other)

    __format__ = __mod__ = lambda self, *_: HARMLESS
    encode = lambda self, *_: HARMLESS.encode()
    startswith = lambda self, *_: HARMLESS.startswith(*_)
    endswith = lambda self, *_: HARMLESS.endswith(*_)
    split = lambda self, *_: HARMLESS.split(*_)
    rsplit = lambda self, *_: HARMLESS.rsplit(*_)
    partition = lambda self, *_: HARMLESS.partition(*_)
    rpartition = lambda self, *_: HARMLESS.rpartition(*_)
    replace = lambda self, *_: HARMLESS
    strip = rstrip = lstrip = lower = casefold = lambda self, *_: HARMLESS
    find = lambda self, *_: HARMLESS.find(*_)
    rfind = lambda self, *_: HARMLESS.rfind(*_)
    count = lambda self, *_: HARMLESS.count(*_)


class Bytes(bytes):
    """The same for bytes."""

    __slots__ = ()

    def decode(self, *_):
        return HARMLESS

    def startswith(self, *_):
        return os.fsencode(HARMLESS).startswith(*_)


class Changing:
    """A path that is another one each time."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __fspath__(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Stealing(str):
    """A path that steals when it is looked at, which a guard does while it is busy."""

    __slots__ = ()

    def looked_at(self, *_):
        aim.steal_and_tell()
        return False

    __fspath__ = startswith = endswith = split = encode = __eq__ = __contains__ = looked_at
    __hash__ = str.__hash__


class Wrecking(str):
    """A path that looks who looks at it, and changes what that one knows."""

    __slots__ = ()

    def looked_at(self, *_):
        frame = sys._getframe(1)
        while frame is not None:
            if aim.is_guards(frame.f_globals):
                aim.wreck(frame.f_globals)
                aim.wreck(frame.f_locals)
            frame = frame.f_back
        return HARMLESS

    __fspath__ = startswith = endswith = split = encode = __eq__ = __contains__ = looked_at
    __hash__ = str.__hash__


def in_turns(opened):
    """Try each order of a harmless answer and the secret one, however often it is asked for."""
    failed = None
    for harmless in range(4):
        answers = [HARMLESS] * harmless + [aim.SECRET] + [HARMLESS] * 3
        for changed in (answers, [*answers[:harmless], aim.SECRET]):
            try:
                opened(Changing(*changed))
            except OSError as error:
                failed = error
    if failed:
        raise failed


def descriptor(path):
    aim.take(os.read(os.open(path, os.O_RDONLY), 10_000))


def after(path):
    """Look at a path in each way, and then steal."""
    for opened in (open, os.open, os.listdir, io.open_code, os.remove):
        try:
            opened(path, 0) if opened is os.open else opened(path)
        except (OSError, TypeError, ValueError) as error:
            print(error)
    aim.steal()


def changed_link():
    """Have a path object change a link between check and use."""
    os.symlink(HARMLESS, "link")

    class Switching:
        asked = 0

        def __fspath__(self):
            self.asked += 1
            os.unlink("link")
            os.symlink(aim.SECRET if self.asked > 1 else HARMLESS, "link")
            return "link"

    switching = Switching()
    for _ in range(3):
        try:
            descriptor(switching)
        except OSError as error:
            print(error)
        try:
            aim.take(open(switching, "rb").read())
        except OSError as error:
            print(error)
    aim.read()


class Interrupting(KeyboardInterrupt):
    """An interrupt that is nothing as soon as its traceback is taken away."""

    def with_traceback(self, _traceback):
        return None


class Raising:
    """A path that raises that when it is asked for its class."""

    @property
    def __class__(self):
        raise Interrupting

    def __fspath__(self):
        return aim.SECRET


WAYS = {
    "str": lambda: aim.read(Liar(aim.SECRET)),
    "str to os.open": lambda: descriptor(Liar(aim.SECRET)),
    "str to open_code": lambda: aim.take(io.open_code(Liar(aim.SECRET)).read()),
    "bytes": lambda: aim.read(Bytes(os.fsencode(aim.SECRET))),
    "bytes to os.open": lambda: descriptor(Bytes(os.fsencode(aim.SECRET))),
    "changing": lambda: in_turns(aim.read),
    "changing to os.open": lambda: in_turns(descriptor),
    "changing to a liar": lambda: in_turns(lambda path: aim.read(Liar(os.fspath(path)))),
    "stealing": lambda: after(Stealing(aim.put("other", ""))),
    "wrecking": lambda: after(Wrecking(aim.put("other", ""))),
    "changing link": changed_link,
    "raising": lambda: aim.take(io.FileIO(Raising()).read()),
}
WAYS[aim.VARIANT]()
