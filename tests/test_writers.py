"""The texts of ``--explain``: what a report says is in all three, and nothing of it gets out."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from environments import PACKAGE

from safesite import sarif as sarif_writer
from safesite import writers
from safesite.findings import (
    DECISIONS,
    OWNER_STATES,
    Fact,
    Finding,
    Module,
    Owner,
    PolicyFile,
    Report,
)

jsonschema: Any = importlib.import_module("jsonschema")  # which has no types of its own

HERE = Path(__file__).parent
PREFIX = "/home/ann/app/.venv"
SITE = f"{PREFIX}/lib/python3.13/site-packages"
SYSTEM = "/usr/lib/python3/dist-packages"
WIDTHS = (40, 80, 120, 1000)

# Each could do harm if it were printed, pasted or parsed as it is.
HOSTILE = {
    "escape": "a\x1b[2Jb",
    "newline": "a\nrefused [1] line 1, import line\n",
    "carriage return": "a\rsafesite: all is well",
    "bell": "a\ab",
    "delete": "a\x7f\x9bb",
    "right to left": "a\u202eb",
    "line separator": "a\u2028b\x85c",
    "undecodable": "a\udcffb",
    "lone surrogates": "a\ud800b\udcff",
    "astral": "a\U0001f600b",
    "quotes": "a'b\"c`d",
    "shell": "$(id); `id` && id | id > x",
    "markup": "[a](http://evil.example) {0} {{1}} ](1) <b>",
    "percent": "a%2e%2e%2fb?c#d",
    "dots": "../../etc/passwd",
    "spoof": " " * 30 + "reason: reviewed (ok)" + " " * 30 + "owner:  claimed by no package",
    "nul": "a\0b",
    "long": "x" * 100_000,
    "long words": "import os " * 10_000,
    "long escapes": "\U0001f600" * 25_000,
    "empty": "",
}


def a_report(**changes: Any) -> Report:  # noqa: ANN401 - any field's value
    """Return a report without findings, and with the given fields."""
    plain = Report("0.1.0", "3.13.0", f"{PREFIX}/bin/python", PREFIX, "refuse")
    return dataclasses.replace(plain, **{"site_directories": [SITE, SYSTEM], **changes})


def a_finding(decision: str = "refused", **changes: Any) -> Finding:  # noqa: ANN401 - any field's value
    """Return a finding of an import line, and with the given fields."""
    plain = Finding(f"{SITE}/x.pth", 1, "import line", "import x", decision, "import-line")
    return dataclasses.replace(plain, **changes)


REALISTIC = a_report(
    policies=[
        PolicyFile("/etc/safesite/policy", "", 2, ((7, "unknown keyword 'alow'"),)),
        PolicyFile("/home/ann/.config/safesite/policy", "writable by group"),
    ],
    findings=[
        a_finding("inert", slug="known", file=f"{SITE}/a.pth", text="import sys; exec(...)"),
        a_finding(
            file=f"{SITE}/litellm_init.pth",
            text="import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', '...'])",
            owner=Owner("owned", ("litellm 1.82.8",)),
            modules=[Module("subprocess", "standard library")],
            remedy="safesite --allow -- litellm_init.pth",
            number=3,
        ),
        a_finding("allowed", slug="", file=f"{SITE}/y.pth", line=2, detail="/etc/p, line 3"),
        a_finding("kept", file=f"{SITE}/y.pth", kind="path entry", line=1),
        *[a_finding("kept", file=f"{SITE}/z.pth", kind="path entry", line=n) for n in (1, 2)],
        a_finding("missing", file=f"{SITE}/z.pth", kind="path entry", line=3),
        Finding(f"{SYSTEM}/b.pth", 0, "startup file", "", "skipped", "skipped", "not UTF-8"),
    ],
    facts=[Fact("pyvenv-home", f"{PREFIX}/pyvenv.cfg", "home names /usr/bin")],
)

TABLE = """\
safesite 0.1.0, Python 3.13.0, mode refuse
  python: /home/ann/app/.venv/bin/python
  prefix: /home/ann/app/.venv
  site directories:
    /home/ann/app/.venv/lib/python3.13/site-packages
    /usr/lib/python3/dist-packages

.../site-packages/litellm_init.pth
  refused [3] line 1, import line
    "import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', '.."
    ".'])"
    reason: an import line, which stock Python runs at every start (import-line)
    owner:  claimed by litellm 1.82.8, unchanged
    module: subprocess, standard library
    remedy: safesite --allow -- litellm_init.pth

