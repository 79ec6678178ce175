"""The starts whose interpreter launcher is not found at first sight.

Loaded for them alone: an interpreter or a safesite that symbolic links lead to, a name of Python
that no launcher has, a command line of a kind seldom used.
"""

import os
import sys

import safesite
from safesite.run import python_options

LONGEST_FIRST_LINE = 512  # bytes of a script's, on macOS
NAMES = ("python", "python3", "python{}.{}".format(*sys.version_info[:2]))


def cover(python: str, words: "list[str]", at: int) -> None:
    """Have sys.executable name the interpreter launcher of ``python``, and say so if none can be.

    Then it is empty, as Python's own is where it is not known: no child is started unprotected.  On
    Windows, where no launcher is to be had, nothing changes.  ``words``: the command line, of which
    the program's begin ``at`` a number.
    """
    if os.name != "posix":
        return
    launcher = find(python)
    if not launcher:
        from safesite.keep import say

        say(
            "safesite: there is no interpreter launcher for this Python, so sys.executable is "
            "empty: no child process can be started by it (launcher)"
        )
        safesite.gate["launcher"] = sys.executable = ""
        return
    safesite.name_launcher(launcher)
    options = python_options(len(words) - at)
    if options is not None:
        sys.orig_argv[:] = [launcher, *without_no_site(options), *words[at:]]


def find(python: str) -> str:
    """Return the path of the launcher that starts an interpreter, "" if there is none.

    It leads through the interpreter's folder, up to the root by ``..``, and down to the launcher.
    macOS starts no script by a script: there the path is so long that pip and others, which write
    it into the first line of console scripts, have a shell start it instead.
    """
    folder, name = os.path.split(python)
    if "/.." in folder or not os.path.isabs(folder):
        folder = os.path.realpath(folder)
    up = "/.." * max(1, os.path.realpath(folder).strip("/").count("/") + 1)
    if sys.platform == "darwin":
        up = "/.." * (LONGEST_FIRST_LINE // 3) + up
    package = os.path.realpath(safesite.__path__[0])
    for other in (name, *NAMES):
        file = f"{package}/command/bin/{other}"
        launcher = folder.rstrip("/") + up + "/." + file
        if is_same(os.path.join(folder, other), python) and is_same(launcher, file):
            return launcher if os.access(launcher, os.X_OK) else ""
    return ""


def is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def without_no_site(options: "list[str]") -> "list[str]":
    """Return Python's options without -S; ``-IS`` becomes ``-I``."""
    kept, takes_value = [], False
    for word in options:
        letters = word
        if not takes_value and word[:1] == "-" and word[:2] != "--":
            end = min((word.find(c) for c in "WX" if c in word), default=len(word))
            letters = word[:end].replace("S", "") + word[end:]
            takes_value = end == len(word) - 1
        else:
            takes_value = not takes_value and word == "--check-hash-based-pycs"
        if letters != "-" or word == "-":
            kept.append(letters)
    return kept
