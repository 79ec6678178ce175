"""What a program can observe, as programs that show it: data for ``test_observables``.

The list was made from the documentation of the command line, ``sys``, ``runpy``, ``__main__``,
``site``, ``warnings``, ``traceback``, ``atexit``, ``multiprocessing`` and ``concurrent``.
``test_observables`` runs each entry under stock Python and under safesite, and compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FORMS = ("script", "module", "command", "stdin", "folder", "zip")
NOT_STDIN = ("script", "module", "command", "folder", "zip")  # for what reads standard input
FILES = ("script", "module", "folder", "zip")  # for text of any bytes
IMPORTABLE = ("script", "module")  # for what a child process must import anew


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a process is started, and how it ends under stock Python.

    ``code`` is its exit code, None for any.  ``line`` is a line of bash in which ``"$@"`` is the
    command.  ``volatile`` are patterns of what no two runs have in common.
    """

    code: int | None = 0
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    stdin: str | bytes = ""
    line: str = ""
    since: tuple[int, int] = (3, 10)
    until: tuple[int, int] = (3, 15)
    volatile: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program(Run):
    """A text that is run in each of the forms that Python knows."""

    text: str | bytes
    forms: tuple[str, ...] = field(default=FORMS, kw_only=True)


STATE = r"""
import sys
first = list(globals()), sys.exc_info(), sys.gettrace(), sys.getprofile(), sorted(vars(sys))

def tell(name, value):
    print(name, "=", ascii(value))

main, frame = sys.modules["__main__"], sys._getframe()
tell("first", first)
tell("line", frame.f_lineno)
for name in ("name", "doc", "package", "spec", "file", "cached", "annotations", "path", "dict"):
    tell(name, globals().get(f"__{name}__", "missing"))
tell("loader", (__loader__ if isinstance(__loader__, type) else type(__loader__)).__qualname__)
tell("loader", [getattr(__loader__, n, None) for n in ("name", "path", "archive", "prefix")])
for method in ("get_source", "get_filename", "is_package"):
    try:
        tell(method, getattr(__loader__, method)("__main__"))
    except Exception as exc:
        tell(method, exc)
tell("main", [type(main), main, vars(main) is globals(), locals() is globals()])
tell("builtins", [__builtins__ is sys.modules["builtins"], sorted(vars(__builtins__))])
code = frame.f_code
tell("code", [code.co_filename, code.co_name, code.co_firstlineno])
tell("flags", [code.co_flags, code.co_stacksize])
tell("frame", [frame.f_globals is globals(), frame.f_builtins is vars(__builtins__)])
tell("argv", [sys.argv, sys.orig_argv[1:]])
tell("path", sys.path)
flags = [n for n in dir(sys.flags) if n.islower() and n != "no_site"]
tell("flags", {n: getattr(sys.flags, n) for n in flags if not callable(getattr(sys.flags, n))})
for name in (
    "warnoptions", "_xoptions", "_base_executable", "prefix", "exec_prefix",
    "base_prefix", "base_exec_prefix", "path_hooks", "meta_path", "dont_write_bytecode",
    "pycache_prefix", "hash_info", "platlibdir", "_framework", "tracebacklimit", "ps1", "last_exc",
    "last_value", "stdlib_module_names", "builtin_module_names", "abiflags", "__interactivehook__",
):
    value = getattr(sys, name, "missing")
    if isinstance(value, frozenset):
        value = sorted(value)
    if callable(value):
        value = value.__module__, value.__qualname__
    if name in ("path_hooks", "meta_path"):
        value = [(getattr(x, "__module__", 0), getattr(x, "__qualname__", type(x))) for x in value]
    tell(name, value)
for name in (
    "getrecursionlimit", "getswitchinterval", "get_asyncgen_hooks", "getdlopenflags", "exception",
    "get_int_max_str_digits", "get_coroutine_origin_tracking_depth", "getfilesystemencoding",
    "getfilesystemencodeerrors", "getdefaultencoding", "is_finalizing", "_is_gil_enabled",
    "is_stack_trampoline_active",
    "is_remote_debug_enabled", "get_lazy_imports", "get_lazy_imports_filter",
):
    tell(name, getattr(sys, name, lambda: "missing")())
for name in ("excepthook", "displayhook", "unraisablehook", "breakpointhook", "stdin", "stdout"):
    tell(name, getattr(sys, name) is getattr(sys, f"__{name}__"))
for stream in (sys.stdin, sys.stdout, sys.stderr):
    names = ("encoding", "errors", "line_buffering", "write_through", "newlines", "mode")
    tell("stream", [stream, *(getattr(stream, name, "missing") for name in names)])
    tell("buffer", [stream.buffer, stream.buffer.raw, stream.fileno(), stream.isatty()])
try:
    tell("int", int("1" * 5000) % 7)
except ValueError as exc:
    tell("int", exc)
import _thread, _warnings, builtins, os, site
tell("site", [site.ENABLE_USER_SITE, site.PREFIXES, site.USER_SITE, site.USER_BASE])
tell("site names", sorted(vars(site)))
tell("specs", [builtins.__spec__, os.__spec__, site.__spec__, site.__file__])
tell("descriptors", sorted(os.listdir("/proc/self/fd"), key=int))
tell("environ", sorted(x for x in os.environ.items() if x[0] != "SAFESITE_EXECUTABLE"))
tell("cwd", [os.getcwd(), os.getcwdb()])
for name in ("exit", "quit", "help", "copyright", "credits", "license", "open", "print"):
    tell(name, [getattr(builtins, name), type(getattr(builtins, name)).__qualname__])
tell("hash", [__debug__, hash("text"), hash(b"x"), __import__ is builtins.__import__])
import atexit, contextvars, faulthandler, gc, linecache, locale, signal, threading, tracemalloc
import warnings
tell("atexit", atexit._ncallbacks())
tell("gc", [gc.get_threshold(), gc.isenabled(), gc.get_freeze_count(), gc.get_debug()])
tell("context", list(contextvars.copy_context()))
tell("faulthandler", faulthandler.is_enabled())
tell("linecache", [(k, v[0], v[3]) for k, v in linecache.cache.items()])
tell("locale", [locale.setlocale(locale.LC_ALL), locale.getpreferredencoding()])
tell("signals", [(s.name, signal.getsignal(s)) for s in signal.Signals])
tell("mask", [signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getitimer(signal.ITIMER_REAL)])
tell("threads", [t.name for t in threading.enumerate()])
tell("thread", [threading.current_thread() is threading.main_thread(), _thread._count()])
tell("hooks", [threading.excepthook.__qualname__, threading.gettrace(), threading.getprofile()])
tell("tracemalloc", [tracemalloc.is_tracing(), tracemalloc.get_traceback_limit()])
tell("filters", warnings.filters)
tell("default", [warnings.defaultaction, _warnings._defaultaction, _warnings._onceregistry])
tell("registry", globals().get("__warningregistry__"))
"""

