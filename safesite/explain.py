"""``--explain`` and ``--pending``: what becomes of each startup file, for people or programs.

Runs for its options alone, and may use the whole standard library.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections import Counter
from typing import TYPE_CHECKING, NoReturn

from safesite import core, grants, keep, refused, sarif, scan, trust, writers

if TYPE_CHECKING:
    from safesite.findings import Finding, Report


class Parser(argparse.ArgumentParser):
    """Reads options; what is wrong with them is one sentence, and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        keep.say(f"safesite: {keep.quoted(message, 240)[1:-1]}; see --help (usage)")
        sys.exit(2)


def main(name: str, args: list[str], path: list[str]) -> int:
    """Explain a start with sys.path as it is before ``site``; return the exit code."""
    parser = Parser(prog=f"safesite {name}", add_help=False, allow_abbrev=False)
    parser.add_argument("--site-dir", action="append", default=[])
    if name == "--explain":
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true")
        form.add_argument("--sarif", action="store_true")
    options = parser.parse_args(args)
    try:
        report = look(path, options.site_dir)
    except trust.Ignored as exc:
        keep.say(f"safesite: {keep.place(exc.path)}: {exc.reason} ({exc.slug})")
        return 2
    if name == "--pending":
        show(pending(report, pending_of_guard(report)))
    elif options.json:
        show(writers.json_text(report))
    elif options.sarif:
        show(sarif.sarif_text(report))
    else:
        colours = sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        show(writers.table(report, width=shutil.get_terminal_size().columns, colours=colours))
    return report.exit_code


def look(path: list[str], site_dirs: list[str]) -> Report:
    """Return the report, in which what can be done is told too; raises trust.Ignored."""
    with scan.Scan(path, [os.path.abspath(folder) for folder in site_dirs]) as found:
        report = found.report()
    number_and_advise(report)
    return report


def number_and_advise(report: Report) -> None:
    """Give a number and a remedy to each refusal that nobody has reviewed."""
    refused = [finding for finding in report.findings if finding.decision == "refused"]
    files = Counter(map(os.path.basename, {finding.file for finding in refused}))
    for number, finding in enumerate(refused, 1):
        finding.number = number
        finding.remedy = remedy(finding, alone=files[os.path.basename(finding.file)] == 1)


def remedy(finding: Finding, *, alone: bool) -> str:
    """Return the command that allows a refused line, once it has been reviewed.

    ``alone``: whether no other file has that name.
    """
    if finding.slug in ("other-python", "answered-elsewhere", "never-answered"):
        return ""
    name = os.path.basename(finding.file) if alone else finding.file
    if finding.kind == "customize module":
        name = finding.text
    plain = name.isascii() and name.isprintable() and not name.isspace() and name
    word = keep.shell_quoted(name) if plain else str(finding.number)
    option = "--allow" if finding.modules else "--allow-line"
    return " ".join([*map(keep.shell_quoted, own_command()), option, "--", word])


def own_command() -> list[str]:
    """Return the words that started this command, as far as they name it."""
    words = keep.command()
    fine = words and all(word.isascii() and word.isprintable() for word in words)
    return words if fine else ["safesite"]


def pending(report: Report, of_guard: list[str] | None) -> str:
    """Return the numbered refusals, one a line, those of the guard, and how to go on."""
    lines = []
    for finding in report.findings:
        if finding.number is not None:
            where = keep.place(finding.file, finding.line)
            text = f"{finding.kind}: {keep.quoted(finding.text)} ({finding.slug})"
            lines.append(f"safesite: [{finding.number}] {where}: {text}\n")
    if not lines and of_guard == []:
        return "safesite: nothing is refused that nobody has reviewed\n"
    if lines:
        command = " ".join(map(keep.shell_quoted, own_command()))
        lines.append(f"safesite: to see more: {command} --explain; then --allow or --deny\n")
    return "".join([*lines, *(of_guard or ())])


def pending_of_guard(report: Report) -> list[str] | None:
    """Return what the guard has refused and no policy allows by now; None if it cannot be told."""
    try:
        found = refused.read()
    except OSError as exc:
        place = keep.place(str(exc.filename or refused.path()))
        keep.say(f"safesite: {place}: {exc.strerror or ascii(str(exc))} (guard)")
        return None
    still = [r for r in found if grants.covering(report.guard, r.kind, r.target) is None]
    lines = [line for refusal in still for line in told_of_guard(refusal)]
    if lines:
        policy = keep.place(core.user_policy())
        lines.append(f"safesite: to allow what the guard refused: add its line to {policy}\n")
    return lines


def told_of_guard(refusal: refused.Refusal) -> list[str]:
    """Return what is told of one refusal of the guard: what, and the line that would allow it."""
    package, kind = writers.plain(refusal.package), writers.plain(refusal.kind)
    place, time = map(writers.unmistakable, (refusal.place, refusal.time))
    by = f"by {place}, " if refusal.place else ""
    what = f"{kind}: {keep.quoted(refusal.target, 240)}, {by}{time}"
    told = [f"safesite: {package}: refused {what} (guard)\n"]
    line = grants.line(refusal.kind, refusal.target)
    return [*told, f"safesite:   {line}\n"] if 0 < len(line) <= writers.LONGEST else told


def show(text: str) -> None:
    """Write a text to standard output, if somebody reads it."""
    try:
        if sys.stdout is not None:
            sys.stdout.write(text)
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the flush at the end finds this
