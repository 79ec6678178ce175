"""What a program may ask of safesite: `safesite.active`, `safesite.refusals`.

Loaded by the first question, past all finders; a start does without.
"""

import sys

import safesite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from safesite.core import Record


def active() -> "str | None":
    """Return the mode that safesite decides by in this process, None if it does not.

    One of ``allow``, ``warn``, ``quiet``, ``refuse``, ``skip``; fixed when Python started.
    """
    startup = deciding()
    return startup.mode if startup is not None else safesite.gate["mode"]  # type: ignore[no-any-return]


def refusals() -> "list[Record]":
    """Return what safesite has refused in this process so far, in order, each line once.

    Each is a str (the line, the module's name, or for a skipped file the reason) with ``file``,
    ``line`` (from 1; 0 for the file), ``kind``, ``slug``, ``detail``.  The list is the caller's.
    """
    startup = deciding()
    return list(startup.refused.values()) if startup is not None else []


def deciding() -> "Any":
    """Return what decides in this process, None as long as there was nothing to decide on."""
    patched = getattr(sys.modules.get("site"), "_safesite", None)
    if patched is not None:
        return patched()
    core = safesite.gate["core"]
    return core.startup if core is not None else None
