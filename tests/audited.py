"""Site directories that two auditors are compared on, as data, and how they are built.

Each is harmless, hostile or what a real package installs.  Text may hold ``<mark>``: the line that
leaves a marker, which is named for the place where it stands, ``x.pth:2``; a module's
``<mark x.pth:2>`` is named for the line that runs it, and ``<name>`` is the marker's name alone.
A customize module's place is its name, with its folder, and without a suffix: ``sitecustomize``.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import urllib.parse
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from installers import Builder
from interpreters import Interpreter
from test_conformance import MARKER, compile_extension

Make = Callable[[Path, Interpreter], None]

SITE, USER = "sitecustomize", "usercustomize"
TOKEN = re.compile(r"<(mark|name)(?: ([^>]+))?>")


@dataclass(frozen=True)
class Directory:
    """A site directory: its files by name, and what is installed: a release, or a project here.

    ``idle``: the code that runs in it is known to do nothing as it stands.  ``user``: it is looked
    at in an environment that has a user site.  ``latin``: in a locale of Latin-1.  ``stops``: the
    file, and the version and later ones, at which stock Python never gets past it.  ``varies``:
    which versions run it is a matter of their micro release or of their distributor; the places
    that run it somewhere.  ``on`` is the version of safesite's Python.
    """

    name: str
    files: Mapping[str, str | Make] = field(default_factory=dict)
    kind: str = "hostile"
    install: str = ""
    idle: bool = False
    user: bool = False
    latin: bool = False
    stops: tuple[str, str] = ("", "")
    varies: tuple[str, ...] = ()
    on: str = "3.13"

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return re.sub(r"\W+", "-", self.name)

    def build(self, folder: Path, interpreter: Interpreter, builder: Builder) -> None:
        """Make it; bytecode and binary wheels are for the interpreter."""
        folder.mkdir(parents=True)
        for name, what in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if callable(what):
                what(path, interpreter)
            else:
                path.write_bytes(marked(what, name).encode())
        if self.install:
            editable = ("--editable",) if self.install in self.files else ()
            wanted = (folder / self.install).parent if editable else self.install
            target = ("--target", folder, "--python", interpreter.path)
            uv = (builder.uv, "pip", "install", "--quiet", "--no-deps", *target)
            builder.run(self.name, *uv, *editable, wanted)


def marker_name(place: str) -> str:
    """Return the name of the marker that code leaves which a place runs."""
    return urllib.parse.quote(place, safe="", errors="surrogateescape")


def place_of(marker: str) -> str:
    """Return the place that a marker is named for."""
    return urllib.parse.unquote(marker, errors="surrogateescape")


def marked(text: str, file: str) -> str:
    """Return a text with its markers; a line of a startup file names itself."""
    done = ""
    position = 0
    for found in TOKEN.finditer(text):
        done += text[position : found.start()]
        position = found.end()
        number = len(f"{done}x".splitlines())
        name = marker_name(found[2] or f"{file}:{number}")
        done += MARKER.format(name) if found[1] == "mark" else name
    return done + text[position:]


# What text cannot say.


def fifo(path: Path, _: Interpreter) -> None:
    """Make a pipe, which nobody writes to."""
    os.mkfifo(path)


def empty_folder(path: Path, _: Interpreter) -> None:
    """Make a folder."""
    path.mkdir()


def link(target: str) -> Make:
    """Return what makes a symbolic link."""
    return lambda path, _: path.symlink_to(target)


def encoded(text: str, encoding: str) -> Make:
    """Return what writes a text in another encoding than UTF-8."""
    return lambda path, _: (path.write_bytes(marked(text, path.name).encode(encoding)), None)[1]


def extension(place: str) -> Make:
    """Return what makes an extension module that leaves a marker."""
    return lambda path, _: compile_extension(path, place)


def zipped(name: str, place: str) -> Make:
    """Return what makes a zip file with one module."""
    return partial(write_zip, name=name, place=place)


def write_zip(path: Path, _: Interpreter, name: str, place: str) -> None:
    """Make a zip file with a module that leaves a marker."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, MARKER.format(marker_name(place)))


def bytecode(place: str) -> Make:
    """Return what makes a module of bytecode alone."""
    return partial(write_bytecode, place=place)


