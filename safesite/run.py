"""Run a target (a file, a module, code, a folder, a zip file, standard input) as Python would.

Called by ``__main__`` on every protected start.  It gives the module ``__main__`` to the program,
so nothing may follow the call there.  No ``from __future__`` import stands here, because ``exec``
would hand its flags on to the program.
"""

import _frozen_importlib
import _frozen_importlib_external as _external
import builtins
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, NoReturn

USAGE = """\
usage: python -S -m safesite [option] [-c CODE | -m MODULE | FILE | DIR | ZIP | -] [args]

Start a program as Python does, but refuse startup code: import lines of .pth files, entry points
of .start files, sitecustomize, usercustomize.  Path entries are kept.  Without a target: the REPL.

options:
  -h, --help      print this and exit
  -V, --version   print the version and exit

environment:
  SAFESITE_MODE   refuse (default), quiet, warn, allow or skip
  SAFESITE_LOG    a file to which each refusal is appended as a line of JSON
"""


def fail(message: str) -> "NoReturn":
    """Print one sentence and exit with code 2."""
    from safesite.core import say

    say(f"safesite: {message}")
    sys.exit(2)


def main(argv: "list[str]") -> None:
    """Parse the command line, take over ``site``, run the target.

    Ends as the target does: by returning, or with the exception that it raised.
    """
    drop_own_path_entry()
    option, args = (argv[1], argv[2:]) if len(argv) > 1 else (None, [])
    if option == "--" and args:
        start_file(args[0], args[1:])
    elif option in ("-h", "--help"):
        sys.stdout.write(USAGE)
    elif option in ("-V", "--version"):
        from safesite import __version__

        sys.stdout.write(f"safesite {__version__}\n")
    elif option is None or option == "-":
        enter_site()
        run_stdin(option or "", args)
    elif option[:2] in ("-c", "-m"):
        start_with_value(option, args)
    elif option[:1] == "-":
        from safesite.core import quoted

        fail(f"unknown option {quoted(option)}; see --help (usage)")
    else:
        start_file(option, args)


def start_file(path: str, args: "list[str]") -> None:
    enter_site()
    run_file(path, args)


def start_with_value(option: str, args: "list[str]") -> None:
    """Start ``-c CODE`` or ``-m MODULE``, whose value may stand in the same word."""
    if len(option) == 2 and not args:
        fail(f"{option} needs an argument; see --help (usage)")
    value, args = (option[2:], args) if option[2:] else (args[0], args[1:])
    enter_site()
    if option[1] == "c":
        run_command(value, args)
    else:
        run_module(value, args)


def drop_own_path_entry() -> None:
    """Remove from sys.path the current directory, which ``-m`` put there to find safesite."""
    if safe_path():
        return
    try:
        here = os.getcwd()
    except OSError:  # it is gone, and Python has added nothing
        return
    if sys.path[:1] == [here]:
        del sys.path[0]


def safe_path() -> bool:
    """Return whether Python was told to put no unsafe path before the others (-P, -I)."""
    return bool(sys.flags.isolated or getattr(sys.flags, "safe_path", False))


def enter_site() -> None:
    """Put the alternative site in place and let it build ``sys.path``."""
    if not sys.flags.no_site:
        fail("startup code has run already; type: python -S -m safesite TARGET (usage)")
    from safesite import site as alternative

    try:
        alternative.take_over()
    except alternative.UnknownSite as exc:
        fail(f"the site module of this Python is not one it knows, by its {exc} (interpreter)")
    alternative.site.main()


def run_command(code: str, args: "list[str]") -> None:
    """Run the code of ``-c``."""
    sys.argv[:] = ["-c", *args]
    sys.audit("cpython.run_command", code)
    add_path_entry("")
    namespace = new_main()
    if sys.version_info >= (3, 14):
        code = dedent(code)
    as_program(run_source, code, "<string>", namespace)


def dedent(code: str) -> str:
    """Remove the white space that all lines of ``-c`` begin with, as 3.14 does."""
    lines = code.split("\n")
    indents = [x[: len(x) - len(x.lstrip())] for x in lines if x.strip()]
    margin = min(indents, default="")
    while not max(indents, default="").startswith(margin):
        margin = margin[:-1]
    return "\n".join(x[len(margin) :] if x.strip() else "" for x in lines) if margin else code


def run_module(name: str, args: "list[str]") -> None:
    """Run a module or package with ``runpy``, as ``-m`` does."""
    import runpy

    sys.argv[:] = ["-m", *args]
    sys.audit("cpython.run_module", name)
    new_main()
    try:
        add_path_entry(os.getcwd())
    except OSError:
        pass  # as stock: a current directory that is gone is not added
    if name == "site":
        run_site()
    else:
        as_program(runpy._run_module_as_main, name)  # type: ignore[attr-defined]  # as Python


def run_site() -> None:
    """Run the command of the module ``site`` on the module that is in place.

    Its source, executed anew, would know nothing of this start.
    """
    import site

    spec: Any = site.__spec__
    sys.argv[0] = spec.origin
    as_program(site._script)  # type: ignore[attr-defined]  # what Python runs for -m site


def run_file(path: str, args: "list[str]") -> None:
    """Run a script, a bytecode file, or the ``__main__`` of a folder or zip file."""
    sys.argv[:] = [path, *args]
    full = absolute(path)
    if is_import_path(full):
        import runpy

        new_main()
        sys.path.insert(0, full)
        as_program(runpy._run_module_as_main, "__main__", False)  # type: ignore[attr-defined]
        return
    sys.audit("cpython.run_file", path)
    source = read_script(full)
    folder = os.path.dirname(os.path.realpath(path))
    if not in_scripts_folder(folder):
        add_path_entry(folder)
    if full.endswith(".pyc") or source[:4] == _external.MAGIC_NUMBER:
        bytecode: Any = _external.SourcelessFileLoader("__main__", full)
        namespace = new_main(bytecode, __file__=full)
        as_program(lambda: exec(bytecode.get_code("__main__"), namespace))
    else:
        loader = _external.SourceFileLoader("__main__", full)
        as_program(run_script, source, path, args, new_main(loader, __file__=full))


