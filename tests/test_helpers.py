"""Helpers of editable installs: when one runs, what it cannot do, what is said of an odd one.

The helpers here are written by the tests, in the form of each backend; `test_editables` has those
that the backends write.
"""

from __future__ import annotations

import inspect
import os
import sys
import textwrap
import warnings
from pathlib import Path

import pytest
from conftest import SOME_VERSIONS, need
from environments import Environment, Outcome
from interpreters import Interpreter

from safesite import core, helpers, known

# A line of each form, and the least helper that has it: it leaves a marker and puts a finder where
# the backend's stands.  {names} are those that it declares, of modules in the folder {project}.
START = """\
import os, sys
from importlib.machinery import PathFinder
open(os.environ["MARKERS"] + "/{module}", "a").write("x")


class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in {names!r}:
            return PathFinder.find_spec(name, [{project!r}])

"""
LINES = {
    "setuptools": "import __editable___x_finder; __editable___x_finder.install()",
    "editables": "import _editable_impl_x",
    "scikit-build-core": "import _editable_skbc_x",
    "meson-python": "import _x_editable_loader; _x_editable_loader.init()",
}
HELPERS = {
    "setuptools": START
    + """
MAPPING: dict[str, str] = {mapping!r}
NAMESPACES: dict[str, list[str]] = {{}}

def install():
    sys.meta_path.append(Finder)
""",
    "editables": START
    + """
class F:
    @staticmethod
    def map_module(name, path):
        pass

sys.meta_path.append(Finder)
{calls}
""",
    "scikit-build-core": START
    + """
def install(*args):
    sys.meta_path.insert(0, Finder)

install({mapping!r}, {{}}, {{}}, [])
""",
    "meson-python": START
    + """
class MesonpyMetaFinder:
    def __init__(self, *args):
        pass

def init():
    finder = MesonpyMetaFinder('x', {names!r}, '{project}/build', [], False)
    sys.meta_path.insert(0, Finder)
""",
}
FORMS = tuple(LINES)
LAST = ("setuptools", "editables")  # whose finder stands behind all others


def module_of(form: str) -> str:
    """Return the name of the helper's module."""
    return LINES[form][7:].partition(";")[0]


def write(environment: Environment, form: str, *names: str, more: str = "") -> Path:
    """Put a helper and its line into site-packages, and the modules that it declares elsewhere."""
    project = environment.root / "project"
    project.mkdir(exist_ok=True)
    for name in names:
        if name.isidentifier() and not (project / f"{name}.py").exists():
            (project / f"{name}.py").write_text(f"WHERE = 'project: {name}'\n")
    module = module_of(form)
    source = HELPERS[form].format(
        module=module,
        names=set(names),
        project=str(project),
        mapping={name: f"{project}/{name}.py" for name in names},
        calls="\n".join(f"F.map_module({name!r}, 'path')" for name in names),
    )
    path = environment.site_packages / f"{module}.py"
    path.write_text(source + textwrap.dedent(more))
    (environment.site_packages / f"{module.strip('_')}.pth").write_text(LINES[form] + "\n")
    return path


def launched(environment: Environment, code: str, *options: str, **variables: str) -> Outcome:
    """Run a program under safesite."""
    return environment.launched("-c", textwrap.dedent(code), options=options, **variables)


def reason(outcome: Outcome) -> str:
    """Return why the one line was refused."""
    (report,) = outcome.reports
    assert report.endswith(" (helper)")
    return report


@pytest.fixture(scope="session", params=SOME_VERSIONS)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    """Three of the versions by default, each with --full."""
    return need(request.param)


# When a helper runs.


@pytest.mark.parametrize("form", FORMS)
def test_a_helper_runs_at_the_first_import_of_a_name_and_not_before(
    environment: Environment, form: str
) -> None:
    write(environment, form, "demo", "other")
    done = launched(environment, "import json, subprocess, sys; print(sorted(sys.modules))")
    assert (done.code, done.err, environment.ran()) == (0, "", [])
    assert "editable" not in done.out
    assert "safesite.helpers" not in done.out, "nor what would run it"
    code = "import demo, demo, other; print(demo.WHERE, other.WHERE)"
    done = launched(environment, code)
    assert (done.out, done.err) == ("project: demo project: other\n", "")
    assert (environment.markers / module_of(form)).read_text() == "x", "once"