def write_bytecode(path: Path, interpreter: Interpreter, place: str) -> None:
    """Compile a module that leaves a marker, for one version."""
    source = path.with_suffix(".txt")
    source.write_text(MARKER.format(marker_name(place)))
    code = f"import py_compile; py_compile.compile({str(source)!r}, {str(path)!r})"
    interpreter.run("-I", "-S", "-c", code)
    source.unlink()


# Parts of directories.

DISTUTILS = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') =="
    " 'local'; enabled and __import__('_distutils_hack').add_shim(); "
)
COVERAGE = (
    'import sys; exec(\'import os\\n\\nif os.getenv("COVERAGE_PROCESS_START") or'
    ' os.getenv("COVERAGE_PROCESS_CONFIG"):\\n try:\\n  import coverage\\n except:\\n  pass\\n'
    ' else:\\n  coverage.process_startup(slug="pth")\')'
)
FINDER = "import __editable___x_finder; __editable___x_finder.install()"
NAMESPACE = (
    "import sys, types, os;p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('ns',));"
    "importlib = __import__('importlib.util');__import__('importlib.machinery');"
    "m = sys.modules.setdefault('ns', importlib.util.module_from_spec("
    "importlib.machinery.PathFinder.find_spec('ns', [os.path.dirname(p)])));"
    "m = m or sys.modules.setdefault('ns', types.ModuleType('ns'));"
    "mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)"
)
EASY_INSTALL = (
    "import sys; sys.__plen = len(sys.path)\n./folder\n"
    "import sys; new=sys.path[sys.__plen:]; del sys.path[sys.__plen:]; p=getattr(sys,"
    "'__egginsert',0); sys.path[p:p]=new; sys.__egginsert = p+len(new)\n"
)
SHIM = "def add_shim():\n    pass\n"
INSTALL = "def install():\n    pass\n"
HOOK = "def run():\n    <mark {0}>\n"
SEPARATORS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
SPACES = " \xa0\u3000\u2003"
MODULE_OF_FILE = {"folder/module.py": ""}


def owned(name: str, version: str, files: Mapping[str, str]) -> dict[str, str | Make]:
    """Return files with a RECORD that claims them, with the right hashes: anybody can write it."""
    info = f"{name}-{version}.dist-info"
    rows = [f"{info}/RECORD,,"]
    for file, text in files.items():
        data = marked(text, file).encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{file},sha256={digest},{len(data)}")
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    return {**files, f"{info}/METADATA": metadata, f"{info}/RECORD": "\n".join(rows) + "\n"}


def project(backend: str, requires: str) -> str:
    """Return the pyproject.toml of a project to install in place."""
    return (
        f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'
        '[project]\nname = "demo"\nversion = "0.1"\n'
    )


def stealer(place: str) -> str:
    """Return a line in the shape of LiteLLM's: the child is to start without a site."""
    body = base64.b64encode(MARKER.format(marker_name(place)).encode()).decode()
    return (
        "import os, subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c',"
        f""" "import base64; exec(base64.b64decode('{body}'))"]).wait()\n"""
    )


harmless = partial(Directory, kind="harmless")
real = partial(Directory, kind="real")

