"""What a patched interpreter does beyond what the cases of ``conformance`` say.

Each test runs on patched interpreters made of 3.10 and 3.15 (with --full of each version), and on a
built one.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path

import edits
import environments
import patched
import pytest
import refresh
from environments import PACKAGE, Environment
from patched import Base

from safesite import facts

pytestmark = pytest.mark.sampled

# Begins a program that makes subinterpreters: the module is private, and its name has changed.
INTERPRETERS = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
run = getattr(interpreters, "exec", None) or interpreters.run_string
"""
IMPORT_LINE = 'import os; open(os.environ["MARKERS"] + "/ran", "w")\n'


@pytest.fixture
def environment(patched_base: Base, tmp_path: Path) -> Environment:
    """A fresh virtual environment on the patched interpreter."""
    return environments.make(patched_base.patched, tmp_path / "environment")


def run(patched_base: Base, environment: Environment, code: str, **variables: str) -> str:
    """Run code on the patched interpreter and return what it prints; it must end well."""
    done = patched_base.run(environment, "-c", textwrap.dedent(code), **variables)
    assert done.code == 0, done.err
    return done.out.strip()


# The closed gate.


def test_a_start_without_startup_code_imports_nothing_of_safesite(
    patched_base: Base, environment: Environment
) -> None:
    (environment.site_packages / "package").mkdir()
    code = "import sys; print([n for n in sys.modules if 'safesite' in n])"
    # Debian's own sitecustomize might be allowed by a policy, if there is one.
    has_own = patched_base.stock.has_sitecustomize
    assert run(patched_base, environment, code) == ("['_safesite_lookout']" if has_own else "[]")


def test_it_hides_the_modules_that_the_launcher_hides(
    patched_base: Base, environment: Environment
) -> None:
    code = "import sys; print(sorted(n for n, m in sys.modules.items() if m is None))"
    names = sorted(facts.foreign_names("posix", "linux"))
    assert run(patched_base, environment, code) == str(names)
    assert run(patched_base, environment, code, SAFESITE_MODE="refuse") == str(names)
    assert run(patched_base, environment, code, SAFESITE_MODE="allow") == "[]"


@pytest.mark.parametrize("name", ["x.pth", "sitecustomize.py", "usercustomize"])
def test_it_opens_at_the_first_sign(
    patched_base: Base, environment: Environment, name: str
) -> None:
    (environment.site_packages / name).mkdir()
    code = "import sys; print([n for n in sys.modules if 'safesite' in n][0])"
    assert run(patched_base, environment, code) == "_safesite"


def test_site_directories_are_listed_once(patched_base: Base, environment: Environment) -> None:
    """Stock to 3.14 lists those of a virtual environment twice; the cost is saved there.

    Where one listing shows that there is nothing to do, stock's own is not made.
    """
    hook = """
        import sys
        def note(event, args):
            if event == "os.listdir" and str(args[0]).endswith("site-packages"):
                listed.append(args[0])
        listed = []
        sys.addaudithook(note)
        import site
        site.main()
        print(len(listed), sys.path.count(sys.argv[1]), len(set(sys.path)) == len(sys.path))
    """
    words = ("-S", "-c", textwrap.dedent(hook), environment.site_packages)
    done = patched_base.run(environment, *words)
    assert done.out.split() == ["1", "1", "True"], done.err


def test_site_directories_that_venv_has_not_added_are_added(
    patched_base: Base, environment: Environment
) -> None:
    """A program may have changed what tells an environment; the second pass is needed then."""
    code = """
        import site, sys
        sys.path.remove(sys.argv[1])
        sys.executable = ""
        site.main()
        print(sys.argv[1] in sys.path)
    """
    words = ("-c", textwrap.dedent(code), environment.site_packages)
    environment.rebase(patched_base.stock)
    stock = environment.stock(*words)
    done = patched_base.run(environment, *words)
    assert (done.code, done.out) == (stock.code, stock.out), done.err


@pytest.fixture(scope="session")
def shipped(patched_base: Base, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Base]:
    """What returns the patched interpreter with another default mode, made once for each."""
    return functools.cache(
        lambda mode: patched.made(patched_base.stock, tmp_path_factory.mktemp("base"), mode)
    )


