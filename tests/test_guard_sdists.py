"""The guard does not cry wolf: widely used sdists are built without a question, to the same wheels.

Each is built twice from the registry by a real pip, stock and under ``--guard=watch``, without a
terminal: what would be asked there is refused, and told at the end.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import environments
import interpreters
import pytest
from conftest import need
from environments import Environment
from installers import Builder, make_once
from interpreters import Interpreter


@dataclass(frozen=True)
class Sdist:
    """A project of the registry: its build backend, the Python that it is built on, what it needs.

    ``native``: it has code to compile, with what ``libraries`` of pkg-config's and ``programs``
    there are.  ``unequal``: members of its wheel that two stock builds have different, or that name
    ``sys.executable``, which is the launcher's.
    """

    requirement: str
    backend: str
    python: str
    native: bool = False
    libraries: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    unequal: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The project's name."""
        return self.requirement.partition("==")[0]

    def __str__(self) -> str:
        return f"{self.name}-{self.backend}-{self.python}"


DOCOPT = Sdist("docopt==0.6.2", "setuptools", "3.15")
CLICK = Sdist("click==8.1.8", "flit-core", "3.11")
MARKUPSAFE = Sdist("MarkupSafe==3.0.2", "setuptools", "3.13", native=True)

SMALL = (DOCOPT, MARKUPSAFE)
OTHERS = (
    CLICK,
    Sdist("future==1.0.0", "setuptools", "3.12"),
    Sdist("six==1.17.0", "setuptools", "3.14"),
    Sdist("requests==2.32.3", "setuptools", "3.10"),
    Sdist("tqdm==4.67.1", "setuptools-scm", "3.13"),
    Sdist("python-dateutil==2.9.0.post0", "setuptools-scm", "3.11"),
    Sdist("packaging==24.2", "flit-core", "3.15"),
    Sdist("attrs==24.3.0", "hatchling", "3.13"),
    Sdist("urllib3==2.3.0", "hatch-vcs", "3.12"),
    Sdist("rich==13.9.4", "poetry-core", "3.10"),
    Sdist("fastapi==0.115.6", "pdm-backend", "3.14"),
    Sdist("PyYAML==6.0.2", "setuptools, in the tree", "3.10", native=True),
    Sdist("wrapt==1.17.2", "setuptools", "3.11", native=True),
    Sdist("simplejson==3.19.3", "setuptools", "3.12", native=True),
    Sdist("cffi==1.17.1", "setuptools", "3.13", native=True, libraries=("libffi",)),
    Sdist("psutil==6.1.1", "setuptools", "3.10", native=True),
    Sdist("psutil==6.1.1", "setuptools", "3.13", native=True),
    Sdist(
        *("lxml==5.3.0", "setuptools", "3.11"),
        native=True,
        libraries=("libxml-2.0", "libxslt", "libexslt"),
    ),
    Sdist("msgpack==1.1.0", "setuptools", "3.12", native=True),
    Sdist("coverage==7.6.10", "setuptools", "3.13", native=True),
    Sdist("multidict==6.1.0", "setuptools", "3.10", native=True),
    Sdist("greenlet==3.1.1", "setuptools", "3.11", native=True),
    Sdist("regex==2024.11.6", "setuptools", "3.12", native=True),
    Sdist("tornado==6.4.2", "setuptools", "3.10", native=True),
    Sdist("pybind11==3.0.0", "scikit-build-core", "3.11", native=True),
    Sdist("Levenshtein==0.27.1", "scikit-build-core", "3.13", native=True),
    Sdist(
        *("contourpy==1.3.1", "meson-python", "3.12"), native=True, unequal=("/_build_config.py",)
    ),
    Sdist(
        *("orjson==3.11.3", "maturin", "3.13"),
        native=True,
        programs=("cargo",),
        unequal=(".so", ".cyclonedx.json"),
    ),
)
# What builds them, so that no release of these changes what is tested; all run on 3.10 to 3.15.
PINNED = (
    *("cmake==4.4.5", "cython==3.3.1", "flit-core==3.12.0", "hatch-fancy-pypi-readme==25.1.0"),
    *("hatch-vcs<0.6", "hatchling==1.33.0", "maturin==1.16.0", "meson-python==0.22.1"),
    *("meson==1.12.1", "ninja==1.13.2", "pdm-backend==2.5.0", "poetry-core==2.5.0"),
    *("pybind11==3.1.0", "scikit-build-core==1.1.2", "setuptools==84.2.1", "setuptools-scm<11"),
    "wheel==0.48.0",
)
GUARD = ("-S", "-m", "safesite", "--guard=watch")
PATIENCE = 600  # seconds for a build