HARMLESS = (
    harmless("empty folder"),
    harmless(
        "path entries",
        {"x.pth": "folder\n./folder/..\n/nonexistent\n\n", **MODULE_OF_FILE},
    ),
    harmless("comments, blanks, no last newline", {"x.pth": "# one\n\n   \n#import os\n# two"}),
    harmless("empty files", {"x.pth": "", "y.start": "", "z.start": "# none\n"}, on="3.15"),
    harmless(
        "near misses of an import line",
        {
            "x.pth": "import\x0bos\nimport\xa0os\nfrom os import path\nimport(os)\nimport;\n"
            "Import os\nimporting os\n\u200bimport os\n#import os\n"
        },
    ),
    harmless("BOM in the second line", {"x.pth": "folder\n\ufeffimport os\n", **MODULE_OF_FILE}),
    harmless(
        "names that are not read",
        {"x.PTH": "<mark>\n", "y.pth.bak": "<mark>\n", "x.egg-link": "<mark>\n", "pth": "<mark>\n"},
    ),
    harmless(
        "startup file behind a path entry",
        {"x.pth": "inner\n", "inner/y.pth": "<mark>\n", "inner/z.start": "os:abort\n"},
        on="3.15",
    ),
    harmless("folder named as a startup file", {"x.pth": empty_folder, "y.start": empty_folder}),
    harmless("dangling link", {"x.pth": link("nothing")}),
    harmless(
        "no customize modules",
        {
            "sitecustomize/data.txt": "",
            "sitecustomizes.py": "<mark x>",
            "SiteCustomize.py": "<mark x>",
            "folder/sitecustomize.py": "<mark x>",
        },
    ),
    harmless(
        "lines that are no entry points", {"x.start": "os\nos:\n:abort\nos abort\n"}, on="3.15"
    ),
    harmless(
        "setuptools' line with its module",
        owned("setuptools", "84.2.1", {"distutils-precedence.pth": DISTUTILS})
        | {"_distutils_hack/__init__.py": SHIM},
        idle=True,
    ),
    harmless(
        "setuptools' line that no RECORD lists",
        {"distutils-precedence.pth": DISTUTILS, "_distutils_hack/__init__.py": SHIM},
        idle=True,
    ),
    harmless(
        "coverage's waiting line",
        owned("coverage", "7.17.3", {"a1_coverage.pth": COVERAGE}),
        idle=True,
    ),
    harmless(
        "line of a namespace package",
        owned("ns.one", "1", {"ns.one-1-nspkg.pth": NAMESPACE}) | {"ns/one.py": ""},
        idle=True,
    ),
    harmless(
        "virtualenv's line with a module that does nothing",
        {"_virtualenv.pth": "import _virtualenv", "_virtualenv.py": '"""Patch distutils."""\n'},
        idle=True,
    ),
    harmless(
        "editable install's line with its finder",
        owned("x", "0.1", {"__editable__.x-0.1.pth": FINDER, "__editable___x_finder.py": INSTALL}),
        idle=True,
    ),
)

