"""``--allow``, ``--allow-line``, ``--deny``, ``--prune``: edit a policy, and show what it is about.

Nothing is written that a start would not trust.  A policy is replaced as a whole, in one step, with
its owner, mode, comments and order; two writers wait for each other.

Runs for its options alone, and may use the whole standard library.
"""

from __future__ import annotations

import datetime as dt
import os
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from safesite import core, entries, keep, names, pins, policyfile, scan, trust, writers
from safesite.explain import Parser, number_and_advise, show
from safesite.owners import normal_name

if os.name == "posix":  # on Windows two writers do not wait for each other
    pass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safesite.core import Record
    from safesite.findings import Finding, Report

    Change = Callable[[list[bytes]], list[bytes]]

STARTUP_FILES = (".pth", ".start")
BY_POLICY = "by a policy"  # why a line is allowed, as `scan` says it
COMMENT = 120  # characters of what an entry says about itself


class Refused(Exception):
    """Why nothing was recorded, as a sentence."""


@dataclass
class Entry:
    """A line for a policy, what it is about, and what is told when it has been recorded."""

    text: str
    about: str
    told: list[str]
    undoes: tuple[str, ...] = ()
    """The names whose deny it takes out."""

    line: Record | None = None
    """What is to run."""


def main(name: str, args: list[str], path: list[str]) -> int:
    """Do what an option says; return the exit code."""
    parser = Parser(prog=f"safesite {name}", add_help=False, allow_abbrev=False)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--system", action="store_true")
    where.add_argument("--policy", metavar="FILE")
    parser.add_argument("--yes", action="store_true")
    if name != "--prune":
        parser.add_argument("names", nargs="+", metavar="NAME")
    options = parser.parse_args(args)
    target = target_of(options)
    try:
        with scan.Scan(path, []) as found:
            report = found.report()
            number_and_advise(report)
            if name == "--prune":
                return prune(target, found, yes=options.yes)
            wanted = Selection(report, found, yes=options.yes)
            make = {"--allow": allow, "--allow-line": allow_line, "--deny": deny}[name]
            made = [entry for word in options.names for entry in make(wanted, word)]
            return record(target, made, found, yes=options.yes)
    except (Refused, pins.Unpinnable, names.Unreadable) as exc:
        keep.say(f"safesite: {writers.escaped(str(exc))} (not-recorded)")
    except trust.Ignored as exc:
        keep.say(f"safesite: {keep.place(exc.path)}: {exc.reason}{advice(exc)} ({exc.slug})")
    except OSError as exc:
        what = keep.place(str(exc.filename or target))
        keep.say(f"safesite: {what}: {exc.strerror or ascii(str(exc))} (os-error)")
    return 2


def target_of(options: Any) -> str:
    """Return the policy that is to be edited."""
    if options.system:
        return core.SYSTEM_POLICY
    if options.policy is None:
        return core.user_policy()
    return os.path.abspath(options.policy) if options.policy else ""  # not what is relative to here


def advice(exc: trust.Ignored) -> str:
    """Return the command that makes a start believe a policy in that place."""
    if exc.slug != "policy-mode" or "write it" not in exc.reason or not exc.path.isprintable():
        return ""
    if os.stat(exc.path).st_mode & stat.S_ISVTX:  # such as /tmp, which has to be as it is
        return "; choose another place"
    return f"; chmod go-w {keep.shell_quoted(exc.path)}" if exc.path.isascii() else "; chmod go-w"


# Which lines a name means.


class Selection:
    """The findings that names and numbers stand for."""

    def __init__(self, report: Report, found: scan.Scan, *, yes: bool) -> None:
        self.report, self.found, self.yes = report, found, yes

    def findings(self, word: str) -> tuple[str, list[Finding]]:
        """Return the name by which a policy has it, and what in this environment it stands for.

        Raises Refused.
        """
        code = [f for f in self.report.findings if f.kind not in (core.PATH, core.FILE)]
        if word.isascii() and word.isdigit():
            return self.by_number(word, code)
        if os.sep in word:
            path = os.path.abspath(word)
            return path, [f for f in code if f.file == path]
        if word in scan.CUSTOMIZE:
            return word, [f for f in code if f.kind == core.CUSTOMIZE and f.text == word]
        if word.endswith(STARTUP_FILES):
            return word, [f for f in code if os.path.basename(f.file) == word]
        return "", self.by_distribution(word, code)

    def by_number(self, word: str, code: list[Finding]) -> tuple[str, list[Finding]]:
        """Return what --pending shows under a number; that may be another one by now."""
        if self.yes:
            raise Refused("a number is not taken with --yes: another line may have it by now")
        found = [finding for finding in code if finding.number == int(word)]
        if not found:
            raise Refused(f"there is no refusal {word}; see --pending")
        return "", found

    def by_distribution(self, word: str, code: list[Finding]) -> list[Finding]:
        """Return the lines of files that one distribution alone claims, as they are."""
        if self.yes:
            raise Refused(
                f"{word!a}: a distribution is not taken with --yes: name the startup file"
            )
        found = []
        for finding in code:
            claimants = [claim.partition(" ")[0] for claim in finding.owner.claimants]
            if normal_name(word) in map(normal_name, claimants):
                if finding.owner.state != "owned":
                    where = keep.place(finding.file)
                    raise Refused(
                        f"{where}: what {word!a} claims is {finding.owner.state}; name it"
                    )
                found.append(finding)
        if not found:
            raise Refused(f"{word!a}: no distribution of that name has startup code here")
        return found


