"""What 3.15 does with startup files: a batch is read whole, then its lines run (PEP 829).

Loaded by ``core`` on 3.15 and later, when a site directory has startup files; imports only what
stock ``site`` has loaded.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from safesite.core import Record, Startup

if TYPE_CHECKING or __name__ == "safesite.batch":
    from safesite import core
else:
    import _safesite as core


def read_startup_files(startup: "Startup", state: "Any", sitedir: str) -> bool:
    """Have a state read a site directory's files; False leaves that to stock ``site``."""
    names = startup.list_directory(sitedir)
    if names is None:
        return False
    if startup.mode != "skip":
        startup.note_customize(sitedir, names)
        with startup:
            for name in sorted(n for n in names if n.endswith(".pth") and n[0] != "."):
                state._read_pth_file(sitedir, name)
            for name in sorted(n for n in names if n.endswith(".start") and n[0] != "."):
                state._read_start_file(sitedir, name)
    return True


def read_lines(
    startup: "Startup", sitedir: str, name: str, suffix: str
) -> "tuple[list[str] | None, str]":
    """Do what ``_read_pthstart_file`` does, with lines that know their place."""
    path = os.path.join(sitedir, name)
    if startup.mode == "skip":
        return None, path
    startup.site._trace(f"Reading startup configuration file: {path}")
    records = startup.read_pth(path) if suffix == ".pth" else read_start(startup, path)
    if records is None:
        return None, path
    startup.site._trace(f"Processing {suffix} file: {path!r}")
    lines = [""] * max((line.line for line in records), default=0)
    for line in records:
        if line.runs_here:
            lines[line.line - 1] = str(line) if line.kind == core.PATH else line
        elif not startup.decide(line):
            startup.refuse(line)
    return lines, path


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


# Running.


def allowed(startup: "Startup", lines: "Iterable[str]", file: str, kind: str) -> "Iterator[str]":
    """Yield the lines that may run on 3.15, each decided on when the one before has run."""
    for text in lines:
        line = text if isinstance(text, core.Record) else core.Record(text, file, 0, kind)
        if kind == core.ENTRY and not all(line.partition(":")[::2]):
            startup.trace(line, "ignored")
            yield str(line)  # it names no callable: stock says so, and imports nothing
        elif startup.decide(line):
            yield from startup.part("running").handed_over(startup, line)
        else:
            startup.refuse(line)
