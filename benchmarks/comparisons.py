"""The comparisons: a profile, a way to start a program in it, and what that is divided by."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from pythons import CannotMeasure, Interpreter, find_interpreter

if TYPE_CHECKING:
    from profiles import Profile

Template = tuple[str, ...]

STOCK_SCRIPT: Template = ("{python}", "app.py")
STOCK_MODULE: Template = ("{python}", "-m", "app")
# Each way under its name: the command line that is measured, and stock Python's.
WAYS: dict[str, tuple[Template, Template]] = {
    "module": (("{python}", "-S", "-m", "safesite", "-m", "app"), STOCK_MODULE),
    "script": (("{python}", "-S", "-m", "safesite", "app.py"), STOCK_SCRIPT),
    "command": (("{safesite}", "app.py"), STOCK_SCRIPT),
    "child": (("{launcher}", "app.py"), STOCK_SCRIPT),
}


@dataclass(frozen=True)
class Side:
    """A command line on an interpreter, in a profile."""

    interpreter: Interpreter
    profile: Profile
    template: Template

    @property
    def text(self) -> str:
        """The command line as a reader would type it."""
        words = [word.replace("{python}", "python") for word in self.template]
        words = [word.replace("{launcher}", "sys.executable") for word in words]
        return shlex.join(word.replace("{safesite}", "safesite") for word in words)


@dataclass(frozen=True)
class Comparison:
    """What is measured, over what."""

    name: str
    subject: Side
    baseline: Side

    @property
    def started(self) -> str:
        """What is measured: the command line, by its own name if it is the user's."""
        way = self.name.partition("/")[2]
        return self.subject.text if way in WAYS else f"{way} app.py"

    @property
    def about(self) -> str:
        """What the two sides are."""
        over = "" if self.subject.profile.against_plain else f" / {self.baseline.text}"
        return f"{self.started}{over}: {self.subject.profile.about}"


@dataclass(frozen=True)
class OwnCommand:
    """A command line of the user's, measured like safesite's: ``[NAME=]CMD``."""

    label: str
    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> OwnCommand:
        """Read the option's value; raises ValueError."""
        found = re.match(r"([\w.+-]+)=(.+)", text, re.DOTALL)
        words = shlex.split(found[2] if found else text)
        if not words:
            raise ValueError("no command")
        label = found[1] if found else Path(words[0]).name
        if label in WAYS:
            raise ValueError(f"the name {label} is taken: write NAME=COMMAND")
        return cls(label, tuple(words))

    def side(self, first: Interpreter) -> tuple[Interpreter, Template]:
        """Return the interpreter and the template of this command.

        Its first word is a Python, and the environment is made on that; or it names the Python of
        an environment on the first interpreter as ``{python}``.
        """
        if any("{python}" in word or "{safesite}" in word for word in self.words):
            return first, (located(self.words[0]), *self.words[1:], "app.py")
        return find_interpreter(self.words[0]), ("{python}", *self.words[1:], "app.py")


def located(word: str) -> str:
    """Return the path of a program, or a word that stands for one as it is."""
    if word.startswith("{"):
        return word
    path = shutil.which(word)
    if path is None:
        raise CannotMeasure(f"there is no program {word!r}")
    return str(Path(path).absolute())


def compare(way: str, subject: Side, stock: Side) -> Comparison:
    """Return the comparison of one way with stock, or of the profile with none of its packages."""
    profile = subject.profile
    baseline = replace(subject, profile=profile.plain()) if profile.against_plain else stock
    return Comparison(f"{profile.name}/{way}", subject, baseline)


def list_comparisons(
    interpreter: Interpreter, profiles: tuple[Profile, ...], commands: list[OwnCommand]
) -> list[Comparison]:
    """Return the comparisons on an interpreter, in the order in which they are reported."""
    own = [(command.label, *command.side(interpreter)) for command in commands]
    found = []
    for profile in profiles:
        for way, (template, stock) in WAYS.items():
            subject = Side(interpreter, profile, template)
            found.append(compare(way, subject, Side(interpreter, profile, stock)))
        for label, python, template in own:
            subject = Side(python, profile, template)
            found.append(compare(label, subject, Side(interpreter, profile, STOCK_SCRIPT)))
    return found


def select(comparisons: list[Comparison], globs: list[str]) -> list[Comparison]:
    """Return the comparisons that any of the globs names; all without a glob."""
    return [c for c in comparisons if not globs or matches(c.name, globs)]


def matches(name: str, globs: list[str]) -> bool:
    """Return whether a comparison's name matches one of the globs."""
    return any(fnmatchcase(name, glob) for glob in globs)
