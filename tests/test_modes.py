"""What the modes print, log and tell, beyond what the folders of ``conformance`` can say."""

from __future__ import annotations

import json
import os
from pathlib import Path

import environments
import pytest
from environments import Environment

pytestmark = pytest.mark.spread

LINE = 'import os; open(os.environ["MARKERS"] + "/{}", "w")\n'
SHOWN = repr(LINE.format("foo").rstrip())


@pytest.fixture
def refusing(environment: Environment) -> Environment:
    """An environment with one import line, in line 2 of foo.pth."""
    (environment.site_packages / "foo.pth").write_text("# comment\n" + LINE.format("foo"))
    return environment


def pth(environment: Environment) -> str:
    return str(environment.site_packages / "foo.pth")


def test_warn_is_shown_by_default_at_its_place(refusing: Environment) -> None:
    outcome = refusing.launched("-c", "pass", SAFESITE_MODE="warn")
    assert outcome.err == (
        f"{pth(refusing)}:2: StartupCodeWarning: startup code: import line {SHOWN}"
        " (ignored from Python 3.18 on)\n"
    )
    assert refusing.ran() == ["foo"]


@pytest.mark.parametrize(
    "option",
    ["ignore", "ignore::DeprecationWarning", "ignore:startup code"],
)
def test_warn_obeys_filters_that_ignore(refusing: Environment, option: str) -> None:
    outcome = refusing.launched("-c", "pass", options=(f"-W{option}",), SAFESITE_MODE="warn")
    assert (outcome.code, outcome.err, refusing.ran()) == (0, "", ["foo"])
    outcome = refusing.launched("-c", "pass", PYTHONWARNINGS=option, SAFESITE_MODE="warn")
    assert (outcome.code, outcome.err, refusing.ran()) == (0, "", ["foo"])


@pytest.mark.parametrize("option", ["error::DeprecationWarning", "error:startup code"])
def test_warn_as_error_keeps_the_line_from_running(refusing: Environment, option: str) -> None:
    outcome = refusing.launched("-c", "pass", options=(f"-W{option}",), SAFESITE_MODE="warn")
    assert outcome.err == (
        f"safesite: {pth(refusing)}:2: refused import line: {SHOWN} (warning-is-error)\n"
    )
    assert (outcome.code, refusing.ran()) == (0, [])


def test_warn_leaves_the_order_of_other_filters(refusing: Environment) -> None:
    code = "import warnings; print([f[:3] for f in warnings.filters if 'Startup' not in str(f)])"
    options = ("-Wignore::UserWarning",)
    stock = refusing.stock(*options, "-c", code)
    launched = refusing.launched("-c", code, options=options, SAFESITE_MODE="warn")
    assert launched.out == stock.out


def test_warn_shows_no_raw_text_of_a_file(environment: Environment) -> None:
    (environment.site_packages / "a\x1b[2J.pth").write_text("import os # \x1b]0;owned\x07\n")
    outcome = environment.launched("-c", "pass", SAFESITE_MODE="warn")
    assert "\x1b" not in outcome.err
    assert "StartupCodeWarning: startup code: import line 'import os # \\x1b]0" in outcome.err


def test_warn_once_for_a_line_that_runs_twice(refusing: Environment) -> None:
    # 3.10 to 3.13 read the startup files of a virtual environment two times.
    (refusing.site_packages / "foo.pth").write_text("import sys; print('ran')\n")
    stock = refusing.stock("-c", "pass")
    outcome = refusing.launched("-c", "pass", SAFESITE_MODE="warn")
    assert outcome.out == stock.out
    assert outcome.err.count("StartupCodeWarning") == 1


def test_warn_for_customize_modules_and_entry_points(environment: Environment) -> None:
    (environment.site_packages / "sitecustomize.py").write_text("")
    (environment.site_packages / "foo.start").write_text("os:getpid\n")
    outcome = environment.launched("-c", "pass", SAFESITE_MODE="warn")
    expected = [f"{environment.site_packages / 'sitecustomize.py'}:1: StartupCodeWarning:"]
    if environment.interpreter.number >= (3, 15):
        expected.insert(0, f"{environment.site_packages / 'foo.start'}:1: StartupCodeWarning:")
    lines = outcome.err.splitlines()
    assert [line.partition(" startup")[0] for line in lines] == expected


def test_allow_prints_stock_messages_of_lines_that_raise(environment: Environment) -> None:
    (environment.site_packages / "foo.pth").write_text("import nosuchmodule\nimport os; 1/0\nx\n")
    (environment.site_packages / "sitecustomize.py").write_text("import nosuchmodule\n")
    stock = environment.stock("-c", "pass")
    allowed = environment.launched("-c", "pass", SAFESITE_MODE="allow")
    assert "nosuchmodule" in stock.err
    no_advice = allowed.err.replace(ADVICE, "")
    assert no_advice == stock.err


