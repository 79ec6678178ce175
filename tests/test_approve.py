"""``--allow``, ``--allow-line``, ``--deny``, ``--prune``: what they record, and what that allows.

End to end, through the command: a policy is edited, and then a start obeys it.  Whatever does not
depend on Python's version is tested on one.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import environments
import policies
import pytest
from conftest import need
from environments import PACKAGE, TIMEOUT, Environment, Outcome
from installers import Builder, make_once
from test_observables import LAUNCHER
from test_terminal import Session, hold

from safesite import approve, core, keep, names, policyfile

SOME = ("3.10", "3.13", "3.15")  # where the import system matters
NOBODY = 65534
QUESTION = " [y/N] "
MARK = "import os\nopen(os.path.join(os.environ['MARKERS'], __name__), 'w').close()\n"
LINE = "import helper"


@pytest.fixture
def trusted() -> Iterator[Path]:
    """A folder in which a policy counts."""
    with policies.trusted_folder() as folder:
        yield folder


@pytest.fixture
def environment(trusted: Path) -> Environment:
    """An environment with one startup file, whose line imports a module that leaves a marker."""
    return fill(environments.make(need("3.13"), trusted / "environment"))


def fill(environment: Environment) -> Environment:
    """Put a startup file and its module into an environment."""
    put(environment, "foo.pth", f"{LINE}\n")
    put(environment, "helper.py", MARK)
    return environment


def put(environment: Environment, name: str, text: str | bytes) -> Path:
    """Write a file in the site directory."""
    path = environment.site_packages / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def policy_of(environment: Environment) -> Path:
    """Return where the user's policy is, or will be."""
    return environment.home / ".config" / "safesite" / "policy"


def allow(environment: Environment, *words: str | Path, **more: str) -> Outcome:
    """Allow names, as a script does."""
    return check(environment.launched("--allow", "--yes", *words, options=(), **more))


def check(outcome: Outcome) -> Outcome:
    """Check that a command has worked, and that all it printed is plain lines of safesite."""
    assert (outcome.code, outcome.err) == (0, "")
    assert_plain(outcome)
    return outcome


def assert_plain(outcome: Outcome) -> None:
    """Check that nothing could mislead the reader of a terminal."""
    text = outcome.out + outcome.err
    assert all(line.startswith("safesite: ") for line in text.splitlines()), text
    assert text.isascii() and text.replace("\n", "").isprintable()  # noqa: PT018 - one claim


def not_recorded(environment: Environment, outcome: Outcome, message: str) -> None:
    """Check that a command has failed with one sentence, and that there is no policy."""
    assert (outcome.code, outcome.out) == (2, "")
    assert_plain(outcome)
    assert message in outcome.err
    assert not policy_of(environment).exists()


def starts(environment: Environment, **more: str) -> tuple[list[str], str]:
    """Start a program; return what has run before it, and what safesite says."""
    done = environment.launched("-c", "", options=(), **more)
    assert done.code == 0
    return environment.ran(), done.err


def runs(environment: Environment, **more: str) -> bool:
    """Return whether the startup code runs; it is refused aloud, or is silent."""
    ran, said = starts(environment, **more)
    assert bool(ran) != bool(said), said
    return bool(ran)


def ask(environment: Environment, *words: str, answers: tuple[str, ...]) -> tuple[int, str]:
    """Give a command in a terminal, and answer its questions; return exit code and what it shows.

    What is typed is not shown.
    """
    steps = tuple((QUESTION, answer) for answer in answers)
    code, shown = hold(environment, Session(steps, words), LAUNCHER)
    return code, shown.replace("\r\n", "\n")


def entries(environment: Environment) -> list[list[str]]:
    """Return the words of each entry of the user's policy."""
    lines = policy_of(environment).read_text("ascii").splitlines()
    return [line.partition("  # ")[0].split() for line in lines]


# The transcript of the README, with the package that has most startup code in the wild.

COVERAGE_LINE = (
    'import sys; exec(\'\\n\\n\\n\\n\\n\\nimport os\\n\\nif os.getenv("COVERAGE_PROCESS_START") or '
    'os.getenv("COVERAGE_PROCESS_CONFIG"):\\n try:\\n  import coverage\\n except:\\n  pass\\n '
    'else:\\n  coverage.process_startup(slug="pth")\\n\')'
)
COVERED = """\
import sys
print("coverage" in sys.modules and sys.modules["coverage"].Coverage.current() is not None)
"""


@pytest.fixture(params=["3.10", "3.13"])
def covered(
    request: pytest.FixtureRequest, shared: Path, builder: Builder, trusted: Path
) -> Environment:
    """An environment with coverage, in which each process is to be measured."""
    version: str = request.param
    fetched = shared / f"coverage-{version.replace('.', '-')}"
    wanted = ("--no-deps", "--only-binary", ":all:", "--python", need(version).path)
    uv = (builder.uv, "pip", "install", "--quiet", "--target", fetched, *wanted)
    make_once(fetched, lambda: builder.run("coverage", *uv, "coverage==7.13.0"))
    settings = trusted / "coverage.ini"
    settings.write_text("[run]\nparallel = true\n")
    root = trusted / "environment"
    made = environments.make(need(version), root, COVERAGE_PROCESS_START=str(settings))
    shutil.copytree(fetched, made.site_packages, dirs_exist_ok=True)
    return made


def test_coverage_is_allowed_as_long_as_it_is_what_it_was(covered: Environment) -> None:
    package = covered.site_packages / "coverage"
    pth = covered.site_packages / "a1_coverage.pth"
    before = covered.launched("-c", COVERED)
    assert before.out == "False\n"
    refusal = f"safesite: {pth}:1: refused import line: "
    assert before.reports[0].startswith(refusal)

    done = allow(covered, "a1_coverage.pth")
    policy = policy_of(covered)
    digest, owner = policies.module_digest(package), "claimed by coverage 7.13.0, unchanged"
    assert done.out.splitlines() == [
        f"safesite: {policy}: recorded: allow {pth}:1: import line {COVERAGE_LINE!a}; {owner}",
        f"safesite:   line {policies.line_digest(COVERAGE_LINE)} (sha256)",
        f"safesite:   module coverage: {package}: {digest} (sha256 of its files)",
        "safesite:   module os: of the standard library, wherever that is",
        "safesite:   module sys: of the standard library, wherever that is",
    ]
    entry = policies.allow(
        "a1_coverage.pth", COVERAGE_LINE, coverage=package, os="library", sys="library"
    )
    today = dt.datetime.now(dt.timezone.utc).date().isoformat()
    comment = f"  # coverage 7.13.0, {today}: import sys; exec('"
    assert policy.read_text().startswith(entry + comment)
    assert str(covered.root) not in policy.read_text()

    for _ in range(2):  # the first start also writes bytecode
        after = covered.launched("-c", COVERED)
        assert (after.out, after.reports) == ("True\n", [])

    extension = next(package.glob("tracer*.so"))
    for path in (package / "control.py", package / "htmlfiles" / "style.css", extension):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert_withdrawn(covered, refusal)
        path.write_bytes(content)
    (package / "more.txt").touch()
    assert_withdrawn(covered, refusal)
    (package / "more.txt").unlink()
    (package / "py.typed").rename(package / "py.type")
    assert_withdrawn(covered, refusal)
    (package / "py.type").rename(package / "py.typed")
    assert covered.launched("-c", COVERED).out == "True\n"


