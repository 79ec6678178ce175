"""The guard's lines in policies, and the file of what it has refused."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import environments
import policies
import pytest
from environments import PACKAGE, TIMEOUT, Environment, Outcome
from interpreters import Interpreter

from safesite import core, entries, grants, keep, refused, writers
from safesite.findings import Report
from safesite.grants import Grant
from safesite.refused import Refusal

pytestmark = pytest.mark.rotated

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")
USER = 54321  # whom no machine has
OURS = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n"

# Names and paths that could do harm if they were printed or recorded as they are.
HOSTILE = (
    "/a b#c%d",
    "/a\nguard allow build everything",
    "/a\r\x1b[2J\x1b]0;x\x07",
    "/\u202e\u2028\x85",
    "/\udcff\udc80",
    "/#",
    "/%",
    "/%41",
    "/'\"`$(touch PWNED);",
    "/\U0001f600",
)


@pytest.fixture
def environment(interpreter: Interpreter, trusted_folder: Path) -> Environment:
    """An environment whose user's policy counts."""
    return environments.make(interpreter, trusted_folder / "environment")


def policy_of(environment: Environment) -> Path:
    """Return where the user's policy is."""
    return environment.home / ".config" / "safesite" / "policy"


def put_policy(environment: Environment, *lines: str) -> Path:
    """Write the user's policy."""
    return policies.write(policy_of(environment), lines)


def is_plain(text: str) -> bool:
    """Return whether a text is lines of safesite's that could mislead nobody."""
    lines = text.splitlines()
    return (
        all(line.startswith("safesite: ") for line in lines)
        and text.isascii()
        and text.replace("\n", "").isprintable()
    )


# What a line says.

FINE = (
    "build requests",
    "build Zope.Interface_x-1",
    "resolve example.com",
    "resolve ::1",
    "resolve [::1]",
    "resolve b%C3%BCcher.example",
    "connect 203.0.113.7:443",
    "connect [2001:db8::1]:443",
    "connect [fe80::1%25eth0]:443",
    "connect under_score.example.:0",
    "connect /run/a%20b:1",
    "listen 127.0.0.1:0",
    "listen :8080",
    "listen [::1]:80",
    "listen 0.0.0.0:65535",
    "read /",
    "read /etc/",
    "read /etc/./hosts",
    "write /tmp/%20%23%25%FF",
    "run /usr/bin/cc",
    "load //usr/lib/libc.so.6",
    "load libstdc++.so.6",
    "load package._module",
)


@pytest.mark.parametrize("text", FINE)
def test_a_line_of_each_kind(text: str) -> None:
    kind, target = text.split()
    (grant,), faults = grants.parse("/p", f"guard allow {text}\n".encode())
    assert (grant.policy, grant.line, grant.kind, faults) == ("/p", 1, kind, [])
    assert entries.encode(grant.target) == target
    assert grants.line(*grant[2:]) == f"guard allow {text}"
    assert grants.covering([grant], kind, grant.target) == grant


def test_the_kinds() -> None:
    assert {text.split()[0] for text in FINE} == set(grants.KINDS)


SHAPE = "guard has the word allow, a kind and a target"
CONNECT = "connect has HOST:PORT, or the absolute path of a socket"
ENCODED = "what is not printable ASCII is not percent-encoded"
BAD = {
    "guard": SHAPE,
    "guard allow": SHAPE,
    "guard allow connect": SHAPE,
    "guard deny connect a:1": SHAPE,
    "guard Allow connect a:1": SHAPE,
    "guard connect a:1": SHAPE,
    "guard allow connect a:1 b:1": SHAPE,
    "guard allow connect # a:1": SHAPE,
    "guard allow everything /": "unknown kind 'everything'",
    "guard allow Read /": "unknown kind 'Read'",
    "guard allow \x1b[2J\xff /": "unknown kind '\\x1b[2J\\xc3\\xbf'",
    "guard allow build -x": "build has the name of a project",
    "guard allow build x.": "build has the name of a project",
    "guard allow build *": "build has the name of a project",
    "guard allow build ./x": "build has the name of a project",
    "guard allow build x==1.0": "build has the name of a project",
    "guard allow build %C3%BC": "build has the name of a project",
    "guard allow resolve *.example": "resolve has a host",
    "guard allow resolve a:1": "resolve has a host",
    "guard allow resolve [a]": "resolve has a host",
    "guard allow resolve a%20b": "resolve has a host",
    "guard allow resolve ...": "resolve has a host",
    f"guard allow resolve {'a' * 256}": "resolve has a host",
    "guard allow connect a": CONNECT,
    "guard allow connect a:": CONNECT,
    "guard allow connect :1": CONNECT,
    "guard allow connect a:https": CONNECT,
    "guard allow connect a:65536": CONNECT,
    "guard allow connect a:0443": CONNECT,
    "guard allow connect a:+1": CONNECT,
    "guard allow connect a:%D9%A1": CONNECT,
    "guard allow connect a:%C2%B2": CONNECT,  # a digit, but no number
    f"guard allow connect a:{'1' * 9999}": CONNECT,
    "guard allow connect *:443": CONNECT,
    "guard allow connect ::1:443": CONNECT,
    "guard allow connect https://a:443": CONNECT,
    "guard allow connect a@b:443": CONNECT,
    "guard allow listen [::1:80": "listen has HOST:PORT",
    "guard allow listen ::80": "listen has HOST:PORT",
    "guard allow read etc": "read has an absolute path without ..",
    "guard allow read ~/x": "read has an absolute path without ..",
    "guard allow read /a/../b": "read has an absolute path without ..",
    "guard allow write /a%00": "write has an absolute path without ..",
    "guard allow run cc": "run has an absolute path without ..",
    "guard allow load ..": "load has an absolute path without .., or a name",
    "guard allow load a/b": "load has an absolute path without .., or a name",
    "guard allow load a%20b": "load has an absolute path without .., or a name",
    "guard allow load %C3%BC": "load has an absolute path without .., or a name",
    "guard allow listen /run/x": "listen has HOST:PORT",
    "guard allow connect /run/../x": CONNECT,
    "guard allow connect run/x": CONNECT,
    "guard allow read /%": ENCODED,
    "guard allow read /%4": ENCODED,
    "guard allow read /%G0": ENCODED,
    "guard allow read /%+1": ENCODED,
    "guard allow read /\xfc": ENCODED,
    "guard allow read /\x01": ENCODED,
}


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_a_line_that_is_not_as_it_should_be(text: str) -> None:
    before = (
        "# ours\n\nguard allow build a # why\r\n\tguard\tallow  build  b\ndeny guard\nalow guard\n"
    )
    found, faults = grants.parse("/p", f"{before}{text}\r\nguard allow build c".encode())
    lines = [(grant.line, grant.target) for grant in found]
    assert lines == [(3, "a"), (4, "b"), (8, "c")]
    assert faults == [(7, BAD[text])]