.../site-packages/y.pth
  allowed line 2, import line
    'import x'
    reason: /etc/p, line 3
    owner:  claimed by no package
  1 path entry kept

.../dist-packages/b.pth
  skipped startup file
    reason: not UTF-8 (skipped)
    owner:  claimed by no package

.../site-packages/a.pth
  inert line 1, import line (known)
    'import sys; exec(...)'

.../site-packages/z.pth: 2 path entries kept, 1 path entry missing

policies
  /etc/safesite/policy: 2 entries
    line 7: unknown keyword 'alow'
  /home/ann/.config/safesite/policy: ignored, writable by group

other ways in, without a verdict
  pyvenv-home: /home/ann/app/.venv/pyvenv.cfg: home names /usr/bin

1 refused, 1 allowed, 1 skipped, 1 inert, 3 kept, 1 missing; nothing was run
"""


def hostile_report(text: str) -> Report:
    """Return a report that has a text in every field that could hold one."""
    owner = Owner("shared", (text, f"{text} 1.0"))
    modules = [Module(text, text, text), Module("m", "module", f"{SITE}/{text}")]
    more: dict[str, Any] = {"owner": owner, "modules": modules, "number": 3}
    files = [f"{SITE}/{text}", f"{SYSTEM}/{text}.pth", f"/{text}", text]
    findings = [
        Finding(file, line, text, text, decision, text, text, remedy=text, **more)
        for file in files
        for line, decision in enumerate(DECISIONS)
    ]
    return Report(
        version=text,
        python=text,
        executable=text,
        prefix=f"/{text}",
        mode=text,
        path=[text],
        site_directories=[SITE, SYSTEM, text, f"/{text}"],
        policies=[PolicyFile(text, text, 1, ((1, text),)), PolicyFile(f"/{text}")],
        findings=findings,
        facts=[Fact(text, file, text) for file in files],
        problems=[text],
    )


each_hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())


def is_printable(text: str) -> bool:
    return all(line.isascii() and line.isprintable() for line in text.split("\n"))


def shown(*findings: Finding, width: int = 80, **changes: Any) -> str:  # noqa: ANN401 - any field's value
    """Return the table of findings, below the part about the interpreter."""
    told = writers.table(a_report(findings=list(findings), **changes), width=width, colours=False)
    return told.partition("\n\n")[2]


def sarif(report: Report) -> Any:  # noqa: ANN401 - JSON
    """Return the run of a report's SARIF, which is valid."""
    schema = json.loads((HERE / "sarif-2.1.0.schema.json").read_text("utf-8"))
    text = sarif_writer.sarif_text(report)
    assert is_printable(text)
    document = json.loads(text)
    validator = jsonschema.validators.validator_for(schema)
    checker = validator.FORMAT_CHECKER
    assert [
        e.message for e in validator(schema, format_checker=checker).iter_errors(document)
    ] == []
    (run,) = document["runs"]
    return run


# The table.


def test_the_table() -> None:
    assert writers.table(REALISTIC, width=80, colours=False) == TABLE


@each_hostile
@pytest.mark.parametrize("width", WIDTHS)
def test_every_line_of_the_table_is_printable_and_fits(text: str, width: int) -> None:
    told = writers.table(hostile_report(text), width=width, colours=False)
    assert is_printable(told)
    for line in told.splitlines():
        assert len(line) <= width or line == f"    remedy: {text}", line


@each_hostile
def test_every_line_begins_with_a_word_of_ours(text: str) -> None:
    """What goes on from the line above stands deeper than any of them."""
    words = [*DECISIONS, "python:", "prefix:", "site directories:", "-", "line "]
    words += ["reason:", "owner:", "module:", "remedy: ", "1 path entry"]
    words += ["policies", "other ways in", "what cannot be told", "safesite ", "4 refused, "]
    words += ["/", "...", "'", '"']  # a path, or what is quoted
    slug = text if re.fullmatch(r"\w{1,60}", text, re.ASCII) else "'"
    told = writers.table(hostile_report(text), width=60, colours=False)
    title, _, rest = told.partition("\n  python:")
    for line in rest.splitlines()[1:]:
        depth = len(line) - len(line.lstrip(" "))
        if line and depth in (0, 4):
            assert line.lstrip(" ").startswith(tuple(words)), line
        elif line and depth < 12 and not line.startswith("  4 missing"):
            assert line.lstrip(" ").startswith((*words, slug)), line
    assert title.startswith(("safesite ", "safesite\n  "))


