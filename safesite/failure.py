"""Show the exception that ends a program as if nothing of safesite were below the program.

Loaded when it is about to leave safesite's frames, past every import hook of the program.  Imports
``sys`` alone, and ``traceback`` where the program has deleted Python's own display.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType
    from typing import Any

OWN_MODULES = ("safesite", "safesite.run")


def prepare(last: "CodeType", exc: BaseException) -> None:
    """Have Python end as it does on an exception that leaves the program.

    ``last``: the code of the last frame that is safesite's, before the program's first.
    """
    if isinstance(exc, SystemExit):
        name_python(exc)
        if not (sys.flags.inspect or sys.modules["os"].environ.get("PYTHONINSPECT")):
            return  # else Python shows it
    put_hook(last)


def name_python(exc: SystemExit) -> None:
    """Name the interpreter where ``runpy`` would name its launcher: in what is wrong with -m."""
    trace, launcher = exc.__traceback__, sys.executable
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None and trace.tb_frame.f_globals.get("__name__") == "runpy":
        python = sys.modules["safesite"].gate["python"]
        if isinstance(exc.code, str) and exc.code.startswith(f"{launcher}: ") and python:
            exc.code = python + exc.code[len(launcher) :]
            exc.args = (exc.code,)


def put_hook(last: "CodeType") -> None:
    """Put a hook before ``sys.excepthook``, for the one exception that Python shows next."""
    present = hasattr(sys, "excepthook")
    original: Any = sys.excepthook if present else None

    def hook(
        kind: "type[BaseException]", exc: BaseException, trace: "TracebackType | None"
    ) -> None:
        if present:
            sys.excepthook = original
        else:
            del sys.excepthook
        trace = without_own_frames(trace, last)
        exc.__traceback__ = sys.last_traceback = trace
        show(original, present, (kind, exc, trace))
        forget_file()

    sys.excepthook = hook


def without_own_frames(trace: "TracebackType | None", last: "CodeType") -> "TracebackType | None":
    """Return the part of a traceback that begins with the program's first frame."""
    below = trace
    while below is not None and below.tb_frame.f_code is not last:
        below = below.tb_next
    if below is not None:
        trace = below.tb_next
    while trace is not None and trace.tb_frame.f_globals.get("__name__") in OWN_MODULES:
        trace = trace.tb_next  # -c is compiled in there
    return trace


def show(original: "Any", present: bool, details: "Any") -> None:
    """Do what Python does with an exception that nothing caught."""
    if not present:
        sys.stderr.write("sys.excepthook is missing\n")
        original = display
    flags = sys.flags
    if sys.version_info >= (3, 15) and original is getattr(sys, "__excepthook__", display):
        sys.flags = flags_with_site(flags)
    try:
        original(*details)
    except SystemExit:
        raise
    except BaseException as second:  # noqa: BLE001 - as Python, which prints any exception here
        trace = second.__traceback__ and second.__traceback__.tb_next
        sys.stderr.write("Error in sys.excepthook:\n")
        display(type(second), second.with_traceback(trace), trace)
        sys.stderr.write("\nOriginal exception was:\n")
        display(*details)
    finally:
        sys.flags = flags


def display(*details: "Any") -> None:
    """Print an exception as Python does where a program has put no hook of its own."""
    if hasattr(sys, "__excepthook__"):
        sys.__excepthook__(*details)
    else:
        import traceback

        traceback.print_exception(*details)


def forget_file() -> None:
    """Remove what Python removes from ``__main__`` when a program that is a file has failed."""
    names = vars(sys.modules.get("__main__", sys))
    if names.get("__name__") == "__main__" and names.get("__spec__") is None:
        names.pop("__file__", None)
        names.pop("__cached__", None)


def flags_with_site(flags: "Any") -> "Any":
    """Return the flags of a Python started without ``-S``, about which 3.15 gives advice."""
    fields = {name: getattr(flags, name) for name in dir(flags) if name[0] != "_"}
    return type(sys.implementation)(**{**fields, "no_site": 0})