@pytest.mark.parametrize("target", HOSTILE, ids=ascii)
def test_any_path_can_be_allowed(target: str) -> None:
    text = grants.line("read", target)
    assert text.isascii()
    assert text.isprintable()
    found, faults = grants.parse("/p", text.encode())
    assert ([grant.target for grant in found], faults) == ([target], [])
    assert grants.covering(found, "read", target)
    assert not grants.covering(found, "read", f"{target}x")


@pytest.mark.parametrize(
    "kind, target",
    [
        ("read", "relative"),
        ("read", "/a/../b"),
        ("read", "/\0"),
        ("read", "/\ud800"),  # half a character, of which no name can be made
        ("read", ""),
        ("build", "evil\nguard allow run /bin/sh"),
        ("connect", "no port"),
        ("connect", "unix:\0name"),
        ("some day", "/"),
        ("\ud800", "/"),
        ("read\r", "/"),
        ("run /bin/sh #", "/"),
    ],
)
def test_there_may_be_no_line_that_would_allow_it(kind: str, target: str) -> None:
    assert grants.line(kind, target) == ""


# What a line covers.

COVERED = (
    ("connect a:443", "connect", "a:443", True),
    ("connect a:443", "connect", "A:443", True),
    ("connect A:443", "resolve", "a", True),
    ("connect a:443", "connect", "a:80", False),
    ("connect a:443", "connect", "b:443", False),
    ("connect a:443", "connect", "a", False),
    ("connect a:443", "connect", "a:4430", False),
    ("connect a:443", "resolve", "b", False),
    ("connect a:443", "resolve", "a.", False),
    ("connect a:443", "listen", "a:443", False),
    ("connect k:443", "resolve", "\u212a", False),  # a Kelvin sign, whose small letter is k
    ("connect [::1]:443", "connect", "[::1]:443", True),
    ("connect [2001:DB8::a]:443", "connect", "[2001:db8::A]:443", True),
    ("connect [::1]:443", "resolve", "::1", True),
    ("connect [::1]:443", "resolve", "[::1]", True),
    ("connect /run/x:1", "connect", "/run/x:1", True),
    ("connect /run/x:1", "connect", "//run/./x:1", True),
    ("connect /run/x:1", "connect", "/RUN/x:1", False),
    ("connect /run/x:1", "resolve", "/run/x", False),
    ("connect /run/", "connect", "/run/x", True),
    ("connect a:1", "connect", "/a:1", False),
    ("load ctypes", "load", "ctypes", True),
    ("load ctypes", "load", "Ctypes", False),
    ("load ctypes", "load", "/ctypes", False),
    ("load /ctypes", "load", "ctypes", False),
    ("resolve a", "resolve", "A", True),
    ("resolve a", "connect", "a:443", False),
    ("resolve a", "resolve", "b.a", False),
    ("listen 127.0.0.1:0", "listen", "127.0.0.1:0", True),
    ("listen 127.0.0.1:0", "listen", "127.0.0.1:80", False),
    ("listen :80", "listen", ":80", True),
    ("listen :80", "listen", "0.0.0.0:80", False),
    ("build Foo.Bar_baz", "build", "foo-bar--BAZ", True),
    ("build foo", "build", "foobar", False),
    ("build k", "build", "\u212a", False),
    ("read /a/b", "read", "/a/b", True),
    ("read /a/b", "read", "//a/./b/", True),
    ("read /a/b", "read", "/a/b/c", False),
    ("read /a/b", "read", "/a/bc", False),
    ("read /a/b", "read", "/A/b", False),
    ("read /a/b", "write", "/a/b", False),
    ("write /a/b", "read", "/a/b", False),
    ("write /a/b", "run", "/a/b", False),
    ("run /a/b", "load", "/a/b", False),
    ("read /a/", "read", "/a/b/c", True),
    ("read /a/", "read", "/a/", True),
    ("read /a/", "read", "//a/./b", True),
    ("read /a/", "read", "/a", False),
    ("read /a/", "read", "/ab", False),
    ("read /a/", "read", "/a/../b", False),
    ("read /a/", "read", "/a/..", False),
    ("read /a/", "read", "a/b", False),
    ("read /a/", "read", "", False),
    ("read /", "read", "/a", True),
    ("read /", "read", "/../a", False),
    ("read /", "read", "a", False),
)


