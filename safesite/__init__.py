"""An alternative ``site`` for CPython that refuses startup code unless it is allowed.

Holds the version and what a program may ask; imports nothing, as every start pays for it.  Written
so that every Python can read it: one that is too old gets a sentence from ``__main__``.
"""

__version__ = "0.1.0"
__all__ = ["active", "refusals"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safesite.core import Record, Startup  # noqa: F401 - in type comments


def _startup():
    # type: () -> Startup | None
    import sys

    core = sys.modules.get("_safesite") or sys.modules.get("safesite.core")
    startup = getattr(core, "startup", None)  # type: Startup | None
    return startup if startup is not None and startup.site is not None else None


def active():
    # type: () -> str | None
    """Return the mode that safesite decides by in this process, None if it does not.

    One of ``allow``, ``warn``, ``quiet``, ``refuse``, ``skip``; fixed when Python started.
    """
    startup = _startup()
    return startup.mode if startup is not None else None


def refusals():
    # type: () -> list[Record]
    """Return what safesite has refused in this process so far, in order, each line once.

    Each is a str (the line, the module's name, or for a skipped file the reason) with ``file``,
    ``line`` (from 1; 0 for a file as a whole), ``kind`` and ``slug``.  The list is the caller's.
    """
    startup = _startup()
    return list(startup.refused.values()) if startup is not None else []
