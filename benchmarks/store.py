"""Make the environments of the profiles, or take them from a folder where they were kept.

An environment is a virtual environment made by hand, without pip: only what its profile names may
count.  Its folder is named by a digest, so that the paths of all environments are equally long: a
path's length is part of what a start costs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from profiles import SETUPTOOLS, Profile
from pythons import CannotMeasure, Interpreter, run_quietly

PIP = "pip>=26,<27"  # an older one may fail on a newer Python

# A project in the flat layout: for it setuptools' editable install leaves an import line.
DEMO_PROJECT = f"""\
[build-system]
requires = ["{SETUPTOOLS}"]
build-backend = "setuptools.build_meta"

[project]
name = "demo"
version = "1.0"
"""

# What the program in ``told`` prints: its modules (without names that safesite blocks), its peak
# memory in KiB (0 where the kernel does not tell), its process id.
TELL = """
import os, sys
memory = 0
try:
    with open("/proc/self/status") as status:
        memory = next(line.split()[1] for line in status if line.startswith("VmHWM"))
except OSError:
    pass
print(sum(module is not None for module in sys.modules.values()), memory, os.getpid())
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment below ``root``, and the folders that programs are started in."""

    interpreter: Interpreter
    profile: Profile
    root: Path

    @property
    def binaries(self) -> Path:
        """The folder of ``python`` and ``safesite``."""
        return self.root / "venv" / "bin"

    @property
    def site_packages(self) -> Path:
        """The one site directory."""
        return self.root / "venv" / "lib" / self.interpreter.library / "site-packages"

    @property
    def work(self) -> Path:
        """The current directory of a measured start: ``app.py`` and a link to safesite."""
        return self.root / "work"

    @property
    def told(self) -> Path:
        """The same with an ``app.py`` that tells what it sees; never measured."""
        return self.root / "told"

    @property
    def policy(self) -> str:
        """The policy that a start is told to read, if the profile has one."""
        return str(self.root / "policy") if self.profile.policy else ""

    @property
    def launcher(self) -> str:
        """What sys.executable is under safesite in this environment."""
        folder = os.path.realpath(self.binaries)
        up = "/.." * folder.count("/")
        return f"{folder}{up}/.{self.site_packages.resolve()}/safesite/command/bin/python"

    def words(self, template: tuple[str, ...]) -> tuple[str, ...]:
        """Return a command line, with this environment's programs in their places."""
        launcher = self.binaries / "safesite"
        if any("{safesite}" in word for word in template) and not launcher.exists():
            raise CannotMeasure(
                "the command is missing: there is no safesite/command/safesite in the checkout "
                "to measure; --only '*/module' --only '*/script' does without it"
            )
        places = {"{python}": str(self.binaries / "python"), "{safesite}": str(launcher)}
        places["{launcher}"] = self.launcher
        return tuple(replaced(word, places) for word in template)


def replaced(word: str, places: dict[str, str]) -> str:
    """Return a word with names in braces replaced."""
    for name, path in places.items():
        word = word.replace(name, path)
    return word


class Store:
    """Makes environments below a folder, and takes one that it finds there and that is whole."""

    def __init__(self, folder: Path, package: Path) -> None:
        self.folder = folder
        self.package = package

    def provide(self, interpreter: Interpreter, profile: Profile) -> Environment:
        """Return an environment, made if need be, with the safesite to measure copied into it."""
        root = self.folder / self.key(interpreter, profile)
        environment = Environment(interpreter, profile, root)
        stamp = environment.root.with_suffix(".stamp")
        if not stamp.is_file() or stamp.read_text() != fingerprint(environment):
            shutil.rmtree(environment.root, ignore_errors=True)
            self.make(environment)
            stamp.write_text(fingerprint(environment))
        self.place_safesite(environment)
        return environment

    def key(self, interpreter: Interpreter, profile: Profile) -> str:
        """Return a name for all that an environment is made of, but safesite."""
        how = Path(__file__).read_bytes()  # any change of this file makes all anew
        parts = f"{self.folder}\n{interpreter}\n{profile}\n".encode()
        return hashlib.sha256(parts + how).hexdigest()[:16]

    def make(self, environment: Environment) -> None:
        """Make an environment and what its profile names."""
        make_venv(environment)
        make_programs(environment)
        make_startup_files(environment)
        make_policy(environment)
        if environment.profile.installs:
            self.install(environment)
        python = str(environment.binaries / "python")
        compileall = [python, "-I", "-S", "-m", "compileall", "-q"]
        run_quietly([*compileall, str(environment.site_packages)])

    def install(self, environment: Environment) -> None:
        """Install the profile's packages, with one pip for all environments."""
        target = ["--python", str(environment.binaries / "python"), "install"]
        wanted = list(environment.profile.packages)
        if environment.profile.editable:
            make_demo(environment.root / "demo")
            wanted += ["--editable", str(environment.root / "demo")]
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        try:
            run_quietly([str(self.pip()), *target, *quiet, *wanted])
        except CannotMeasure as exc:
            raise CannotMeasure(
                f"the profile {environment.profile.name!r} needs pip and the network: {exc}"
            ) from exc

    def pip(self) -> Path:
        """Return a pip that knows the newest Pythons, made where it is missing."""
        folder = self.folder / "pip"
        program = folder / "bin" / "pip"
        ready = folder / "ready"
        if not ready.exists():
            run_quietly([sys.executable, "-m", "venv", "--clear", str(folder)])
            quiet = ["--quiet", "--disable-pip-version-check"]
            run_quietly([str(program), "install", *quiet, PIP])
            ready.touch()
        return program

    def place_safesite(self, environment: Environment) -> None:
        """Copy safesite into an environment as pip would install it, in place of any other."""
        package = environment.site_packages / "safesite"
        launcher = environment.binaries / "safesite"
        shutil.rmtree(package, ignore_errors=True)
        shutil.copytree(self.package, package, ignore=shutil.ignore_patterns("__pycache__"))
        launcher.unlink(missing_ok=True)
        if (package / "command" / "safesite").is_file():
            shutil.copy(package / "command" / "safesite", launcher)
            launcher.chmod(0o755)
        python = str(environment.binaries / "python")
        run_quietly([python, "-I", "-S", "-m", "compileall", "-q", str(package)])


