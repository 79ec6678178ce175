"""Fixtures for all tests: each interpreter in turn, a fresh environment on it, the options."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import environments
import interpreters
import patched
import policies
import pytest
from environments import Environment
from installers import Builder, make_once
from interpreters import VERSIONS, Interpreter
from patched import Base

from safesite import core


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
        "--builds", help="only the patched interpreter that patches/build.sh built from a release"
    )
    parser.addoption(
        "--full", action="store_true", help="also run the tests that take minutes each"
    )


NUMBER = pytest.StashKey[int]()  # of a test's case


def pytest_configure() -> None:
    """Fail where a policy counts that no test can leave out; start children as a shell does.

    A run in a shell's background has SIGINT and SIGQUIT ignored, and so would they.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if os.path.lexists(core.SYSTEM_POLICY):
        raise pytest.UsageError(f"every start obeys {core.SYSTEM_POLICY}: move it away for tests")


@pytest.hookimpl(trylast=True)  # after pytest has put together what shares a fixture
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long unless it is asked for; begin with what takes longest."""
    items.sort(key=lambda item: item.get_closest_marker("begun_first") is None)
    if config.getoption("--full"):
        return
    left_out = {
        item for item in items if item.get_closest_marker("full") or is_left_to_others(item)
    }
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def params_of(item: pytest.Item) -> dict[str, object]:
    """Return the parameters of a test."""
    return dict(item.callspec.params) if hasattr(item, "callspec") else {}


def base_of(item: pytest.Item) -> str:
    """Return the version, or the build, that a test is to run on; nothing if it is given none."""
    params = params_of(item)
    return str(params.get("patched_base", params.get("interpreter", "")))


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem() -> Generator[None, object, object]:
    """Number the cases of each test, alike on all versions and whatever is selected afterwards.

    Of what is given to ``parametrize``, pytest's own indices count a case anew on each version.
    """
    made = yield
    numbers: dict[str, int] = {}
    for item in made if isinstance(made, list) else ():
        case = item.name.replace(base_of(item), "", 1)
        item.stash[NUMBER] = numbers.setdefault(case, len(numbers))
    return made


def is_left_to_others(item: pytest.Item) -> bool:
    """Return whether a case is left to other versions.

    Marked ``rotated``, each runs on one of them, or on two with ``rotated(3)``, where not all have
    what it is about; marked ``spread``, on the oldest, the newest, one between, and those that the
    case itself names as its turns.
    """
    version = base_of(item)
    rotated, is_spread = map(item.get_closest_marker, ("rotated", "spread"))
    if version not in VERSIONS or not (rotated or is_spread):
        return False
    number = item.stash[NUMBER] + len(item.nodeid.partition("[")[0])
    if rotated:
        share: int = rotated.args[0] if rotated.args else 6
        return (VERSIONS.index(version) + number) % share != 0
    first, *between, last = VERSIONS
    turns = getattr(params_of(item).get("case"), "turns", ())
    return version not in {first, between[number % len(between)], last, *turns}


@pytest.fixture(scope="session", autouse=True)
def _no_policy_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have this process find no policy of its user; what it starts has a HOME of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SAFESITE_POLICY", raising=False)
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
        yield


def need(version: str) -> Interpreter:
    """Return the interpreter of a version; skip without it, or fail where all must be there."""
    found = interpreters.find(version)
    if found is None:
        reason = f"no CPython {version} on this machine; tests/sid.sh provides 3.14 and 3.15"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


# For tests of what is the same on all versions but for the import system's turns: 3.10 with its
# parser, 3.13, and 3.15 with entry points.
SOME_VERSIONS = [
    pytest.param(v, marks=() if v in ("3.10", "3.13", "3.15") else pytest.mark.full)
    for v in VERSIONS
]


@pytest.fixture(scope="session", params=VERSIONS)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    """Each supported version in turn."""
    return need(request.param)


@pytest.fixture
def environment(interpreter: Interpreter, tmp_path: Path) -> Environment:
    """A fresh virtual environment without packages."""
    return environments.make(interpreter, tmp_path / "environment")


@pytest.fixture
def trusted_folder() -> Iterator[Path]:
    """An empty folder in which a policy counts; in ``tmp_path`` none does."""
    with policies.trusted_folder() as folder:
        yield folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is about patched interpreters on those made of each version, and on built ones.

    Bookworm's only with --full, or by name.
    """
    if "patched_base" not in metafunc.fixturenames:
        return
    named, full = metafunc.config.getoption("--builds"), metafunc.config.getoption("--full")
    builds = [named] if named else list(patched.BUILDS) if full else ["trixie"]
    only_built = metafunc.definition.get_closest_marker("built")
    sampled = metafunc.definition.get_closest_marker("sampled") and not full
    made = VERSIONS[:: len(VERSIONS) - 1] if sampled else VERSIONS
    versions = () if named or only_built else made
    metafunc.parametrize("patched_base", [*versions, *builds], indirect=True, scope="session")


@pytest.fixture(scope="session")
def patched_base(request: pytest.FixtureRequest, shared: Path) -> Base:
    """Each patched interpreter in turn; those that are made, once for all workers."""
    name: str = request.param
    if name in VERSIONS:
        return patched.made_once(need(name), shared)
    found = patched.built(name)
    if found is None:
        reason = f"no patched interpreter built from {name}; patches/build.sh {name} makes one"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return found


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, common to all workers, for what takes long: it comes from the registry."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def builder(shared: Path) -> Builder:
    """What builds and installs, fetched once."""
    builder = Builder(shared / "builder")
    make_once(builder.folder, builder.fetch)
    return builder
