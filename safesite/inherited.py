"""Keep ``subprocess`` from handing -S on to children, as it does with all of Python's flags.

It is safesite's word and not the program's: the children of ``multiprocessing`` and ``joblib``
would have no site directories, where stock Python's have.  Loaded by the watch in `safesite` while
``subprocess`` is imported.  The interpreter launcher starts these children; where sys.executable no
longer names it, -S is all that protects them, and stays.

Who is about to start a child may first make the path of sys.executable a normal one, as virtualenv
and tox do with ``os.path.abspath``.  Of the launcher's path that would leave nothing that names the
interpreter; but it is what it is, as stock's sys.executable is, and so ``normpath`` returns it.
"""

import os
import sys

import safesite
from safesite import asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def flag(owner: "Any", name: str, *default: "Any") -> "Any":
    """Return an attribute: ``getattr``, by which ``subprocess`` looks up this process's flags."""
    gate = safesite.gate
    is_covered = sys.executable == (gate["launcher"] or gate["python"])
    if owner is sys.flags and name == "no_site" and is_covered:
        return int("S" in (gate["flags"] or ""))
    return getattr(owner, name, *default)


def keep_launcher_path(original: "Any") -> "Any":
    """Return an ``os.path.normpath`` to which the launcher's path, also less its dot, is normal."""
    launcher = safesite.gate["launcher"]
    normal = {launcher, launcher.replace("/./", "/", 1)}

    def normpath(path: "Any") -> "Any":
        return path if type(path) is str and path in normal else original(path)

    normpath.__module__, normpath.__qualname__ = os.path.__name__, "normpath"  # to be pickled
    normpath.__doc__ = original.__doc__
    return normpath


if safesite.gate["launcher"]:
    vars(os.path)["normpath"] = keep_launcher_path(os.path.normpath)
# Without a launcher, in the mode `allow`, stock Python starts them, which is to run all.
if "subprocess" in sys.modules and (safesite.gate["launcher"] or asked.active() == "allow"):
    vars(sys.modules["subprocess"])["getattr"] = flag