@pytest.mark.parametrize("mode", ["allow", "warn", "quiet", "skip"])
@pytest.mark.parametrize("files", [(), ("x.pth", "sitecustomize.py")])
def test_a_distributor_can_ship_another_mode(
    patched_base: Base,
    shipped: Callable[[str], Base],
    tmp_path: Path,
    mode: str,
    files: tuple[str, ...],
) -> None:
    """It is what the variable would have been, also where no site directory has anything."""
    ships = shipped(mode)
    environment = environments.make(patched_base.stock, tmp_path / "environment")
    for name in files:
        (environment.site_packages / name).write_text(IMPORT_LINE)
    own = "import os; open(os.environ['MARKERS'] + '/own', 'w')"
    code = "import sys; print(sorted(n for n, m in sys.modules.items() if m is None))"
    variables = {"PYTHONPATH": str(environment.root / "own")}
    (environment.root / "own").mkdir()
    (environment.root / "own" / "usercustomize.py").write_text(own)
    (environment.root / "own" / "sitecustomize.py").write_text(own)
    for given in ({}, variables):
        environment.rebase(patched_base.stock)
        launched = environment.launched("-c", code, options=(), SAFESITE_MODE=mode, **given)
        ran = environment.ran()
        there = ships.run(environment, "-c", code, **given)
        assert environment.ran() == ran
        assert (there.out, ships.as_on_stock(there.err)) == (launched.out, launched.err)
        assert ("own" in ran) == (mode in ("allow", "warn") and bool(given))


def test_a_distributor_who_ships_warn_keeps_the_own_sitecustomize(
    patched_base: Base, tmp_path: Path
) -> None:
    """As apport's hook on Debian, which lies beside the standard library."""
    environment = environments.make(patched_base.stock, tmp_path / "environment")
    for mode in ("warn", "allow", "refuse"):
        ships = patched.made(patched_base.stock, tmp_path / mode, default=mode)
        own = ships.patched.path.parent.parent / "lib" / f"python{ships.stock.version}"
        (own / "sitecustomize.py").unlink(missing_ok=True)
        (own / "sitecustomize.py").write_text(IMPORT_LINE)
        done = ships.run(environment, "-c", "pass")
        assert (done.code, done.err) == (0, "")
        assert environment.ran() == (["ran"] if mode != "refuse" else [])


# What a program may try.


def folder_with_line(environment: Environment) -> Path:
    """Make a folder, to be added as a site directory, with a line that must not run."""
    folder = environment.root / "folder"
    folder.mkdir()
    (folder / "x.pth").write_text(IMPORT_LINE)
    return folder


def test_the_mode_is_read_at_the_start_and_not_when_it_is_first_needed(
    patched_base: Base, environment: Environment
) -> None:
    folder = folder_with_line(environment)
    code = """
        import os, site, sys
        for name, value in (("MODE", "allow"), ("LOG", sys.argv[1] + "/log"), ("HINTED", "1")):
            os.environ["SAFESITE_" + name] = value
        site.addsitedir(sys.argv[1])
    """
    done = patched_base.run(environment, "-c", textwrap.dedent(code), folder)
    assert environment.ran() == []
    assert len(done.reports) == 2  # the refusal and the hint
    assert not (folder / "log").exists()


def test_a_reference_taken_before_the_first_sign_refuses_too(
    patched_base: Base, environment: Environment
) -> None:
    folder = folder_with_line(environment)
    (folder / "sitecustomize.py").write_text(IMPORT_LINE)
    code = """
        import sys
        from site import addpackage, addsitedir, execsitecustomize, execusercustomize, main
        sys.path.insert(0, sys.argv[1])
        addsitedir(sys.argv[1])
        addpackage(sys.argv[1], "x.pth", set())
        execsitecustomize()
        execusercustomize()
        main()
        print("_safesite" in sys.modules)
    """
    done = patched_base.run(environment, "-c", textwrap.dedent(code), folder)
    assert (done.code, done.out) == (0, "True\n"), done.err
    assert environment.ran() == []


