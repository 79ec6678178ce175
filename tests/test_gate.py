"""The gate before ``site``: closed while there is no startup code, and never passed by any."""

from __future__ import annotations

import pytest
from environments import PACKAGE, Environment

LINE = 'import os; open(os.environ["MARKERS"] + "/{}", "w")\n'


@pytest.fixture
def extra(environment: Environment) -> Environment:
    """An environment without startup code; in the current folder, ``extra`` has an import line."""
    (environment.work / "extra").mkdir()
    (environment.work / "extra" / "foo.pth").write_text(LINE.format("foo") + "entry\n")
    (environment.work / "extra" / "entry").mkdir()
    return environment


def refused_once(environment: Environment, code: str) -> str:
    """Run code under safesite, which refuses the import line of ``extra`` and the hint follows."""
    outcome = environment.launched("-c", code)
    assert outcome.code == 0, outcome.err
    assert outcome.other_err == ""
    assert [line.rpartition("(")[2] for line in outcome.reports] == ["import-line)", "hint)"]
    assert environment.ran() == []
    return outcome.out


STATE = "import sys; s = sys.modules['safesite']; print(s.active(), len(s.refusals()))\n"


def test_the_mode_is_told_before_and_after_it_opens(extra: Environment) -> None:
    out = refused_once(extra, f"import site\n{STATE}site.addsitedir('extra')\n{STATE}")
    assert out == "refuse 0\nrefuse 1\n"


def test_stock_runs_what_the_gate_keeps_out(extra: Environment) -> None:
    extra.stock("-c", "import site; site.addsitedir('extra')")
    assert extra.ran() == ["foo"]


@pytest.mark.parametrize("name", ["SAFESITE_MODE", "SAFESITE_LOG", "SAFESITE_HINTED"])
def test_a_later_change_of_the_environment_changes_nothing(extra: Environment, name: str) -> None:
    """The mode is read when Python starts, also where the core is loaded later."""
    code = f"import os, site; os.environ[{name!r}] = 'allow'; site.addsitedir('extra')"
    refused_once(extra, code)
    assert not (extra.work / "allow").exists(), "no log either"


def test_quiet_stays_quiet(extra: Environment) -> None:
    code = f"import site; site.addsitedir('extra')\n{STATE}"
    outcome = extra.launched("-c", code, SAFESITE_MODE="quiet")
    assert (outcome.out, outcome.err, extra.ran()) == ("quiet 1\n", "", [])


def test_a_file_that_appears_after_the_look_is_refused(extra: Environment) -> None:
    """Stock lists the folder once more; its reading of what it finds meets the gate again."""
    code = """
import os, site
real, seen = os.listdir, []
def listdir(folder):
    seen.append(folder)
    return [] if len(seen) == 1 else real(folder)
os.listdir = listdir
site.addsitedir('extra')
print(len(seen))
"""
    assert refused_once(extra, code) == "2\n"


def test_a_folder_that_is_looked_at_by_another_path_is_refused(extra: Environment) -> None:
    """``link/..`` is another folder for the kernel than for stock, which normalises it first."""
    (extra.work / "far" / "deep").mkdir(parents=True)
    (extra.work / "link").symlink_to("far/deep")
    (extra.work / "far" / "empty").mkdir()
    (extra.work / "empty").mkdir()
    (extra.work / "empty" / "foo.pth").write_text(LINE.format("foo"))
    refused_once(extra, "import site; site.addsitedir('link/../empty')")


@pytest.mark.parametrize("call", ["site.addsitedir('extra')", "site.addsitedir(sitedir='extra')"])
@pytest.mark.parametrize("known", ["", "known"])
def test_a_function_kept_from_before_leads_behind_the_gate(
    extra: Environment, call: str, known: str
) -> None:
    prefix = "import site; addsitedir = site.addsitedir; "
    call = call.replace("site.addsitedir", "addsitedir")
    if known:
        call = call.replace(")", ", known_paths=set())")
    refused_once(extra, prefix + call + "; " + call)


def test_the_methods_of_3_15_take_keywords(extra: Environment) -> None:
    if extra.interpreter.number < (3, 15):
        pytest.skip("StartupState is new in 3.15")
    code = """
import site
state = site.StartupState()
state._addsitedir(sitedir='extra', process_known_sitedirs=True)
state.process()
"""
    refused_once(extra, code)


@pytest.mark.parametrize("mode", ["refuse", "warn"])
def test_an_error_in_a_part_shows_the_program(extra: Environment, mode: str) -> None:
    (extra.work / "app.py").write_text(
        "import site\ndef outer():\n    site.addsitedir(5)\nouter()\n"
    )
    outcome = extra.launched("app.py", SAFESITE_MODE=mode)
    assert outcome.code == 1
    frames = [line for line in outcome.err.splitlines() if line.startswith("  File ")]
    app = extra.work / "app.py"
    assert frames[:2] == [
        f'  File "{app}", line 4, in <module>',
        f'  File "{app}", line 3, in outer',
    ]
    assert outcome.err.splitlines()[-1].startswith("TypeError: ")


def test_a_function_of_the_program_in_their_place_stays(extra: Environment) -> None:
    code = """
import site
original, calls = site.addsitedir, []
def wrapper(*args):
    calls.append(args)
    return original(*args)
site.addsitedir = wrapper
site.addsitedir('extra')
site.addsitedir('extra')
print(len(calls), site.addsitedir is wrapper)
"""
    assert refused_once(extra, code) == "2 True\n"


