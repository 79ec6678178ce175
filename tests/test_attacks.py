"""Known attacks on Python's start, made harmless: marker under stock, none under safesite.

The shapes are LiteLLM 1.82.8's and those of Atomic Red Team's T1546.018 (its Linux tests), which
has no test for sitecustomize, PYTHONPATH, user site .pth files or 3.15's .start: these are added.
Commands keep their text but for the place that they write to, a marker folder of the test's own.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

import environments
import pytest
from environments import Environment
from interpreters import Interpreter

# What the attacked program itself does; os.system waits, so a marker is there before this prints.
TELL_MODE = "import safesite; print(safesite.active())"
SILENT = ["quiet", "skip"]

LITELLM_SIZE = 34_628  # bytes of litellm_init.pth
# The real line has no guard, and each child started the next.  Here the first one tells the others.
LITELLM_LINE = (
    "import os, subprocess, sys; 'STARTED' in os.environ or (os.environ.update(STARTED='1') or "
    'subprocess.Popen([sys.executable, "-c", "import base64; exec(base64.b64decode(\'{}\'))"]))'
)
LITELLM_CODE = "import os; open(os.path.join(os.environ['MARKERS'], 'litellm'), 'w').close()\n#"


def litellm_startup_file() -> str:
    """Return a startup file of one import line, as long as the real one."""
    room = LITELLM_SIZE - len(LITELLM_LINE.format("\n"))
    code = LITELLM_CODE.encode().ljust(room // 4 * 3, b"#")  # base64 makes four bytes of three
    line = LITELLM_LINE.format(base64.b64encode(code).decode())
    return line.ljust(LITELLM_SIZE - 1) + "\n"


@pytest.fixture
def litellm(environment: Environment) -> Environment:
    """An environment with the startup file of LiteLLM's shape."""
    path = environment.site_packages / "litellm_init.pth"
    path.write_bytes(litellm_startup_file().encode())
    assert path.stat().st_size == LITELLM_SIZE
    return environment


# A child that the line starts holds this end of the pipes for standard output and error, and
# Environment.run reads them to their end: when it returns, the child has left its marker.


def test_litellm_runs_under_stock(litellm: Environment) -> None:
    outcome = litellm.stock("-c", TELL_MODE)
    assert (outcome.code, outcome.out, outcome.err) == (0, "None\n", "")
    assert litellm.ran() == ["litellm"]


def test_litellm_runs_where_allowed(litellm: Environment) -> None:
    outcome = litellm.launched("-c", TELL_MODE, SAFESITE_MODE="allow")
    assert (outcome.code, outcome.out, outcome.err) == (0, "allow\n", "")
    assert litellm.ran() == ["litellm"]


def test_litellm_is_refused_in_one_line(litellm: Environment) -> None:
    outcome = litellm.launched("-c", TELL_MODE)
    assert litellm.ran() == []
    assert (outcome.code, outcome.out) == (0, "refuse\n")
    hint = environments.hint(1, environments.advice(*litellm.launcher()))
    assert outcome.err == (
        f"safesite: {litellm.site_packages}/litellm_init.pth:1: refused import line: "
        "\"import os, subprocess, sys; 'STARTED' in os.environ or (os.environ.update(S...\" "
        f"(import-line)\n{hint}\n"
    )


@pytest.mark.parametrize("mode", SILENT)
def test_litellm_is_refused_in_silence(litellm: Environment, mode: str) -> None:
    outcome = litellm.launched("-c", TELL_MODE, SAFESITE_MODE=mode)
    assert litellm.ran() == []
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{mode}\n", "")


@dataclass(frozen=True)
class Attack:
    """Files that make Python run a command when it starts, and how safesite reports the refusal.

    ``report`` follows the name of ``file``.  Names are relative to the environment; ``{site}``
    stands for its site directory and ``{user}`` for the user site directory below the home.
    """

    name: str
    file: str
    text: str
    report: str
    others: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    user_site: bool = False
    since: tuple[int, int] = (3, 10)

    def is_known_to(self, interpreter: Interpreter) -> bool:
        """Return whether this Python reads such a file at all: none before 3.15 reads .start."""
        return interpreter.number >= self.since

    def runs_on(self, interpreter: Interpreter) -> bool:
        """Return whether stock Python runs it.

        Debian has a sitecustomize beside its standard library, which Python finds before one in a
        site directory; one in a folder of PYTHONPATH comes before both.
        """
        hidden = self.file.startswith("{site}/sitecustomize") and has_sitecustomize(interpreter)
        return self.is_known_to(interpreter) and not hidden


def has_sitecustomize(interpreter: Interpreter) -> bool:
    """Return whether there is a sitecustomize beside the standard library."""
    code = "import os; print(os.path.dirname(os.__file__))"
    folder = Path(interpreter.run("-I", "-S", "-c", code).strip())
    return (folder / "sitecustomize.py").exists()


CAT = "import os; os.system('cat /etc/passwd 1> $MARKERS/ran')\n"
CAT_REPORT = f':1: refused import line: "{CAT[:-1]}" (import-line)'
DATE = "import os; os.system('date > $MARKERS/ran')\n"
SITECUSTOMIZE_REPORT = ": refused customize module: 'sitecustomize' (customize-module)"
USERCUSTOMIZE_REPORT = ": refused customize module: 'usercustomize' (customize-module)"