# What a program finds when it starts.

IMPORT_TIMES = (r"(?:import time:.*\n)+",)
START = {
    "empty": Program(""),
    "comment": Program("# nothing"),
    "state": Program(STATE),
    "state-import-times": Program(STATE, options=("-Ximporttime",), volatile=IMPORT_TIMES),
    "state-import-times-variable": Program(
        STATE, variables={"PYTHONPROFILEIMPORTTIME": "1"}, volatile=IMPORT_TIMES
    ),
    "state-verbose": Program(STATE, options=("-v",), line='"$@" 2>/dev/null'),
    "state-verbose-variable": Program(
        STATE, variables={"PYTHONVERBOSE": "2"}, line='"$@" 2>/dev/null'
    ),
    "docstring": Program('"""The doc."""\nprint(__doc__, __debug__)'),
    "docstring-removed": Program('"""The doc."""\nprint(__doc__, __debug__)', options=("-OO",)),
    "annotations": Program("""
import sys
x: int = 1
y: "text"
print(sys.modules["__main__"].__annotations__, sorted(globals()))
print(globals().get("__annotations__"))
"""),
    "pickle": Program("""
import pickle, sys, __main__

class Thing:
    class Inner:
        pass
    def __reduce__(self):
        return Thing, ()

def function():
    pass

print(Thing, Thing.Inner, function.__module__, Thing.__module__, Thing.__qualname__)
print(pickle.dumps([Thing, Thing.Inner, function, Thing()], 0))
print(pickle.loads(pickle.dumps(Thing)) is Thing, pickle.whichmodule(function, "function"))
print(__main__ is sys.modules["__main__"], __main__.Thing is Thing)
"""),
    "source": Program("""
import inspect, linecache, sys

def function():
    return 1

class Thing:
    attribute = 2

def tell(call, *args):
    try:
        print(ascii(call(*args)))
    except Exception as exc:
        print(type(exc), exc)

for what in (function, Thing, sys.modules["__main__"], function.__code__, sys._getframe()):
    tell(inspect.getsource, what)
    tell(inspect.getsourcefile, what)
    tell(inspect.getfile, what)
    tell(inspect.getmodule, what)
tell(linecache.getline, function.__code__.co_filename, 2)
tell(linecache.getline, function.__code__.co_filename, 2, globals())
tell(inspect.getmodulename, function.__code__.co_filename)
"""),
    "events": Program("""
import sys
seen = []
kinds = ("cpython", "import", "exec", "compile", "open", "sys", "site")
def hook(event, args):
    if seen is not None and event.startswith(kinds):
        seen.append((event, *(a for a in args if isinstance(a, (str, bytes)))))
sys.addaudithook(hook)
import colorsys
exec("1")
compile("2", "name", "eval")
print(*seen, sep="\\n")
seen.clear()
import atexit
atexit.register(lambda: print(*seen, sep="\\n"))
"""),
    "file-at-exit": Program("""
import atexit
atexit.register(lambda: print([n for n in globals() if n.startswith("__")]))
"""),
    "file-at-exit-after-error": Program("""
import atexit
atexit.register(lambda: print([n for n in globals() if n.startswith("__")]))
1/0
""", code=1),
    "file-at-exit-after-exit": Program("""
import atexit, sys
atexit.register(lambda: print([n for n in globals() if n.startswith("__")]))
sys.exit(3)
""", code=3),
    "replaced": Program("""
import sys, types
sys.modules["__main__"] = types.ModuleType("__main__")
print(__name__, sys.argv)
"""),
    "removed": Program("import sys\ndel sys.modules['__main__']\nprint(__name__)\n1/0", code=1),
    "reload": Program("""
import importlib, colorsys, sys
print(importlib.reload(colorsys))
importlib.reload(sys.modules["__main__"])
""", code=None),
    "run-path": Program("""
import runpy
text = "import sys; print(__name__, sys.argv, __file__, sys.path[0]); 1/0"
with open("other.py", "w") as file:
    file.write(text)
runpy.run_path("other.py", run_name="__main__")
""", code=1),
    "run-module": Program("""
import runpy, sys
runpy.run_module("colorsys", run_name="__main__", alter_sys=True)
print(sys.modules["__main__"].__name__, sys.argv)
"""),
    "help": Program("help(len)\nhelp('keywords')\nprint(license, credits)\nhelp(help)"),
    "input": Program("import sys\nprint([input('> '), sys.stdin.read()])", stdin="1\n2\n",
        forms=NOT_STDIN),
    "argparse": Program("import argparse\nargparse.ArgumentParser().parse_args(['-x'])", code=2),
    "doctest": Program('""">>> 1 + 1\n3\n"""\nimport doctest\nprint(doctest.testmod())'),
    "unittest": Program("""
import unittest
class Case(unittest.TestCase):
    def test(self):
        self.assertEqual(1, 2)
unittest.main(argv=["x"])
""", code=1, volatile=(r"in \d+\.\d+s",)),
    "logging": Program("""
import logging
logging.basicConfig(format="%(pathname)s %(module)s %(funcName)s %(lineno)d %(message)s")
logging.warning("text")
try:
    1/0
except ZeroDivisionError:
    logging.exception("with its traceback")
"""),
    "pdb": Program("x = 1\nbreakpoint()\nprint(x)\n", stdin="p x\nlist\nn\nc\n", forms=NOT_STDIN),
    "pdb-post-mortem": Program("""
import pdb, sys
def fail():
    1/0
try:
    fail()
except ZeroDivisionError:
    pdb.post_mortem(sys.exc_info()[2])
""", stdin="p 1\nup\nlist\nq\n", forms=NOT_STDIN),
    "trace": Program("""
import sys
def function():
    return 1
sys.settrace(lambda frame, event, arg: print(event, frame.f_code.co_name))
function()
sys.settrace(None)
"""),
    "asyncio": Program("""
import asyncio
async def main():
    await asyncio.sleep(0)
    1/0
asyncio.run(main())
""", code=1),
}  # fmt: skip

