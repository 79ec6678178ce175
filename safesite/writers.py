"""The texts of ``--explain``: a table for people, JSON for programs; `sarif` is for code scanning.

File names, lines, owners and modules come from whoever wrote the packages.  So all three texts are
printable ASCII; in the table what comes from a file is escaped, never begins a line, and where it
goes on below it stands deeper than anything that is safesite's own word.

Runs for the command alone, looks at nothing but the report, and may use the whole standard library.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from typing import TYPE_CHECKING

from safesite import entries
from safesite.findings import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from safesite.findings import Fact, Finding, Owner, PolicyFile, Report
    from safesite.grants import Grant

    Json = dict[str, object]

ATTENTION = ("refused", "allowed", "skipped", "denied")  # told with all that is known of them
COUNTED = ("kept", "missing")  # told as a number for each startup file
COLOURS = {"refused": "1;31", "allowed": "1;33", "skipped": "1;33", "denied": "36"}

NARROWEST = 40
DEEP = 12  # columns before what goes on from the line above: below the words behind a label
PIECES = 3  # lines of the table that a text may take
PIECE = 160  # columns of such a line at most, however wide the terminal is
LONGEST = 4096  # characters of a path in the table, of a text elsewhere
LONGEST_REMEDY = 1000
NAME = 60  # columns of a name

PLAIN_PATH = re.compile(rf"[\w./+@~=,:%#{re.escape(os.sep)}-]+", re.ASCII)
PLAIN_NAME = re.compile(r"[\w.+!~-]+(?: [\w.+!~-]+)?", re.ASCII)

REASONS = {
    "import-line": "an import line, which stock Python runs at every start",
    "entry-point": "an entry point, which stock Python 3.15 calls at every start",
    "customize-module": "a customize module, which stock Python imports at every start",
    "customize-pythonpath": "a customize module in a folder that PYTHONPATH names",
    "other-python": "a line that another version of Python would run",
    "skipped": "a startup file that cannot be used",
    "variable-set": "does something only if a variable is set, and that one is set",
    "namespace": "makes a namespace package that Python does not find without it",
    "helper": "the helper of an editable install, which cannot be used",
    "answered-elsewhere": "a helper declares a name that is found without it",
    "never-answered": "a helper declares a name that none may answer",
    "warning-is-error": "runs with a warning, and warnings are errors here",
    "withdrawn": "was allowed, and is not what it was",
    "denied": "a policy denies it",
    "customize-library": "a customize module of the standard library",
    "customize-elsewhere": "a customize module that is in no site directory",
    "hidden": "a startup file that is hidden",
    "capitals": "the end of its name is in capitals",
}

CLAIMS = {
    "owned": "claimed by {}, unchanged",
    "changed": "claimed by {}, changed since",
    "unhashed": "claimed by {}, which does not say with what content",
    "shared": "claimed by {}",
    "forged": "claimed by {}, in metadata that is not to be believed",
    "nobody": "claimed by no package",
    "unknown": "not known: a RECORD could not be read",
}


# Escaping: what each of the texts is made of.


def cut(shown: str) -> str:
    """Return an escaped text, cut where nobody reads on."""
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 3] + "..."


def escaped(text: str) -> str:
    """Return a text on one line, with everything but printable ASCII escaped."""
    return "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in text)


def brief(text: str) -> str:
    """Return an escaped text, cut."""
    return cut(escaped(text[: LONGEST + 1]))


def pieces(text: str, room: int, most: int) -> Iterator[str]:
    """Yield a text as literals of at most ``room`` columns; the last ends in ``...`` if it is cut.

    Each has its own quotes: what goes on in the next line could look like a word of ours.
    """
    start = 0
    for left in reversed(range(most)):
        end = start + 1
        while end < len(text) and len(ascii(text[start : end + 1])) <= room - 3:
            end += 1
        more = "..." if left == 0 and end < len(text) else ""
        yield ascii(text[start:end]) + more
        start = end
        if start >= len(text):
            return


def quoted(text: str, room: int) -> str:
    """Return a text as one literal of at most ``room`` columns."""
    return next(pieces(text, room, 1))


def plain(name: str) -> str:
    """Return a name, quoted and cut unless it is what names usually are."""
    return name if len(name) <= NAME and PLAIN_NAME.fullmatch(name) else quoted(name, NAME)


def claim(owner: Owner) -> str:
    """Return who claims a file, worded as a claim: a wheel can write any RECORD."""
    names = [plain(claimant) for claimant in owner.claimants[:5]]
    if len(owner.claimants) > len(names):
        names.append(f"{len(owner.claimants) - len(names)} more")
    return CLAIMS.get(owner.state, "{}").format(" and ".join(names) or "nobody that is named")


def reason(finding: Finding) -> str:
    """Return why a finding was decided so, and the slug; "" if neither is known."""
    why = brief(finding.detail) or REASONS.get(finding.slug, "")
    slug = f"({plain(finding.slug)})" if finding.slug else ""
    return f"{why} {slug}".strip()


def remedy(finding: Finding) -> str:
    """Return the command as it is: it is pasted.  One that is not plain text is left out."""
    text = finding.remedy
    return text if text.isascii() and text.isprintable() and len(text) <= LONGEST_REMEDY else ""


def badness(decision: str) -> int:
    """Return the place of a decision in their order, the worst first."""
    order = list(DECISIONS)
    return order.index(decision) if decision in order else len(order)


# Paths: short where they lie in a site directory.


def folder_tails(folders: Sequence[str]) -> dict[str, str]:
    """Return for each folder ``...`` and as much of its end as no other one has."""
    parts = {folder: tuple(p for p in folder.split(os.sep) if p) for folder in folders}
    tails = {}
    for folder, own in parts.items():
        others = [other for other in parts.values() if other != own]
        for count in range(1, len(own)):
            if all(other[-count:] != own[-count:] for other in others):
                tails[folder.rstrip(os.sep)] = os.sep.join(["...", *own[-count:]])
                break
    return tails


def short_paths(paths: Iterable[str], folders: Sequence[str]) -> dict[str, str]:
    """Return the short form of each path that has one and shares it with no other path."""
    tails = folder_tails(folders)
    short = {path: path for path in paths}
    for path in short:
        for folder in sorted(tails, key=len):  # the innermost counts
            if path.startswith(folder + os.sep):
                short[path] = tails[folder] + path[len(folder) :]
    uses = Counter(short.values())
    return {path: to for path, to in short.items() if to != path and uses[to] == 1}


def unmistakable(path: str) -> str:
    """Return a path, quoted if it could mislead a reader."""
    return cut(path if PLAIN_PATH.fullmatch(path) else ascii(path))


def full_path(path: str) -> str:
    """Return a path that is not shortened; a relative one, which could pass for such, quoted."""
    return unmistakable(path) if os.path.isabs(path) else cut(ascii(path))


def paths_of(report: Report) -> Iterator[str]:
    """Yield every path that the table may shorten."""
    for finding in report.findings:
        yield finding.file
        yield from (module.where for module in finding.modules)
    yield from (fact.file for fact in report.facts)


# The table.


def table(report: Report, *, width: int, colours: bool) -> str:
    """Return the report for people, the worst first, in lines of ``width`` columns (40 at least).

    A remedy alone may be longer: broken, it could not be pasted.  ``colours``: ANSI codes around
    the word of each decision; the text is otherwise the same.
    """
    short = short_paths(paths_of(report), report.site_directories)
    page = Page(max(width, NARROWEST), colours, short)
    write_head(page, report)
    write_files(page, report.findings)
    write_policies(page, report.policies)
    write_guard(page, report.guard)
    write_facts(page, report.facts)
    write_problems(page, report.problems)
    write_summary(page, report)
    return "".join(f"{line}\n" for line in page.lines)


class Page:
    """The lines of the table so far, and how paths are shown in it."""

    def __init__(self, width: int, colours: bool, short: dict[str, str]) -> None:
        self.width, self.colours, self.short = width, colours, short
        self.lines: list[str] = []

    def add(self, text: str, indent: int = 0, deep: int = DEEP) -> None:
        """Add a text, wrapped; what goes on stands deeper than any line's own beginning."""
        line, is_empty = " " * indent, True
        for word in text.split(" "):
            if not is_empty and len(line) + 1 + len(word) > self.width:
                self.lines.append(line)
                line, is_empty = " " * deep, True
            line += word if is_empty else f" {word}"
            is_empty = False
            while len(line) > self.width:
                self.lines.append(line[: self.width])
                line = " " * deep + line[self.width :]
        self.lines.append(line)

    def title(self, text: str) -> None:
        """Begin a part of the table with words of our own."""
        if self.lines:
            self.lines.append("")
        self.add(text, deep=2)

    def verdict(self, decision: str, rest: str) -> None:
        """Add the first line of a finding; only here are colours."""
        start, word = len(self.lines), brief(decision)
        self.add(f"{word}{rest}", 2)
        if self.colours and decision in DECISIONS:
            coloured = f"\x1b[{COLOURS.get(decision, '32')}m{word}\x1b[0m"
            self.lines[start] = self.lines[start].replace(word, coloured, 1)

    def path(self, path: str) -> str:
        """Return a path for the table, short if it has such a form."""
        short = self.short.get(path)
        return full_path(path) if short is None else unmistakable(short)


