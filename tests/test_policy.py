"""Policies: whether one counts, what its entries say, and what they are bound to.

What a fresh interpreter shows stands in ``conformance``; here stands what needs other users, odd
modes and links, many variants of one thing, or a file that changes.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import py_compile
import shutil
import site
import stat
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import environments
import policies
import pytest
from conftest import need
from environments import PACKAGE, Environment
from policies import allow

from safesite import core, entries, keep, pins, trust

USER, STRANGER = 54321, 54322  # users that no machine has
CUSTOMIZE = core.CUSTOMIZE
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")


# Trust: what nobody else can write.


def verdict(path: Path | str) -> str:
    """Return whether the policy in a file counts, or the slug that says why not.

    What is read plainly must be what is read with more care.
    """
    plain = keep.read_plainly(str(path))
    try:
        policy = trust.read(str(path))
    except trust.Ignored as exc:
        assert plain is None
        return exc.slug
    if plain is not None:
        assert (plain.data, plain.above) == (policy.data, policy.above)
    return "counts" if plain is None else "plainly"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o400, 0o755, 0o4711])
def test_a_file_that_only_its_owner_can_write_counts(trusted_folder: Path, mode: int) -> None:
    assert verdict(policies.write(trusted_folder / "policy", ["deny x"], mode)) == "plainly"


@pytest.mark.parametrize("mode", [0o602, 0o646, 0o666, 0o777])
def test_a_file_that_others_can_write_does_not_count(trusted_folder: Path, mode: int) -> None:
    assert verdict(policies.write(trusted_folder / "policy", ["deny x"], mode)) == "policy-mode"


@pytest.mark.parametrize("mode", [0o777, 0o702, 0o1777])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_folder_above_it_may_be_writable_by_others(
    trusted_folder: Path, mode: int, depth: int
) -> None:
    path = policies.write(trusted_folder / "a" / "b" / "c" / "policy", ["deny x"])
    assert verdict(path) == "plainly"
    path.parents[depth - 1].chmod(mode)
    assert verdict(path) == "policy-mode"


def test_the_root_folder_is_looked_at_too(
    trusted_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = policies.write(trusted_folder / "policy", ["deny x"])
    real = os.lstat
    root = SimpleNamespace(st_mode=stat.S_IFDIR | 0o777, st_uid=0, st_dev=0, st_ino=0)
    monkeypatch.setattr(os, "lstat", lambda name: root if name == "/" else real(name))
    assert verdict(path) == "policy-mode"


def test_nothing_below_tmp_counts() -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        assert stat.S_IMODE(Path("/tmp").stat().st_mode) == 0o1777  # noqa: S108
        assert verdict(policies.write(folder / "policy", ["deny x"])) == "policy-mode"
    finally:
        shutil.rmtree(folder)


def accounts(members: list[str], primary: list[str]) -> SimpleNamespace:
    """Return what stands in for ``pwd`` and ``grp``: the user ``me``, and who is in the group."""
    users = [SimpleNamespace(pw_name=name, pw_gid=os.getegid()) for name in primary]
    users.append(SimpleNamespace(pw_name="another", pw_gid=99999))
    return SimpleNamespace(
        getpwuid=lambda _uid: SimpleNamespace(pw_name="me"),
        getpwall=lambda: users,
        getgrgid=lambda _gid: SimpleNamespace(gr_mem=members),
    )


@pytest.mark.parametrize(
    "members, primary, expected",
    [
        ([], ["me"], "counts"),
        (["me"], [], "counts"),
        (["root", "me"], ["root"], "counts"),
        (["me", "you"], [], "policy-mode"),
        ([], ["me", "you"], "policy-mode"),
    ],
)
@pytest.mark.parametrize("which", ["file", "folder"])
def test_a_group_is_nobody_else_while_nobody_else_is_in_it(
    trusted_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    which: str,
    members: list[str],
    primary: list[str],
    expected: str,
) -> None:
    told = accounts(members, primary)
    monkeypatch.setattr(pins, "load_from_library", lambda _name: told)
    path = policies.write(trusted_folder / "a" / "policy", ["deny x"])
    (path if which == "file" else path.parent).chmod(0o770)
    assert verdict(path) == expected


def no_module(name: str) -> object:
    raise ImportError(name)


def test_a_group_of_which_nothing_is_known_is_somebody_else(
    trusted_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = policies.write(trusted_folder / "policy", ["deny x"], 0o660)
    monkeypatch.setattr(pins, "load_from_library", no_module)
    assert verdict(path) == "policy-mode"


@AS_ROOT
def test_a_group_without_a_name_is_somebody_else(trusted_folder: Path) -> None:
    path = policies.write(trusted_folder / "policy", ["deny x"], 0o660)
    os.chown(path, 0, STRANGER)
    assert verdict(path) == "policy-mode"


def test_an_access_list_may_let_others_write(
    trusted_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pins, "load_from_library", lambda _name: accounts([], ["me"]))
    path = policies.write(trusted_folder / "policy", ["deny x"], 0o660)
    assert verdict(path) == "counts"
    # Tags: owner 1, a named user 2, group 4, mask 16, others 32; 0xffffffff is nobody.
    nobody, lists = 0xFFFFFFFF, []
    for writes in (6, 4):
        listed = [(1, 6, nobody), (2, 6, STRANGER), (4, 0, nobody), (16, writes, nobody)]
        parts = [struct.pack("<HHI", *entry) for entry in (*listed, (32, 0, nobody))]
        lists.append(struct.pack("<I", 2) + b"".join(parts))
    try:
        os.setxattr(path, trust.ACCESS_LIST, lists[0])
    except OSError:
        pytest.skip("this file system has no access lists")
    assert verdict(path) == "policy-mode"
    os.setxattr(path, trust.ACCESS_LIST, lists[1])  # masked: nobody but the owner can write
    assert verdict(path) == "plainly"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, below none that another can write; only for root."""
    folder = Path(tempfile.mkdtemp(dir="/var/lib", prefix="safesite-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def as_user(uid: int, function: Callable[[Path], str], path: Path) -> str:
    """Call a function as another user."""
    os.seteuid(uid)
    try:
        return function(path)
    finally:
        os.seteuid(0)


@AS_ROOT
def test_a_policy_belongs_to_its_user_or_to_root(open_folder: Path) -> None:
    path = policies.write(open_folder / "a" / "policy", ["deny x"], 0o644)
    path.parent.chmod(0o755)
    assert as_user(USER, verdict, path) == verdict(path) == "plainly"
    os.chown(path, USER, USER)
    assert as_user(USER, verdict, path) == "plainly"
    assert verdict(path) == "policy-owner"  # root's own would be another's to choose
    os.chown(path, STRANGER, STRANGER)
    assert as_user(USER, verdict, path) == "policy-owner"
    os.chown(path, 0, 0)
    os.chown(path.parent, STRANGER, STRANGER)
    assert as_user(USER, verdict, path) == "policy-owner"


@AS_ROOT
def test_a_policy_that_the_user_cannot_read_does_not_count(open_folder: Path) -> None:
    path = policies.write(open_folder / "policy", ["deny x"])
    assert as_user(USER, verdict, path) == "policy-unreadable"


@AS_ROOT
def test_a_user_is_told_whose_policy_it_is(open_folder: Path) -> None:
    """By a whole start, as a user whom the machine does not know."""
    python = Path("/usr/bin/python3")
    if not python.exists():
        pytest.skip("no interpreter that every user can run")
    folder = open_folder / "site"
    shutil.copytree(PACKAGE, open_folder / "safesite")
    folder.mkdir()
    (folder / "foo.pth").write_text("import hook\n")
    (folder / "hook.py").write_text("print('ran')\n")
    path = policies.write(
        open_folder / "a" / "policy", [allow("foo.pth", "import hook", hook=folder / "hook.py")]
    )
    (open_folder / "home").mkdir()
    environment = Environment(need("3.11"), open_folder, {"HOME": str(open_folder / "home")})
    (open_folder / "work").symlink_to(".")
    for owner, out in ((USER, "ran\n"), (STRANGER, "")):
        for place in (path, path.parent):
            os.chown(place, owner, owner)
        path.parent.chmod(0o755)
        path.chmod(0o644)
        done = environment.run(
            *("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"),
            *(python, "-S", "-m", "safesite", "-c", "import site; site.addsitedir('site')"),
            SAFESITE_POLICY=str(path),
        )
        assert done.out == out, done.err
        whose = f"safesite: {path.parent}: grants nothing: another user owns it (policy-owner)"
        assert (whose in done.reports) == (not out)


# Where a link leads.


def test_a_link_counts_by_each_folder_that_it_leads_through(
    trusted_folder: Path, tmp_path: Path
) -> None:
    path = policies.write(trusted_folder / "a" / "policy", ["deny x"])
    near = trusted_folder / "link"
    near.symlink_to("a/../a/./policy")
    assert verdict(near) == "counts"
    folder = trusted_folder / "folder"
    folder.symlink_to(trusted_folder / "a")
    assert verdict(folder / "policy") == "counts"
    # A link in a folder that others can write could be made to lead elsewhere.
    (tmp_path / "link").symlink_to(path)
    assert verdict(tmp_path / "link") == "policy-mode"
    far = trusted_folder / "far"
    far.symlink_to(tmp_path / "link")
    assert verdict(far) == "policy-mode"


def test_links_without_an_end_do_not_count(trusted_folder: Path) -> None:
    for name, target in (("loop", "loop"), ("a", "b"), ("b", "a"), ("gone", "nothing")):
        (trusted_folder / name).symlink_to(target)
    assert verdict(trusted_folder / "loop") == "policy-unreadable"
    assert verdict(trusted_folder / "a") == "policy-unreadable"
    assert verdict(trusted_folder / "gone") == "policy-missing"
    policies.write(trusted_folder / "policy", ["deny x"])
    for number in range(trust.LINK_CAP + 1):
        before = f"link{number - 1}" if number else "policy"
        (trusted_folder / f"link{number}").symlink_to(before)
    assert verdict(trusted_folder / f"link{trust.LINK_CAP - 1}") == "counts"
    assert verdict(trusted_folder / f"link{trust.LINK_CAP}") == "policy-unreadable"


# What is no file.


def test_what_is_no_regular_file_does_not_count(trusted_folder: Path) -> None:
    os.mkfifo(trusted_folder / "fifo", 0o600)
    (trusted_folder / "zero").symlink_to("/dev/zero")
    (trusted_folder / "file").write_text("")
    assert verdict(trusted_folder / "fifo") == "policy-mode"
    assert verdict(trusted_folder / "zero") == "policy-mode"
    assert verdict(trusted_folder) == "policy-mode"
    assert verdict(trusted_folder / "file" / "policy") == "policy-missing"
    assert verdict(trusted_folder / "nothing") == "policy-missing"
    assert verdict(f"{trusted_folder}/a\0b") == "policy-unreadable"
    assert verdict("") == verdict("policy") == verdict("./policy") == "policy-relative"


def test_a_file_counts_up_to_the_cap(trusted_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "POLICY_CAP", 100)
    path = trusted_folder / "policy"
    assert verdict(policies.write(path, b"#" * 100)) == "plainly"
    assert verdict(policies.write(path, b"#" * 101)) == "policy-size"


# The places.


@pytest.fixture
def deciding(monkeypatch: pytest.MonkeyPatch) -> core.Startup:
    """What decides, where no place has a policy yet."""
    startup = core.Startup()
    startup.site = site
    monkeypatch.setattr(core, "SYSTEM_POLICY", "/nowhere/policy")
    monkeypatch.delenv("SAFESITE_POLICY", raising=False)
    return startup


LINE = core.Record("import os", "/nowhere/site/foo.pth", 1, core.IMPORT)
PERMIT = allow("foo.pth", "import os", os="library")


def fresh(startup: core.Startup, line: core.Record = LINE) -> core.Record:
    """Have a startup forget the policies, and return a record on which nothing is decided."""
    startup.policies = None
    startup.told.clear()
    return core.Record(line, line.file, line.line, line.kind)


def test_three_places_have_a_policy(
    deciding: core.Startup, trusted_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not deciding.has_policy()
    found = []
    for name in ("system", "safesite/policy", "named"):
        path = policies.write(trusted_folder / name, [PERMIT])
        found.append(str(path))
    line = fresh(deciding)
    monkeypatch.setattr(core, "SYSTEM_POLICY", found[0])
    assert deciding.decide(line)
    monkeypatch.setattr(core, "SYSTEM_POLICY", "/nowhere/policy")
    assert not deciding.decide(fresh(deciding))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(trusted_folder))
    assert deciding.decide(fresh(deciding))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/nowhere")
    assert not deciding.decide(fresh(deciding))
    monkeypatch.setenv("SAFESITE_POLICY", found[2])
    assert deciding.decide(fresh(deciding))


def test_what_one_policy_denies_no_other_allows(
    deciding: core.Startup, trusted_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = policies.write(trusted_folder / "system", [PERMIT])
    monkeypatch.setattr(core, "SYSTEM_POLICY", str(system))
    named = policies.write(trusted_folder / "named", ["deny foo.pth"])
    monkeypatch.setenv("SAFESITE_POLICY", str(named))
    line = fresh(deciding)
    assert (deciding.decide(line), line.slug) == (False, "denied")
    policies.write(system, ["deny foo.pth"])
    policies.write(named, [PERMIT])
    line = fresh(deciding)
    assert (deciding.decide(line), line.slug) == (False, "denied")


@pytest.mark.parametrize(
    "variables, expected",
    [
        ({"HOME": "/h"}, "/h/.config/safesite/policy"),
        ({"HOME": "/"}, "/.config/safesite/policy"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": ""}, "/h/.config/safesite/policy"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/safesite/policy"),
        ({}, f"{pwd.getpwuid(os.getuid()).pw_dir.rstrip('/')}/.config/safesite/policy"),
    ],
)
def test_where_the_user_has_a_policy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert core.user_policy() == expected


@pytest.mark.parametrize("name", ["HOME", "XDG_CONFIG_HOME", "SAFESITE_POLICY"])
@pytest.mark.parametrize("value", ["", ".", "x"])
def test_a_relative_name_names_nothing(
    deciding: core.Startup,
    trusted_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    monkeypatch.chdir(trusted_folder)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/nowhere")
    for place in ("safesite/policy", ".config/safesite/policy", "x/safesite/policy"):
        policies.write(trusted_folder / place, [PERMIT])
    policies.write(trusted_folder / "x" / ".config" / "safesite" / "policy", [PERMIT])
    monkeypatch.setenv(name, value)
    assert not deciding.decide(fresh(deciding))


def test_a_named_policy_that_is_missing_is_told_and_the_users_is_not(
    deciding: core.Startup,
    trusted_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SAFESITE_POLICY", "/nowhere/b;\x1b[2J\npolicy")
    assert not deciding.decide(fresh(deciding))
    quoted = r"'/nowhere/b;\x1b[2J\npolicy'"
    told = f"safesite: {quoted}: grants nothing: not there (policy-missing)\n"
    assert capfd.readouterr().err == told
    monkeypatch.delenv("SAFESITE_POLICY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(trusted_folder))
    path = policies.write(trusted_folder / "safesite" / "policy", [PERMIT])
    read = keep.read_plainly

    def vanish(name: str) -> keep.Policy | None:
        path.unlink()
        return read(name)

    monkeypatch.setattr(keep, "read_plainly", vanish)
    assert not deciding.decide(fresh(deciding))  # it vanishes between the look and the reading
    assert capfd.readouterr().err == ""


@AS_ROOT
@pytest.mark.parametrize("call", ["seteuid", "setegid"])
def test_a_setuid_program_obeys_the_system_alone(
    trusted_folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    for name in ("system", "named", "safesite/policy"):
        policies.write(trusted_folder / name, ["deny x"])
    monkeypatch.setattr(core, "SYSTEM_POLICY", str(trusted_folder / "system"))
    monkeypatch.setenv("SAFESITE_POLICY", str(trusted_folder / "named"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(trusted_folder))
    assert len(keep.policy_places()) == 3
    trusted_folder.chmod(0o755)
    monkeypatch.setattr(os.path, "lexists", lambda _path: True)
    getattr(os, call)(USER)
    try:
        assert keep.policy_places() == [str(trusted_folder / "system")]
    finally:
        getattr(os, call)(0)


# Where packages are installed.


@pytest.fixture
def places(deciding: core.Startup, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The folders of a Python that lies nowhere."""
    told = SimpleNamespace(packages=[], user="/nowhere/user/site", base="/nowhere/user")
    deciding.site = SimpleNamespace(
        getsitepackages=lambda: told.packages,
        getusersitepackages=lambda: told.user,
        USER_BASE=told.base,
    )
    for name in ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, "/nowhere")
    return told


PREFIXES = ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix")


@pytest.mark.parametrize("place", [*PREFIXES, "packages", "user", "base"])
@pytest.mark.parametrize("through_link", [False, True])
def test_a_policy_where_packages_lie_grants_nothing(
    deciding: core.Startup,
    places: SimpleNamespace,
    trusted_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    through_link: bool,
) -> None:
    path = policies.write(trusted_folder / "python" / "etc" / "policy", [PERMIT])
    monkeypatch.setenv("SAFESITE_POLICY", str(path))
    assert deciding.decide(fresh(deciding))
    folder = trusted_folder / "python"
    if through_link:
        folder = trusted_folder / "link"
        folder.symlink_to("python")
    if place in PREFIXES:
        monkeypatch.setattr(sys, place, str(folder))
    elif place == "packages":
        places.packages.append(str(folder))
    else:
        monkeypatch.setattr(deciding.site, "USER_BASE", str(folder))
    if place == "user":
        monkeypatch.setattr(deciding.site, "USER_BASE", None)
        places.user = str(folder)
    assert not deciding.decide(fresh(deciding))
    assert deciding.told == {(str(path), 0)}


def test_a_policy_beside_the_startup_file_grants_nothing(
    deciding: core.Startup, trusted_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = policies.write(trusted_folder / "extra" / "below" / "policy", [PERMIT])
    monkeypatch.setenv("SAFESITE_POLICY", str(path))
    line = core.Record("import os", str(trusted_folder / "extra" / "foo.pth"), 1, core.IMPORT)
    assert not deciding.decide(fresh(deciding, line))
    elsewhere = core.Record("import os", str(trusted_folder / "more" / "foo.pth"), 1, core.IMPORT)
    assert deciding.decide(fresh(deciding, elsewhere))


@pytest.mark.parametrize(
    "path, prefix, counts",
    [
        ("/etc/safesite/policy", "/", True),
        ("/etc/safesite/policy", "/usr", True),
        ("/etc/safesite/policy", "/etc", False),
        ("/usr/etc/policy", "/usr", False),
        ("/usr/etc/policy", "/", False),
        ("/root/policy", "/", False),
    ],
)
@pytest.mark.usefixtures("places")
def test_etc_is_not_where_packages_lie(
    deciding: core.Startup, monkeypatch: pytest.MonkeyPatch, path: str, prefix: str, counts: bool
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    above = ["/", *(["/etc"] if "/etc/s" in path else ["/usr"] if "/usr" in path else [])]
    policy = keep.Policy(path, b"", [Path(folder).stat() for folder in above])
    assert keep.lies_with_packages(deciding, policy) != counts


def test_a_path_with_dots_is_resolved(trusted_folder: Path) -> None:
    """Where a policy lies is told by its path: it must be the real one."""
    policies.write(trusted_folder / "a" / "policy", ["deny a.pth"])
    path = f"{trusted_folder}/a/../a/policy"
    assert keep.read_plainly(path) is None
    assert trust.read(path).path == f"{trusted_folder}/a/policy"


def test_a_line_is_the_same_on_each_version() -> None:
    """3.15 takes the white space off that setuptools' line ends with."""
    assert pins.line_digest("import a; ") == pins.line_digest("import a;")
    assert pins.line_digest("import  a;") != pins.line_digest("import a;")


# The text.


def said(startup: core.Startup, data: bytes, line: core.Record = LINE) -> bool | None:
    """Return what a policy with this text says of a line."""
    line = fresh(startup, line)
    policy = keep.Policy("/p", data, [])
    startup.policies = [policy]
    if not keep.looks_whole(policy.data):
        entries.tell_bad(startup, policy)
    return keep.ask_policies(startup, line)


TEXTS = {
    "%b": True,
    "%b\n": True,
    "%b\r\n": True,
    "# a comment\r\n\r\n%b\r\ndeny bar.pth\r\n": True,
    "%b # reviewed\n": True,
    "%b #reviewed\n": True,
    "  %b  \n": True,
    "deny foo.pth.pth\n%b\ndeny a/foo.pth\n": True,
    "%b\n%b\n": True,
    "deny foo.pth\n%b\n": False,
    "%b\ndeny foo.pth": False,
    "%b\n\tdeny  foo.pth  \n": False,
    "%b\ndeny\tfoo.pth\n": False,
    "#%b\n": None,
    "# %b\n": None,
    "# deny foo.pth\n": None,
    "x # %b\n": None,
    "%b x\n": None,
    "%b\0\n": None,
    "\0%b\n": None,
    "Allow%b\n": None,
    "\ufeff%b\n": None,
    "%b\n\0\n\0\0": True,
    "guard allow run /foo.pth\n%b\nguard allow read foo.pth\n": True,
    "guard %b\n": None,
    "guard allow %b\n": None,
    "guard allow run foo.pth\n": None,
    "guard deny foo.pth\n": None,
    "": None,
    "\n\n": None,
}


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_what_a_text_says(deciding: core.Startup, text: str) -> None:
    assert said(deciding, text.replace("%b", PERMIT).encode()) is TEXTS[text]


def test_a_start_looks_no_closer_for_a_guard_line() -> None:
    fine = b"deny x\nguard allow run /x\n\n# ours\nguard\tallow\tbuild x\n"
    assert keep.looks_whole(keep.Policy("/p", fine, []).data)
    assert list(entries.faults(fine)) == []
    for bad in (b"guard", b"guard deny x", b"guards allow run /x", b"Guard allow run /x"):
        data = keep.Policy("/p", fine + bad, []).data
        assert not keep.looks_whole(data)
        assert [number for number, _ in entries.faults(data)] == [6]


def test_words_may_be_separated_by_tabs(deciding: core.Startup) -> None:
    assert said(deciding, PERMIT.replace(" ", "\t").encode()) is True


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.upper(),
        lambda entry: entry.replace("line=", "line=0"),
        lambda entry: entry[: -len(" os=library")],
        lambda entry: entry.replace("library", "Library"),
        lambda entry: entry.replace("os=", "="),
        lambda entry: entry.replace("os=library", "os"),
        lambda entry: entry.replace("line=", "lines="),
        lambda entry: entry.replace("allow", "allow-line"),
        lambda entry: entry.replace("foo.pth", "FOO.PTH"),
        lambda entry: entry.replace("foo.pth", "foo%2Epth"),
        lambda entry: entry.replace("foo.pth", "*.pth"),
        lambda entry: entry.replace(" foo.pth", ""),
    ],
)
def test_an_entry_counts_only_as_it_should_be(
    deciding: core.Startup, change: Callable[[str], str]
) -> None:
    assert said(deciding, PERMIT.encode()) is True
    assert said(deciding, change(PERMIT).encode()) is None


def test_a_long_policy_is_obeyed_to_its_end(deciding: core.Startup) -> None:
    other = "\n".join(f"deny other{n}.pth\nallow-line x{n} line={'0' * 64}" for n in range(5000))
    assert said(deciding, f"{other}\n{PERMIT}\n".encode()) is True
    assert said(deciding, f"{PERMIT}\n{other}\ndeny foo.pth\n".encode()) is False
    assert said(deciding, f"{other}\n".encode()) is None


def test_what_a_policy_holds_cannot_forge_a_message(
    deciding: core.Startup, capfd: pytest.CaptureFixture[str]
) -> None:
    assert said(deciding, b"\x1b[2J\rsafesite: x foo.pth\n\xff\x85deny\n") is None
    err = capfd.readouterr().err
    assert err.count("\n") == 2
    assert err.replace("\n", "").isascii()
    assert err.replace("\n", "").isprintable()
    assert all(line.startswith("safesite: /p:") for line in err.splitlines())


def test_an_entry_for_a_customize_module_has_its_digest(
    deciding: core.Startup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    path = tmp_path / "sitecustomize.py"
    path.write_text("pass\n")
    line = core.Record("sitecustomize", str(path), 0, CUSTOMIZE)
    entry = allow("sitecustomize", "sitecustomize", sitecustomize=path)
    assert said(deciding, entry.encode(), line) is True
    for other in ("allow-line", "allow"):
        pin = " os=library" if other == "allow" else ""
        line_pin = f"line={policies.line_digest('sitecustomize')}"
        assert said(deciding, f"{other} sitecustomize {line_pin}{pin}".encode(), line) is None


# What an entry is bound to.

IMPORT_HOOK = core.Record("import hook", "/nowhere/foo.pth", 1, core.IMPORT)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of modules, in the place of all others but the standard library's."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *pins.library_folders()])
    return tmp_path


def write_package(folder: Path) -> Path:
    """Make the package ``hook`` with files of many kinds."""
    for name in ("__init__.py", "part.py", "below/data.txt", "below/deep/part.py", "odd \u00fc%#"):
        path = folder / "hook" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name!r}\n")
    return folder / "hook"


def withdrawn(digest: str, name: str = "hook") -> str:
    """Return why an entry with a module's digest does not count any more."""
    return pins.verify(IMPORT_HOOK, [f"{name}={digest}"])


@pytest.mark.parametrize("name", ["hook.py", "hook.abi3.so", "hook.pyc"])
def test_a_module_of_one_file(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(b"text")
    digest = policies.module_digest(path)
    assert withdrawn(digest) == ""
    path.write_bytes(b"tex")
    assert withdrawn(digest) == "hook has changed since it was allowed"
    path.unlink()
    sys.path_importer_cache.pop(str(folder))
    assert withdrawn(digest) == "hook is not found"


def test_a_package_with_all_that_is_below_it(folder: Path) -> None:
    package = write_package(folder)
    digest = policies.module_digest(package)
    assert withdrawn(digest) == ""
    for path in [path for path in package.rglob("*") if path.is_file()]:
        text = path.read_bytes()
        path.write_bytes(text.replace(b"'", b'"'))
        assert withdrawn(digest) == "hook has changed since it was allowed", path
        path.write_bytes(text)
        assert withdrawn(digest) == ""
    for name in ("new.txt", "below/deep/new.pyc", ".hidden", "__pycache__/new.py", "below/n/x"):
        new = package / name
        new.parent.mkdir(exist_ok=True)
        new.touch()
        assert withdrawn(digest) == "hook has changed since it was allowed", name
        new.unlink()
    (package / "part.py").rename(package / "part2.py")
    assert withdrawn(digest) == "hook has changed since it was allowed"


@pytest.mark.parametrize("in_package", [False, True])
@pytest.mark.parametrize(
    "mode", list(py_compile.PycInvalidationMode), ids=lambda mode: mode.name.lower()
)
def test_bytecode_that_may_be_of_another_source(
    folder: Path, mode: py_compile.PycInvalidationMode, in_package: bool
) -> None:
    path = write_package(folder) / "part.py" if in_package else folder / "hook.py"
    path.write_text("pass\n")
    digest = policies.module_digest(folder / "hook" if in_package else path)
    compiled = Path(py_compile.compile(str(path), invalidation_mode=mode) or "")
    by_time = mode is py_compile.PycInvalidationMode.TIMESTAMP
    why = f"{path.name} has bytecode that is not checked by its time"
    assert withdrawn(digest) == ("" if by_time else why)
    # What another Python has compiled is nothing to this one.
    compiled.write_bytes(b"\0\0\r\n" + compiled.read_bytes()[4:])
    assert withdrawn(digest) == ""


def test_a_module_in_several_forms(folder: Path) -> None:
    path = folder / "hook.py"
    path.write_text("")
    digest = policies.module_digest(path)
    suffixes = importlib.machinery.EXTENSION_SUFFIXES
    for name in ("hook", "hook.pyc", *(f"hook{suffix}" for suffix in suffixes)):
        (folder / name).symlink_to("nothing")
        assert withdrawn(digest) in {
            "hook is there in several forms",
            "hook has changed since it was allowed",
        }, name
        (folder / name).unlink()
    assert withdrawn(digest) == ""


def test_a_module_that_another_comes_before(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "hook.py").write_text("")
    digest = policies.module_digest(folder / "hook.py")
    other = tmp_path_factory.mktemp("other")
    monkeypatch.setattr(sys, "path", [str(other), *sys.path])
    assert withdrawn(digest) == ""
    (other / "hook.py").write_text("pass\n")
    sys.path_importer_cache.pop(str(other))
    assert withdrawn(digest) == "hook has changed since it was allowed"


def test_what_no_digest_can_stand_for(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("zipped.py", "")
    sys.path.append(str(folder / "a.zip"))
    assert withdrawn("0" * 64, "zipped") == "zipped does not lie in a folder"
    (folder / "space").mkdir()
    assert withdrawn("0" * 64, "space") == "space is a namespace package"
    (folder / "space" / "part.py").touch()
    digest = policies.module_digest(folder / "space" / "part.py")
    assert withdrawn(digest, "space.part") == ""
    assert withdrawn(digest, "space.other") == "space.other is not found"
    package = write_package(folder)
    inner = policies.module_digest(package / "part.py")
    why = "hook.part lies in a package that has code of its own"
    assert withdrawn(inner, "hook.part") == why
    (package / "link").symlink_to("below")
    assert withdrawn(policies.module_digest(package)) == "link is a link to a folder"
    (package / "link").unlink()
    for name, make in (("pipe", os.mkfifo), ("zero", lambda path: path.symlink_to("/dev/zero"))):
        make(package / name)
        assert withdrawn("0" * 64) == f"{name} is too large, or not a regular file"
        (package / name).unlink()
    (package / "gone").symlink_to("nothing")
    assert withdrawn("0" * 64).startswith("FileNotFoundError: ")


def test_a_package_of_any_size_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = write_package(folder)
    digest = policies.module_digest(package)
    monkeypatch.setattr(pins, "FILE_CAP", 4)
    assert withdrawn(digest) == "more than 4 files"
    monkeypatch.setattr(pins, "FILE_CAP", 5)
    size = sum(path.stat().st_size for path in package.rglob("*") if path.is_file())
    monkeypatch.setattr(pins, "BYTE_CAP", size)
    assert withdrawn(digest) == ""
    monkeypatch.setattr(pins, "BYTE_CAP", size - 1)
    assert withdrawn(digest).endswith(" is too large, or not a regular file")


def test_a_package_of_any_depth_ends(folder: Path) -> None:
    package = write_package(folder)
    deep = ["-p", "/".join(["d"] * 1200)]
    subprocess.run(["mkdir", *deep], cwd=package, check=True)
    try:
        assert withdrawn("0" * 64) != ""
    finally:  # not by pytest, which would go as deep
        subprocess.run(["rm", "-r", package / "d"], check=True)


def test_the_library_is_told_by_name_and_place(folder: Path) -> None:
    for name in ("os", "sys", "json", "_json", "email", "zlib"):
        assert withdrawn("library", name) == ""
    (folder / "json.py").touch()
    assert withdrawn("library", "json") == "json has changed since it was allowed"
    (folder / "hook.py").touch()
    assert withdrawn("library", "hook") == "hook has changed since it was allowed"
    (folder / "msvcrt.py").touch()
    assert withdrawn("library", "msvcrt") == "msvcrt has changed since it was allowed"
    assert withdrawn("0" * 64, "os") == "os has changed since it was allowed"


def test_all_pins_of_an_entry_must_hold(folder: Path) -> None:
    (folder / "hook.py").touch()
    line, hook = policies.line_digest(IMPORT_HOOK), policies.module_digest(folder / "hook.py")
    good = [f"line={line}", f"hook={hook}", "os=library"]
    assert pins.verify(IMPORT_HOOK, good) == ""
    for number in range(3):
        bad = [*good]
        bad[number] = bad[number].partition("=")[0] + "=" + "0" * 64
        assert pins.verify(IMPORT_HOOK, bad) != ""


@pytest.mark.parametrize("text", ["", "a", "\u20ac", "\udcff", "\0"])
def test_the_digest_of_a_line_is_that_of_its_text(text: str) -> None:
    assert pins.line_digest(text) == policies.line_digest(text)


# In whole starts.


@pytest.fixture(params=["3.12", "3.15"])
def trusted(request: pytest.FixtureRequest, trusted_folder: Path) -> Environment:
    """An environment in a folder in which a policy counts."""
    return environments.make(need(request.param), trusted_folder / "environment")


HOSTILE = (
    "b;touch PWNED;.pth",
    "$(touch PWNED).pth",
    "`touch PWNED`.pth",
    "--system.pth",
    "\x1b[2Jx.pth",
    "a\nsafesite: x.pth",
    "a b#c%d'\"\\.pth",
    "\u00fc\u2028.pth",
    "\udcff.pth",
)


def test_hostile_file_names(trusted: Environment) -> None:
    hook = trusted.site_packages / "hook.py"
    hook.write_text("print('ran')\n")
    for name in HOSTILE:
        (trusted.site_packages / name).write_text("import hook; hook.sys = 1; print('line')\n")
    line = "import hook; hook.sys = 1; print('line')"
    policy = trusted.root / "policy"
    policies.write(policy, [allow(name, line, hook=hook) for name in HOSTILE])
    outcome = trusted.launched("-c", "pass", SAFESITE_POLICY=str(policy))
    assert outcome.out == "ran\n" + "line\n" * len(HOSTILE)
    assert outcome.err == ""
    policies.write(policy, [f"deny {policies.encoded(name)}" for name in HOSTILE])
    outcome = trusted.launched("-c", "pass", SAFESITE_POLICY=str(policy))
    assert (outcome.out, outcome.err) == ("", "")
    hook.write_text("print('other')\n")
    policies.write(policy, [allow(name, line, hook=trusted.python) for name in HOSTILE])
    outcome = trusted.launched("-c", "pass", SAFESITE_POLICY=str(policy))
    assert outcome.out == ""
    assert len(outcome.reports) == len(HOSTILE) + 1
    assert outcome.err.count("(withdrawn)\n") == len(HOSTILE)
    assert outcome.other_err == ""
    assert outcome.err.replace("\n", "").isprintable()
    assert outcome.err.isascii()


def test_a_later_call_obeys_the_policy(trusted: Environment) -> None:
    extra = trusted.root / "extra"
    extra.mkdir()
    (extra / "foo.pth").write_text("below\nimport hook\nimport hook # more\n")
    (extra / "below").mkdir()
    (extra / "below" / "hook.py").write_text("print('ran')\n")
    entry = allow("foo.pth", "import hook", hook=extra / "below" / "hook.py")
    policy = policies.write(trusted.root / "policy", [entry])
    code = f"import site; print('program'); site.addsitedir({str(extra)!r})"
    outcome = trusted.launched("-c", code, SAFESITE_POLICY=str(policy))
    assert outcome.out == "program\nran\n"
    assert [line.rpartition("(")[2] for line in outcome.reports] == ["withdrawn)", "hint)"]


def test_what_one_allowed_line_does_the_next_is_decided_by(trusted: Environment) -> None:
    """A line that puts a folder first changes what the next imports: another than was allowed."""
    folder = trusted.site_packages
    (folder / "hook.py").write_text("print('hook')\n")
    (folder / "other").mkdir()
    (folder / "other" / "hook.py").write_text("print('other')\n")
    first = "import sys; sys.path.insert(0, sitedir + '/other')"
    if trusted.interpreter.number >= (3, 15):
        first = f"import sys; sys.path.insert(0, {str(folder / 'other')!r})"
    (folder / "foo.pth").write_text(f"{first}\nimport hook\n")
    lines = [allow("foo.pth", first, sys="library")]
    lines += [allow("foo.pth", "import hook", hook=folder / "hook.py")]
    policy = policies.write(trusted.root / "policy", lines)
    outcome = trusted.launched("-c", "pass", SAFESITE_POLICY=str(policy))
    assert outcome.out == ""
    assert [line.rpartition("(")[2] for line in outcome.reports] == ["withdrawn)", "hint)"]


HELPER = """
import importlib.util, sys
print("helper")

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "hook":
            return importlib.util.spec_from_file_location(name, __file__.replace(".py", ".txt.py"))

def install(*_args):
    sys.meta_path.insert(0, Finder())

install({"hook": "x"}, {}, [])
"""


def test_no_helper_that_waits_answers_for_an_allowed_module(trusted: Environment) -> None:
    """Its distribution alone claims the file, as one of an editable install does its own."""
    folder = trusted.site_packages
    (folder / "foo.pth").write_text("import hook\n")
    (folder / "hook.py").write_text("print('hook')\n")
    (folder / "_editable_skbc_x.pth").write_text("import _editable_skbc_x\n")
    (folder / "_editable_skbc_x.py").write_text(HELPER)
    (folder / "_editable_skbc_x.txt.py").write_text("print('another hook')\n")
    (folder / "x-1.dist-info").mkdir()
    (folder / "x-1.dist-info" / "RECORD").write_text("_editable_skbc_x.py,,\nhook.py,,\n")
    entry = allow("foo.pth", "import hook", hook=folder / "hook.py")
    policy = policies.write(trusted.root / "policy", [entry])
    assert trusted.launched("-c", "pass", SAFESITE_POLICY=str(policy)).out == "hook\n"


def test_an_allowed_line_sees_what_stock_shows_it(trusted: Environment) -> None:
    """Names, frames and order: the text runs where stock runs it."""
    code = "import sys; f = sys._getframe(); print(sorted(f.f_locals), f.f_code.co_name, __name__)"
    (trusted.site_packages / "foo.pth").write_text(f"{code}\n")
    policy = policies.write(trusted.root / "policy", [allow("foo.pth", code, sys="library")])
    stock = trusted.stock("-c", "pass").out.splitlines()
    launched = trusted.launched("-c", "pass", SAFESITE_POLICY=str(policy)).out.splitlines()
    assert launched == stock[: len(launched)]
    assert len(launched) in {1, len(stock)}


def test_the_warning_of_a_line_that_the_policy_allows_is_left_out(trusted: Environment) -> None:
    for name in ("bar", "foo"):
        (trusted.site_packages / f"{name}.pth").write_text(f"import sys; print({name!r})\n")
    lines = [allow("foo.pth", "import sys; print('foo')", sys="library"), "deny bar.pth"]
    policy = policies.write(trusted.root / "policy", lines)
    outcome = trusted.launched("-c", "pass", SAFESITE_POLICY=str(policy), SAFESITE_MODE="warn")
    assert (set(outcome.out.split()), outcome.err) == ({"foo"}, "")


# What an attack has found, and what holds against it now.


def evil(trusted: Environment, home: Path, package: Path) -> str:
    """Return what a start prints where who wrote a sitecustomize wrote the user's policy too."""
    file = package if package.suffix else package / "__init__.py"
    file.parent.mkdir(parents=True)
    file.write_text("print('evil')\n")
    entry = allow("sitecustomize", "sitecustomize", sitecustomize=package)
    policies.write(home / ".config" / "safesite" / "policy", [entry])
    trusted.variables["HOME"] = str(home)
    outcome = trusted.launched("-c", "pass", PYTHONPATH=str(package.parent))
    assert "policy-place" in outcome.err
    return outcome.out


def test_a_package_that_was_installed_into_the_home_folder_allows_nothing(
    trusted: Environment,
) -> None:
    """By pip install --target, whose files lie wherever a wheel names them."""
    home = trusted.root / "target"
    assert evil(trusted, home, home / "sitecustomize") == ""


def test_nor_does_one_whose_prefix_is_the_home_folder(trusted: Environment) -> None:
    home = trusted.root / "prefix"
    folder = home / "lib" / f"python{trusted.interpreter.version}" / "site-packages"
    assert evil(trusted, home, folder / "sitecustomize.py") == ""


def test_nor_does_one_of_another_environment(trusted: Environment) -> None:
    """Which was made in the home folder: its packages can write there."""
    home = trusted.root / "other"
    home.mkdir()
    (home / "pyvenv.cfg").touch()
    assert evil(trusted, home, trusted.root / "elsewhere" / "sitecustomize.py") == ""


def test_bytecode_that_is_no_file_holds_up_nobody(folder: Path) -> None:
    (folder / "hook.py").write_text("")
    cached = Path(importlib.util.cache_from_source(str(folder / "hook.py")))
    cached.parent.mkdir()
    os.mkfifo(cached)
    assert withdrawn(policies.module_digest(folder / "hook.py")).endswith("is not a regular file")


def test_an_allowed_line_may_import_what_is_deferred(trusted: Environment) -> None:
    """Helpers do not answer for the modules that it is bound to, but for others they do."""
    folder = trusted.site_packages
    (folder / "_edi.pth").write_text("import _editable_impl_edi\n")
    (folder / "_editable_impl_edi.py").write_text(
        "import sys, types\n"
        "from importlib.machinery import ModuleSpec\n"
        "class F:\n"
        "    def map_module(self, name, file): sys.meta_path.append(self)\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        return ModuleSpec(name, self) if name == 'edi' else None\n"
        "    def create_module(self, spec): return None\n"
        "    def exec_module(self, module): print('edi')\n"
        "F = F()\n"
        "F.map_module('edi', '/x')\n"
    )
    (folder / "hook.py").write_text("import edi\nprint('hook')\n")
    (folder / "zhook.pth").write_text("import hook\n")
    entry = allow("zhook.pth", "import hook", hook=folder / "hook.py")
    policy = policies.write(trusted.root / "policy", [entry])
    outcome = trusted.launched("-c", "pass", SAFESITE_POLICY=str(policy))
    assert (outcome.out, outcome.err) == ("edi\nhook\n", "")


def test_many_bad_lines_are_told_in_a_few(trusted: Environment) -> None:
    (trusted.site_packages / "foo.pth").write_text("import os\n")
    policy = policies.write(trusted.root / "policy", ["deny foo.pth x"] * 20_000)
    outcome = trusted.launched("-c", "pass", SAFESITE_POLICY=str(policy))
    assert len(outcome.reports) == entries.MOST_TOLD + 3
    assert outcome.reports[entries.MOST_TOLD].endswith(
        ": grants nothing: and so do more of its lines (policy-syntax)"
    )