@pytest.mark.parametrize("text, kind, target, expected", COVERED)
def test_what_a_line_covers(text: str, kind: str, target: str, expected: bool) -> None:
    found, faults = grants.parse("/p", f"guard allow build other\nguard allow {text}".encode())
    assert faults == []
    assert grants.covering(found, kind, target) == (found[1] if expected else None)


def test_a_target_that_goes_up_covers_nothing() -> None:
    for kind in ("read", "load", "connect"):
        grant = Grant("/p", 1, kind, "/a/../b")
        assert not any(grants.covering([grant], kind, path) for path in ("/a/../b", "/b", "/a/c"))


# A start does not heed them, and says nothing of them.

GUARD = tuple(f"guard allow {text}" for text in FINE)
HELPER = "open(__import__('os').environ['MARKERS'] + '/ran', 'w').close()\n"


def start(environment: Environment, *lines: str) -> tuple[Outcome, list[str]]:
    """Return how a program ends under a policy, and what has run before it."""
    put_policy(environment, *lines)
    code = "import safesite; print(*((r.file, r.line, r.slug) for r in safesite.refusals()))"
    return environment.launched("-c", code), environment.ran()


def test_a_start_is_the_same_with_them(environment: Environment) -> None:
    site = environment.site_packages
    (site / "helper.py").write_text(HELPER)
    (site / "sitecustomize.py").write_text(HELPER)
    names = ("foo.pth", "bar.pth", "allow.pth", "connect.pth")
    for name in names:
        (site / name).write_text("import helper\n")
    # Their targets are what a start has a name or a path of.
    guard = [*GUARD, "guard allow build sitecustomize", "guard allow run /allow"]
    guard += [f"guard allow run {site}/{name}" for name in (*names, "sitecustomize.py")]
    permit = policies.allow("foo.pth", "import helper", helper=site / "helper.py")
    for lines in ([], [permit], ["deny bar.pth"], [permit, "deny foo.pth"]):
        plain = start(environment, "# ours", *lines)
        assert start(environment, *guard, *lines) == plain
        assert start(environment, *lines, *guard) == plain
        assert plain[1] == (["ran"] if lines == [permit] else [])
        assert not any("policy" in line for line in plain[0].reports)


def test_a_start_tells_what_is_no_guard_line(environment: Environment) -> None:
    (environment.site_packages / "foo.pth").write_text("import os\n")
    done, _ = start(environment, GUARD[0], "guard deny build x", "guard allow nothing /")
    assert done.reports[:2] == [
        f"safesite: {policy_of(environment)}:{number}: grants nothing: {fault} (policy-syntax)"
        for number, fault in ((2, SHAPE), (3, "unknown kind 'nothing'"))
    ]


@pytest.mark.parametrize("name", ["allow", "guard", "connect"])
def test_no_guard_line_is_about_a_file_of_that_name(name: str) -> None:
    startup = core.Startup()
    startup.policies = [keep.Policy("/p", b"\n".join(map(str.encode, GUARD)), [])]
    line = core.Record("import os", f"/nowhere/{name}", 1, core.IMPORT)
    assert keep.ask_policies(startup, line) is None
    assert (line.slug, startup.told) == ("import-line", set())


# Those that count.

LOAD = f"""{OURS}
import json, site
from safesite import grants
before = dict(vars(site)), sys.path[:], sys.meta_path[:]
told = grants.load(site)
assert before == (dict(vars(site)), sys.path, sys.meta_path)
print(json.dumps(told))
"""


def loaded(outcome: Outcome) -> list[Grant]:
    """Return the grants that a process has found."""
    assert (outcome.code, outcome.other_err) == (0, "")
    return [Grant(*told) for told in json.loads(outcome.out)]


def load(environment: Environment, *options: str, **more: str) -> Outcome:
    """Have a process that decides nothing load the grants."""
    return environment.stock(*options, "-c", LOAD, **more)


def test_the_grants_of_each_policy(environment: Environment) -> None:
    yours = put_policy(environment, "# ours", *GUARD, "deny x", f"{GUARD[0]}  # again")
    named = policies.write(environment.root / "named", ["guard allow run /a%20b"])
    expected = [Grant(str(named), 1, "run", "/a b")]
    expected += grants.parse(str(yours), yours.read_bytes())[0]
    assert expected[1].line == 2
    assert expected[-1].line == len(GUARD) + 3
    for options in ((), ("-S",), ("-s",)):
        done = load(environment, *options, SAFESITE_POLICY=str(named))
        assert (loaded(done), done.err) == (expected, "")
    assert loaded(load(environment, "-E", SAFESITE_POLICY=str(named))) == expected[1:]
    done = load(environment, "-I", SAFESITE_POLICY=str(named))
    assert (loaded(done), done.err) == ([], "")
    for mode in core.MODES:
        done = environment.launched("-c", LOAD, SAFESITE_POLICY=str(named), SAFESITE_MODE=mode)
        assert (loaded(done), done.err) == (expected, "")