def write_head(page: Page, report: Report) -> None:
    about = f"{report.version}, Python {report.python}, mode {report.mode}"
    page.title(f"safesite {brief(about)}")
    page.add(f"python: {full_path(report.executable)}", 2)
    page.add(f"prefix: {full_path(report.prefix)}", 2)
    if report.protected is not None:
        page.add(f"protected: {'yes' if report.protected else 'no (--protect)'}", 2)
    if report.site_directories:
        page.add("site directories:", 2)
    for folder in report.site_directories:
        page.add(full_path(folder), 4)


def write_files(page: Page, findings: list[Finding]) -> None:
    """Add the startup files: apart from each other, but for those of path entries alone."""
    files: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda f: badness(f.decision)):
        files.setdefault(finding.file, []).append(finding)
    was_short = False
    for found in files.values():
        is_short = all(finding.decision in COUNTED for finding in found)
        if not (was_short and is_short):
            page.lines.append("")
        write_file(page, found)
        was_short = is_short


def write_file(page: Page, found: list[Finding]) -> None:
    """Add a startup file: its name, each finding, and how many path entries it has."""
    uses = Counter(finding.decision for finding in found)
    entries = ", ".join(
        f"{count(uses[decision], 'path entry', 'path entries')} {decision}"
        for decision in COUNTED
        if uses[decision]
    )
    path = page.path(found[0].file)
    told = [finding for finding in found if finding.decision not in COUNTED]
    page.add(path if told else f"{path}: {entries}")
    for finding in told:
        write_finding(page, finding)
    if told and entries:
        page.add(entries, 2)


