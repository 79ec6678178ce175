"""Odd encodings, customize modules, the modes that run code, the report and the log.

Loaded by ``core`` when a line needs it, never otherwise, so a start without executable lines does
not pay for it.  Here and in ``core`` no text of a startup file is executed: what may run is handed
to the original functions of ``site``, so that order, namespace, frame locals and messages are
stock's own.  Imports at module level only what stock ``site`` has loaded.
"""

import _frozen_importlib_external
import _io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from safesite.core import Record, Startup

if TYPE_CHECKING or __name__ == "safesite.keep":
    from safesite import core
else:
    import _safesite as core

PRINTED_REFUSALS = 10
HELPLESS = ("answered-elsewhere", "helper", "never-answered")
PLACE_WIDTH = 1000  # a line of ours fits a pipe's atomic write, whatever the file is called


# Reading: what the hot path leaves to this module.


def read_otherwise(
    startup: "Startup", path: str, data: bytes, lines: "list[str]"
) -> "list[Record]":
    """Return the records of a .pth file that this Python and the newest ones read differently.

    ``lines`` are those of the file as UTF-8, none where it is not.  Path entries and what would run
    here come from this Python's own reading, other executable lines from ``lines``.
    """
    native = native_lines(data, startup.splits_like_str)
    if native is None:
        startup.skip(path, "it cannot be decoded (as UTF-8, or as the locale says)")
    records = core.line_records(path, native or [])
    # This Python's line may hold several of the other lines: the first of them is this line.
    seen = {str(line).splitlines()[0].strip() for line in records if line.kind == core.IMPORT}
    for line in core.line_records(path, lines):
        if line.kind == core.IMPORT and str(line).strip() not in seen:
            records.append(core.Record(line, path, line.line, core.IMPORT, "other-python"))
    return records


def native_lines(data: bytes, splits_like_str: bool) -> "list[str] | None":
    """Return the lines of a .pth file as this Python reads them, None if it cannot decode them."""
    try:
        if splits_like_str:
            import locale

            if sys.version_info >= (3, 11):
                return data.decode(locale.getencoding()).splitlines()
            return data.decode(locale.getpreferredencoding(do_setlocale=False)).splitlines()
        return _io.TextIOWrapper(_io.BytesIO(data), encoding="locale").read().split("\n")
    except (UnicodeError, LookupError):
        return None


def read_start(startup: "Startup", path: str) -> "list[Record] | None":
    """Return the entry points of a .start file (PEP 829); None if it is skipped."""
    data = startup.read(path)
    if data is None:
        return None
    try:
        lines = data.removeprefix(core.BOM).decode().splitlines()
    except UnicodeDecodeError:
        startup.skip(path, "not UTF-8")
        return None
    entries = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    return [
        core.Record(text, path, number, core.ENTRY)
        for number, text in entries
        if text and not text.startswith("#")
    ]


def may_customize(startup: "Startup", name: str, pythonpath: str) -> bool:
    """Return whether stock may import a customize module; refuse each one that may not run."""
    refused: list[Record] = []
    with startup:
        for module in find_customize(startup, name, pythonpath):
            # Python would import the first alone: one behind it is nobody's to perform.
            if not startup.decide(module) and (
                refused or not startup.part("perform").perform(startup, module)
            ):
                refused.append(module)
        for module in refused:
            startup.refuse(module)
    return not refused and not startup.refuses


def find_customize(startup: "Startup", name: str, pythonpath: str) -> "Iterator[Record]":
    """Yield a customize module's record for each place it could be imported from, in their order.

    Asks the import system's own path finder, which imports nothing, so every form counts: module,
    package, bytecode, extension, in a zip file.  A folder without ``__init__`` is not reported: as
    a namespace package it runs nothing.
    """
    paths = pythonpath.split(os.pathsep) if pythonpath else []
    folders = [(startup.site.makepath(path)[0], "customize-pythonpath") for path in paths]
    folders += [(path, "") for path in startup.customize_dirs]
    for folder, slug in folders:
        try:
            spec = _frozen_importlib_external.PathFinder.find_spec(name, [folder])
        except Exception as exc:  # noqa: BLE001 - a zip file or a path hook may raise anything
            startup.skip(folder, f"{type(exc).__name__}: {exc}")
            continue
        if spec is not None and spec.origin is not None:
            yield core.Record(name, spec.origin, 0, core.CUSTOMIZE, slug)