def assert_withdrawn(environment: Environment, refusal: str) -> None:
    """Check that coverage does not start, and that the reason is told."""
    done = environment.launched("-c", COVERED)
    assert done.out == "False\n"
    assert done.reports[0].startswith(refusal)
    assert done.reports[0].endswith(": coverage has changed since it was allowed (withdrawn)")


# Names.


def test_a_path_means_that_file_alone(environment: Environment, trusted: Path) -> None:
    path = environment.site_packages / "foo.pth"
    allow(environment, path)
    assert entries(environment)[0][:2] == ["allow", str(path)]
    assert runs(environment)
    other = fill(environments.make(need("3.13"), trusted / "other"))
    assert not runs(other, SAFESITE_POLICY=str(policy_of(environment)))


@pytest.mark.parametrize("name", ["sitecustomize", "usercustomize"])
def test_a_customize_module_is_bound_to_its_content(environment: Environment, name: str) -> None:
    environment = Environment(environment.interpreter, environment.root, system_site=True)
    environment.write_configuration(environment.interpreter)  # or there is no user site
    (environment.site_packages / "foo.pth").unlink()
    module = put(environment, f"{name}.py", MARK)
    done = allow(environment, name)
    digests = (policies.line_digest(name), policies.module_digest(module))
    assert entries(environment) == [
        ["allow", name, f"line={digests[0]}", f"{name}={digests[1]}"],
    ]
    assert f"recorded: allow {module}: customize module '{name}'; claimed by no package" in done.out
    ran, said = starts(environment)  # of the base, another startup file may be refused
    assert (ran, name in said) == ([name], False)
    module.write_text(f"{MARK}#")
    ran, said = starts(environment)
    assert ran == []
    assert f"{name} has changed since it was allowed (withdrawn)" in said
    line = environment.launched("--allow-line", "--yes", name)
    assert line.code == 2
    assert "a customize module has no line to bind to; use --allow" in line.err


def test_an_entry_point_is_bound_to_its_module(trusted: Path) -> None:
    environment = environments.make(need("3.15"), trusted / "environment")
    put(environment, "foo.start", "helper:start\n")
    put(environment, "helper.py", f"{MARK}\ndef start(): pass\n")
    allow(environment, "foo.start")
    assert runs(environment)
    put(environment, "helper.py", f"{MARK}\ndef start(): 'not me'\n")
    assert not runs(environment)


def test_each_line_of_a_file_is_bound_by_itself(environment: Environment) -> None:
    put(environment, "foo.pth", f"{LINE}\nimport other\n")
    put(environment, "other.py", MARK)
    allow(environment, "foo.pth")
    assert starts(environment) == (["helper", "other"], "")
    put(environment, "other.py", f"{MARK}#")
    ran, said = starts(environment)
    assert ran == ["helper"]
    assert "foo.pth:2: refused import line: 'import other': other has changed" in said


def test_modules_in_a_namespace_package_are_told_apart(environment: Environment) -> None:
    put(environment, "foo.pth", "import shared.one, shared.two\n")
    places = [put(environment, f"shared/{name}.py", MARK) for name in ("one", "two")]
    done = allow(environment, "foo.pth")
    for name, place in zip(("one", "two"), places, strict=True):
        assert f"module shared.{name}: {place}: {policies.module_digest(place)} (" in done.out
    assert starts(environment) == (["shared.one", "shared.two"], "")
    put(environment, "shared/two.py", f"{MARK}#")
    assert not runs(environment)


def test_pending_numbers_what_nobody_has_reviewed(environment: Environment) -> None:
    put(environment, "bar.pth", "import one\nimport two\n")
    place = environment.site_packages
    pending = environment.launched("--pending")
    assert (pending.code, pending.err) == (1, "")
    lines = pending.out.splitlines()
    assert lines[:3] == [
        f"safesite: [1] {place}/bar.pth:1: import line: 'import one' (import-line)",
        f"safesite: [2] {place}/bar.pth:2: import line: 'import two' (import-line)",
        f"safesite: [3] {place}/foo.pth:1: import line: 'import helper' (import-line)",
    ]
    assert len(lines) == 4

    code, shown = ask(environment, "--deny", "1", answers=("y\r",))
    assert code == 0
    assert f"{place}/bar.pth:1: import line 'import one'" in shown
    assert entries(environment) == [["deny", "bar.pth"]]
    lines = environment.launched("--pending").out.splitlines()
    assert (
        lines[0] == f"safesite: [1] {place}/foo.pth:1: import line: 'import helper' (import-line)"
    )
    assert ask(environment, "--allow", "1", answers=("y\r",))[0] == 0
    assert environment.launched("--pending").out == (
        "safesite: nothing is refused that nobody has reviewed\n"
    )
    assert starts(environment) == (["helper"], "")


@pytest.mark.parametrize(
    "words, message",
    [
        (("--allow", "--yes", "1"), "a number is not taken with --yes: another line may have it"),
        (("--deny", "--yes", "1"), "a number is not taken with --yes: another line may have it"),
        (("--allow", "--yes", "helper"), "'helper': a distribution is not taken with --yes"),
        (("--deny", "--yes", "helper"), "'helper': a distribution is not taken with --yes"),
        (("--allow", "9"), "there is no refusal 9; see --pending"),
        (("--allow", "helper"), "'helper': no distribution of that name has startup code here"),
        (("--allow", "--yes", "gone.pth"), "'gone.pth': nothing of that name has startup code"),
        (("--allow", "--yes", "/gone.pth"), "'/gone.pth': nothing of that name has startup code"),
        (("--allow", "--yes", "sitecustomize"), "nothing of that name has startup code here"),
        (("--allow", "--yes", "foo.pth", "gone.pth"), "'gone.pth': nothing of that name"),
        (("--allow",), "the following arguments are required: NAME; see --help (usage)"),
        (("--allow", "--yes", "--sys", "foo.pth"), "unrecognized arguments: --sys; see --help"),
        (("--allow", "--system", "--policy", "x", "foo.pth"), "not allowed with argument"),
        (("--allow", "--yes", "--policy", "", "foo.pth"), "not an absolute path"),
    ],
)
def test_what_is_not_taken(environment: Environment, words: tuple[str, ...], message: str) -> None:
    not_recorded(environment, environment.launched(*words), message)


@pytest.mark.parametrize("mode", core.RUNNING_MODES)
def test_what_the_mode_lets_run_can_be_allowed(environment: Environment, mode: str) -> None:
    allow(environment, "foo.pth", SAFESITE_MODE=mode)
    assert runs(environment)