def test_skip_opens_nothing_for_a_program_either(
    patched_base: Base, environment: Environment
) -> None:
    folder = environment.root / "folder"
    (folder / "entry").mkdir(parents=True)
    (folder / "x.pth").write_text("entry\n" + IMPORT_LINE)
    code = """
        import site, sys
        site.addpackage(sys.argv[1], "x.pth", set())
        print(len([x for x in sys.path if x.startswith(sys.argv[1])]))
    """
    words = ("-c", textwrap.dedent(code), folder)
    for way in ((), ("-S", "-m", "safesite")):
        done = patched_base.run(environment, *way, *words, SAFESITE_MODE="skip")
        assert (done.code, done.out, done.err, environment.ran()) == (0, "0\n", "", [])


def test_an_allowed_line_sees_what_stock_shows_it(
    patched_base: Base, environment: Environment
) -> None:
    """Its frame's locals are those of stock, which real packages use."""
    line = "import sys; print(sorted(sys._getframe(1).f_locals), sys._getframe(1).f_code.co_name)\n"
    (environment.site_packages / "x.pth").write_text(line)
    environment.rebase(patched_base.stock)
    stock = environment.stock("-c", "pass").out
    assert stock
    for mode in ("allow", "warn"):
        assert patched_base.run(environment, "-c", "pass", SAFESITE_MODE=mode).out == stock


def test_subinterpreters_refuse(patched_base: Base, environment: Environment) -> None:
    (environment.site_packages / "x.pth").write_text("entry\n" + IMPORT_LINE)
    (environment.site_packages / "entry").mkdir()
    code = """
        code = "print([e for e in sys.path if e.endswith('entry')] != [], site._safesite().mode)"
        run(interpreters.create(), "import site, sys; " + code)
    """
    code = INTERPRETERS + textwrap.dedent(code)
    assert run(patched_base, environment, code, SAFESITE_MODE="quiet") == "True quiet"
    assert environment.ran() == []


def test_the_log_and_the_hint_are_the_launchers(
    patched_base: Base, environment: Environment
) -> None:
    (environment.site_packages / "x.pth").write_text(IMPORT_LINE)
    log = environment.root / "log"
    code = "import os; print(os.environ.get('SAFESITE_HINTED', '').count(','))"
    assert run(patched_base, environment, code, SAFESITE_LOG=str(log)) == "1"
    assert run(patched_base, environment, code, SAFESITE_HINTED="1") == "1"
    entry = json.loads(log.read_text())
    assert (entry["file"], entry["line"]) == (str(environment.site_packages / "x.pth"), 1)
    quiet = patched_base.run(environment, "-c", "pass", SAFESITE_HINTED="1")
    assert len(quiet.reports) == 1


def test_its_variables_are_taken_where_there_is_no_startup_code_yet(
    patched_base: Base, environment: Environment
) -> None:
    folder = folder_with_line(environment)
    log = folder / "log"
    code = """
        import os, site, sys
        print(os.environ.get("SAFESITE_HINTED"), os.environ.pop("SAFESITE_LOG", None) is not None)
        site.addsitedir(sys.argv[1])
    """
    words = ("-c", textwrap.dedent(code), folder)
    done = patched_base.run(environment, *words, SAFESITE_HINTED="1")
    assert (done.out, len(done.reports)) == ("1 False\n", 1), done.err
    done = patched_base.run(environment, *words, SAFESITE_LOG=str(log))
    assert (done.out, len(log.read_text().splitlines())) == ("None True\n", 1), done.err


def test_the_children_refuse(patched_base: Base, environment: Environment) -> None:
    (environment.site_packages / "x.pth").write_text(IMPORT_LINE)
    code = """
        import subprocess, sys
        subprocess.run([sys.executable, *sys.argv[1:], "-c", "pass"], check=True)
    """
    done = patched_base.run(environment, "-c", textwrap.dedent(code), *patched_base.options)
    assert environment.ran() == []
    assert len(done.reports) == 2, done.err  # one refusal and one hint, in the whole tree


@pytest.mark.parametrize(
    "options", [("-I",), ("-E",), ("-s",), ("-B", "-u"), ("-O",), ("-X", "dev")]
)
def test_it_refuses_under_every_option(
    patched_base: Base, environment: Environment, options: tuple[str, ...]
) -> None:
    (environment.site_packages / "x.pth").write_text(IMPORT_LINE)
    done = patched_base.run(environment, *options, "-c", "pass")
    assert done.code == 0
    assert environment.ran() == []
    assert done.reports[0].endswith("(import-line)")


