"""Lines known word for word: what released packages have, and what is almost the same.

``startup_lines.json`` holds the executable lines of startup files as they stand in released wheels:
each text once, with the releases that have it and what it is to safesite.  To add a package, add
its lines there.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import environments
import pytest
from conftest import SOME_VERSIONS, need
from environments import Environment
from interpreters import Interpreter

from safesite import core, inert, known, perform

LINES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("startup_lines.json").read_text("utf-8")
)
WAITING = [line for line in LINES if line["is"] == "inert"]


def name_of(line: dict[str, Any]) -> str:
    """Return the releases that have a line, for the name of a test."""
    return " ".join(f"{name}-{releases[-1]}" for name, releases in line["releases"].items())


def record(text: str, kind: str = core.IMPORT, file: str = "/nonexistent/x.pth") -> core.Record:
    """Return the record of a line."""
    return core.Record(text, file, 1, kind)


@pytest.fixture
def startup(monkeypatch: pytest.MonkeyPatch) -> core.Startup:
    """What refuses, in an environment without the variables that lines wait for."""
    for line in WAITING:
        for variable in line["waits_for"]:
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("SETUPTOOLS_USE_DISTUTILS", raising=False)
    monkeypatch.setattr("sys.meta_path", [])
    return core.Startup()


@pytest.mark.parametrize(
    "line", [x for x in LINES if x["is"] in ("inert", "namespace")], ids=name_of
)
def test_each_begins_as_those_that_are_looked_at(line: dict[str, Any]) -> None:
    assert line["text"].startswith(known.STARTS["inert"])


@pytest.fixture(scope="session", params=SOME_VERSIONS)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    """Three of the versions by default, each with --full."""
    return need(request.param)


# Lines that wait for an environment variable.


@pytest.mark.parametrize("line", WAITING, ids=name_of)
def test_a_line_is_inert_while_its_variable_is_unset(
    startup: core.Startup, line: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known.keeps(startup, record(line["text"]))
    for variable in line["waits_for"]:
        monkeypatch.setenv(variable, "")
        assert known.keeps(startup, record(line["text"])) == line["empty_is_unset"]
        monkeypatch.setenv(variable, "1")
        refused = record(line["text"])
        assert not known.keeps(startup, refused)
        assert (refused.slug, refused.detail) == ("variable-set", f"{variable} is set")
        monkeypatch.delenv(variable)


@pytest.mark.parametrize("line", WAITING, ids=name_of)
def test_the_text_does_nothing_by_itself_while_its_variable_is_unset(
    startup: core.Startup, line: dict[str, Any]
) -> None:
    """Run it: ``startup`` has taken the variables away.  It binds names, and imports no more."""
    modules = set(vars(__import__("sys"))["modules"])
    exec(line["text"], {})  # noqa: S102 - the texts are those of this repository
    assert set(vars(__import__("sys"))["modules"]) - modules <= {"__future__"}
    assert startup.refused == {}


@pytest.mark.parametrize("change", [" {}", "{};", "{} ;pass", "{}#", "x=1;{}"])
@pytest.mark.parametrize("line", WAITING, ids=name_of)
def test_almost_the_same_line_is_not(
    startup: core.Startup, line: dict[str, Any], change: str
) -> None:
    assert not known.keeps(startup, record(change.format(line["text"])))
    assert not known.keeps(
        startup, record(line["text"].replace("os.environ", "os.environ ", 1)[:-1])
    )


@pytest.mark.parametrize("line", [x for x in LINES if x["is"] == "refused"], ids=name_of)
def test_other_lines_of_packages_are_refused(startup: core.Startup, line: dict[str, Any]) -> None:
    refused = record(line["text"], line.get("kind", core.IMPORT))
    assert not known.keeps(startup, refused)
    assert refused.slug == refused.kind.replace(" ", "-")


@pytest.mark.parametrize("line", [x for x in LINES if x["is"] == "deferred"], ids=name_of)
def test_each_line_of_setuptools_is_known(startup: core.Startup, line: dict[str, Any]) -> None:
    assert known.keeps(startup, record(line["text"]))


def test_a_set_variable_is_named_on_standard_error(environment: Environment) -> None:
    (line,) = (x for x in WAITING if "pytest-cov" in x["releases"] and "6.3.0" in name_of(x))
    (environment.site_packages / "pytest-cov.pth").write_text(line["text"] + "\n")
    assert environment.launched("-c", "pass").err == ""
    done = environment.launched("-c", "pass", COV_CORE_SOURCE="src")
    assert done.reports[0].endswith(": COV_CORE_SOURCE is set (variable-set)")
    done = environment.launched("-c", "pass", COV_CORE_SOURCE="src", SAFESITE_MODE="quiet")
    assert done.err == ""
    done = environment.launched("-c", "pass", options=("-v",))
    assert any(": inert import line: " in x for x in done.reports)


def test_the_line_of_virtualenv_is_inert_in_its_file_alone(environment: Environment) -> None:
    (environment.site_packages / "_virtualenv.py").write_text("raise SystemExit('ran')")
    (environment.site_packages / "_virtualenv.pth").write_text("import _virtualenv")
    assert environment.launched("-c", "pass").err == ""
    (environment.site_packages / "other.pth").write_text("import _virtualenv")
    (report, _hint) = environment.launched("-c", "pass").reports
    assert "other.pth:1: refused import line" in report


@pytest.mark.parametrize("version", ["3.10", "3.11"])  # later ones have no distutils
def test_what_it_guards_against_is_ignored_without_it(version: str, tmp_path: Path) -> None:
    environment = environments.make(need(version), tmp_path / "environment")
    (environment.home / ".pydistutils.cfg").write_text("[install]\nprefix = /elsewhere\n")
    code = (
        "from distutils.dist import Distribution; d = Distribution(); d.parse_config_files();"
        "print(d.find_config_files() != [], d.get_option_dict('install'))"
    )
    assert environment.launched("-c", code, options=("-W", "ignore")).out == "True {}\n"


# Namespace packages.


def line_for(name: str, template: str = inert.NEWER_NAMESPACE) -> str:
    """Return the line that setuptools writes for a namespace package."""
    parts, (parent, _, child) = tuple(name.split(".")), name.rpartition(".")
    text = inert.NAMESPACE + template.format(parts=parts, name=name)
    return text + (inert.CHILD.format(parent=parent, child=child) if parent else "") + "\n"


TEMPLATES = (inert.NEWER_NAMESPACE, inert.OLDER_NAMESPACE, inert.OLDEST_NAMESPACE)
NAMESPACES = [line for line in LINES if line["is"] == "namespace"]


def test_the_templates_are_those_of_released_packages() -> None:
    texts = {line["text"] for line in NAMESPACES}
    made = {
        line_for(".".join(inert.read_namespace(text)), template).strip()
        for text in texts
        for template in TEMPLATES
    }
    assert texts <= made


@pytest.fixture
def namespace(environment: Environment) -> Environment:
    """An environment with a portion of the namespace package ``ns`` and its line."""
    (environment.site_packages / "ns" / "deep").mkdir(parents=True)
    (environment.site_packages / "ns" / "one.py").write_text("WHERE = __file__\n")
    (environment.site_packages / "ns" / "deep" / "two.py").write_text("WHERE = __file__\n")
    (environment.site_packages / "ns-nspkg.pth").write_text(line_for("ns") + line_for("ns.deep"))
    return environment


PORTIONS = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
LOOK = "import ns.one, ns.deep.two; print(ns.one.WHERE, ns.deep.two.WHERE, *ns.__path__)"


def test_one_folder_is_the_same_namespace_package_without_the_line(namespace: Environment) -> None:
    stock, done = namespace.stock("-c", LOOK), namespace.launched("-c", LOOK)
    assert (done.out, done.err) == (stock.out, "")
    assert done.out.split()[2:] == [str(namespace.site_packages / "ns")]
    done = namespace.launched("-c", "import sys; print('ns' in sys.modules)")
    assert done.out == "False\n"


@pytest.mark.parametrize("template", TEMPLATES)
def test_several_folders_are(namespace: Environment, template: str) -> None:
    other = namespace.root / "other"
    (other / "ns").mkdir(parents=True)
    (other / "ns" / "three.py").write_text("")
    (namespace.site_packages / "a.pth").write_text(f"{other}\n")
    (namespace.site_packages / "ns-nspkg.pth").write_text(line_for("ns", template))
    look = "import ns.three; print(sorted(ns.__path__))"
    done = namespace.launched("-c", look)
    assert (done.out, done.err) == (
        f"{sorted([str(namespace.site_packages / 'ns'), str(other / 'ns')])}\n",
        "",
    )
    if template != inert.OLDEST_NAMESPACE:  # its module has the one folder alone
        app = namespace.work / "app.py"  # beside a script sys.path changes, and __path__ with it
        app.write_text(look)
        assert namespace.stock("app.py").out == done.out


def test_a_package_that_only_looks_for_its_portions_is_one(namespace: Environment) -> None:
    (namespace.site_packages / "ns" / "__init__.py").write_text(PORTIONS)
    stock, done = namespace.stock("-c", LOOK), namespace.launched("-c", LOOK)
    assert (done.out, done.err) == (stock.out, "")


@pytest.mark.parametrize(
    "file, content",
    [
        ("ns/__init__.py", PORTIONS + "print('more')\n"),
        ("ns/__init__.py", PORTIONS + "\n" * 400 + "print('more')\n"),
        ("ns/__init__.py", "__import__('pkg_resources').declare_namespace(__name__)\n"),
        ("ns/__init__.py", ""),
        ("ns.py", ""),
        ("ns/deep/__init__.py", ""),
    ],
)
def test_another_module_of_that_name_makes_it_refused(
    namespace: Environment, file: str, content: str
) -> None:
    (namespace.site_packages / file).write_text(content)
    done = namespace.launched("-c", "pass")
    said = "is no namespace package without it (namespace)"
    count = 1 if "deep" in file else 2
    assert [report.endswith(said) for report in done.reports] == [True] * count + [False]
    assert done.reports[-1].endswith("(hint)")


def test_a_package_that_comes_first_makes_it_refused(namespace: Environment) -> None:
    extra = namespace.root / "extra"
    (extra / "ns").mkdir(parents=True)
    (extra / "ns" / "__init__.py").write_text("")
    done = namespace.launched("-c", "pass", PYTHONPATH=str(extra))
    assert "ns is no namespace package without it (namespace)" in done.reports[0]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_folder_that_is_not_there_makes_it_refused(
    environment: Environment, elsewhere: bool
) -> None:
    (environment.site_packages / "ns-nspkg.pth").write_text(line_for("ns"))
    extra = environment.root / "extra"
    (extra / ("ns" if elsewhere else "other")).mkdir(parents=True)
    done = environment.launched("-c", "pass", PYTHONPATH=str(extra))
    assert "(namespace)" in done.reports[0]


@pytest.mark.parametrize(
    "old, new",
    [
        ("sys._getframe(1).f_locals['sitedir']", "'/project'"),  # an editable install's
        ("'ns',", "'..', 'ns',"),
        ("'ns',", "'ns', 'x',"),
        ("types.ModuleType('ns')", "types.ModuleType('os')"),
        ("import sys", "import sys, antigravity"),
        ("mp.append(p)", "mp.append(p) or exit()"),
    ],
)
def test_another_line_is_none(namespace: Environment, old: str, new: str) -> None:
    text = line_for("ns")
    assert old in text
    (namespace.site_packages / "ns-nspkg.pth").write_text(text.replace(old, new))
    assert namespace.launched("-c", "pass").reports[0].endswith("(import-line)")


# uv run --with.

OLD = 'import site; site.addsitedir("{}")'
NEW = 'import site; site.addsitedir(__import__("os").fsdecode(b"{}"))'
MORE = '; site.addsitedir(__import__("os").fsdecode(b"{}"))'


@pytest.mark.parametrize(
    "text, folders",
    [
        (OLD.format("/a/b"), ["/a/b"]),
        (OLD.format("/od'd \\\"q\\\\ \N{LATIN SMALL LETTER E WITH ACUTE}"), ["/od'd \"q\\ é"]),
        (OLD.format("/a") + '; site.addsitedir("/b");', ["/a", "/b"]),
        (NEW.format("/a") + MORE.format("/b"), ["/a", "/b"]),
        (NEW.format("/od\\'d \\\"q\\\\ \\xc3\\xa9"), ["/od'd \"q\\ é"]),
        (NEW.format("/\\xff"), [os.fsdecode(b"/\xff")]),
    ],
)
def test_the_overlay_of_uv_is_read(text: str, folders: list[str]) -> None:
    assert perform.read_overlay(text) == folders


@pytest.mark.parametrize(
    "text",
    [
        OLD.format("relative"),
        OLD.format(""),
        OLD.format('/a"); print("x'),
        OLD.format('/a" + "b'),
        OLD.format("/a\\n"),
        OLD.format("/a\\x41"),
        OLD.format("/a\\"),
        OLD.format("/a") + "; print(1)",
        OLD.format("/a").replace('"', "'"),
        OLD.format("/a").replace('("', '(r"'),
        OLD.format("/a").replace('")', '", set())'),
        "import site; " + OLD.format("/a"),
        NEW.format("/\\x4"),
        NEW.format("/\\u0041"),
        NEW.format("/é"),
        NEW.format("/a").replace('"os"', '"ox"'),
        "import site; ",
        "import site; pass",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    try:
        folders = perform.read_overlay(text)
    except ValueError:
        folders = []
    assert folders == []
    startup = core.Startup()
    assert not known.keeps(startup, record(text, file="/x/_uv_ephemeral_overlay.pth"))


@pytest.fixture
def overlay(environment: Environment) -> Environment:
    """An environment with the startup file of ``uv run --with`` for another site directory."""
    base = environment.root / "base"
    (base / "entry").mkdir(parents=True)
    (base / "in_base.py").write_text("")
    (base / "base.pth").write_text("entry\nimport antigravity\n")
    (environment.site_packages / "_uv_ephemeral_overlay.pth").write_text(NEW.format(base))
    return environment


def test_its_folders_get_what_a_path_entry_gets_and_their_lines_are_refused(
    overlay: Environment,
) -> None:
    code = "import sys, in_base; print(*sys.path[-2:])"
    done = overlay.launched("-c", code)
    assert done.out == f"{overlay.root}/base {overlay.root}/base/entry\n"
    (report, _hint) = done.reports
    assert "base.pth:2: refused import line: 'import antigravity'" in report
    code = "import sys; print('\\n'.join(sys.path))"
    (overlay.root / "base" / "base.pth").write_text("entry\n")
    assert overlay.launched("-c", code).out == overlay.stock("-c", code).out


def test_one_that_names_its_own_folder_is_performed_once(overlay: Environment) -> None:
    line = NEW.format(overlay.site_packages) + MORE.format(overlay.site_packages)
    (overlay.site_packages / "_uv_ephemeral_overlay.pth").write_text(line)
    done = overlay.launched("-c", "import sys; print(len(sys.path))")
    assert (done.code, done.err) == (0, "")


def test_in_a_file_of_another_name_it_is_refused(overlay: Environment) -> None:
    file = overlay.site_packages / "_uv_ephemeral_overlay.pth"
    file.rename(file.with_name("other.pth"))
    (report, _hint) = overlay.launched("-c", "pass").reports
    assert "other.pth:1: refused import line" in report