def test_what_goes_on_below_cannot_pass_for_a_line_of_its_own() -> None:
    spoof = "a" + " " * 70 + "refused [1] line 1, import line" + " " * 60 + "reason: reviewed"
    told = shown(a_finding(detail=spoof, text=spoof, file=f"{SITE}/{spoof}"))
    for line in told.splitlines():
        if not line.startswith("1 refused") and "refused [1] line 1, import line" in line:
            assert re.match(r" {12}|    '", line), line
    assert sum(line.startswith("  refused") for line in told.splitlines()) == 1


def test_the_table_at_a_width_below_the_narrowest_is_40_wide() -> None:
    narrow = writers.table(REALISTIC, width=40, colours=False)
    assert writers.table(REALISTIC, width=1, colours=False) == narrow


def test_colours_change_nothing_but_the_word_of_the_decision() -> None:
    told = writers.table(REALISTIC, width=80, colours=True)
    coloured = re.findall(r"\x1b\[[\d;]+m(.*?)\x1b\[0m", told)
    assert coloured == ["refused", "allowed", "skipped", "inert"]
    assert re.sub(r"\x1b\[[\d;]+m", "", told) == TABLE


@each_hostile
def test_no_text_adds_a_colour(text: str) -> None:
    report = hostile_report(text)
    told = writers.table(report, width=80, colours=True)
    bare = re.sub(r"\x1b\[(?:[\d;]+)m", "", told)
    assert bare == writers.table(report, width=80, colours=False)
    of_decisions = [f for f in report.findings if f.decision not in writers.COUNTED]
    assert told.count("\x1b") == 2 * len(of_decisions)


@pytest.mark.parametrize("decision", ["refused", "allowed", "skipped", "denied"])
def test_what_needs_attention_is_told_in_full(decision: str) -> None:
    finding = a_finding(
        decision,
        detail="because",
        number=7,
        line=5,
        owner=Owner("changed", ("dist 1",)),
        modules=[Module("x", "package", f"{SITE}/x/__init__.py")],
        remedy="safesite --allow -- 'a b.pth'",
    )
    assert shown(finding).startswith(f"""\
.../site-packages/x.pth
  {decision} [7] line 5, import line
    'import x'
    reason: because (import-line)
    owner:  claimed by dist 1, changed since
    module: x, package, .../site-packages/x/__init__.py
    remedy: safesite --allow -- 'a b.pth'

""")


@pytest.mark.parametrize("decision", ["performed", "deferred", "inert", "suppressed", "ignored"])
def test_what_needs_none_is_told_in_two_lines(decision: str) -> None:
    told = shown(a_finding(decision, text="import x;" * 50, detail="because"))
    (_, first, second, *rest) = told.splitlines()
    assert first == f"  {decision} line 1, import line: because (import-line)"
    assert second.startswith("    'import x;import x;")
    assert second.endswith("'...")
    assert rest == ["", f"1 {decision}; nothing was run"]


def test_the_worst_file_comes_first_and_the_worst_line_in_it() -> None:
    order = list(DECISIONS)
    findings = [a_finding(d, file=f"{SITE}/{d}.pth", line=2) for d in reversed(order)]
    findings += [a_finding(d, file=f"{SITE}/{d}.pth", line=1) for d in reversed(order)]
    findings.append(a_finding("refused", file=f"{SITE}/kept.pth", line=9))
    told = shown(*findings)
    files = re.findall(r"^\.\.\.\S*/(\w+)\.pth", told, re.MULTILINE)
    assert files == ["refused", "kept", *order[1:-2], "missing"]
    kept = told[told.index("/kept.pth") :]
    assert kept.index("refused line 9") < kept.index("2 path entries kept")


@pytest.mark.parametrize("state", OWNER_STATES)
def test_the_owner_is_worded_as_a_claim(state: str) -> None:
    names = () if state in ("nobody", "unknown") else ("dist 1",)
    told = shown(a_finding(owner=Owner(state, names)))
    (line,) = re.findall(r"owner:  (.*)", told)
    assert line.startswith("claimed by dist 1" if names else ("claimed by no", "not known"))
    assert len({*writers.CLAIMS.values()}) == len(OWNER_STATES)