def write_finding(page: Page, finding: Finding) -> None:
    """Add what is known of a finding; of one that needs no attention, two lines."""
    needs_attention = finding.decision in ATTENTION
    number = f" [{finding.number}]" if finding.number is not None else ""
    line = f" line {finding.line}," if finding.line else ""
    why = "" if needs_attention else reason(finding)
    between = ": " if why and why[0] != "(" else " "
    page.verdict(finding.decision, f"{number}{line} {brief(finding.kind)}{between}{why}".rstrip())
    if finding.text:
        room, most = min(page.width - 4, PIECE), PIECES if needs_attention else 1
        page.lines += [f"    {piece}" for piece in pieces(finding.text, room, most)]
    if needs_attention:
        write_details(page, finding)


def write_details(page: Page, finding: Finding) -> None:
    if reason(finding):
        page.add(f"reason: {reason(finding)}", 4)
    page.add(f"owner:  {claim(finding.owner)}", 4)
    for module in finding.modules:
        where = f", {page.path(module.where)}" if module.where else ""
        page.add(f"module: {plain(module.name)}, {brief(module.form)}{where}", 4)
    if remedy(finding):
        page.lines.append(f"    remedy: {remedy(finding)}")


def write_policies(page: Page, policies: list[PolicyFile]) -> None:
    if policies:
        page.title("policies")
    for policy in policies:
        number = count(policy.entries, "entry", "entries")
        state = f"ignored, {brief(policy.ignored)}" if policy.ignored else number
        page.add(f"{full_path(policy.path)}: {state}", 2)
        for line, text in policy.faults:
            page.add(f"line {line}: {brief(text)}", 4)