@pytest.mark.parametrize("form", FORMS)
def test_an_import_of_another_name_runs_none(environment: Environment, form: str) -> None:
    write(environment, form, "demo")
    code = """
        for name in "absent", "install", "demo.x", "dem", "demo2", "_ctypes_test_absent":
            try:
                __import__(name)
            except ModuleNotFoundError as exc:
                print(exc)
    """
    stock = "No module named 'demo.x'; 'demo' is not a package"
    assert stock in launched(environment, code).out
    assert environment.ran() == [module_of(form)], "demo was imported, for demo.x"
    done = launched(environment, code.replace('"demo.x", ', ""))
    assert done.err == ""
    assert environment.ran() == []


@pytest.mark.parametrize("mode", ["quiet", "refuse"])
def test_of_two_helpers_the_one_that_is_needed_runs(environment: Environment, mode: str) -> None:
    write(environment, "setuptools", "demo")
    write(environment, "scikit-build-core", "other")
    done = launched(environment, "import demo; print(demo.WHERE)", SAFESITE_MODE=mode)
    assert (done.out, done.err) == ("project: demo\n", "")
    assert environment.ran() == [module_of("setuptools")]


def test_in_the_mode_skip_there_is_none(environment: Environment) -> None:
    write(environment, "setuptools", "demo")
    done = launched(environment, "import demo", SAFESITE_MODE="skip")
    assert "No module named 'demo'" in done.err
    assert environment.ran() == []


def test_in_the_mode_allow_it_runs_at_startup(environment: Environment) -> None:
    write(environment, "setuptools", "demo")
    launched(environment, "pass", SAFESITE_MODE="allow")
    assert environment.ran() == [module_of("setuptools")]


def test_a_site_directory_that_the_program_adds_may_hold_one(environment: Environment) -> None:
    write(environment, "editables", "demo")
    folder = environment.root / "later"
    environment.site_packages.rename(folder)
    environment.site_packages.mkdir()
    code = f"import site; site.addsitedir({str(folder)!r}); import demo; print(demo.WHERE)"
    done = launched(environment, code)
    assert (done.out, done.err) == ("project: demo\n", "")


def test_verbose_shows_it(environment: Environment) -> None:
    write(environment, "editables", "demo")
    done = launched(environment, "pass", "-v")
    assert any(": deferred import line: 'import _editable_impl_x'" in x for x in done.reports)


@pytest.mark.parametrize("form", FORMS)
def test_another_module_of_that_name_is_not_shadowed(environment: Environment, form: str) -> None:
    write(environment, form, "requests")
    (environment.site_packages / "requests.py").write_text("WHERE = 'installed'\n")
    done = launched(environment, "import requests; print(requests.WHERE)")
    assert done.out == "installed\n"
    assert environment.ran() == []
    path = environment.site_packages / f"{module_of(form)}.py"
    where = f"{environment.site_packages}/requests.py is imported"
    loud = f"safesite: {path}: refused declared name: 'requests': {where} (answered-elsewhere)"
    assert done.reports == ([] if form in LAST else [loud])


@pytest.mark.parametrize("literal", ["{site}/requests", "{site}", "/"])
def test_the_paths_a_helper_names_give_it_no_right_to_what_is_installed(
    environment: Environment, literal: str
) -> None:
    package = environment.site_packages / "requests"
    package.mkdir()
    (package / "__init__.py").write_text("WHERE = 'installed'\n")
    path = write(environment, "scikit-build-core", "requests")
    literal = literal.format(site=environment.site_packages)
    path.write_text(
        path.read_text().replace("{}, {}, []", f"{{}}, {{'requests': [{literal!r}]}}, []")
    )
    done = launched(environment, "import requests; print(requests.WHERE)")
    assert done.out == "installed\n"
    assert environment.ran() == []


