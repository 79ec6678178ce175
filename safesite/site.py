"""Take over ``site``: replace, inside the interpreter's own module, what could run startup code.

Under ``-S`` the module is inert: imported or not, it has added nothing.  Its platform part stays
(site directories, user site, builtins, readline, every distributor's layout); the functions named
here are replaced in its globals, so that no stock function can reach an original.  In the mode
``allow`` each replacement calls its original.  A distributor's patch (the folder ``patches``) calls
`core.Startup` from inside stock's functions instead, and needs nothing of this module.

Loaded when there is something to decide: the gate of `safesite` has seen startup code, or the mode
is one that has to look.  Imports only what stock ``site`` has loaded.
"""

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
stock: "dict[str, Callable[..., Any]]" = {}


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
    else:
        replace(site, *both, _read_pthstart_file)
        replace(state, _addsitedir, _exec_imports, _execute_start_entrypoints, process)
    startup.serve(site, stock)
    safesite.gate["core"] = core
    if startup.refuses:
        safesite.hide_foreign_names(sys.modules)


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
    """Add the site directories to sys.path, as stock site does, and refuse their startup code.

    Up to 3.13 stock looks for pyvenv.cfg by sys.executable: that is the interpreter meanwhile.
    """
    launcher, sys.executable = sys.executable, safesite.gate["python"] or sys.executable
    try:
        if startup.mode == "allow":
            stock["main"]()
        else:
            with startup:
                stock["main"]()
    finally:
        sys.executable = launcher


def execsitecustomize() -> None:
    """Refuse sitecustomize, if there is one, unless it may run."""
    if startup.may_customize("sitecustomize"):
        stock["execsitecustomize"]()


def execusercustomize() -> None:
    """Refuse usercustomize, if there is one, unless it may run."""
    if startup.may_customize("usercustomize"):
        stock["execusercustomize"]()


# Replacements on 3.10 to 3.14.


def addpackage(sitedir: str, name: str, known_paths: "set[str] | None") -> "set[str] | None":
    """Process a .pth file: add its path entries to sys.path, refuse what it would execute."""
    if startup.mode == "allow":
        return stock["addpackage"](sitedir, name, known_paths)  # type: ignore[no-any-return]
    return startup.part("running").addpackage(startup, sitedir, name, known_paths)  # type: ignore[no-any-return]


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
    return known_paths if startup.add_startup_files(sitedir, known) else None


# Replacements on 3.15: a batch reads everything, then runs (PEP 829).


def _read_pthstart_file(sitedir: str, name: str, suffix: str) -> "tuple[list[str] | None, str]":
    """Read a startup file into lines that know their place."""
    if startup.mode == "allow":
        return stock["_read_pthstart_file"](sitedir, name, suffix)  # type: ignore[no-any-return]
    return startup.part("batch").read_lines(startup, sitedir, name, suffix)  # type: ignore[no-any-return]


def _addsitedir(self: "Any", sitedir: str, *, process_known_sitedirs: bool) -> None:
    """Record a site directory and read its startup files; nothing of it is applied yet."""
    if startup.mode == "allow":
        stock["_addsitedir"](self, sitedir, process_known_sitedirs=process_known_sitedirs)
        return
    recorded = self._record_sitedir(sitedir, process_known_sitedirs=process_known_sitedirs)
    if recorded is not None:
        startup.part("batch").read_startup_files(startup, self, recorded)


def process(self: "Any") -> None:
    """Apply the batch: path entries first, then what may run; report what may not as one."""
    with startup:
        stock["process"](self)


def _exec_imports(self: "Any") -> None:
    """Run the import lines of the batch that may run and are not suppressed; refuse the others."""
    run_allowed(self, "_exec_imports", self._importexecs, IMPORT)


def _execute_start_entrypoints(self: "Any") -> None:
    """Call the entry points of the batch that may run; refuse the others."""
    run_allowed(self, "_execute_start_entrypoints", self._entrypoints, ENTRY)


def run_allowed(state: "Any", method: str, table: "dict[str, Any]", kind: str) -> None:
    """Call stock's own method; ``table``, that it iterates over, holds what may run meanwhile."""
    if startup.mode == "allow":
        stock[method](state)
    elif table:
        lines, allowed = dict(table), startup.part("batch").allowed
        with startup:
            table.update({file: allowed(startup, lines[file], file, kind) for file in lines})
            try:
                stock[method](state)
            finally:
                table.update(lines)