def policy_name(name: str, finding: Finding) -> str:
    """Return the name of a finding in a policy: the one that was given, else that of its file."""
    own = finding.text if finding.kind == core.CUSTOMIZE else os.path.basename(finding.file)
    return entries.encode(name or own)


def as_record(finding: Finding) -> Record:
    """Return the record that a finding was made of."""
    return core.Record(finding.text, finding.file, finding.line, finding.kind)


# What is recorded.


def allow(wanted: Selection, word: str) -> Iterator[Entry]:
    """Yield entries that are bound to lines and to the modules that they name."""
    for finding, name in allowable(wanted, word):
        try:
            bound = names.pins_of(as_record(finding))
        except (names.Unreadable, pins.Unpinnable) as exc:
            where = keep.place(finding.file, finding.line)
            more = (
                "" if finding.kind == core.CUSTOMIZE else "; --allow-line binds to the line alone"
            )
            raise Refused(f"{where}: {exc}{more}") from None
        yield allowing("allow", name, finding, bound)


def allow_line(wanted: Selection, word: str) -> Iterator[Entry]:
    """Yield entries that are bound to lines alone."""
    for finding, name in allowable(wanted, word):
        if finding.kind == core.CUSTOMIZE:
            raise Refused(f"{finding.text}: a customize module has no line to bind to; use --allow")
        yield allowing("allow-line", name, finding, [f"line={pins.line_digest(finding.text)}"])


def allowable(wanted: Selection, word: str) -> Iterator[tuple[Finding, str]]:
    """Yield what a name stands for and does not run yet, and how a policy calls it."""
    name, found = wanted.findings(word)
    if not found:
        raise Refused(f"{word!a}: nothing of that name has startup code here; see --pending")
    idle = ("ignored", "suppressed")
    runnable = [f for f in found if f.slug != "other-python" and f.decision not in idle]
    if not runnable:
        raise Refused(f"{word!a}: a start would not run it: {found[0].detail or found[0].slug}")
    wanted_still = [f for f in runnable if f.detail != BY_POLICY]
    if not wanted_still:
        tell(f"{word!a}: allowed already, {BY_POLICY}")
    for finding in wanted_still:
        yield finding, policy_name(name, finding)


def allowing(keyword: str, name: str, finding: Finding, bound: list[str]) -> Entry:
    """Return an entry, with a comment for those who read the policy."""
    owner = ", ".join(finding.owner.claimants) if finding.owner.state == "owned" else ""
    today = dt.datetime.now(dt.timezone.utc).date().isoformat()
    comment = writers.escaped(f"{owner or finding.owner.state}, {today}: {finding.text}")[:COMMENT]
    told = [f"line {bound[0].partition('=')[2]} (sha256)"]
    told += [told_pin(pin, finding) for pin in bound[1:]]
    if keyword == "allow-line":
        told.append("bound to the line alone: what it imports may change")
    text = f"{keyword} {name} {' '.join(bound)}  # {comment}"
    undoes = (policy_name("", finding), policy_name(finding.file, finding))
    return Entry(text, shown(finding), told, undoes, as_record(finding))


def told_pin(pin: str, finding: Finding) -> str:
    """Return what is told of one module."""
    name, _, digest = pin.partition("=")
    if digest == "library":
        return f"module {name}: of the standard library, wherever that is"
    wheres = [m.where for m in finding.modules if f"{m.name}.".startswith(f"{name}.")]
    where = keep.place(wheres[0]) if wheres and wheres[0] else name
    return f"module {name}: {where}: {digest} (sha256 of its files)"


def shown(finding: Finding) -> str:
    """Return a line whole, where it stands, and who claims its file."""
    where = keep.place(finding.file, finding.line)
    return f"{where}: {finding.kind} {finding.text!a}; {writers.claim(finding.owner)}"