# 3.15 adds it to every ModuleNotFoundError under -S; see the README's table.
ADVICE = (
    ". Site initialization is disabled, did you forget to add the site-packages directory to"
    " sys.path or to enable your virtual environment?"
)


def test_log_holds_a_line_of_json_for_each_refusal(refusing: Environment) -> None:
    log = refusing.root / "log"
    (refusing.site_packages / "sitecustomize.py").write_text("")
    (refusing.site_packages / "odd.pth").write_text('import odd # "\\ \u20ac \U0001f40d\n')
    for mode in ("refuse", "quiet"):
        refusing.launched("-c", "pass", SAFESITE_LOG=str(log), SAFESITE_MODE=mode)
    entries = [json.loads(line) for line in log.read_text("ascii").splitlines()]
    assert [(e["mode"], Path(e["file"]).name, e["line"], e["text"]) for e in entries[:3]] == [
        ("refuse", "foo.pth", 2, LINE.format("foo").rstrip()),
        ("refuse", "odd.pth", 1, 'import odd # "\\ \u20ac \U0001f40d'),
        ("refuse", "sitecustomize.py", 0, "sitecustomize"),
    ]
    assert [e["mode"] for e in entries] == ["refuse"] * 3 + ["quiet"] * 3
    assert {e["kind"] for e in entries} == {"import line", "customize module"}
    assert entries[0]["slug"] == "import-line"
    assert entries[0]["executable"] == str(refusing.python)
    assert entries[0]["python"].startswith(refusing.interpreter.version)


@pytest.mark.parametrize("target", ["missing/log", "fifo", "/dev/full"])
def test_log_that_cannot_be_written_is_named(refusing: Environment, target: str) -> None:
    os.mkfifo(refusing.work / "fifo")
    outcome = refusing.launched("-c", "print('ok')", SAFESITE_LOG=target)
    assert outcome.out == "ok\n"
    path = refusing.work / target
    assert outcome.reports[-1].startswith(f"safesite: SAFESITE_LOG: {path}: not written: ")


def test_log_stays_where_it_was_when_python_started(refusing: Environment) -> None:
    (refusing.work / "sub").mkdir()
    (refusing.work / "sub" / "more.pth").write_text("import os\n")
    code = "import os, site; os.chdir('sub'); site.addsitedir('.')"
    refusing.launched("-c", code, SAFESITE_LOG="log")
    assert len((refusing.work / "log").read_text("ascii").splitlines()) == 2


def test_log_is_ignored_under_e(refusing: Environment) -> None:
    refusing.launched("-c", "pass", options=("-E",), SAFESITE_LOG="log")
    assert not (refusing.work / "log").exists()


def test_a_program_is_told_mode_and_refusals(refusing: Environment) -> None:
    code = (
        "import safesite\n"
        "print(safesite.active())\n"
        "print([(r, r.file, r.line, r.kind, r.slug) for r in safesite.refusals()])\n"
    )
    text = LINE.format("foo").rstrip()
    for mode in ("refuse", "quiet"):
        outcome = refusing.launched("-c", code, SAFESITE_MODE=mode)
        told = [(text, pth(refusing), 2, "import line", "import-line")]
        assert outcome.out == f"{mode}\n{told}\n"
    for mode in ("allow", "warn", "skip"):
        assert refusing.launched("-c", code, SAFESITE_MODE=mode).out == f"{mode}\n[]\n"
    stock = refusing.stock("-c", "import safesite; print(safesite.active(), safesite.refusals())")
    assert stock.out == "None []\n"


def test_the_list_of_refusals_is_the_callers(refusing: Environment) -> None:
    code = "import safesite; safesite.refusals().clear(); print(len(safesite.refusals()))"
    assert refusing.launched("-c", code).out == "1\n"


def test_verbose_shows_stock_traces_and_every_decision(refusing: Environment) -> None:
    (refusing.site_packages / "many.pth").write_text("import os\n" * 20)
    for mode in ("refuse", "quiet"):
        outcome = refusing.launched("-c", "pass", options=("-v",), SAFESITE_MODE=mode)
        refused = [line for line in outcome.reports if "refused import line" in line]
        assert len(refused) == 21
        assert f"Processing .pth file: {pth(refusing)!r}" in outcome.err.splitlines()


