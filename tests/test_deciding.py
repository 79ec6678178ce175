"""The functions that read and decide, one by one, also as other platforms would call them.

What a fresh interpreter shows stands in ``conformance``; here stand the parts that need another
platform, another version of Python or a file that changes while it is read.
"""

from __future__ import annotations

import json
import os
import stat
import textwrap
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from safesite import core, facts, keep, log, run, running

HIDDEN = {"st_flags": stat.UF_HIDDEN, "st_file_attributes": stat.FILE_ATTRIBUTE_HIDDEN}


@pytest.mark.parametrize("field", HIDDEN)
@pytest.mark.parametrize("skips_hidden", [True, False])
def test_a_hidden_file_is_skipped_where_site_skips_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, skips_hidden: bool
) -> None:
    path = tmp_path / "foo.pth"
    path.write_text("entry\n")
    real = os.lstat(path)
    told = SimpleNamespace(st_mode=real.st_mode, st_size=real.st_size, **{field: HIDDEN[field]})
    monkeypatch.setattr(os, "lstat", lambda _path: told)
    data = core.read_startup_file(str(path), skips_hidden)
    assert data == (None if skips_hidden else b"entry\n")


def test_a_file_that_grows_above_the_cap_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "foo.pth"
    path.write_bytes(b"#" * (core.SIZE_CAP + 1))
    real = os.lstat(path)
    monkeypatch.setattr(
        os, "lstat", lambda _path: SimpleNamespace(st_mode=real.st_mode, st_size=10)
    )
    with pytest.raises(ValueError, match="larger than 4194304 bytes"):
        core.read_startup_file(str(path), True)


def test_a_file_of_exactly_the_cap_is_read(tmp_path: Path) -> None:
    path = tmp_path / "foo.pth"
    path.write_bytes(b"#" * core.SIZE_CAP)
    assert core.read_startup_file(str(path), True) == b"#" * core.SIZE_CAP


