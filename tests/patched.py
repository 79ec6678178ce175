"""Make a base interpreter whose ``site`` is patched, without building one.

A copy of the interpreter's program beside a folder of links to its standard library, in which the
files of ``patches/X.Y`` are real and patched.  ``site`` is frozen from 3.11 on, and a program's own
``site`` cannot be replaced; so such a base is started with ``-X frozen_modules=off``.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from interpreters import Interpreter

PATCHES = Path(__file__).resolve().parent.parent / "patches"
sys.path.append(str(PATCHES))
import refresh  # noqa: E402 - the generator of the patches lies beside them

FILES = ("Lib/site.py", "Lib/_safesite.py", "Lib/_safesite_keep.py")
NAMES = tuple(Path(file).name for file in FILES)


def make(interpreter: Interpreter, folder: Path) -> Interpreter:
    """Return an interpreter below an empty or missing folder, patched."""
    library = Path(interpreter.run("-I", "-S", "-c", "import os; print(os.__file__)").strip()).parent
    tree = folder / "tree"
    (tree / "Lib").mkdir(parents=True)
    shutil.copyfile(library / "site.py", tree / "Lib" / "site.py")
    refresh.apply(interpreter.version, tree, FILES)
    prefix = folder / "prefix"
    link_library(library, prefix / "lib" / library.name)
    for name in NAMES:
        shutil.copyfile(tree / "Lib" / name, prefix / "lib" / library.name / name)
    for name in ("lib/python3", "local"):  # Debian has more site directories than one
        if (library.parent.parent / name).is_dir():
            (prefix / name).symlink_to(library.parent.parent / name)
    program = prefix / "bin" / f"python{interpreter.version}"
    program.parent.mkdir()
    shutil.copy(interpreter.path.resolve(), program)
    return replace(interpreter, path=program)


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


def options(interpreter: Interpreter) -> tuple[str, ...]:
    """Return the options that a base made here needs."""
    return ("-X", "frozen_modules=off") if interpreter.number >= (3, 11) else ()