def write_to_others(environment: Environment) -> tuple[Path, str]:
    policy = policies.write(environment.root / "policy", GUARD, mode=0o602)
    return policy, f"{policy}: grants nothing: others can write it (policy-mode)"


def write_to_a_group(environment: Environment) -> tuple[Path, str]:
    policy = policies.write(environment.root / "policy", GUARD)
    os.chown(policy, -1, USER)
    policy.chmod(0o620)
    return policy, f"{policy}: grants nothing: its group can write it (policy-mode)"


def write_below_others(environment: Environment) -> tuple[Path, str]:
    policy = policies.write(environment.root / "open" / "policy", GUARD)
    policy.parent.chmod(0o777)
    return policy, f"{policy.parent}: grants nothing: others can write it (policy-mode)"


def write_in_environment(environment: Environment) -> tuple[Path, str]:
    policy = policies.write(environment.prefix / "etc" / "policy", GUARD)
    where = f"packages can write it, in '{environment.prefix}'"
    return policy, f"{policy}: grants nothing: {where} (policy-place)"


def write_in_another_environment(environment: Environment) -> tuple[Path, str]:
    policy = policies.write(environment.root / "other" / "policy", GUARD)
    (policy.parent / "pyvenv.cfg").touch()
    where = f"packages can write it, in '{policy.parent}'"
    return policy, f"{policy}: grants nothing: {where} (policy-place)"


def write_nowhere(environment: Environment) -> tuple[Path, str]:
    policy = environment.root / "none"
    return policy, f"{policy}: grants nothing: not there (policy-missing)"


def write_pipe(environment: Environment) -> tuple[Path, str]:
    policy = environment.root / "pipe"
    os.mkfifo(policy, 0o600)
    return policy, f"{policy}: grants nothing: not a regular file (policy-mode)"


def write_bad_lines(environment: Environment) -> tuple[Path, str]:
    policy = policies.write(environment.root / "policy", ["", "guard deny build x", "deny x"])
    return policy, f"{policy}:2: grants nothing: {SHAPE} (policy-syntax)"


@pytest.mark.parametrize(
    "write",
    [
        write_to_others,
        pytest.param(write_to_a_group, marks=AS_ROOT),
        write_below_others,
        write_in_environment,
        write_in_another_environment,
        write_nowhere,
        write_pipe,
        write_bad_lines,
    ],
)
def test_what_grants_nothing_is_told_as_a_start_tells_it(
    environment: Environment, write: Callable[[Environment], tuple[Path, str]]
) -> None:
    (environment.site_packages / "foo.pth").write_text("import os\n")
    policy, expected = write(environment)
    named = str(policy)
    done = load(environment, "-S", SAFESITE_POLICY=named)
    assert (loaded(done), done.err) == ([], f"safesite: {expected}\n")
    started = environment.launched("-c", "pass", SAFESITE_POLICY=named)
    assert started.reports[0] == f"safesite: {expected}"
    both = environment.launched("-c", LOAD, SAFESITE_POLICY=named)
    assert (loaded(both), both.err) == ([], started.err)  # the start has told it
    quiet = {"SAFESITE_POLICY": named, "SAFESITE_MODE": "quiet"}
    assert load(environment, "-S", **quiet).err == ""
    assert environment.launched("-c", LOAD, options=(), **quiet).err == ""


def test_the_target_of_a_line_is_told_of_too(environment: Environment) -> None:
    policy = put_policy(environment, *BAD, GUARD[0])
    done = load(environment, "-S")
    assert [grant[1:] for grant in loaded(done)] == [(len(BAD) + 1, "build", "requests")]
    assert is_plain(done.err)
    lines = done.err.splitlines()
    assert len(lines) == entries.MOST_TOLD + 1
    policies.write(policy, [*GUARD, "guard allow connect *:443", "guard allow read etc"])
    assert load(environment, "-S").err.splitlines() == [
        f"safesite: {policy}:{len(GUARD) + more}: grants nothing: {fault} (policy-syntax)"
        for more, fault in (
            (1, CONNECT),
            (2, "read has an absolute path without .."),
        )
    ]


def test_what_a_parent_has_told_is_not_told_again(environment: Environment) -> None:
    put_policy(environment, "guard allow nothing /")
    told = load(environment, "-S").err
    # Two versions need not hash alike.
    code = "import _imp, sys; print(_imp.source_hash(0, sys.argv[1].encode()).hex())"
    mark = environment.stock("-S", "-c", code, told.rstrip("\n")).out.strip()
    assert load(environment, "-S", SAFESITE_HINTED=f"0,{mark}").err == ""
    assert load(environment, "-S", "-E", SAFESITE_HINTED=f"0,{mark}").err == told


# The commands.


def explain(environment: Environment, **more: str) -> dict[str, Any]:
    """Return what ``--explain --json`` tells."""
    done = environment.launched("--explain", "--json", options=(), **more)
    assert done.err == ""
    told: dict[str, Any] = json.loads(done.out)
    assert told["exit"] == done.code
    return told