def deny(wanted: Selection, word: str) -> Iterator[Entry]:
    """Yield entries that are bound to names alone."""
    name, found = wanted.findings(word)
    told = ["refused for good, and no longer reported, as all that has this name"]
    if name and not found:
        yield Entry(f"deny {entries.encode(name)}", f"{word!a}, which is not here", told)
    for own in dict.fromkeys(policy_name(name, finding) for finding in found):
        about = [shown(f) for f in found if policy_name(name, f) == own]
        yield Entry(f"deny {own}", "; ".join(about), told)


# Recording.


def record(target: str, made: list[Entry], found: scan.Scan, *, yes: bool) -> int:
    """Ask about entries, and add those that are wanted to a policy; return the exit code."""
    real = policyfile.trusted(target, found.startup)
    chosen = []
    for entry in made:
        keyword = entry.text.partition(" ")[0]
        if yes or agreed([entry.about, *entry.told], keyword):
            chosen.append(entry)
    if not chosen:
        tell("nothing was recorded")
        return 1 if made else 0
    gone = policyfile.edit(real, lambda lines: with_entries(lines, chosen))
    for entry in chosen:
        tell(f"{keep.place(real)}: recorded: {entry.text.partition(' ')[0]} {entry.about}")
        for line in entry.told:
            tell(f"  {line}")
    for taken in gone:
        tell(f"{keep.place(real)}: taken out: {writers.escaped(taken.decode('latin-1'))}")
    found.startup.policies = None  # there are others by now
    for entry in chosen:
        if entry.line is not None and is_denied(entry.line, found):
            tell(f"{entry.about}: still refused: a deny in another policy wins")
    return 0


def is_denied(line: Record, found: scan.Scan) -> bool:
    """Return whether a policy keeps a line from running, whatever others say."""
    return found.startup.has_policy() and keep.ask_policies(found.startup, line) is False


def with_entries(lines: list[bytes], chosen: list[Entry]) -> list[bytes]:
    """Return the lines of a policy with entries added, without a deny that they undo."""
    undone = [["deny", name] for entry in chosen for name in entry.undoes]
    kept = [line for line in lines if words_of(line) not in undone]
    for entry in chosen:
        line = entry.text.encode("ascii")
        if words_of(line) not in [words_of(other) for other in kept]:
            kept.append(line)
    return kept


def words_of(line: bytes) -> list[str]:
    """Return the words of a line of a policy."""
    return entries.words_of(line.decode("latin-1"))


def agreed(about: list[str], question: str) -> bool:
    """Show what a change is about, and ask; raises Refused where nobody can answer."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise Refused("nobody is there to ask; to record it all the same: --yes")
    for line in about:
        tell(line)
    show(f"safesite: {question} it? [y/N] ")
    try:
        answer = sys.stdin.readline()
    except (KeyboardInterrupt, ValueError):
        answer = ""
    if not answer:  # not even an empty line: what has been asked before does not count either
        show("\n")
        raise Refused("broken off, so nothing is changed")
    return answer.strip().lower() in ("y", "yes")


def tell(message: str) -> None:
    """Print a line of what was done."""
    show(f"safesite: {message}\n")


def prune(target: str, found: scan.Scan, *, yes: bool) -> int:
    """Take out of a policy what allows nothing here any more; return the exit code."""
    real = policyfile.trusted(target, found.startup)
    records = [line for line, _ in found.startup.notes.values()]
    stale = [line for line in policyfile.read_lines(real) if is_stale(words_of(line), records)]
    if not stale:
        tell(f"{keep.place(real)}: nothing to take out")
        return 0
    about = [f"{keep.place(real)}: {writers.escaped(line.decode('latin-1'))}" for line in stale]
    about.append("what allows nothing here may allow something in another environment")
    if not yes and not agreed(about, "take out"):
        tell("nothing was taken out")
        return 1
    for taken in policyfile.edit(real, lambda lines: [line for line in lines if line not in stale]):
        tell(f"{keep.place(real)}: taken out: {writers.escaped(taken.decode('latin-1'))}")
    return 0


def is_stale(words: list[str], records: list[Record]) -> bool:
    """Return whether an entry allows none of the lines of a file that is here, or is gone.

    A name may be that of a file in another environment: of such entries nothing is known here.
    """
    if len(words) < 3 or entries.fault_of(words):
        return False
    if words[1].startswith("/"):
        about = [line for line in records if entries.encode(line.file) == words[1]]
        if not about:
            return not os.path.lexists(unquote_to_bytes(words[1]))
        return all(pins.verify(line, words[2:]) for line in about)
    about = [line for line in records if policy_key(line) == words[1]]
    return bool(about) and all(pins.verify(line, words[2:]) for line in about)


def policy_key(line: Record) -> str:
    """Return the name by which a policy has a record's file."""
    own = str(line) if line.kind == core.CUSTOMIZE else os.path.basename(line.file)
    return entries.encode(own)
