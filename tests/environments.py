"""Make throw-away virtual environments, and start programs in them: stock, launched, patched.

An environment is made by hand (``pyvenv.cfg``, a link to the interpreter, an empty site-packages):
a case needs a fresh one, and ``python -m venv`` takes a hundred times as long.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from interpreters import Interpreter

PACKAGE = Path(__file__).resolve().parent.parent / "safesite"
TIMEOUT = 120  # seconds, for a process that should take a fraction of one

PLAIN = re.compile(r"[\w./-]+", re.ASCII)  # what stands in a shell's command as it is


def hint(refusals: int, advice: str, hidden: int = 0) -> str:
    """Return the hint after refusals, of which some are not shown."""
    more = f"and {hidden} more; " if hidden else ""
    return f"safesite: {more}{refusals} refused; {advice} (hint)"


def advice(*command: str | Path, options: Collection[str] = ()) -> str:
    """Return what the hint advises: the command that started safesite; without one, a variable.

    There is none where ``site`` is patched and no ``safesite`` is on PATH; ``options`` are Python's
    own, of which two have it ignore variables.
    """
    if command:
        words = map(str, command)
        shown = (w if PLAIN.fullmatch(w) else "'" + w.replace("'", "'\"'\"'") + "'" for w in words)
        return f"to see owners and remedies: {' '.join(shown)} --explain"
    how = "start without -E and -I, and set" if {"-E", "-I"}.intersection(options) else "set"
    return f"to run them: {how} SAFESITE_MODE=allow"


@dataclass(frozen=True)
class Outcome:
    """How a process ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def reports(self) -> list[str]:
        """The lines on standard error that are safesite's."""
        return [line for line in self.err.splitlines() if line.startswith("safesite: ")]

    @property
    def other_err(self) -> str:
        """Standard error without safesite's lines."""
        lines = self.err.splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("safesite: "))


@dataclass(frozen=True)
class Environment:
    """A virtual environment below ``root``; ``work`` is the current directory of what it starts."""

    interpreter: Interpreter
    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    system_site: bool = False

    @property
    def prefix(self) -> Path:
        """The environment's folder."""
        return self.root / "venv"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.prefix / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        """The environment's site directory."""
        return self.prefix / "lib" / f"python{self.interpreter.version}" / "site-packages"

    @property
    def home(self) -> Path:
        """The home directory of what is started: empty, with room for a user site."""
        return self.root / "home"

    @property
    def user_site(self) -> Path:
        """Where the user site directory would be."""
        return self.home / ".local" / "lib" / f"python{self.interpreter.version}" / "site-packages"

    @property
    def work(self) -> Path:
        """The current directory: it holds a link to safesite, which ``-m safesite`` finds there."""
        return self.root / "work"

    @property
    def markers(self) -> Path:
        """Where executed lines leave their marker files."""
        return self.root / "markers"

    def ran(self) -> list[str]:
        """Return the names of the markers left so far, and remove them."""
        names = sorted(path.name for path in self.markers.iterdir())
        for name in names:
            (self.markers / name).unlink()
        return names

    def environ(self) -> dict[str, str]:
        """Return the variables of a started process: nothing of the test runner's own.

        HOME has them look for the user's policy below it, where there is none.
        """
        fixed = {
            "HOME": str(self.home),
            "PATH": f"{self.prefix / 'bin'}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "MARKERS": str(self.markers),
        }
        passed = ("PIP_CERT", "PIP_INDEX_URL", "PIP_FIND_LINKS", "SSL_CERT_FILE", "TMPDIR")
        return {n: os.environ[n] for n in passed if n in os.environ} | fixed | self.variables

    def run(self, *args: str | Path, stdin: str | None = "", **more: str) -> Outcome:
        """Run a command here to its end; ``more`` are further variables."""
        done = subprocess.run(
            [str(arg) for arg in args],
            cwd=self.work,
            env=self.environ() | more,
            input=stdin,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=TIMEOUT,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def stock(self, *args: str | Path, **more: str) -> Outcome:
        """Run the environment's interpreter as it is."""
        return self.run(self.python, *args, **more)

    def rebase(self, interpreter: Interpreter) -> None:
        """Put the environment on another base of the same version."""
        for name in ("python", "python3", f"python{interpreter.version}"):
            link = self.prefix / "bin" / name
            link.unlink(missing_ok=True)
            link.symlink_to(interpreter.path)
        self.write_configuration(interpreter)

    def write_configuration(self, interpreter: Interpreter) -> None:
        """Write ``pyvenv.cfg`` for a base."""
        (self.prefix / "pyvenv.cfg").write_text(
            f"home = {interpreter.path.parent}\n"
            f"include-system-site-packages = {'true' if self.system_site else 'false'}\n"
            f"version = {interpreter.version}\n"
        )

    def launcher(self, *options: str) -> tuple[str, ...]:
        """Return the words that start safesite; ``options`` are Python's own."""
        return (str(self.python), *options, "-S", "-m", "safesite")

    def launched(self, *args: str | Path, options: tuple[str, ...] = (), **more: str) -> Outcome:
        """Run a target under safesite; ``options`` are Python's own."""
        return self.run(*self.launcher(*options), *args, **more)


def make(
    interpreter: Interpreter, root: Path, *, system_site: bool = False, **variables: str
) -> Environment:
    """Make a fresh environment below an empty or missing folder."""
    environment = Environment(interpreter, root, variables, system_site)
    for folder in ("site_packages", "home", "work", "markers"):
        getattr(environment, folder).mkdir(parents=True)
    (environment.prefix / "bin").mkdir()
    environment.rebase(interpreter)
    (environment.work / "safesite").symlink_to(PACKAGE)
    return environment