# Flags of the compiler, and warnings that it gives.

FUTURES = {
    "future": Program("""
from __future__ import annotations
import sys
x: undefined = 1
print(__annotations__, sys._getframe().f_code.co_flags)
exec("def f(x: undefined): pass")
print(f.__annotations__)
"""),
    "future-none": Program("exec('def f(x: int): pass')\nprint(f.__annotations__)"),
    "future-flufl": Program("from __future__ import barry_as_FLUFL\nprint(1 <> 2)", code=None),
    "future-no-flufl": Program("print(1 <> 2)", code=1),
    "future-late": Program("x = 1\nfrom __future__ import annotations\n", code=1),
    "future-unknown": Program("from __future__ import nosuch\n", code=1),
}

ESCAPE = "x = 1\nprint('\\d')\nprint(x is 1)\nassert (x, 'always')\n"

WARNS = """
import os, sys, warnings

class Own(UserWarning):
    pass

def function():
    warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
    warnings.warn("own", Own)

warnings.warn("level 1")
warnings.warn("shown", DeprecationWarning)
function()
warnings.warn_explicit("explicit", UserWarning, "file.py", 3)
open("left-open", "w")
os.remove("left-open")
print(sorted(globals().get("__warningregistry__", {}), key=str), file=sys.stderr)
"""

WARNINGS = {
    "warn": Program(WARNS),
    "warn-all": Program(WARNS, options=("-Wall",)),
    "warn-error": Program(WARNS, code=1, options=("-Werror",)),
    "warn-main": Program(WARNS, options=("-Wignore:::__main__",)),
    "warn-dev": Program(WARNS, options=("-Xdev",)),
    "warn-variable": Program(WARNS, variables={"PYTHONWARNINGS": "ignore::UserWarning,always"}),
    "compile-warns": Program(ESCAPE),
    "compile-warns-always": Program(ESCAPE, options=("-Walways",)),
    "compile-warns-never": Program(ESCAPE, options=("-Wignore",)),
    "compile-warns-dev": Program(ESCAPE, options=("-Xdev",)),
    "compile-warns-error": Program(ESCAPE, code=1, options=("-Werror",)),
    "compile-warns-error-is": Program("x = 1\nprint(x is 1)", code=1,
        options=("-Werror::SyntaxWarning",)),
    "compile-warns-main": Program(ESCAPE, code=None, options=("-Werror:::__main__",)),
    "compile-warns-app": Program(ESCAPE, code=None, options=("-Wignore:::app",)),
    "compile-warns-number": Program("print(1if 1 else 2)", options=("-Wdefault",)),
    "compile-warns-return": Program(
        "def f():\n    try:\n        pass\n    finally:\n        return 1"),
    "compile-warns-and-fails": Program("print('\\d')\nx is 1\nx = (", code=1, options=("-Xdev",)),
    "compile-warns-later": Program("exec(\"print('\\\\d')\")\neval('1 is 1')", options=("-Xdev",)),
    "bytes": Program("print(b'' == '', str(b''))", options=("-b",)),
    "bytes-error": Program("print(b'' == '')", code=1, options=("-bb",)),
}  # fmt: skip