def test_what_would_not_run_is_not_allowed(environment: Environment) -> None:
    put(environment, "bar.start", "helper:start\n")
    done = environment.launched("--allow", "--yes", "bar.start")
    not_recorded(environment, done, "a start would not run it: Python 3.15 and newer call it")
    done = environment.launched("--allow", "--yes", "foo.pth", SAFESITE_MODE="skip")
    not_recorded(environment, done, "a start would not run it: SAFESITE_MODE=skip")


# Lines whose modules cannot be read off.


def test_a_line_that_computes_is_allowed_by_itself_alone(environment: Environment) -> None:
    line = "import os; __import__('hel' + os.environ['REST'])"
    put(environment, "foo.pth", line)
    environment.variables["REST"] = "per"
    message = "foo.pth:1: it computes what it gives to __import__; --allow-line binds to the line"
    not_recorded(environment, environment.launched("--allow", "--yes", "foo.pth"), message)

    done = check(environment.launched("--allow-line", "--yes", "foo.pth"))
    assert "safesite:   bound to the line alone: what it imports may change\n" in done.out
    assert entries(environment) == [policies.allow("foo.pth", line).split()]
    assert runs(environment)
    put(environment, "helper.py", f"{MARK}#")
    assert runs(environment)
    put(environment, "foo.pth", f"{line};")
    assert not runs(environment)


# In a terminal.


def test_it_asks_and_shows_the_whole_line(environment: Environment) -> None:
    line = f"import helper; '\x1b[2J{'long' * 200}\u202e\u00e4'"
    path = put(environment, "foo.pth", f"{line}\n")
    code, shown = ask(environment, "--allow", "foo.pth", answers=("y\r",))
    assert code == 0
    about = f"{path}:1: import line {line!a}; claimed by no package"
    assert about in shown.partition(QUESTION)[0]
    assert f"module helper: {path.with_name('helper.py')}: " in shown.partition(QUESTION)[0]
    assert f"recorded: allow {about}" in shown.partition(QUESTION)[2]
    assert "\x1b" not in shown
    assert shown.isascii()
    assert runs(environment)
    assert policy_of(environment).read_bytes().count(b"\n") == 1


@pytest.mark.parametrize(
    "answer, code",
    [("yes\r", 0), ("Y\r", 0), ("\r", 1), ("n\r", 1), ("yess\r", 1), ("\x03", 2), ("\x04", 2)],
)
def test_an_answer(environment: Environment, answer: str, code: int) -> None:
    done, shown = ask(environment, "--allow", "foo.pth", answers=(answer,))
    assert done == code, shown
    assert policy_of(environment).exists() is (code == 0)
    assert "Traceback" not in shown
    assert ("nothing was recorded" in shown) is (code == 1)


@pytest.mark.parametrize("last", ["\x03", "\x04"])
def test_breaking_off_undoes_what_has_been_answered(environment: Environment, last: str) -> None:
    put(environment, "foo.pth", f"{LINE}\nimport other\n")
    put(environment, "other.py", MARK)
    code, shown = ask(environment, "--allow", "foo.pth", answers=("y\r", last))
    assert (code, policy_of(environment).exists()) == (2, False)
    assert "broken off, so nothing is changed (not-recorded)" in shown
    code, shown = ask(environment, "--allow", "foo.pth", answers=("n\r", "y\r"))
    assert code == 0
    assert starts(environment)[0] == ["other"]


@pytest.mark.parametrize("stdin", ["</dev/null", "<&-", "<<< y"])
def test_without_a_terminal_nothing_is_recorded(environment: Environment, stdin: str) -> None:
    command = shlex.join([*environment.launcher(), "--allow", "foo.pth"])
    done = environment.run("bash", "-c", f"exec {command} {stdin}")
    not_recorded(environment, done, "nobody is there to ask; to record it all the same: --yes")
    command = shlex.join([*environment.launcher(), "--allow", "foo.pth", "--yes"])
    check(environment.run("bash", "-c", f"exec {command} {stdin}"))


def test_it_works_without_standard_streams(environment: Environment) -> None:
    command = shlex.join([*environment.launcher(), "--allow", "foo.pth", "--yes"])
    assert environment.run("sh", "-c", f"exec {command} <&- >&- 2>&-").code == 0
    assert runs(environment)


# Denying.


def test_deny_is_bound_to_the_name_and_silent(environment: Environment) -> None:
    done = check(environment.launched("--deny", "--yes", "foo.pth"))
    assert "recorded: deny " in done.out
    assert policy_of(environment).read_text() == "deny foo.pth\n"
    put(environment, "foo.pth", "import other\nimport another\n")
    assert starts(environment) == ([], "")
    assert environment.launched("--pending").code == 0
    told = environment.launched("--explain", "--json")
    assert told.code == 0
    assert {f["decision"] for f in json.loads(told.out)["findings"]} == {"denied"}


def test_deny_wins_over_allow_until_that_is_asked_for(environment: Environment) -> None:
    allow(environment, "foo.pth")
    check(environment.launched("--deny", "--yes", "foo.pth"))
    assert [words[0] for words in entries(environment)] == ["allow", "deny"]
    assert starts(environment) == ([], "")
    done = allow(environment, "foo.pth")
    assert f"safesite: {policy_of(environment)}: taken out: deny foo.pth\n" in done.out
    assert [words[0] for words in entries(environment)] == ["allow"]
    assert runs(environment)


@pytest.mark.parametrize("by_path", [False, True])
def test_allow_takes_out_a_deny_by_either_name(environment: Environment, by_path: bool) -> None:
    path = environment.site_packages / "foo.pth"
    check(environment.launched("--deny", "--yes", path, "bar.pth"))
    check(environment.launched("--deny", "--yes", "foo.pth"))
    done = allow(environment, path if by_path else "foo.pth")
    assert done.out.count("taken out: deny ") == 2
    assert [words[:2] for words in entries(environment)] == [
        ["deny", "bar.pth"],
        ["allow", str(path) if by_path else "foo.pth"],
    ]
    assert runs(environment)


def test_a_deny_of_another_policy_is_told(environment: Environment, trusted: Path) -> None:
    policy = policies.write(trusted / "policy", ["deny foo.pth"])
    done = allow(environment, "foo.pth", SAFESITE_POLICY=str(policy))
    assert done.out.endswith(": still refused: a deny in another policy wins\n")
    assert starts(environment, SAFESITE_POLICY=str(policy)) == ([], "")
    assert runs(environment)
    assert policy.read_text() == "deny foo.pth\n"


def test_a_name_that_is_not_here_can_be_denied(environment: Environment) -> None:
    done = check(environment.launched("--deny", "--yes", "litellm_init.pth"))
    assert "recorded: deny 'litellm_init.pth', which is not here\n" in done.out
    put(environment, "litellm_init.pth", LINE)
    (environment.site_packages / "foo.pth").unlink()
    assert starts(environment) == ([], "")


# A second candidate of a module's name.


def with_package(environment: Environment) -> None:
    put(environment, "helper/__init__.py", MARK)


