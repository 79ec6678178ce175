"""Odd encodings, customize modules, policies and the report.

Loaded by ``core`` when a line needs it or a policy exists, never otherwise, so a start without
executable lines does not pay for it.  Imports at module level only what stock ``site`` has loaded.
"""

import _frozen_importlib_external
import _imp
import _io
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safesite.core import Record, Startup

if TYPE_CHECKING or __name__ == "safesite.keep":
    from safesite import core
else:
    import _safesite as core

MARKS = 500  # of what has been reported, handed on to children
PRINTED_REFUSALS = 10
HELPLESS = ("answered-elsewhere", "denied", "helper", "never-answered")
PLACE_WIDTH = 1000  # a line of ours fits a pipe's atomic write, whatever the file is called
ODD = frozenset(" #%")  # in a policy these are percent-encoded, as all that is not printable ASCII
POLICY_CAP = 4 << 20
WHOLLY_CHECKED = 16 << 10  # bytes of a policy of which a start looks at every line
OPEN = os.O_RDONLY
for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    OPEN |= getattr(os, flag, 0)


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


def may_customize(startup: "Startup", name: str, pythonpath: str) -> bool:
    """Return whether stock may import a customize module; refuse each one that may not run."""
    refused: list[Record] = []
    paths = pythonpath.split(os.pathsep) if pythonpath else []
    named = [startup.site.makepath(path)[0] for path in paths]
    with startup:
        if startup.has_policy() and any(name.encode() in p.data for p in startup.policies or ()):
            # One that is allowed may lie elsewhere: in the standard library, in a path entry.
            first = next(find_customize(startup, name, sys.path, named), None)
            if first is not None and startup.decide(first):
                startup.exact = startup.pinned
                return True
        for module in find_customize(startup, name, named + startup.customize_dirs, named):
            # Python would import the first alone: one behind it is nobody's to perform.
            if not startup.decide(module) and (
                refused or not startup.part("perform").perform(startup, module)
            ):
                refused.append(module)
        for module in refused:
            startup.refuse(module)
    return not refused and not startup.refuses


def find_customize(
    startup: "Startup", name: str, folders: "list[str]", named: "list[str]"
) -> "Iterator[Record]":
    """Yield a customize module's record for each place it could be imported from, in their order.

    ``named``: the places that PYTHONPATH names.  Asks the import system's own path finder, which
    imports nothing, so every form counts: module, package, bytecode, extension, in a zip file.  A
    folder without ``__init__`` is not reported: as a namespace package it runs nothing.
    """
    for folder in folders:
        try:
            spec = _frozen_importlib_external.PathFinder.find_spec(name, [folder])
        except Exception as exc:  # noqa: BLE001 - a zip file or a path hook may raise anything
            startup.skip(folder, f"{type(exc).__name__}: {exc}")
            continue
        if spec is not None and spec.origin is not None:
            slug = "customize-pythonpath" if folder in named else ""
            yield core.Record(name, spec.origin, 0, core.CUSTOMIZE, slug)


# Policies: where they lie, whether they count, and which are about a line.
#
# A policy is text, an entry a line: ``allow NAME line=SHA256 MODULE=SHA256 ...``, ``allow-line
# NAME line=SHA256``, ``deny NAME``; a word that begins with ``#`` begins a comment.  A line ``guard
# allow KIND TARGET`` says nothing to a start, only to `grants`.  To read a policy may cost a start
# one percent: what most do without is in `trust`, `entries` and `pins`.


class Policy:
    """A policy that counts: its path and text, and the folders above it as (device, inode)."""

    def __init__(self, path: str, data: bytes, above: "list[os.stat_result]") -> None:
        self.path, self.data = path, b"\n%b\n" % data.replace(b"\t", b" ")
        self.above = {(status.st_dev, status.st_ino) for status in above}

    def lies_in(self, folder: "str | None") -> bool:
        """Return whether a folder, by whatever path, is one of those above the policy."""
        try:
            status = os.stat(folder or "")
        except (OSError, ValueError):  # there is no user base, say
            return False
        return (status.st_dev, status.st_ino) in self.above


def load_policies(startup: "Startup") -> "list[Policy]":
    """Return the policies that count; what is wrong with the others is reported."""
    found = []
    for path in policy_places():
        policy = read_plainly(path) or startup.part("trust").read_or_tell(startup, path)
        if policy is not None and not lies_with_packages(startup, policy):
            found.append(policy)
            if len(policy.data) < WHOLLY_CHECKED and not looks_whole(policy.data):
                startup.part("entries").tell_bad(startup, policy)
    return found


