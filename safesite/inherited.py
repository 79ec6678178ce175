"""Keep ``subprocess`` from handing -S on to children, as it does with all of Python's flags.

It is safesite's word and not the program's: the children of ``multiprocessing`` and ``joblib``
would have no site directories, where stock Python's have.  Loaded by the watch in `safesite` while
``subprocess`` is imported.  The interpreter launcher starts these children; where sys.executable no
longer names it, -S is all that protects them, and stays.
"""

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


# Without a launcher, in the mode `allow`, stock Python starts them, which is to run all.
if "subprocess" in sys.modules and (safesite.gate["launcher"] or asked.active() == "allow"):
    vars(sys.modules["subprocess"])["getattr"] = flag
