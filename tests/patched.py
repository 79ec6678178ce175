"""Base interpreters whose ``site`` is patched: made without building one, or built.

Made: a copy of the interpreter's program beside a folder of links to its standard library, in which
the files of ``patches/X.Y`` are real and patched.  ``site`` is frozen from 3.11 on, and what is in
the program cannot be replaced; so such a base is started with ``-X frozen_modules=off``.

Built: by ``patches/build.sh``, from Debian's source, with and without the patches.
"""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import edits
import interpreters
import refresh
from environments import Environment, Outcome
from installers import make_once
from interpreters import Interpreter

PATCHES = Path(refresh.__file__).parent
FILES = ("Lib/site.py", *(f"Lib/{name}.py" for name in edits.MODULES))
NAMES = tuple(Path(file).name for file in FILES)
BUILDS = {"trixie": "3.13", "bookworm": "3.11"}


@dataclass(frozen=True)
class Base:
    """An interpreter as it is, the same with a patched site, and the options that needs."""

    name: str
    stock: Interpreter
    patched: Interpreter
    options: tuple[str, ...] = ()

    def run(self, environment: Environment, *args: str | Path, **variables: str) -> Outcome:
        """Run the patched interpreter in an environment, which is put on it."""
        environment.rebase(self.patched)
        return environment.stock(*self.options, *args, **variables)

    def as_on_stock(self, text: str) -> str:
        """Return what the patched interpreter printed, with the folders of the other."""
        folder = str(self.patched.path.parent.parent)
        return text.replace(folder, prefix_of(self.stock)) if folder in text else text


@functools.cache
def prefix_of(interpreter: Interpreter) -> str:
    """Return an interpreter's ``sys.prefix``."""
    return interpreter.run("-I", "-S", "-c", "import sys; print(sys.prefix)").strip()


def built(release: str) -> Base | None:
    """Return what ``patches/build.sh`` has built; None if it has not."""
    version = BUILDS[release]
    folder = interpreters.cache_folder() / "cpython" / release
    programs = [folder / name / "bin" / f"python{version}" for name in ("stock", "patch")]
    if not (folder / "patched.stamp").is_file():
        return None
    stock, patched = (interpreters.ask(version, program) for program in programs)
    return Base(release, stock, patched) if stock and patched else None


def made(interpreter: Interpreter, folder: Path, default: str = "refuse") -> Base:
    """Return an interpreter and the same with a patched site, made below a folder."""
    make(interpreter, folder, default)
    return base_in(interpreter, folder)


def made_once(interpreter: Interpreter, shared: Path) -> Base:
    """Return the same as `made`, from the folder that is common to all workers; none changes it."""
    folder = shared / f"patched-{interpreter.version.replace('.', '-')}"
    make_once(folder, lambda: made(interpreter, folder))
    return base_in(interpreter, folder)


def base_in(interpreter: Interpreter, folder: Path) -> Base:
    """Return what has been made of an interpreter below a folder."""
    options = ("-X", "frozen_modules=off") if interpreter.number >= (3, 11) else ()
    program = folder / "prefix" / "bin" / f"python{interpreter.version}"
    return Base(interpreter.version, interpreter, replace(interpreter, path=program), options)


def make(interpreter: Interpreter, folder: Path, default: str) -> None:
    """Make an interpreter below an empty or missing folder, patched, with a default mode."""
    library = interpreter.library
    tree = folder / "tree"
    (tree / "Lib").mkdir(parents=True)
    shutil.copyfile(library / "site.py", tree / "Lib" / "site.py")
    refresh.apply(interpreter.version, tree, FILES)
    site = tree / "Lib" / "site.py"
    knob = '_DEFAULT_MODE = "{}"\n'
    site.write_text(site.read_text("utf-8").replace(knob.format("refuse"), knob.format(default)))
    prefix = folder / "prefix"
    link_library(library, prefix / "lib" / library.name)
    for name in NAMES:
        shutil.copyfile(tree / "Lib" / name, prefix / "lib" / library.name / name)
    for name in ("lib/python3", "local"):  # Debian has more site directories than one
        if (library.parent.parent / name).is_dir():
            (prefix / name).symlink_to(library.parent.parent / name)
    program = base_in(interpreter, folder).patched.path
    program.parent.mkdir()
    shutil.copy(interpreter.path.resolve(), program)


def link_library(library: Path, target: Path) -> None:
    """Fill a folder with links to all of a standard library but the patched files.

    Bytecode is linked file by file, so that what is written new does not go to the original.
    """
    (target / "__pycache__").mkdir(parents=True)
    for path in library.iterdir():
        if path.name not in (*NAMES, "__pycache__"):
            (target / path.name).symlink_to(path)
    for path in (library / "__pycache__").glob("*.pyc"):
        if path.name.partition(".")[0] + ".py" not in NAMES:
            (target / "__pycache__" / path.name).symlink_to(path)