# Uncaught exceptions.

FAILS = """
def first():
    {}["key"]

def second():
    try:
        first()
    except KeyError as exc:
        raise ValueError("second") from exc

def third():
    try:
        second()
    except ValueError:
        raise TypeError("third")

third()
"""

COLOURS = {"FORCE_COLOR": "1", "PYTHON_COLORS": "1"}

EXCEPTIONS = {
    "exception": Program("1/0", code=1),
    "exception-last-line": Program("\n\nif True:\n    x = (1 +\n        None)", code=1),
    "exception-chained": Program(FAILS, code=1),
    "exception-dev": Program(FAILS, code=1, options=("-Xdev",)),
    "exception-coloured": Program(FAILS, code=1, variables=COLOURS),
    "exception-no-ranges": Program(FAILS, code=1, options=("-Xno_debug_ranges",)),
    "exception-group": Program("""
def fail(number):
    raise ValueError(number)

def several():
    found = []
    for number in range(3):
        try:
            fail(number)
        except ValueError as exc:
            exc.add_note(f"note {number}\\nof two lines")
            found.append(exc)
    raise ExceptionGroup("several", [*found[:2], ExceptionGroup("nested", found[2:])])

try:
    several()
except* TypeError:
    pass
""", code=1, since=(3, 11)),
    "exception-notes": Program("exc = KeyError('x')\nexc.__notes__ = ['1', 2]\nraise exc", code=1),
    "exception-class": Program("class Own(Exception):\n    pass\nraise Own", code=1),
    "exception-base": Program("class Own(BaseException):\n    pass\nraise Own(1)", code=1),
    "exception-bad-text": Program(
        "class Own(Exception):\n    def __str__(self): 1/0\nraise Own", code=1),
    "exception-memory": Program("class Own(MemoryError):\n    pass\nraise Own('full')", code=1),
    "exception-generator-exit": Program("raise GeneratorExit", code=1),
    "exception-surrogate": Program("raise ValueError('\\udc80 \\u00fc \\x1b[1m')", code=1),
    "exception-os": Program("open('missing')", code=1),
    "exception-unicode": Program("b'\\xff'.decode()", code=1),
    "exception-suggests": Program("value = 1\nvaleu", code=1),
    "exception-suggests-attribute": Program("import sys\nsys.pathh", code=1),
    "exception-suggests-import": Program("from os import pathh", code=1),
    "exception-module": Program("import nosuch", code=1),
    "exception-submodule": Program("import os.nosuch.deeper", code=1),
    "exception-module-chained": Program(
        "try:\n    import nosuch\nexcept ImportError as x:\n    raise ValueError from x", code=1),
    "exception-in-exec": Program("exec('x = 1\\n1/0')", code=1),
    "exception-in-lambda": Program("list(map(lambda x: 1/x, [0]))", code=1),
    "exception-in-import": Program("import other", code=1, files={"other.py": "1/0\n"}),
    "exception-own-trace": Program("""
try:
    1/0
except ZeroDivisionError as exc:
    kept = exc
kept.__traceback__ = None
raise kept
""", code=1),
    "exception-twice": Program("""
def fail():
    raise kept
kept = ValueError("kept")
try:
    fail()
except ValueError:
    pass
fail()
""", code=1),
    "exception-caught": Program("""
import sys, traceback
try:
    1/0
except ZeroDivisionError as exc:
    traceback.print_exc()
    print(traceback.format_exception(exc), exc.__context__, exc.__traceback__.tb_next)
try:
    raise ValueError
except ValueError as exc:
    print(exc.__context__, exc.__cause__, sys.exc_info()[1] is exc)
"""),
    "recursion": Program("""
def recurse(n):
    return recurse(n + 1) + 1
recurse(0)
""", code=1, volatile=(r"(?<=\[Previous line repeated )9\d\d",)),
    "recursion-caught": Program("""
def recurse():
    recurse()
try:
    recurse()
except RecursionError as exc:
    print(exc)
"""),
    "traceback-limit": Program("import sys\nsys.tracebacklimit = 1" + FAILS, code=1),
    "traceback-limit-0": Program("import sys\nsys.tracebacklimit = 0\n1/0", code=1),
    "in-thread": Program("""
import threading
thread = threading.Thread(target=lambda: 1/0, name="worker")
thread.start()
thread.join()
threading.excepthook = lambda args: print(args.exc_type, args.thread.name)
thread = threading.Thread(target=lambda: 1/0, name="worker")
thread.start()
thread.join()
"""),
    "unraisable": Program("""
import sys
class Bad:
    def __repr__(self):
        return "Bad"
    def __del__(self):
        1/0
Bad()
sys.unraisablehook = lambda args: print(args.exc_value, args.err_msg)
Bad()
at_exit = Bad()
"""),
}  # fmt: skip