def test_explain_lists_those_that_count(environment: Environment) -> None:
    policy = put_policy(environment, "# ours", *GUARD, "guard allow connect *:443", "guard x")
    expected = grants.parse(str(policy), policy.read_bytes())[0]
    for mode in core.MODES:
        told = explain(environment, SAFESITE_MODE=mode)
        assert told["guard"] == [grant._asdict() for grant in expected]
        assert [p["entries"] for p in told["policies"]] == [len(GUARD)] * (mode != "allow")
    first = len(GUARD) + 2
    told = explain(environment)
    assert [(f["line"], f["text"]) for f in told["policies"][0]["faults"]] == [
        (first, CONNECT),
        (first + 1, SHAPE),
    ]
    table = environment.launched("--explain", COLUMNS="1000").out
    _, _, section = table.partition("\nguard\n")
    lines = section.partition("\n\n")[0].splitlines()
    assert lines == [
        f"  {policy}:{grant.line}: {grant.kind} {entries.encode(grant.target)}"
        for grant in expected
    ]
    plain = environment.launched("--explain", "--sarif").out
    put_policy(environment)
    assert environment.launched("--explain", "--sarif").out == plain
    assert "\nguard\n" not in environment.launched("--explain").out
    assert explain(environment)["guard"] == []


def test_explain_lists_none_that_packages_can_write(environment: Environment) -> None:
    policy = policies.write(environment.prefix / "policy", GUARD)
    told = explain(environment, SAFESITE_POLICY=str(policy))
    assert (told["guard"], told["policies"][0]["ignored"]) == ([], "packages can write it")
    policy = policies.write(environment.root / "policy", GUARD, mode=0o666)
    told = explain(environment, SAFESITE_POLICY=str(policy))
    assert told["guard"] == []


@pytest.mark.parametrize("target", [*HOSTILE, "/" + "x" * 100_000], ids=lambda t: ascii(t[:9]))
@pytest.mark.parametrize("width", [40, 80, 1000])
def test_a_hostile_target_stays_in_its_place(target: str, width: int) -> None:
    report = Report("0.1.0", "3.13.0", "/p", "/p", "refuse")
    report.guard = [Grant("/\x1b[2J\n", 1, "read", target)] * 2
    table = writers.table(report, width=width, colours=False)
    _, _, section = table.partition("\nguard\n")
    lines = section.partition("\n\n")[0].splitlines()
    assert table.isascii()
    assert table.replace("\n", "").isprintable()
    assert all(len(line) <= width for line in lines)
    assert sum(len(line.strip()) for line in lines) < 2 * (writers.LONGEST + 100)
    begun = [line for line in lines if not line.startswith(" " * 12)]
    assert [line[:5] for line in begun] == ["  '/\\"] * 2
    assert json.loads(writers.json_text(report))["guard"][0]["target"] == target


def test_editing_a_policy_keeps_them_byte_for_byte(environment: Environment) -> None:
    (environment.site_packages / "foo.pth").write_text("import os\n")
    ours = b"# ours\n\tguard\tallow  build  x   # why\r\nguard allow build x\nguard allow build x\n"
    ours += b"guard allow nothing \xff\nguard allow run /allow.pth\nguard deny\n"
    entry = f"allow-line /gone.pth line={'0' * 64}\n".encode()
    policy = policies.write(policy_of(environment), ours + entry + ours)
    for words in (("--allow", "foo.pth"), ("--deny", "foo.pth"), ("--allow-line", "foo.pth")):
        assert environment.launched(words[0], "--yes", words[1]).code == 0
        assert policy.read_bytes().startswith(ours + entry + ours)
    added = policy.read_bytes()[len(ours + entry + ours) :]
    done = environment.launched("--prune", "--yes")
    assert (done.code, done.out.count("taken out")) == (0, 1)
    assert policy.read_bytes() == ours + ours + added


# The file of refusals.


def a_refusal(number: int = 0, **fields: str) -> Refusal:
    """Return a refusal that is like no other, with the given fields."""
    plain = Refusal("2026-01-02T03:04:05Z", "evil 1.0", "connect", f"h{number}:443", "setup.py:4")
    return plain._replace(**fields)


@pytest.fixture
def file(trusted_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process's file would be."""
    monkeypatch.setenv("XDG_STATE_HOME", str(trusted_folder / "state"))
    return trusted_folder / "state" / "safesite" / "refused"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    "variables, expected",
    [
        ({"HOME": "/"}, "/.local/state/safesite/refused"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/x"}, "/x/safesite/refused"),
        ({"HOME": "", "XDG_STATE_HOME": "/x"}, "/x/safesite/refused"),
        ({"HOME": "/", "XDG_STATE_HOME": ""}, "/.local/state/safesite/refused"),
        ({"HOME": "/no/such/home"}, None),
        ({"HOME": "/h", "XDG_STATE_HOME": "x"}, None),
        ({"HOME": ""}, None),
        ({"HOME": "h"}, None),
        ({"HOME": "."}, None),
    ],
)
def test_where_the_file_is(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert refused.path() == expected


def test_without_a_home_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: Environment
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "")
    monkeypatch.chdir(tmp_path)
    refused.append([a_refusal()])
    assert refused.read() == []
    assert list(tmp_path.iterdir()) == []
    done = environment.launched("--pending", HOME="")
    assert (done.code, done.out, done.err) == (0, NOTHING, "")


def test_a_user_whom_the_machine_does_not_know_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: USER)
    assert refused.path() is None


