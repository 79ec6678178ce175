"""Startup files in an eight-bit locale, where stock Python decodes what is not UTF-8."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from environments import Environment

LOCALE = "en_US.ISO-8859-1"
CODE = "import codecs, locale, sys; print(codecs.lookup(locale.getpreferredencoding(False)).name)"


@pytest.fixture(scope="session")
def latin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables that select a locale of Latin-1, compiled into a folder of its own."""
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/charmaps").is_dir():
        reason = "no localedef, or no charmaps for it (Debian: the package locales)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / LOCALE)]
    subprocess.run(command, check=True, capture_output=True)
    return {"LOCPATH": str(folder), "LC_ALL": LOCALE, "PYTHONUTF8": "0"}


def test_lines_that_the_locale_decodes_are_refused(
    environment: Environment, latin: dict[str, str]
) -> None:
    assert environment.stock("-c", CODE, **latin).out == "iso8859-1\n"
    line = 'import os; open(os.environ["MARKERS"] + "/foo", "w") # \xe9'
    pth = environment.site_packages / "foo.pth"
    pth.write_bytes(f"entr\xe9e\n{line}\n".encode("latin-1"))
    (environment.site_packages / "entr\xe9e").mkdir()  # by its name in UTF-8
    latin_name = os.fsencode(environment.site_packages) + b"/entr\xe9e"
    os.mkdir(latin_name)  # noqa: PTH102 - and in Latin-1, which takes bytes
    code = "import sys; print(ascii(sys.path))"
    stock = environment.stock("-c", code, **latin)
    assert environment.ran() == ["foo"]
    launched = environment.launched("-c", code, options=(), **latin)
    assert environment.ran() == []
    assert launched.out == stock.out
    shown = ascii(line)
    assert launched.reports[0] == f"safesite: {pth}:2: refused import line: {shown} (import-line)"


def test_lines_that_utf8_alone_shows_are_reported(
    environment: Environment, latin: dict[str, str]
) -> None:
    # A line separator of Unicode: 3.13 and later split there, as the file is UTF-8.
    pth = environment.site_packages / "foo.pth"
    pth.write_text('x\u2028import os; open(os.environ["MARKERS"] + "/foo", "w")\n', "utf-8")
    stock = environment.stock("-c", "pass", **latin)
    newer = environment.interpreter.number >= (3, 13)
    assert (stock.code, environment.ran()) == (0, ["foo"] if newer else [])
    launched = environment.launched("-c", "pass", options=(), **latin)
    assert (launched.code, environment.ran()) == (0, [])
    slug = "import-line" if newer else "other-python"
    assert f"{pth}:2: refused import line: " in launched.reports[0]
    assert launched.reports[0].endswith(f" ({slug})")
