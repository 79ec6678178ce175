"""Make random site directories, and tell what this interpreter's ``site`` makes of each of them.

Runs inside the interpreter under test, which ``test_differential.py`` starts with ``-S``: once with
the functions of stock ``site``, once after safesite has taken them over.  Standard library only.
Prints one JSON object a seed.

A seed determines a tree, the state of ``site`` and ``sys``, and the calls that are made; only what
a version executes, cannot decode, or has no function for differs between interpreters.  Both
processes make the tree below a root of their own, printed as ``@ROOT@``.

The startup files hold path entries only: what this interpreter would execute is taken out.  What
only another version would execute stays in: here it is a path entry, or nothing.  Each such line
names the module ``must_not_run``, and an attempt to import that is noticed.
"""

# File names and link targets are bytes here, which pathlib does not take:
# ruff: noqa: PTH103, PTH106, PTH109, PTH118, PTH119, PTH120, PTH123, PTH211
# Random numbers that repeat are the point, and so is the output:
# ruff: noqa: S311, T201

from __future__ import annotations

import argparse
import contextlib
import io
import json
import linecache
import locale
import os
import pathlib
import pkgutil
import random
import shutil
import site as stock_site
import sys
import traceback
import types
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

site: Any = stock_site  # the same object after safesite's takeover

VERSION = sys.version_info[:2]
ROOT, FOLDER = "@ROOT@", "@FOLDER@"  # of a tree, and the folder it is in, in what is printed
FORBIDDEN = "must_not_run"

# While the calls run, sys.path holds nothing but folders of the tree, so what site and safesite
# import at that time has to be there; traceback imports more when it is first used.
LOADED = (linecache, locale, pkgutil, traceback, warnings)
traceback.print_exception(ValueError, ValueError(), None, file=io.StringIO())

STARTUP_NAMES = (
    "x.pth", "X.pth", "y.pth", "a.pth", "aa.pth", "a-b.pth", "a_b.pth", "a.b.pth", "a b.pth",
    "1.pth", "10.pth", "9.pth", "-.pth", "_.pth", "~.pth", "{.pth", "\u00e9.pth", "e\u0301.pth",
    "\u00df.pth", "\u65e5.pth", "\U0001f600.pth", "\uff41.pth", "\udcff.pth", "new\nline.pth",
    ".pth", ".x.pth", "..pth", "x.PTH", "x.Pth", "x.pth.bak", "x.pth~", "x.pth ", "xpth", "pth",
    "x.start", "y.start", ".start", ".x.start", "a.START", "z.start",
    "__editable__.x-1.0.pth", "easy-install.pth", "distutils-precedence.pth", "x-nspkg.pth",
)  # fmt: skip

# Path entries as people write them, and as nobody should.
PLAIN_LINES = (
    "pkg", "pkg", "src", "src/pkg", "pkg/", "pkg//sub", "./pkg", "pkg/.", "pkg/../src", "PKG",
    "..", ".", "/", "//", "../src", "../../src", "../../..", "missing/pkg", "pkg.zip", "x.pth",
    f"{ROOT}/a", f"{ROOT}/b", f"{ROOT}/A", f"{ROOT}/lib", f"{ROOT}/link", f"{ROOT}/out",
    f"{ROOT}/out/", f"{ROOT}//out", f"{ROOT}/a/../out", f"{ROOT}/out/./pkg", f"/{ROOT}/out",
    f"{ROOT}/out ", f"{ROOT}/nothing", "/nonexistent", "~", "$HOME", "%2e%2e", "file:///",
    "C:\\pkg", "a;b", "a:b", "'pkg'", '"pkg"', "pkg # no comment", "\u00e9", "e\u0301", "\u00df",
    "\u65e5\u672c", "\U0001f600", "\uff41", "\ufeffpkg", "\u200bpkg", "pkg\u200b", "\u0130", "\x7f",
)  # fmt: skip
COMMENTS = ("#", "# comment", "#pkg", "#import must_not_run", " # indented", "\t#pkg", "\u3000#pkg")
BLANKS = ("", "", " ", "\t", "   \t ", "\x0c", "\x0b", "\x1f", "\xa0", "\u2028", "\u3000", "\ufeff")
# Around and inside a path entry: what strip() strips, what one reading takes for a line end.
SPACES = (" ", "  ", "\t", "\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u3000", "\r")
NULS = ("\x00", "pkg\x00", "\x00pkg", "pkg\x00/../src", f"{ROOT}/out\x00.zip")
# Not code for any version, or for other versions than this one, which is decided in path_only().
LOOKALIKES = (
    "import", "import;", "import;must_not_run", "import\x0bmust_not_run", "import\xa0must_not_run",
    "import\u3000must_not_run", "import\x00must_not_run", "import(must_not_run)", "importlib",
    "import.must_not_run", "import/must_not_run", "from must_not_run import *",
    "Import must_not_run",
    "IMPORT must_not_run", "\ufeffimport must_not_run", "\u200bimport must_not_run",
    "exec('import must_not_run')", "__import__('must_not_run')", "x; import must_not_run",
    " import must_not_run", "\timport must_not_run", "  import\tmust_not_run",
    "\xa0import must_not_run", "\u3000import must_not_run", "\x0cimport must_not_run",
    "\x1fimport must_not_run", "pkg\x0cimport must_not_run", "pkg\x0bimport must_not_run",
    "pkg\x1cimport must_not_run", "pkg\x85import must_not_run", "pkg\u2028import must_not_run",
    " import ", "pkg\u2029import\tmust_not_run", "must_not_run:main", "import ", "import\t",
)  # fmt: skip
LINE_ENDS = ("\n", "\r\n", "\r", "\n\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028",
             "\u2029", "\n\r", " \n", "\x00\n")  # fmt: skip

