"""Who claims a file: each state, each way of forging a claim, caps, and names that hold anything.

Most folders are crafted here; pip and uv make the others, from the registry and from wheels that
were made to deceive.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import environments
import pytest
from conftest import need
from environments import PACKAGE, Environment
from installers import Builder
from interpreters import Interpreter
from test_odd_surroundings import modes_count

from safesite import owners
from safesite.findings import OWNER_STATES, Owner
from safesite.owners import Owners

LINE = b"import os\n"


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    """Fail what waits for a FIFO, or reads without an end."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        pytest.fail("it hangs")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def digest(data: bytes, algorithm: str = "sha256") -> str:
    """Return a hash as RECORD has it."""
    raw = hashlib.new(algorithm, data).digest()
    return f"{algorithm}={base64.urlsafe_b64encode(raw).decode().rstrip('=')}"


def record(rows: dict[str, str]) -> bytes:
    """Return the content of a RECORD."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows((path, h, "") for path, h in rows.items())
    return text.getvalue().encode("utf-8", "surrogateescape")


def install(site: Path, label: str, rows: dict[str, str], metadata: str = "") -> Path:
    """Write a distribution's metadata as installers do; ``rows`` is the rest of its RECORD."""
    folder = site / f"{label}.dist-info"
    folder.mkdir(parents=True)
    name, _, version = label.partition("-")
    metadata = metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText\n"
    (folder / "METADATA").write_bytes(metadata.encode())
    own = {f"{folder.name}/METADATA": digest(metadata.encode()), f"{folder.name}/RECORD": ""}
    (folder / "RECORD").write_bytes(record(rows | own))
    return folder