ATTACKS = [
    # Atomic Red Team's.
    Attack("atomic-hook", "{site}/atomic_hook.pth", CAT, CAT_REPORT),
    Attack(
        "atomic-hook-older",
        "{site}/atomic_hook.pth",
        "import sys, os; (not hasattr(sys, 'hook_run')) and (setattr(sys, 'hook_run', True)"
        " or os.system('cat /etc/passwd > $MARKERS/ran'))\n",
        ":1: refused import line: \"import sys, os; (not hasattr(sys, 'hook_run')) and "
        "(setattr(sys, 'hook_run'...\" (import-line)",
    ),
    Attack("usercustomize", "{user}/usercustomize.py", DATE, USERCUSTOMIZE_REPORT, user_site=True),
    # Not in Atomic Red Team.
    Attack("user-site-pth", "{user}/atomic_hook.pth", CAT, CAT_REPORT, user_site=True),
    Attack(
        "usercustomize-in-pythonuserbase",
        "base/lib/python{version}/site-packages/usercustomize.py",
        DATE,
        USERCUSTOMIZE_REPORT,
        variables={"PYTHONUSERBASE": "{root}/base"},
        user_site=True,
    ),
    Attack(
        "usercustomize-in-site-packages",
        "{site}/usercustomize.py",
        DATE,
        USERCUSTOMIZE_REPORT,
        user_site=True,
    ),
    Attack(
        "sitecustomize-in-site-packages",
        "{site}/sitecustomize.py",
        DATE,
        SITECUSTOMIZE_REPORT,
    ),
    Attack(
        "sitecustomize-package",
        "{site}/sitecustomize/__init__.py",
        DATE,
        SITECUSTOMIZE_REPORT,
    ),
    Attack(
        "sitecustomize-in-pythonpath",
        "elsewhere/sitecustomize.py",
        DATE,
        ": refused customize module: 'sitecustomize' (customize-pythonpath)",
        variables={"PYTHONPATH": "{root}/elsewhere"},
    ),
    Attack(
        "entry-point",
        "{site}/atomic_hook.start",
        "atomic_hook:main\n",
        ":1: refused entry point: 'atomic_hook:main' (entry-point)",
        others={"{site}/atomic_hook.py": f"def main():\n    {DATE}"},
        since=(3, 15),
    ),
]


@pytest.fixture(params=ATTACKS, ids=lambda attack: attack.name)
def attack(request: pytest.FixtureRequest) -> Attack:
    """Each attack in turn."""
    assert isinstance(request.param, Attack)
    return request.param


@pytest.fixture
def attacked(attack: Attack, interpreter: Interpreter, tmp_path: Path) -> Environment:
    """An environment with the files of one attack.

    A virtual environment has a user site directory only if it also has the system's site
    directories, where a machine may keep startup files of its own.
    """
    root = tmp_path / "environment"
    environment = environments.make(interpreter, root, system_site=attack.user_site)
    for name, text in {attack.file: attack.text, **attack.others}.items():
        path = Path(filled(name, environment))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, value in attack.variables.items():
        environment.variables[name] = filled(value, environment)
    return environment


def filled(name: str, environment: Environment) -> str:
    """Return the absolute path that a name in an `Attack` stands for."""
    path = name.format(
        root=environment.root,
        site=environment.site_packages,
        user=environment.user_site,
        version=environment.interpreter.version,
    )
    return str(environment.root / path)


def test_attack_runs_under_stock(attacked: Environment, attack: Attack) -> None:
    outcome = attacked.stock("-c", TELL_MODE)
    assert (outcome.code, outcome.out) == (0, "None\n")
    assert attacked.ran() == (["ran"] if attack.runs_on(attacked.interpreter) else [])


def test_attack_runs_where_allowed(attacked: Environment, attack: Attack) -> None:
    outcome = attacked.launched("-c", TELL_MODE, SAFESITE_MODE="allow")
    assert (outcome.code, outcome.out, outcome.reports) == (0, "allow\n", [])
    assert attacked.ran() == (["ran"] if attack.runs_on(attacked.interpreter) else [])


def test_attack_is_refused(attacked: Environment, attack: Attack) -> None:
    outcome = attacked.launched("-c", TELL_MODE, SAFESITE_MODE="refuse")
    assert attacked.ran() == []
    assert (outcome.code, outcome.out, outcome.other_err) == (0, "refuse\n", "")
    start = f"safesite: {filled(attack.file, attacked)}"
    reports = [line for line in outcome.reports if line.startswith(start)]
    assert reports == ([start + attack.report] if attack.is_known_to(attacked.interpreter) else [])


@pytest.mark.parametrize("mode", SILENT)
def test_attack_is_refused_in_silence(attacked: Environment, mode: str) -> None:
    outcome = attacked.launched("-c", TELL_MODE, SAFESITE_MODE=mode)
    assert attacked.ran() == []
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{mode}\n", "")
