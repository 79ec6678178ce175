"""``--explain --sarif``: the report as code scanning shows it.

As in the other texts (`writers`) everything is printable ASCII.  Runs for its option alone, and may
use the whole standard library.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

from safesite.findings import DECISIONS
from safesite.writers import REASONS, brief, claim, plain, quoted, reason, remedy

if TYPE_CHECKING:
    from safesite.findings import Fact, Finding, Report

    Json = dict[str, object]

# Code scanning makes an alert of each result.  What does nothing here is none.
LEVELS = {
    "refused": "error",
    "allowed": "warning",
    "skipped": "warning",
    "denied": "note",
    "performed": "note",
    "deferred": "note",
}
SEVERITIES = {"note": "2.0", "warning": "5.0", "error": "8.0"}
HELP = (
    "Stock Python runs such code before the first line of every program. safesite refuses it"
    " unless a policy allows it. `safesite --explain` shows each line, who claims its file, and"
    " the command that allows it after a review; `safesite --deny` records that it stays refused."
)
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


def sarif_text(report: Report) -> str:
    """Return the report as SARIF 2.1.0: what is decided about code, and the facts as notes.

    Left out is what does nothing here (inert, suppressed, ignored), and path entries.
    """
    log = Sarif(report.prefix)
    for finding in report.findings:
        if finding.decision in LEVELS:
            log.add_finding(finding)
    for fact in report.facts:
        if fact.file:
            log.add_fact(fact)
    run: Json = {
        "tool": {"driver": driver(report.version, log.rules)},
        "invocations": [invocation(report)],
        "columnKind": "unicodeCodePoints",
        "results": log.results,
    }
    if log.base:
        run["originalUriBaseIds"] = {"PREFIX": {"uri": file_uri(log.base) + "/"}}
    document: Json = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2) + "\n"


class Sarif:
    """The results so far, and the rules that they name: what each is about, and its level."""

    def __init__(self, prefix: str) -> None:
        self.base = uri_parts(prefix) if os.path.isabs(prefix) else []
        self.results: list[Json] = []
        self.rules: dict[str, tuple[str, str]] = {}
        self.uses: Counter[str] = Counter()

    def add_finding(self, finding: Finding) -> None:
        """Add a finding as a result; one without a slug goes by its decision."""
        decision, slug = finding.decision, finding.slug or finding.decision
        text = f": {quoted(finding.text, 300)}" if finding.text else ""
        told = [f"{decision} {brief(finding.kind)}{text}", reason(finding)]
        told += [f"owner: {claim(finding.owner)}"]
        told += [f"remedy: {remedy(finding)}" if remedy(finding) else ""]
        about = REASONS.get(slug, DECISIONS[decision])
        result = self.add(slug, LEVELS[decision], about, "; ".join(filter(None, told)))
        self.place(result, finding.file, finding.line, finding.text)

    def add_fact(self, fact: Fact) -> None:
        """Add a fact as a result that is a note."""
        about = "another way into a start, reported without a verdict"
        result = self.add(fact.slug, "note", about, brief(fact.text) or plain(fact.slug))
        self.place(result, fact.file, 0, fact.text)

    def add(self, slug: str, level: str, about: str, text: str) -> Json:
        """Add a result and return it; its rule has the level of the worst of its results."""
        rule = brief(slug) or "unknown"
        others = self.rules.get(rule, (about, level))[1]
        self.rules[rule] = (about, max(level, others, key=list(SEVERITIES).index))
        result: Json = {"ruleId": rule, "ruleIndex": list(self.rules).index(rule)}
        result |= {"level": level, "message": message(text)}
        self.results.append(result)
        return result

    def place(self, result: Json, file: str, line: int, text: str) -> None:
        """Say where a result is; its fingerprint is the same in every environment.

        Line 1 where it is about a file: code scanning shows nothing without a line.
        """
        region: Json = {"startLine": max(line, 1)}
        if line and text:
            region["snippet"] = {"text": brief(text)}
        where = {"artifactLocation": self.location(file), "region": region}
        result["locations"] = [{"physicalLocation": where}]
        key = f"{os.path.basename(file)}\0{text}".encode("utf-8", "surrogatepass")
        mark = hashlib.sha256(key).hexdigest()[:32]
        self.uses[mark] += 1
        result["partialFingerprints"] = {"primaryLocationLineHash": f"{mark}:{self.uses[mark]}"}

    def location(self, file: str) -> Json:
        """Return a file's URI: relative if it lies below the prefix, which ``..`` may hide."""
        parts, depth = uri_parts(file), len(self.base)
        if not os.path.isabs(file):
            return {"uri": "/".join(parts)}
        if 0 < depth < len(parts) and parts[:depth] == self.base and ".." not in parts:
            return {"uri": "/".join(parts[depth:]), "uriBaseId": "PREFIX"}
        return {"uri": file_uri(parts)}


def uri_parts(path: str) -> list[str]:
    """Return the percent-encoded parts of a path, which may hold undecodable bytes."""
    try:
        data = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte: text, not a file's name
        data = path.encode("utf-8", "surrogatepass")
    slashed = data.replace(os.fsencode(os.sep), b"/")
    return [quote(part, safe="") for part in slashed.split(b"/") if part not in (b"", b".")]


def file_uri(parts: list[str]) -> str:
    return "file:///" + "/".join(parts)


def message(text: str) -> Json:
    """Return a message in which nothing is a placeholder or a link (SARIF 3.11.5, 3.11.6)."""
    without_links = text.replace("](", "] (")
    return {"text": without_links.replace("{", "{{").replace("}", "}}")}


def driver(version: str, rules: dict[str, tuple[str, str]]) -> Json:
    described = [rule_json(slug, *rule) for slug, rule in rules.items()]
    return {"name": "safesite", "version": brief(version), "rules": described}


def rule_json(slug: str, about: str, level: str) -> Json:
    sentence = f"{about[0].upper()}{about[1:]}."
    return {
        "id": slug,
        "shortDescription": {"text": sentence},
        "fullDescription": {"text": f"{sentence} safesite reports it, and runs nothing."},
        "help": {"text": HELP},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["security"], "security-severity": SEVERITIES[level]},
    }


def invocation(report: Report) -> Json:
    """Return how the command went: why it could not tell all of it are notifications.

    So are facts that are nowhere (that there are more of them): a result needs a place.
    """
    nowhere = [f"{brief(f.slug)}: {brief(f.text)}" for f in report.facts if not f.file]
    notes = [{"level": "error", "message": message(brief(p))} for p in report.problems]
    notes += [{"level": "note", "message": message(text)} for text in nowhere]
    return {
        "executionSuccessful": report.exit_code != 2,
        "exitCode": report.exit_code,
        "toolExecutionNotifications": notes,
    }