def test_a_file_that_another_distribution_claims_too_is_not_its_own(
    environment: Environment,
) -> None:
    (environment.site_packages / "requests.py").write_text("WHERE = 'installed'\n")
    write(environment, "scikit-build-core", "requests")
    code = "import requests; print(requests.WHERE)"
    for name, lines in {"x-1": "_editable_skbc_x.py,,\nrequests.py,,\n"}.items():
        (environment.site_packages / f"{name}.dist-info").mkdir()
        (environment.site_packages / f"{name}.dist-info" / "RECORD").write_text(lines)
    assert launched(environment, code).out == "project: requests\n"
    (environment.site_packages / "requests-2.dist-info").mkdir()
    (environment.site_packages / "requests-2.dist-info" / "RECORD").write_text("requests.py,,\n")
    assert launched(environment, code).out == "installed\n"


def test_the_source_below_its_path_entry_is_its_own(environment: Environment) -> None:
    write(environment, "scikit-build-core", "demo")
    code = "import demo; print(demo.__spec__.origin)"
    line = environment.site_packages / "editable_skbc_x.pth"
    line.write_text(f"{LINES['scikit-build-core']}\n{environment.root / 'project'}\n")
    done = launched(environment, code)
    assert done.err == ""
    assert environment.ran() == ["_editable_skbc_x"], "though the path entry answers"


@pytest.mark.parametrize("literal", ["{work}", "{work}/x", "/"])
def test_a_module_of_the_program_is_not_shadowed(environment: Environment, literal: str) -> None:
    literal = literal.format(work=environment.work)
    path = write(environment, "scikit-build-core", "utils")
    path.write_text(path.read_text().replace(f"{environment.root}/project/utils.py", literal))
    (environment.work / "utils.py").write_text("WHERE = 'program'\n")
    done = launched(environment, "import utils; print(utils.WHERE)")
    assert (done.out, environment.ran()) == ("program\n", [])


@pytest.mark.parametrize("built", [True, False])
def test_beside_its_build_folder_it_is_its_own(environment: Environment, built: bool) -> None:
    """meson-python: the project's root holds the source, and may be the current folder."""
    write(environment, "meson-python", "demo")
    project = environment.root / "project"
    (project / "build" / ("meson-info" if built else "other")).mkdir(parents=True)
    code = f"import sys; sys.path.insert(0, {str(project)!r}); import demo"
    done = launched(environment, code)
    assert environment.ran() == (["_x_editable_loader"] if built else [])
    assert len(done.reports) == (0 if built else 1)


def test_of_two_helpers_of_one_name_the_first_counts(environment: Environment) -> None:
    """As under stock: the second line finds the first's module in sys.modules."""
    write(environment, "setuptools", "demo")
    later = environment.root / "later"
    later.mkdir()
    for name in ("editable___x_finder.pth", "__editable___x_finder.py"):
        text = (environment.site_packages / name).read_text()
        (later / name).write_text(text.replace("'demo'", "'other'"))
    code = f"""
        import site; site.addsitedir({str(later)!r})
        import demo
        print(demo.WHERE)
        import other
    """
    done = launched(environment, code)
    assert done.out == "project: demo\n"
    assert done.err.endswith("No module named 'other'\n")


# What a helper cannot do.

NEVER = (
    "os",
    "json",
    "msvcrt",
    "encodings.foo_bar",
    "__main__",
    "sitecustomize",
    "site",
    "safesite",
)