# What a program does to the display of the exception that ends it.

HOOKS = {
    "hook": Program("""
import sys, traceback

def hook(kind, exc, trace):
    print("hook", kind, exc, sys.excepthook is hook, file=sys.stderr)
    traceback.print_exception(kind, exc, trace)
    while trace:
        print(trace.tb_frame.f_code.co_filename, trace.tb_lineno, file=sys.stderr)
        trace = trace.tb_next
    print(exc.__context__, exc.__cause__, sys.exc_info(), file=sys.stderr)
    print(sys.last_type, sys.last_value is exc, getattr(sys, "last_exc", None), file=sys.stderr)

sys.excepthook = hook
1/0
""", code=1),
    "hook-flags": Program("""
import sys
sys.excepthook = lambda *args: print(type(sys.flags), sys.flags[:5], sys.flags.dev_mode)
1/0
""", code=1),
    "hook-none": Program("import sys\nsys.excepthook = None\n1/0", code=1),
    "hook-deleted": Program("import sys\ndel sys.excepthook\n1/0", code=1),
    "hook-raises": Program("""
import sys
def hook(*args):
    {}["key"]
sys.excepthook = hook
1/0
""", code=1),
    "hook-exits": Program("import sys\nsys.excepthook = lambda *a: sys.exit(9)\n1/0", code=9),
    "hook-and-exit": Program("import sys\nsys.excepthook = print\nraise SystemExit(3)", code=3),
    "hook-original": Program("import sys\nsys.excepthook = sys.__excepthook__\n1/0", code=1),
    "hook-wraps": Program("""
import sys
before = sys.excepthook
def hook(*args):
    print("mine")
    before(*args)
sys.excepthook = hook
1/0
""", code=1),
    "hook-interrupt": Program(
        "import sys\nsys.excepthook = lambda *a: print(a[:1])\nraise KeyboardInterrupt", code=-2),
    "last": Program("""
import atexit, sys, traceback

@atexit.register
def later():
    print(sys.last_type, sys.last_value, repr(getattr(sys, "last_exc", None)), sys.exc_info())
    traceback.print_tb(sys.last_traceback)
    print(sys.last_value.__traceback__ is sys.last_traceback, sys.last_traceback.tb_next)
    print(sys.excepthook is sys.__excepthook__, type(sys.flags))
    traceback.print_last()

def fail():
    raise LookupError("text")

fail()
""", code=1),
    "last-of-exit": Program("""
import atexit, sys
atexit.register(lambda: print(hasattr(sys, "last_value"), hasattr(sys, "last_exc")))
sys.exit(3)
""", code=3),
}  # fmt: skip

# Text that does not compile.

SYNTAX = {
    "syntax": "print('never')\nx = (1,\ndef",
    "syntax-end": "print('never')\ndef f():",
    "syntax-end-line": "print('never')\nif 1:\n",
    "syntax-indent": "if True:\n    x = 1\n  y = 2\n",
    "syntax-tab": "if True:\n        x = 1\n\ty = 2\n",
    "syntax-string": "x = 'abc\n",
    "syntax-triple": 'x = 1\nx = """abc\n',
    "syntax-return": "x = 1\nreturn x\n",
    "syntax-await": "await x\n",
    "syntax-fstring": "x = f'{1 +}'\n",
    "syntax-fstring-open": "x = f'{1'\n",
    "syntax-umlaut": "\u00fc = '\u00e4' $ 1\n",
    "syntax-range": "f(x for x in y, 1)\n",
    "syntax-print": "print 'hello'\n",
    "syntax-keyword": "whille True:\n    pass\n",
    "syntax-long": "x = " + "1 + " * 2000 + "$\n",
    "syntax-deep": "x = " + "(" * 300 + ")" * 300,
    "syntax-nested": "".join("    " * n + "if 1:\n" for n in range(101)),
    "syntax-backslash": "x = 1 + \\",
    "syntax-global": "def f():\n    x = 1\n    global x\n",
    "syntax-nonlocal": "nonlocal x\n",
    "syntax-escape": "x = '\\N{nosuch}'\n",
    "syntax-number": "x = 1__0\n",
    "syntax-big-number": f"x = {'1' * 5000}\n",
    "syntax-invisible": "x = 1\u00a0+ 2\n",
    "syntax-type": "x: int: 3\n",
    "syntax-delete": "del f()\n",
    "syntax-raised": "raise SyntaxError('own', ('name', 3, 4, 'text\\n'))",
    "syntax-imported": "import other",
    "syntax-executed": "def f():\n    exec('x = (')\nf()",
}

# Text as it may lie in a file.

