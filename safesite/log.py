"""SAFESITE_LOG: each refusal appended to a file, as a line of JSON; and what parents have reported.

Loaded by ``core`` when one of the two variables is set; imports only what stock ``site`` has
loaded.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safesite.core import Record, Startup

if TYPE_CHECKING or __name__ == "safesite.log":
    from safesite import keep
else:
    import _safesite_keep as keep


def take_environment(startup: "Startup") -> None:
    """Take the log's name (relative to where Python started), and what parents have reported."""
    log = os.environ.get("SAFESITE_LOG", "")
    if log:
        try:
            startup.log = os.path.abspath(log)
        except OSError:  # the current directory is gone
            startup.log = log
    if "SAFESITE_HINTED" in os.environ:
        hinted, *marks = os.environ["SAFESITE_HINTED"].split(",")
        startup.hinted = hinted != "0"
        startup.marks.update(marks[: keep.MARKS])


def append(startup: "Startup", lines: "list[Record]") -> None:
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
            reason = keep.quoted(getattr(exc, "strerror", None) or str(exc))
            keep.say(
                f"safesite: SAFESITE_LOG: {keep.place(startup.log)}: not written: {reason} (log)"
            )


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