@pytest.mark.parametrize("form", FORMS)
def test_names_of_the_standard_library_and_of_python_are_never_answered(
    environment: Environment, form: str
) -> None:
    path = write(environment, form, *NEVER, "requests.x", "demo")
    (environment.site_packages / "requests.py").write_text("WHERE = 'installed'\n")
    code = """
        import sys
        sys.modules.pop("json", None)
        import json, os, requests, safesite
        print(json.__file__ == os.path.join(os.path.dirname(os.__file__), "json", "__init__.py"))
        for name in "msvcrt", "requests.x", "sitecustomize", "encodings.foo_bar":
            sys.modules.pop(name, None)
            try:
                __import__(name)
            except ModuleNotFoundError:
                print(name)
        try:
            "x".encode("foo-bar")
        except LookupError as exc:
            print(exc)
    """
    done = launched(environment, code)
    absent = ["msvcrt", "requests.x", "encodings.foo_bar", "unknown encoding: foo-bar"]
    own = "sitecustomize" if not environment.interpreter.has_sitecustomize else None
    assert [x for x in done.out.splitlines() if x != own] == ["True", *absent]
    assert environment.ran() == []
    done = launched(environment, "import demo; print(demo.WHERE)")
    assert done.out == "project: demo\n"
    tops = {name.partition(".")[0] for name in NEVER}
    said = "a name of Python's own (never-answered)"
    expected = [f"safesite: {path}: refused declared name: {name!r}: {said}" for name in tops]
    assert sorted(done.reports) == sorted(expected)


CHANGES = ("{}; print(1)", "import os; {}", "{} #", "{};", "{}.x", "{} as x", "import x, {}")


@pytest.mark.parametrize("form", FORMS)
def test_a_line_with_anything_before_or_after_is_refused(
    environment: Environment, form: str
) -> None:
    write(environment, form, "demo")
    (path,) = environment.site_packages.glob("*.pth")
    path.unlink()
    for number, change in enumerate(CHANGES):
        (environment.site_packages / f"{number}.pth").write_text(change.format(LINES[form]) + "\n")
    done = launched(environment, "import demo")
    told = [report.rpartition(" ")[2] for report in done.reports]
    assert told == ["(import-line)"] * len(CHANGES) + ["(hint)"]
    assert "No module named 'demo'" in done.err
    assert environment.ran() == []


def test_a_near_name_is_no_helper() -> None:
    texts = (
        "import __editable___x", "import __editable___x_finder", "import _editable_impl_x.y",
        "import __editable___x_finder; __editable___y_finder.install()",
        "import _editable_impl_\N{LATIN SMALL LETTER E WITH ACUTE}", "import editable_impl_x",
        "import _x_editable_loaders", "import\t_editable_impl_x", "import  _editable_impl_x",
    )  # fmt: skip
    assert [known.recognise(text, core.IMPORT)[0] for text in texts] == [""] * len(texts)
    entries = (
        "_x_editable_loader:install",
        "_editable_skbc_x:init",
        "__editable___x_finder:install",
    )
    assert [known.recognise(text, core.ENTRY)[0] for text in entries] == [""] * len(entries)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize(
    "odd, said",
    [
        ("link", "a link that leads out of the site directory"),
        ("package", "_editable_impl_x is another form of it"),
        ("extension", ".so is another form of it"),
        ("large", "larger than "),
        ("folder", "not a regular file"),
        ("fifo", "not a regular file"),
        ("missing", "No such file or directory"),
        ("utf-8", "not UTF-8"),
        ("syntax", "cannot be parsed: SyntaxError"),
        ("nul", "cannot be parsed: "),
        ("deep", "cannot be parsed: "),
        ("cookie", "cannot be parsed: SyntaxError"),
    ],
)
def test_an_odd_helper_is_refused_with_its_reason(
    environment: Environment, odd: str, said: str
) -> None:
    path = write(environment, "editables", "demo")
    make_odd(path, odd, environment)
    done = launched(environment, "import demo")
    assert done.code == 1
    assert "ModuleNotFoundError: No module named 'demo'" in done.err
    assert environment.ran() == []
    report = reason(done)
    assert report.startswith(
        f"safesite: {environment.site_packages}/editable_impl_x.pth:1: refused"
    )
    assert said in report
    done = launched(environment, "print('fine')")
    assert (done.out, done.err) == ("fine\n", "")


