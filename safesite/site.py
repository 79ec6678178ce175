"""Take over ``site``: replace, inside the interpreter's own module, what could run startup code.

Under ``-S`` the module is inert: imported or not, it has added nothing.  Its platform part stays
(site directories, user site, builtins, readline, every distributor's layout); the functions named
here are replaced in its globals, so that no stock function can reach an original.  In the mode
``allow`` each replacement calls its original.

Loaded when there is something to decide: the gate of `safesite` has seen startup code, or the mode
is one that has to look.  Imports only what stock ``site`` has loaded.
"""

import os
import site as _site
import sys

import safesite
from safesite import core
from safesite.core import ENTRY, IMPORT, startup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

site: "Any" = _site
stock = startup.stock


def take_over(mode: "str | None" = None) -> None:
    """Replace the parts of ``site`` that can run startup code; a second call changes nothing.

    ``mode``: what has been decided already, by the gate or before this subinterpreter was made;
    None has the environment say.  In ``site`` `safesite.unknown_part` must find nothing.
    """
    if startup.site is not None:
        return
    if mode is None:
        startup.read_environment(safesite.DEFAULT_MODE)
    else:
        startup.mode = mode
    state = vars(site).get("StartupState")
    both = (main, execsitecustomize, execusercustomize)
    if state is None:
        replace(site, *both, addpackage, addsitedir)
        startup.skips_hidden = "UF_HIDDEN" in stock["addpackage"].__code__.co_names
    else:
        replace(site, *both, _read_pthstart_file)
        replace(state, _addsitedir, _exec_imports, _execute_start_entrypoints, process)
    startup.site, safesite.gate["core"] = site, core
    if startup.refuses:
        safesite.hide_foreign_names()


def replace(owner: "Any", *replacements: "Any") -> None:
    """Put functions in the place of their namesakes in a module or class, and keep those.

    Where the gate's stub is no longer in place the program has put something of its own there.
    """
    for function in replacements:
        name = function.__name__
        present = getattr(owner, name)
        original = stock[name] = safesite.gate["stock"].get(name, present)
        function.__module__, function.__qualname__ = original.__module__, original.__qualname__
        if present is safesite.gate["stubs"].get(name, present):
            setattr(owner, name, function)


# Replacements on every version.


def main() -> None:
    """Add the site directories to sys.path, as stock site does, and refuse their startup code."""
    if startup.mode == "allow":
        return stock["main"]()  # type: ignore[no-any-return]
    startup.begin()
    try:
        stock["main"]()
    finally:
        startup.end()


def execsitecustomize() -> None:
    """Refuse sitecustomize, if there is one, unless it may run."""
    customize("sitecustomize", stock["execsitecustomize"])


def execusercustomize() -> None:
    """Refuse usercustomize, if there is one, unless it may run."""
    customize("usercustomize", stock["execusercustomize"])


def customize(name: str, original: "Callable[[], None]") -> None:
    if startup.mode == "allow":
        original()
    elif startup.mode != "skip":
        startup.begin()
        try:
            startup.exec_customize(name, original)
        finally:
            startup.end()


# Replacements on 3.10 to 3.14.


def addpackage(sitedir: str, name: str, known_paths: "set[str] | None") -> "set[str] | None":
    """Process a .pth file: add its path entries to sys.path, refuse what it would execute."""
    if startup.mode == "allow":
        return stock["addpackage"](sitedir, name, known_paths)  # type: ignore[no-any-return]
    if startup.mode != "skip":
        startup.begin()
        try:
            known = site._init_pathinfo() if known_paths is None else known_paths
            if not startup.add_package(sitedir, name, known):
                return None  # as stock, for a file that it cannot open
        finally:
            startup.end()
    return known_paths


def addsitedir(sitedir: str, known_paths: "set[str] | None" = None) -> "set[str] | None":
    """Add a site directory to sys.path and process its .pth files, refusing what they would run."""
    if startup.mode == "allow":
        return stock["addsitedir"](sitedir, known_paths)  # type: ignore[no-any-return]
    site._trace(f"Adding directory: {sitedir!r}")
    known = site._init_pathinfo() if known_paths is None else known_paths
    sitedir, sitedircase = site.makepath(sitedir)
    if sitedircase not in known:
        sys.path.append(sitedir)
        known.add(sitedircase)
    startup.begin()
    try:
        names = startup_files(sitedir, sitedircase)
        for name in names or ():
            startup.add_package(sitedir, name, known)
    finally:
        startup.end()
    return None if names is None else known_paths


def startup_files(sitedir: str, sitedircase: str) -> "list[str] | None":
    """Return the names of the .pth files to read, in stock's order; None if it cannot be listed.

    Stock site reads those of a virtual environment twice; where nothing runs, the second reading
    can add nothing, and is left out.
    """
    if startup.mode == "skip":
        return []
    if startup.refuses and sitedircase in startup.done:
        return []
    try:
        names = os.listdir(sitedir)
    except OSError:
        return None
    startup.done.add(sitedircase)
    startup.note_customize(sitedir, names)
    names = [name for name in names if name.endswith(".pth")]
    return sorted(n for n in names if not (startup.skips_hidden and n.startswith(".")))


# Replacements on 3.15: a batch reads everything, then runs (PEP 829).


def _read_pthstart_file(sitedir: str, name: str, suffix: str) -> "tuple[list[str] | None, str]":
    """Read a startup file into lines that know their place."""
    if startup.mode == "allow":
        return stock["_read_pthstart_file"](sitedir, name, suffix)  # type: ignore[no-any-return]
    if startup.mode == "skip":
        return None, os.path.join(sitedir, name)
    return startup.read_lines(sitedir, name, suffix)


def _addsitedir(self: "Any", sitedir: str, *, process_known_sitedirs: bool) -> None:
    """Record a site directory and read its startup files; nothing of it is applied yet."""
    if startup.mode == "allow":
        stock["_addsitedir"](self, sitedir, process_known_sitedirs=process_known_sitedirs)
        return
    recorded = self._record_sitedir(sitedir, process_known_sitedirs=process_known_sitedirs)
    if recorded is None or startup.mode == "skip":
        return
    try:
        names = os.listdir(recorded)
    except OSError:
        return
    startup.begin()
    try:
        startup.note_customize(recorded, names)
        for suffix, read in ((".pth", self._read_pth_file), (".start", self._read_start_file)):
            for name in sorted(n for n in names if n.endswith(suffix) and n[0] != "."):
                read(recorded, name)
    finally:
        startup.end()


def process(self: "Any") -> None:
    """Apply the batch: path entries first, then what may run; report what may not as one."""
    startup.begin()
    try:
        stock["process"](self)
    finally:
        startup.end()


def _exec_imports(self: "Any") -> None:
    """Run the import lines of the batch that may run and are not suppressed; refuse the others."""
    run_allowed(self, "_exec_imports", self._importexecs, IMPORT)


def _execute_start_entrypoints(self: "Any") -> None:
    """Call the entry points of the batch that may run; refuse the others."""
    run_allowed(self, "_execute_start_entrypoints", self._entrypoints, ENTRY)


def run_allowed(state: "Any", method: str, table: "dict[str, Any]", kind: str) -> None:
    if startup.mode == "allow":
        stock[method](state)
    elif table:
        startup.begin()
        try:
            startup.keep().run_allowed(startup, state, method, table, kind)
        finally:
            startup.end()