def test_a_vanished_file_is_skipped_with_its_reason(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    startup = core.Startup()
    path = str(tmp_path / "gone.pth")
    assert startup.read_pth(path) is None
    assert [(r, r.file, r.kind) for r in startup.refused.values()] == [
        ("No such file or directory", path, "startup file")
    ]
    assert (
        capfd.readouterr().err
        == f"safesite: {path}: skipped: No such file or directory (skipped)\n"
    )


def test_a_name_with_nul_is_skipped(capfd: pytest.CaptureFixture[str]) -> None:
    assert core.Startup().read("foo\0.pth") is None
    assert capfd.readouterr().err.startswith("safesite: 'foo\\x00.pth': skipped: ")


FOREIGN = {
    ("posix", "linux"): {
        "_scproxy",
        "_winapi",
        "_wmi",
        "msvcrt",
        "nt",
        "org.python.core",
        "winreg",
    },
    ("posix", "darwin"): {"_winapi", "_wmi", "msvcrt", "nt", "org.python.core", "winreg"},
    ("nt", "win32"): {"_crypt", "_scproxy", "fcntl", "grp", "org.python.core", "pwd", "termios"},
}


@pytest.mark.parametrize("os_name, platform", FOREIGN)
def test_foreign_names_are_those_no_such_platform_has(os_name: str, platform: str) -> None:
    assert set(facts.foreign_names(os_name, platform)) == FOREIGN[os_name, platform]


@pytest.mark.parametrize(
    "line, kinds",
    [
        ("entry", ["path entry"]),
        ("  entry", ["path entry"]),
        ("# comment", []),
        ("", []),
        (" \t\x0c", []),
        ("import os", ["import line"]),
        ("import\tos", ["import line"]),
        ("import;", ["path entry"]),
        ("import(os)", ["path entry"]),
        ("from os import path", ["path entry"]),
        ("import\u00a0os", ["path entry"]),
        ("importos", ["path entry"]),
        ("\ufeffimport os", ["path entry"]),
    ],
)
def test_a_line_is_classified_alike_on_every_version(
    monkeypatch: pytest.MonkeyPatch, line: str, kinds: list[str]
) -> None:
    for strips in (False, True):
        monkeypatch.setattr(core, "STRIPS", strips)
        assert [r.kind for r in core.line_records("f", [line])] == kinds


@pytest.mark.parametrize("line", ["  import os", "\u3000import os", "\x1fimport\tos"])
def test_an_indented_import_line_runs_in_3_15_alone(
    monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(core, "STRIPS", False)
    other, entry = core.line_records("f", [line])
    assert (other.kind, other.runs_here, entry.kind) == ("import line", False, "path entry")
    monkeypatch.setattr(core, "STRIPS", True)
    (only,) = core.line_records("f", [line])
    assert (only.kind, only.runs_here, str(only)) == ("import line", True, line.strip())


def test_an_indented_comment_is_a_path_entry_before_3_15(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "STRIPS", False)
    assert [r.kind for r in core.line_records("f", ["  # x"])] == ["path entry"]
    monkeypatch.setattr(core, "STRIPS", True)
    assert core.line_records("f", ["  # x"]) == []


def test_a_file_in_an_eight_bit_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    # This Python reads latin-1; as UTF-8 the file has a line separator, and an import line more.
    data = "x\u2028import os\n".encode()
    monkeypatch.setattr(keep, "native_lines", lambda data, _: data.decode("latin-1").split("\n"))
    lines = data.decode().splitlines()
    records = keep.read_otherwise(core.Startup(), "f", data, lines)
    assert [(r.kind, r.runs_here, r.line) for r in records] == [
        ("path entry", True, 1),
        ("import line", False, 2),
    ]


def test_a_file_that_is_not_utf8_in_an_eight_bit_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"import os # \xe9\nentry\xe9\n"
    monkeypatch.setattr(keep, "native_lines", lambda data, _: data.decode("latin-1").split("\n"))
    records = keep.read_otherwise(core.Startup(), "f", data, [])
    assert [(r.kind, r.runs_here, str(r)) for r in records] == [
        ("import line", True, "import os # \xe9"),
        ("path entry", True, "entry\xe9"),
    ]


@pytest.mark.parametrize(
    "file, shown",
    [
        ("/a/b.pth", "/a/b.pth:3"),
        ("C:\\a\\b.pth", "C:\\a\\b.pth:3"),
        ("/a b/c.pth", "/a b/c.pth:3"),
        ("/a: b/c.pth", "'/a: b/c.pth':3"),
        ("/\u00fc.pth", "'/\\xfc.pth':3"),
        ("/a\nsafesite: b.pth", "'/a\\nsafesite: b.pth':3"),
        ("/\x1b[2J.pth", "'/\\x1b[2J.pth':3"),
        ("'/a.pth'", "\"'/a.pth'\":3"),
        ("/\udcff.pth", "'/\\udcff.pth':3"),
    ],
)
def test_a_place_cannot_be_forged(file: str, shown: str) -> None:
    assert keep.place(file, 3) == shown


def test_a_message_fits_the_atomic_write_of_a_pipe() -> None:
    record = core.Record("\U0001f40d" * 5000, "/\udcff" * 2000, 10**9, core.IMPORT)
    message = keep.message(record)
    assert len(message) < 1200
    assert message.isascii()
    assert message.isprintable()


@pytest.mark.parametrize("mode", core.MODES)
def test_only_running_modes_permit(mode: str) -> None:
    startup = core.Startup()
    startup.mode = mode
    line = core.Record("import os", "f.pth", 1, core.IMPORT)
    with pytest.warns(running.StartupCodeWarning) if mode == "warn" else nullcontext():
        assert startup.decide(line) == (mode in {"allow", "warn"})
    foreign = core.Record("  import os", "f.pth", 1, core.IMPORT, "other-python")
    assert startup.decide(foreign) is False


def test_a_record_keeps_its_place_where_site_strips_it() -> None:
    record = core.Record("import os", "f.pth", 7, core.IMPORT)
    stripped = record.strip()
    assert (stripped.file, stripped.line, stripped) == ("f.pth", 7, "import os")


@pytest.mark.parametrize(
    "text", ["plain", 'quote " back \\', "\x00\x1f\x7f", "\u20ac", "\U0001f40d", "\udcff"]
)
def test_json_strings_are_those_of_json(text: str) -> None:
    shown = log.json_string(text)
    assert shown.isascii()
    assert shown.isprintable()
    assert json.loads(shown) == text


@pytest.mark.parametrize(
    "code", ["x = 1", "  x\n  y", "\tx\n\t\ty\n\n\tz", "  x\n y", "", "\n  x\n \n  y\n"]
)
def test_dedent_is_that_of_textwrap(code: str) -> None:
    assert run.dedent(code).split() == textwrap.dedent(code).split()
    assert [line.rstrip() for line in run.dedent(code).split("\n")] == [
        line.rstrip() for line in textwrap.dedent(code).split("\n")
    ]


@pytest.mark.parametrize(
    "words, expected",
    [
        ("-S -m safesite a.py", (3, "safesite")),
        ("-Smsafesite -m other", (1, "safesite")),
        ("-X dev -Wm -BSm safesite", (5, "safesite")),
        ("--check-hash-based-pycs always -m safesite", (4, "safesite")),
        ("-cpass -m safesite", (0, "")),
        ("-c pass -m safesite", (0, "")),
        ("-mfoo -m safesite", (1, "foo")),
        ("a.py -m safesite", (0, "")),
        ("- -m safesite", (0, "")),
        ("-W -m safesite", (2, "")),
        ("", (0, "")),
    ],
)
def test_what_python_was_told_to_run(words: str, expected: tuple[int, str]) -> None:
    """A program's own words are not taken for those that started safesite."""
    at, module = keep.target_of_python(["python", *words.split()])
    assert (at - 1, module) == expected
