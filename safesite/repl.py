"""Start the interactive interpreter as each version of Python starts it.

Loaded only when there is no target and standard input is a terminal.  No ``from __future__``
import stands here: PYTHONSTARTUP's file is executed in this module.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(namespace: "dict[str, Any]") -> None:
    """Print the banner, run PYTHONSTARTUP and the interactive hook, then read from the terminal.

    On 3.10 to 3.12, and where Python was told to inspect (``-i``), hook and loop come when the
    caller's program, which is empty, has ended: Python does both by its own means.
    """
    if not sys.flags.quiet:
        sys.stderr.write(
            f"Python {sys.version} on {sys.platform}\n"
            'Type "help", "copyright", "credits" or "license" for more information.\n'
        )
    if not sys.flags.isolated and sys.version_info < (3, 13):
        try_to_import_readline()
    environ = {} if sys.flags.ignore_environment else os.environ
    startup = environ.get("PYTHONSTARTUP")
    if startup:
        run_startup(startup, namespace)
    if sys.flags.inspect or (sys.version_info < (3, 13) and not sys.flags.ignore_environment):
        inspect_after_exit()
        return
    hook = getattr(sys, "__interactivehook__", None)
    if hook is not None:
        sys.audit("cpython.run_interactivehook", hook)
        report_errors(hook)
    if sys.version_info < (3, 13):  # which would not look at PYTHONINSPECT
        import code

        code.interact(banner="", local=namespace, exitmsg="")
    elif environ.get("PYTHON_BASIC_REPL"):
        sys._baserepl()
    elif sys.version_info < (3, 14):
        import runpy

        runpy._run_module_as_main("_pyrepl", False)  # type: ignore[attr-defined]  # as Python
    else:
        import _pyrepl.main

        _pyrepl.main.interactive_console(sys.modules["__main__"])


def try_to_import_readline() -> None:
    """Import readline, which Python itself does before PYTHONSTARTUP."""
    try:
        import readline  # noqa: F401 - it takes over the terminal
    except ImportError:
        pass


def run_startup(path: str, namespace: "dict[str, Any]") -> None:
    """Run the file of PYTHONSTARTUP in the namespace of ``__main__``; report what goes wrong."""
    sys.audit("cpython.run_startup", path)
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as exc:
        sys.stderr.write(f"Could not open PYTHONSTARTUP\n{type(exc).__name__}: {exc}\n")
        return

    def execute() -> None:
        namespace["__file__"] = path
        try:
            exec(compile(source, path, "exec", dont_inherit=True), namespace)
        finally:
            namespace.pop("__file__", None)

    report_errors(execute)


def report_errors(call: "Any") -> None:
    """Call without arguments; an exception is printed, and the session goes on."""
    try:
        call()
    except SystemExit:
        raise
    except BaseException as exc:  # noqa: BLE001 - as Python, which prints any exception here
        trace = exc.__traceback__
        while trace is not None and trace.tb_frame.f_globals is globals():
            trace = trace.tb_next
        sys.excepthook(type(exc), exc.with_traceback(trace), trace)


class FirstPrompt:
    """The first prompt, which takes PYTHONINSPECT back before the user can see it."""

    def __init__(self, prompt: object) -> None:
        self.prompt = prompt

    def __str__(self) -> str:
        os.unsetenv("PYTHONINSPECT")
        sys.ps1 = self.prompt
        return str(self.prompt)


def inspect_after_exit() -> None:
    """Have Python enter its own loop when the program has ended."""
    if not (sys.flags.inspect or os.environ.get("PYTHONINSPECT")):
        os.putenv("PYTHONINSPECT", "1")  # os.environ keeps what the user set
        sys.ps1 = FirstPrompt(getattr(sys, "ps1", ">>> "))