HOSTILE = (
    Directory("import line", {"x.pth": "<mark>\n"}),
    Directory("tab after import", {"x.pth": "import\tos; exec('''<mark>''')\n"}),
    Directory(
        "spaces before import", {"x.pth": "".join(f"{s}<mark>\n" for s in SPACES)}, on="3.15"
    ),
    Directory("separators before import", {"x.pth": "".join(f"a{s}<mark>\n" for s in SEPARATORS)}),
    Directory("carriage returns alone", {"x.pth": "a\r<mark>\r# b\r<mark>\r"}),
    Directory("BOM before import", {"x.pth": "\ufeff<mark>\n"}),
    Directory("NUL in an earlier line", {"x.pth": "a\0b\n<mark>\n"}),
    Directory(
        "error in the first line",
        {"x.pth": "import nothing_of_this_name\n<mark>\n", "y.pth": "a\0b\nimport (\n<mark>\n"},
        on="3.15",
    ),
    Directory("Latin-1", {"x.pth": encoded("entr\xe9e\n<mark> # \xe9\n", "latin-1")}, latin=True),
    Directory(
        "link to a startup file", {"x.pth": link("hidden.txt"), "hidden.txt": "<mark x.pth:1>\n"}
    ),
    Directory("FIFO", {"a.pth": fifo}, stops=("a.pth", "3.10")),
    Directory("FIFO of entry points", {"a.start": fifo}, stops=("a.start", "3.15"), on="3.15"),
    Directory(
        "dot-files",
        {".pth": "<mark>\n", ".hidden.pth": "<mark>\n"},
        varies=(".hidden.pth:1", ".pth:1"),
    ),
    Directory("folder beside an import line", {"a.pth": empty_folder, "z.pth": "<mark>\n"}),
    Directory(
        "dangling link beside an import line", {"a.pth": link("nothing"), "z.pth": "<mark>\n"}
    ),
    Directory(
        "RECORD that cannot be decoded",
        {"z.pth": "<mark>\n", "x-1.dist-info/RECORD": encoded("\xff\n", "latin-1")},
    ),
    Directory("RECORD with a NUL", {"z.pth": "<mark>\n", "x-1.dist-info/RECORD": "a\0b,,\n"}),
    Directory(
        "path entry to sitecustomize",
        {"x.pth": "inner\n", "inner/sitecustomize.py": "<mark inner/sitecustomize>\n"},
        varies=("inner/sitecustomize",),
    ),
    Directory(
        "path entry to usercustomize",
        {"x.pth": "inner\n", "inner/usercustomize/__init__.py": "<mark inner/usercustomize>\n"},
        user=True,
    ),
    Directory(
        "path entry to sitecustomize in a zip file",
        {"x.pth": "x.zip\n", "x.zip": zipped("sitecustomize.py", "x.zip/sitecustomize")},
        varies=("x.zip/sitecustomize",),
    ),
    Directory("sitecustomize", {"sitecustomize.py": "<mark sitecustomize>\n"}, varies=(SITE,)),
    Directory(
        "sitecustomize, a package",
        {"sitecustomize/__init__.py": "<mark sitecustomize>\n"},
        varies=(SITE,),
    ),
    Directory(
        "sitecustomize, bytecode alone", {"sitecustomize.pyc": bytecode(SITE)}, varies=(SITE,)
    ),
    Directory(
        "sitecustomize, an extension",
        {"sitecustomize.abi3.so": extension(SITE)},
        varies=(SITE,),
    ),
    Directory("usercustomize", {"usercustomize.py": "<mark usercustomize>\n"}, user=True),
    Directory(
        "usercustomize, a package of bytecode",
        {"usercustomize/__init__.pyc": bytecode(USER)},
        user=True,
    ),
    Directory("empty .start beside a .pth", {"x.pth": "<mark>\n", "x.start": ""}, on="3.15"),
    Directory(
        "entry points",
        {
            "x.start": "# one\nhook:run\n  hook:Nested.run\n",
            "hook.py": HOOK.format("x.start:2")
            + "class Nested:\n    @staticmethod\n    def run():\n        <mark x.start:3>\n",
        },
        on="3.15",
    ),
    Directory(
        "entry points after a BOM",
        {"x.start": "\ufeffhook:run", "hook.py": HOOK.format("x.start:1")},
        on="3.15",
    ),
    Directory(
        "entry point of a missing name",
        {"x.start": "hook:missing\n", "hook.py": "<mark x.start:1>\n"},
        on="3.15",
    ),
    Directory(
        "entry point with a name beyond ASCII",
        {"x.start": "\xf6l:run\n", "\xf6l.py": HOOK.format("x.start:1")},
        on="3.15",
    ),
    Directory(
        "entry points in the standard library", {"x.start": "os:getcwd\ngc:collect\n"}, on="3.15"
    ),
    Directory(
        "entry point that a forged RECORD claims",
        owned("x", "1", {"x.start": "hook:run\n", "hook.py": HOOK.format("x.start:1")}),
        on="3.15",
    ),
    Directory(
        "import line that a forged RECORD claims",
        owned("coverage", "9", {"coverage.pth": "<mark>\n"}),
    ),
    Directory(
        "virtualenv's line, hostile module",
        {"_virtualenv.pth": "import _virtualenv", "_virtualenv.py": "<mark _virtualenv.pth:1>\n"},
    ),
    Directory(
        "editable install's line, hostile finder",
        owned(
            "x",
            "0.1",
            {
                "__editable__.x-0.1.pth": FINDER,
                "__editable___x_finder.py": f"<mark __editable__.x-0.1.pth:1>\n{INSTALL}",
            },
        ),
    ),
    Directory(
        "setuptools' line, hostile module",
        owned(
            "setuptools",
            "84.2.1",
            {
                "distutils-precedence.pth": DISTUTILS,
                "_distutils_hack/__init__.py": f"<mark distutils-precedence.pth:1>\n{SHIM}",
            },
        ),
    ),
    Directory(
        "virtualenv's line in another file, hostile module",
        {"other.pth": "import _virtualenv\n", "_virtualenv.py": "<mark other.pth:1>\n"},
    ),
    Directory(
        "near misses of virtualenv's line and a finder's",
        {
            "_virtualenv.pth": "import _virtualenv, os; <mark>",
            "__editable__.x-0.1.pth": f"{FINDER}; <mark>",
            "_virtualenv.py": "",
            "__editable___x_finder.py": INSTALL,
        },
    ),
    Directory(
        "near miss of setuptools' line",
        owned("setuptools", "84.2.1", {"distutils-precedence.pth": f"{DISTUTILS.strip()}<mark>\n"}),
    ),
    Directory(
        "near miss of coverage's line",
        owned(
            "coverage",
            "7.17.3",
            {"a1_coverage.pth": f"{COVERAGE}; <mark>\n"},
        ),
    ),
    Directory(
        "near miss of coverage's line, same shape",
        owned(
            "coverage",
            "7.17.3",
            {"a1_coverage.pth": COVERAGE.replace("\\n\\nif", "\\n<mark>\\nif")},
        ),
    ),
    Directory("easy-install's lines", {"easy-install.pth": EASY_INSTALL, **MODULE_OF_FILE}),
    Directory("line of one MiB", {"x.pth": f"<mark>; x = '{'a' * (1 << 20)}'\n"}),
    Directory(
        "names that a terminal or shell would obey",
        {
            "\x1b[2Jesc.pth": "<mark>\n",
            "a\nb.pth": "<mark>\n",
            "$(id).pth": "<mark>\n",
            "--help.pth": "<mark>\n",
        },
    ),
    Directory("name that is not UTF-8", {"\udcff.pth": "<mark>\n"}),
    Directory("LiteLLM's shape", {"litellm_init.pth": stealer("litellm_init.pth:1")}),
    Directory(
        "Hades' shape",
        owned(
            "gpsea",
            "0.9.14",
            {
                "gpsea-setup.pth": "import os; exec(\"s = os.environ['MARKERS'] + '/<name>'\\n"
                "if not os.path.exists(s): open(s, 'w').close()\")\n"
            },
        ),
    ),
    Directory(
        "Atomic Red Team's shapes",
        {
            "atomic_hook.pth": "import os; os.system('date > \"$MARKERS/<name>\"')\n"
            "import sys, os; (not hasattr(sys,'hook_run')) and (setattr(sys,'hook_run',1) or"
            " os.system('date > \"$MARKERS/<name>\"'))\n"
        },
    ),
    Directory(
        "path entries around an import line",
        {"x.pth": "# paths\nfolder\n<mark>\nfolder/..\n", **MODULE_OF_FILE},
    ),
)