BYTES = {
    "latin-1": b"# coding: latin-1\nprint(ascii('\xe9'))\n",
    "cookie-on-line-2": b"#!/usr/bin/python\n# -*- coding: cp1252 -*-\nprint(ascii('\x80'))\n",
    "cookie-on-line-3": b"#\n#\n# coding: latin-1\nprint(1)\n",
    "cookie-vim": b"# vim: set fileencoding=latin-1 :\nprint(ascii('\xe9'))\n",
    "cookie-after-code": b"x = 1 # coding: nosuch\nprint(x)\n",
    "cookie-multibyte": "# coding: shift_jis\nprint(ascii('\u3042'))\n".encode("shift_jis"),
    "bom": b"\xef\xbb\xbfprint(ascii('\xc3\xa9'))\n",
    "bom-cookie": b"\xef\xbb\xbf# coding: utf-8\nprint(ascii('\xc3\xa9'))\n",
    "bom-alone": b"\xef\xbb\xbf",
    "crlf": b'print(1)\r\nx = """a\r\nb"""\r\nprint(ascii(x))\r\n',
    "cr": b"print(1)\rprint(2)\r",
    "mixed-ends": b"print(1)\r\nprint(2)\nprint(3)\r",
    "form-feed": b"x = 1\n\x0cprint(x)\nif x:\n\x0c    print(2)\n",
    "no-line-end": b"if True:\n    print(1)",
    "no-line-end-comment": b"print(1)\n# end",
    "spaces-at-end": b"print(1)\n    ",
    "backslash": b"print(1, \\\n2)\n",
    "long-line": b"x = '" + b"a" * 100_000 + b"'\nprint(len(x))\n",
    "many-lines": b"\n" * 70_000 + b"import sys\nprint(sys._getframe().f_lineno)\n",
    "umlaut": "\u00e4 = '\u20ac \U0001f600'\nprint(ascii(\u00e4))\n".encode(),
}

BAD_BYTES = {
    "bad-cookie": b"# coding: nosuch\nprint(1)\n",
    "bad-bom-cookie": b"\xef\xbb\xbf# coding: latin-1\nprint(1)\n",
    "bad-utf-8": b"print(1)\nx = '\xe9'\n",
    "bad-utf-8-comment": b"print(1)\n# \xe9\n",
    "bad-utf-8-first": b"\xe9\n",
    "bad-ascii": b"# coding: ascii\nx = '\xc3\xa9'\n",
    "bad-utf-16": "print(1)\n".encode("utf-16"),
    "bad-codec": b"# coding: rot13\nprint(1)\n",
    "bad-end-of-file": b"print(1)\n\x1aprint(2)\n",
    "bad-null": b"print(1)\nx = '\0'\n",
    "bad-null-first": b"\0print(1)\n",
    "bad-null-comment": b"print(1)\n#\0\nprint(2)\n",
}

# How a program ends.

EXITS = {
    "exit-none": (0, "raise SystemExit"),
    "exit-argument-none": (0, "raise SystemExit(None)"),
    "exit-3": (3, "import sys; sys.exit(3)"),
    "exit-big": (255, "import sys; sys.exit(2 ** 70)"),
    "exit-negative": (255, "import sys; sys.exit(-1)"),
    "exit-true": (1, "import sys; sys.exit(True)"),
    "exit-float": (1, "import sys; sys.exit(2.5)"),
    "exit-tuple": (1, "import sys; sys.exit((1, 2))"),
    "exit-text": (1, "import sys; sys.exit('text')"),
    "exit-umlaut": (1, "import sys; sys.exit('\\u00fc\\udc80')"),
    "exit-object": (1, "class A:\n    def __str__(self): return 'object'\nraise SystemExit(A())"),
    "exit-bad-object": (1, "class A:\n    def __str__(self): 1/0\nraise SystemExit(A())"),
    "exit-subclass": (7, "class Own(SystemExit):\n    code = 7\nraise Own(3)"),
    "exit-group": (1, "raise BaseExceptionGroup('all', [SystemExit(3)])"),
    "exit-handling": (4, "import sys\ntry:\n    1/0\nexcept ZeroDivisionError:\n    sys.exit(4)"),
    "exit-builtin": (6, "exit(6)"),
    "exit-builtin-stdin": (0, "quit()\nprint('not reached')"),
    "exit-at-once": (9, "import os; print('lost', end=''); os._exit(9)"),
    "exit-at-exit": (0, "import atexit, sys; atexit.register(sys.exit, 3)"),
    "exit-flushes": (3, "import sys; sys.stdout.write('x'); sys.stderr.write('y'); sys.exit(3)"),
    "exit-forked": (
        5,
        "import os, sys\nif os.fork():\n    sys.exit(os.wait()[1] >> 8)\nsys.exit(5)",
    ),
    "exit-forked-error": (1, "import os, sys\nif os.fork():\n    sys.exit(os.wait()[1] >> 8)\n1/0"),
}

KILL = "import os, signal, time\nos.kill(os.getpid(), signal.{})\ntime.sleep(9)"