def test_without_site_it_adds_nothing_and_obeys_the_mode(
    patched_base: Base, environment: Environment
) -> None:
    (environment.site_packages / "x.pth").write_text(IMPORT_LINE)
    code = "import site, sys; site.addsitedir(sys.argv[1]); print(sys.argv[1] in sys.path)"
    done = patched_base.run(environment, "-S", "-c", code, environment.site_packages)
    assert (done.code, done.out, environment.ran()) == (0, "True\n", [])
    done = patched_base.run(
        environment, "-S", "-c", code, environment.site_packages, SAFESITE_MODE="allow"
    )
    assert (done.code, done.out, environment.ran()) == (0, "True\n", ["ran"])


@pytest.mark.parametrize("home", ["", "/nonexistent", "unwritable"])
def test_it_needs_no_home(patched_base: Base, environment: Environment, home: str) -> None:
    (environment.site_packages / "x.pth").write_text(IMPORT_LINE)
    unwritable = environment.root / "unwritable"
    unwritable.mkdir(mode=0o500)
    done = patched_base.run(
        environment, "-c", "pass", HOME=str(unwritable) if home == "unwritable" else home
    )
    assert (done.code, len(done.reports)) == (0, 2), done.err


def test_closed_standard_streams(patched_base: Base, environment: Environment) -> None:
    (environment.site_packages / "x.pth").write_text(IMPORT_LINE)
    environment.rebase(patched_base.patched)
    for closing in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        words: list[str | Path] = [
            "sh",
            "-c",
            f'exec "$@" {closing}',
            "sh",
            environment.python,
            *patched_base.options,
        ]
        assert environment.run(*words, "-c", "pass").code == 0
    assert environment.ran() == []


def test_a_current_folder_that_is_gone(patched_base: Base, environment: Environment) -> None:
    """PYTHONPATH may name folders in it; some versions cannot make a subinterpreter there."""
    code = """
        import os, site, tempfile
        os.chdir(tempfile.mkdtemp())
        os.rmdir(os.getcwd())
        site.main()
        print("well", flush=True)
        interpreters.create()
        print("still well")
    """
    words = (*patched_base.options, "-c", INTERPRETERS + textwrap.dedent(code))
    environment.rebase(patched_base.stock)
    stock = environment.stock(*words, PYTHONPATH="relative:")
    environment.rebase(patched_base.patched)
    there = environment.stock(*words, PYTHONPATH="relative:")
    assert "well" in there.out, there.err
    assert (there.code, there.out) == (stock.code, stock.out), there.err


@pytest.mark.parametrize("variable", ["PYTHONPATH", "SAFESITE_MODE", "SAFESITE_LOG"])
def test_site_can_be_run_as_a_module(
    patched_base: Base, environment: Environment, variable: str
) -> None:
    (environment.site_packages / "x.pth").write_text(IMPORT_LINE)
    (environment.site_packages / "sitecustomize.py").write_text("")
    values = {"PYTHONPATH": str(environment.site_packages), "SAFESITE_MODE": "quiet"}
    value = values.get(variable, str(environment.root / "log"))
    for options in ((), ("-S",)):
        done = patched_base.run(environment, *options, "-m", "site", **{variable: value})
        assert "ENABLE_USER_SITE" in done.out, done.err
        assert "Traceback" not in done.err
    assert environment.ran() == []


def test_site_need_not_be_in_sys_modules(patched_base: Base, environment: Environment) -> None:
    folder = folder_with_line(environment)
    code = "import site, sys; del sys.modules['site']; site.addsitedir(sys.argv[1])"
    done = patched_base.run(environment, "-c", code, folder)
    assert (done.code, len(done.reports), environment.ran()) == (0, 2, []), done.err


def test_an_addpackage_of_the_program_breaks_nothing(
    patched_base: Base, environment: Environment
) -> None:
    folder = folder_with_line(environment)
    code = """
        import functools, site, sys
        site.addpackage = functools.partial(site.addpackage)
        site.addsitedir(sys.argv[1])
    """
    done = patched_base.run(environment, "-v", "-c", textwrap.dedent(code), folder)
    assert (done.code, environment.ran()) == (0, []), done.err[-2000:]