# Running: the original functions of site, given only what may run.


class _Lines:
    """Stands in for the module ``io`` in stock ``addpackage``: the file is lines read already."""

    def __init__(self, lines: "list[str]") -> None:
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
        return iter(self.lines)

    def read(self) -> "_Lines":
        return self

    def decode(self, _encoding: str) -> "_Lines":
        return self

    def splitlines(self) -> "list[str]":
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
    allowed: "set[int]",
    sitedir: str,
    name: str,
    known_paths: "set[str]",
) -> None:
    """Call the original ``addpackage`` (3.10 to 3.14) on path entries and allowed lines alone.

    ``allowed`` holds the numbers of the latter.  It runs in a copy of its globals in which ``io``
    hands over these lines, each at its number, and which leaves them to stock where it is patched.
    """
    lines = ["#"] * max((line.line for line in records), default=0)
    for line in records:
        # What only other versions run has numbers of another count: it must not take a place here.
        if line.runs_here and (line.kind == core.PATH or line.line in allowed):
            lines[line.line - 1] = str(line)
        else:
            startup.refuse(line)
    stock: Any = startup.stock["addpackage"]
    leaves = core.Startup()
    leaves.mode = "allow"
    namespace = {**vars(startup.site), "io": _Lines(lines), "_safesite": lambda: leaves}
    function = type(stock)(stock.__code__, namespace, stock.__name__)
    function(sitedir, name, known_paths)


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
    text = f"startup code: {line.kind} {quoted(line)} ({ends})"
    file = place(line.file)
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


# Telling: a refusal, the end of the report, and SAFESITE_LOG.


def tell(startup: "Startup", line: "Record") -> None:
    """Report one refusal as the mode says, or count it among those that are not printed."""
    loud = line.slug == "customize-pythonpath" or startup.printed < PRINTED_REFUSALS
    if sys.flags.verbose or (loud and startup.mode != "quiet"):
        startup.printed += 1
        say(message(line))
    else:
        startup.unprinted += 1


def tell_unknown_mode(mode: str) -> str:
    """Say that a mode is unknown, and return the one that is used instead."""
    say(f"safesite: SAFESITE_MODE: unknown mode {quoted(mode)}, so refuse is used (mode)")
    return "refuse"


def message(line: "Record") -> str:
    """Return the line that reports a refusal: printable ASCII, without line end."""
    where = place(line.file, line.line)
    if line.kind == core.FILE:
        return f"safesite: {where}: skipped: {line} ({line.slug})"
    detail = f": {quoted(line.detail, 240)[1:-1]}" if line.detail else ""
    return f"safesite: {where}: refused {line.kind}: {quoted(line)}{detail} ({line.slug})"


def trace(line: "Record", how: str) -> None:
    """Say, under ``-v``, what is done with a line that need not run."""
    say(f"safesite: {place(line.file, line.line)}: {how} {line.kind}: {quoted(line)}")


def quoted(text: str, width: int = 80) -> str:
    """Return a printable ASCII repr of text, cut to width characters."""
    shown = ascii(text[:width])
    if len(text) > width or len(shown) > width:
        shown = shown[: width - 4] + "..." + shown[0]
    return shown


def place(file: str, line: int = 0) -> str:
    """Return ``file:line`` for a message; a name that could mislead a reader comes quoted."""
    plain = file.isascii() and file.isprintable() and ": " not in file and file[:1] not in "'\""
    if not plain or len(file) > PLACE_WIDTH:
        file = quoted(file, PLACE_WIDTH)
    return f"{file}:{line}" if line else file


