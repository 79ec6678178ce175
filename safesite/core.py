"""Read startup files and refuse what they would run, for the launcher and for a patched ``site``.

The way of one line: ``read_startup_file`` (bytes, once) -> ``line_records`` (a `Record` each) ->
``Startup.decide`` -> extend ``sys.path``, or ``Startup.refuse``, unless `known` knows better.
Nothing here executes text: `keep` hands stock ``site`` what may run.  Imports what site has loaded.
"""

import _io
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RUNNING_MODES = ("allow", "warn")
MODES = (*RUNNING_MODES, "quiet", "refuse", "skip")

PATH, IMPORT, ENTRY = "path entry", "import line", "entry point"
CUSTOMIZE, FILE = "customize module", "startup file"
IMPORT_STARTS = ("import ", "import\t")
BOM = b"\xef\xbb\xbf"

SIZE_CAP = 4 << 20  # bytes of one startup file; the largest seen so far held 35,000
SYSTEM_POLICY = "/etc/safesite/policy"

STRIPS = sys.version_info >= (3, 15)  # 3.15 strips each line before it looks at it


class Record(str):
    """One line of a startup file, or the name of a customize module, that knows its place.

    ``line`` counts from 1; 0 is the whole file.  ``runs_here``: this version would execute it.
    """

    __slots__ = ("detail", "file", "kind", "line", "runs_here", "slug")
    file: str
    line: int
    kind: str
    slug: str
    detail: str
    runs_here: bool

    def __new__(cls, text: str, file: str, line: int, kind: str, slug: str = "") -> "Record":
        """Make the record of one line; its slug is that of its kind unless another is given."""
        self = super().__new__(cls, text)
        self.file, self.line, self.kind = file, line, kind
        self.slug, self.detail = slug or kind.replace(" ", "-"), ""
        self.runs_here = slug != "other-python"
        return self

    def strip(self, _chars: "str | None" = None, /) -> "Record":
        """Return the record itself: 3.15's reader strips every line, and would lose the place."""
        return self