def test_many_claimants_are_counted() -> None:
    told = shown(a_finding(owner=Owner("shared", tuple(f"d{n} 1" for n in range(9)))), width=200)
    assert "claimed by d0 1 and d1 1 and d2 1 and d3 1 and d4 1 and 4 more\n" in told


def test_a_remedy_is_pasted_as_it_is_or_not_at_all() -> None:
    long = f"safesite --allow -- {'x' * 300}"
    assert f"\n    remedy: {long}\n" in shown(a_finding(remedy=long), width=40)
    for bad in ("safesite \x1b[2J", "safesite --allow -- \u202e", "a\nb", "x" * 5000, ""):
        assert "remedy" not in shown(a_finding(remedy=bad))


@pytest.mark.parametrize(
    "folders, expected",
    [
        (["/a/site-packages"], [".../site-packages/x.pth"]),
        (
            ["/v/a/b/s", "/v/c/b/s", "/v/d/s"],
            [".../a/b/s/x.pth", ".../c/b/s/x.pth", ".../d/s/x.pth"],
        ),
        (["/b/s", "/v/a/b/s"], ["/b/s/x.pth", ".../a/b/s/x.pth"]),
        (["/v/s", "/v/s/t"], [".../s/x.pth", ".../t/x.pth"]),
        (["/a/s/", "/a/s"], [".../s/x.pth"]),
        (["/"], ["/x.pth"]),
        ([""], ["/x.pth"]),
    ],
)
def test_a_short_path_is_no_other_ones(folders: list[str], expected: list[str]) -> None:
    files = list(dict.fromkeys(f"{folder.rstrip('/')}/x.pth" for folder in folders))
    findings = [a_finding("kept", file=file) for file in files]
    told = shown(*findings, site_directories=folders)
    assert re.findall(r"^(.*): 1 path entry", told, re.MULTILINE) == expected


def test_two_paths_with_one_short_form_are_told_in_full() -> None:
    """Below a folder may lie what another one is called, and a relative path may begin so."""
    folders = ["/a/s", "/b/s/t", "/c/t"]
    files = ["/a/s/t/x.pth", "/b/s/t/x.pth", "/a/s/y.pth", ".../s/z.pth", "/a/s/z.pth"]
    told = shown(*[a_finding("kept", file=f) for f in files], site_directories=folders)
    names = re.findall(r"^(.*): 1 path entry", told, re.MULTILINE)
    assert names == [*files[:2], ".../s/y.pth", "'.../s/z.pth'", files[4]]


def test_the_heading_tells_site_directories_in_full() -> None:
    inner = f"{SITE}/inner"
    report = a_report(
        site_directories=[SITE, inner], findings=[a_finding(modules=[Module("m", "zip", inner)])]
    )
    told = writers.table(report, width=80, colours=False)
    assert f"\n    {SITE}\n    {inner}\n" in told


def test_the_end_says_when_not_all_could_be_told() -> None:
    told = shown(problems=["/x.pth: Permission denied"])
    assert told == (
        "what cannot be told\n  - /x.pth: Permission denied\n\n"
        "no startup files; nothing was run; not the whole truth\n"
    )


def test_a_long_text_is_cut_after_three_lines() -> None:
    told = shown(a_finding(text="y" * 100_000), width=100_000)
    texts = [line for line in told.splitlines() if line.startswith("    'y")]
    assert len(texts) == 3
    assert texts[2].endswith("y'...")
    assert all(len(line) <= 4 + writers.PIECE for line in texts)


@pytest.mark.parametrize("room", [36, 37, 80])
def test_the_pieces_of_a_text_read_back_as_the_text(room: int) -> None:
    text = "".join(chr(n) for n in range(300)) + "\udcff\U0001f600\\x41\\"
    told = list(writers.pieces(text, room, 1000))
    assert all(len(piece) <= room for piece in told)
    assert "".join(eval(piece) for piece in told) == text  # noqa: S307 - literals of our own