def test_two_threads_can_add_one_folder(patched_base: Base, environment: Environment) -> None:
    """What the other reads for itself does not count as read for this one."""
    folder = environment.root / "folder"
    (folder / "entry").mkdir(parents=True)
    (folder / "x.pth").write_text("#\n" * 100000 + "entry\n")
    code = """
        import site, sys, threading
        paths = [set(), set()]
        threads = [threading.Thread(target=site.addsitedir, args=(sys.argv[1], p)) for p in paths]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print([len(p) for p in paths])
    """
    done = patched_base.run(environment, "-c", textwrap.dedent(code), folder)
    assert (done.code, done.out) == (0, "[2, 2]\n"), done.err


def test_a_state_of_the_programs_own_is_processed_once(
    patched_base: Base, environment: Environment
) -> None:
    if patched_base.stock.number < (3, 15):
        pytest.skip("StartupState is new in 3.15")
    (environment.site_packages / "x.pth").write_text("")
    code = """
        import site
        class State(site.StartupState):
            def process(self):
                print("processed")
                super().process()
        State().process()
    """
    assert run(patched_base, environment, code) == "processed"


# The package safesite on a patched interpreter.


def test_a_program_can_ask(patched_base: Base, environment: Environment) -> None:
    code = (
        "import safesite; print(safesite.active(), [(x.line, x.slug) for x in safesite.refusals()])"
    )
    assert run(patched_base, environment, code) == "refuse []"
    (environment.site_packages / "x.pth").write_text(IMPORT_LINE)
    assert run(patched_base, environment, code) == "refuse [(1, 'import-line')]"
    assert run(patched_base, environment, code, SAFESITE_MODE="allow") == "allow []"


@pytest.mark.parametrize("options", [(), ("-S",)])
def test_the_launcher_works_with_and_without_site(
    patched_base: Base, environment: Environment, options: tuple[str, ...]
) -> None:
    (environment.site_packages / "x.pth").write_text("entry\n" + IMPORT_LINE)
    (environment.site_packages / "entry").mkdir()
    (environment.work / "app.py").write_text("import sys; print(sys.argv, sys.path, __name__)\n")
    plain = patched_base.run(environment, "app.py", "a", SAFESITE_MODE="quiet")
    launched = patched_base.run(
        environment, *options, "-m", "safesite", "app.py", "a", SAFESITE_MODE="quiet"
    )
    assert (launched.code, launched.out, launched.err) == (0, plain.out, "")
    (environment.site_packages / "sitecustomize.py").write_text(IMPORT_LINE)
    missing = patched_base.run(environment, *options, "-m", "safesite", "nosuch.py")
    assert missing.other_err.endswith(": [Errno 2] No such file or directory\n")
    told = patched_base.run(environment, *options, "-m", "safesite", "-c", "pass")
    typed = environments.advice(
        environment.python, *patched_base.options, *options, "-m", "safesite"
    )
    without = patched_base.run(environment, "-c", "pass").err
    assert told.err == without.replace(environments.advice(), typed)
    assert len(told.reports) == 3  # one report: both refusals, then the hint
    assert environment.ran() == []


def test_its_hint_names_a_command_that_is_on_path(
    patched_base: Base, environment: Environment
) -> None:
    (environment.site_packages / "x.pth").write_text(IMPORT_LINE)
    told = patched_base.run(environment, "-c", "pass", "safesite")
    assert told.reports[1:] == [environments.hint(1, environments.advice())]
    (environment.prefix / "bin" / "safesite").touch()
    told = patched_base.run(environment, "-c", "pass", "safesite")
    advice = environments.advice("safesite", "--python", environment.python)
    assert told.reports[1:] == [environments.hint(1, advice)]