def read_startup_file(path: str, skips_hidden: bool) -> "bytes | None":
    """Return a startup file's bytes, or None where the platform marks it as hidden (gh-113659).

    Raises OSError, ValueError.  Opens only regular files: others could hold up the start for ever.
    """
    st = os.lstat(path)
    hidden = getattr(st, "st_flags", 0) & stat.UF_HIDDEN
    hidden |= getattr(st, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN
    if skips_hidden and hidden:
        return None
    if stat.S_ISLNK(st.st_mode):
        st = os.stat(path)
    if not stat.S_ISREG(st.st_mode):
        raise ValueError("not a regular file")
    data = b""
    if 0 < st.st_size <= SIZE_CAP:  # 0 is what /proc says of files whose reading never ends
        with _io.open_code(path) as file:
            data = file.read(SIZE_CAP + 1)
    if max(st.st_size, len(data)) > SIZE_CAP:
        raise ValueError(f"larger than {SIZE_CAP} bytes, the cap that keeps a start short")
    return data


def line_records(file: str, lines: "list[str]") -> "list[Record]":
    """Return the path entries and executable lines among the lines of a .pth file, in order.

    Executable is what any supported Python would execute: lstrip() covers each one's test.  A path
    entry is what this Python takes for one; a line that only another would execute can be both.
    """
    records = []
    for number, line in enumerate(lines, 1):
        text = line.strip() if STRIPS else line
        if text.startswith(IMPORT_STARTS):
            records.append(Record(text, file, number, IMPORT))
            continue
        if line.lstrip().startswith(IMPORT_STARTS):
            records.append(Record(line, file, number, IMPORT, "other-python"))
        text = text.rstrip()
        if text and not text.startswith("#"):
            records.append(Record(text, file, number, PATH))
    return records


def user_policy() -> str:
    """Return the file that holds the user's policy, if it is there."""
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(folder, "safesite", "policy")


class Startup:
    """What safesite has decided in this process, and the mode it decides by.

    One instance, `startup`.  ``with startup:`` is a call into ``site`` that is reported as one.
    Re-entrant: code that is allowed to run may call ``site.addsitedir``.
    """

    def __init__(self) -> None:
        self.mode, self.skips_hidden, self.splits_like_str = "refuse", True, True
        self.site: Any = None  # the module site, and what it would do by itself
        self.stock: dict[str, Any] = {}
        self.refused: dict[tuple[str, int, str], Record] = {}
        self.warned: dict[tuple[str, int, str], bool] = {}
        self.customize_dirs: list[str] = []
        self.done: set[tuple[str, int]] = set()
        self.depth = self.printed = self.unprinted = self.reported = 0
        self.hinted, self.performed, self.log, self.marks = False, False, "", set[str]()
        self.finders: dict[bool, Any] = {}  # of `known`: whether it stands first
        self.policies: list[Any] | None = None  # None until a line needs a decision
        self.told: set[tuple[str, int]] = set()  # what has been said of policies
        self.exact = self.pinned = frozenset[str]()  # modules that no helper may answer for

    def serve(self, site: "Any", stock: "dict[str, Any]") -> None:
        """Decide for a ``site``, of which ``stock`` holds the original parts."""
        self.site, self.stock = site, stock
        if not STRIPS:  # gh-113659, and reading as UTF-8, came in micro releases
            names = stock["addpackage"].__code__.co_names
            self.skips_hidden, self.splits_like_str = "UF_HIDDEN" in names, "decode" in names

    def serve_patched(self, names: "dict[str, Any]", default: str) -> None:
        """Decide for a patched ``site``; the environment counts only while that itself starts."""
        if self.site is None:
            site = type("Names", (), {})()  # of the module, which need not be in sys.modules
            site.__dict__ = names
            self.serve(site, {"addpackage": names["_addpackage"]})
            self.mode = default
            if getattr(names["__spec__"], "_initializing", False):
                self.read_environment(default)
                self.begin()  # one report, which site ends when it has built sys.path

    def read_environment(self, default: str) -> None:
        """Take mode and log from the environment; call once, before anything is decided."""
        self.mode = default
        if sys.flags.ignore_environment:
            return
        if "SAFESITE_LOG" in os.environ or "SAFESITE_HINTED" in os.environ:
            self.part("log").take_environment(self)
        self.mode = os.environ.get("SAFESITE_MODE") or default
        if self.mode not in MODES:
            self.mode = self.part("keep").tell_unknown_mode(self.mode)

    @property
    def refuses(self) -> bool:
        """Whether the mode runs no startup code without permission."""
        return self.mode not in RUNNING_MODES

    def part(self, name: str) -> "Any":
        """Return one of the modules beside this one, imported when it is needed."""
        __import__(name := ("_safesite_" if __name__ == "_safesite" else "safesite.") + name)
        return sys.modules[name]

    def has_policy(self) -> bool:
        """Return whether a policy counts, having looked for one when first asked."""
        if self.policies is None:
            there = os.environ.get("SAFESITE_POLICY") or os.path.lexists(SYSTEM_POLICY)
            there = there or os.path.lexists(user_policy())
            self.policies = self.part("keep").load_policies(self) if there else []
        return bool(self.policies)

    def decide(self, line: "Record") -> bool:
        """Return whether an executable line or customize module may run: nothing else says yes.

        What a policy says comes first; then the mode says.
        """
        said = self.part("keep").ask_policies(self, line) if self.has_policy() else None
        if said is None and line.runs_here and not self.refuses:
            said = self.part("running").permits(self, line)
        return said is True

    def may_allow(self, line: "Record") -> bool:
        """Return whether the mode lets lines run, or a policy names the file of this one."""
        return not self.refuses or (self.has_policy() and self.part("keep").naming(self, line))

    def refuse(self, line: "Record") -> None:
        """Note a refusal, once a line and process, and report it; unless the line need not run."""
        if line.kind in (IMPORT, ENTRY) and self.part("known").keeps(self, line):
            return
        if self.refused.setdefault((line.file, line.line, line), line) is line:
            self.part("keep").tell(self, line)

    def trace(self, line: "Record", how: str) -> None:
        """Show under ``-v`` what becomes of a line that need not run."""
        if sys.flags.verbose:
            self.part("keep").trace(line, how)

    def begin(self) -> None:
        """Open a call into ``site``; nested calls report together, at the end of the outermost."""
        self.depth += 1

    def end(self, *_exc: object) -> None:
        """Close what begin() opened."""
        self.depth -= 1
        if not self.depth:
            self.exact = frozenset()
            self.done.clear()
            if len(self.refused) > self.reported:
                self.part("keep").finish_report(self)

    __enter__, __exit__ = begin, end

    def read(self, path: str) -> "bytes | None":
        """Return a startup file's bytes; None, with a report unless hidden, if it is skipped."""
        try:
            return read_startup_file(path, self.skips_hidden)
        except (OSError, ValueError) as exc:
            self.skip(path, getattr(exc, "strerror", None) or str(exc))
            return None

    def skip(self, path: str, reason: str) -> None:
        """Note and report a startup file that cannot be used."""
        self.refuse(Record(ascii(reason)[1:-1], path, 0, FILE, "skipped"))

    def read_pth(self, path: str) -> "list[Record] | None":
        """Return the records of a .pth file; None if it is skipped."""
        data = self.read(path)
        if data is None:
            return None
        try:
            lines = data.removeprefix(BOM).decode().splitlines()
            usual = self.splits_like_str
            usual = usual or (data.isascii() and len(data.splitlines()) == len(lines))
        except UnicodeDecodeError:
            lines, usual = [], False
        if usual:
            return line_records(path, lines)
        return self.part("keep").read_otherwise(self, path, data, lines)  # type: ignore[no-any-return]

    def add_startup_files(self, sitedir: str, known: "set[str]") -> bool:
        """Process a site directory's .pth files, to 3.14; False leaves that to stock ``site``."""
        names = self.list_directory(sitedir)
        if names is None:
            return False
        # Stock reads those of a virtual environment twice; where nothing runs that can add nothing.
        reading = (sitedir, id(known))
        if self.mode != "skip" and not (self.refuses and reading in self.done):
            self.done.add(reading)
            self.note_customize(sitedir, names)
            with self:
                for name in sorted(n for n in names if n.endswith(".pth")):
                    if not (self.skips_hidden and name[0] == "."):
                        self.add_package(sitedir, name, known)
        return True

    def list_directory(self, sitedir: str) -> "list[str] | None":
        """Return the names in a site directory; None where stock ``site`` is to go on by itself."""
        try:
            return None if self.mode == "allow" else os.listdir(sitedir)
        except OSError:
            return None

    def add_package(self, sitedir: str, name: str, known_paths: "set[str]") -> bool:
        """Do what ``addpackage`` does to 3.14 with what may run; False for a skipped file."""
        found = self.read_pth(os.path.join(sitedir, name))
        records = found or []
        executable = [line for line in records if line.kind == IMPORT]
        if sys.flags.verbose or (executable and self.may_allow(executable[0])):
            self.part("running").feed_addpackage(self, records, sitedir, name, known_paths)
            return found is not None
        for line in records:
            if line.kind == IMPORT:
                self.refuse(line)
                continue
            path, pathcase = self.site.makepath(sitedir, str(line))
            if pathcase not in known_paths and os.path.exists(path):
                sys.path.append(path)
                known_paths.add(pathcase)
        return found is not None

    def note_customize(self, sitedir: str, names: "list[str]") -> None:
        """Remember a site directory whose listing may hold a customize module, in any form."""
        if any(name.lower().startswith(("sitecustomize", "usercustomize")) for name in names):
            self.customize_dirs.append(sitedir)

    def may_customize(self, name: str) -> bool:
        """Return whether stock may import a customize module; refuse those that may not run."""
        if self.mode in ("allow", "skip"):
            return self.mode == "allow"
        path = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
        if path or self.customize_dirs or self.has_policy():
            return bool(self.part("keep").may_customize(self, name, path))
        return not self.refuses


startup = Startup()