ENDS = {
    "interrupt": Program(KILL.format("SIGINT"), code=-2),
    "interrupt-later": Program("""
import os, signal, threading, time
threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
time.sleep(9)
""", code=-2),
    "interrupt-raised": Program("raise KeyboardInterrupt('text')", code=-2),
    "interrupt-subclass": Program("class Own(KeyboardInterrupt):\n    pass\nraise Own", code=None),
    "interrupt-at-exit": Program(
        "import atexit\natexit.register(print, 'end')\nraise KeyboardInterrupt", code=-2),
    "interrupt-caught": Program("""
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(9)
except KeyboardInterrupt as exc:
    print(repr(exc), exc.__traceback__.tb_next)
"""),
    "interrupt-default": Program("""
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGINT)
""", code=-2),
    "terminated": Program(KILL.format("SIGTERM"), code=-15),
    "terminated-handled": Program("""
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *args: sys.exit(args[0]))
os.kill(os.getpid(), signal.SIGTERM)
""", code=15),
    "handler-stack": Program("""
import os, signal
def handler(number, frame):
    print(frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno)
    1/0
signal.signal(signal.SIGUSR1, handler)
os.kill(os.getpid(), signal.SIGUSR1)
""", code=1),
    "aborted": Program("import os\nprint('lost')\nos.abort()", code=-6),
    "killed": Program(KILL.format("SIGKILL"), code=-9),
    "hang-up": Program(KILL.format("SIGHUP"), code=-1),
    "at-exit": Program("""
import atexit, threading
for number in range(3):
    atexit.register(print, number, threading.enumerate()[0].name)
atexit.register(lambda: 1/0)
1/0
""", code=1),
    "threads": Program("""
import atexit, sys, threading, time

atexit.register(print, "atexit")

def work(number):
    time.sleep(0.1 * number)
    print("thread", number, threading.main_thread().is_alive(), flush=True)
    if number == 2:
        raise ValueError("in a thread")
    if number == 3:
        sys.exit(5)

for number in (1, 2, 3):
    threading.Thread(target=work, args=(number,), name=f"worker {number}").start()
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print("end", flush=True)
"""),
    "threads-and-exit": Program("""
import sys, threading, time
threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
sys.exit(3)
""", code=3),
    "destroyed": Program("""
import sys, weakref

class Last:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        print("del", self.name, sys is not None, "Last" in globals(), flush=True)

a = Last("a")
_b = Last("_b")
c = Last("c")
cycle = Last("cycle")
cycle.self = cycle
sys.modules["held"] = Last("in sys.modules")
weakref.finalize(c, print, "finalize")
def function(value=Last("default")):
    pass
sys.own = Last("of sys")
"""),
    "destroyed-after-error": Program("""
class Last:
    def __del__(self):
        print("del", flush=True)
a = Last()
def fail():
    b = Last()
    1/0
fail()
""", code=1),
    "destroyed-after-exit": Program("""
class Last:
    def __del__(self):
        print("del", flush=True)
a = Last()
def leave():
    b = Last()
    raise SystemExit(3)
leave()
""", code=3),
}  # fmt: skip

# Standard streams.

STREAMS = {
    "unbuffered": Program("""
import os, sys
print("a", end="")
os.write(1, b"b")
print(sys.stdout, sys.stdout.buffer, sys.stderr.write_through)
""", options=("-u",)),
    "pipe-closed": Program("for n in range(100_000): print(n)",
        line='"$@" | head -1; exit ${PIPESTATUS[0]}', code=None),
    "pipe-closed-at-exit": Program("import time\ntime.sleep(0.2)\nprint('x')",
        line='"$@" | true; exit ${PIPESTATUS[0]}', code=120),
    "stdin-closed": Program("import sys\nprint(sys.stdin, sys.stdout)", line='"$@" <&-',
        forms=NOT_STDIN),
    "stdout-closed": Program("import os, sys\nos.write(2, ascii(sys.stdout).encode())",
        line='"$@" >&-'),
    "stderr-closed": Program("import sys\nprint(sys.stderr)\n1/0", line='"$@" 2>&-', code=1),
    "all-closed": Program("""
import sys
with open("left", "w") as file:
    print(sys.stdin, sys.stdout, sys.stderr, file.fileno(), file=file)
1/0
""", line='"$@" <&- >&- 2>&-; code=$?; cat left; exit $code', code=1, forms=NOT_STDIN),
    "stdout-full": Program("print('x')", line='"$@" >/dev/full', code=120),
    "stdout-none": Program("import sys\nsys.stdout = None\nprint('x')\n"),
    "stdout-ended": Program("import sys\nsys.stdout.close()\n"),
    "stdout-replaced": Program("import io, sys\nsys.stdout = io.StringIO()\nprint('x')"),
    "stderr-none": Program("import sys\nsys.stderr = None\n1/0", code=1),
    "stderr-replaced": Program("import sys\nsys.stderr = sys.stdout\n1/0", code=1),
    "stderr-deleted": Program("import sys\ndel sys.stderr\n1/0", code=1,
        volatile=("object refcount : .",)),
}  # fmt: skip

# Other processes and interpreters.

TELL_INTERPRETER = """
import builtins, sys
print(sys.path, sys.argv, __name__, list(globals()), "site" in sys.modules)
print([hasattr(builtins, name) for name in ("exit", "help", "copyright")])
"""