KNOWN_PATHS = ("none", "none", "empty", "shared", "shared", "existing", "deduplicated", "chained")


@dataclass
class Plan:
    """What one seed makes: the tree below the root, the state of site and sys, the calls."""

    root: str
    nodes: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    site_directories: int = 0


# What this interpreter reads, by the documentation of each version; safesite has no part in it.


def native_lines(data: bytes) -> list[str]:
    """Return the lines that stock ``site`` reads from a .pth file; raises UnicodeDecodeError."""
    if sys.version_info >= (3, 13):
        try:
            return data.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            return data.decode(locale.getencoding()).splitlines()
    else:
        return list(io.TextIOWrapper(io.BytesIO(data), encoding="locale"))


def executed(line: str) -> bool:
    """Return whether stock ``site`` executes a line."""
    if VERSION >= (3, 15):
        line = line.strip()
    return line.startswith(("import ", "import\t"))


def decodable(data: bytes) -> bool:
    """Return whether stock ``site`` starts with a .pth file of this content."""
    try:
        native_lines(data)
    except UnicodeDecodeError:
        return False
    return True


def path_only(data: bytes, may_be_undecodable: bool) -> bytes:
    """Return the content of a startup file without what this interpreter would execute."""
    if not decodable(data) and not may_be_undecodable:
        data = bytes(byte for byte in data if byte < 0x80)
    place = data.find(b"import")
    while place >= 0 and count_executed(data):
        changed = data[:place] + b"inport" + data[place + 6 :]
        if count_executed(changed) < count_executed(data):
            data = changed
        place = data.find(b"import", place + 1)
    return data


def count_executed(data: bytes) -> int:
    """Return the number of lines that stock ``site`` executes, or at most so many."""
    # Of a file that it cannot decode, stock may still execute the lines before the first bad byte.
    lines = native_lines(data) if decodable(data) else data.decode("latin-1").splitlines()
    return sum(executed(line.lstrip("\xef\xbb\xbf")) for line in lines)


# Planning: everything that is random.