def policy_places() -> "list[str]":
    """Return the files that hold a policy: what the environment names, the system's, yours."""
    flags, named, yours = sys.flags, os.environ.get("SAFESITE_POLICY"), core.user_policy()
    others = [core.SYSTEM_POLICY] if flags.isolated else [core.SYSTEM_POLICY, yours]
    if hasattr(os, "getuid") and (os.getuid(), os.getgid()) != (os.geteuid(), os.getegid()):
        others, named = [core.SYSTEM_POLICY], ""  # the caller of a setuid program chose the rest
    found = [path for path in others if os.path.lexists(path)]
    return [named, *found] if named and not flags.ignore_environment else found


def read_plainly(path: str) -> "Policy | None":
    """Return the policy in a file that plainly nobody else can write; None leaves it to `trust`.

    That is: no link leads there, and the user or root owns it and each folder above it, which no
    group can write.  The file is looked at when it is open.
    """
    folders = path.split("/")[:-1]
    if folders[:1] != [""] or ".." in folders or not hasattr(os, "geteuid"):
        return None
    try:
        above = [os.lstat("/".join(folders[:end]) or "/") for end in range(1, len(folders) + 1)]
        file = os.open(path, OPEN)
        try:
            status = os.fstat(file)
            data = os.read(file, min(status.st_size, POLICY_CAP))
        finally:
            os.close(file)
    except (OSError, ValueError):
        return None
    for st in above:
        if st.st_mode & 0o170022 != stat.S_IFDIR or st.st_uid not in (0, os.geteuid()):
            return None
    if status.st_mode & 0o170022 != stat.S_IFREG or status.st_uid not in (0, os.geteuid()):
        return None
    return Policy(path, data, above) if len(data) == status.st_size else None


def lies_with_packages(startup: "Startup", policy: Policy) -> bool:
    """Return whether a policy lies where packages are installed, and so can be written by them."""
    site = startup.site
    prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    if policy.path.startswith("/etc/"):
        prefixes = [prefix for prefix in prefixes if prefix not in ("/", "/usr")]
    folders = *prefixes, *site.getsitepackages(), site.getusersitepackages(), site.USER_BASE
    found = list(filter(policy.lies_in, dict.fromkeys(folders)))
    if not policy.path.startswith("/etc/"):
        found += environments_above(policy.path)
    if found:
        startup.part("entries").tell_place(startup, policy, found[0])
    return bool(found)


def environments_above(path: str) -> "list[str]":
    """Return the folders above a path that are environments, of whatever Python."""
    folders, found = path.split(os.sep)[:-1], []
    for end in range(2, len(folders) + 1):
        folder = os.sep.join(folders[:end])
        if os.access(folder + os.sep + "pyvenv.cfg", 0) or os.access(folder + "/conda-meta", 0):
            found.append(folder)
    return found


def looks_whole(data: bytes) -> bool:
    """Return whether each line of a policy begins with a keyword, or is empty or a comment."""
    starts = (b"\nallow ", b"\nallow-line ", b"\ndeny ", b"\nguard allow ", b"\n#", b"\n\n")
    return sum(map(data.count, starts)) == data.count(b"\n") - 1


def naming(startup: "Startup", line: "Record") -> "list[tuple[Policy, bytes]]":
    """Return the policies that have the name or the path of a line's file, and what they have."""
    name = str(line) if line.kind == core.CUSTOMIZE else os.path.basename(line.file)
    words = {encode(startup, name), encode(startup, line.file)}
    return [(p, word) for p in startup.policies or () for word in words if word in p.data]


def ask_policies(startup: "Startup", line: "Record") -> "bool | None":
    """Return whether a line is allowed (True) or denied (False); None if no policy says either."""
    found = naming(startup, line)
    return startup.part("entries").decide(startup, line, found) if found else None


def encode(startup: "Startup", name: str) -> bytes:
    """Return a name as it stands in a policy, behind a space: odd ones are percent-encoded."""
    if not name.isascii() or not name.isprintable() or not ODD.isdisjoint(name):
        name = startup.part("entries").encode(name)
    return b" " + name.encode()


# Telling: a refusal, and the end of the report.