def test_the_launcher_refuses_in_subinterpreters(
    patched_base: Base, environment: Environment
) -> None:
    (environment.site_packages / "x.pth").write_text(IMPORT_LINE)
    code = """
        import os
        os.environ["SAFESITE_MODE"] = "allow"
        code = "print(site._safesite().mode, sys.modules['winreg'])"
        run(interpreters.create(), "import site, sys; " + code)
    """
    words = ("-S", "-m", "safesite", "-c", INTERPRETERS + textwrap.dedent(code))
    done = patched_base.run(environment, *words, SAFESITE_MODE="refuse")
    assert (done.code, done.out, len(done.reports)) == (0, "refuse None\n", 2), done.err
    assert environment.ran() == []


# Builds by pip in isolation: its sitecustomize is performed, and nothing that only looks like it.

BACKEND = """\
import os, shutil
import helper  # a requirement of the build

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return os.path.basename(shutil.copy("demo-1-py3-none-any.whl", folder))
"""


def make_wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Make a wheel by hand."""
    info = f"{name}-1.dist-info"
    path = folder / f"{name}-1-py3-none-any.whl"
    head = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in (files | {f"{info}/{file}": text for file, text in head.items()}).items():
            archive.writestr(file, text)
    return path


def test_pip_builds_an_sdist_in_isolation(patched_base: Base, environment: Environment) -> None:
    """With the pip that comes with the version; the requirement's own startup code is refused."""
    variables = {"PYTHON_FROZEN_MODULES": "off"} if patched_base.options else {}
    if variables and patched_base.stock.number < (3, 13):
        pytest.skip("pip's children do not get the option that an interpreter of this kind needs")
    files = {"helper.py": "", "helper.pth": IMPORT_LINE}
    requirement = make_wheel(environment.root, "helper", files)
    project = environment.root / "demo-1"
    project.mkdir()
    (project / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1\n")
    make_wheel(project, "demo", {"demo.py": ""})
    (project / "backend.py").write_text(BACKEND)
    (project / "pyproject.toml").write_text(
        f"[build-system]\nrequires = ['helper @ {requirement.as_uri()}']\n"
        "build-backend = 'backend'\nbackend-path = ['.']\n[project]\nname = 'demo'\nversion = '1'\n"
    )
    sdist = shutil.make_archive(str(project), "gztar", environment.root, project.name)
    pip = ("-m", "pip", "install", "--no-index", "--disable-pip-version-check", sdist)
    assert patched_base.run(environment, "-m", "ensurepip", "--default-pip").code == 0
    done = patched_base.run(environment, *pip, **variables)
    assert done.code == 0, done.out + done.err
    assert run(patched_base, environment, "import demo; print(demo.__file__)").endswith("demo.py")
    assert environment.ran() == []


PIP = """
import os, site, sys

# First, discover all system-sites related paths.
original_sys_path = sys.path[:]
# Clear sys.path so addsitedir() will add system site paths and paths
# added by contained .pth files to sys.path reliably. This is necessary
# since Python 3.15, which notably no longer re-executes .pth files for
# known paths.
sys.path = []
known_paths = set()
for path in {sites!r}:
    site.addsitedir(path, known_paths=known_paths)
system_paths = set(os.path.normcase(path) for path in sys.path)

# Drop discovered system-sites related paths.
original_sys_path = [
    path for path in original_sys_path
    if os.path.normcase(path) not in system_paths
]
sys.path = original_sys_path

# Second, add lib directories.
# ensuring .pth file are processed.
for path in {libs!r}:
    assert not path in sys.path
    site.addsitedir(path)
"""


class Build:
    """The folders that pip makes for an isolated build, in an environment."""

    def __init__(self, environment: Environment, parent: Path) -> None:
        self.environment = environment
        self.folder = parent / "pip-build-env-abc"
        self.site = self.folder / "site"
        self.lib = self.folder / "overlay" / "lib"
        for folder in (self.site, self.lib):
            folder.mkdir(parents=True)
        self.sites = {str(environment.site_packages)}
        self.libs = [str(self.lib)]

    def write(self, text: str = PIP, name: str = "sitecustomize.py") -> None:
        """Write pip's file, or something like it."""
        path = self.site / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.format(sites=self.sites, libs=self.libs))

    def path(self, patched_base: Base, **variables: str) -> tuple[list[str], list[str]]:
        """Return sys.path and the reports of a process of the build."""
        code = "import json, sys; print(json.dumps(sys.path))"
        variables = {"PYTHONPATH": str(self.site)} | variables
        done = patched_base.run(self.environment, "-c", code, **variables)
        assert done.code == 0, done.err
        return json.loads(done.out), done.reports


