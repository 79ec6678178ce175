"""The guard lines of the policies: what install-time code may do without a question.

``guard allow KIND TARGET`` stands in the files that hold the other entries, and counts where they
count; a start does not heed it, and loads nothing of this.  Runs for the guard and for the
commands, and loads little besides: the guard's process is a program's own.

The targets, encoded as names are: of ``build`` a project; of ``resolve`` a host; of ``connect`` and
``listen`` HOST:PORT; of the others an absolute path, which covers all below it if it ends in a
slash.  ``connect`` also has the path of a Unix socket, ``load`` the name of a module or library.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

import safesite
from safesite import asked, core, entries, keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

KINDS = entries.GUARDED
OF_ADDRESSES = ("connect", "listen")
LONGEST_HOST = 255
HAS = {
    "build": "the name of a project",
    "resolve": "a host",
    "connect": "HOST:PORT, or the absolute path of a socket",
    "listen": "HOST:PORT",
    "load": "an absolute path without .., or a name",
}
PATH = "an absolute path without .."


class Grant(NamedTuple):
    """A guard line that is as it should be; its target is decoded."""

    policy: str
    line: int
    kind: str
    target: str


# Reading.


def load(site: Any) -> list[Grant]:
    """Return the guard lines that count; tells what is wrong with policies as a start does.

    ``site``: the module, which stays as it is.
    """
    startup = fresh_startup(site)
    before = site.USER_BASE, site.USER_SITE
    try:
        policies = keep.load_policies(startup)
    finally:
        site.USER_BASE, site.USER_SITE = before  # to ask for them sets them
    found = []
    for policy in policies:
        grants, faults = parse(policy.path, policy.data[1:])
        for number, fault in faults:
            entries.tell(startup, policy, number, fault)
        found += grants
    return found


def fresh_startup(site: Any) -> core.Startup:
    """Return what reads policies, and tells what this process has not told, if its mode tells.

    What decides here, if that is settled yet, does not heed guard lines, and stays as it is.
    """
    startup, deciding = core.Startup(), asked.deciding()
    startup.site, startup.mode = site, safesite.DEFAULT_MODE
    if deciding is not None:
        startup.mode, startup.marks = deciding.mode, deciding.marks
    elif not sys.flags.ignore_environment:
        startup.part("log").take_environment(startup)
        startup.mode = os.environ.get("SAFESITE_MODE") or startup.mode
    return startup


def parse(path: str, data: bytes) -> tuple[list[Grant], list[tuple[int, str]]]:
    """Return the guard lines in a policy's text, and what is wrong with others, by number."""
    grants, faults = [], []
    for number, text in enumerate(data.split(b"\n"), 1):
        words = entries.words_of(text.decode("latin-1"))
        if words[:1] == ["guard"]:
            fault = entries.fault_of(words) or fault_of(words[2], words[3])
            if fault:
                faults.append((number, fault))
            else:
                grants.append(Grant(path, number, words[2], decoded(words[3])))
    return grants, faults


def line(kind: str, target: str) -> str:
    """Return the line of a policy that allows something, "" if none can."""
    try:
        text = f"guard allow {kind} {entries.encode(target)}"
        made, _ = parse("", text.encode("ascii"))
    except UnicodeEncodeError:  # of half a character, say, no name can be made
        return ""
    return text if covering(made, kind, target) else ""


def decoded(word: str) -> str:
    """Return what `entries.encode` has encoded; raises ValueError where that is not possible."""
    if not word.isascii() or not word.isprintable():
        raise ValueError(word)
    first, *others = word.encode().split(b"%")
    data = first + b"".join(bytes.fromhex(x[:2].decode()) + x[2:] for x in others)
    if len(data) != len(word) - 2 * len(others):
        raise ValueError(word)
    return data.decode("utf-8", "surrogateescape" if os.name == "posix" else "surrogatepass")


# What is wrong with a target.


def fault_of(kind: str, word: str) -> str:
    """Return what is wrong with a target as it stands in a policy, "" if nothing is."""
    try:
        target = decoded(word)
    except ValueError:
        return "what is not printable ASCII is not percent-encoded"
    return "" if is_target(kind, target) else f"{kind} has {HAS.get(kind, PATH)}"