class Planner:
    """Draws one plan from a seed."""

    def __init__(self, seed: int, folder: str) -> None:
        self.random = random.Random(seed)
        suffix = self.choose("", "", "", " b", "\u00e9", "#c")
        self.root = os.path.join(os.fsencode(folder), f"{seed:010d}{suffix}".encode())
        self.plan = Plan(os.fsdecode(self.root))
        self.may_be_undecodable = self.happens(0.06)
        self.startup_files: list[tuple[bytes, bytes]] = []
        self.paths: set[bytes] = set()

    def choose(self, *options: Any) -> Any:  # noqa: ANN401 - as random.choice
        """Draw one of the options, each as likely."""
        return self.random.choice(options)

    def happens(self, chance: float) -> bool:
        """Draw yes or no."""
        return self.random.random() < chance

    def make(self) -> Plan:
        """Draw everything."""
        self.draw_state()
        directories = self.draw_site_directories()
        for directory in directories:
            self.draw_site_directory(directory)
        for folder in (b"lib", b"out", b"out/pkg"):
            self.add("folder", folder)
        self.plan.site_directories = len(directories)
        self.draw_calls(directories)
        return self.plan

    def add(self, kind: str, path: bytes, content: bytes = b"") -> None:
        """Plan a node of the tree, unless one has that path already."""
        if path not in self.paths:
            self.paths.add(path)
            self.plan.nodes.append((kind, path, content))

    def draw_state(self) -> None:
        """Draw the interpreter's layout, and the state of ``site`` before the first call."""
        prefixes = self.random.sample(["p1", "p2", "p3", "p1", "p2/", "p3/../p1", "./p2", ""], 3)
        state = self.plan.state
        state["prefixes"] = [prefix and f"{self.plan.root}/{prefix}" for prefix in prefixes]
        state["venv"] = self.happens(0.4)
        state["platlibdir"] = self.choose("lib", "lib", "lib64")
        state["enable_user_site"] = self.choose(True, True, False, None)
        state["user_base"] = self.choose("attribute", "PYTHONUSERBASE", "HOME")
        state["cwd"] = self.choose("", "", "a", "out", "gone")
        state["path"] = [self.draw_sys_path_entry() for _ in range(self.random.randrange(6))]
        if state["venv"]:
            self.draw_venv()

    def draw_sys_path_entry(self) -> str:
        """Draw an entry of sys.path before the first call."""
        root = self.plan.root
        relative = ("", ".", "lib", "a", "a/../lib", "./out")
        absolute = ("lib", "lib", "missing", "a", "a/", "A", "link", "out", "lib/../a", "pkg.zip")
        return str(self.choose(*relative, *(f"{root}/{name}" for name in absolute * 2)))

    def draw_venv(self) -> None:
        """Draw a pyvenv.cfg."""
        value = self.choose("true", "false", "False", " TRUE ", "yes", None)
        text = "" if value is None else f"include-system-site-packages = {value}\n"
        place = self.choose(b"venv/pyvenv.cfg", b"venv/pyvenv.cfg", b"venv/bin/pyvenv.cfg")
        self.add("file", place, f"home = {self.plan.root}/p1/bin\n{text}".encode(errors="replace"))

    def draw_site_directories(self) -> list[bytes]:
        """Draw the site directories that exist, as paths below the root."""
        enter_state(self.plan)
        found = [os.fsencode(site.getusersitepackages())]
        prefixes = [f"{self.plan.root}/{name}" for name in ("p1", "p2", "p3", "venv")]
        found += map(os.fsencode, site.getsitepackages(prefixes))
        below = [os.path.relpath(path, self.root) for path in found if self.happens(0.5)]
        plain = [name for name in (b"a", b"b", b"A", b"c d", b"\xc3\xa9") if self.happens(0.35)]
        if self.happens(0.3):
            self.add("link", b"link", self.choose(b"a", b"b", b"p1", self.root + b"/a", b"nothing"))
            plain.append(b"link")
        return [*below, *plain] or [b"a"]

    def draw_site_directory(self, directory: bytes) -> None:
        """Draw the files of one site directory."""
        self.add("folder", directory)
        for name in self.random.sample(STARTUP_NAMES, self.random.randrange(9)):
            path = os.path.join(directory, name.encode(errors="surrogateescape"))
            self.draw_startup_file(directory, path)
            self.startup_files.append((directory, os.path.basename(path)))
        if self.happens(0.3):
            self.add("file", os.path.join(directory, b"pkg.zip"), b"PK\x05\x06" + bytes(18))
        if self.happens(0.1):
            name = self.choose(b"sitecustomize", b"usercustomize", b"Sitecustomize.txt")
            self.add("folder", os.path.join(directory, name))

    def draw_startup_file(self, directory: bytes, path: bytes) -> None:
        """Draw what is found under the name of a startup file."""
        kind = self.random.random()
        if kind < 0.80:
            self.add("startup file", path, self.draw_content(directory, path))
        elif kind < 0.84:
            self.add("file", path)
        elif kind < 0.88:
            self.add("folder", path)
        elif kind < 0.94:
            self.add("startup file", path + b".target", self.draw_content(directory, path))
            target = os.path.basename(path) + b".target"
            self.add("link", path, self.choose(target, os.path.join(self.root, directory, target)))
        else:
            others = [b"nothing", os.path.basename(path), b".", b"pkg"]
            if not path.endswith(b".start"):  # for which path entries would be entry points
                others += [b"../b/x.pth", b"x.pth"]
            self.add("link", path, self.choose(*others))

    def draw_content(self, directory: bytes, path: bytes) -> bytes:
        """Draw the content of a startup file, and folders that its lines name."""
        if path.endswith(b".start") and VERSION >= (3, 15):
            return bytes(self.choose(b"", b"#", b"\n# x:y\n", b"\xef\xbb\xbf \r\n\t", b"\xffx:y"))
        lines = [self.draw_line() for _ in range(self.random.randrange(10))]
        for line in lines:
            self.provide(directory, line)
        text = "".join(self.joined(lines))
        data = self.encoded(text).replace(ROOT.encode(), self.root)
        return path_only(data, self.may_be_undecodable)

    def draw_line(self) -> str:
        """Draw one line."""
        drawn = (self.draw_spaced_line(), self.draw_long_line())
        kinds = (PLAIN_LINES, COMMENTS, BLANKS, LOOKALIKES, NULS, drawn[:1], drawn[1:])
        return str(self.choose(*self.random.choices(kinds, (55, 8, 8, 14, 3, 10, 2))[0]))

    def draw_spaced_line(self) -> str:
        """Draw a path entry with white space, or a line end of some kind, in its places."""
        before, within, after = (self.choose("", "", *SPACES) for _ in range(3))
        return f"{before}pkg{within}src{after}"

    def draw_long_line(self) -> str:
        """Draw a line beyond what a file system takes, or beyond a reader's buffer."""
        long = (
            "x" * 254,
            "x" * 256,
            "d/" * 3000,
            "../" * 30 + "lib",
            "./" * 5000 + "pkg",
            "y" * 9000,
        )
        return str(
            self.choose(*long, f"{ROOT}/out/{'./' * 2000}", "pkg" + " " * 20000, "z" * 150000)
        )

    def joined(self, lines: Sequence[str]) -> Iterator[str]:
        """Yield lines with line ends: mostly one kind in a file, mostly one at the end."""
        usual = self.choose("\n", "\n", "\n", "\r\n", "\r", *LINE_ENDS)
        mixed = self.happens(0.2)
        for number, line in enumerate(lines, 1):
            yield line
            if number < len(lines) or self.happens(0.7):
                yield self.choose(*LINE_ENDS) if mixed else usual

    def encoded(self, text: str) -> bytes:
        """Return text in an encoding, or in what is left of one."""
        kind = self.random.random()
        if kind < 0.70:
            return text.encode()
        if kind < 0.80:
            return text.encode("utf-8-sig")
        if kind < 0.92:
            return text.encode("latin-1", "ignore")
        if kind < 0.95:
            return text.encode("cp1252", "ignore")
        if kind < 0.96:
            return text.encode("utf-16")
        data = text.encode()
        place = self.random.randrange(len(data) + 1)
        bad = self.choose(b"\xff", b"\xe9", b"\xed\xa0\x80", b"\xc0\xaf", b"\xef\xbb\xbf", b"\xa0")
        return data[:place] + bytes(bad) + data[place:]

    def provide(self, directory: bytes, line: str) -> None:
        """Plan some of the folders that one reading or another makes of a line."""
        if ROOT in line or len(line) > 250:
            return
        forms = (line, line.strip(), line.rstrip(), *line.splitlines())
        names = [form.encode(code, "ignore") for form in forms for code in ("utf-8", "latin-1")]
        for name in dict.fromkeys(names):
            inside = not os.path.normpath(os.path.join(directory, name)).startswith((b"..", b"/"))
            if inside and name.strip(b".") and b"\0" not in name and self.happens(0.4):
                kind = "folder" if self.happens(0.9) else "file"
                self.add(kind, os.path.join(directory, name))

    # Calls.

    def draw_calls(self, directories: list[bytes]) -> None:
        """Draw the calls to site's functions, and what happens between them."""
        for number in range(self.choose(1, 1, 1, 2, 2, 3)):
            if number and self.happens(0.3):
                self.plan.calls.append(self.draw_interlude(directories))
            self.plan.calls.append(self.draw_call(directories))

    def draw_interlude(self, directories: list[bytes]) -> tuple[Any, ...]:
        """Draw a change between two calls."""
        folder = os.path.join(self.choose(*directories), b"pkg")
        return tuple(self.choose(("make_folder", folder), ("drop_entries", self.choose(0, 1, -1))))

    def draw_call(self, directories: list[bytes]) -> tuple[Any, ...]:
        """Draw a call."""
        known = self.choose(*KNOWN_PATHS)
        sitedir = self.as_argument(self.spelled(self.choose(*directories)))
        prefixes = self.choose(None, [f"{self.plan.root}/{name}" for name in ("p3", "p1", "p3")])
        calls: list[tuple[Any, ...]] = [("main",)] * 7
        calls += [("addsitedir", known, self.choose(sitedir, sitedir, "missing", "", "x.pth"))] * 5
        calls += [("addpackage", known, *self.draw_package())] * 2
        calls += [("addsitepackages", known, prefixes)] * 2
        calls += [("addusersitepackages", known), ("venv", known)]
        if VERSION >= (3, 15):
            calls += [("batch", known, self.draw_batch(directories, prefixes))] * 5
        return tuple(self.choose(*calls))

    def draw_batch(self, directories: list[bytes], prefixes: list[str] | None) -> list[Any]:
        """Draw the calls on one StartupState of 3.15."""
        calls: list[Any] = []
        for _ in range(self.random.randrange(5)):
            sitedir = self.spelled(self.choose(*directories))
            kinds = ("addsitedir", sitedir), ("addsitepackages", prefixes), ("addusersitepackages",)
            calls.append(self.choose(kinds[0], *kinds, ("process",)))
        return [*calls, ("process",)]

    def as_argument(self, path: str) -> str | pathlib.Path:
        """Draw the type of a site directory that is handed to ``site``."""
        return pathlib.Path(path) if self.happens(0.1) else path

    def draw_package(self) -> tuple[str | pathlib.Path, str]:
        """Draw a site directory and the name of a startup file in it."""
        if not self.startup_files or self.happens(0.1):
            return f"{self.plan.root}/a", "missing.pth"
        directory, name = self.choose(*self.startup_files)
        return self.as_argument(self.spelled(directory)), os.fsdecode(name)

    def spelled(self, directory: bytes) -> str:
        """Draw one way to write the path of a site directory."""
        path = os.fsdecode(directory)
        full = f"{self.plan.root}/{path}"
        return str(self.choose(full, full, f"{full}/", f"{self.plan.root}/lib/../{path}", path))


