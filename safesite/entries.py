"""The entries of a policy: what is wrong with one, and what those about a line say.

Loaded by ``keep`` when an entry is about a line or a policy has something to report, and by the
commands; imports only what stock ``site`` has loaded.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from safesite.core import Record, Startup
    from safesite.keep import Policy

MOST_TOLD = 20  # lines and policies of which a start says why they grant nothing
HEXADECIMAL = frozenset("0123456789abcdef")
GUARDED = ("build", "resolve", "connect", "listen", "read", "write", "run", "load")


def decide(
    startup: "Startup", line: "Record", found: "list[tuple[Policy, bytes]]"
) -> "bool | None":
    """Return what the entries that are about a line's file say: True, False, or None for neither.

    ``found``: policies, and what they have of its name or path.  What has been allowed and is not
    what it was any more is told by the line's slug and detail.
    """
    entries = [words for policy, word in found for words in about(startup, line, policy, word)]
    if any(words[0] == "deny" for words in entries):
        line.slug = "denied"
        return False
    if not (entries and line.runs_here):
        return None
    pins: Any = startup.part("pins")
    found_digests: dict[str, str] = {}
    reasons = [pins.verify(line, words[2:], found_digests) for words in entries]
    if "" in reasons:
        words = entries[reasons.index("")]
        line.slug = words[0]
        startup.pinned = frozenset(pin.partition("=")[0].partition(".")[0] for pin in words[3:])
        return True
    line.slug, line.detail = "withdrawn", reasons[-1]
    return None


def about(
    startup: "Startup", line: "Record", policy: "Policy", word: bytes
) -> "Iterator[list[str]]":
    """Yield the words of the entries about a name; reports those that do not count."""
    for folder in filter(policy.lies_in, written_with(line.file)):
        tell_place(startup, policy, folder)
        return
    for start, text in lines_with(policy.data, word):
        words = words_of(text)
        if words[1:2] == [word[1:].decode()] and words[0] != "guard":
            fault = fault_of(words)
            if fault:
                tell(startup, policy, policy.data.count(b"\n", 0, start), fault)
            else:
                yield words


def written_with(file: str) -> "Iterator[str]":
    """Yield the folders into which what brought a file may have written others.

    The file's own, for a package the one that it lies in, and of a site directory its prefix.
    """
    folder = os.path.dirname(file)
    if os.path.basename(file).startswith("__init__."):
        folder = os.path.dirname(folder)
    yield folder
    parts = folder.split(os.sep)
    if parts[-1:] in (["site-packages"], ["dist-packages"]) and len(parts) > 3:
        yield os.sep.join(parts[:-3]) or os.sep  # lib/python3.13/site-packages


def lines_with(data: bytes, word: bytes) -> "Iterator[tuple[int, str]]":
    """Yield where each line begins that has a word in it, and its text; data begins with an end."""
    at = data.find(word)
    while at >= 0:
        start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
        yield start, data[start:end].decode("latin-1")
        at = data.find(word, end)


def words_of(line: str) -> "list[str]":
    """Return the words of a line, without a comment."""
    words = [word for word in line.rstrip("\r").replace("\t", " ").split(" ") if word]
    for number, word in enumerate(words):
        if word.startswith("#"):
            return words[:number]
    return words


def fault_of(words: "list[str]") -> str:
    """Return what is wrong with the words of an entry, "" if nothing is."""
    keyword, pins = words[0], words[2:]
    if keyword not in ("allow", "allow-line", "deny"):
        return guard_fault(words) if keyword == "guard" else f"unknown keyword {keyword[:20]!a}"
    if len(words) < 2:
        return "no name"
    if keyword == "deny":
        return "deny has a name and nothing else" if pins else ""
    if not pins or not pins[0].startswith("line=") or not all(map(is_pin, pins)):
        return "a digest is missing, or is not one"
    if (keyword == "allow-line") != (len(pins) == 1):
        return "allow has modules, and allow-line has none"
    return ""


def guard_fault(words: "list[str]") -> str:
    """Return what is wrong with a guard line; of its target, `grants` says that."""
    if len(words) != 4 or words[1] != "allow":
        return "guard has the word allow, a kind and a target"
    return "" if words[2] in GUARDED else f"unknown kind {words[2][:20]!a}"


def is_pin(word: str) -> bool:
    """Return whether a word is a name, ``=``, and a sha256 or ``library``."""
    name, _, digest = word.partition("=")
    if digest == "library":
        return name not in ("", "line")
    return bool(name) and len(digest) == 64 and HEXADECIMAL.issuperset(digest)


def encode(name: str) -> str:
    """Return a name as it stands in a policy: printable ASCII, all but that percent-encoded."""
    data = name.encode("utf-8", "surrogateescape" if os.name == "posix" else "surrogatepass")
    return "".join(chr(c) if 32 < c < 127 and c not in b"#%" else f"%{c:02X}" for c in data)


def tell_bad(startup: "Startup", policy: "Policy") -> None:
    """Report the lines of a policy that do not begin as entries do."""
    for number, fault in faults(policy.data):
        tell(startup, policy, number, fault)


def faults(data: bytes) -> "Iterator[tuple[int, str]]":
    """Yield the number of each bad line of a policy, and what is wrong with it."""
    for number, line in enumerate(data.split(b"\n")):
        words = words_of(line.decode("latin-1"))
        fault = fault_of(words) if words else ""
        if fault:
            yield number, fault


def tell(startup: "Startup", policy: "Policy", number: int, fault: str) -> None:
    """Report an entry that grants nothing, once a process."""
    report(startup, policy.path, number, fault, "policy-syntax")


def tell_place(startup: "Startup", policy: "Policy", folder: str) -> None:
    """Report, once, that packages can write a policy."""
    report(startup, policy.path, 0, f"packages can write it, in {folder!a}", "policy-place")


def report(startup: "Startup", path: str, number: int, reason: str, slug: str) -> None:
    """Report why a policy, or a line of it, grants nothing; once a process."""
    if (path, number) in startup.told or len(startup.told) > MOST_TOLD:
        return
    startup.told.add((path, number))
    if len(startup.told) > MOST_TOLD:
        reason = "and so do more of its lines"
    startup.part("keep").tell_policy(startup, path, number, reason, slug)