# No debug information, which names folders of random names, and nothing that is made of them; and
# no optimisation: it is not the compiler that is tested.
COMPILED = {"CFLAGS": "-g0 -O0", "CXXFLAGS": "-g0 -O0", "LDFLAGS": "-Wl,--build-id=none"}
RANDOM = re.compile(
    rb"(?:pip-(?:wheel|req-build|build-env|install|ephem-wheel-cache)-|/tmp|\.mesonpy-)[a-z0-9_]{8}"
    rb"|_[0-9a-f]{32}"
)

# Other ways to build and install than ``pip wheel NAME``, which the others take.
WAYS: dict[str, tuple[str, ...]] = {
    "pip": ("-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", "{out}", "{source}"),
    "build": ("-m", "build", "--outdir", "{out}", "{source}"),
    "build, not isolated": ("-m", "build", "--no-isolation", "--outdir", "{out}", "{source}"),
    "setup.py": ("setup.py", "bdist_wheel", "--dist-dir", "{out}"),
    "install": ("-m", "pip", "install", "--no-deps", "{source}"),
    "editable": ("-m", "pip", "install", "--no-deps", "-e", "{source}"),
    "editable, not isolated": (
        *("-m", "pip", "install", "--no-build-isolation", "--no-deps", "-e", "{source}"),
    ),
    "download": ("-m", "pip", "download", "--no-deps", "-d", "{out}", "{source}"),
}
FRONTENDS = ("build==1.*", "setuptools==84.2.1", "wheel==0.48.0")


# What is there to build with.


@functools.cache
def has_headers(interpreter: Interpreter) -> bool:
    """Return whether extension modules can be compiled for an interpreter."""
    told = interpreter.run("-c", "import sysconfig; print(sysconfig.get_path('include'))")
    return Path(told.strip(), "Python.h").is_file()


@functools.cache
def has_library(name: str) -> bool:
    """Return whether pkg-config knows a library."""
    command = ["pkg-config", "--exists", name]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def missing(sdist: Sdist, interpreter: Interpreter) -> str:
    """Return what is missing on this machine to build an sdist, nothing if it can be built."""
    if not sdist.native:
        return ""
    programs = [name for name in ("cc", "c++", *sdist.programs) if not shutil.which(name)]
    if programs:
        return programs[0]
    if not has_headers(interpreter):
        return f"the headers of CPython {interpreter.version}"
    if sdist.libraries and not shutil.which("pkg-config"):
        return "pkg-config"
    return next((name for name in sdist.libraries if not has_library(name)), "")


def pip_for(interpreter: Interpreter, builder: Builder) -> Path:
    """Return a copy of pip with an interpreter's bytecode, made once for all workers."""
    folder = builder.folder.parent / f"pip-{'-'.join(map(str, interpreter.number))}"

    def make() -> None:
        shutil.copytree(builder.pip, folder, ignore=shutil.ignore_patterns("__pycache__"))
        interpreter.run("-m", "compileall", "-q", str(folder))

    make_once(folder, make)
    return folder


def prepared(sdist: Sdist, builder: Builder, folder: Path) -> Environment:
    """Return an environment with pip to build an sdist in; skip where that is not possible."""
    interpreter = need(sdist.python)
    lacks = missing(sdist, interpreter)
    if lacks:
        pytest.skip(f"this machine cannot build it without {lacks}")
    environment = environments.make(interpreter, folder)
    pip = pip_for(interpreter, builder)
    shutil.copytree(pip, environment.site_packages / "pip", copy_function=os.link)
    (environment.root / "constraints").write_text("\n".join(PINNED) + "\n")
    # What pip downloads is kept, and never the wheels that it builds.
    downloads = interpreters.cache_folder() / "pip" / "http-v2"
    downloads.mkdir(parents=True, exist_ok=True)
    cache = environment.root / "cache"
    cache.mkdir()
    (cache / "http-v2").symlink_to(downloads)
    environment.variables.update(variables(environment, sdist))
    return environment