def test_nothing_depends_on_the_terminal_or_the_hash_seed() -> None:
    """The same bytes whatever the variables, the locale, and whether there is a terminal."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import test_writers as t;"
        "print(*[w(t.REALISTIC) for w in (t.writers.json_text, t.sarif_writer.sarif_text)],"
        "t.writers.table(t.REALISTIC, width=80, colours=True))"
    )
    told = set()
    for seed, columns, locale in (("1", "20", "C"), ("2", "200", "C.UTF-8")):
        variables = {"PYTHONHASHSEED": seed, "COLUMNS": columns, "LC_ALL": locale}
        command = [sys.executable, "-c", code, str(HERE), str(PACKAGE.parent)]
        variables |= {"TERM": "xterm" if seed == "1" else "dumb", "NO_COLOR": seed}
        told.add(subprocess.run(command, env=variables, capture_output=True, check=True).stdout)
    assert len(told) == 1


# JSON.


def document(report: Report) -> Any:  # noqa: ANN401 - JSON
    """Return a report's JSON document, which is valid."""
    text = writers.json_text(report)
    assert is_printable(text)
    found = json.loads(text)
    schema = json.loads((HERE / "explain.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(found)] == []
    return found


def with_cut(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "text": told["text"][:4096], "cut": len(told["text"]) > 4096}


@pytest.mark.parametrize(
    "report",
    [REALISTIC, a_report(), *map(hostile_report, HOSTILE.values())],
    ids=["realistic", "nothing", *HOSTILE],
)
def test_json_reads_back_as_the_report(report: Report) -> None:
    told = json.loads(json.dumps(dataclasses.asdict(report)))
    policies = [
        {**p, "faults": [with_cut({"line": n, "text": t}) for n, t in p["faults"]]}
        for p in told["policies"]
    ]
    assert document(report) == {
        **told,
        "schema": "safesite-explain",
        "version": 1,
        "safesite": report.version,
        "exit": report.exit_code,
        "policies": policies,
        "findings": [with_cut(finding) for finding in told["findings"]],
        "facts": [with_cut(fact) for fact in told["facts"]],
    }


def test_the_schema_of_the_json_knows_every_word_and_no_other_field() -> None:
    schema = json.loads((HERE / "explain.schema.json").read_text("utf-8"))
    finding = schema["properties"]["findings"]["items"]["properties"]
    assert finding["decision"]["enum"] == list(DECISIONS)
    assert finding["owner"]["properties"]["state"]["enum"] == list(OWNER_STATES)
    found = document(REALISTIC)
    for broken in ({**found, "more": 1}, {**found, "version": 2}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


def test_the_docstring_describes_every_field() -> None:
    described = re.findall(r"[a-z_]+", writers.json_text.__doc__ or "")
    assert set(document(REALISTIC)) <= set(described)


# SARIF.


def test_the_schema_of_sarif_is_the_one_that_its_licence_names() -> None:
    data = (HERE / "sarif-2.1.0.schema.json").read_bytes()
    licence = (HERE / "sarif-2.1.0.schema.LICENSE").read_text("utf-8")
    assert hashlib.sha256(data).hexdigest() in licence


def test_the_schema_of_sarif_finds_faults() -> None:
    schema = json.loads((HERE / "sarif-2.1.0.schema.json").read_text("utf-8"))
    told = json.loads(sarif_writer.sarif_text(REALISTIC))
    told["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, schema)


@each_hostile
def test_sarif_is_valid_and_cannot_mislead(text: str) -> None:
    report = hostile_report(text)
    run = sarif(report)
    for result in run["results"]:
        told = result["message"]["text"]
        assert "](" not in told
        assert not re.search(r"\{(?!\{)", told.replace("{{", ""))
        assert not re.search(r"\}(?!\})", told.replace("}}", ""))
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        where = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert re.fullmatch(r"[\w.~%/-]*", where["uri"].removeprefix("file:///"), re.ASCII)
        if "uriBaseId" in where:
            assert not where["uri"].startswith("/")
            assert ".." not in where["uri"].split("/")


def test_sarif_levels() -> None:
    findings = [a_finding(decision, slug=decision) for decision in DECISIONS]
    findings += [a_finding(d, slug="both") for d in ("denied", "refused", "skipped")]
    run = sarif(a_report(findings=findings, facts=[Fact("a-fact", f"{SITE}/a", "text")]))
    assert [(r["ruleId"], r["level"]) for r in run["results"]] == [
        ("refused", "error"),
        ("allowed", "warning"),
        ("skipped", "warning"),
        ("denied", "note"),
        ("performed", "note"),
        ("deferred", "note"),
        ("both", "note"),
        ("both", "error"),
        ("both", "warning"),
        ("a-fact", "note"),
    ]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert len(rules) == 8
    assert rules["both"]["defaultConfiguration"]["level"] == "error"
    assert rules["both"]["properties"] == {"tags": ["security"], "security-severity": "8.0"}
    for rule in rules.values():
        assert {"shortDescription", "fullDescription", "help"} < set(rule)


def test_a_result() -> None:
    finding = REALISTIC.findings[1]
    run = sarif(a_report(findings=[finding]))
    (result,) = run["results"]
    digest = hashlib.sha256(f"litellm_init.pth\0{finding.text}".encode()).hexdigest()
    assert result == {
        "ruleId": "import-line",
        "ruleIndex": 0,
        "level": "error",
        "message": {
            "text": f'refused import line: "{finding.text}"; '
            "an import line, which stock Python runs at every start (import-line); "
            "owner: claimed by litellm 1.82.8, unchanged; "
            "remedy: safesite --allow -- litellm_init.pth"
        },
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {
                        "uri": "lib/python3.13/site-packages/litellm_init.pth",
                        "uriBaseId": "PREFIX",
                    },
                    "region": {"startLine": 1, "snippet": {"text": finding.text}},
                }
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{digest[:32]}:1"},
    }
    assert run["originalUriBaseIds"] == {"PREFIX": {"uri": f"file://{PREFIX}/"}}
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["tool"]["driver"]["name"] == "safesite"
    assert run["tool"]["driver"]["version"] == "0.1.0"


@pytest.mark.parametrize(
    "file, expected",
    [
        (f"{PREFIX}/a b%c.pth", ("a%20b%25c.pth", "PREFIX")),
        (f"{PREFIX}//a/./b:c.pth", ("a/b%3Ac.pth", "PREFIX")),
        (f"{PREFIX}/../x.pth", ("file:///home/ann/app/.venv/../x.pth", None)),
        (f"{PREFIX}2/x.pth", ("file:///home/ann/app/.venv2/x.pth", None)),
        ("/usr/l\xefb/\udcff.pth", ("file:///usr/l%C3%AFb/%FF.pth", None)),
        ("relative/x.pth", ("relative/x.pth", None)),
    ],
)
def test_uris(file: str, expected: tuple[str, str | None]) -> None:
    (result,) = sarif(a_report(findings=[a_finding(file=file)]))["results"]
    where = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert (where["uri"], where.get("uriBaseId")) == expected
    if "." not in file.split("/"):
        base = f"file://{PREFIX}/" if "uriBaseId" in where else ""
        told = unquote_to_bytes((base + where["uri"]).removeprefix("file://"))
        assert told == os.fsencode(file).replace(b"//", b"/")


@pytest.mark.parametrize("prefix", ["", "/", "relative"])
def test_without_a_prefix_every_uri_is_absolute(prefix: str) -> None:
    run = sarif(a_report(prefix=prefix, findings=[a_finding()]))
    assert "originalUriBaseIds" not in run
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == f"file://{SITE}/x.pth"


def test_a_fingerprint_is_the_same_in_another_environment() -> None:
    here = [a_finding(), a_finding(line=2), a_finding(text="import y")]
    there = [dataclasses.replace(f, file="/elsewhere/x.pth", line=f.line + 5) for f in here]
    marks = [
        [r["partialFingerprints"] for r in sarif(a_report(findings=f))["results"]]
        for f in (here, there)
    ]
    assert marks[0] == marks[1]
    assert len({json.dumps(mark) for mark in marks[0]}) == 3


def test_sarif_says_when_not_all_could_be_told() -> None:
    (told,) = sarif(a_report(problems=["a\x1b", "b"]))["invocations"]
    assert not told["executionSuccessful"]
    assert told["exitCode"] == 2
    notes = told["toolExecutionNotifications"]
    assert [note["message"]["text"] for note in notes] == ["a\\x1b", "b"]
    run = sarif(a_report(facts=[Fact("a-fact", "", "3 more {like} these")]))
    assert run["results"] == []
    (told,) = run["invocations"]
    (note,) = told["toolExecutionNotifications"]
    assert note == {"level": "note", "message": {"text": "a-fact: 3 more {{like}} these"}}
    (told,) = sarif(REALISTIC)["invocations"]
    assert told["executionSuccessful"]
    assert told["exitCode"] == 1
    assert told["toolExecutionNotifications"] == []
