"""The startup benchmark: what it compares, how it counts, its reports, its gates."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import session  # noqa: E402 - found in the folder that was just added
import startup  # noqa: E402
from chart import NAMESPACE, svg  # noqa: E402
from comparisons import WAYS, Comparison, OwnCommand, Side, list_comparisons  # noqa: E402
from gates import Gate, judge, unmatched  # noqa: E402
from measure import Numbers, Wall  # noqa: E402
from profiles import GROWTH, PROFILES, Profile  # noqa: E402
from pythons import CannotMeasure, Interpreter, find_interpreter  # noqa: E402
from results import Report, Result, as_json, markdown, text_table  # noqa: E402
from store import Environment, fingerprint, make_venv  # noqa: E402

PYTHON = Interpreter("cpython", "3.13.0", "3.13.0 (main)", "python3.13", Path("/x/python3.13"))
EMPTY = PROFILES[0]
STEADY = [0.010, 0.011, 0.010]


def numbers(count: int = 0, *, times: list[float] | None = None) -> Numbers:
    counts = (count, count) if count else ()
    return Numbers(counts, times if times is not None else STEADY, 40, 30, 9000)


def result(name: str, above: Numbers, below: Numbers, profile: Profile = EMPTY) -> Result:
    sides = (
        Side(PYTHON, profile, ("{safesite}", "app.py")),
        Side(PYTHON, profile, ("{python}", "app.py")),
    )
    return Result(Comparison(name, *sides), above, below)


def report(*results: Result, gates: tuple[str, ...] = ()) -> Report:
    verdicts = judge([Gate.parse(gate) for gate in gates], list(results))
    return Report("0.1.0", "Linux", "valgrind-3.19.0", list(results), verdicts)


ORDINARY = (
    result("empty/command", numbers(1050), numbers(1000)),
    result("typical/command", numbers(850), numbers(1000)),
)


# What is compared


def test_each_profile_is_compared_in_each_way() -> None:
    names = [comparison.name for comparison in list_comparisons(PYTHON, PROFILES, [])]
    profiles = ("empty", "typical", "many", "refused", "subprocess")
    assert names == [f"{p}/{way}" for p in profiles for way in WAYS]


def test_growth_has_four_sizes_of_files_and_of_entries_and_two_policies() -> None:
    assert [p.name for p in GROWTH] == [
        *(f"{what}-{size}" for what in ("files", "entries") for size in (1, 10, 100, 1000)),
        "policy-10",
        "policy-10000",
    ]


def test_a_program_that_imports_is_compared_with_itself_among_no_packages() -> None:
    last = list_comparisons(PYTHON, PROFILES, [])[-1]
    assert last.subject.template == last.baseline.template
    assert last.subject.profile.editable
    assert not last.baseline.profile.editable
    assert last.baseline.profile.program == "import subprocess"


@pytest.mark.parametrize(
    "text, label, words",
    [
        ("python3.13-patched", "python3.13-patched", ("python3.13-patched",)),
        ("/opt/python -X dev", "python", ("/opt/python", "-X", "dev")),
        ("bare={python} -S", "bare", ("{python}", "-S")),
        ("a='b c' d", "a", ("b c", "d")),
    ],
)
def test_a_command_is_read_with_its_name(text: str, label: str, words: tuple[str, ...]) -> None:
    assert OwnCommand.parse(text) == OwnCommand(label, words)


@pytest.mark.parametrize("text", ["", " ", "script", "module={python}", "a='"])
def test_a_command_that_cannot_be_named_or_split_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        OwnCommand.parse(text)


def test_a_command_is_compared_with_stock_in_every_profile() -> None:
    own = OwnCommand.parse("bare={python} -S")
    found = {c.name: c for c in list_comparisons(PYTHON, PROFILES, [own])}
    assert found["many/bare"].subject.template == ("{python}", "-S", "app.py")
    assert found["many/bare"].about.startswith("bare app.py / python app.py: 1,000 startup files")
    assert "subprocess/bare" in found


def test_what_is_no_interpreter_is_named() -> None:
    with pytest.raises(CannotMeasure, match="'true' does not answer as a Python interpreter"):
        find_interpreter("true")
    with pytest.raises(CannotMeasure, match="there is no program 'no-such-python'"):
        find_interpreter("no-such-python")


def test_an_interpreter_is_found_behind_an_environment() -> None:
    found = find_interpreter(sys.executable)
    assert found.release == sys.version.split()[0]
    assert found.path == Path(os.path.realpath(sys.executable))


def test_a_fingerprint_sees_what_changes_but_safesite_and_bytecode(tmp_path: Path) -> None:
    environment = Environment(find_interpreter(sys.executable), EMPTY, tmp_path / "root")
    make_venv(environment)
    before = fingerprint(environment)
    for folder in ("safesite", "__pycache__"):
        (environment.site_packages / folder).mkdir()
        (environment.site_packages / folder / "x.py").write_text("")
    assert fingerprint(environment) == before
    (environment.site_packages / "x.pth").write_text("import os\n")
    assert fingerprint(environment) != before


# Numbers


@pytest.mark.parametrize(
    "times, remark",
    [
        ([1.0, 1.05, 1.0, 0.98], ""),
        ([1.0, 1.3, 1.0, 1.2], "standard deviation 13% of the mean"),
        ([1.0] * 60 + [1.52], "an extreme 51% off the mean"),
    ],
)
def test_unstable_times_are_told(times: list[float], remark: str) -> None:
    assert Wall(tuple(times)).remark() == remark


def test_counts_that_differ_are_told() -> None:
    assert Numbers((1_000_000, 1_000_400)).remark() == ""
    assert Numbers((1_002_000, 1_000_000)).remark() == "repeats differ: 1,000,000 to 1,002,000"
    assert Numbers((1_002_000, 1_000_000)).instructions == 1_000_000


def test_ratios_are_of_counts_and_of_medians() -> None:
    times = [0.5, 0.021, 0.020]
    one = result("empty/command", numbers(1100, times=times), numbers(1000, times=[0.010] * 3))
    assert one.ratio("instructions") == 1.1
    assert one.ratio("wall") == pytest.approx(2.1)
    assert one.ratio("modules") == 1


def test_what_was_not_measured_has_no_ratio() -> None:
    one = result("empty/command", Numbers(), Numbers())
    assert one.ratio_or_none("wall") is None
    with pytest.raises(ValueError, match="instructions of empty/command was not measured"):
        one.ratio("instructions")


# Gates


@pytest.mark.parametrize("text", ["empty/script", "=1.0", "a=", "a=b", "a=-1", "a=0", "a=nan", ""])
def test_a_gate_without_a_name_or_a_ratio_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Gate.parse(text)


def test_a_gate_judges_every_comparison_that_it_names() -> None:
    verdicts = report(*ORDINARY, gates=("*/command=1.0", "empty/*=1.05")).verdicts
    assert [(v.name, v.measured, v.held) for v in verdicts] == [
        ("empty/command", 1.05, False),
        ("typical/command", 0.85, True),
        ("empty/command", 1.05, True),
    ]
    assert str(verdicts[0]) == (
        "empty/command on CPython 3.13.0: 1.0500 times the instructions, "
        "more than the 1.0000 allowed"
    )


def test_a_gate_that_names_nothing_is_found() -> None:
    gates = [Gate("empty/*", 1), Gate("emtpy/*", 1)]
    assert unmatched(gates, ["empty/script"]) == ["emtpy/*"]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--max-ratio", "emtpy/script=1"], "no comparison that is measured has this name"),
        (["--max-ratio", "many/*=1", "--only", "empty/*"], "no comparison that is measured"),
        (["--max-ratio", "*=1", "--no-instructions"], "--max-ratio needs the instructions"),
        (["--svg", "x.svg", "--no-instructions"], "--svg needs the instructions"),
        (["--only", "nothing"], "no comparison has such a name; see --list"),
        (["--python", "no-such-python"], "there is no program 'no-such-python'"),
        (["--command", "a=true", "--command", "a=false"], "two commands have one name"),
        (["--no-instructions", "--safesite", "/nonexistent"], "there is no package safesite in"),
    ],
)
def test_what_cannot_be_measured_ends_with_2_and_a_sentence(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert startup.main(options) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.startswith("startup.py: ")
    assert (out, err.count("\n")) == ("", 1)


def test_a_gate_without_valgrind_ends_with_2_and_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert startup.main(["--max-ratio", "empty/script=1"]) == 2
    assert capsys.readouterr().err == (
        "startup.py: --max-ratio needs the count of instructions: "
        "install the package valgrind of your distribution\n"
    )


@pytest.mark.parametrize("option", ["--rounds=1", "--rounds=x", "--max-ratio=1", "--command="])
def test_a_malformed_value_is_a_usage_error(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        startup.main([option])
    assert ended.value.code == 2
    assert option.partition("=")[0] in capsys.readouterr().err


def test_the_list_names_each_comparison_once(capsys: pytest.CaptureFixture[str]) -> None:
    python = [f"--python={sys.executable}"] * 2
    assert startup.main([*python, "--list", "--only", "*/script"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [f"{p.name}/script" for p in PROFILES]


# Reports


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - the benchmark's own output


HOSTILE = "empty/<b>|`*&\n"


def test_the_table_has_a_row_for_each_comparison_and_marks_what_is_unstable() -> None:
    unstable = numbers(1050, times=[1.0, 2.0, 1.0])
    rows = text_table(report(result("empty/command", unstable, numbers(1000)))).splitlines()
    assert rows[0] == "CPython 3.13.0, safesite 0.1.0, Linux"
    assert rows[3].split()[:2] == ["empty/command", "1.050"]
    assert "100.000!" in rows[3]
    assert rows[4] == "! empty/command: wall: standard deviation 43% of the mean / steady"


def test_the_table_shows_a_dash_for_what_was_not_measured() -> None:
    row = text_table(report(result("empty/command", Numbers(), Numbers()))).splitlines()[3]
    assert row.split() == ["empty/command", *"-------"]


def test_markdown_keeps_its_columns_whatever_a_name_holds() -> None:
    text = markdown(report(*ORDINARY, result(HOSTILE, numbers(2), numbers(1))))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {9}
    assert r"empty/\<b\>\|\`\*\&" in rows[-1]


def test_markdown_lists_the_verdicts() -> None:
    lines = markdown(report(*ORDINARY, gates=("*=1",))).splitlines()
    assert [line[:4] for line in lines[-2:]] == ["- ❌ ", "- ✅ "]


def test_json_holds_raw_numbers_ratios_and_verdicts() -> None:
    found = json.loads(as_json(report(*ORDINARY, gates=("empty/*=1",))))
    assert found["schema"] == 1
    assert (found["safesite"], found["valgrind"]) == ("0.1.0", "valgrind-3.19.0")
    (interpreter,) = found["interpreters"]
    assert interpreter["version"] == "3.13.0"
    first = interpreter["comparisons"][0]
    assert first["name"] == "empty/command"
    assert first["ratios"]["instructions"] == 1.05
    assert first["subject"] == {
        "command": "safesite app.py",
        "interpreter": "3.13.0",
        "instructions": 1050,
        "instructions_repeats": [1050, 1050],
        "wall": {
            "rounds": 3,
            "median": 0.010,
            "stdev": pytest.approx(0.000577, abs=1e-6),
            "minimum": 0.010,
            "maximum": 0.011,
            "unstable": None,
        },
        "modules": 40,
        "files": 30,
        "memory_kib": 9000,
    }
    assert found["gates"] == [
        {
            "name": "empty/command",
            "interpreter": "CPython 3.13.0",
            "measured": 1.05,
            "allowed": 1.0,
            "held": False,
        }
    ]


def test_json_says_null_for_what_was_not_measured() -> None:
    found = json.loads(as_json(report(result("empty/command", Numbers(), Numbers()))))
    subject = found["interpreters"][0]["comparisons"][0]["subject"]
    assert (subject["instructions"], subject["wall"], subject["modules"]) == (None, None, None)


def test_the_chart_is_well_formed_and_described() -> None:
    root = parsed(svg(report(*ORDINARY, result(HOSTILE, numbers(2), numbers(1)))))
    names = {"svg": NAMESPACE}
    assert len(root.findall("svg:rect", names)) == 3
    assert "CPython 3.13.0" in (root.findtext("svg:title", "", names))
    assert "empty/command 1.050 on CPython 3.13.0" in root.findtext("svg:desc", "", names)
    widths = [float(bar.attrib["width"]) for bar in root.findall("svg:rect", names)]
    assert widths[0] / widths[1] == pytest.approx(1.05 / 0.85, rel=0.01)


# A real run


@pytest.fixture
def valgrind() -> None:
    """Skip without valgrind, or fail where all must be there."""
    if not shutil.which("valgrind"):
        if os.environ.get("CI") == "true":
            pytest.fail("valgrind is not installed", pytrace=False)
        pytest.skip("valgrind is not installed")


SHELL = "--command=shell=sh -c 'exec {python} app.py'"


@pytest.mark.usefixtures("valgrind")
def test_a_run_counts_a_shell_that_becomes_python_and_gates(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(session, "REPEATS", 1)  # how far repeats lie apart is tested above
    chosen = ["--no-wall", "--only=empty/script", "--only=empty/shell", SHELL]
    gates = ["--max-ratio=empty/script=100", "--max-ratio=empty/shell=1"]
    chart = ["--svg", str(tmp_path / "chart.svg")]
    assert startup.main([*chosen, *gates, *chart, "--json=-"]) == 1
    out, err = capsys.readouterr()
    assert re.fullmatch(r"startup\.py: empty/shell on .* more than the 1\.0000 allowed\n", err)
    script, shell = json.loads(out)["interpreters"][0]["comparisons"]
    stock = script["baseline"]["instructions"]
    assert stock < shell["subject"]["instructions"] < stock + 2_000_000, "stock, and a shell"
    assert script["subject"]["modules"] > script["baseline"]["modules"] > 20
    assert script["baseline"]["wall"] is None
    assert parsed((tmp_path / "chart.svg").read_text("utf-8")).tag.endswith("svg")


def test_a_command_that_starts_python_as_a_child_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    child = "--command=inner=sh -c '{python} app.py; true'"
    assert startup.main(["--no-instructions", "--only=empty/inner", child]) == 2
    assert "starts Python as a child; it must become it (exec)" in capsys.readouterr().err


def test_the_readme_names_only_comparisons_that_there_are() -> None:
    text = (BENCHMARKS / "README.md").read_text("utf-8")
    known = {c.name for c in list_comparisons(PYTHON, PROFILES + GROWTH, [])}
    profiles = "|".join(p.name for p in PROFILES)
    named = set(re.findall(rf"\b(?:{profiles})/[a-z]+\b", text))
    assert named
    assert named <= known
