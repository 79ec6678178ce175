"""``--explain`` and ``--pending``: they tell what a start does, and run nothing to find out."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import test_conformance
from conftest import need
from environments import PACKAGE, Environment, Outcome
from interpreters import Interpreter
from test_conformance import CASE_LIST, Case, Run

from safesite import scan

pytestmark = pytest.mark.spread

START = PACKAGE / "command" / "start.py"
DOES = {"refused", "denied", "skipped"}  # what a program is told by safesite.refusals()
KEPT = {"deferred", "performed", "inert"}  # what -v tells
SILENT = ("customize-library", "customize-elsewhere")

# A program that tells what its own start has refused.
TOLD = """\
import json, safesite
print(json.dumps([[r.file, r.line, str(r), r.slug] for r in safesite.refusals()]))
"""


def explained(outcome: Outcome) -> dict[str, Any]:
    """Return the JSON that a command has printed, without what a distributor's Python has."""
    assert "Traceback" not in outcome.err, outcome.err
    data: dict[str, Any] = json.loads(outcome.out)
    assert data["exit"] == outcome.code
    data["findings"] = [
        found
        for found in data["findings"]
        if found["kind"] != "customize module" or "pytest-of-" in found["file"]
    ]
    return data


def explain(environment: Environment, *words: str, **more: str) -> dict[str, Any]:
    """Return what ``--explain --json`` tells."""
    return explained(environment.launched("--explain", "--json", *words, options=(), **more))


