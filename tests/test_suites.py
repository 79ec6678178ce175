"""The test suites of known packages, from their source distributions, under the launcher.

Each suite runs twice by the same command, stock and launched, and is compared test by test: the
same tests are found, and each ends as it did.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import environments
import pytest
from environments import Environment
from installers import Builder, make_once, run_pip
from interpreters import Interpreter
from test_programs import LAUNCHER

pytestmark = pytest.mark.full


@dataclass(frozen=True)
class Suite:
    """A package's release, what its tests need besides, and the least number of tests it has.

    ``differs`` are the tests that end otherwise under safesite, each with its reason.
    """

    release: str
    needs: tuple[str, ...]
    least: int
    differs: dict[str, str]


SUITES = {
    "attrs": Suite("26.1.0", ("cloudpickle", "hypothesis", "pympler"), 1300, {}),
    "click": Suite("8.5.1", (), 1500, {}),
    "packaging": Suite("26.4", ("hypothesis", "pretend", "tomli", "tomli_w"), 30_000, {}),
}
PYTEST = "pytest >=9,<10"


def fetch(name: str, folder: Path) -> None:
    """Download and unpack a source distribution."""
    download = ("download", "--quiet", "--no-deps", "--no-binary", name, "--dest", folder)
    release = f"{name}=={SUITES[name].release}"
    run_pip(f"download {name}", sys.executable, "-m", "pip", *download, release)
    (path,) = folder.glob(f"{name}-*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")


@pytest.fixture
def suite(
    interpreter: Interpreter, shared: Path, builder: Builder, tmp_path: Path, name: str
) -> Environment:
    """An environment with a package, pytest and what the tests need; ``work`` holds the tests."""
    source = shared / f"source-{name}"
    make_once(source, lambda: fetch(name, source))
    environment = environments.make(interpreter, tmp_path / "environment")
    release = SUITES[name].release
    run_pip(
        f"install {name} on {interpreter.version}",
        *(sys.executable, builder.pip, "--python", environment.python, "install", "--quiet"),
        *(PYTEST, f"{name}=={release}", *SUITES[name].needs),
    )
    unpacked = source / f"{name}-{release}"
    shutil.copytree(unpacked / "tests", environment.work / "tests")
    shutil.copy(unpacked / "pyproject.toml", environment.work)
    return environment


def outcomes(environment: Environment, *words: str) -> dict[str, str]:
    """Run the suite; return how each test ended."""
    report = environment.root / "report.xml"
    report.unlink(missing_ok=True)
    pytest_ = ("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}")
    ended = environment.run(environment.python, *words, *pytest_)
    assert report.exists(), ended
    found: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest has written it
        name = f"{case.get('classname')}::{case.get('name')}"
        found[name] = " ".join(part.tag for part in case) or "passed"
    return found


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_ends_the_same(suite: Environment, name: str) -> None:
    expected = SUITES[name]
    stock = outcomes(suite)
    launched = outcomes(suite, *LAUNCHER)
    assert len(stock) >= expected.least
    assert launched.keys() == stock.keys()
    differs = {test for test, outcome in stock.items() if launched[test] != outcome}
    assert differs == expected.differs.keys()