def variables(environment: Environment, sdist: Sdist) -> dict[str, str]:
    """Return the variables of a build, stock or guarded."""
    found = {
        **COMPILED,
        "PIP_BUILD_CONSTRAINT": str(environment.root / "constraints"),
        "PIP_CACHE_DIR": str(environment.root / "cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONHASHSEED": "0",
    }
    folders = [str(Path(str(shutil.which(name))).parent) for name in sdist.programs]
    if "cargo" in sdist.programs:  # rustup's looks for its toolchains in the home folder
        found["RUSTUP_HOME"] = os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup")
    found["PATH"] = ":".join([str(environment.prefix / "bin"), *folders, "/usr/bin", "/bin"])
    return found


# Building, and what came of it.


def run(environment: Environment, *command: str | Path, folder: Path | None = None) -> str:
    """Run a command of the environment's Python, which is to succeed; return what it said.

    In a session of its own, so that there is no terminal to ask at.
    """
    shutil.rmtree(environment.root / "cache" / "wheels", ignore_errors=True)
    done = subprocess.run(
        [str(word) for word in (environment.python, *command)],
        cwd=folder or environment.work,
        env=environment.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def questions(said: str) -> list[str]:
    """Return the lines of safesite's in what a build said."""
    return [line for line in said.splitlines() if "safesite:" in line]


def comparable(name: str, data: bytes, unequal: tuple[str, ...] = ()) -> bytes:
    """Return what two builds have alike in a file: all but what names a folder of their own."""
    if name.endswith(("/RECORD", *unequal)):
        return b""  # hashes of the others, which are compared themselves
    return RANDOM.sub(lambda match: b"?" * len(match[0]), data)


def contents(wheel: Path, unequal: tuple[str, ...] = ()) -> Mapping[str, tuple[int, bytes]]:
    """Return the members of a wheel, with their modes."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            member.filename: (
                member.external_attr,
                comparable(member.filename, archive.read(member), unequal),
            )
            for member in archive.infolist()
        }


def check(sdist: Sdist, builder: Builder, folder: Path) -> None:
    """Build an sdist stock and guarded: nothing is asked, and the wheels are the same."""
    environment = prepared(sdist, builder, folder)
    wheels = {}
    for name, launcher in (("stock", ()), ("guarded", GUARD)):
        target = environment.root / name
        said = run(
            *(environment, *launcher, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", target),
            *("--no-binary", sdist.name, sdist.requirement),
        )
        assert questions(said) == []
        (wheels[name],) = target.iterdir()
    assert wheels["guarded"].name == wheels["stock"].name
    stock, guarded = (contents(wheels[name], sdist.unequal) for name in ("stock", "guarded"))
    assert [*guarded] == [*stock]
    assert [name for name in stock if guarded[name] != stock[name]] == []
    assert any(name.endswith(".so") for name in stock) == (
        sdist.native and sdist.name != "pybind11"
    )


@pytest.mark.parametrize("sdist", SMALL, ids=str)
def test_a_small_sdist_is_built_without_a_question(
    sdist: Sdist, builder: Builder, tmp_path: Path
) -> None:
    check(sdist, builder, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("sdist", OTHERS, ids=str)
def test_a_widely_used_sdist_is_built_without_a_question(
    sdist: Sdist, builder: Builder, tmp_path: Path
) -> None:
    check(sdist, builder, tmp_path)


def test_the_table_is_as_long_as_it_is_to_be() -> None:
    names = {sdist.name: sdist.native for sdist in (*SMALL, *OTHERS)}
    assert len(names) >= 20
    assert sum(names.values()) * 2 >= len(names)
    assert {sdist.python for sdist in (*SMALL, *OTHERS)} == set(interpreters.VERSIONS)


def site_files(environment: Environment) -> Mapping[str, bytes]:
    """Return what is installed, but bytecode and what pip notes of where it came from."""
    top = environment.site_packages
    return {
        str(path.relative_to(top)): comparable(str(path), path.read_bytes(), ("direct_url.json",))
        for path in sorted(top.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def results(environment: Environment, command: tuple[str, ...], archive: Path) -> object:
    """Unpack an sdist, build or install it; return what came of it, and remove that."""
    source, out = environment.root / "source", environment.root / "out"
    for folder in (source, out):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    shutil.unpack_archive(archive, source)
    (project,) = source.iterdir()
    places = {"source": project, "out": out}
    assert questions(run(environment, *(w.format(**places) for w in command), folder=project)) == []
    made = {path.name: contents(path) for path in sorted(out.glob("*.whl"))}
    found = made, sorted(path.name for path in out.iterdir()), site_files(environment)
    run(environment, "-m", "pip", "uninstall", "--yes", MARKUPSAFE.name)
    return found


@pytest.mark.full
@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_build_is_without_a_question(
    way: str, builder: Builder, tmp_path: Path
) -> None:
    environment = prepared(MARKUPSAFE, builder, tmp_path)
    environment.variables["PYTHONPATH"] = str(environment.work)  # where safesite is found
    run(environment, "-m", "pip", "install", *FRONTENDS)
    download = ("download", "--no-deps", "--no-binary", MARKUPSAFE.name, "-d", environment.root)
    run(environment, "-m", "pip", *download, MARKUPSAFE.requirement)
    (archive,) = environment.root.glob("*.tar.gz")
    if "--no-build-isolation" in WAYS[way]:  # pip takes not both
        del environment.variables["PIP_BUILD_CONSTRAINT"]
    stock = results(environment, WAYS[way], archive)
    assert results(environment, (*GUARD, *WAYS[way]), archive) == stock