def test_the_time_is_told_to_the_second() -> None:
    assert len(refused.now()) == len(a_refusal().time)
    assert refused.now()[10::9] == "TZ"


def test_what_is_appended_is_read(file: Path) -> None:
    assert refused.read() == []
    refused.append([])
    assert not file.parent.parent.exists()
    mask = os.umask(0)
    try:
        refused.append([a_refusal(1)])
    finally:
        os.umask(mask)
    refused.append([a_refusal(2), a_refusal(3)])
    assert refused.read() == [a_refusal(1), a_refusal(2), a_refusal(3)]
    assert (mode_of(file), mode_of(file.parent), mode_of(file.parent.parent)) == (
        0o600,
        0o700,
        0o700,
    )
    lines = file.read_text("ascii").splitlines()
    assert json.loads(lines[0]) == a_refusal(1)._asdict()
    assert [path.name for path in file.parent.iterdir()] == ["refused"]


def test_what_others_could_read_is_closed(file: Path) -> None:
    refused.append([a_refusal(1)])
    file.chmod(0o666)
    file.parent.chmod(0o777)
    refused.append([a_refusal(2)])
    assert (mode_of(file), mode_of(file.parent)) == (0o600, 0o700)


def test_equal_ones_are_kept_once_the_newest(file: Path) -> None:
    assert not file.exists()
    refused.append([a_refusal(1), a_refusal(2), a_refusal(1, time="later", place="x.py:1")])
    assert refused.read() == [a_refusal(2), a_refusal(1, time="later", place="x.py:1")]
    refused.append([a_refusal(2, time="latest")])
    assert refused.read() == [
        a_refusal(1, time="later", place="x.py:1"),
        a_refusal(2, time="latest"),
    ]
    others = [a_refusal(1, package="x"), a_refusal(1, kind="listen"), a_refusal(1, target="x")]
    refused.append(others)
    assert refused.read()[2:] == others


def test_the_newest_thousand_are_kept(file: Path) -> None:
    refused.append(a_refusal(number) for number in range(refused.CAP - 1))
    refused.append(a_refusal(number) for number in range(refused.CAP - 1, refused.CAP + 5))
    expected = [a_refusal(number) for number in range(5, refused.CAP + 5)]
    assert refused.read() == expected
    assert len(file.read_text().splitlines()) == refused.CAP == 1000
    with file.open("a") as stream:
        stream.write(json.dumps(a_refusal(-1)._asdict()) + "\n")
    assert refused.read() == [*expected[1:], a_refusal(-1)]


def test_the_file_stays_small(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused, "SIZE_CAP", 60_000)
    big = [a_refusal(n, package="\U0001f600" * 10_000, target=f"{n}") for n in range(3)]
    refused.append(big)
    assert file.stat().st_size <= 60_000
    cut = big[2]._replace(package="\U0001f600" * refused.LONGEST)
    assert refused.read() == [cut]
    refused.append([a_refusal(1)])
    assert refused.read() == [cut, a_refusal(1)]
    with file.open("ab") as stream:  # by whatever else: the end counts, and no half of a line
        stream.write(b"\n" + b"x" * 200_000 + b"\n" + json.dumps(a_refusal(2)._asdict()).encode())
    assert refused.read() == [a_refusal(2)]


def test_what_is_no_refusal_is_skipped(file: Path) -> None:
    refused.append([a_refusal(1)])
    fine = file.read_bytes()
    told = a_refusal()._asdict()
    nonsense = [
        b"",
        b"\xff\xfe\0",
        b"[" * 100_000,
        b"9" * 10_000,
        b'"text"',
        b"null",
        b"[]",
        b"{}",
        json.dumps({**told, "time": 1}).encode(),
        json.dumps({**told, "place": None}).encode(),
        json.dumps({name: told[name] for name in list(told)[:-1]}).encode(),
        b"guard allow run /",
    ]
    newer = json.dumps({**a_refusal(2, place="x" * 9999)._asdict(), "more": 1}).encode()
    file.write_bytes(b"\n".join([*nonsense, fine.rstrip(b"\n"), *nonsense, newer]))
    assert refused.read() == [a_refusal(1), a_refusal(2, place="x" * refused.LONGEST)]
    refused.append([a_refusal(3)])
    assert len(file.read_bytes().splitlines()) == 3


@pytest.mark.parametrize("text", [*HOSTILE, "/\ud800"], ids=ascii)
def test_hostile_text_is_kept_on_its_line(file: Path, text: str) -> None:
    refusal = Refusal(text, text, text, text, text)
    refused.append([a_refusal(1), refusal, a_refusal(2)])
    assert refused.read() == [a_refusal(1), refusal, a_refusal(2)]
    assert file.read_bytes().isascii()
    assert file.read_text().count("\n") == 3


APPEND = f"""{OURS}
from safesite import refused
for n in range(int(sys.argv[1]), int(sys.argv[2])):
    refused.append([refused.Refusal("t", "p", "connect", f"h{{n}}:1", "x")])
"""