def make_odd(path: Path, odd: str, environment: Environment) -> None:
    """Make a helper odd, in one way."""
    text = path.read_text()
    contents = {
        "utf-8": text.encode() + b"# \xff demo\n",
        "syntax": text.encode() + b"demo = = 1\n",
        "nul": text.encode() + b"# \x00\n",
        "deep": text.encode() + b"x = " + b"-" * 50_000 + b"1\n",
        "large": text.encode() + b"#" * (1 << 20),
        "cookie": text.encode() + "x = 'a\\\n\N{EURO SIGN}'; = demo\n".encode(),
    }
    if odd in contents:
        path.write_bytes(contents[odd])
        return
    if odd == "package":
        path.with_suffix("").mkdir()
    elif odd == "extension":
        suffix = environment.interpreter.run(
            "-c", "import _imp; print(_imp.extension_suffixes()[0])"
        )
        path.with_name(path.stem + suffix.strip()).write_text("")
    else:
        path.rename(environment.root / "outside.py")
    if odd == "link":
        path.symlink_to(environment.root / "outside.py")
    elif odd == "folder":
        path.mkdir()
    elif odd == "fifo":
        os.mkfifo(path)


def test_a_link_within_the_site_directory_is_followed(environment: Environment) -> None:
    path = write(environment, "editables", "demo")
    path.rename(path.with_name("elsewhere.py"))
    path.symlink_to("elsewhere.py")
    assert launched(environment, "import demo; print(demo.WHERE)").out == "project: demo\n"


def test_a_helper_is_not_parsed_before_a_name_that_it_mentions(environment: Environment) -> None:
    path = write(environment, "editables", "demo")
    path.write_text(path.read_text() + "= not Python\n")
    code = """
        try:
            import absent
        except ImportError:
            print("absent")
    """
    done = launched(environment, code)
    assert (done.out, done.err) == ("absent\n", "")


def test_nor_for_a_name_that_others_answer(environment: Environment) -> None:
    path = write(environment, "setuptools", "demo")
    text = path.read_text().replace("list[str]] = {}", "list[str]] = {'ns': []}")  # stands first
    path.write_text(text + "= not Python\n")
    (environment.site_packages / "demo.py").write_text("print('installed')\n")
    done = launched(environment, "import demo")
    assert (done.out, done.err) == ("installed\n", "")


def test_the_parser_warns_of_nothing() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        helpers.syntax_tree("x = '\\d'\n")
    assert caught == []


def test_no_source_crashes_the_parser(
    environment: Environment, request: pytest.FixtureRequest
) -> None:
    """What is too deep is an exception: on 3.10 only below its smaller cap.

    By default a quarter of the others' cap, which takes seconds.
    """
    full = request.config.getoption("--full") or environment.interpreter.version == "3.10"
    code = f"""
        from safesite import core, helpers, known
        line = core.Record("import _editable_impl_x", "/x.pth", 1, core.IMPORT)
        helper = helpers.Helper(line, "editables", "_editable_impl_x", "", [])
        shapes = ("-", "(", "()", "[]", "+1", ".b", "[0]", "not ", "lambda:", "1 if 1 else ")
        for shape in (*shapes, "**1", "<1", "{{1:", " and 1", "=x", "f'{{"):
            count = (helpers.SIZE_CAP - 10) // len(shape) // {1 if full else 4}
            for source in "x = 1" + shape * count, "x = " + shape * count + "1":
                helper.data = source.encode()
                try:
                    helpers.parse(helper)
                except helpers.Unusable:
                    pass
        print("whole")
    """
    done = environment.stock("-S", "-c", textwrap.dedent(code))
    assert (done.code, done.out) == (0, "whole\n"), done.err[-300:]


# A helper that fails, and imports at the same time.


def test_its_message_is_escaped(environment: Environment) -> None:
    path = write(environment, "editables", "demo")
    path.write_text("raise ValueError('\\x1b[31m\\nsafesite: demo map_module')\n")
    text = path.read_text() + "F.map_module('demo', 'path')\n"
    path.write_text(text)
    done = launched(environment, "try:\n import demo\nexcept ImportError as exc:\n print(exc)")
    assert done.out.endswith("ValueError: \\x1b[31m\\nsafesite: demo map_module\n")