def write(site: Path, name: str, data: bytes = LINE) -> str:
    """Write a file of a site directory and return its path."""
    path = site / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site directory in a prefix."""
    folder = tmp_path / "lib" / "python" / "site-packages"
    folder.mkdir(parents=True)
    return folder


def state(path: str, *folders: Path) -> str:
    """Return the state of a file; there must be no problem."""
    found = Owners(map(str, folders))
    told = found.of(path).state
    assert found.problems == []
    assert told in OWNER_STATES
    return told


# What one distribution says.


def test_a_file_with_the_claimed_content_is_owned(site: Path) -> None:
    path = write(site, "foo.pth")
    install(site, "Foo_Bar-1.0", {"foo.pth": digest(LINE)})
    assert Owners().of(path) == Owner("owned", ("Foo_Bar 1.0",))


def test_a_file_with_other_content_is_changed(site: Path) -> None:
    path = write(site, "foo.pth", LINE + b"#")
    install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    assert Owners().of(path) == Owner("changed", ("foo 1.0",))


def test_a_file_that_no_record_lists_is_nobodys(site: Path) -> None:
    install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    assert Owners().of(write(site, "bar.pth")) == Owner("nobody")


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("padding", ["", "="])
def test_strong_hashes_count(site: Path, algorithm: str, padding: str) -> None:
    path = write(site, "foo.pth")
    install(site, "foo-1.0", {"foo.pth": digest(LINE, algorithm) + padding})
    assert state(path) == "owned"
    write(site, "foo.pth", b"other")
    assert state(path) == "changed"


@pytest.mark.parametrize(
    "text", ["", "md5=x", digest(LINE, "sha1"), digest(LINE, "md5"), "sha256=", "sha256", "x=y"]
)
def test_what_binds_no_content_is_unhashed(site: Path, text: str) -> None:
    path = write(site, "foo.pth")
    install(site, "foo-1.0", {"foo.pth": text})
    assert Owners().of(path) == Owner("unhashed", ("foo 1.0",))


@pytest.mark.parametrize("text", ["sha256=\u00e9", "sha256=\x1b[31m", "sha512=" + "A" * 86])
def test_a_hash_of_nothing_matches_nothing(site: Path, text: str) -> None:
    path = write(site, "foo.pth")
    install(site, "foo-1.0", {"foo.pth": text})
    assert state(path) == "changed"


def test_a_file_listed_twice_must_match_both(site: Path) -> None:
    path = write(site, "foo.pth")
    install(site, "foo-1.0", {"foo.pth": digest(LINE), "./foo.pth": digest(b"other")})
    assert Owners().of(path) == Owner("changed", ("foo 1.0",))


def test_a_row_may_be_short_or_long(site: Path) -> None:
    paths = [write(site, name) for name in ("a.pth", "b.pth", "c.pth")]
    text = b'\n"",,\n,,\na.pth\nb.pth,' + digest(LINE).encode() + b"\nc.pth,,,,,\n"
    listing = install(site, "foo-1.0", {}) / "RECORD"
    listing.write_bytes(listing.read_bytes() + text)
    assert [state(path) for path in paths] == ["unhashed", "owned", "unhashed"]


def test_line_ends_may_be_those_of_windows(site: Path) -> None:
    path = write(site, "foo.pth")
    folder = install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    for name in ("RECORD", "METADATA"):
        (folder / name).write_bytes((folder / name).read_bytes().replace(b"\n", b"\r\n"))
    assert state(path) == "owned"


def test_a_missing_file_is_unknown(site: Path) -> None:
    install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    found = Owners()
    path = str(site / "foo.pth")
    assert found.of(path) == found.of(path) == Owner("unknown", ("foo 1.0",))
    assert found.problems == [
        f"{path}: No such file or directory; whether it is what its owner claims is unknown"
    ]


# Where paths lead.


def test_files_elsewhere_are_claimed_too(site: Path, tmp_path: Path) -> None:
    script, data = write(tmp_path, "bin/foo"), write(tmp_path, "elsewhere/foo.dat")
    install(site, "foo-1.0", {"../../../bin/foo": digest(LINE), data: digest(LINE)})
    assert [state(path, site) for path in (script, data)] == ["owned", "owned"]
    assert state(script) == "nobody"  # of its own folder alone


def test_another_site_directory_counts(site: Path, tmp_path: Path) -> None:
    user = tmp_path / "user"
    path = write(user, "foo.pth")
    install(site, "foo-1.0", {"../../../user/foo.pth": digest(LINE)})
    assert state(path, site, user) == state(path, user, site) == "owned"
    install(user, "bar-1.0", {"foo.pth": digest(LINE)})
    assert Owners([str(site)]).of(path) == Owner("shared", ("bar 1.0", "foo 1.0"))


@pytest.mark.parametrize("path", ["./foo.pth", "x/../foo.pth", "{site}/foo.pth", "/{site}/foo.pth"])
def test_a_path_is_normalised(site: Path, path: str) -> None:
    name = path.replace("{site}", str(site))
    install(site, "foo-1.0", {name: digest(LINE)})
    assert state(write(site, "foo.pth")) == "owned"
    assert state(f"{site}/../site-packages//foo.pth") == "owned"


def test_a_site_directory_may_have_two_names(site: Path, tmp_path: Path) -> None:
    (tmp_path / "lib64").symlink_to("lib")
    path = write(site, "foo.pth")
    install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    found = Owners([str(site), str(tmp_path / "lib64/python/site-packages")])
    assert found.of(path) == found.of(path.replace("/lib/", "/lib64/")) == found.of(path)
    assert found.of(path) == Owner("owned", ("foo 1.0",))


def test_a_file_may_be_a_symbolic_link(site: Path, tmp_path: Path) -> None:
    cached = write(tmp_path, "cache/foo.pth")
    (site / "foo.pth").symlink_to(cached)  # as uv makes it when asked
    folder = install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    (folder / "METADATA").rename(tmp_path / "cache/METADATA")
    (folder / "METADATA").symlink_to(tmp_path / "cache/METADATA")
    assert state(str(site / "foo.pth")) == "owned"
    assert state(cached, site) == "nobody"


def test_a_metadata_folder_may_be_a_symbolic_link(site: Path, tmp_path: Path) -> None:
    path = write(site, "foo.pth")
    folder = install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    folder.rename(tmp_path / "store")
    folder.symlink_to(tmp_path / "store")
    assert state(path) == "owned"


# Old forms.


def egg(site: Path, label: str, *lines: str) -> Path:
    """Write what an old pip leaves of ``setup.py install``."""
    folder = site / f"{label}.egg-info"
    folder.mkdir()
    name, _, rest = label.partition("-")
    version = rest.partition("-")[0] or "1.0"
    (folder / "PKG-INFO").write_text(f"Name: {name}\nVersion: {version}\n", "utf-8")
    if lines:
        (folder / "installed-files.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.mark.parametrize("label", ["foo-1.0-py3.11", "foo-1.0-py3.11-linux-x86_64", "foo-1.0"])
def test_an_egg_claims_without_hash(site: Path, label: str) -> None:
    egg(site, label, "../foo.pth", "./", "PKG-INFO")
    assert Owners().of(write(site, "foo.pth")) == Owner("unhashed", ("foo 1.0",))


def test_only_line_feeds_end_a_line_of_an_egg(site: Path) -> None:
    egg(site, "foo-1.0", "../a.pth\r", "../b\u2028../c.pth")
    paths = [write(site, name) for name in ("a.pth", "b\u2028../c.pth", "c.pth")]
    assert [state(path, site) for path in paths] == ["unhashed", "unhashed", "nobody"]


def test_an_egg_without_a_version_claims(site: Path) -> None:
    egg(site, "foo", "../foo.pth")
    assert Owners().of(write(site, "foo.pth")) == Owner("unhashed", ("foo 1.0",))


def test_an_egg_that_says_another_name_is_forged(site: Path) -> None:
    (egg(site, "foo-1.0", "../foo.pth") / "PKG-INFO").write_text("Name: bar\nVersion: 1.0\n")
    assert Owners().of(write(site, "foo.pth")) == Owner("forged", ("foo 1.0",))


def test_what_lists_no_files_claims_nothing(site: Path) -> None:
    path = write(site, "foo.pth")
    egg(site, "foo-1.0")
    (install(site, "bar-1.0", {}) / "RECORD").unlink()  # as Debian's packages
    write(site, "baz-1.0.egg-info", b"Name: baz\n")  # as distutils
    write(site, "qux-1.0.dist-info")
    (site / "gone-1.0.dist-info").symlink_to("nowhere")
    (site / "below-1.0.dist-info").symlink_to("foo.pth/folder")
    found = Owners()
    assert (found.of(path), found.problems) == (Owner("nobody"), [])
    names = [(d.name, d.version) for d in found.distributions(str(site))]
    assert names == [("bar", "1.0"), ("foo", "1.0")]


def test_what_pip_could_not_remove_claims_nothing(site: Path) -> None:
    path = write(site, "foo.pth")
    install(site, "foo-2.0", {"foo.pth": digest(LINE)})
    install(site, "~oo-1.0", {"foo.pth": digest(LINE)})
    assert Owners().of(path) == Owner("owned", ("foo 2.0",))


# Metadata that is not whole.


def test_metadata_must_be_there(site: Path) -> None:
    (install(site, "foo-1.0", {"foo.pth": digest(LINE)}) / "METADATA").unlink()
    assert Owners().of(write(site, "foo.pth")) == Owner("forged", ("foo 1.0",))


@pytest.mark.parametrize(
    "label, metadata",
    [
        ("foo-1.0", "Name: FOO\nVersion: 1.0.0\n"),
        ("foo_bar.baz-1.0", "Name: Foo-Bar_.baz\nVersion: v01.0\n"),
        ("foo-1.0_rc.1", "Version: 1.0C1\nNAME:foo\n"),
        ("foo-bar-1.0", "Metadata-Version: 2.1\nName: foo.bar\nVersion: 1.0\n"),
        ("foo-1.0", "Name: foo\nDescription: x\n        Name: bar\nVersion: 1.0\n\nName: bar\n"),
        ("foo-1.0", "Summary: x\x0cName: bar\nName: foo\nVersion: 1.0\n"),
        ("foo-1.0+local.1", "Name: foo\nVersion: 1.0+local-1\n"),
    ],
)
def test_spelling_does_not_matter(site: Path, label: str, metadata: str) -> None:
    install(site, label, {"foo.pth": digest(LINE)}, metadata)
    assert state(write(site, "foo.pth")) == "owned"


@pytest.mark.parametrize(
    "label, metadata",
    [
        ("foo-1.0", "Name: bar\nVersion: 1.0\n"),
        ("foo-1.0", "Name: foo\nVersion: 1.1\n"),
        ("foo-1.0", "Name: foo\nVersion: 1.0rc0\n"),
        ("foo-1.0", "Version: 1.0\n"),
        ("foo-1.0", "Name: foo\n"),
        ("foo-1.0", "Name: foo\nName: bar\nVersion: 1.0\n"),
        ("foo-1.0", "Name: bar\rName: foo\nVersion: 1.0\n"),
        ("foo-1.0", "Description: x\n\nName: foo\nVersion: 1.0\n"),
        ("foo-1.0", "Name: fo\u00f6\nVersion: 1.0\n"),
        ("\u212aiwi-1.0", "Name: kiwi\nVersion: 1.0\n"),  # the Kelvin sign, whose lower() is k
        ("\u212aiwi-1.0", "Name: \u212aiwi\nVersion: 1.0\n"),
        ("foo", "Name: foo\nVersion: 1.0\n"),
        ("-1.0", "Name: \nVersion: 1.0\n"),
        ("", "Name: foo\nVersion: 1.0\n"),
        (".", "Name: foo\nVersion: 1.0\n"),
        ("foo-1.0", "\0" * 100),
        ("foo-1.0", "X" * owners.HEADER_CAP + "\nName: foo\nVersion: 1.0\n"),
    ],
)
def test_metadata_must_say_what_the_folder_says(site: Path, label: str, metadata: str) -> None:
    install(site, label, {"foo.pth": digest(LINE)}, metadata)
    assert state(write(site, "foo.pth")) == "forged"
    assert Owners().files_of("kiwi", str(site)) == []


@pytest.mark.parametrize("name", ["RECORD", "METADATA"])
def test_a_record_must_list_its_own_folder(site: Path, name: str) -> None:
    listing = install(site, "foo-1.0", {"foo.pth": digest(LINE)}) / "RECORD"
    lines = listing.read_bytes().splitlines(keepends=True)
    listing.write_bytes(b"".join(line for line in lines if f"/{name}".encode() not in line))
    assert Owners().of(write(site, "foo.pth")) == Owner("forged", ("foo 1.0",))


FORGED = "coverage-9.0.dist-info"


@pytest.mark.parametrize(
    "row",
    [
        f"{FORGED}/RECORD",
        f"{FORGED}/METADATA",
        f"{FORGED}/licenses/LICENSE",
        f"x/../{FORGED}/RECORD",
        f"../../../lib64/python/site-packages/{FORGED}/RECORD",
        f"{{site}}/{FORGED}/RECORD",
        f"/{{site}}/{FORGED}/RECORD",
    ],
)
def test_metadata_that_another_claims_is_forged(site: Path, tmp_path: Path, row: str) -> None:
    (tmp_path / "lib64").symlink_to("lib")
    path = write(site, "coverage.pth")
    install(site, "coverage-9.0", {"coverage.pth": digest(LINE)})
    assert state(path) == "owned"
    install(site, "evil-1.0", {row.replace("{site}", str(site)): ""})
    assert Owners().of(path) == Owner("forged", ("coverage 9.0",))


def test_a_link_hides_no_claim(site: Path) -> None:
    (site / "link").symlink_to(".")
    path = write(site, "coverage.pth")
    install(site, "coverage-9.0", {"coverage.pth": digest(LINE)})
    install(site, "evil-1.0", {"x": "", "link/x": "", f"link/{FORGED}/RECORD": ""})
    assert state(path) == "forged"


def test_metadata_that_another_site_directory_claims_is_forged(site: Path, tmp_path: Path) -> None:
    path = write(site, "coverage.pth")
    install(site, "coverage-9.0", {"coverage.pth": digest(LINE)})
    row = f"../lib/python/site-packages/{FORGED}/RECORD"
    install(tmp_path / "user", "evil-1.0", {row: ""})
    assert state(path, tmp_path / "user") == state(path, site, tmp_path / "user") == "forged"


def test_an_egg_that_another_claims_is_forged(site: Path) -> None:
    egg(site, "coverage-9.0", "../coverage.pth")
    install(site, "evil-1.0", {"coverage-9.0.egg-info/installed-files.txt": ""})
    assert state(write(site, "coverage.pth")) == "forged"


def test_a_folder_that_only_begins_alike_is_not_within(site: Path) -> None:
    path = write(site, "foo.pth")
    install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    install(site, "bar-1.0", {"foo-1.0.dist-info.bak/RECORD": "", "foo-1.0.dist-info!": ""})
    assert state(path) == "owned"


def test_one_folder_under_two_names_is_forged(site: Path) -> None:
    path = write(site, "foo.pth")
    folder = install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    (site / "Foo-1.0.dist-info").symlink_to(folder.name)
    assert Owners().of(path) == Owner("forged", ("foo 1.0", "foo 1.0"))


# More than one claimant, and the order of the states.


def test_two_claimants_share_a_file(site: Path) -> None:
    path = write(site, "foo.pth", b"of neither")
    install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    install(site, "bar-2.0", {"foo.pth": ""})
    assert Owners().of(path) == Owner("shared", ("bar 2.0", "foo 1.0"))


def test_two_versions_share_a_file(site: Path) -> None:
    path = write(site, "foo.pth")
    install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    install(site, "Foo-2.0", {"foo.pth": digest(LINE)})
    assert Owners().of(path) == Owner("shared", ("Foo 2.0", "foo 1.0"))


def test_forged_comes_before_shared(site: Path) -> None:
    path = write(site, "coverage.pth")
    install(site, "coverage-9.0", {"coverage.pth": digest(LINE)})
    install(site, "evil-1.0", {"coverage.pth": digest(LINE), f"{FORGED}/RECORD": ""})
    assert Owners().of(path) == Owner("forged", ("coverage 9.0", "evil 1.0"))


def test_unknown_comes_first(site: Path, tmp_path: Path) -> None:
    path, module = write(site, "coverage.pth"), write(site, "sitecustomize/__init__.py")
    install(site, "coverage-9.0", {"coverage.pth": digest(LINE)})
    install(site, "evil-1.0", {"coverage.pth": digest(LINE), f"{FORGED}/RECORD": ""})
    listing = install(site, "foo-1.0", {}) / "RECORD"
    listing.write_bytes(b"\0")
    found = Owners([str(site)])
    assert found.of(path) == Owner("unknown", ("coverage 9.0", "evil 1.0"))
    assert found.of(module) == Owner("unknown")
    assert found.of(write(tmp_path, "elsewhere/foo.pth")) == Owner("nobody")
    assert found.of(write(site.with_name("site-packages2"), "foo.pth")) == Owner("nobody")
    assert found.problems == [doubt(listing, "holds a NUL")]


# What cannot be read.


def doubt(path: Path | str, reason: str) -> str:
    """Return the sentence about what cannot be read."""
    return f"{path}: {reason}; who claims the files of the site directory is unknown"


def make_large(path: Path) -> None:
    """Make a file of 200 MB that takes no room."""
    with path.open("wb") as file:
        file.truncate(200 << 20)


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (os.mkfifo, "not a regular file"),
    "folder": (Path.mkdir, "Is a directory"),
    "large": (make_large, "larger than 16777216 bytes, the cap"),
    "loop": (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
    "dangling": (lambda path: path.symlink_to("nowhere"), "No such file or directory"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "nul": (lambda path: path.write_bytes(b"foo.pth\0,,\n"), "holds a NUL"),
    "field": (
        lambda path: path.write_bytes(b"x" * (csv.field_size_limit() + 1)),
        "field larger than field limit (131072)",
    ),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_record_that_cannot_be_read_makes_all_unknown(site: Path, kind: str) -> None:
    make, reason = UNREADABLE[kind]
    owned, stray = write(site, "foo.pth"), write(site, "bar.pth")
    install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    listing = install(site, "odd-1.0", {}) / "RECORD"
    listing.unlink()
    make(listing)
    found = Owners([str(site)])
    assert found.of(owned) == Owner("unknown", ("foo 1.0",))
    assert found.of(stray) == Owner("unknown")
    assert found.problems == [doubt(listing, reason)]


@pytest.mark.parametrize("kind", ["fifo", "folder", "loop", "device"])
def test_metadata_that_cannot_be_read_is_as_if_missing(site: Path, kind: str) -> None:
    path = write(site, "foo.pth")
    file = install(site, "foo-1.0", {"foo.pth": digest(LINE)}) / "METADATA"
    file.unlink()
    UNREADABLE[kind][0](file)
    assert state(path) == "forged"


@pytest.mark.parametrize("kind", ["fifo", "folder", "large", "loop", "device"])
def test_a_claimed_file_that_cannot_be_read_is_unknown(site: Path, kind: str) -> None:
    make, reason = UNREADABLE[kind]
    install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    make(site / "foo.pth")
    found = Owners()
    assert found.of(str(site / "foo.pth")) == Owner("unknown", ("foo 1.0",))
    (problem,) = found.problems
    assert problem.startswith(f"{site / 'foo.pth'}: {reason}; ")


def test_a_large_metadata_is_read_at_its_start(site: Path) -> None:
    path = write(site, "foo.pth")
    file = install(site, "foo-1.0", {"foo.pth": digest(LINE)}) / "METADATA"
    os.truncate(file, 200 << 20)
    assert state(path) == "owned"


TELL = """\
import json, sys
sys.path[:0] = [sys.argv[1]]
from safesite.owners import Owners
found = Owners()
told = {path: found.of(path).state for path in sys.argv[2:]}
sys.stdout.write(json.dumps([told, found.problems]))
"""


@pytest.mark.parametrize(
    "locked, mode",
    [
        ("", 0o000),
        ("", 0o444),  # its names can be read, and nothing else
        ("foo-1.0.dist-info", 0o000),
        ("foo-1.0.dist-info", 0o444),
        ("foo-1.0.dist-info/RECORD", 0o000),
    ],
)
def test_what_is_not_permitted_is_unknown(
    site: Path, tmp_path: Path, locked: str, mode: int
) -> None:
    path = write(site, "foo.pth")
    install(site, "foo-1.0", {"foo.pth": digest(LINE)})
    place, program = site / locked, tmp_path / "program.py"
    program.write_text(TELL)
    python = need("3.13").path
    place.chmod(mode)
    try:
        words = [*modes_count(), python, "-I", "-S", program, PACKAGE.parent, path]
        told, problems = json.loads(subprocess.check_output([str(word) for word in words]))
    finally:
        place.chmod(0o755)
    assert told == {path: "unknown"}
    (problem,) = problems
    assert problem.startswith(str(place))
    assert "Permission denied" in problem


def test_a_folder_that_is_not_there_has_no_problem(site: Path, tmp_path: Path) -> None:
    zipped = write(site, "lib.zip")
    found = Owners([str(tmp_path / "gone"), zipped])
    assert found.of(str(tmp_path / "gone" / "foo.pth")) == Owner("nobody")
    assert found.of(f"{zipped}/sitecustomize.py") == Owner("nobody")
    assert found.of("foo.pth").state == "nobody"
    assert found.problems == []


@pytest.mark.parametrize("name", ["x\0y", "x" * 300, "\ud800"])
def test_a_folder_that_cannot_be_listed_is_a_problem(site: Path, name: str) -> None:
    folder = str(site / name)
    found = Owners([folder])
    assert found.of(f"{folder}/foo.pth") == Owner("unknown")
    (problem,) = found.problems
    assert problem.startswith(f"{folder}: ")


# Caps.


def test_the_caps_hold_all_together(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(site, "foo.pth")
    rows = {f"foo/{number}": "" for number in range(10)}
    for label in ("a-1", "b-1", "c-1"):
        install(site, label, rows | {"foo.pth": digest(LINE)} if label == "a-1" else rows)
    assert state(path) == "owned"
    size = (site / "a-1.dist-info" / "RECORD").stat().st_size
    caps = {
        "SIZE_CAP": (size - 1, "a-1.dist-info/RECORD", f"larger than {size - 1} bytes, the cap"),
        "TOTAL_CAP": (size + 9, "b-1.dist-info/RECORD", "larger than 9 bytes, the cap"),
        "CLAIM_CAP": (3 * 12, "c-1.dist-info/RECORD", "more than 36 claims, the cap"),
        "DISTRIBUTION_CAP": (2, "", "more than 2 distributions, the cap"),
    }
    for name, (value, place, reason) in caps.items():
        with monkeypatch.context() as patch:
            patch.setattr(owners, name, value)
            found = Owners()
            assert found.of(path).state == "unknown"
            assert doubt(site / place, reason) in found.problems
    monkeypatch.setattr(owners, "CLAIM_CAP", 3 * 12 + 1)
    monkeypatch.setattr(owners, "DISTRIBUTION_CAP", 3)
    assert state(path) == "owned"


def test_what_is_exactly_the_cap_is_read(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(site, "foo.pth")
    listing = install(site, "foo-1.0", {"foo.pth": digest(LINE)}) / "RECORD"
    monkeypatch.setattr(owners, "SIZE_CAP", listing.stat().st_size)
    assert state(path) == "owned"


def test_the_cap_of_distributions_is_for_all_folders(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = site.with_name("other")
    install(site, "foo-1.0", {})
    install(other, "bar-1.0", {})
    monkeypatch.setattr(owners, "DISTRIBUTION_CAP", 1)
    found = Owners([str(site), str(other)])
    assert found.problems == [doubt(other, "more than 1 distributions, the cap")]


def test_a_large_record_costs_nothing(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = install(site, "foo-1.0", {}) / "RECORD"
    make_large(listing)
    read = []
    monkeypatch.setattr(Owners, "_add_claims", lambda *args: read.append(args))
    assert Owners().of(write(site, "foo.pth")) == Owner("unknown")
    assert read == []


def test_the_caps_are_above_what_is_known() -> None:
    assert owners.SIZE_CAP == 16 << 20
    assert owners.TOTAL_CAP >= 4 * owners.SIZE_CAP
    assert (owners.CLAIM_CAP, owners.DISTRIBUTION_CAP) == (500_000, 10_000)


# Names that hold anything.

NAMES = [
    "with space.pth",
    'quo"te.pth',
    "comma,.pth",
    "new\nline.pth",
    "return\r\n.pth",
    "\x1b[31mred\x07.pth",
    "fo\u00f6 \u2028 \u202e.pth",
    "not utf-8 \udcff.pth",
    "=cmd.pth",
    "x" * 250 + ".pth",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_may_hold_anything(site: Path, name: str) -> None:
    path = write(site, name)
    install(site, "foo-1.0", {name: digest(LINE)})
    found = Owners()
    assert found.of(path) == Owner("owned", ("foo 1.0",))
    assert path in found.files_of("foo", str(site))


def test_the_name_of_a_distribution_may_hold_anything(site: Path) -> None:
    path = write(site, "foo.pth")
    install(site, "\x1b[31m\n\udcff-1\t0", {"foo.pth": ""}, "Name: x\nVersion: 1\n")
    found = Owners()
    assert found.of(path) == Owner("forged", ("\x1b[31m\n\udcff 1\t0",))
    assert found.problems == []


def test_claims_may_lead_nowhere(site: Path) -> None:
    path = write(site, "foo.pth")
    (site / "loop").symlink_to("loop")
    odd = ["/".join("x" * 5000), "loop/loop/x", "x" * 5000, "foo.pth/x", "/", "..", "dir/", "~/x"]
    install(site, "foo-1.0", {"foo.pth": digest(LINE)} | dict.fromkeys(odd, "sha256=x"))
    assert state(path) == "owned"


# Lists.


def test_distributions_are_listed_with_their_folders(site: Path) -> None:
    install(site, "Foo_Bar-1.0", {}, "Name: foo.bar\nVersion: 1.0.0\n")
    install(site, "baz-2", {}, "Name: other\nVersion: 2\n")
    listed = Owners().distributions(str(site))
    assert [(d.name, d.version, d.folder, d.agrees) for d in listed] == [
        ("foo.bar", "1.0.0", str(site / "Foo_Bar-1.0.dist-info"), True),
        ("baz", "2", str(site / "baz-2.dist-info"), False),
    ]


def test_the_files_of_a_name(site: Path, tmp_path: Path) -> None:
    install(site, "Foo_Bar-1.0", {"foo.pth": "", "../../../bin/foo": ""})
    install(site, "other-1.0", {"other.pth": ""})
    found, own = Owners(), site / "Foo_Bar-1.0.dist-info"
    files = [tmp_path / "bin/foo", own / "METADATA", own / "RECORD", site / "foo.pth"]
    assert found.files_of("foo-bar", str(site)) == sorted(map(str, files))
    assert found.files_of("foo-bar", str(tmp_path)) == found.files_of("foo", str(site)) == []


def test_what_is_claimed_twice(site: Path) -> None:
    bytecode = "foo/__pycache__/x.cpython-313.pyc"
    install(site, "foo-1.0", {"foo/x.py": "", bytecode: "", "../../../bin/x": "", "foo/": ""})
    install(site, "bar-2.0", {"foo/x.py": "", bytecode: "", "../../../bin/x": "", "foo/": ""})
    install(site, "baz-3.0", {"foo/x.py": "", "foo/own.py": "", "./foo/own.py": ""})
    assert Owners().claimed_twice(str(site)) == [
        ("../../../bin/x", ("bar 2.0", "foo 1.0")),
        ("foo/x.py", ("bar 2.0", "baz 3.0", "foo 1.0")),
    ]
    assert Owners([str(site)]).claimed_twice(str(site.parent)) == []


def test_nothing_is_read_twice(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(site, "foo.pth")
    install(site, "foo-1.0", {"foo.pth": ""})
    opened: list[str] = []
    real = owners.open_at_once

    def note(path: str, flags: int) -> int:
        opened.append(Path(path).name)
        return real(path, flags)

    monkeypatch.setattr(owners, "open_at_once", note)
    found = Owners([str(site), f"{site}/"])
    found.look_in(str(site))
    assert found.of(path) == found.of(path)
    found.files_of("foo", str(site))
    assert opened == ["METADATA", "RECORD"]


# Every version, and what installers write.


def test_every_version_tells_the_same(interpreter: Interpreter, site: Path, tmp_path: Path) -> None:
    expected = {}
    (tmp_path / "program.py").write_text(TELL)
    for number, name in enumerate(NAMES[:-1]):
        path = write(site, name)
        install(site, f"foo{number}-1.0", {name: digest(LINE)})
        expected[path] = "owned"
    broken = write(site.with_name("other"), "foo.pth")
    listing = install(site.with_name("other"), "foo-1.0", {}) / "RECORD"
    listing.write_bytes(b"\0")
    words = ["-I", "-S", tmp_path / "program.py", PACKAGE.parent, *expected, broken]
    done = json.loads(interpreter.run(*map(str, words)))
    assert done == [expected | {broken: "unknown"}, [doubt(listing, "holds a NUL")]]


def run_installer(builder: Builder, tool: str, environment: Environment, what: str | Path) -> None:
    """Have pip or uv install into an environment."""
    tools: dict[str, tuple[str | Path, ...]] = {
        "uv": (builder.uv, "pip", "install", "--python", environment.python),
        "pip": (environment.python, builder.pip, "install", "--quiet"),
    }
    words = (*tools[tool], "--no-deps", "--only-binary", ":all:", what)
    builder.run(str(what), *words)


@pytest.fixture(params=["pip", "uv"])
def tool(request: pytest.FixtureRequest) -> str:
    """Each installer in turn."""
    return str(request.param)


def test_a_package_from_the_registry(builder: Builder, tool: str, tmp_path: Path) -> None:
    environment = environments.make(need("3.13"), tmp_path / "environment")
    run_installer(builder, tool, environment, "coverage==7.13.0")
    site = environment.site_packages
    path, stray = site / "a1_coverage.pth", write(site, "stray.pth")
    found = Owners()
    assert found.of(str(path)) == Owner("owned", ("coverage 7.13.0",))
    assert found.of(stray) == Owner("nobody")
    assert found.of(str(environment.prefix / "bin" / "coverage")).state == "owned"
    assert found.claimed_twice(str(site)) == []
    assert str(path) in found.files_of("Coverage", str(site))
    data = path.read_bytes()
    path.unlink()  # it is a link to the file in uv's cache
    path.write_bytes(data + b"#")
    assert Owners().of(str(path)) == Owner("changed", ("coverage 7.13.0",))
    assert found.problems == []


@pytest.mark.parametrize("way", ["purelib", "lib64"])
def test_a_wheel_with_metadata_for_another(
    builder: Builder, tool: str, way: str, tmp_path: Path
) -> None:
    environment = environments.make(need("3.13"), tmp_path / "environment")
    (environment.prefix / "lib64").symlink_to("lib")  # as venv makes it
    data = "evil-1.0.data/"
    data += "purelib" if way == "purelib" else "data/lib64/python3.13/site-packages"
    files = {
        "evil.pth": LINE,
        "evil-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n",
        "evil-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
    }
    scratch = tmp_path / "scratch"
    install(scratch, "coverage-9.0", {"evil.pth": digest(LINE), "coverage.pth": digest(LINE)})
    for path in (scratch / FORGED).iterdir():
        files[f"{data}/{FORGED}/{path.name}"] = path.read_bytes()
    files[f"{data}/coverage.pth"] = LINE
    rows = {name: digest(content) for name, content in files.items()}
    files["evil-1.0.dist-info/RECORD"] = record(rows | {"evil-1.0.dist-info/RECORD": ""})
    wheel = tmp_path / "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    run_installer(builder, tool, environment, wheel)
    site = environment.site_packages
    assert (site / FORGED / "RECORD").is_file()
    for name in ("evil.pth", "coverage.pth"):
        assert Owners().of(str(site / name)) == Owner("forged", ("coverage 9.0", "evil 1.0"))