def test_writers_at_once_lose_nothing(environment: Environment) -> None:
    """They also all find that the folder is missing."""
    commands = [
        [str(environment.python), "-S", "-c", APPEND, str(n), str(n + 25)]
        for n in range(0, 200, 25)
    ]
    running = [
        subprocess.Popen(command, env=environment.environ(), stderr=subprocess.PIPE)
        for command in commands
    ]
    assert {process.communicate(timeout=TIMEOUT)[1] for process in running} == {b""}
    file = environment.home / ".local" / "state" / "safesite" / "refused"
    targets = [json.loads(line)["target"] for line in file.read_text().splitlines()]
    assert (len(targets), set(targets)) == (200, {f"h{n}:1" for n in range(200)})
    assert [path.name for path in file.parent.iterdir()] == ["refused"]


def test_a_lock_that_is_not_given_up_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused.append([a_refusal(1)])
    lock = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        monkeypatch.setattr(refused, "PATIENCE", 0.1)
        with pytest.raises(OSError, match="another process keeps it locked"):
            refused.append([a_refusal(2)])
    finally:
        os.close(lock)
    assert refused.read() == [a_refusal(1)]
    refused.append([a_refusal(2)])
    assert len(refused.read()) == 2


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("exception", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_what_fails_leaves_the_file_as_it_was(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str, exception: BaseException
) -> None:
    refused.append([a_refusal(1)])
    before = file.read_bytes()

    def fail(*_args: object) -> None:
        raise exception

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(type(exception)):
            refused.append([a_refusal(2)])
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["refused"]


def test_one_that_is_killed_leaves_the_old_file(environment: Environment) -> None:
    def append(first: str) -> Outcome:
        return environment.stock("-S", "-c", APPEND, "0", "1", FIRST=first)

    killer = APPEND.replace("for n", "import os; os.replace = lambda *_: os.kill(0, 9)\nfor n")
    killer = killer.replace("os.kill(0, 9)", "os.kill(os.getpid(), 9)")
    assert append("").code == 0
    file = environment.home / ".local" / "state" / "safesite" / "refused"
    before = file.read_bytes()
    assert environment.stock("-S", "-c", killer, "1", "2").code == -9
    assert file.read_bytes() == before
    assert len(list(file.parent.iterdir())) == 2
    assert environment.stock("-S", "-c", APPEND, "1", "2").code == 0
    assert len(file.read_bytes().splitlines()) == 2
    assert len(list(file.parent.iterdir())) == 1


# What stands in the file's place.


def put_link(file: Path, elsewhere: Path) -> str:
    file.symlink_to(elsewhere)
    return "a link, which is not followed"


def put_dangling_link(file: Path, elsewhere: Path) -> str:
    elsewhere.unlink()
    file.symlink_to(elsewhere)
    return "a link, which is not followed"


def put_folder_link(file: Path, elsewhere: Path) -> str:
    file.parent.rmdir()
    (elsewhere.parent / "folder").mkdir(mode=0o755)
    file.parent.symlink_to(elsewhere.parent / "folder")
    return "a link, which is not followed"


def put_pipe(file: Path, _elsewhere: Path) -> str:
    os.mkfifo(file, 0o600)
    return "not a regular file"


def put_folder(file: Path, _elsewhere: Path) -> str:
    file.mkdir()
    return "not a regular file"


def put_anothers(file: Path, elsewhere: Path) -> str:
    shutil.copy(elsewhere, file)
    os.chown(file, USER, USER)
    return "another user owns it"


def put_anothers_folder(file: Path, _elsewhere: Path) -> str:
    os.chown(file.parent, USER, USER)
    return "another user owns it"


PUT = (
    put_link,
    put_dangling_link,
    put_folder_link,
    put_pipe,
    put_folder,
    pytest.param(put_anothers, marks=AS_ROOT),
    pytest.param(put_anothers_folder, marks=AS_ROOT),
)
NOTHING = "safesite: nothing is refused that nobody has reviewed\n"


def state(*folders: Path) -> list[object]:
    """Return what is in folders, and whose it is."""
    found: list[object] = []
    for path in sorted(path for folder in folders for path in (folder, *folder.rglob("*"))):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found.append((path, status.st_mode, status.st_uid, status.st_ino, content))
    return found


@pytest.mark.parametrize("put", PUT)
def test_only_the_users_own_file_is_written(
    file: Path, trusted_folder: Path, put: Callable[[Path, Path], str]
) -> None:
    elsewhere = policies.write(trusted_folder / "elsewhere" / "refused", b"")
    elsewhere.write_text(json.dumps(a_refusal(1)._asdict()))
    file.parent.mkdir(parents=True, mode=0o700)
    expected = put(file, elsewhere)
    before, opened = state(trusted_folder), len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match=expected) as caught:
        refused.append([a_refusal(2)])
    assert caught.value.strerror == expected
    assert caught.value.filename in (str(file), str(file.parent))
    assert state(trusted_folder) == before
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


@pytest.mark.parametrize("put", [PUT[0], PUT[3], PUT[5]])
def test_pending_tells_what_it_cannot_read(
    environment: Environment, trusted_folder: Path, put: Callable[[Path, Path], str]
) -> None:
    elsewhere = policies.write(trusted_folder / "elsewhere" / "refused", b"")
    elsewhere.write_text(json.dumps(a_refusal(1)._asdict()))
    file = environment.home / ".local" / "state" / "safesite" / "refused"
    file.parent.mkdir(parents=True, mode=0o700)
    expected = put(file, elsewhere)
    done = environment.launched("--pending")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"safesite: {file}: {expected} (guard)\n"