def with_folder(environment: Environment) -> None:
    (environment.site_packages / "helper").mkdir()


def with_extension(environment: Environment) -> None:
    code = "import _imp; print(_imp.extension_suffixes()[0])"
    put(environment, f"helper{environment.stock('-S', '-c', code).out.strip()}", "")


def with_bytecode(environment: Environment) -> None:
    compile_helper(environment, "cfile='helper.pyc'")


def with_unchecked_bytecode(environment: Environment) -> None:
    mode = "invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH"
    compile_helper(environment, f"doraise=True, {mode}")


def with_checked_bytecode(environment: Environment) -> None:
    """Python compares the hash by SipHash with a known key: no protection."""
    compile_helper(environment, "invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH")


def compile_helper(environment: Environment, how: str) -> None:
    """Compile the helper to where it is looked for."""
    folder = environment.site_packages
    code = (
        f"import os, py_compile; os.chdir({str(folder)!r}); py_compile.compile('helper.py', {how})"
    )
    assert environment.stock("-S", "-c", code).err == ""


@pytest.mark.parametrize("version", ["3.10", "3.15"])
def test_a_second_candidate_grants_nothing(version: str, trusted: Path) -> None:
    environment = fill(environments.make(need(version), trusted / "environment"))
    allow(environment, "foo.pth")
    assert runs(environment)
    assert runs(environment)  # the bytecode that Python has written itself does not count
    policy = policy_of(environment)
    before = policy.read_text(), sorted(environment.site_packages.iterdir())
    for add in (
        with_package,
        with_folder,
        with_extension,
        with_bytecode,
        with_unchecked_bytecode,
        with_checked_bytecode,
    ):
        add(environment)
        ran, said = starts(environment)
        assert ran == [], add
        assert "(withdrawn)" in said
        done = environment.launched("--allow", "--yes", "foo.pth")
        assert (done.code, done.out) == (2, ""), add
        assert "--allow-line binds to the line alone (not-recorded)" in done.err
        for path in set(environment.site_packages.iterdir()).difference(before[1]):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert policy.read_text() == before[0]
    shutil.rmtree(environment.site_packages / "__pycache__")
    assert runs(environment)


def test_a_module_that_comes_first_grants_nothing(environment: Environment, trusted: Path) -> None:
    allow(environment, "foo.pth")
    policies.write(trusted / "first" / "helper.py", [MARK, "#"])
    assert not runs(environment, PYTHONPATH=str(trusted / "first"))


# A policy for a team.


def test_a_team_can_commit_a_policy(environment: Environment, trusted: Path) -> None:
    policy = trusted / "project" / "safesite.policy"
    done = check(environment.launched("--allow", "foo.pth", "--yes", "--policy", policy))
    assert done.out.startswith(f"safesite: {policy}: recorded: allow ")
    assert not policy_of(environment).exists()
    assert str(trusted) not in policy.read_text()
    assert not runs(environment)
    for version in SOME:
        clone = fill(environments.make(need(version), trusted / f"clone-{version}"))
        moved = policies.write(trusted / version / "policy", policy.read_bytes(), mode=0o644)
        assert runs(clone, SAFESITE_POLICY=str(moved))
        put(clone, "helper.py", f"{MARK}#")
        assert not runs(clone, SAFESITE_POLICY=str(moved))


def test_a_policy_is_named_relative_to_the_current_folder(environment: Environment) -> None:
    check(environment.launched("--deny", "a.pth", "--yes", "--policy", "mine/policy"))
    assert (environment.work / "mine" / "policy").read_text() == "deny a.pth\n"


# Where a policy may be.


def test_a_folder_is_made_for_the_user_alone(environment: Environment) -> None:
    command = shlex.join([*environment.launcher(), "--allow", "foo.pth", "--yes"])
    check(environment.run("sh", "-c", f"umask 0; exec {command}"))
    policy = policy_of(environment)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (policy, *list(policy.parents)[:2])]
    assert modes == [0o600, 0o700, 0o700]
    assert runs(environment)


@pytest.mark.parametrize("which", ["policy", "safesite", ".config"])
def test_what_others_can_write_is_refused_with_the_remedy(
    environment: Environment, which: str
) -> None:
    policy = policies.write(policy_of(environment), ["# mine"])
    place = next(path for path in (policy, *policy.parents) if path.name == which)
    place.chmod(0o777)
    done = environment.launched("--allow", "--yes", "foo.pth")
    assert (done.code, done.out) == (2, "")
    remedy = f"chmod go-w {place}"
    assert done.reports == [f"safesite: {place}: others can write it; {remedy} (policy-mode)"]
    assert policy.read_text() == "# mine\n"
    subprocess.run(shlex.split(remedy), check=True)
    allow(environment, "foo.pth")
    assert runs(environment)


def test_the_group_is_others_if_somebody_is_in_it(environment: Environment) -> None:
    need_root()
    policy = policies.write(policy_of(environment), ["# mine"])
    os.chown(policy.parent, -1, 1)
    policy.parent.chmod(0o770)
    done = environment.launched("--allow", "--yes", "foo.pth")
    assert done.code == 2
    assert f"its group can write it; chmod go-w {policy.parent} (policy-mode)" in done.err


def test_nobody_is_told_to_change_a_folder_for_all(
    environment: Environment, tmp_path: Path
) -> None:
    tmp_path.chmod(0o1777)
    policy = tmp_path / "policy"
    done = environment.launched("--allow", "--yes", "--policy", policy, "foo.pth")
    assert done.code == 2
    assert "; choose another place (policy-mode)" in done.err
    assert "chmod" not in done.err
    assert not policy.exists()