@pytest.fixture
def build(environment: Environment) -> Build:
    """A build whose folder lies outside the environment, as a temporary one does."""
    return Build(environment, environment.root)


def test_pips_sitecustomize_is_performed(patched_base: Base, build: Build) -> None:
    """It takes the environment's packages and their path entries off, and adds its own."""
    site_packages = build.environment.site_packages
    for folder in (site_packages, build.lib):
        (folder / "entry").mkdir()
        (folder / "x.pth").write_text("entry\n")
    build.write()
    path, reports = build.path(patched_base)
    assert reports == []
    assert path[-2:] == [str(build.lib), str(build.lib / "entry")]
    assert not [entry for entry in path if entry.startswith(str(site_packages))]
    build.environment.rebase(patched_base.stock)
    code = "import json, sys; print(json.dumps(sys.path))"
    stock = build.environment.stock("-c", code, PYTHONPATH=str(build.site)).out
    assert json.loads(patched_base.as_on_stock(json.dumps(path))) == json.loads(stock)


def test_what_a_performed_build_adds_is_refused_as_anywhere(
    patched_base: Base, build: Build
) -> None:
    (build.lib / "x.pth").write_text(IMPORT_LINE)
    build.write()
    _, reports = build.path(patched_base)
    assert build.environment.ran() == []
    assert len(reports) == 2


def refused(patched_base: Base, build: Build, **variables: str) -> bool:
    """Return whether a sitecustomize is refused, and sys.path is what it is without one."""
    path, reports = build.path(patched_base, **variables)
    for file in build.site.rglob("*.py"):
        file.unlink()
    without, _ = build.path(patched_base, **variables)
    return any("customize module: 'sitecustomize'" in line for line in reports) and path == without


def test_pips_literals_take_nothing_else_off_the_path(patched_base: Base, build: Build) -> None:
    for foreign in (str(patched_base.patched.library), str(build.environment.work), "", "/"):
        build.sites = {str(build.environment.site_packages), foreign}
        build.write()
        assert refused(patched_base, build), foreign


def test_pips_literals_add_no_other_folder(patched_base: Base, build: Build) -> None:
    outside = build.environment.root / "outside"
    outside.mkdir()
    (build.folder / "link").symlink_to(outside)
    for foreign in (outside, build.folder / ".." / "outside", build.folder / "link", build.folder):
        build.libs = [str(build.lib), str(foreign)]
        build.write()
        assert refused(patched_base, build), foreign


def test_pips_literals_in_a_locale_that_cannot_say_them(patched_base: Base, build: Build) -> None:
    ascii_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    build.libs = [str(build.lib), "/\xe9"]
    build.write()
    assert refused(patched_base, build, **ascii_locale)


def test_pips_sitecustomize_through_a_link_is_refused(patched_base: Base, build: Build) -> None:
    """A link is how a package could name the folder of somebody's build."""
    build.write()
    site_packages = build.environment.site_packages
    (site_packages / "link").symlink_to(build.site)
    path, reports = build.path(patched_base, PYTHONPATH=str(site_packages / "link"))
    assert any("customize module: 'sitecustomize'" in line for line in reports)
    assert str(build.lib) not in path
    (site_packages / "sitecustomize.py").symlink_to(build.site / "sitecustomize.py")
    path, reports = build.path(patched_base, PYTHONPATH=str(site_packages))
    assert str(build.lib) not in path
    assert str(site_packages) in path


def test_pips_sitecustomize_is_performed_once(patched_base: Base, build: Build) -> None:
    """As Python imports a module once: a later call of site.main() does not do it again."""
    build.write()
    code = "import site, sys; site.main(); print(sys.argv[1] in sys.path)"
    environment = build.environment
    words = ("-c", code, environment.site_packages)
    environment.rebase(patched_base.stock)
    stock = environment.stock(*words, PYTHONPATH=str(build.site))
    there = patched_base.run(environment, *words, PYTHONPATH=str(build.site))
    assert (there.code, there.out, there.err) == (stock.code, stock.out, "")