def is_target(kind: str, target: str) -> bool:
    """Return whether a kind can have a target."""
    if kind in ("build", "resolve"):
        return is_project(target) if kind == "build" else is_host(target)
    if kind == "listen":  # without a host: on each address of this machine
        return is_address(f"any{target}" if target[:1] == ":" else target)
    if (kind == "connect" and is_address(target)) or (kind == "load" and is_name(target)):
        return True
    return parts_of(target) is not None and "\0" not in target


def is_project(name: str) -> bool:
    """Return whether a project can have a name."""
    rest = name.replace("-", "").replace("_", "").replace(".", "")
    return name.isascii() and rest.isalnum() and name[0].isalnum() and name[-1].isalnum()


def is_name(target: str) -> bool:
    """Return whether a target names a module or a library, wherever that is found."""
    rest = target
    for char in "._+-":
        rest = rest.replace(char, "")
    return target.isascii() and rest.isalnum()


def is_address(target: str) -> bool:
    """Return whether a target is ``HOST:PORT``, where an IPv6 address has its brackets."""
    host, _, port = target.rpartition(":")
    if not (port.isascii() and port.isdigit() and str(int(port[:9])) == port):
        return False
    return int(port) < 1 << 16 and is_host(host) and (":" not in host or host[0] == "[")


def is_host(host: str) -> bool:
    """Return whether a text can be a host's name or address; no pattern is one."""
    if len(host) > LONGEST_HOST:
        return False
    inner = without_brackets(host)
    if ":" in inner:
        address, _, scope = inner.partition("%")
        is_address = address.count(":") > 1 and set("0123456789abcdefABCDEF:.").issuperset(address)
        return is_address and scope.isprintable() and scope.isascii()
    return host.replace(".", "").replace("-", "").replace("_", "").isalnum()


# What a grant covers.


def covering(grants: Iterable[Grant], kind: str, target: str) -> Grant | None:
    """Return a grant that allows something, None if there is none."""
    return next((grant for grant in grants if covers(grant, kind, target)), None)


def covers(grant: Grant, kind: str, target: str) -> bool:
    """Return whether a grant allows something: its own kind, and a look-up before a connection."""
    if (grant.kind, kind) == ("connect", "resolve") and grant.target[:1] != "/":
        return normal_host(grant.target.rpartition(":")[0]) == normal_host(target)
    if grant.kind != kind:
        return False
    if kind == "build":
        return normal_project(grant.target) == normal_project(target)
    if kind == "resolve":
        return normal_host(grant.target) == normal_host(target)
    if kind in OF_ADDRESSES and grant.target[:1] != "/":
        (host, _, port), (asked_host, _, asked_port) = (
            text.rpartition(":") for text in (grant.target, target)
        )
        return (normal_host(host), port) == (normal_host(asked_host), asked_port)
    return covers_path(grant.target, target) or (is_name(target) and grant.target == target)


def covers_path(granted: str, path: str) -> bool:
    """Return whether a path is the one that is granted, or lies below one that ends in a slash."""
    ours, theirs = parts_of(granted), parts_of(path)
    if ours is None or theirs is None:
        return False
    if ours == theirs:
        return ends_in_slash(path) or not ends_in_slash(granted)
    return ends_in_slash(granted) and theirs[: len(ours)] == ours


def parts_of(path: str) -> list[str] | None:
    """Return the names in an absolute path; None for a relative one, or one that goes up."""
    parts = os.path.normcase(path).replace(os.sep, "/").split("/")
    if not os.path.isabs(path) or ".." in parts:
        return None
    return [part for part in parts if part not in ("", ".")]


def ends_in_slash(path: str) -> bool:
    return path.endswith(("/", os.sep))


def normal_project(name: str) -> str:
    """Return a project's name as PEP 503 compares it; a name that it has no rule for stays."""
    if not name.isascii():
        return name
    parts = name.replace("_", "-").replace(".", "-").lower().split("-")
    return "-".join(part for n, part in enumerate(parts) if part or n in (0, len(parts) - 1))


def normal_host(host: str) -> str:
    """Return a host as it is compared: small letters, an IPv6 address without brackets."""
    host = without_brackets(host)
    return host.lower() if host.isascii() else host


def without_brackets(host: str) -> str:
    is_in_brackets = host[:1] == "[" and host[-1:] == "]" and ":" in host
    return host[1:-1] if is_in_brackets else host