def make_venv(environment: Environment) -> None:
    """Make what ``python -m venv --without-pip`` makes."""
    interpreter = environment.interpreter
    environment.binaries.mkdir(parents=True)
    environment.site_packages.mkdir(parents=True)
    release = interpreter.release.split(".")
    for name in ("python", "python3", f"python{release[0]}.{release[1]}"):
        (environment.binaries / name).symlink_to(interpreter.path)
    (environment.root / "venv" / "pyvenv.cfg").write_text(
        f"home = {interpreter.path.parent}\n"
        "include-system-site-packages = false\n"
        f"version = {interpreter.release}\n"
    )


def make_programs(environment: Environment) -> None:
    """Make the two current directories: ``-m safesite`` finds safesite there."""
    program = environment.profile.program + "\n"
    for folder, text in ((environment.work, program), (environment.told, program + TELL)):
        folder.mkdir()
        (folder / "app.py").write_text(text)
        (folder / "safesite").symlink_to(environment.site_packages / "safesite")


def make_startup_files(environment: Environment) -> None:
    """Make the profile's startup files and each folder that their path entries name."""
    profile = environment.profile
    entries = environment.root / "entries"
    entries.mkdir()
    for number in range(profile.files):
        folders = [entries / f"{number:04}-{n:04}" for n in range(profile.entries)]
        for folder in folders:
            folder.mkdir()
        text = "".join(f"{folder}\n" for folder in folders)
        (environment.site_packages / f"entries-{number:04}.pth").write_text(text)
    if profile.line:
        (environment.site_packages / "line.pth").write_text(profile.line + "\n")


def make_policy(environment: Environment) -> None:
    """Make the profile's policy, where nobody else can write: else it would not be read."""
    if not environment.profile.policy:
        return
    for folder in environment.root.resolve().parents:
        if folder.stat().st_mode & 0o022:
            raise CannotMeasure(f"others can write {folder}, so no policy counts there; see --keep")
    digest = "0123456789abcdef" * 4
    entry = f"line={digest} some_module={digest} os=library  # some-distribution 1.0\n"
    lines = (f"allow some_file_{n}.pth {entry}" for n in range(environment.profile.policy))
    Path(environment.policy).write_text("".join(lines))
    Path(environment.policy).chmod(0o644)


def make_demo(folder: Path) -> None:
    """Make the project that is installed editably."""
    (folder / "demo").mkdir(parents=True)
    (folder / "demo" / "__init__.py").write_text("")
    (folder / "pyproject.toml").write_text(DEMO_PROJECT)


def fingerprint(environment: Environment) -> str:
    """Return a digest of all that a start in an environment may read, but safesite.

    Bytecode is left out: Python compares it with its source.
    """
    digest = hashlib.sha256()
    for path in sorted(environment.root.rglob("*")):
        parts = path.relative_to(environment.root).parts
        if "safesite" not in parts and "__pycache__" not in parts:
            digest.update("/".join(parts).encode(errors="surrogateescape") + b"\0")
            digest.update(content(path) + b"\0")
    return digest.hexdigest()


def content(path: Path) -> bytes:
    """Return what a file holds or where a link leads, as far as it tells two of them apart."""
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