@pytest.mark.parametrize("form", FORMS)
def test_an_exception_is_an_import_error_that_names_the_helper(
    environment: Environment, form: str
) -> None:
    path = write(environment, form, "demo")
    path.write_text(path.read_text().replace("class Finder", "raise ValueError('broken')\nclass F"))
    code = """
        for _ in range(2):
            try:
                import demo
            except ImportError as exc:
                print(exc.name, exc.path, type(exc.__cause__).__name__, exc)
    """
    done = launched(environment, code)
    told = f"demo {path} ValueError 'demo' needs {path}, which failed: ValueError: broken\n"
    assert (done.out, done.err) == (told * 2, "")
    assert (environment.markers / module_of(form)).read_text() == "x", "it has run once"


def test_a_helper_without_its_function_fails_likewise(environment: Environment) -> None:
    path = write(environment, "meson-python", "demo", more="\ndel init\n")
    done = launched(environment, "import demo")
    assert f"ImportError: 'demo' needs {path}, which failed: AttributeError" in done.err
    assert done.reports == []


def test_an_exit_of_a_helper_ends_the_program(environment: Environment) -> None:
    path = write(environment, "editables", "demo")
    path.write_text(path.read_text().replace("class Finder", "raise SystemExit(7)\nclass Finder"))
    code = """
        try:
            import demo
        except SystemExit:
            import demo
    """
    done = launched(environment, code)
    assert (done.code, environment.ran()) == (1, ["_editable_impl_x"])
    assert "ImportError: 'demo' needs" in done.err
    assert "SystemExit: 7" in done.err


def test_an_interrupted_helper_may_yet_run(environment: Environment) -> None:
    path = write(environment, "editables", "demo")
    interrupt = "if not hasattr(sys, 'asked'):\n    sys.asked = 1\n    raise KeyboardInterrupt\n"
    path.write_text(path.read_text().replace("class Finder", interrupt + "class Finder"))
    code = """
        try:
            import demo
        except KeyboardInterrupt:
            import demo
        print(demo.WHERE)
    """
    assert launched(environment, code).out == "project: demo\n"


def test_a_program_that_is_too_deep_may_import_it_later(environment: Environment) -> None:
    """However few calls are left: at each place where that could have been the last straw."""
    write(environment, "setuptools", "demo")
    code = """
        import sys

        def dive(calls):
            if calls:
                dive(calls - 1)
            else:
                import demo

        try:
            import absent
        except ImportError:
            limit = sys.getrecursionlimit()
        for left in range(5, 120):
            try:
                dive(limit - left)
            except (RecursionError, ImportError):
                pass
            if "demo" in sys.modules:
                break
        import demo
        print(demo.WHERE)
    """
    done = launched(environment, code)
    assert (done.out, done.err) == ("project: demo\n", "")


def test_a_recursion_error_is_the_helpers_only_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = core.Record("import _editable_impl_x", "/x.pth", 1, core.IMPORT)
    helper = helpers.Helper(line, "editables", "_editable_impl_x", "", [])

    def fail(_source: str) -> None:
        raise RecursionError

    def dive(calls: int) -> None:
        if calls:
            dive(calls - 1)
        else:
            helpers.parse(helper)

    monkeypatch.setattr(helpers, "syntax_tree", fail)
    with pytest.raises(helpers.Unusable):
        dive(0)
    with pytest.raises(RecursionError):
        dive(sys.getrecursionlimit() - len(inspect.stack(0)) - 60)


def test_a_program_that_takes_all_out_of_sys_modules_goes_on(environment: Environment) -> None:
    write(environment, "setuptools", "demo")
    code = """
        import sys
        import demo
        for name in [name for name in sys.modules if "safesite" in name]:
            del sys.modules[name]
        try:
            import absent
        except ImportError as exc:
            print(exc)
    """
    assert launched(environment, code).out == "No module named 'absent'\n"
    code = code.replace("import demo", "")
    assert launched(environment, code).out == "No module named 'absent'\n"