REAL = (
    real("coverage 7.13.0", install="coverage==7.13.0", idle=True),
    real("pytest-cov 6.3.0", install="pytest-cov==6.3.0", idle=True),
    real("hunter 3.9.0", install="hunter==3.9.0"),
    real("setuptools 84.2.1", install="setuptools==84.2.1", idle=True),
    real("future-fstrings 1.2.0", install="future-fstrings==1.2.0"),
    real("pdbpp 0.12.1", install="pdbpp==0.12.1"),
    real("better-exceptions 0.3.3", install="better-exceptions==0.3.3", idle=True),
    real("zope.interface 7.2", install="zope.interface==7.2", idle=True),
    real("autowrapt 2.0.0", install="autowrapt==2.0.0", on="3.15"),
    real(
        "sitecustomize-entrypoints 1.1.0",
        install="sitecustomize-entrypoints==1.1.0",
        varies=(SITE,),
    ),
    real(
        "editable install by setuptools",
        {
            "project/pyproject.toml": project("setuptools.build_meta", "setuptools ==84.2.1"),
            "project/demo/__init__.py": "",
        },
        install="project/pyproject.toml",
        idle=True,
    ),
    real(
        "editable install by hatchling",
        {
            "project/pyproject.toml": project("hatchling.build", "hatchling ==1.33.0"),
            "project/demo/__init__.py": "",
        },
        install="project/pyproject.toml",
    ),
    real(
        "virtualenv 20.36.1, its line and module",
        {
            "_virtualenv.pth": "import _virtualenv",
            "_virtualenv.py": link("virtualenv/create/via_global_ref/_virtualenv.py"),
        },
        install="virtualenv==20.36.1",
        idle=True,
    ),
)

DIRECTORIES = (*HARMLESS, *HOSTILE, *REAL)
