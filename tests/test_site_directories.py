"""Every kind of site directory an interpreter can have: ``sys.path`` as stock, nothing runs."""

from __future__ import annotations

from pathlib import Path

import environments
import pytest
from environments import Environment
from interpreters import Interpreter

pytestmark = pytest.mark.spread

MARKER = 'import os; open(os.environ["MARKERS"] + "/{}", "w")\nentry\n'
TELL = "import site, sys; print(sys.path, site.PREFIXES, site.ENABLE_USER_SITE, site.USER_SITE)"


def furnish(folder: Path, name: str) -> None:
    """Put an import line and a path entry into a site directory."""
    (folder / "entry").mkdir(parents=True)
    (folder / f"{name}.pth").write_text(MARKER.format(name))


def compare(environment: Environment, expected: list[str], *options: str, **variables: str) -> None:
    """Check that the path is stock's, that stock ran the lines, and that safesite did not."""
    stock = environment.stock(*options, "-c", TELL, **variables)
    assert environment.ran() == expected
    launched = environment.launched("-c", TELL, options=options, **variables)
    assert environment.ran() == []
    assert (launched.code, launched.out) == (stock.code, stock.out)
    for name in expected:
        assert f"{name}.pth:1: refused import line" in launched.err


def test_every_site_directory_of_the_layout(environment: Environment) -> None:
    # On Debian there are three more: dist-packages in several places.
    told = environment.stock("-c", "import site; print(*site.getsitepackages(), sep='\\n')").out
    folders = [Path(line) for line in told.splitlines()]
    assert environment.site_packages in folders
    for number, folder in enumerate(folders):
        furnish(folder, f"dir{number}")
    compare(environment, [f"dir{number}" for number in range(len(folders))])


@pytest.mark.parametrize("system_site", [False, True], ids=["alone", "system-site"])
@pytest.mark.parametrize("options", [[], ["-s"], ["-E"]], ids=["plain", "s", "E"])
def test_user_site(
    interpreter: Interpreter, tmp_path: Path, system_site: bool, options: list[str]
) -> None:
    environment = environments.make(interpreter, tmp_path / "e", system_site=system_site)
    furnish(environment.site_packages, "own")
    furnish(environment.user_site, "user")
    compare(
        environment, ["own", "user"] if system_site and options != ["-s"] else ["own"], *options
    )


def test_user_base_variable(interpreter: Interpreter, tmp_path: Path) -> None:
    environment = environments.make(interpreter, tmp_path / "e", system_site=True)
    base = tmp_path / "base"
    furnish(base / "lib" / f"python{interpreter.version}" / "site-packages", "user")
    compare(environment, ["user"], PYTHONUSERBASE=str(base))


def test_no_user_site_variable(interpreter: Interpreter, tmp_path: Path) -> None:
    environment = environments.make(interpreter, tmp_path / "e", system_site=True)
    furnish(environment.user_site, "user")
    compare(environment, [], PYTHONNOUSERSITE="1")


def test_pythonpath_names_a_site_directory(environment: Environment) -> None:
    furnish(environment.site_packages, "own")
    compare(environment, ["own"], PYTHONPATH=str(environment.site_packages))


def test_pythonpath_is_no_site_directory(environment: Environment) -> None:
    furnish(environment.root / "extra", "extra")
    compare(environment, [], PYTHONPATH=f"{environment.root / 'extra'}::relative:")


def test_an_environment_with_a_relative_name(environment: Environment) -> None:
    furnish(environment.site_packages, "own")
    child = "import os, sys; print(os.path.realpath(sys.prefix))"
    code = (
        "import subprocess, sys; print(sys.path, sys.prefix, flush=True);"
        f"subprocess.run([sys.executable, '-c', {child!r}])"
    )
    python = "../venv/bin/python"
    stock = environment.run(python, "-c", code)
    launched = environment.run(python, "-S", "-m", "safesite", "-c", code)
    assert (launched.code, launched.out) == (stock.code, stock.out)