def test_a_false_safesite_is_not_imported_in_its_place(environment: Environment) -> None:
    write(environment, "setuptools", "demo")
    package = environment.site_packages / "safesite"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('ran')\n")
    code = """
        import sys
        for name in [name for name in sys.modules if "safesite" in name]:
            del sys.modules[name]
        import demo
        print(demo.WHERE)
    """
    done = launched(environment, code)
    assert (done.out, done.err) == ("project: demo\n", "")


@pytest.mark.parametrize("form", FORMS)
def test_finders_that_ask_the_others_are_answered(environment: Environment, form: str) -> None:
    write(environment, form, "demo", "absent")
    (environment.root / "project" / "absent.py").unlink()
    code = """
        import sys

        class Asks:
            def find_spec(self, name, path=None, target=None):
                for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        return spec

        sys.meta_path.insert(0, Asks())
        import demo
        print(demo.WHERE)
        import absent
    """
    done = launched(environment, code)
    assert done.out == "project: demo\n"
    assert done.err.endswith("No module named 'absent'\n")


def test_a_finder_of_the_program_that_raises_is_asked_after_it(environment: Environment) -> None:
    write(environment, "setuptools", "demo")
    code = """
        import sys

        class Strict:
            @staticmethod
            def find_spec(name, path=None, target=None):
                raise RuntimeError(name)

        sys.meta_path.append(Strict)
        import demo
        print(demo.WHERE)
        import absent
    """
    done = launched(environment, code)
    assert done.out == "project: demo\n"
    assert done.err.endswith("RuntimeError: absent\n")


def test_parsing_shows_no_warning_again(environment: Environment) -> None:
    write(environment, "setuptools", "demo")
    code = """
        import warnings

        def warn():
            warnings.warn("once", stacklevel=1)

        warn()
        import demo
        warn()
    """
    assert launched(environment, code).err.count("UserWarning") == 1


@pytest.mark.parametrize("form", FORMS)
def test_threads_that_import_at_once_all_get_the_module(
    environment: Environment, form: str
) -> None:
    names = [f"demo{number}" for number in range(12)]
    write(environment, form, *names, more="\nimport time; time.sleep(0.1)\n")
    code = f"""
        import sys, threading
        sys.setswitchinterval(1e-6)
        found, barrier = [], threading.Barrier(12)

        def load(name):
            barrier.wait()
            found.append(__import__(name).WHERE)

        threads = [threading.Thread(target=load, args=(name,)) for name in {names}]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(len(set(found)))
    """
    done = launched(environment, code)
    assert (done.out, done.err) == ("12\n", "")
    assert (environment.markers / module_of(form)).read_text() == "x"


def test_thousands_of_helpers_are_no_hindrance(environment: Environment) -> None:
    for number in range(3000):
        stem = environment.site_packages / f"_editable_impl_x{number}"
        stem.with_suffix(".pth").write_text(f"import {stem.name}\n")
        stem.with_suffix(".py").write_text("F.map_module('demo', 'path')\n")
    done = launched(environment, "import absent")
    assert "No module named 'absent'" in done.err
    assert done.reports == []


@pytest.mark.parametrize("form", FORMS)
def test_threads_that_wait_for_each_other_go_on(environment: Environment, form: str) -> None:
    """One imports what the helper needs, and in it what the helper declares."""
    write(environment, form, "demo", "other", more="\nimport time; time.sleep(0.3); import slow\n")
    (environment.site_packages / "slow.py").write_text(
        "import time; time.sleep(0.6)\ntry:\n import other\nexcept ImportError:\n pass\n"
    )
    code = """
        import threading
        threads = [threading.Thread(target=__import__, args=(n,)) for n in ("slow", "demo")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        import demo, other
        print(demo.WHERE, other.WHERE, [t.is_alive() for t in threads])
    """
    done = launched(environment, code)
    assert done.out.splitlines()[-1:] == ["project: demo project: other [False, False]"]
    assert "Traceback" not in done.err


