"""The targets and options that a plain start does without, so loaded for them alone.

Code, standard input, folders, zip files and bytecode; help and version; what is wrong with a
command line; and the script that does not compile.  No ``from __future__`` import stands here, as
``exec`` would hand its flags on to the program.
"""

import _frozen_importlib_external as _external
import _warnings
import os
import sys

import safesite
from safesite import (
    COMPILER_ERRORS,
    add_path_entry,
    as_program,
    compiled,
    current_folder,
    enter_site,
    execute,
    new_main,
    run_file,
    run_module,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, NoReturn

COMMANDS = {
    "--explain": "explain",
    "--pending": "explain",
    "--allow": "approve",
    "--allow-line": "approve",
    "--deny": "approve",
    "--prune": "approve",
    "--protect": "protect",
    "--unprotect": "protect",
}
LATE = "startup code has run already; type: python -S -m safesite TARGET (usage)"

PIPE_CAPACITY = 16384  # bytes that every POSIX system takes before somebody reads

USAGE = """\
usage: safesite [Python's options] [--python P] [-c CODE | -m MODULE | FILE | DIR | ZIP | -] [args]
       python -S -m safesite            the same, with Python's options before -m
       safesite OPTION

Start a program as Python does, but refuse startup code: import lines of .pth files, entry points
of .start files, sitecustomize, usercustomize.  Path entries are kept.  Without a target: the REPL.

options:
  --python P          run the target on another interpreter: its path, or its environment's
  --install-stdlib    put safesite beside the standard library of this Python, so that
                      python -S -m safesite works from anywhere
  --uninstall-stdlib  take it away again
  --explain           tell what becomes of each startup file, who claims it, and what to do;
                      --json, --sarif; --site-dir D, of a folder that packages were unpacked in
  --pending           list the refusals that nobody has reviewed, with numbers
  --allow NAME ...    allow lines, by startup file, distribution, path, sitecustomize or number:
                      as long as they, and the modules that they name, are what they are now
  --allow-line NAME   the same, bound to the line alone
  --deny NAME ...     keep on refusing, and no longer report it
  --prune             take out of a policy what allows nothing here any more
                      (with --system or --policy FILE; --yes instead of questions)
  --guard[=MODE]      ask before what is installed runs code, and before that reaches out; MODE is
                      ask, watch (only the latter) or deny (only wheels); a target follows
  --protect VENV      have each Python of an environment start under safesite, whoever starts it
  --unprotect VENV    put back what was there
  -h, --help          print this and exit
  -V, --version       print the version and exit

environment:
  SAFESITE_MODE   refuse (default), quiet, warn, allow or skip
  SAFESITE_POLICY a policy, before /etc/safesite/policy and ~/.config/safesite/policy
  SAFESITE_LOG    a file to which each refusal is appended as a line of JSON
  SAFESITE_GUARD  ask, watch or deny, as --guard
"""


def fail(message: str) -> "NoReturn":
    """Print one sentence and exit with code 2."""
    from safesite.keep import say

    say("safesite: " + message)
    sys.exit(2)


def enter_otherwise(part: "str | None") -> None:
    """Have a patched ``site`` build ``sys.path``, unless it has done so when Python started.

    ``part``: by which safesite does not know this ``site``.  Ends with code 2 unless it is patched.
    Under safesite a second start goes by the first: it adds the site directories that -S left out.
    """
    site: Any = sys.modules["site"]
    if safesite.gate["python"]:
        if "S" in (safesite.gate["flags"] or ""):
            safesite.gate["flags"] = ""
            site.main()
        return
    if not sys.flags.no_site and not hasattr(site, "_safesite"):
        fail(LATE)
    if part != "_safesite":
        fail(f"the site module of this Python is not one it knows, by its {part} (interpreter)")
    if sys.flags.no_site:
        safesite.gate["base"] = sys.path[:]
        safesite.watch_imports()
        guarded = bool(os.environ.get("SAFESITE_GUARD"))
        if guarded:
            safesite.load_past_the_program("guard").enter()
        with site._safesite():
            heed_flags(site)
        if guarded:
            safesite.cover_children()  # a build's are not to do without safesite


def main(argv: "list[str]") -> None:
    """Do what the command line says, where that is not plainly ``FILE`` or ``-m MODULE``."""
    option, args = (argv[1], argv[2:]) if len(argv) > 1 else ("", [])
    if len(argv) == 1 or option == "-":
        enter_site()
        run_stdin(option, args)
    elif option == "--" and args[:1] not in ([], ["-"]):
        start_file(args[0], args[1:])
    elif option == "--":
        enter_site()
        run_stdin("".join(args[:1]), args[1:])
    elif option[:2] in ("-c", "-m"):
        start_with_value(option, args)
    elif option[:1] == "-":
        run_option(option, args)
    else:
        start_file(option, args)


def heed_flags(site: "Any") -> None:
    """Heed -S and -x, which the interpreter launcher leaves to safesite; build ``sys.path``.

    Under -S nothing is added to that; the alternative ``site`` is there, and so are its builtins.
    """
    flags = safesite.gate["flags"] or ""
    if "x" in flags:
        safesite.compiled = compiled_from_second_line
    if "S" not in flags:
        site.main()
        return
    site.setquit()
    site.setcopyright()
    site.sethelper()


def compiled_from_second_line(source: "str | bytes", filename: str) -> "CodeType":
    """Compile a script whose first line does not count, but for the numbers of the others."""
    if isinstance(source, bytes):
        source = b"".join(source.partition(b"\n")[1:])
    code: CodeType = compiled(source, filename)
    return code


def run_option(option: str, args: "list[str]") -> None:
    """Do what a long option says."""
    name, equals, value = option.partition("=")
    if name == "--python":
        words = 1 + len(args)
        if not equals and args:
            value = args.pop(0)
        if not sys.flags.no_site:
            fail(LATE)
        start_on(value, args, words)
    elif name == "--guard":
        start_guarded(value if equals else "ask", args)
    elif option in ("-h", "--help"):
        sys.stdout.write(USAGE)
    elif option in ("-V", "--version"):
        from safesite import __version__

        sys.stdout.write(f"safesite {__version__}\n")
    elif option in ("--install-stdlib", "--uninstall-stdlib") and not args:
        leave_all_but_the_standard_library()
        from safesite import stdlib

        sys.exit(stdlib.install() if option == "--install-stdlib" else stdlib.uninstall())
    elif name in COMMANDS and not equals:
        run_apart(name, args)
    else:
        from safesite.keep import quoted

        fail(f"unknown option {quoted(option)}; see --help (usage)")


def start_guarded(mode: str, args: "list[str]") -> None:
    """Start what follows ``--guard`` on the same command line, with the variable in its place."""
    if mode not in ("ask", "watch", "deny"):
        fail("--guard is ask, watch or deny; see --help (usage)")
    if not sys.platform.startswith("linux"):
        fail("--guard is for Linux alone (guard)")
    if not sys.flags.no_site and not hasattr(sys.modules["site"], "_safesite"):
        fail(LATE)
    os.environ["SAFESITE_GUARD"] = mode
    start_on(safesite.gate["python"] or sys.executable, args, 1 + len(args))


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
    elif value == "site":
        run_site(args)
    else:
        run_module(value, args)


def run_command(code: str, args: "list[str]") -> None:
    """Run the code of ``-c``, to which Python adds a line end."""
    code += "\n"
    try:
        code.encode()
    except UnicodeEncodeError:
        sys.stderr.write("Unable to decode the command from the command line:\n")
    sys.argv[:] = ["-c", *args]
    sys.audit("cpython.run_command", code)
    add_path_entry("")
    namespace = new_main()
    if sys.version_info >= (3, 14):
        code = dedent(code)
    as_program(run_source, code, namespace)


def dedent(code: str) -> str:
    """Remove the white space that all lines of ``-c`` begin with, as 3.14 does."""
    lines = code.split("\n")
    indents = [x[: len(x) - len(x.lstrip())] for x in lines if x.strip()]
    margin = min(indents, default="")
    while not max(indents, default="").startswith(margin):
        margin = margin[:-1]
    return "\n".join(x[len(margin) :] if x.strip() else "" for x in lines) if margin else code


def run_site(args: "list[str]") -> None:
    """Run the command of the module ``site`` on the module that is in place.

    Its source, executed anew, would know nothing of this start.
    """
    import site

    spec: Any = site.__spec__
    sys.argv[:] = [spec.origin, *args]
    sys.audit("cpython.run_module", "site")
    new_main()
    add_path_entry(current_folder())
    as_program(site._script)  # type: ignore[attr-defined]  # what Python runs for -m site


def run_import_path(path: str) -> None:
    """Run the ``__main__`` of a folder or zip file."""
    import runpy

    new_main()
    sys.path.insert(0, path)
    safesite.gate["path_entry"] = path
    as_program(runpy._run_module_as_main, "__main__", False)  # type: ignore[attr-defined]


def run_bytecode(path: str) -> None:
    """Run a script that has been compiled to a file; Python itself says what is wrong with it."""
    loader: Any = _external.SourcelessFileLoader("__main__", path)
    try:
        code = loader.get_code("__main__")
    except Exception:
        leave_to_python(sys.argv[0], sys.argv[1:])
        raise
    execute(code, new_main(loader, path))


def fail_to_open(path: str, exc: OSError) -> None:
    """Exit as Python does where a script cannot be read; under ``-i`` it goes on to the prompt."""
    typed = None if safesite.gate["flags"] is not None else safesite.gate["words"]
    python = (typed or sys.orig_argv)[0]
    sys.stderr.write(f"{python}: can't open file {path!r}: [Errno {exc.errno}] {exc.strerror}\n")
    if not sys.flags.inspect:
        sys.exit(2)
    new_main()
    add_path_entry("")


def folder_of_link(path: str) -> str:
    """Return the folder that Python takes for that of a script whose real path is none (a pipe).

    One link is followed, unless it leads to a bare name.
    """
    try:
        link = os.readlink(path)
    except OSError:
        link = ""
    if os.path.dirname(link):
        path = os.path.join(os.path.dirname(path), link)
    return os.path.dirname(path)


def compiled_aloud(source: "str | bytes", filename: str) -> "CodeType":
    """Compile a program with the builtin, which warns and complains; raises COMPILER_ERRORS.

    A file first without a warning: if that fails, nothing has been printed yet that another Python,
    which is given the program, would print again.
    """
    if filename != "<string>":
        filters: Any = getattr(sys.modules.get("warnings"), "filters", _warnings.filters)
        ignore = ("ignore", None, Warning, None, 0)
        filters.insert(0, ignore)
        try:
            compile(source, filename, "exec", dont_inherit=True)
        finally:
            filters.remove(ignore)
    # From 3.15 on a filter can name the module that is compiled.
    module: Any = {"module": "__main__"} if sys.version_info >= (3, 15) else {}
    code: CodeType = compile(source, filename, "exec", dont_inherit=True, **module)
    return code


def leave_to_python(path: str, args: "list[str]") -> None:
    """Become a Python that says itself why a script does not compile: nothing of it has run.

    Its words differ from those of compile().  Returns where that cannot be: on Windows, for a pipe,
    which has been read, and for a start of unknown kind.
    """
    options = python_options(1 + len(args))
    if os.name == "posix" and options is not None and os.path.isfile(path):
        become_python([*options, path, *args])


def become_python(args: "list[str]") -> None:
    """Become the interpreter itself, with the name that this one was started by.

    Returns under the guard: what fails to compile in here may not do so in there.
    """
    if safesite.gate["guard"]:
        return
    python = safesite.gate["python"] or sys.executable  # None beside a patch
    os.execv(python, [(safesite.gate["words"] or sys.orig_argv)[0], *args])


def python_options(words: int) -> "list[str] | None":
    """Return the options that Python was started with, None where safesite was started otherwise.

    ``words``: how many words of the command line follow those that started safesite.
    """
    typed = safesite.gate["words"] or sys.orig_argv
    options = typed[1 : len(typed) - words]
    if safesite.gate["flags"] is not None:  # child.py LAUNCHER FLAGS
        return [*options[:-3], *(["-x"] if "x" in safesite.gate["flags"] else [])]
    last = options.pop() if options else ""
    if last == "--" and options:
        last = options.pop()
    if last.endswith(os.path.join("safesite", "command", "start.py")):
        return options
    if last == "safesite" and options:
        last = options.pop() + last
    if not (last[:1] == "-" and last.endswith("msafesite")):  # -m safesite, -Sm safesite
        return None
    flags = last[: -len("msafesite")]
    return options if flags == "-" else [*options, flags]


def run_apart(name: str, args: "list[str]") -> None:
    """Run a command in a process that has run no startup code, and has only the standard library.

    ``--python P`` among its options has another interpreter run it.
    """
    words = 1 + len(args)
    for number, word in enumerate(args):
        if word == "--":
            break
        if word == "--python" or word.startswith("--python="):
            _, equals, value = word.partition("=")
            rest = args[number + 1 :] if equals else args[number + 2 :]
            value = value if equals else "".join(args[number + 1 : number + 2])
            start_on(value, [name, *args[:number], *rest], words)
    if not sys.flags.no_site:
        from safesite.keep import say

        say("safesite: this Python has run startup code already; one that has not answers (late)")
        start_on(sys.executable, [name, *args], words)
    path = sys.path[:]
    leave_all_but_the_standard_library()
    import importlib

    command = importlib.import_module("safesite." + COMMANDS[name])
    try:
        sys.exit(command.main(name, args, path))
    except KeyboardInterrupt:
        fail("broken off (interrupted)")
    except (OSError, RecursionError, MemoryError) as exc:
        fail(f"{type(exc).__name__}: {ascii(str(exc))[1:-1]} (os-error)")


def start_on(python: str, args: "list[str]", words: int) -> None:
    """Start another interpreter on this safesite, with the options that this one was given."""
    if os.path.isdir(python):
        parts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        python = os.path.join(python, *parts)
    if not os.path.dirname(python):
        fail("--python needs the path of a Python or an environment: no name is looked up (usage)")
    if not (os.path.isfile(python) and os.access(python, os.X_OK)):
        fail("there is no Python at the path that --python names (usage)")
    start = os.path.join(os.path.dirname(os.path.abspath(__file__)), "command", "start.py")
    options = python_options(words) or []
    command = [python, *options, *([] if sys.flags.no_site and options else ["-S"]), start, *args]
    if os.name == "posix":
        os.execv(python, command)
    import subprocess  # Windows: exec would let the caller go on before the program has ended

    sys.exit(subprocess.call(command))  # noqa: S603 - what the user typed


def leave_all_but_the_standard_library() -> None:
    """Take from sys.path, sys.meta_path and sys.path_hooks what a command has no use for.

    Site directories, their path entries, PYTHONPATH and the current folder are data to it: none of
    them may answer its imports.  Stock's own finders alone stay.
    """
    folder = os.path.dirname(os.path.abspath(os.__file__))
    archive = "python{}{}.zip".format(*sys.version_info[:2])
    kept = {folder, os.path.join(folder, "lib-dynload")}
    sys.path[:] = [x for x in sys.path if x in kept or os.path.basename(x) == archive]
    finders: Any
    stock = ("_frozen_importlib", "_frozen_importlib_external", "zipimport")
    for finders in (sys.meta_path, sys.path_hooks):
        finders[:] = [x for x in finders if getattr(x, "__module__", "") in stock]


def run_stdin(name: str, args: "list[str]") -> None:
    """Run the program on standard input; at a terminal, the REPL."""
    sys.argv[:] = [name, *args]
    sys.audit("cpython.run_stdin")
    stdin = sys.stdin
    if sys.flags.interactive or (stdin is not None and stdin.isatty()):
        from safesite import repl

        add_path_entry("")
        if safesite.gate["guard"]:
            safesite.gate["guard"]()
        repl.run(new_main())
        return
    try:
        start = os.lseek(0, 0, os.SEEK_CUR)
    except OSError:
        start = None
    data = stdin.buffer.read() if stdin is not None else b""
    try:
        code = compiled(data, "<stdin>")
    except COMPILER_ERRORS:
        leave_stdin_to_python(name, args, data, start)
        raise
    add_path_entry("")
    execute(code, new_main(None, "<stdin>"))


def leave_stdin_to_python(name: str, args: "list[str]", data: bytes, start: "int | None") -> None:
    """Do what leave_to_python() does for a program on standard input, which is given once more."""
    options = python_options(len(args) + bool(name))
    if os.name != "posix" or options is None:
        return
    if start is not None:
        os.lseek(0, start, os.SEEK_SET)
    elif len(data) <= PIPE_CAPACITY:
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        os.dup2(reading, 0)
    else:
        import tempfile

        with tempfile.TemporaryFile(buffering=0) as file:
            file.write(data)
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            os.dup2(file.fileno(), 0)
    become_python([*options, *([name] if name else []), *args])


def run_source(source: str, namespace: "dict[str, Any]") -> None:
    """Compile and run the code of ``-c`` in the namespace of ``__main__``."""
    code = compiled(source, "<string>")
    if sys.version_info >= (3, 13):
        import linecache  # tracebacks of -c show its lines

        # By name to 3.13.0, by code object in later releases of 3.13 (gh-117174).
        key: Any = code if hasattr(linecache, "_interactive_cache") else "<string>"
        linecache._register_code(key, source, "<string>")  # type: ignore[attr-defined]  # as Python
    exec(code, namespace)