@pytest.mark.parametrize(
    "text",
    [
        PIP + "\n",
        "\n" + PIP,
        PIP.replace("\nfor", "\nimport os\nfor", 1),
        PIP.replace("{libs!r}", "[*{libs!r}]"),
        PIP.replace("{libs!r}", "{libs!r} + []"),
        PIP.replace("'", '"').replace("{sites!r}", "{sites!r} or print()"),
        PIP.replace("site.addsitedir(path)", "site.addsitedir(path); exit()"),
        PIP.replace("{libs!r}", "[]"),
        "",
    ],
)
def test_what_is_not_to_the_letter_pips_is_refused(
    patched_base: Base, build: Build, text: str
) -> None:
    build.write(text)
    assert refused(patched_base, build)


def test_pips_sitecustomize_that_pythonpath_does_not_name_is_refused(
    patched_base: Base, build: Build
) -> None:
    build.write()
    code = """
        import site, sys
        site.addsitedir(sys.argv[1])
        before = sys.path[:]
        site.execsitecustomize()
        print(sys.path == before)
    """
    done = patched_base.run(build.environment, "-c", textwrap.dedent(code), build.site)
    assert (done.code, done.out, len(done.reports)) == (0, "True\n", 2), done.err


def test_pips_sitecustomize_behind_another_is_refused(patched_base: Base, build: Build) -> None:
    """Python would not have imported it."""
    (build.environment.work / "sitecustomize.py").write_text(IMPORT_LINE)
    build.write()
    _, reports = build.path(patched_base, PYTHONPATH=f"{build.environment.work}:{build.site}")
    assert len([line for line in reports if "customize module" in line]) == 2
    assert build.environment.ran() == []


def test_pips_sitecustomize_in_another_form_or_place_is_refused(
    patched_base: Base, build: Build
) -> None:
    build.write(name="sitecustomize/__init__.py")
    assert refused(patched_base, build)


@pytest.mark.parametrize("place", ["environment", "site directory", "otherwise named"])
def test_pips_sitecustomize_below_a_prefix_is_refused(
    patched_base: Base, environment: Environment, place: str
) -> None:
    parents = {
        "environment": environment.prefix,
        "site directory": environment.site_packages,
        "otherwise named": environment.root,
    }
    build = Build(environment, parents[place])
    if place == "otherwise named":
        build.folder = build.folder.rename(environment.root / "elsewhere")
        build.site, build.lib = build.folder / "site", build.folder / "overlay" / "lib"
        build.libs = [str(build.lib)]
    build.write()
    assert refused(patched_base, build)


# The patches themselves.


def test_the_modules_in_the_patch_are_those_of_the_package(patched_base: Base) -> None:
    code = "import _safesite, _safesite_keep; print(_safesite.__spec__.origin)"
    patched_base.patched.run(*patched_base.options, "-I", "-c", code)
    text = (patched.PATCHES / patched_base.stock.version / "safesite-site.diff").read_text("utf-8")
    for module in edits.MODULES:
        name = "core" if module == "_safesite" else module.removeprefix("_safesite_")
        added = refresh.sections(text)[f"Lib/{module}.py"].splitlines()[3:]
        source = (PACKAGE / f"{name}.py").read_text("utf-8")
        assert "".join(f"{line[1:]}\n" for line in added) == source


def test_the_readme_shows_the_line_that_changes_the_default(
    patched_base: Base, tmp_path: Path
) -> None:
    """One sed line, on the tree, as patches/README.md has it."""
    readme = (patched.PATCHES / "README.md").read_text("utf-8")
    (command,) = [line.strip() for line in readme.splitlines() if line.strip().startswith("sed -i")]
    tree = tmp_path / "tree"
    (tree / "Lib").mkdir(parents=True)
    shutil.copyfile(patched_base.stock.library / "site.py", tree / "Lib" / "site.py")
    refresh.apply(patched_base.stock.version, tree, patched.FILES)
    assert os.waitstatus_to_exitcode(os.system(f"cd {tree} && {command}")) == 0  # noqa: S605 - ours
    assert '\n_DEFAULT_MODE = "quiet"\n' in (tree / "Lib" / "site.py").read_text("utf-8")