PROCESSES = {
    "processes": Program("""
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor

STATE = [__name__, __package__, __spec__ and __spec__.name, globals().get("__file__"), sys.path]

class Thing:
    def __init__(self, number):
        self.number = number

def work(thing):
    return type(thing).__module__, thing.number, STATE, sys.argv, sys.path, hasattr(os, "fork")

def fail(thing):
    raise ValueError(thing.number)

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, mp_context=context) as executor:
            print(method, list(executor.map(work, [Thing(4)])), flush=True)
            try:
                executor.submit(fail, Thing(5)).result()
            except ValueError as exc:
                print(repr(exc), exc.__cause__, flush=True)
        process = context.Process(target=fail, args=(Thing(3),))
        process.start()
        process.join()
        print(process.exitcode, flush=True)
""", forms=IMPORTABLE),
    "process-without-guard": Program("""
import multiprocessing
multiprocessing.set_start_method("spawn")
process = multiprocessing.Process(target=print)
process.start()
process.join()
print(process.exitcode)
""", forms=IMPORTABLE),
    "subinterpreter": Program(f"""
try:
    import _interpreters as api
except ImportError:
    import _xxsubinterpreters as api
new = api.create()
print(api.run_string(new, {TELL_INTERPRETER!r}))
api.destroy(new)
"""),
    "interpreters": Program(f"""
from concurrent import interpreters
new = interpreters.create()
new.exec({TELL_INTERPRETER!r})
try:
    new.exec("1/0")
except interpreters.ExecutionFailed as exc:
    print(exc)
new.close()
""", since=(3, 14)),
    "interpreter-pool": Program("""
import sys
from concurrent.futures import InterpreterPoolExecutor

def work(number):
    import builtins
    return number, sys.path, sys.argv, hasattr(builtins, "exit"), __name__

if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as executor:
        print(list(executor.map(work, [1, 2])))
        try:
            executor.submit(divmod, 1, 0).result()
        except ZeroDivisionError as exc:
            print(repr(exc))
""", since=(3, 14), forms=IMPORTABLE),
}  # fmt: skip


def bytes_forms(name: str) -> tuple[str, ...]:
    """Return the forms for text of any bytes: not ``-c``, and from a pipe not with a cookie."""
    unreadable = ("latin", "cookie", "bad-cookie", "bad-ascii", "bad-codec")  # for stock Python
    return FILES if name.startswith(unreadable) else (*FILES, "stdin")


PROGRAMS: dict[str, Program] = {
    **START,
    **FUTURES,
    **WARNINGS,
    **EXCEPTIONS,
    **HOOKS,
    **{n: Program(t, code=1, files={"other.py": "x = (\n"}) for n, t in SYNTAX.items()},
    **{n: Program(t, forms=bytes_forms(n)) for n, t in BYTES.items()},
    **{n: Program(t, code=None, forms=bytes_forms(n)) for n, t in BAD_BYTES.items()},
    **{n: Program(t, code=c) for n, (c, t) in EXITS.items()},
    **ENDS,
    **STREAMS,
    **PROCESSES,
}

# Options and variables under which STATE is run.

OPTIONS: dict[str, Run] = {
    name: Run(options=tuple(name.split()))
    for name in (
        "-B", "-b", "-bb", "-d", "-O", "-OO", "-q", "-s", "-u", "-Wignore",
        "-W error", "-X dev", "-X utf8=0", "-X utf8=1", "-X utf8", "-X tracemalloc=3",
        "-X faulthandler", "-X no_debug_ranges", "-X warn_default_encoding",
        "-X int_max_str_digits=0", "-X int_max_str_digits=9999", "-X frozen_modules=off",
        "-X own=option", "-X pycache_prefix=cache", "-X cpu_count=3", "-X lazy_imports=all",
        "-X thread_inherit_context=1", "-X context_aware_warnings=1", "-X disable_remote_debug",
        "-X perf", "--check-hash-based-pycs always", "-sBO -X dev -W ignore", "-sE -uO",
    )
}  # fmt: skip
VARIABLES: dict[str, Run] = {
    name: Run(variables=dict(pair.split("=", 1) for pair in name.split()))
    for name in (
        "PYTHONPATH=some:/folders:", "PYTHONPATH=.", "PYTHONHASHSEED=5",
        "PYTHONWARNINGS=error,ignore::UserWarning", "PYTHONOPTIMIZE=2", "PYTHONDEVMODE=1",
        "PYTHONTRACEMALLOC=3", "PYTHONPYCACHEPREFIX=cache", "PYTHONNOUSERSITE=1",
        "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "PYTHONUTF8=0", "PYTHONUTF8=1",
        "PYTHONIOENCODING=latin-1:replace", "PYTHONFAULTHANDLER=1", "PYTHONINTMAXSTRDIGITS=0",
        "PYTHONNODEBUGRANGES=1", "PYTHONBREAKPOINT=0", "PYTHONUSERBASE=base", "LC_ALL=C",
        "LC_ALL=POSIX PYTHONCOERCECLOCALE=0", "LC_ALL= LANG=", "PYTHONMALLOC=debug",
        "PYTHON_FROZEN_MODULES=off", "PYTHON_CPU_COUNT=2", "PYTHON_LAZY_IMPORTS=all",
        "PYTHONDEBUG=1", "PYTHONQUIET=1", "PYTHON_COLORS=1",
        "PYTHONPLATLIBDIR=lib", "PYTHONASYNCIODEBUG=1", "PYTHONSTARTUP=missing.py",
        "PYTHONINSPECT=1", "PYTHONCASEOK=1", "PYTHON_THREAD_INHERIT_CONTEXT=1",
    )
}  # fmt: skip
