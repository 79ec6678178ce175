"""What a start costs by its imports, and the shape of the modules that every start pays for."""

from __future__ import annotations

import ast
from pathlib import Path

import edits
import policies
import pytest
from environments import PACKAGE, Environment
from policies import allow

# A start is told by its modules.  runpy and what it needs come with any ``-m``.
CODE = "import sys; print(*sorted(sys.modules))"
OWN = {"safesite"}
GATE_OPEN = OWN | {"safesite.core", "safesite.site"}


def resting(environment: Environment) -> set[str]:
    """Return the modules without startup files; a library's own sitecustomize has one more."""
    return OWN | ({"safesite.lookout"} if environment.interpreter.has_sitecustomize else set())


def reading(environment: Environment, *more: str) -> set[str]:
    """Return the modules that startup files need, and more of them."""
    batch = {"safesite.batch"} if environment.interpreter.number >= (3, 15) else set()
    return GATE_OPEN | batch | {f"safesite.{name}" for name in more}


def modules(text: str) -> set[str]:
    return set(text.split())


@pytest.fixture
def module_run(environment: Environment) -> Environment:
    """An environment with a module ``told``, so that stock's ``-m`` has loaded what ours has."""
    (environment.work / "told.py").write_text(CODE)
    return environment


def started(environment: Environment, policy: str = "") -> set[str]:
    """Return the modules that a launched start has beyond stock's, without blocked names."""
    code = "import sys; print(*sorted(n for n in sys.modules if sys.modules[n] is not None))"
    (environment.work / "told.py").write_text(code)
    stock = modules(environment.stock("-m", "told").out)
    variables = {"SAFESITE_POLICY": policy} if policy else {}
    launched = modules(environment.run(*environment.launcher(), "-m", "told", **variables).out)
    assert "runpy" in stock
    return launched - stock


def test_a_start_without_startup_files_imports_the_package_alone(module_run: Environment) -> None:
    (module_run.site_packages / "package").mkdir()
    assert started(module_run) == resting(module_run)


def test_a_start_without_executable_lines_imports_nothing_else(module_run: Environment) -> None:
    (module_run.site_packages / "path.pth").write_text("entry\n")
    assert started(module_run) == reading(module_run)


def test_a_script_imports_what_a_module_does(module_run: Environment) -> None:
    code = "import sys; print(*sorted(n for n in sys.modules if n.startswith('safesite')))"
    (module_run.work / "told.py").write_text(code)
    assert modules(module_run.launched("told.py").out) == resting(module_run)


def test_a_refusal_imports_the_cold_module_alone(module_run: Environment) -> None:
    (module_run.site_packages / "foo.pth").write_text("import os\n")
    assert started(module_run) == reading(module_run, "known", "keep")


def test_a_customize_module_imports_what_performs_besides(module_run: Environment) -> None:
    (module_run.site_packages / "sitecustomize.py").write_text("")
    assert started(module_run) == reading(module_run, "keep", "perform")


def test_a_line_that_need_not_run_imports_what_recognises_it(module_run: Environment) -> None:
    (module_run.site_packages / "e.pth").write_text("import _editable_impl_e\n")
    assert started(module_run) == reading(module_run, "known")


def test_what_is_refused_is_not_imported(module_run: Environment) -> None:
    for name in ("sitecustomize", "usercustomize", "helper"):
        (module_run.site_packages / f"{name}.py").write_text("")
    (module_run.site_packages / "foo.pth").write_text("import helper\n")
    (module_run.site_packages / "foo.start").write_text("helper:go\n")
    assert not {"sitecustomize", "usercustomize", "helper"} & started(module_run)


# A policy is read, and no more, by a start without executable lines or customize modules.


@pytest.fixture
def policy(trusted_folder: Path, module_run: Environment) -> str:
    """The path of a policy, which allows a line: no file has it yet."""
    hook = module_run.site_packages / "hook.py"
    hook.write_text("")
    return str(
        policies.write(trusted_folder / "policy", [allow("foo.pth", "import hook", hook=hook)])
    )