def test_verbose_traces_are_those_of_stock(environment: Environment) -> None:
    (environment.site_packages / "foo.pth").write_text("entry\nmissing\nentry\n")
    (environment.site_packages / "entry").mkdir()

    def traces(text: str) -> list[str]:
        begins = ("Processing", "Adding dir", "Reading", "Extending", "In ", "Skipping")
        found = [line for line in text.splitlines() if line.startswith(begins)]
        return list(dict.fromkeys(found))  # a second reading of the same files is left out

    stock = traces(environment.stock("-v", "-c", "pass").err)
    assert any("foo.pth" in line for line in stock)
    assert traces(environment.launched("-c", "pass", options=("-v",)).err) == stock


# What it is given, it starts: itself once more, or another program, until a line is to be added.
RELAY = """\
import os, site, subprocess, sys
print([n for n in os.environ if n in ('SAFESITE_MODE', 'SAFESITE_LOG')], flush=True)
if sys.argv[1:2] == ['more']:
    site.addsitedir('more')
elif len(sys.argv) > 1:
    sys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode)
"""


def test_a_process_tree_reports_and_hints_once(refusing: Environment) -> None:
    (refusing.work / "app.py").write_text(RELAY)
    more = refusing.work / "more"
    more.mkdir()
    (more / "more.pth").write_text("import more\n")
    again = ("-S", "-m", "safesite", "app.py")
    outcome = refusing.launched("app.py", "app.py", *again, "more")
    assert outcome.out == "[]\n" * 3
    assert [line.rpartition(" ")[2] for line in outcome.reports] == [
        "(import-line)",
        "(hint)",
        "(import-line)",
    ]
    assert "more.pth:1: " in outcome.reports[-1]


def test_under_i_and_without_variables_a_child_reports_again(refusing: Environment) -> None:
    """It heeds no variable, or is given none."""
    code = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[2:]]{})"
    for options, given in ((("-I",), ""), ((), ", env={}")):
        outcome = refusing.launched("-c", code.format(given), "-", *options, "-c", "pass")
        reported = [line.rpartition(" ")[2] for line in outcome.reports]
        assert reported == ["(import-line)", "(hint)"] * 2


def test_the_hint_is_the_command_as_it_was_typed(refusing: Environment) -> None:
    for words in (
        ("python", "-S", "-m", "safesite"),
        ("python3", "-W", "ignore:it's", "-Smsafesite"),
        (str(refusing.python), "-X", "utf8=1", "-S", "-msafesite"),
    ):
        outcome = refusing.run(*words, "-c", "pass", "-m", "safesite")
        assert outcome.reports[1:] == [environments.hint(1, environments.advice(*words))]


def test_the_hint_is_without_a_command_that_cannot_be_typed(refusing: Environment) -> None:
    link = refusing.prefix / "bin" / "p\u00fcthon"
    link.symlink_to(refusing.python)
    outcome = refusing.run(link, "-S", "-m", "safesite", "-c", "pass")
    assert outcome.reports[1:] == [environments.hint(1, environments.advice())]


def test_a_report_of_a_later_call_is_capped_with_the_first(refusing: Environment) -> None:
    extra = refusing.root / "extra"
    extra.mkdir()
    (extra / "many.pth").write_text("".join(f"import os # {n}\n" for n in range(30)))
    code = f"import site; site.addsitedir({str(extra)!r})"
    outcome = refusing.launched("-c", code)
    assert sum("refused import line" in line for line in outcome.reports) == 10
    assert outcome.reports[-1] == "safesite: and 21 more"


def test_warn_runs_no_line_of_another_version_in_the_place_of_its_own(
    environment: Environment,
) -> None:
    # Up to 3.12 a form feed ends no line, so the numbers of the two readings differ.
    own, other = LINE.format("own"), LINE.format("other")
    text = f"x\n{own}y\x0c{other}"
    (environment.site_packages / "foo.pth").write_text(f"a\x0c{other}{own}{text}", "utf-8")
    environment.stock("-c", "pass")
    ran = environment.ran()
    environment.launched("-c", "pass", SAFESITE_MODE="warn")
    assert environment.ran() == ran
    assert ran == (["other", "own"] if environment.interpreter.number >= (3, 13) else ["own"])


@pytest.mark.rotated
def test_where_all_runs_a_missing_script_and_children_are_as_in_stock(
    environment: Environment,
) -> None:
    """In ``allow`` sys.executable is the interpreter itself."""
    assert environment.launched("nosuch.py", SAFESITE_MODE="allow") == environment.stock(
        "nosuch.py"
    )
    code = (
        "import subprocess, sys; print(sys.executable, subprocess._args_from_interpreter_flags())"
    )
    stock = environment.stock("-c", code)
    assert environment.launched("-c", code, SAFESITE_MODE="allow") == stock