def need_root() -> None:
    """Skip where files cannot be given to somebody else."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to somebody else")


@pytest.mark.parametrize("which", ["policy", "safesite"])
def test_what_another_user_owns_is_refused(environment: Environment, which: str) -> None:
    need_root()
    policy = policies.write(policy_of(environment), ["# mine"])
    place = next(path for path in (policy, *policy.parents) if path.name == which)
    os.chown(place, NOBODY, -1)
    done = environment.launched("--allow", "--yes", "foo.pth")
    assert (done.code, done.out) == (2, "")
    assert done.reports == [f"safesite: {place}: another user owns it (policy-owner)"]
    assert policy.read_text() == "# mine\n"


def test_a_folder_that_cannot_be_written_is_told(environment: Environment) -> None:
    policy = policies.write(policy_of(environment), ["# mine"])
    policy.parent.chmod(0o500)
    drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
    done = environment.run(*drop, *environment.launcher(), "--allow", "--yes", "foo.pth")
    policy.parent.chmod(0o700)
    assert (done.code, done.out) == (2, "")
    assert_plain(done)
    assert done.err.endswith(": Permission denied (os-error)\n")
    assert [path.name for path in policy.parent.iterdir()] == ["policy"]


def test_a_link_stays_and_leads_to_what_is_edited(environment: Environment, trusted: Path) -> None:
    real = policies.write(trusted / "dotfiles" / "policy", ["# mine"])
    link = policy_of(environment)
    link.parent.mkdir(mode=0o700, parents=True)
    link.symlink_to(real)
    done = allow(environment, "foo.pth")
    assert done.out.startswith(f"safesite: {real}: recorded: ")
    assert link.is_symlink()
    assert real.read_text().startswith("# mine\nallow foo.pth ")
    assert runs(environment)


def test_a_link_to_where_others_can_write_is_refused(
    environment: Environment, tmp_path: Path
) -> None:
    link = policy_of(environment)
    link.parent.mkdir(mode=0o700, parents=True)
    link.symlink_to(policies.write(tmp_path / "policy", []))
    done = environment.launched("--allow", "--yes", "foo.pth")
    assert done.code == 2
    assert "others can write it" in done.err
    assert (tmp_path / "policy").read_bytes() == b""


@pytest.mark.parametrize("where", ["site_packages", "prefix", "user_site"])
def test_a_place_that_packages_can_write_is_refused(environment: Environment, where: str) -> None:
    policy = getattr(environment, where) / "policy"
    done = environment.launched("--allow", "--yes", "--policy", policy, "foo.pth")
    assert (done.code, done.out) == (2, "")
    assert "packages can write it" in done.err
    assert not policy.exists()


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling"])
def test_a_policy_that_is_no_file_is_refused(environment: Environment, kind: str) -> None:
    policy = policy_of(environment)
    policy.parent.mkdir(mode=0o700, parents=True)
    make: dict[str, Callable[[], None]] = {
        "folder": policy.mkdir,
        "pipe": lambda: os.mkfifo(policy),
        "dangling": lambda: policy.symlink_to("nowhere"),
    }
    make[kind]()
    done = environment.launched("--allow", "--yes", "foo.pth")
    assert (done.code, done.out) == (2, "")
    assert_plain(done)
    assert [path.name for path in policy.parent.iterdir()] == ["policy"]


def test_the_folder_of_configuration_is_obeyed(environment: Environment, trusted: Path) -> None:
    environment.variables["XDG_CONFIG_HOME"] = str(trusted / "elsewhere")
    allow(environment, "foo.pth")
    assert (trusted / "elsewhere" / "safesite" / "policy").exists()
    assert runs(environment)
    environment.variables["XDG_CONFIG_HOME"] = "relative"
    done = environment.launched("--allow", "--yes", "foo.pth")
    not_recorded(environment, done, "relative/safesite/policy: not an absolute path (policy-relat")


def test_the_policy_of_the_system_is_for_everybody(
    trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = trusted / "etc" / "policy"
    monkeypatch.setattr(core, "SYSTEM_POLICY", str(policy))
    target = approve.target_of(SimpleNamespace(system=True, policy=None))
    monkeypatch.setattr(keep, "lies_with_packages", lambda _startup, _policy: False)
    before = os.umask(0o077)
    try:
        real = policyfile.trusted(target, None)
        assert policyfile.edit(real, lambda lines: [*lines, b"deny a.pth"]) == []
    finally:
        os.umask(before)
    assert real == str(policy)
    assert stat.S_IMODE(policy.stat().st_mode) == 0o644
    assert stat.S_IMODE(policy.parent.stat().st_mode) == 0o755
    policy.chmod(0o640)
    policyfile.edit(real, lambda lines: [*lines, b"deny b.pth"])
    assert stat.S_IMODE(policy.stat().st_mode) == 0o640


def test_the_system_policy_is_edited_and_obeyed(environment: Environment) -> None:
    """With another /etc, which a mount namespace of its own gives these processes."""
    apart = ("unshare", "-m", "sh", "-ec")
    script = "mount -t tmpfs -o mode=755 none /etc; "
    if os.geteuid() != 0 or environment.run(*apart, script).code != 0:
        pytest.skip("nothing can be mounted here")
    command = shlex.join(environment.launcher())
    script += f"{command} --allow --system --yes foo.pth; {command} -c ''; cat /etc/safesite/policy"
    done = environment.run(*apart, script)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("safesite: /etc/safesite/policy: recorded: allow ")
    assert "\nallow foo.pth line=" in done.out
    assert environment.ran() == ["helper"]
    assert not os.path.lexists("/etc/safesite")


# What is in the file already.

CONTENTS = {
    "empty": (b"", 0o640),
    "blank": (b"\n", 0o600),
    "comments": (b"# ours\n\n  # and more\ndeny a.pth  # why\n\n", 0o644),
    "unended": (b"# ours\ndeny a.pth", 0o640),
    "dos": (b"# ours\r\ndeny a.pth\r\n\r\n", 0o600),
    "bad": (b"alow x\n\xff\xfe\0\x85\n\tdeny\ta.pth\ndeny a b\nallow foo.pth line=1\n", 0o640),
    "guard": (b"guard allow run /a # why\r\n\tguard\tallow build x\nguard allow x\n", 0o600),
    "order": (b"deny c.pth\ndeny a.pth\ndeny b.pth\ndeny a.pth\n", 0o444),
}


@pytest.mark.parametrize("content, mode", CONTENTS.values(), ids=CONTENTS)
def test_what_is_there_stays(environment: Environment, content: bytes, mode: int) -> None:
    policy = policies.write(policy_of(environment), content, mode=mode)
    if os.geteuid() == 0:
        os.chown(policy, -1, NOBODY)
    owner = policy.stat()
    ended = content if content.endswith(b"\n") or not content else content + b"\n"
    for _ in range(1 + (mode == 0o640)):
        done = environment.launched("--deny", "--yes", "z.pth")
        assert done.code == 0
        assert_plain(done)
        assert policy.read_bytes() == ended + b"deny z.pth\n"
    after = policy.stat()
    assert stat.S_IMODE(after.st_mode) == mode
    assert (after.st_uid, after.st_gid) == (owner.st_uid, owner.st_gid)
    assert [path.name for path in policy.parent.iterdir()] == ["policy"]


def test_an_entry_is_recorded_once(environment: Environment) -> None:
    allow(environment, "foo.pth", "foo.pth")
    assert len(entries(environment)) == 1
    before = policy_of(environment).read_bytes()
    done = environment.launched("--allow", "--yes", "foo.pth")
    told = "safesite: 'foo.pth': allowed already, by a policy\nsafesite: nothing was recorded\n"
    assert (done.code, done.out, done.err) == (0, told, "")
    assert policy_of(environment).read_bytes() == before


def test_thirty_writers_lose_nothing(environment: Environment) -> None:
    """They also all find that the folder is missing."""
    expected = {f"deny {number}.pth" for number in range(30)}
    command = [*environment.launcher(), "--deny", "--yes"]
    writers = [
        subprocess.Popen(
            [*command, entry.split()[1]],
            cwd=environment.work,
            env=environment.environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for entry in sorted(expected)
    ]
    said = [writer.communicate(timeout=TIMEOUT)[1] for writer in writers]
    assert set(said) == {b""}
    lines = policy_of(environment).read_text().splitlines()
    assert (len(lines), set(lines)) == (30, expected)
    assert [path.name for path in policy_of(environment).parent.iterdir()] == ["policy"]


def test_writers_wait_for_each_other(trusted: Path) -> None:
    policy = policies.write(trusted / "policy", ["# ours", "deny a.pth", "", "# end"])

    def change(lines: list[bytes]) -> list[bytes]:
        call = f"policyfile.edit({str(policy)!r}, lambda x: [*x, b'z'])"
        code = f"from safesite import policyfile; {call}"
        other = subprocess.Popen([sys.executable, "-c", code], cwd=PACKAGE.parent)
        waiting.append(other)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(1)
        return [*lines, b"y"]

    waiting: list[subprocess.Popen[bytes]] = []
    assert policyfile.edit(str(policy), change) == []
    assert waiting[0].wait(TIMEOUT) == 0
    assert policy.read_text() == "# ours\ndeny a.pth\n\n# end\ny\nz\n"


@pytest.mark.parametrize("call", ["replace", "fsync", "fchmod"])
@pytest.mark.parametrize("exception", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_what_fails_leaves_all_as_it_was(
    trusted: Path, monkeypatch: pytest.MonkeyPatch, call: str, exception: BaseException
) -> None:
    policy = policies.write(trusted / "policy", ["deny a.pth"])

    def fail(*_args: object) -> None:
        raise exception

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(type(exception)):
        policyfile.edit(str(policy), lambda _lines: [])
    assert [path.name for path in trusted.iterdir()] == ["policy"]
    assert policy.read_text() == "deny a.pth\n"


def test_one_that_is_killed_leaves_the_old_policy(environment: Environment) -> None:
    policy = policies.write(policy_of(environment), ["deny foo.pth"])
    code = (
        "import os; os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "from safesite import policyfile\n"
        f"policyfile.edit({str(policy)!r}, lambda _: [])"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, check=False)
    assert killed.returncode == -9
    assert policy.read_text() == "deny foo.pth\n"
    assert len(list(policy.parent.iterdir())) == 2
    assert starts(environment) == ([], "")
    allow(environment, "foo.pth")
    assert runs(environment)


# Pruning.


def test_pruning_takes_out_what_allows_nothing_here(
    environment: Environment, trusted: Path
) -> None:
    other = fill(environments.make(need("3.13"), trusted / "other"))
    gone = trusted / "gone.pth"
    foo = environment.site_packages / "foo.pth"
    old = policies.allow("foo.pth", "import old", old="library")
    entry = f"line={policies.line_digest('')}"
    kept = [
        "# ours",
        "",
        "deny foo.pth.old",
        f"allow-line elsewhere.pth {entry}",
        f"allow-line {other.site_packages}/foo.pth {entry}",
        "allow nonsense",
        f"guard allow run {gone}",
        "guard allow read /allow.pth  # ours",
    ]
    stale = [f"{old}  # \x1b[2J", f"allow-line {gone} {entry}", f"allow-line {foo} {entry}"]
    shown_stale = [line.replace("\x1b", "\\x1b") for line in stale]
    policy = policies.write(policy_of(environment), [*stale[:2], *kept[:3], stale[2], *kept[3:]])
    assert environment.launched("--allow", "--yes", "foo.pth").code == 0  # "nonsense" is told
    current = policy.read_text().splitlines()[-1]

    asked = environment.launched("--prune")
    assert asked.code == 2
    assert "nobody is there to ask" in asked.err
    code, shown = ask(environment, "--prune", answers=("n\r",))
    assert code == 1
    assert "nothing was taken out" in shown
    assert all(line in shown for line in shown_stale)
    assert policy.read_text().splitlines()[:2] == stale[:2]

    done = environment.launched("--prune", "--yes")
    assert done.code == 0
    assert done.out.splitlines() == [
        f"safesite: {policy}: taken out: {line}" for line in shown_stale
    ]
    assert policy.read_text().splitlines() == [*kept, current]
    assert environment.launched("--prune", "--yes").out == (
        f"safesite: {policy}: nothing to take out\n"
    )


# Hostile names of files.

HOSTILE = [
    b"b;touch PWNED;.pth",
    b"$(touch PWNED).pth",
    b"`touch PWNED`.pth",
    b"--system.pth",
    b"--yes.pth",
    b"-.pth",
    b"1.pth",
    b"'.pth",
    b'"; touch PWNED; ".pth',
    b"a\x1b[2J\x1b]0;x\x07b\n\nsafesite: recorded.pth",
    b"a\r\ndeny b.pth",
    b"a b#c%20.pth",
    b"#.pth",
    b"\xc3\xa4\xe2\x80\xae.pth",
    b"\xff\xfe.pth",
    b"foo.pth:1: import line.pth",
    b" \t.pth",
]


def test_hostile_names_mislead_nobody(environment: Environment) -> None:
    (environment.site_packages / "foo.pth").unlink()
    hostile = sorted(map(os.fsdecode, HOSTILE))
    paths = [put(environment, name, f"{LINE}\n") for name in hostile]
    pending = environment.launched("--pending")
    assert_plain(pending)
    assert len(pending.out.splitlines()) == len(hostile) + 1
    explained = environment.launched("--explain")
    assert (explained.code, explained.err) == (1, "")
    assert explained.out.isascii()
    assert "\x1b" not in explained.out
    for number, finding in enumerate(remedies(environment), 1):
        assert finding.isascii()
        assert finding.isprintable()
        words = environment.run("sh", "-c", f"set -- {finding}; printf '%s\\n' \"$@\"").out
        assert words.splitlines()[-3:-1] == ["--allow", "--"]
        assert words.splitlines()[-1] in (hostile[number - 1], f"{number}")

    done = allow(environment, "--", *hostile)
    assert len(done.out.splitlines()) == 3 * len(hostile)
    module = environment.site_packages / "helper.py"
    expected = [policies.allow(name, LINE, helper=module).split() for name in hostile]
    assert entries(environment) == expected
    assert starts(environment) == (["helper"], "")
    denied = check(environment.launched("--deny", "--yes", "--", *hostile))
    assert len(denied.out.splitlines()) == 2 * len(hostile)
    assert starts(environment) == ([], "")
    done = allow(environment, "--", *paths)
    assert done.out.count(": taken out: deny ") == len(hostile)
    assert {words[0] for words in entries(environment)} == {"allow"}
    assert starts(environment) == (["helper"], "")
    assert list(environment.root.rglob("PWNED")) == []


def remedies(environment: Environment) -> list[str]:
    """Return what is advised for each refusal."""
    told = json.loads(environment.launched("--explain", "--json").out)
    return [finding["remedy"] for finding in told["findings"]]


def test_a_hostile_line_cannot_add_an_entry(environment: Environment) -> None:
    put(environment, "foo.pth", "import helper; '\x1b[2J # allow y \u00e4\ud7ff\u202e'")
    allow(environment, "foo.pth")
    assert [words[:2] for words in entries(environment)] == [["allow", "foo.pth"]]
    text = policy_of(environment).read_text("ascii")
    assert "  # nobody, " in text
    assert text.removesuffix("\n").isprintable()
    assert runs(environment)


def test_a_hostile_place_misleads_nobody(environment: Environment) -> None:
    for name in ("\x1b[2J", "a b;touch PWNED", "\u202e", "$(touch PWNED)"):
        words = ("--deny", "--yes", "--policy", f"{name}/policy", "a.pth")
        assert len(check(environment.launched(*words)).out.splitlines()) == 2
        assert (environment.work / name / "policy").read_text() == "deny a.pth\n"
        (environment.work / name).chmod(0o777)
        done = environment.launched(*words)
        assert done.code == 2
        assert_plain(done)
        assert len(done.err.splitlines()) == 1
        _, is_advised, advice = done.err.partition("; chmod go-w ")
        if is_advised and advice.startswith(("/", "'")):
            place = advice.rpartition(" (policy-mode)")[0]
            assert shlex.split(place) == [str(environment.work / name)]
    assert list(environment.root.rglob("PWNED")) == []


# Owners.


def claim(environment: Environment, name: str, *files: str, digest: str = "") -> Path:
    """Have a distribution claim files of the site directory; return its RECORD."""
    folder = f"{name}-1.0.dist-info"
    put(environment, f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    rows = [f"{folder}/METADATA,,", f"{folder}/RECORD,,"]
    for file in files:
        content = hashlib.sha256((environment.site_packages / file).read_bytes()).digest()
        value = digest or base64.urlsafe_b64encode(content).decode().rstrip("=")
        rows.append(f"{file},sha256={value},")
    return put(environment, f"{folder}/RECORD", "\n".join(rows))


def test_a_distribution_stands_for_the_files_that_it_owns(environment: Environment) -> None:
    put(environment, "bar.pth", "import bar\n")
    put(environment, "bar.py", MARK)
    claim(environment, "Some.Project", "foo.pth", "bar.pth")
    code, shown = ask(environment, "--allow", "some_project", answers=("y\r", "y\r"))
    assert code == 0
    assert shown.count("; claimed by Some.Project 1.0, unchanged") == 4  # asked, and told
    assert [words[:2] for words in entries(environment)] == [
        ["allow", "bar.pth"],
        ["allow", "foo.pth"],
    ]
    assert starts(environment) == (["bar", "helper"], "")
    code, shown = ask(environment, "--deny", "some-project", answers=("y\r", "y\r"))
    assert code == 0
    assert starts(environment) == ([], "")


def twice(environment: Environment) -> None:
    claim(environment, "project", "foo.pth")
    claim(environment, "other", "foo.pth")


def changed(environment: Environment) -> None:
    claim(environment, "project", "foo.pth", digest="abc")


def forged(environment: Environment) -> None:
    """As a wheel of another name brings it along."""
    claim(environment, "project", "foo.pth")
    folder = "project-1.0.dist-info"
    claim(environment, "other", f"{folder}/RECORD", f"{folder}/METADATA")


def huge(environment: Environment) -> None:
    """Of 200 MB, which take no space on the disk."""
    record = claim(environment, "project", "foo.pth")
    os.truncate(record, 200 << 20)


@pytest.mark.parametrize("make", [twice, changed, forged, huge])
def test_a_doubtful_owner_selects_nothing(
    environment: Environment, make: Callable[[Environment], None]
) -> None:
    make(environment)
    done = environment.launched("--allow", "project")
    not_recorded(environment, done, "project")
    told = allow(environment, "foo.pth").out
    assert "claimed by project 1.0, unchanged" not in told
    assert runs(environment)


def test_a_false_owner_is_not_written_into_the_policy(environment: Environment) -> None:
    twice(environment)
    allow(environment, "foo.pth")
    assert "  # shared, " in policy_of(environment).read_text()


# The modules that a line names.

INNER = f"import b; eval({'__import__(' + repr('c') + ')'!r})"
NESTED = "import os; exec({!r})".format(f"import a\nexec({INNER!r})")

READABLE = {
    COVERAGE_LINE: "coverage os sys",
    "import _virtualenv": "_virtualenv",
    "import __editable___a_finder; __editable___a_finder.install()": "__editable___a_finder",
    "import os; v = 'X'; e = os.environ.get(v, 'local') == 'local'; "
    "e and __import__('_distutils_hack').add_shim(); ": "_distutils_hack os",
    "import a, b.c as d": "a b.c",
    "import a.b.c as d; d.run(d.other)": "a.b.c",
    "import os; from a import b; b()": "a.b os",
    "import os; from a.b import *": "a.b os",
    "import os; from os.path import join as j; import x; x.y(j('a'))": "os os.path.join x",
    "import os as p, x; p.path.join('a') and x.y()": "os x",
    "import os.path as p; p.join('a')": "os.path",
    "import x; y = x.make(); y.go(1, z=2)": "x",
    "import os; __import__('a.b')": "a.b os",
    "import importlib; importlib.import_module('a.b').go()": "a.b importlib",
    "import os; from importlib import import_module; import_module('a')": (
        "a importlib.import_module os"
    ),
    NESTED: "a b c os",
    "import x; [x.f(k) for k in (1, 2) if k]": "x",
    "import x; (n := 1); print(n, x.y)": "x",
    "import os; exec('for x in ():\\n import a\\nelse:\\n with a.b() as c: c.d()')": "a os",
    "import sys, x; sys.stderr.write('{0[A]}'.format(x.y))": "sys x",
    "import x; x._private()": "x",
}  # fmt: skip

UNREADABLE = [
    # What is run is computed.
    "import base64; exec(base64.b64decode('aW1wb3J0IGV2aWw='))",
    "import os; exec(f'import {os.name}')",
    "import os; exec('import ' + 'evil')",
    "import os; exec('import %s' % 'evil')",
    "import os; exec(*['import evil'])",
    "import os; exec('import evil', {})",
    "import os; exec(compile('import evil', 'x', 'exec'))",
    "import os; exec(open('/evil').read())",
    "import os; exec(b'# coding: utf-7\\n#+AAo-import evil')",
    "import os; exec('exec(\"exec(chr(120))\")')",
    "import os; eval('exec(x)')",
    "import os; __import__('ev' + os.name)",
    "import os; __import__(name='evil')",
    "import os; __import__('a', fromlist=['evil'])",
    "import importlib; importlib.import_module('.evil', 'a')",
    "import os; e = exec; e('import evil')",
    "import os; (e := __import__)('evil')",
    "import os; print((lambda: __import__)()('x'))",
    "import os; [i('evil') for i in [__import__]]",
    "import os; getattr(__builtins__, 'ex' + 'ec')('x')",
    "import os; __builtins__['exec']('x')",
    "import builtins; builtins.exec('import evil')",
    "import os; from importlib import import_module as i; i('evil')",
    "import os; from builtins import exec as e; e(os.name)",
    "import importlib; importlib.reload(importlib)",
    "import importlib; importlib._bootstrap._gcd_import('evil')",
    "import importlib.util as u; u.find_spec('evil.sub')",
    "import os; m = __import__('os'); m.system('evil')",
    # Where modules are found is changed.
    "import sys; sys.path.insert(0, '/evil'); import x",
    "import sys as os; os.path.insert(0, '/evil'); import x",
    "import os; from sys import path as p; p.insert(0, '/evil'); import x",
    "import os; os.sys.path.insert(0, '/evil'); import x",
    "import os; os.sys.modules['x'] = 1",
    "import sys; sys.modules['x'] = 1",
    "import sys; sys.meta_path.insert(0, 1)",
    "import sys; sys.path[:] = ['/evil']",
    "import email; email.__path__.insert(0, '/evil'); import email.x",
    "import x; x.__path__ = ['/evil']; import x.y",
    "import x; x.where = '/evil'; x.go()",
    "import x; x.sys.path.insert(0, '/evil')",
    "import site; site.addsitedir('/evil')",
    "import x; addsitedir('/evil')",
    "import x; PREFIXES.append('/evil')",
    "import os; os.environ['PYTHONPATH'] = '/evil'",
    "import os; e = os.environ; e |= {'PYTHONPATH': '/evil'}",
    "import os; os.environ.update(PYTHONPATH='/evil')",
    "import os; [0 for os.environ['PYTHONPATH'] in ('/evil',)]",
    "import x; x.plugins['y'] = '/evil'",
    # The standard library, and what is built in, run what they are told.
    "import os; os.system('evil')",
    "import os as o; o.execv('/evil', [])",
    "import os; from os import system as path; path('evil')",
    "import os; o = os; o.system('evil')",
    "import os; [o.system('evil') for o in (os,)]",
    "import subprocess; subprocess.run('evil')",
    "import pydoc; pydoc.locate('evil')",
    "import timeit; timeit.timeit('import evil')",
    "import operator, sys; operator.attrgetter('path')(sys).insert(0, '/evil')",
    "import logging.config as c; c.dictConfig({})",
    "import runpy; runpy.run_path('/evil')",
    "import pickle; pickle.loads(b'')",
    "import ctypes; ctypes.CDLL('/evil')",
    "import unittest.__main__",
    "import os; os.environ['PYTHONBREAKPOINT'] = 'evil.run'; breakpoint()",
    "import os; help('evil')",
    "import os; execsitecustomize()",
    "import os; type(os)('x')",
    "import x; x.os.system('evil')",
    "import os; from x import os as y; y.system('evil')",
    # A name means something else than it seems.
    "import os; exec('import os\\nmatch 1:\\n case object(sys=object(modules=m)): m()')",
    "import os; exec('match ().x:\\n case object(os=object(system=s)): s(1)')",
    "import os; exec('if 0: open = 1\\nopen(1)')",
    "import os; [open for open in ()]; open('/evil')",
    "import os; exec('try: 1/0\\nexcept Exception as addsitedir: 0\\naddsitedir(1)')",
    "import os; exec('def f(breakpoint): 0\\nbreakpoint()')",
    "import os; exec('class sys: path = []')",
    "import os; exec('global os\\nos = 1')",
    "import x; x.call(lambda os: os.getenv('a'))",
    "import x; exec('match x.y:\\n case dict(os=o): o.run(1)')",
    "import x as i; from importlib import import_module as i; i('evil')",
    "import x as system; from os import *; system('evil')",
    "import os; exec('try: import nothing as open\\nexcept ImportError: 0\\nopen(1)')",
    "import os; (lambda: 0).__globals__",
    "import os; (1 for _ in ()).gi_frame.f_back.f_locals['os'].system('evil')",
    "import os; ''.__class__.__mro__[1].__subclasses__()",
    "import os; os.getenv = os.environ",
    # It is no line that could run, or none that can be looked at.
    "import os; )",
    "import os; from . import a",
    "import os; exec('\\0')",
    "import os; from \u0430b import c",
    f"import os; {'(' * 300}",
    f"import os; '{'x' * (64 << 10)}'",
]

ENTRY_POINTS = {"a.b:c.d": "a.b", "x:go": "x"}
NO_ENTRY_POINTS = [
    "x", "x:", ":x", "a b:c", "os:abort", "unittest:main", "site:main", "x:os.abort",
    "x:sys.breakpointhook", "x:a.__class__", "x:f()",
]  # fmt: skip


def named(text: str, kind: str = core.IMPORT) -> str:
    """Return the modules that a line names, or raise Unreadable."""
    return " ".join(names.modules_named(core.Record(text, "/x.pth", 1, kind)))


@pytest.mark.parametrize("line", READABLE)
def test_modules_that_can_be_read_off(line: str) -> None:
    assert named(line) == READABLE[line]


@pytest.mark.parametrize("line", UNREADABLE, ids=[line[:60] for line in UNREADABLE])
def test_modules_that_cannot_be_read_off(line: str) -> None:
    with pytest.raises(names.Unreadable):
        named(line)


def test_the_modules_of_entry_points() -> None:
    for line, module in ENTRY_POINTS.items():
        assert named(line, core.ENTRY) == module
    for line in NO_ENTRY_POINTS:
        with pytest.raises(names.Unreadable):
            named(line, core.ENTRY)


# Of each released line of the packages that safesite does not know by itself.
RELEASED = json.loads(Path(__file__).with_name("startup_lines.json").read_text("utf-8"))


def can_be_read(text: str, kind: str) -> bool:
    """Return whether the modules that a line names can be read off."""
    try:
        return bool(named(text, kind))
    except names.Unreadable:
        return False


def test_released_lines_can_be_read_off() -> None:
    unreadable = {
        line["is"] if line["is"] == "namespace" else min(line["releases"])
        for line in RELEASED
        if not can_be_read(line["text"], line.get("kind", core.IMPORT))
    }
    assert unreadable == {
        "namespace",
        "hunter",  # what its variable holds is evaluated
        "manhole",
        "nvidia-cutlass-dsl",  # on sys.path
        "pdbpp",
        "pip-system-certs",  # through sys.modules
        "pytest-cov",  # to 2.3, which uses a name that it does not bind
    }


def test_a_package_that_extends_itself_does_not_stand_for_what_is_elsewhere(
    environment: Environment,
) -> None:
    """As old namespace packages do: what they find elsewhere is in no folder that is pinned."""
    extend = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    put(environment, "legacy/__init__.py", extend)
    put(environment, "legacy/here.py", MARK)
    put(environment, "more/legacy/__init__.py", extend)
    put(environment, "more/legacy/there.py", MARK)
    put(environment, "a.pth", "more\n")
    put(environment, "foo.pth", "import legacy.there\n")
    done = environment.launched("--allow", "--yes", "foo.pth")
    not_recorded(environment, done, "legacy.there may lie outside of legacy")
    put(environment, "foo.pth", "import legacy.here\n")
    allow(environment, "foo.pth")
    assert starts(environment) == (["legacy.here"], "")
