"""Fixtures for all tests: each interpreter in turn, a fresh environment on it, the options."""

from __future__ import annotations

import os
from pathlib import Path

import environments
import interpreters
import pytest
from environments import Environment
from interpreters import Interpreter


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the tests that can be made longer."""
    parser.addoption(
        "--fuzz-directories",
        type=int,
        default=200,
        help="site directories the differential fuzzer makes for each interpreter (default 200)",
    )
    parser.addoption("--fuzz-seed", type=int, default=None, help="repeat this one directory")
    parser.addoption(
        "--full", action="store_true", help="also run the tests that take minutes each"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked ``full`` unless they are asked for."""
    if config.getoption("--full"):
        return
    full = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=full)
    items[:] = [item for item in items if item not in full]


def need(version: str) -> Interpreter:
    """Return the interpreter of a version; skip without it, or fail where all must be there."""
    found = interpreters.find(version)
    if found is None:
        reason = f"no CPython {version} on this machine; tests/sid.sh provides 3.14 and 3.15"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session", params=interpreters.VERSIONS)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    """Each supported version in turn."""
    return need(request.param)


@pytest.fixture
def environment(interpreter: Interpreter, tmp_path: Path) -> Environment:
    """A fresh virtual environment without packages."""
    return environments.make(interpreter, tmp_path / "environment")