def test_it_opens_where_the_package_was_found_by_a_relative_path(extra: Environment) -> None:
    (extra.work / "lib").mkdir()
    (extra.work / "safesite").rename(extra.work / "lib" / "safesite")
    (extra.work / "app.py").write_text(
        "import os, site; os.chdir('/'); site.addsitedir(__file__[:-6] + 'extra')\n"
    )
    outcome = extra.launched("app.py", PYTHONPATH="lib")
    assert [line.rpartition("(")[2] for line in outcome.reports] == ["import-line)", "hint)"]
    assert (outcome.code, extra.ran()) == (0, [])


def test_it_opens_once_for_many_threads(extra: Environment) -> None:
    for number in range(8):
        folder = extra.work / f"extra{number}"
        folder.mkdir()
        (folder / "foo.pth").write_text(LINE.format(f"foo{number}"))
    code = f"""
import site, threading
start = threading.Barrier(8)
def add(number):
    start.wait()
    site.addsitedir(f'extra{{number}}')
threads = [threading.Thread(target=add, args=[n]) for n in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
{STATE}"""
    outcome = extra.launched("-c", code)
    assert (outcome.code, outcome.out, extra.ran()) == (0, "refuse 8\n", [])


def test_customize_modules_are_not_looked_for_without_a_sign(extra: Environment) -> None:
    """Nor imported from where no folder was listed: the program's own, by a later call."""
    (extra.work / "sitecustomize.py").write_text(LINE.format("sitecustomize"))
    outcome = extra.launched("-c", "import site; site.execsitecustomize(); site.main()")
    assert (outcome.code, outcome.err, extra.ran()) == (0, "", [])


def test_main_reports_all_its_folders_as_one(environment: Environment) -> None:
    for folder in (environment.site_packages, environment.user_site):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "foo.pth").write_text(LINE.format("foo") * 7)
    config = environment.prefix / "pyvenv.cfg"
    config.write_text(config.read_text().replace("= false", "= true"))
    outcome = environment.launched("-c", "pass")
    refused = [line for line in outcome.reports if "environment" in line.partition(": refused")[0]]
    assert [line.rpartition("(")[2] for line in refused] == ["import-line)"] * 10 + ["hint)"]
    assert "; " in outcome.reports[-1]
    assert sum(line.endswith("(hint)") for line in outcome.reports) == 1
    assert environment.ran() == []


SUBINTERPRETER = """
import sys
code = '''
import sys, os, site
own = sys.modules["safesite"]
print("exit" in dir(__builtins__), os.getcwd() in sys.path, own.active(), flush=True)
for folder in ("extra", "more"):
    site.addsitedir(folder)
print(len(own.refusals()), flush=True)
'''
if sys.version_info >= (3, 13):
    import _interpreters
    print(_interpreters.exec(_interpreters.create(), code))
else:
    import _xxsubinterpreters
    print(_xxsubinterpreters.run_string(_xxsubinterpreters.create(), code))
"""


@pytest.mark.parametrize("mode", ["refuse", "quiet", "allow", "skip"])
def test_a_subinterpreter_decides_by_the_same_mode(extra: Environment, mode: str) -> None:
    """Its own refusals are reported, those of its maker not once more."""
    (extra.work / "more").mkdir()
    (extra.work / "more" / "bar.pth").write_text(LINE.format("bar"))
    begin = "import site; site.main(); site.addsitedir('extra')"
    (extra.work / "app.py").write_text(f"{begin}\n{SUBINTERPRETER}")
    outcome = extra.launched("app.py", SAFESITE_MODE=mode)
    ran = extra.ran()
    has_program_folder = extra.interpreter.number >= (3, 12)
    assert outcome.out.splitlines()[0] == f"True {has_program_folder} {mode}"
    assert outcome.out.splitlines()[2:] == ["None"]
    slugs = [line.rpartition("(")[2] for line in outcome.reports]
    if mode == "refuse":
        assert slugs == ["import-line)", "hint)", "import-line)"]
    else:
        assert slugs == []
    assert ran == (["bar", "foo"] if mode == "allow" else [])


def test_a_subinterpreter_logs_its_own_refusals(extra: Environment) -> None:
    (extra.work / "more").mkdir()
    (extra.work / "more" / "bar.pth").write_text(LINE.format("bar"))
    (extra.work / "app.py").write_text(f"import site; site.addsitedir('extra')\n{SUBINTERPRETER}")
    extra.launched("app.py", SAFESITE_LOG="log.json")
    lines = (extra.work / "log.json").read_text("ascii").splitlines()
    assert ["foo.pth" in line for line in lines] == [True, False]
    assert ["bar.pth" in line for line in lines] == [False, True]


BUILT_IN = f"""
import sys
sys.builtin_module_names += ("_interpreters",)
sys.path.insert(0, {str(PACKAGE.parent)!r})
import safesite
sys.path.insert(0, "")
sys.argv[:] = ["", "app.py"]
safesite.start(False)
"""


def test_a_built_in_module_of_subinterpreters_is_prepared_too(environment: Environment) -> None:
    """As in a Python that is linked statically; a stand-in notes what is run first."""
    (environment.work / "app.py").write_text(
        "import types, importlib.machinery\n"
        "module = types.ModuleType('_interpreters')\n"
        "module.create = lambda: 7\n"
        "module.exec = lambda interpreter, code: print(interpreter, 'safesite' in code)\n"
        "importlib.machinery.BuiltinImporter.exec_module(module)\n"
        "print(module.create())\n"
        "import math\n"
    )
    outcome = environment.run(environment.python, "-S", "-c", BUILT_IN)
    assert (outcome.code, outcome.out, outcome.err) == (0, "7 True\n7\n", "")


def test_an_extension_that_fails_shows_no_frame_of_the_watch(environment: Environment) -> None:
    (environment.work / "broken.so").write_bytes(b"")
    outcome = environment.launched("-c", "import broken")
    assert outcome.err == environment.stock("-c", "import broken").err
    assert "broken.so" in outcome.err