def test_a_helper_that_imports_what_it_declares_goes_on(environment: Environment) -> None:
    more = """
        try:
            import demo
        except ImportError as exc:
            print(type(exc).__name__, exc.name)
    """
    write(environment, "editables", "demo", more=more.replace("\n        ", "\n"))
    stock = environment.stock("-c", "import demo; print(demo.WHERE)")
    done = launched(environment, "import demo; print(demo.WHERE)")
    assert done.out.splitlines()[-2:] == stock.out.splitlines()[-1:] or done.out == (
        "project: demo\n"
    ), "its finder stands there by then"


def test_the_folder_of_the_program_does_not_answer_a_helper(environment: Environment) -> None:
    """As under stock, where a helper runs before that folder is on sys.path."""
    more = "\nimport colorsys, wave_absent\n"
    write(environment, "editables", "demo", more=more)
    (environment.site_packages / "wave_absent.py").write_text("")
    for name in ("colorsys", "wave_absent"):
        (environment.work / f"{name}.py").write_text("raise SystemExit('of the program')\n")
    app = environment.work / "app.py"
    app.write_text("import demo; print(demo.WHERE)\nimport colorsys; print(colorsys.__file__)")
    done = environment.launched("app.py")
    stock = environment.stock("app.py")
    assert done.out == stock.out
    assert done.out.startswith("project: demo\n")


def test_entries_that_a_helper_adds_go_where_stock_has_them(environment: Environment) -> None:
    write(environment, "editables", "demo", more="\nsys.path.append('added')\n")
    (environment.site_packages / "z.pth").write_text("entry\n")
    (environment.site_packages / "entry").mkdir()
    code = "import sys; import demo; print(sys.path[-3:])"
    assert launched(environment, code).out == environment.stock("-c", code).out


# distutils, by setuptools' own line.

HACK = """
import os, sys
open(os.environ["MARKERS"] + "/hack", "w").close()


class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "distutils":
            from importlib.machinery import PathFinder
            return PathFinder.find_spec(name, [os.path.dirname(__file__) + "/copy"])


def add_shim():
    sys.meta_path.insert(0, Finder)
"""


@pytest.fixture
def setuptools(environment: Environment) -> Environment:
    """An environment with what setuptools has for distutils."""
    hack = environment.site_packages / "_distutils_hack"
    (hack / "copy" / "distutils").mkdir(parents=True)
    (hack / "__init__.py").write_text(HACK)
    (hack / "copy" / "distutils" / "__init__.py").write_text("")
    line = next(iter(known.DISTUTILS_LINES))
    (environment.site_packages / "distutils-precedence.pth").write_text(f"{line} ")
    return environment


def test_distutils_is_setuptools_copy_where_python_has_none(setuptools: Environment) -> None:
    code = "import sys; print(sys.modules.get('_distutils_hack')); import distutils"
    code += "; print(distutils.__file__)"
    done = launched(setuptools, code, "-W", "ignore")
    assert done.err == ""
    where = f"{setuptools.site_packages}/_distutils_hack/copy/distutils/__init__.py"
    if setuptools.interpreter.number < (3, 12):
        where = str(setuptools.interpreter.library / "distutils" / "__init__.py")
    assert done.out == f"None\n{where}\n"
    new = setuptools.interpreter.number >= (3, 12)
    assert setuptools.ran() == (["hack"] if new else [])


@pytest.mark.parametrize("value, counts", [("stdlib", False), ("local", True), ("", False)])
def test_its_variable_is_honoured(setuptools: Environment, value: str, counts: bool) -> None:
    stock = setuptools.stock("-c", "import distutils", SETUPTOOLS_USE_DISTUTILS=value)
    done = launched(setuptools, "import distutils", SETUPTOOLS_USE_DISTUTILS=value)
    there = counts or setuptools.interpreter.number < (3, 12)
    assert (done.code == 0) == (stock.code == 0) == there
    assert done.reports == []