def say(message: str) -> None:
    """Write one line to standard error; a broken one is no reason not to start."""
    stream = sys.stderr
    try:
        if stream is sys.__stderr__ and stream is not None:
            # Past the buffer: text stuck in it would fail again, and change the exit code.
            stream.flush()
            os.write(stream.fileno(), f"{message}\n".encode("ascii"))
        elif stream is not None:
            stream.write(f"{message}\n")
    except Exception:  # noqa: BLE001, S110 - a program may put any object in place of sys.stderr
        pass


def finish_report(startup: "Startup") -> None:
    """Report what the call into ``site`` that ends now has refused: the rest, the hint, the log."""
    lines = list(startup.refused.values())
    # A mode would not run a file that is skipped, or a helper that is not as it should be.
    count = sum(line.kind != core.FILE and line.slug not in HELPLESS for line in lines)
    parts = [f"and {startup.unprinted} more"] if startup.unprinted else []
    if count and startup.mode == "refuse" and not startup.hinted:
        how = "start without -E and -I, and set" if sys.flags.ignore_environment else "set"
        parts.append(f"{count} refused; to run them: {how} SAFESITE_MODE=allow (hint)")
        hide_hint(startup)
    if parts and startup.mode != "quiet":
        say(f"safesite: {'; '.join(parts)}")
    if startup.log:
        append_log(startup, lines[startup.reported :])
    startup.unprinted, startup.reported = 0, len(lines)


def take_environment(startup: "Startup") -> None:
    """Take the log's name (relative to where Python started), and whether the hint was given."""
    log = os.environ.get("SAFESITE_LOG", "")
    if log:
        try:
            startup.log = os.path.abspath(log)
        except OSError:  # the current directory is gone
            startup.log = log
    if "SAFESITE_HINTED" in os.environ:
        hide_hint(startup)


def hide_hint(startup: "Startup") -> None:
    """Give no further hint in this process tree.

    Children inherit the variable; os.environ, which belongs to the program, does not show it.
    """
    startup.hinted = True
    os.environ.pop("SAFESITE_HINTED", None)
    os.putenv("SAFESITE_HINTED", "1")


def append_log(startup: "Startup", lines: "list[Record]") -> None:
    """Append refusals to SAFESITE_LOG, one JSON object a line."""
    version = "{}.{}.{}".format(*sys.version_info)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
    try:
        log = os.open(startup.log, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            for line in lines:
                os.write(log, f"{log_entry(startup, line, version)}\n".encode("ascii"))
        finally:
            os.close(log)
    except (OSError, ValueError) as exc:
        if startup.mode != "quiet":
            reason = quoted(getattr(exc, "strerror", None) or str(exc))
            say(f"safesite: SAFESITE_LOG: {place(startup.log)}: not written: {reason} (log)")


def log_entry(startup: "Startup", line: "Record", version: str) -> str:
    """Return the JSON object for one refusal, in ASCII: ``json`` is not there to import."""
    fields = {
        "file": line.file,
        "kind": line.kind,
        "text": str(line)[:4096],
        "slug": line.slug,
        "detail": line.detail,
        "mode": startup.mode,
        "python": version,
        "executable": sys.executable or "",
    }
    body = ", ".join(f'"{name}": {json_string(value)}' for name, value in fields.items())
    return f'{{"line": {line.line}, "pid": {os.getpid()}, {body}}}'


def json_string(text: str) -> str:
    """Return text as a JSON string of printable ASCII."""
    data = text.encode("utf-16-be", "surrogatepass")
    units = [high << 8 | low for high, low in zip(data[::2], data[1::2], strict=True)]
    plain = (chr(u) if 32 <= u < 127 and u not in (34, 92) else f"\\u{u:04x}" for u in units)
    return f'"{"".join(plain)}"'