@AS_ROOT
@pytest.mark.parametrize("mode", [0o500, 0o555])
def test_a_folder_that_cannot_be_written_stays_so(
    monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    home = Path(tempfile.mkdtemp(dir="/var/lib", prefix="safesite-test-"))
    try:
        monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
        refused.append([a_refusal(1)])
        for path in (home, *home.rglob("*")):
            os.chown(path, USER, USER)
        (home / "state" / "safesite").chmod(mode)
        os.seteuid(USER)
        try:
            with pytest.raises(PermissionError):
                refused.append([a_refusal(2)])
            assert refused.read() == [a_refusal(1)]
        finally:
            os.seteuid(0)
        assert mode_of(home / "state" / "safesite") == 0o500
        assert [path.name for path in (home / "state" / "safesite").iterdir()] == ["refused"]
    finally:
        shutil.rmtree(home)


# What is pending.


@pytest.fixture
def remembered(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What appends refusals to the file of the environment's user."""
    monkeypatch.setenv("XDG_STATE_HOME", str(environment.home / ".local" / "state"))

    def append(*refusals: Refusal) -> None:
        refused.append(refusals)

    return append


def test_pending_lists_what_the_guard_has_refused(
    environment: Environment, remembered: Callable[..., None]
) -> None:
    remembered(a_refusal(1), a_refusal(kind="read", target="/home/me/.ssh/id rsa", place="b.py:7"))
    hint = f"safesite: to allow what the guard refused: add its line to {policy_of(environment)}"
    when = "2026-01-02T03:04:05Z (guard)"
    told = [
        f"safesite: evil 1.0: refused connect: 'h1:443', by setup.py:4, {when}",
        "safesite:   guard allow connect h1:443",
        f"safesite: evil 1.0: refused read: '/home/me/.ssh/id rsa', by b.py:7, {when}",
        "safesite:   guard allow read /home/me/.ssh/id%20rsa",
        hint,
    ]
    done = environment.launched("--pending")
    assert (done.code, done.out.splitlines(), done.err) == (0, told, "")
    (environment.site_packages / "foo.pth").write_text("import os\n")
    done = environment.launched("--pending")
    lines = done.out.splitlines()
    assert (done.code, lines[2:], done.err) == (1, told, "")
    assert lines[0].startswith("safesite: [1] ")
    assert lines[1].startswith("safesite: to see more: ")
    # The lines that are told, added to a policy, leave nothing pending.
    allowing = [line.removeprefix("safesite:   ") for line in told if ":   guard" in line]
    put_policy(environment, "deny foo.pth", allowing[0])
    assert environment.launched("--pending").out.splitlines() == told[2:]
    put_policy(environment, "deny foo.pth", *allowing)
    assert environment.launched("--pending").out == NOTHING
    put_policy(environment, "deny foo.pth", "guard allow read /home/", "guard allow connect H1:443")
    assert environment.launched("--pending").out == NOTHING
    policy_of(environment).chmod(0o666)  # then it grants nothing
    assert len(environment.launched("--pending").out.splitlines()) == len(told) + 2


def test_pending_shows_no_line_that_would_not_help(
    environment: Environment, remembered: Callable[..., None]
) -> None:
    remembered(
        a_refusal(kind="read", target="relative"),
        a_refusal(kind="run /bin/sh #", target="/", place=""),
        a_refusal(kind="read", target="/" + "x" * 10_000),
    )
    done = environment.launched("--pending")
    assert "guard allow" not in done.out
    lines = done.out.splitlines()
    assert len(lines) == 4
    told = "safesite: evil 1.0: refused 'run /bin/sh #': '/', 2026-01-02T03:04:05Z (guard)"
    assert lines[1] == told
    assert is_plain(done.out)


def test_hostile_refusals_mislead_nobody(
    environment: Environment, remembered: Callable[..., None]
) -> None:
    texts = [*HOSTILE, "/\ud800", "", " ", "a\nsafesite: nothing is refused", "x" * 9999]
    remembered(*(Refusal(t, t, t, t, t) for t in texts))
    remembered(*(a_refusal(kind="read", target=t) for t in HOSTILE))
    done = environment.launched("--pending")
    assert (done.code, done.err) == (0, "")
    assert is_plain(done.out)
    lines = done.out.splitlines()
    assert len(lines) == len(texts) + 2 * len(HOSTILE) + 1
    allowing = [line.removeprefix("safesite:   ") for line in lines if ":   guard" in line]
    put_policy(environment, *allowing)
    assert len(environment.launched("--pending").out.splitlines()) == len(texts) + 1
    told = explain(environment)["guard"]
    assert [grant["target"] for grant in told] == list(HOSTILE)
    assert not list(environment.root.rglob("PWNED"))


def test_what_was_refused_is_no_policy(
    environment: Environment, remembered: Callable[..., None]
) -> None:
    remembered(a_refusal(1))
    file = environment.home / ".local" / "state" / "safesite" / "refused"
    with file.open("a") as stream:
        stream.write("".join(f"{line}\n" for line in GUARD))
    assert loaded(load(environment, "-S")) == []
    assert explain(environment)["guard"] == []