def run_script(source: bytes, path: str, args: "list[str]", namespace: "dict[str, Any]") -> None:
    """Compile and run a script in the namespace of ``__main__``."""
    try:
        code = compile(source, namespace["__file__"], "exec", dont_inherit=True)
    except SyntaxError:
        leave_to_python(path, args)
        raise
    exec(code, namespace)


def leave_to_python(path: str, args: "list[str]") -> None:
    """Become a Python that says itself why a script does not compile: nothing of it has run.

    Its words differ from those of compile().  Returns where the command line is not ``-m``'s.
    """
    options = sys.orig_argv[: len(sys.orig_argv) - len(args) - 1]
    if os.name != "posix" or options[-1:] != ["safesite"] or options[-2][-1:] != "m":
        return
    del options[-1]
    options[-1] = options[-1][:-1]  # -m, or -Sm
    if options[-1] == "-":
        del options[-1]
    os.execv(sys.executable, [*options, path, *args])


def absolute(path: str) -> str:
    """Return the path as Python makes a script's absolute: joined, not normalised."""
    try:
        here = os.getcwd()
    except OSError:
        return path
    return os.path.join(here, path) if path or sys.version_info < (3, 11) else here


def read_script(path: str) -> bytes:
    """Return a script's bytes, or exit as Python does where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as exc:
        python = sys.orig_argv[0]
        sys.stderr.write(
            f"{python}: can't open file {path!r}: [Errno {exc.errno}] {exc.strerror}\n"
        )
        sys.exit(2)


def run_stdin(name: str, args: "list[str]") -> None:
    """Run the program on standard input; at a terminal, the REPL."""
    sys.argv[:] = [name, *args]
    sys.audit("cpython.run_stdin")
    add_path_entry("")
    stdin = sys.stdin
    if stdin is not None and stdin.isatty():
        from safesite import repl

        repl.run(new_main())
        return
    data = stdin.buffer.read() if stdin is not None else b""
    as_program(run_source, data, "<stdin>", new_main(__file__="<stdin>"))


def run_source(source: "str | bytes", filename: str, namespace: "dict[str, Any]") -> None:
    """Compile and run a program's source in the namespace of ``__main__``."""
    code = compile(source, filename, "exec", dont_inherit=True)
    if filename == "<string>" and sys.version_info >= (3, 13):
        import linecache  # tracebacks of -c show its lines

        key: Any = code if sys.version_info >= (3, 14) else filename
        linecache._register_code(key, source, filename)  # type: ignore[attr-defined]  # as Python
    exec(code, namespace)


def add_path_entry(entry: str) -> None:
    """Put the target's folder before all others, unless Python was told not to."""
    if not safe_path():
        sys.path.insert(0, entry)


def in_scripts_folder(folder: str) -> bool:
    """Return whether a folder is where this environment's scripts are, beside its Python.

    Wheels write there: a file optparse.py beside pip would be what pip imports.
    """
    scripts = os.path.join(sys.prefix, "Scripts" if os.name == "nt" else "bin")
    return os.path.normcase(folder) == os.path.normcase(os.path.realpath(scripts))


def is_import_path(path: str) -> bool:
    """Return whether a path can stand on sys.path: a folder or a zip file."""
    for hook in sys.path_hooks:
        try:
            sys.path_importer_cache[path] = hook(path)
        except ImportError:
            continue
        return True
    return False


def new_main(loader: "Any" = _frozen_importlib.BuiltinImporter, **names: str) -> "dict[str, Any]":
    """Make the module ``__main__`` what it is when a program starts, and return its namespace."""
    namespace = vars(sys.modules["__main__"])
    namespace.clear()
    namespace.update(
        __name__="__main__", __doc__=None, __package__=None, __loader__=loader, __spec__=None
    )
    if sys.version_info < (3, 14):
        namespace["__annotations__"] = {}
    namespace["__builtins__"] = builtins
    namespace.update(names)
    if names and sys.version_info < (3, 15):
        namespace["__cached__"] = None
    return namespace


def as_program(call: "Callable[..., object]", *args: "Any") -> None:
    """Call what runs the program; its exceptions leave as if nothing of safesite were below it."""
    try:
        call(*args)
    except SystemExit:
        raise
    except BaseException:
        show_without_own_frames()
        raise


def show_without_own_frames() -> None:
    """Make the exception that ends the program appear without the frames below the program's."""
    original = sys.excepthook

    def hook(
        kind: "type[BaseException]", exc: BaseException, trace: "TracebackType | None"
    ) -> None:
        sys.excepthook = original
        below = trace
        while below is not None:
            own = below.tb_frame.f_globals is globals()
            below = below.tb_next
            if own:
                trace = below
        exc.__traceback__ = sys.last_traceback = trace
        flags = sys.flags
        sys.flags = FlagsWithSite(flags)  # type: ignore[assignment]
        try:
            original(kind, exc, trace)
        finally:
            sys.flags = flags

    sys.excepthook = hook


class FlagsWithSite:
    """The flags of a Python started without ``-S``: with it, 3.15 adds advice to tracebacks."""

    no_site = 0

    def __init__(self, flags: "Any") -> None:
        self.flags = flags

    def __getattr__(self, name: str) -> "Any":
        return getattr(self.flags, name)
