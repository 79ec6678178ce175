"""Give subinterpreters the alternative ``site`` and ``sys.path``, before their first code.

A subinterpreter starts as the interpreter that makes it did: with ``-S``, the launcher's words and
no site directories.  Loaded by the watch in `safesite`, when ``_interpreters`` (to 3.12:
``_xxsubinterpreters``) is imported, and in each subinterpreter.  What C code makes starts bare.
"""

import sys

import safesite
from safesite import asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What runs first in a subinterpreter, in a namespace of its own; the values are literals, in ASCII.
# safesite imports os, which must not come from the folder that the package lies in.
PRELUDE = """\
import sys
sys.argv[:], sys.path[:] = {argv}, {path}
import os
sys.path.insert(0, {package})
import safesite.subinterpreters
del sys.path[0]
safesite.subinterpreters.enter({told})
"""


def watch(found: "Any") -> None:
    """Prepare the module that makes subinterpreters, or have its loader do so when it is there."""
    if isinstance(found, type(sys)):
        prepare_module(found)
        return
    execute = found.exec_module

    def exec_module(module: "Any") -> None:
        execute(module)
        prepare_module(module)

    found.exec_module = exec_module


def prepare_module(module: "Any") -> None:
    """Replace ``create``, so that what it makes is entered before anything else runs in it."""
    create = module.create

    def create_and_enter(*args: "Any", **kwargs: "Any") -> "Any":
        interpreter = create(*args, **kwargs)
        run = getattr(module, "exec", None) or module.run_string
        run(interpreter, prelude())
        return interpreter

    create_and_enter.__name__ = create_and_enter.__qualname__ = create.__name__
    create_and_enter.__doc__ = create.__doc__
    create_and_enter.__module__ = create.__module__
    module.create = create_and_enter


def prelude() -> str:
    """Return the code that makes a new subinterpreter see what stock Python would show it."""
    import os

    gate, startup = safesite.gate, asked.deciding()
    folder = os.path.dirname(safesite.__path__[0])
    reported = [(str(x), x.file, x.line, x.kind, x.slug) for x in asked.refusals()]
    told = {
        "mode": asked.active(),
        "log": startup.log if startup is not None else "",
        "path_entry": gate["path_entry"],
        "reported": reported,
        "launcher": gate["launcher"],
        "flags": gate["flags"],
        "orig_argv": sys.orig_argv,
    }
    code = PRELUDE.format(
        argv=ascii(gate["argv"]), path=ascii(gate["base"]), package=ascii(folder), told=ascii(told)
    )
    return f"exec({code!a}, {{}})"


def enter(told: "dict[str, Any]") -> None:
    """Do in a subinterpreter what the launcher did, by what its maker decided and has reported."""
    import site

    safesite.gate.update(argv=sys.argv[:], base=sys.path[:], flags=told["flags"])
    patched = getattr(site, "_safesite", None)
    if patched is not None:
        take_up(patched(), told)
    elif told["reported"] or told["log"] or told["mode"] not in safesite.GATED_MODES:
        from safesite import core
        from safesite import site as alternative

        alternative.take_over(told["mode"])
        take_up(core.startup, told)
    else:
        safesite.close_gate(site, told["mode"])
    safesite.watch_imports()
    if told["flags"]:
        from safesite import run

        run.heed_flags(site)
    else:
        site.main()
    safesite.gate.update(python=sys.executable, launcher=told["launcher"], words=sys.orig_argv[:])
    sys.orig_argv[:] = told["orig_argv"]
    if told["launcher"]:
        safesite.name_launcher(told["launcher"])
    elif told["launcher"] is not None:
        sys.executable = ""  # as that of its maker, for which there is none
    if told["path_entry"] is not None and sys.version_info >= (3, 12):
        safesite.add_path_entry(told["path_entry"])


def take_up(startup: "Any", told: "dict[str, Any]") -> None:
    """Go on in a subinterpreter from what its maker has decided, and has reported already."""
    startup.mode, startup.log, startup.hinted = told["mode"], told["log"], True
    core = sys.modules[type(startup).__module__]
    for text, file, *rest in told["reported"]:
        line = core.Record(text, file, *rest)
        startup.refused[file, line.line, line] = line
    startup.reported = len(startup.refused)
    if startup.refuses:  # a patched site has gone by the environment, which the program may change
        safesite.hide_foreign_names(sys.modules)