def tell(startup: "Startup", line: "Record") -> None:
    """Report one refusal as the mode says, or count it among those that are not printed."""
    if line.slug == "denied" or not is_news(startup, message(line)):  # denied: reviewed, for good
        return
    loud = line.slug == "customize-pythonpath" or startup.printed < PRINTED_REFUSALS
    if sys.flags.verbose or (loud and startup.mode != "quiet"):
        startup.printed += 1
        say(message(line))
    else:
        startup.unprinted += 1


def is_news(startup: "Startup", text: str) -> bool:
    """Return whether a message has not been given in this process tree; under ``-v`` all are."""
    mark = _imp.source_hash(0, text.encode("ascii")).hex()
    news = mark not in startup.marks or sys.flags.verbose > 0
    startup.marks.add(mark)
    return news


def tell_policy(startup: "Startup", file: str, line: int, reason: str, slug: str) -> None:
    """Report that a policy, or a line of it, grants nothing."""
    text = f"safesite: {place(file, line)}: grants nothing: {reason} ({slug})"
    if startup.mode != "quiet" and is_news(startup, text):
        say(text)


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
        parts.append(f"{count} refused; {remedy()} (hint)")
        startup.hinted = True
    if parts and startup.mode != "quiet":
        say(f"safesite: {'; '.join(parts)}")
    if startup.log:
        startup.part("log").append(startup, lines[startup.reported :])
    if startup.marks and startup.mode != "quiet":
        hand_on(startup)
    startup.unprinted, startup.reported = 0, len(lines)


def remedy() -> str:
    """Return what helps after a refusal: a command that works where this one did."""
    words = command()
    if words and all(word.isascii() and word.isprintable() for word in words):
        return f"to see owners and remedies: {' '.join(map(shell_quoted, words))} --explain"
    how = "start without -E and -I, and set" if sys.flags.ignore_environment else "set"
    return f"to run them: {how} SAFESITE_MODE=allow"


def command() -> "list[str]":
    """Return the words that started safesite; beside a patch, those of a command on PATH."""
    gate = getattr(sys.modules.get("safesite"), "gate", {})
    words = gate.get("words") or sys.orig_argv  # as typed, before it was the program's
    at, module = target_of_python(words)
    if module == "safesite":
        return words[:at]
    start = words[at] if at < len(words) else ""
    if start.endswith(os.path.join("safesite", "command", "child.py")):
        start = os.path.join(os.path.dirname(start), "start.py")
        _, climbs, rest = start.partition("/.././")  # of an interpreter launcher
        start = "/" + rest if climbs else start
        words = [words[0] if climbs else words[at + 1], *words[1:]]  # a protected one is Python
    if start.endswith(os.path.join("safesite", "command", "start.py")):
        folder = os.path.dirname(words[0])
        # Not beside another environment's Python (--python): what lies there is that one's.
        if folder and start.startswith(os.path.join(folder, os.pardir, "lib", "")):
            return [os.path.join(folder, "safesite"), *(x for x in words[1:at] if x != "-S")]
        return [*words[:at], start]
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if os.path.isabs(folder) and os.path.isfile(os.path.join(folder, "safesite")):
            return ["safesite", "--python", sys.executable] if sys.executable else []
    return []


def target_of_python(words: "list[str]") -> "tuple[int, str]":
    """Return how many words of a command line are Python's own, and the module that -m names."""
    takes_value = True  # of the first, which is Python
    for at, word in enumerate(words):
        if takes_value:
            takes_value = False
        elif word[:1] != "-" or word == "-":
            return at, ""
        elif word[:2] == "--":
            takes_value = word == "--check-hash-based-pycs"
        else:
            letter = next((c for c in word if c in "cmWX"), "")  # the first that takes a value
            value = word.partition(letter)[2] if letter else ""
            if letter == "m":
                return (at + 1, value) if value else (at + 2, "".join(words[at + 1 : at + 2]))
            if letter == "c":
                return at, ""
            takes_value = bool(letter) and not value
    return len(words), ""


def shell_quoted(word: str) -> str:
    """Return a word as a shell takes it for one."""
    plain = word.replace("/", "").replace("-", "").replace("_", "").replace(".", "")
    return word if plain.isalnum() else "'" + word.replace("'", "'\"'\"'") + "'"


def hand_on(startup: "Startup") -> None:
    """Have children repeat neither the hint nor what has been reported here.

    In os.environ, as programs give a copy of that to their children.
    """
    marks = sorted(startup.marks)[:MARKS]
    os.environ["SAFESITE_HINTED"] = ",".join([str(int(startup.hinted)), *marks])