# Acting.


def enter_state(plan: Plan) -> None:
    """Put ``site`` and ``sys`` into a plan's state, but for the path and the current directory."""
    state, root = plan.state, plan.root
    environment = f"{root}/venv" if state["venv"] else f"{root}/p1"
    sys.base_prefix = sys.base_exec_prefix = f"{root}/p1"
    # Up to 3.13, it is site that moves the prefix to the virtual environment.
    sys.prefix = sys.exec_prefix = environment if VERSION >= (3, 14) else sys.base_prefix
    sys.executable = f"{environment}/bin/python"
    sys.platlibdir = state["platlibdir"]
    site.PREFIXES = list(state["prefixes"])
    site.ENABLE_USER_SITE = state["enable_user_site"]
    site.USER_SITE = None
    site.USER_BASE = f"{root}/u" if state["user_base"] == "attribute" else None
    os.environ.pop("PYTHONUSERBASE", None)
    os.environ["HOME"] = f"{root}/home"
    if state["user_base"] == "PYTHONUSERBASE":
        os.environ["PYTHONUSERBASE"] = f"{root}/u"


def build(plan: Plan) -> None:
    """Make the nodes of the plan's tree, but for those whose random neighbours leave no place."""
    root = os.fsencode(plan.root)
    os.makedirs(root)
    for kind, below, content in plan.nodes:
        path = os.path.join(root, below)
        with contextlib.suppress(OSError):
            if kind == "folder":
                os.makedirs(path, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if kind == "link":
                os.symlink(content, path)
            else:
                with open(path, "xb") as file:
                    file.write(content)


def empty_undecodable(plan: Plan) -> None:
    """Empty the startup files of the plan's tree that stop stock ``site``.

    Emptied, not removed: a path entry of another file may name one.
    """
    for kind, below, _ in plan.nodes:
        path = os.path.join(os.fsencode(plan.root), below)
        with contextlib.suppress(OSError):
            if kind == "startup file":
                with open(path, "rb") as file:
                    data = file.read()
                if not decodable(data):
                    os.truncate(path, 0)


class Attempt:
    """The calls of one plan on its tree, and what is seen after each."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.shared: set[str] = set()
        self.returned: set[str] | None = None
        self.seen: list[dict[str, Any]] = []
        self.raised = ""

    def run(self) -> Attempt:
        """Make the calls; stop at the first that raises."""
        path, cwd, stderr = sys.path[:], os.getcwd(), sys.stderr
        sys.path_importer_cache.clear()
        try:
            enter_state(self.plan)
            self.enter_directory()
            sys.path[:] = self.plan.state["path"]
            for call in self.plan.calls:
                sys.stderr = messages = io.StringIO()
                seen = self.perform(*call)
                seen["stderr"] = self.plain(without_safesites(messages.getvalue()))
                self.seen.append(seen)
        except Exception as exc:  # noqa: BLE001 - whatever comes out of site or safesite
            frame = traceback.extract_tb(exc.__traceback__)[-1]
            place = f"{os.path.basename(frame.filename)}, {frame.name}"
            self.raised = f"{type(exc).__name__} in {place}: {self.plain(exc)}"
        finally:
            sys.path[:], sys.stderr = path, stderr
            os.chdir(cwd)
        return self

    def enter_directory(self) -> None:
        """Change to the plan's current directory, which may be one that has been removed."""
        folder = os.path.join(self.plan.root, self.plan.state["cwd"])
        os.makedirs(folder, exist_ok=True)
        os.chdir(folder)
        if self.plan.state["cwd"] == "gone":
            os.rmdir(folder)

    def perform(self, function: str, *args: Any) -> dict[str, Any]:  # noqa: ANN401 - of all calls
        """Make one call and return what can be seen of it."""
        known: set[str] | None = None
        if function in ("make_folder", "drop_entries"):
            returned = getattr(self, function)(*args)
        elif function == "main":
            returned = site.main()
        else:
            known = self.known_paths(args[0])
            returned = self.returned = self.call(function, known, args[1:])
        return {
            "call": self.plain([function, *args]),
            "sys.path": [self.plain(entry) for entry in sys.path],
            "known_paths": None if known is None else sorted(map(self.plain, known)),
            "returned": "known_paths" if returned is known else type(returned).__name__,
            "site": [self.plain(value) for value in site_state()],
        }

    def call(self, function: str, known: set[str] | None, args: Sequence[Any]) -> set[str] | None:
        """Call a function of site with known_paths, each in its own place."""
        if function == "batch":
            batch = site.StartupState(known)
            for method, *its_args in args[0]:
                getattr(batch, method)(*its_args)
            return None
        places = (*args, known) if function in ("addsitedir", "addpackage") else (known, *args)
        returned: set[str] | None = getattr(site, function)(*places)
        return returned

    def known_paths(self, kind: str) -> set[str] | None:
        """Return the known_paths of a call."""
        makers: dict[str, Callable[[], set[str] | None]] = {
            "empty": set,
            "existing": site._init_pathinfo,
            "deduplicated": site.removeduppaths,
            "shared": lambda: self.shared,
            "chained": lambda: self.returned,
        }
        return makers[kind]() if kind in makers else None

    def make_folder(self, below: bytes) -> None:
        """Make a folder between two calls, if nothing is in its place."""
        with contextlib.suppress(OSError):
            os.makedirs(os.path.join(os.fsencode(self.plan.root), below))

    def drop_entries(self, place: int) -> None:
        """Remove an entry of sys.path between two calls."""
        del sys.path[place : place + 1 or None]

    def plain(self, value: object) -> str:
        """Return text that does not depend on where the root is."""
        text = value if isinstance(value, str) else repr(value)
        return text.replace(self.plan.root, ROOT).replace(os.path.dirname(self.plan.root), FOLDER)


def site_state() -> list[Any]:
    """Return what site holds besides functions and programs look at."""
    return [*site.PREFIXES, site.ENABLE_USER_SITE, site.USER_SITE, site.USER_BASE]


def without_safesites(text: str) -> str:
    """Return what was written to standard error, without safesite's lines."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("safesite: "))


class Forbid:
    """An import hook that notes every attempt to import the module of the executable lines."""

    def __init__(self) -> None:
        self.imported: list[str] = []

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        """Note the name; find nothing."""
        if name.startswith(FORBIDDEN):
            self.imported.append(name)


def run_seed(seed: int, folder: str, forbid: Forbid) -> dict[str, Any]:
    """Make one tree, make its calls, remove it."""
    plan = Planner(seed, folder).make()
    forbid.imported.clear()
    attempt = attempt_on(plan)
    result = {
        "seed": seed,
        "site_directories": plan.site_directories,
        "raised": attempt.raised,
        "seen": attempt.seen,
    }
    if attempt.raised.startswith("UnicodeDecodeError"):
        # What safesite promises where stock does not start: as if the file held nothing.
        reference = attempt_on(plan, empty_undecodable)
        result.update(reference_raised=reference.raised, reference=reference.seen)
    result["imported"] = sorted(set(forbid.imported))
    return result


def attempt_on(plan: Plan, change: Callable[[Plan], None] | None = None) -> Attempt:
    """Make a plan's tree, change it, make the plan's calls."""
    build(plan)
    try:
        if change:
            change(plan)
        return Attempt(plan).run()
    finally:
        shutil.rmtree(os.fsencode(plan.root))


def show(seed: int, folder: str) -> None:
    """Print the plan of a seed, all of it escaped."""
    plan = Planner(seed, folder).make()
    where = ascii(plan.root)[1:-1]
    for name, value in plan.state.items():
        print(f"{name}: {value!a}".replace(where, ROOT))
    for kind, below, content in plan.nodes:
        text = f"{content!a}".replace(repr(os.fsencode(plan.root))[2:-1], ROOT)
        text = text if len(text) < 800 else f"{text[:800]}... ({len(content)} bytes)"
        print(f"{kind} {below!a}" + (f": {text}" if kind != "folder" else ""))
    for call in plan.calls:
        print(f"call {call!a}".replace(where, ROOT))


def take_over(parent: str) -> None:
    """Let safesite, found in the folder ``parent``, take over ``site``."""
    sys.path.append(parent)
    try:
        import safesite  # noqa: PLC0415 - not in the process that is stock
        from safesite import site as alternative  # noqa: PLC0415
    finally:
        sys.path.remove(parent)
    if os.environ["SAFESITE_MODE"] in safesite.GATED_MODES:
        safesite.close_gate(site, os.environ["SAFESITE_MODE"])
    else:
        alternative.take_over()
    if safesite.active() != os.environ["SAFESITE_MODE"]:
        sys.exit(f"the mode is {safesite.active()}")


def close_gate_again() -> None:
    """Put stock's parts back and the gate before them, so that each tree meets it closed."""
    safesite = sys.modules["safesite"]
    gate: dict[str, Any] = safesite.gate
    if gate["behind"] is None:
        return
    startup = gate["core"].startup
    state = vars(site).get("StartupState")
    for name, part in startup.stock.items():
        setattr(site if name in vars(site) else state, name, part)
    startup.site = gate["behind"] = gate["core"] = None
    safesite.close_gate(site, gate["mode"])


def main() -> None:
    """Parse the command line and run the seeds."""
    parser = argparse.ArgumentParser(description="Print what site makes of random trees.")
    parser.add_argument(
        "--safesite", metavar="FOLDER", help="take site over, with the package here"
    )
    parser.add_argument("--scratch", required=True, help="a folder for the trees")
    parser.add_argument("--show", action="store_true", help="print the trees, run nothing")
    parser.add_argument("seeds", type=int, nargs=3, metavar=("FIRST", "STOP", "STEP"))
    options = parser.parse_args()
    if options.safesite:
        take_over(options.safesite)
    os.makedirs(options.scratch, exist_ok=True)
    # The customize modules count as imported: what a search for them says is not compared here.
    for name in ("sitecustomize", "usercustomize"):
        sys.modules[name] = types.ModuleType(name)
    forbid = Forbid()
    sys.meta_path.insert(0, forbid)
    for seed in range(*options.seeds):
        if options.show:
            show(seed, options.scratch)
        else:
            if options.safesite:
                close_gate_again()
            print(json.dumps(run_seed(seed, options.scratch, forbid)))


if __name__ == "__main__":
    main()
