"""Command lines of Python that are the same under safesite: data for ``test_observables``.

Paths of every kind, the modules of the standard library that are commands, code and standard input,
and what follows a program under ``-i``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from observables import BYTES, ESCAPE, FAILS, Run


@dataclass(frozen=True)
class Command(Run):
    """A command line: ``target`` is what follows Python's own options.

    ``before`` is a command line of Python, or of ``sh``, that makes what the target needs.
    """

    target: tuple[str, ...]
    before: tuple[str, ...] = field(default=(), kw_only=True)


SHOWS = """
import sys
print(sys.argv, sys.path[:2], __name__, __package__, __spec__, globals().get("__file__"))
print(globals().get("__cached__"), sys._getframe().f_code.co_filename, type(__loader__), __doc__)
"""
SIMPLE = {"app.py": SHOWS}
FOLDER = {"folder/__main__.py": SHOWS, "folder/other.py": ""}
PACKAGE = {
    "package/__init__.py": "print('init', __name__)\n",
    "package/__main__.py": SHOWS,
    "package/module.py": SHOWS,
    "package/inner/__init__.py": "",
    "empty/__init__.py": "",
    "empty/raises.py": "import nosuch\n",
    "raises/__init__.py": "raise ImportError('own')\n",
    "fails/__init__.py": "1/0\n",
    "namespace/module.py": SHOWS,
    "namespace/folder/module.py": SHOWS,
    "warns/__init__.py": "from warns import module\n",
    "warns/module.py": SHOWS,
    "wrong.py": "x = (\n",
    "app.py": SHOWS,
}

STARTUP = {"PYTHONSTARTUP": "startup.py"}
ZIP = ("-m", "zipapp", "folder", "-o", "app.zip")
PYC = ("-c", "import py_compile; py_compile.compile('app.py', 'app.pyc')")


def sh(line: str) -> tuple[str, ...]:
    """Return the command that runs a line of shell."""
    return ("sh", "-c", line)


def then(change: str) -> tuple[str, ...]:
    """Return the command that compiles the script and then changes something."""
    return (PYC[0], f"{PYC[1]}; {change}")


PATHS: dict[str, Command] = {
    **{
        f"path {path!a}": Command((path, "a"), files={path: SHOWS})
        for path in (
            "./app.py",
            "sub/deep.py",
            "sub/../app.py",
            "sub//deep.py",
            "a b.py",
            "\u00e4\u20ac.py",
            "new\nline.py",
            "caf\udce9.py",
            "noending",
            "app.txt",
            "app.PY",
            "app.pyw",
            ".hidden",
            "app.py.txt",
            "'quoted'.py",
            "a=b.py",
            "tab\t.py",
            "\x1b[1m.py",
            "%s.py",
            "x" * 200,
        )
    },
    "absolute": Command(("$PWD/app.py",), files=SIMPLE),
    "parent": Command(("../outside.py",), files={"../outside.py": SHOWS}),
    "dashes": Command(("--", "app.py", "--", "-c"), files=SIMPLE),
    "dashes-odd": Command(("--", "-odd.py", "a"), files={"-odd.py": SHOWS}),
    "linked": Command(
        ("link.py",), files={"sub/deep.py": SHOWS}, before=sh("ln -s sub/deep.py link.py")
    ),
    "linked-twice": Command(
        ("two/link.py",),
        files={"sub/deep.py": SHOWS},
        before=sh("mkdir two; ln -s sub/deep.py one; ln -s ../one two/link.py"),
    ),
    "linked-folder": Command(
        ("link/deep.py",), files={"sub/deep.py": SHOWS}, before=sh("ln -s sub link")
    ),
    "linked-folder-main": Command(("link",), files=FOLDER, before=sh("ln -s folder link")),
    "linked-nowhere": Command(("link.py",), code=2, before=sh("ln -s nowhere link.py")),
    "linked-to-itself": Command(("link.py",), code=2, before=sh("ln -s link.py link.py")),
    "hard-link": Command(
        ("link.py",), files={"sub/deep.py": SHOWS}, before=sh("ln sub/deep.py link.py")
    ),
    "fifo": Command(("fifo",), files=SIMPLE, line='mkfifo fifo; cat app.py > fifo & "$@"'),
    "dev-stdin": Command(("/dev/stdin", "a"), files=SIMPLE, line='"$@" < app.py'),
    "dev-stdin-pipe": Command(("/dev/stdin", "a"), stdin=SHOWS),
    "dev-fd": Command(
        (), files=SIMPLE, line='"$@" <(cat app.py) a', volatile=(r"/dev/fd/\d+", r"pipe:\[\d+\]")
    ),
    "dev-null": Command(("/dev/null",)),
    "missing": Command(("missing.py",), code=2),
    "missing-folder": Command(("missing/app.py",), code=2),
    "missing-odd": Command(("new\nline \u00e4 caf\udce9 '.py",), code=2),
    "missing-under-file": Command(("app.py/x",), files=SIMPLE, code=2),
    "missing-slash": Command(("app.py/",), files=SIMPLE, code=2),
    "too-long": Command(("x" * 300,), code=2),
    "empty-name": Command(("",), code=None),
    "many-arguments": Command(("app.py", *(str(n) for n in range(2000))), files=SIMPLE),
    "odd-arguments": Command(
        ("app.py", "", " ", "\u00e4", "\udce9", "-", "--", "a\nb", "-S", "-m"), files=SIMPLE
    ),
    "folder": Command(("folder", "a"), files=FOLDER),
    "folder-slash": Command(("folder/", "a"), files=FOLDER),
    "folder-slashes": Command(("./folder//",), files=FOLDER),
    "folder-dot": Command((".",), files={"__main__.py": SHOWS}),
    "folder-parent": Command(
        ("..",), files={"../__main__.py": SHOWS}, line='"$@"; rm -f ../__main__.py'
    ),
    "folder-dots": Command(("folder/../folder/.",), files=FOLDER),
    "folder-empty": Command(("empty",), code=1, files={"empty/other.py": ""}),
    "folder-package": Command(("package",), files=PACKAGE),
    "folder-main-package": Command(
        ("folder",), code=None, files={"folder/__main__/__init__.py": SHOWS}
    ),
    "folder-main-package-main": Command(
        ("folder",),
        code=None,
        files={"folder/__main__/__main__.py": SHOWS, "folder/__main__/__init__.py": ""},
    ),
    "folder-imports": Command(
        ("folder",), files={"folder/__main__.py": "import other", "folder/other.py": SHOWS}
    ),
    "folder-fails": Command(
        ("folder",), code=1, files={"folder/__main__.py": "import other", "folder/other.py": "1/0"}
    ),
    "folder-wrong": Command(("folder",), code=1, files={"folder/__main__.py": "x = ("}),
    "folder-import-error": Command(
        ("folder",), code=1, files={"folder/__main__.py": "import nosuch"}
    ),
    "zip-empty": Command(("app.zip",), code=1, files={"app.zip": b"PK\x05\x06" + bytes(18)}),
    "zip-corrupt": Command(("app.zip",), code=1, files={"app.zip": b"PK\x03\x04" + bytes(30)}),
    "zip-shebang": Command(
        ("app.pyz", "a"),
        files=FOLDER,
        before=("-m", "zipapp", "folder", "-p", "/usr/bin/python3", "-o", "app.pyz"),
    ),
    "zip-compressed": Command(
        ("app.zip", "a"), files=FOLDER, before=("-m", "zipapp", "-c", "folder", "-o", "app.zip")
    ),
    "zip-in-folder": Command(
        ("sub/app.zip",),
        files={**FOLDER, "sub/x": ""},
        before=("-m", "zipapp", "folder", "-o", "sub/app.zip"),
    ),
    "zip-inside": Command(
        ("app.zip/folder",), files=FOLDER, before=("-m", "zipfile", "-c", "app.zip", "folder")
    ),
    "zip-without-main": Command(
        ("app.zip",), code=1, files=FOLDER, before=("-m", "zipfile", "-c", "app.zip", "folder")
    ),
    "zip-linked": Command(
        ("link",),
        files=FOLDER,
        before=sh("$PYTHON -m zipapp folder -o app.zip; ln -s app.zip link"),
    ),
    "zip-named-py": Command(
        ("zip.py",), files=FOLDER, before=("-m", "zipapp", "folder", "-o", "zip.py")
    ),
    "zip-wrong": Command(("app.zip",), code=1, files={"folder/__main__.py": "x = ("}, before=ZIP),
    "zip-imports": Command(
        ("app.zip",),
        code=1,
        files={"folder/__main__.py": "import other", "folder/other.py": SHOWS + "1/0"},
        before=ZIP,
    ),
    "pyc": Command(("app.pyc", "a"), files=SIMPLE, before=PYC),
    "pyc-fails": Command(("app.pyc", "a"), code=1, files={"app.py": FAILS}, before=PYC),
    "pyc-source-gone": Command(
        ("app.pyc", "a"),
        code=1,
        files={"app.py": FAILS},
        before=then("import os; os.remove('app.py')"),
    ),
    "pyc-named-txt": Command(
        ("app.txt", "a"), files=SIMPLE, before=then("import os; os.rename('app.pyc', 'app.txt')")
    ),
    "pyc-cut": Command(
        ("app.pyc",), code=1, files=SIMPLE, before=then("open('app.pyc', 'r+b').truncate(40)")
    ),
    "pyc-cut-in-head": Command(
        ("app.pyc",), code=1, files=SIMPLE, before=then("open('app.pyc', 'r+b').truncate(8)")
    ),
    "pyc-of-another": Command(("app.pyc",), code=1, files={"app.pyc": b"\x6f\x0c\r\n" + bytes(40)}),
    "pyc-empty": Command(("app.pyc",), code=1, files={"app.pyc": b""}),
    "pyc-is-text": Command(("app.pyc",), code=1, files={"app.pyc": SHOWS}),
    "pyc-of-no-code": Command(
        ("app.pyc",),
        code=1,
        files=SIMPLE,
        before=then("open('app.pyc', 'r+b').truncate(16); open('app.pyc', 'ab').write(b'N')"),
    ),
    "pyc-hashed": Command(
        ("app.pyc",),
        files=SIMPLE,
        before=("-m", "compileall", "-q", "-b", "--invalidation-mode", "checked-hash", "app.py"),
    ),
    "pyc-main": Command(
        ("folder",),
        files=FOLDER,
        before=sh("$PYTHON -m compileall -q -b folder; rm folder/__main__.py"),
    ),
    "pyc-module": Command(
        ("-m", "app"), files=SIMPLE, before=then("import os; os.remove('app.py')")
    ),
    "pyc-cached": Command(("-m", "app"), files=SIMPLE, before=("-m", "py_compile", "app.py")),
}

MODULES: dict[str, Command] = {
    **{
        f"-m {name}": Command(("-m", name, "a"), code=code, files=PACKAGE)
        for name, code in {
            "package": 0,
            "package.__main__": 0,
            "package.module": 0,
            "package.inner": 1,
            "empty": 1,
            "package.nosuch": 1,
            "namespace": 1,
            "namespace.module": 0,
            "namespace.folder.module": 0,
            "warns.module": 0,
            "raises": 1,
            "raises.module": 1,
            "fails": 1,
            "fails.module": 1,
            "empty.raises": 1,
            "nosuch": 1,
            "nosuch.module": 1,
            "app.py": 1,
            "app.module": 1,
            "package/module": 1,
            "./app": 1,
            ".": 1,
            ".app": 1,
            "app.": 1,
            "": 1,
            " ": 1,
            "a b": 1,
            "__main__": None,
            "__init__": 1,
            "sys": 1,
            "builtins": 1,
            "zipimport": None,
            "os.path": None,
            "\u00e4": 1,
            "\udce9": 1,
            "new\nline": 1,
            "wrong": 1,
            "__hello__": 0,
            "__phello__": None,
            "this": 0,
            "antigravity.x": 1,
            "encodings.cp1252": 0,
            "importlib": 1,
            "json": None,
            "_frozen_importlib": None,
        }.items()
    },
    "-mapp": Command(("-mapp", "a", "-m"), files=PACKAGE),
    "-m in a zip file": Command(
        ("-m", "folder"),
        files=FOLDER,
        before=("-m", "zipfile", "-c", "app.zip", "folder"),
        variables={"PYTHONPATH": "app.zip"},
        line='mv folder gone; "$@"',
    ),
    "-m app-warns": Command(
        ("-m", "app"),
        files={"app.py": ESCAPE},
        before=("-W", "ignore", "-m", "py_compile", "app.py"),
    ),
    "-m json.tool": Command(("-m", "json.tool"), stdin='{"a": [1, 2]}'),
    "-m json.tool fails": Command(("-m", "json.tool"), code=1, stdin="{"),
    "-m timeit": Command(("-m", "timeit", "-n1", "-r1", "pass"), volatile=(r"[\d.]+ [nmu]?sec",)),
    "-m timeit fails": Command(("-m", "timeit", "-n1", "-r1", "1/0"), code=1),
    "-m pdb": Command(("-m", "pdb", "app.py", "a"), files=SIMPLE, stdin="n\nn\np __name__\nc\nq\n"),
    "-m pdb fails": Command(
        ("-m", "pdb", "app.py"), files={"app.py": FAILS}, stdin="c\nwhere\nq\n"
    ),
    "-m pdb module": Command(("-m", "pdb", "-c", "c", "-m", "app"), files=SIMPLE, stdin="q\n"),
    "-m cProfile": Command(
        ("-m", "cProfile", "-s", "name", "app.py", "a"),
        files=SIMPLE,
        volatile=(r"in [\d.]+ seconds", r"\d+\.\d+"),
    ),
    "-m cProfile module": Command(
        ("-m", "cProfile", "-m", "app"),
        files=SIMPLE,
        volatile=(r"in [\d.]+ seconds", r"\d+\.\d+", r"\d+ function calls.*", r"(?s)Ordered by.*"),
    ),
    "-m profile": Command(
        ("-m", "profile", "app.py"), files=SIMPLE, volatile=(r"in [\d.]+ seconds", r"\d+\.\d+")
    ),
    "-m trace": Command(("-m", "trace", "--trace", "app.py"), files=SIMPLE),
    "-m trace count": Command(
        ("-m", "trace", "--count", "-C", ".", "--missing", "app.py"),
        files=SIMPLE,
        line='"$@"; cat *.cover',
    ),
    "-m trace functions": Command(
        ("-m", "trace", "--listfuncs", "app.py"), files={"app.py": "def f(): pass\nf()"}
    ),
    "-m unittest": Command(
        ("-m", "unittest", "-v", "test_app"),
        code=1,
        files={
            "test_app.py": "import unittest\n"
            "class Case(unittest.TestCase):\n    def test(self):\n        self.fail()\n"
        },
        volatile=(r"in \d+\.\d+s",),
    ),
    "-m unittest nothing": Command(("-m", "unittest"), code=None, volatile=(r"in \d+\.\d+s",)),
    "-m doctest": Command(
        ("-m", "doctest", "app.py"), code=1, files={"app.py": '""">>> 1\n2\n"""'}
    ),
    "-m ast": Command(("-m", "ast", "app.py"), files=SIMPLE),
    "-m dis": Command(("-m", "dis", "app.py"), files=SIMPLE, volatile=("0x[0-9a-f]+",)),
    "-m tokenize": Command(("-m", "tokenize", "app.py"), files=SIMPLE),
    "-m inspect": Command(
        ("-m", "inspect", "json:loads"),
    ),
    "-m inspect details": Command(
        ("-m", "inspect", "--details", "json"),
    ),
    "-m zipapp": Command(
        ("-m", "zipapp", "folder", "-m", "other:main"),
        files={"folder/other.py": ""},
        line='"$@"; ls',
    ),
    "-m venv": Command(("-m", "venv", "--help")),
    "-m ensurepip": Command(("-m", "ensurepip", "--version"), code=None),
    "-m compileall": Command(("-m", "compileall", "package"), files=PACKAGE),
    "-m py_compile": Command(("-m", "py_compile", "wrong.py"), code=1, files=PACKAGE),
    "-m tabnanny": Command(("-m", "tabnanny", "-v", "app.py"), files=SIMPLE),
    "-m pydoc": Command(("-m", "pydoc", "app"), files={"app.py": '"""Doc."""\n'}),
    "-m calendar": Command(("-m", "calendar", "2024", "2")),
    "-m platform": Command(("-m", "platform")),
    "-m sysconfig": Command(("-m", "sysconfig")),
    "-m base64": Command(("-m", "base64", "-e", "-"), stdin="text"),
    "-m code": Command(("-m", "code", "-q"), stdin="1 + 1\n1/0\n__name__\n", since=(3, 13)),
    "-m code banner": Command(
        ("-m", "code"), stdin="1 + 1\nimport sys; sys.argv, sys.path[0]\n1/0\nexit()\n"
    ),
    "-m runpy": Command(("-m", "runpy", "app", "a"), files=SIMPLE),
    "-m pickle": Command(("-m", "pickle", "missing"), code=None),
    "-m pickletools": Command(("-m", "pickletools", "-a", "x"), files={"x": b"\x80\x04N."}),
    "-m filecmp": Command(("-m", "filecmp"), code=1),
    "-m symtable": Command(("-m", "symtable", "app.py"), files=SIMPLE, code=None),
    "-m test.support": Command(("-m", "test.support"), code=None),
    "-m random": Command(("-m", "random", "--seed", "1", "a", "b"), code=None, since=(3, 13)),
    "-m sqlite3": Command(("-m", "sqlite3", ":memory:", "select 1"), code=None, since=(3, 12)),
}

CODE: dict[str, Command] = {
    "-c": Command(("-c", SHOWS, "a", "-c")),
    "-c joined": Command(("-c" + SHOWS, "a")),
    "-c empty": Command(("-c", "")),
    "-c indented": Command(("-c", "   print(1)\n   print(2)"), code=None),
    "-c indented comment": Command(("-c", "  # x\n    print(1)"), code=None),
    "-c indented tabs": Command(("-c", "\tprint(1)\n\t\n\tif 1:\n\t\tprint(2)\n"), code=None),
    "-c indented mixed": Command(("-c", "\tprint(1)\n  print(2)\n"), code=None),
    "-c indented string": Command(
        ("-c", '  x = """\n    a\n  b"""\n  print(ascii(x))\n'), code=None
    ),
    "-c indented blank": Command(("-c", "\n  \n    print(1)\n  \n    print(2)\n \n"), code=None),
    "-c indented fails": Command(("-c", "\n    def f():\n        1/0\n    f()\n"), code=1),
    "-c surrogate": Command(("-c", "print(ascii('\udce9'))"), code=None),
    "-c umlaut": Command(("-c", "print(ascii('\u00e4\u20ac'))")),
    "-c cookie": Command(("-c", "# coding: latin-1\nprint(ascii('\u00e4'))")),
    "-c crlf": Command(("-c", "print(1)\r\nprint(ascii('''a\r\nb'''))\r\n")),
    "-c long": Command(("-c", "x = 1\n" * 15_000 + "1/0"), code=1),
    "-c lines": Command(("-c", FAILS), code=1),
    "-c function": Command(
        ("-c", "import inspect\ndef f():\n    pass\nprint(inspect.getsource(f))"), code=None
    ),
    "-c source in exec": Command(("-c", "exec('''\n\n1/0''')"), code=1),
    "-c compiled": Command(("-c", "x = compile('\\n1/0', '<string>', 'exec')\nexec(x)"), code=1),
    "-": Command(("-", "a", "-"), stdin=SHOWS),
    "- file": Command(("-", "a"), files=SIMPLE, line='"$@" < app.py'),
    "- implied": Command((), stdin=SHOWS),
    "- implied file": Command((), files=SIMPLE, line='"$@" < app.py'),
    "- empty": Command(("-",)),
    "- nothing": Command(()),
    "- null": Command((), line='"$@" < /dev/null'),
    "- folder": Command((), code=None, line='"$@" < .'),
    "- reads on": Command(("-",), stdin="print(ascii(input()))\nprint(2)\n", code=1),
    "- file reads on": Command(
        ("-",),
        files={"app.py": "import sys\nprint(ascii(sys.stdin.read()))\nprint(2)\n"},
        line='"$@" < app.py',
    ),
    "- fails": Command(("-",), code=1, stdin=FAILS),
    "- file fails": Command(("-",), code=1, files={"app.py": FAILS}, line='"$@" < app.py'),
    "- file cookie": Command(("-",), files={"app.py": BYTES["latin-1"]}, line='"$@" < app.py'),
    "- file wrong": Command(
        ("-",), code=1, files={"app.py": "print(1)\nx = ("}, line='"$@" < app.py'
    ),
    "- large": Command(("-",), stdin="x = 1\n" * 50_000 + "print(x)\n"),
    "- large wrong": Command(("-",), code=1, stdin="x = 1\n" * 50_000 + "x = (\n"),
    "- slow": Command(("-",), line='(echo "x = 1"; sleep 0.1; echo "print(x)") | "$@"'),
    "- not blocking": Command(("-",), line='(sleep 0.1; echo "print(1)") | "$@"'),
}

TYPED = "x\n1/0\nprint(__name__, '__file__' in globals())\nimport sys; sys.argv\nsys.path[0]\n"
INSPECT = {
    "-i script": Command(
        ("app.py", "a"), options=("-i",), files={"app.py": "x = 5\n"}, stdin=TYPED
    ),
    "-i module": Command(
        ("-m", "app", "a"), options=("-i",), files={"app.py": "x = 5\n"}, stdin=TYPED
    ),
    "-i command": Command(("-c", "x = 5", "a"), options=("-i",), stdin=TYPED),
    "-i folder": Command(
        ("folder", "a"), options=("-i",), files={"folder/__main__.py": "x = 5\n"}, stdin=TYPED
    ),
    "-i fails": Command(
        ("app.py",),
        options=("-i",),
        files={"app.py": "x = 5\n" + FAILS},
        stdin=TYPED + "sys.last_value\nsys.last_traceback.tb_next\n"
        "import traceback; traceback.print_tb(sys.last_traceback)\n",
    ),
    "-i command fails": Command(("-c", "x = 5\n1/0"), options=("-i",), stdin=TYPED),
    "-i module fails": Command(
        ("-m", "app"), options=("-i",), files={"app.py": "x = 5\n" + FAILS}, stdin=TYPED
    ),
    "-i exits": Command(
        ("app.py",),
        options=("-i",),
        files={"app.py": "x = 5\nimport sys\nsys.exit(3)"},
        stdin=TYPED,
    ),
    "-i exits text": Command(
        ("-c", "x = 5\nraise SystemExit('text')"), options=("-i",), stdin=TYPED
    ),
    "-i interrupted": Command(
        ("-c", "x = 5\nraise KeyboardInterrupt"), options=("-i",), stdin=TYPED, code=None
    ),
    "-i exits at the prompt": Command(("-c", "x = 5"), options=("-i",), stdin="exit(4)\n", code=4),
    "-i kills": Command(
        ("-c", "x = 5"), options=("-i",), stdin="import os; os.kill(os.getpid(), 15)\n", code=-15
    ),
    "-i missing": Command(("missing.py",), options=("-i",), stdin=TYPED, code=None),
    "-i wrong": Command(("app.py",), options=("-i",), files={"app.py": "x = ("}, stdin="1\n"),
    "-i missing module": Command(("-m", "nosuch"), options=("-i",), stdin=TYPED),
    "-i hook": Command(
        ("-c", "import sys; sys.excepthook = print; x = 5"),
        options=("-i",),
        stdin=TYPED,
        volatile=("0x[0-9a-f]+",),
    ),
    "-i hook fails": Command(
        ("-c", "import sys; sys.excepthook = lambda *a: print(a[:2]); x = 5; 1/0"),
        options=("-i",),
        stdin=TYPED,
    ),
    "-i prompt": Command(
        ("-c", "import sys; sys.ps1 = 'mine> '; x = 5"), options=("-i",), stdin=TYPED
    ),
    "-i startup": Command(
        ("-c", "x = 5"),
        options=("-i",),
        files={"startup.py": "print('startup')"},
        stdin=TYPED,
        variables=STARTUP,
    ),
    "-i interactive hook": Command(
        ("-c", "import sys; sys.__interactivehook__ = lambda: print('hook'); x = 5"),
        options=("-i",),
        stdin=TYPED,
    ),
    "-i alone": Command((), options=("-i",), stdin="x = 5\n" + TYPED),
    "-i alone startup": Command(
        (),
        options=("-i",),
        files={"startup.py": "print('startup', __file__, __name__); x = 5"},
        stdin=TYPED,
        variables=STARTUP,
    ),
    "-i alone startup fails": Command(
        (), options=("-i",), files={"startup.py": "x = 5\n1/0"}, stdin=TYPED, variables=STARTUP
    ),
    "-i alone startup missing": Command((), options=("-i",), stdin=TYPED, variables=STARTUP),
    "-i alone startup wrong": Command(
        (), options=("-i",), files={"startup.py": "x = ("}, stdin=TYPED, variables=STARTUP
    ),
    "-i alone startup ignored": Command(
        (),
        options=("-i", "-E"),
        files={"startup.py": "print('startup')"},
        stdin=TYPED,
        variables=STARTUP,
    ),
    "-i -": Command(("-", "a"), options=("-i",), stdin="x = 5\n" + TYPED),
    "-i quiet": Command((), options=("-iq",), stdin="x = 5\n" + TYPED),
    "-i blocks": Command(
        (),
        options=("-iq",),
        stdin="if True:\n    print(1)\n\ndef f():\n    1/0\n\nf()\nx = (\n1\n)\nx\nx = )\n"
        "import sys; sys.flags.interactive, sys.flags.inspect\n_\n",
    ),
    "-i basic": Command(
        (), options=("-iq",), stdin="x = 5\n" + TYPED, variables={"PYTHON_BASIC_REPL": "1"}
    ),
    "-i exit": Command((), options=("-iq",), stdin="exit\nquit\nexit(3)\n", code=None),
    "-i raises exit": Command((), options=("-iq",), stdin="raise SystemExit('text')\n", code=1),
    "inspect variable": Command(("-c", "x = 5"), stdin=TYPED, variables={"PYTHONINSPECT": "1"}),
    "inspect variable alone": Command(
        (), stdin="x = 5\n" + TYPED, code=None, variables={"PYTHONINSPECT": "1"}
    ),
    "inspect variable ignored": Command(
        ("-c", "x = 5"), options=("-E",), stdin=TYPED, variables={"PYTHONINSPECT": "1"}
    ),
    "inspect set": Command(
        ("-c", "import os; os.environ['PYTHONINSPECT'] = '1'; x = 5"), stdin=TYPED
    ),
    "inspect set fails": Command(
        ("-c", "import os; os.environ['PYTHONINSPECT'] = '1'; x = 5; 1/0"), stdin=TYPED, code=None
    ),
    "inspect set exits": Command(
        ("-c", "import os; os.environ['PYTHONINSPECT'] = '1'; x = 5; exit(3)"),
        stdin=TYPED,
        code=None,
    ),
    "inspect taken back": Command(
        ("-c", "import os; del os.environ['PYTHONINSPECT']; x = 5"),
        stdin=TYPED,
        variables={"PYTHONINSPECT": "1"},
    ),
    "inspect set ignored": Command(
        ("-c", "import os; os.environ['PYTHONINSPECT'] = '1'; x = 5"), options=("-E",), stdin=TYPED
    ),
}

COMMANDS: dict[str, Command] = {**PATHS, **MODULES, **CODE, **INSPECT}
