"""What `--explain` has found: plain data, which its writers (table, JSON, SARIF) turn into text.

`explain` fills it, `owners` and `facts` add to it.  Nothing of it is escaped: that is for those who
write it.  Loaded by the commands alone, never by a start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safesite.grants import Grant

# What becomes of a startup file, a line of it or a customize module, the worst first.
DECISIONS = {
    "refused": "would run under stock Python, and does not under safesite",
    "allowed": "runs: a policy or the mode says so",
    "skipped": "a startup file that cannot be used, or a part of it that is not believed",
    "denied": "does not run, and is not reported: a policy says so",
    "performed": "done from its literals, without running it",
    "deferred": "runs when the program imports what it is for",
    "inert": "does nothing here, so nothing is done",
    "suppressed": "set aside by the .start file beside it (PEP 829)",
    "ignored": "means nothing to this version of Python, or to this start",
    "kept": "a path entry that is added to sys.path",
    "missing": "a path entry that is not there, or on sys.path already",
}

# Whether a distribution's RECORD claims a file; a claim, as a wheel can write any RECORD.
OWNER_STATES = {
    "owned": "one distribution claims the file, with this content",
    "changed": "one distribution claims the file, with other content",
    "unhashed": "one distribution claims the file, without saying with what content",
    "shared": "more than one distribution claims the file",
    "forged": "the claim lies in metadata that is not whole, or that another distribution claims",
    "nobody": "no distribution claims the file",
    "unknown": "a RECORD could not be read",
}


@dataclass(frozen=True)
class Owner:
    """Who claims a file: the claimants' names with versions, as ``coverage 7.13.0``."""

    state: str
    claimants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Module:
    """A module that a line names: where it is found, and in what form.

    Forms: ``package``, ``module``, ``extension``, ``bytecode``, ``namespace``, ``zip``,
    ``standard library``, ``missing``, ``several`` (more than one form of it in one folder).
    """

    name: str
    form: str
    where: str = ""


@dataclass
class Finding:
    """A line of a startup file, a whole file (line 0), or a customize module (line 0).

    ``number``: by which ``--allow`` and ``--deny`` take it, of those that nobody has reviewed.
    """

    file: str
    line: int
    kind: str
    text: str
    decision: str
    slug: str = ""
    detail: str = ""
    owner: Owner = Owner("nobody")
    modules: list[Module] = field(default_factory=list)
    remedy: str = ""
    number: int | None = None


@dataclass(frozen=True)
class Fact:
    """Another way into a start, reported without a verdict: where it is, and what."""

    slug: str
    file: str
    text: str


@dataclass(frozen=True)
class PolicyFile:
    """A policy that was looked at: why it does not count ("" if it does), and its bad lines."""

    path: str
    ignored: str = ""
    entries: int = 0
    faults: tuple[tuple[int, str], ...] = ()


@dataclass
class Report:
    """All that `--explain` tells.

    ``guard``: the guard lines of the policies that count, in whatever mode a start is.
    ``path``: sys.path as a start would have it.  ``protected``: whether --protect has been here,
    None where there is no environment to protect.  ``problems``: why it is not the whole truth.
    """

    version: str
    python: str
    executable: str
    prefix: str
    mode: str
    protected: bool | None = None
    path: list[str] = field(default_factory=list)
    site_directories: list[str] = field(default_factory=list)
    policies: list[PolicyFile] = field(default_factory=list)
    guard: list[Grant] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0: nothing is refused that is not denied; 1: something is; 2: it cannot be told."""
        if self.problems:
            return 2
        return int(any(finding.decision == "refused" for finding in self.findings))