def decisions(data: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Return file name, line and decision of each finding."""
    found = data["findings"]
    return [(Path(f["file"]).name, f["line"], f["decision"]) for f in found]


# What it tells is what a start does.


def is_about_a_start(case: Case) -> bool:
    """Return whether all that a case tells of happens at the start, and not in its program."""
    data = case.read()
    return "target" not in data and not (case.folder / "work" / "app.py").exists()


STARTS = [case for case in CASE_LIST if is_about_a_start(case)]
assert len(STARTS) > 60, "the cases that are about a start were not found"


@pytest.fixture(params=test_conformance.selected(STARTS, pytest.mark.rotated, share=6))
def run(request: pytest.FixtureRequest, interpreter: Interpreter, tmp_path: Path) -> Run:
    """Each case whose startup code is met at the start, on each interpreter."""
    return test_conformance.prepare(request.param, interpreter, tmp_path / "environment")


def test_a_case_is_explained_as_it_is_run(run: Run) -> None:
    environment = run.environment
    (environment.work / "told.py").write_text(TOLD)
    run.data["target"] = ["--explain", "--json"]
    data = explained(run.launched())
    assert environment.ran() == []

    run.data["target"] = ["told.py"]
    run.data["options"] = [*run.options(), "-v"]
    run.data["environ"] = {**run.variables(), "PYTHONUNBUFFERED": "1"}
    launched = run.launched()
    told = launched.out.splitlines()[-1]
    refused = {(file, line, text) for file, line, text, _ in json.loads(told)}
    findings = [f for f in data["findings"] if f["slug"] not in SILENT]
    predicted = {(f["file"], f["line"], f["text"]) for f in findings if f["decision"] in DOES}
    if data["problems"]:  # what it tells has a cap
        assert data["exit"] == 2
        assert len(predicted) == scan.MOST_FINDINGS
        assert predicted < refused
        return
    assert predicted == {(file, line, text[:4096]) for file, line, text in refused}

    kept = {f"{f['file']}:{f['line']}: {f['decision']} {f['kind']}" for f in findings}
    traced = [line for line in launched.reports if any(f": {how} " in line for how in KEPT)]
    assert all(any(line.startswith(f"safesite: {k}") for k in kept) for line in traced), kept
    assert len(set(traced)) == sum(f["decision"] in KEPT for f in findings)

    allowed = [f for f in findings if f["decision"] == "allowed"]
    assert bool(allowed) >= bool(environment.ran())


# What it tells beside that.


def write(environment: Environment, **files: str) -> None:
    """Write files into the site directory; ``__`` stands for a dot."""
    for name, text in files.items():
        path = environment.site_packages / name.replace("__", ".")
        path.write_text(text)


def test_exit_codes(environment: Environment) -> None:
    assert explain(environment)["exit"] == 0
    write(environment, path__pth="entry\n")
    assert explain(environment)["exit"] == 0
    write(environment, foo__pth="import foo\n")
    assert explain(environment)["exit"] == 1
    assert environment.launched("--explain", "--nonsense").code == 2
    record = environment.site_packages / "foo-1.dist-info" / "RECORD"
    record.parent.mkdir()
    with record.open("wb") as file:
        file.truncate(200 << 20)
    data = explain(environment)
    assert (data["exit"], len(data["problems"])) == (2, 1)


def test_each_line_is_told_with_its_owner_module_and_remedy(environment: Environment) -> None:
    write(
        environment, foo__pth="entry\nimport foo\n# comment\n", foo__py="", bar__pth="import os\n"
    )
    (environment.site_packages / "entry").mkdir()
    data = explain(environment)
    (bar, entry, foo) = data["findings"]
    assert [f["decision"] for f in (bar, entry, foo)] == ["refused", "kept", "refused"]
    assert (foo["number"], bar["number"], entry["number"]) == (2, 1, None)
    assert foo["modules"] == [
        {"name": "foo", "form": "module", "where": str(environment.site_packages / "foo.py")}
    ]
    assert bar["modules"] == [{"name": "os", "form": "standard library", "where": ""}]
    assert foo["owner"] == {"state": "nobody", "claimants": []}
    python = shlex.quote(str(environment.python))
    assert foo["remedy"] == f"{python} -S -m safesite --allow -- foo.pth"


def test_what_a_helper_declares_is_told(environment: Environment) -> None:
    sp = environment.site_packages
    line = "import __editable___d_finder; __editable___d_finder.install()\n"
    (sp / "__editable__.d.pth").write_text(line)
    mapping = "MAPPING: dict[str, str] = {'demo': '/x', 'json': '/y'}\n"
    (sp / "__editable___d_finder.py").write_text(mapping)
    (found,) = explain(environment)["findings"]
    assert found["decision"] == "deferred"
    assert found["detail"] == "waits for an import of demo; never answers for json"
    (sp / "__editable___d_finder.so").write_text("")
    extension = environment.interpreter.run(
        "-S", "-c", "import _imp; print(_imp.extension_suffixes()[0])"
    )
    (sp / f"__editable___d_finder{extension.strip()}").write_text("")
    (found,) = explain(environment)["findings"]
    assert "cannot be used" in found["detail"]


def test_what_a_line_that_does_nothing_waits_for_is_told(environment: Environment) -> None:
    line = 'import os; exec(\'try: __import__("coloredlogs").auto_install() if os.environ.get('
    line += '"COLOREDLOGS_AUTO_INSTALL") else None\\nexcept ImportError: pass\')\n'
    write(environment, coloredlogs__pth=line, _virtualenv__pth="import _virtualenv\n")
    found = {
        Path(f["file"]).name: (f["decision"], f["detail"]) for f in explain(environment)["findings"]
    }
    assert found == {
        "coloredlogs.pth": ("inert", "waits for COLOREDLOGS_AUTO_INSTALL to be set"),
        "_virtualenv.pth": ("inert", "what it is for is there without it"),
    }


def test_files_that_are_not_read_are_told(environment: Environment) -> None:
    write(environment, UPPER__PTH="import os\n", start__start="os:getcwd\n")
    found = decisions(explain(environment))
    called = "refused" if environment.interpreter.number >= (3, 15) else "ignored"
    assert found == [("UPPER.PTH", 0, "ignored"), ("start.start", 1, called)]


def test_a_mode_is_explained_as_it_is(environment: Environment) -> None:
    write(environment, foo__pth="import os\n")
    for mode, decision in (("allow", "allowed"), ("warn", "allowed"), ("skip", "ignored")):
        data = explain(environment, SAFESITE_MODE=mode)
        assert (data["mode"], decisions(data)) == (mode, [("foo.pth", 1, decision)])
    error = environment.launched(
        "--explain", "--json", options=("-W", "error::DeprecationWarning"), SAFESITE_MODE="warn"
    )
    (found,) = explained(error)["findings"]
    assert (found["decision"], found["slug"]) == ("refused", "warning-is-error")


def test_the_user_site_and_pythonpath_are_looked_at(environment: Environment) -> None:
    environment = Environment(environment.interpreter, environment.root, system_site=True)
    cfg = environment.prefix / "pyvenv.cfg"
    cfg.write_text(cfg.read_text().replace("false", "true"))
    environment.user_site.mkdir(parents=True)
    (environment.user_site / "user.pth").write_text("import user\n")
    folder = environment.root / "pythonpath"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("")
    data = explain(environment, PYTHONPATH=str(folder))
    found = [d for d in decisions(data) if d[0] in ("user.pth", "sitecustomize.py")]
    assert ("user.pth", 1, "refused") in found
    assert ("sitecustomize.py", 0, "refused") in found
    assert "usercustomize" not in str(found)


def test_a_folder_that_was_unpacked_is_looked_at_alone(
    environment: Environment, tmp_path: Path
) -> None:
    write(environment, own__pth="import os\n")
    layer = tmp_path / "layer"
    (layer / "inner").mkdir(parents=True)
    (layer / "other.pth").write_text("inner\nimport other\n")
    (layer / "inner" / "sitecustomize.py").write_text("")
    (layer / "usercustomize.py").write_text("")
    data = explain(environment, "--site-dir", str(layer))
    found = {(name, decision) for name, _, decision in decisions(data)}
    assert found == {
        ("other.pth", "kept"),
        ("other.pth", "refused"),
        ("sitecustomize.py", "refused"),
        ("usercustomize.py", "refused"),
    }
    missing = explain(environment, "--site-dir", str(tmp_path / "none"))
    assert (missing["exit"], missing["findings"]) == (2, [])


def test_another_interpreter_is_explained_by_itself(environment: Environment) -> None:
    write(environment, foo__pth="import os\n")
    ours = Environment(need("3.13"), environment.root).interpreter.path
    done = environment.run(ours, "-S", START, "--explain", "--json", "--python", environment.python)
    data = explained(done)
    assert data["python"].startswith(environment.interpreter.version + ".")
    assert decisions(data) == [("foo.pth", 1, "refused")]
    done = environment.run(ours, START, "--pending", f"--python={environment.prefix}")
    assert "[1]" in done.out


def test_a_process_that_has_run_startup_code_says_so(environment: Environment) -> None:
    write(environment, foo__pth='import os; open(os.environ["MARKERS"] + "/ran", "w")\n')
    done = environment.run(environment.python, "-m", "safesite", "--explain", "--json")
    assert environment.ran() == ["ran"]
    assert done.reports == [
        "safesite: this Python has run startup code already; one that has not answers (late)"
    ]
    assert decisions(explained(done)) == [("foo.pth", 1, "refused")]


COMMANDS = (
    ("--explain",),
    ("--explain", "--json"),
    ("--explain", "--sarif"),
    ("--pending",),
    ("--allow", "--yes", "foo.pth"),
    ("--allow-line", "--yes", "foo.pth"),
    ("--deny", "--yes", "foo.pth"),
    ("--prune", "--yes"),
)


def test_no_command_runs_a_byte_of_what_it_reads(environment: Environment) -> None:
    """Every place holds a module for every name of the standard library, and for ``org``."""
    leave = 'import os as _os\n_os.open(_os.environ["MARKERS"] + "/" + __name__, 64 | 1)\n'
    code = "import sys; print(*sorted(sys.stdlib_module_names))"
    names = {*environment.interpreter.run("-I", "-S", "-c", code).split(), "org", "hook"}
    names |= {"sitecustomize", "usercustomize"}
    for folder in (environment.site_packages, environment.prefix / "bin", environment.work):
        for name in names:
            path = folder / f"{name}.py"
            if not path.exists():
                path.write_text(leave)
    write(environment, foo__pth="import hook\nimport json\n", foo__start="hook:go\n")
    for command in COMMANDS:
        done = environment.run(environment.python, "-S", START, *command)
        assert "Traceback" not in done.err, done.err
        assert environment.ran() == [], command


def test_the_command_that_is_advised_works_as_it_is_pasted(environment: Environment) -> None:
    name = "it's $(touch PWNED) a;b.pth"
    (environment.site_packages / name).write_text("import os\n")
    (found,) = explain(environment)["findings"]
    words = shlex.split(found["remedy"])
    assert words[-2:] == ["--", name]
    pasted = found["remedy"].replace(" -- ", f" --yes --policy {environment.root}/policy -- ")
    done = environment.run("/bin/sh", "-c", pasted)
    assert "Traceback" not in done.err
    assert not (environment.work / "PWNED").exists()


def test_a_name_that_needs_escaping_gets_a_number(environment: Environment) -> None:
    (environment.site_packages / "a\x1b[2J\nsafesite: b.pth").write_text("import os\n")
    done = environment.launched("--pending")
    assert [line[:14] for line in done.out.splitlines()] == ["safesite: [1] ", "safesite: to s"]
    assert done.out.isascii()
    assert "\x1b" not in done.out
    (found,) = explain(environment)["findings"]
    assert found["remedy"].endswith(" --allow -- 1")


def test_nothing_is_left_on_the_path_of_a_command() -> None:
    """In this very process: a scan gives back sys.path and sys.meta_path."""
    path, finders = sys.path[:], sys.meta_path[:]
    with scan.Scan(["/elsewhere"], []):
        assert sys.path == ["/elsewhere"]
        assert len(sys.meta_path) == 3
    assert (sys.path, sys.meta_path) == (path, finders)


def test_a_closed_stdout_is_no_error(environment: Environment) -> None:
    write(environment, foo__pth="import os\n" * 5000)
    done = environment.run(
        "/bin/sh", "-c", f"{environment.python} -S {START} --explain | head -c 10; echo"
    )
    assert "Traceback" not in done.err
    assert "BrokenPipe" not in done.err


def test_a_read_only_place_without_home_is_explained(environment: Environment) -> None:
    write(environment, foo__pth="import os\n")
    done = environment.run("env", "-i", environment.python, "-S", START, "--explain", "--json")
    assert decisions(explained(done)) == [("foo.pth", 1, "refused")]


def test_what_stock_prints_meanwhile_is_not_shown(environment: Environment) -> None:
    """3.15 tells of entries that are not there, and of what is no entry point, without escaping."""
    (environment.site_packages / "a.pth").write_text("\x1b[2Jsafesite: nothing is refused\n")
    (environment.site_packages / "b.start").write_text("\x1b[2Jno entry point\n")
    for command in ("--explain", "--pending"):
        done = environment.launched(command)
        assert done.err == ""
        assert "\x1b" not in done.out


def test_two_files_of_one_name_are_told_apart(environment: Environment, tmp_path: Path) -> None:
    layers = [tmp_path / name for name in ("one", "two")]
    for layer in layers:
        layer.mkdir()
        (layer / "foo.pth").write_text("import os\n")
    data = explain(environment, *(f"--site-dir={layer}" for layer in layers))
    remedies = [found["remedy"].rpartition(" ")[2] for found in data["findings"]]
    assert remedies == [str(layer / "foo.pth") for layer in layers]


@pytest.mark.parametrize("form", ["--json", "--sarif"])
def test_hostile_text_stays_text(environment: Environment, form: str) -> None:
    (environment.site_packages / "a\u202e\x1b.dist-info").mkdir()
    (environment.site_packages / "b;touch PWNED;.pth").write_text(
        'import os; "\u2028\x1b]0;x\x07"\n'
    )
    done = environment.launched("--explain", form)
    assert done.out.isascii()
    assert "\x1b" not in done.out
    json.loads(done.out)
