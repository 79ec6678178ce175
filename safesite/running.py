"""Startup code that may run: handed to the original functions of ``site``, and warned about.

So order, namespace, frame locals and messages are stock's own; no text of a startup file is
executed here.  Loaded by ``core`` where a mode or a policy may allow a line, or under ``-v``;
imports at module level only what stock ``site`` has loaded.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from safesite.core import Record, Startup

if TYPE_CHECKING or __name__ == "safesite.running":
    from safesite import core, keep
else:
    import _safesite as core
    import _safesite_keep as keep


class _Lines:
    """Stands in for the module ``io`` in stock ``addpackage``: the file is lines read already."""

    def __init__(self, lines: "Iterator[str]") -> None:
        self.lines = lines

    def open_code(self, _path: str) -> "_Lines":
        return self

    def TextIOWrapper(self, _file: "_Lines", **_options: object) -> "_Lines":  # noqa: N802 - as in io
        return self

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_details: object) -> None:
        return None

    def __iter__(self) -> "Iterator[str]":
        return self.lines

    def read(self) -> "_Lines":
        return self

    def decode(self, _encoding: str) -> "_Lines":
        return self

    def splitlines(self) -> "Iterator[str]":
        return self.lines


def addpackage(
    startup: "Startup", sitedir: str, name: str, known_paths: "set[str] | None"
) -> "set[str] | None":
    """Do what ``addpackage`` does to 3.14 where a program calls it."""
    if startup.mode == "skip":
        return known_paths
    known = startup.site._init_pathinfo() if known_paths is None else known_paths
    with startup:
        added = startup.add_package(sitedir, name, known)
    return known_paths if added else None  # as stock, for a file that it cannot open


def feed_addpackage(
    startup: "Startup",
    records: "list[Record]",
    sitedir: str,
    name: str,
    known_paths: "set[str]",
) -> None:
    """Call the original ``addpackage`` (3.10 to 3.14) on path entries and allowed lines alone.

    It runs in a copy of its globals in which ``io`` hands over these lines, each at its number, and
    which leaves them to stock where it is patched.
    """
    stock: Any = startup.stock["addpackage"]
    leaves = core.Startup()
    leaves.mode = "allow"
    lines = _Lines(lines_that_may_run(startup, records))
    namespace = {**vars(startup.site), "io": lines, "_safesite": lambda: leaves}
    function = type(stock)(stock.__code__, namespace, stock.__name__)
    function(sitedir, name, known_paths)


def lines_that_may_run(startup: "Startup", records: "list[Record]") -> "Iterator[str]":
    """Yield path entries and allowed lines, and a comment in the place of each other line.

    Each is decided on when those before it have been done: what it names may lie in a path entry.
    What only other versions run has numbers of another count, so it takes no place here.
    """
    number = 1
    for line in records:
        if line.kind == core.PATH or startup.decide(line):
            yield from ["#"] * (line.line - number)
            yield from handed_over(startup, line)
            number = line.line + 1
        else:
            startup.refuse(line)


def handed_over(startup: "Startup", line: "Record") -> "Iterator[str]":
    """Yield the text of a line, which runs before the next is asked for.

    Where a policy binds it to modules, no helper of another package answers for these meanwhile.
    """
    before = startup.exact
    if line.slug == "allow":
        startup.exact = before | startup.pinned
    try:
        yield str(line)
    finally:
        startup.exact = before


class StartupCodeWarning(DeprecationWarning):
    """Startup code runs that the mode ``refuse`` would refuse."""


def permits(startup: "Startup", line: "Record") -> bool:
    """Return whether the mode lets a line run; ``warn`` does unless its warning is an error.

    A line that is met twice is warned about once: stock 3.10 to 3.13 reads the startup files of a
    virtual environment two times.
    """
    if startup.mode == "allow":
        return True
    key = (line.file, line.line, line)
    if key not in startup.warned:
        startup.warned[key] = warn(line)
    if not startup.warned[key]:
        line.slug = "warning-is-error"
    return startup.warned[key]


def warn(line: "Record") -> bool:
    """Issue the deprecation warning of one line; return False where a filter makes it an error."""
    import linecache
    import warnings

    place_filter(warnings)
    ends = "ignored from Python 3.18 on" if line.kind == core.IMPORT else "refused by default"
    text = f"startup code: {line.kind} {keep.quoted(line)} ({ends})"
    file = keep.place(line.file)
    # The text shows the line, escaped; an empty entry keeps the raw one off the terminal.
    linecache.cache[file] = (0, None, [], file)
    try:
        warnings.warn_explicit(text, StartupCodeWarning, file, line.line or 1, registry={})
    except StartupCodeWarning:
        return False
    finally:
        linecache.cache.pop(file, None)
    return True


def place_filter(warnings: "Any") -> None:
    """Show StartupCodeWarning unless the user's filters say otherwise, and only then Python's own.

    Python's own begin with the one for DeprecationWarning in ``__main__``, whose module is a str
    (the user's are compiled patterns); a debug build has none.
    """
    ours = ("default", None, StartupCodeWarning, None, 0)
    if ours in warnings.filters:
        return
    own = ("default", None, DeprecationWarning, "__main__", 0)
    filters = warnings.filters
    filters.insert(filters.index(own) if own in filters else len(filters), ours)