def write_guard(page: Page, guard: list[Grant]) -> None:
    if guard:
        page.title("guard")
    for grant in guard:
        where = f"{full_path(grant.policy)}:{grant.line}"
        page.add(f"{where}: {plain(grant.kind)} {cut(entries.encode(grant.target))}", 2)


def write_facts(page: Page, facts: list[Fact]) -> None:
    if facts:
        page.title("other ways in, without a verdict")
    for fact in facts:
        where = f"{page.path(fact.file)}: " if fact.file else ""
        page.add(f"{plain(fact.slug)}: {where}{brief(fact.text)}", 2)


def write_problems(page: Page, problems: list[str]) -> None:
    if problems:
        page.title("what cannot be told")
    for problem in problems:
        page.add(f"- {brief(problem)}", 2)


def write_summary(page: Page, report: Report) -> None:
    uses = Counter(finding.decision for finding in report.findings)
    told = ", ".join(f"{uses[d]} {brief(d)}" for d in sorted(uses, key=lambda d: (badness(d), d)))
    rest = "; not the whole truth" if report.problems else ""
    page.title(f"{told or 'no startup files'}; nothing was run{rest}")


def count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


# JSON.


def json_text(report: Report) -> str:
    r"""Return the report as one JSON document; tests/explain.schema.json is its schema.

    ``version`` rises when a field changes its meaning or goes; fields may come without that.
    Lone surrogates, which stand for a file name's undecodable bytes, are ``\udcXX``.

    schema, version: ``safesite-explain`` and 1.
    safesite, python: the versions of safesite, and of the Python that the report is about.
    executable, prefix, mode: that Python's, and the mode that a start would have.
    protected: whether --protect has been run on the environment, null where that is none.
    exit: the command's exit code: 1 if something is refused, 2 if not all could be told, else 0.
    path: sys.path as a start would have it.
    site_directories: the folders whose startup files were looked at.
    policies: each policy's path; why it is ignored, "" if it is not; the number of its entries;
    its faults, each with line and text.
    guard: what install-time code may do without a question: policy, line, kind and target.
    findings: see `findings.Finding`; line is 0 for a whole file, number is null without one.
    facts: other ways into a start, without a verdict: slug, file and text.
    problems: why this is not the whole truth, a text each.

    Each text is there up to 4096 characters; ``cut`` says whether it has more.
    """
    document: Json = {
        "schema": "safesite-explain",
        "version": 1,
        "safesite": report.version,
        "python": report.python,
        "executable": report.executable,
        "prefix": report.prefix,
        "mode": report.mode,
        "protected": report.protected,
        "exit": report.exit_code,
        "path": report.path,
        "site_directories": report.site_directories,
        "policies": [policy_json(policy) for policy in report.policies],
        "guard": [grant._asdict() for grant in report.guard],
        "findings": [finding_json(finding) for finding in report.findings],
        "facts": [{"slug": f.slug, "file": f.file, **text_json(f.text)} for f in report.facts],
        "problems": report.problems,
    }
    return json.dumps(document, indent=2) + "\n"


def text_json(text: str) -> Json:
    return {"text": text[:LONGEST], "cut": len(text) > LONGEST}


def policy_json(policy: PolicyFile) -> Json:
    faults = [{"line": line, **text_json(text)} for line, text in policy.faults]
    return {
        "path": policy.path,
        "ignored": policy.ignored,
        "entries": policy.entries,
        "faults": faults,
    }


def finding_json(finding: Finding) -> Json:
    return {
        "file": finding.file,
        "line": finding.line,
        "kind": finding.kind,
        **text_json(finding.text),
        "decision": finding.decision,
        "slug": finding.slug,
        "detail": finding.detail,
        "number": finding.number,
        "owner": {"state": finding.owner.state, "claimants": list(finding.owner.claimants)},
        "modules": [{"name": m.name, "form": m.form, "where": m.where} for m in finding.modules],
        "remedy": finding.remedy,
    }