def test_a_policy_is_not_read_without_startup_files(module_run: Environment, policy: str) -> None:
    has_own = module_run.interpreter.has_sitecustomize
    expected = GATE_OPEN | {"safesite.keep", "safesite.lookout"} if has_own else OWN
    assert started(module_run, policy) == expected


def test_a_policy_that_is_about_no_line_adds_nothing(module_run: Environment, policy: str) -> None:
    (module_run.site_packages / "bar.pth").write_text("import os\n")
    expected = reading(module_run, "known", "keep")
    assert started(module_run, policy) == expected


def test_a_policy_that_denies_a_line_adds_its_entries(module_run: Environment, policy: str) -> None:
    Path(policy).write_text("deny foo.pth\n")
    (module_run.site_packages / "foo.pth").write_text("import os\n")
    running = () if module_run.interpreter.number >= (3, 15) else ("running",)
    expected = reading(module_run, "keep", "entries", "known", *running)
    assert started(module_run, policy) == expected


def test_a_policy_that_allows_a_line_adds_what_hashes(module_run: Environment, policy: str) -> None:
    (module_run.site_packages / "foo.pth").write_text("import hook\n")
    number = module_run.interpreter.number
    expected = reading(module_run, "keep", "entries", "pins", "running")
    expected |= {"_sha2" if number >= (3, 12) else "_sha256"}
    assert started(module_run, policy) == expected


HOT = (
    "__init__.py",
    "asked.py",
    "batch.py",
    "core.py",
    "entries.py",
    "helpers.py",
    "inert.py",
    "inherited.py",
    "keep.py",
    "known.py",
    "log.py",
    "lookout.py",
    "perform.py",
    "pins.py",
    "running.py",
    "site.py",
    "trust.py",
)
ALLOWED = {
    "_safesite",  # what core is called beside a patched site
    "_safesite_entries",
    "_safesite_keep",
    "_safesite_known",
    "_safesite_pins",
    "_frozen_importlib",
    "_frozen_importlib_external",
    "_imp",
    "_thread",
    "_warnings",
    "_io",
    "collections.abc",  # below TYPE_CHECKING
    "os",
    "safesite",
    "safesite.asked",
    "safesite.core",
    "safesite.helpers",  # below TYPE_CHECKING
    "safesite.keep",  # below TYPE_CHECKING
    "safesite.known",
    "site",
    "stat",
    "sys",
    "types",  # below TYPE_CHECKING
    "typing",  # below TYPE_CHECKING
}


@pytest.mark.parametrize("name", HOT)
def test_hot_modules_import_at_their_top_only_what_site_has(name: str) -> None:
    tree = ast.parse((PACKAGE / name).read_text("utf-8"))
    found = set()
    for node in tree.body:
        for inner in ast.walk(node) if isinstance(node, ast.If) else [node]:
            if isinstance(inner, ast.Import):
                found |= {alias.name for alias in inner.names}
            elif isinstance(inner, ast.ImportFrom):
                found.add(inner.module or "")
    assert found <= ALLOWED


def test_what_a_patched_site_imports_is_hot() -> None:
    assert {f"{name.partition('_safesite_')[2] or 'core'}.py" for name in edits.MODULES} <= set(HOT)


def test_core_stays_within_its_lines() -> None:
    assert len((PACKAGE / "core.py").read_text("utf-8").splitlines()) <= 300


def executes_text(tree: ast.AST) -> bool:
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(isinstance(func, ast.Name) and func.id in {"exec", "eval"} for func in calls)


def test_modules_that_execute_text_have_no_future_import() -> None:
    executing = []
    for path in sorted(Path(PACKAGE).glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        if executes_text(tree):
            executing.append(path.name)
            futures = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
            assert "__future__" not in {node.module for node in futures}, path.name
    expected = ["__init__.py", "apart.py", "repl.py", "run.py"]
    assert executing == expected, "and neither core, keep nor site is among them"
