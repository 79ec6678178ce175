"""An alternative ``site`` for CPython that refuses startup code unless it is allowed."""

# Holds the version, what a program may ask, and what every protected start pays for: the command
# line of a script or module, the gate before ``site``, and running the target.  All of it stands in
# this one file because a start pays for each module that it imports, half a percent; what most
# starts do without is in the other modules.
#
# Written so that every Python can read it: one that is too old gets a sentence.  So types are
# comments here, and what old versions do not have is imported where it is used.  Descriptions are
# comments too, as every start would pay for docstrings.  No ``from __future__`` import, because
# ``exec`` would hand its flags on to the program.

import os
import sys

__version__ = "0.1.0"
__all__ = ["active", "refusals"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any  # noqa: F401 - in type comments; other names would cost every start

    from safesite.asked import active, refusals

DEFAULT_MODE = "refuse"  # a distributor changes the default here, and nowhere else
GATED_MODES = ("refuse", "quiet")  # in which a start without startup code needs no decision

# The parts of site that can run startup code.  A site without these, or with others of their kind,
# is not known to safesite.
CUSTOMIZE_PARTS = ("execsitecustomize", "execusercustomize")
PARTS = ("addpackage", "addsitedir", "main") + CUSTOMIZE_PARTS
PARTS_315 = ("_read_pthstart_file",) + PARTS
STATE_PARTS = ("_addsitedir", "_exec_imports", "_execute_start_entrypoints", "process")
STATE_READERS = ("__init__", "_read_pth_file", "_read_start_file")  # they name what they fill
# One string costs a start less than twelve.
TELLTALES = frozenset(
    "exec eval compile open_code import_module resolve_name run_path sitecustomize usercustomize "  # noqa: SIM905
    "_importexecs _entrypoints serve_patched".split()
)

COMPILER_ERRORS = (SyntaxError, ValueError, OverflowError, MemoryError, RuntimeError)

# The variables that Python was started with, to ask whether one is set: a tenth as dear as a miss
# in os.environ.  None where they are no bytes.
FIRST_ENVIRON = getattr(sys.modules.get("posix"), "environ", None)  # type: Any

# In a listing joined by line ends and lowered: what makes a folder interesting.
SIGNS = (".pth\n", ".start\n", "sitecustomize", "usercustomize")


def find_part(name, target=None):  # noqa: ARG001 - as importlib asks
    # type: (str, object) -> Any
    # Find a module of this package.
    #
    # The finder that Python would make for this folder lists it, and asks first whether it is a zip
    # file: that costs as much as twenty lines do.
    path = __path__[0] + "/" + name.rpartition(".")[2] + ".py"
    if not os.access(path, os.R_OK):
        return None
    return sys.modules["_frozen_importlib_external"].spec_from_file_location(name, path)


if sys.version_info >= (3, 10):
    sys.path_importer_cache[__path__[0]] = type(sys.implementation)(find_spec=find_part)  # type: ignore[call-arg]  # SimpleNamespace


def __getattr__(name):
    # type: (str) -> Any
    # Return `asked.active` or `asked.refusals`, which a start does without.
    if name in __all__:
        return getattr(load_past_the_program("asked"), name)
    raise AttributeError("safesite has no " + name)


# The command line.


def start(by_module, is_child=False):
    # type: (bool, bool) -> None
    # Check the interpreter, then run what the command line names.
    #
    # ``by_module``: by ``-m``, not by the command.  ``is_child``: by the interpreter launcher,
    # which names itself, and those of Python's options that are safesite's to heed.  Ends as the
    # target does: by returning, or with the exception that it raised.  The target takes over
    # ``__main__``, so nothing may follow there.
    name = getattr(getattr(sys, "implementation", None), "name", "cpython")
    if name != "cpython" or not (3, 10) <= sys.version_info[:2] <= (3, 15):
        from safesite import unknown  # noqa: F401 - ends
    # What was put on sys.path to find safesite: the current folder, or two of the command's.
    kept_safe = getattr(sys.flags, "safe_path", sys.flags.isolated)  # 3.10 has -I, and no -P yet
    if is_child:
        gate["launcher"], gate["flags"] = sys.argv[1:3]
        del sys.argv[1:3]
    if not by_module:
        del sys.path[: 1 if kept_safe else 2]
    elif not kept_safe and sys.path[:1] == [current_folder()]:
        del sys.path[0]
    option = sys.argv[1] if len(sys.argv) > 1 else ""
    if option == "-m" and len(sys.argv) > 2 and sys.argv[2] != "site":
        enter_site()
        run_module(sys.argv[2], sys.argv[3:])
    elif option and option[0] != "-":
        enter_site()
        run_file(option, sys.argv[2:])
    else:
        from safesite import run

        run.main(sys.argv)


# The way into site.


def enter_site():
    # type: () -> None
    # Put the gate, or what stands behind it, before ``site``, and let it build ``sys.path``.
    import site

    part = unknown_part(site)
    if part or not sys.flags.no_site or gate["python"]:
        from safesite import run

        run.enter_otherwise(part)
        return
    mode = DEFAULT_MODE  # type: Any
    names = FIRST_ENVIRON
    given = names is None or b"SAFESITE_MODE" in names or b"SAFESITE_LOG" in names
    if (given or b"SAFESITE_HINTED" in names) and not sys.flags.ignore_environment:
        mode = os.environ.get("SAFESITE_MODE") or mode
        if "SAFESITE_LOG" in os.environ or "SAFESITE_HINTED" in os.environ:
            mode = None
    if mode in GATED_MODES:
        close_gate(site, mode)
    else:
        from safesite import site as alternative

        alternative.take_over()
    gate["base"] = sys.path[:]
    watch_imports()
    if names is None or b"SAFESITE_GUARD" in names:  # also under -E and -I: it grants nothing
        load_past_the_program("guard").enter()
    if gate["flags"]:
        from safesite import run

        run.heed_flags(site)
    else:
        site.main()
    core = gate["core"]
    if gate["launcher"] or core is None or core.startup.mode != "allow" or gate["guard"]:
        cover_children()
    else:
        gate["python"] = sys.executable  # stock Python is what runs all


def cover_children():
    # type: () -> None
    # Have sys.executable name the interpreter launcher: children start under safesite too.
    #
    # Its path leads through the interpreter's folder and up to the root: see command/python.  What
    # it is given as sys.orig_argv starts the program once more, so safesite's words come out.
    python = gate["python"] = sys.executable
    words = gate["words"] = sys.orig_argv[:]
    launcher, at = gate["launcher"], len(words) - len(sys.argv) + 1
    own = 4  # -S child.py LAUNCHER FLAGS
    if not launcher:
        folder, _, name = python.rpartition("/")
        file = __path__[0] + "/command/bin/" + name
        launcher = folder + "/.." * (folder.count("/") or 1) + "/." + file
        try:
            own = 2 if words[at - 1] == sys.argv[0] else 3  # -S start.py, -S -m safesite
            plain = words[at - own] == "-S" and (own == 2 or words[at - 2] == "-m")
            plain = (
                plain and name != "" and sys.platform != "darwin" and os.access(launcher, os.X_OK)
            )
            if not plain or "/.." in folder or os.stat(launcher)[1:3] != os.stat(file)[1:3]:
                launcher = ""
        except (OSError, IndexError):
            launcher = ""
    if gate["launcher"]:
        state = vars(sys)
        if state["_base_executable"] == python and "/.safesite-" in python:  # 3.10, protected
            state["_base_executable"] = os.path.realpath(python)
    elif os.access(sys.prefix + "/.safesite", 0):
        from safesite import protection

        protection.tell_undone(sys.prefix)
    if launcher:
        name_launcher(launcher)
        sys.orig_argv[:] = [launcher] + words[1 : at - own] + words[at - bool(gate["flags"]) :]
    else:
        from safesite import children

        children.cover(python, words, at)


def name_launcher(launcher):
    # type: (str) -> None
    # Have sys.executable name the launcher, and os.path.normpath leave its path as it is.
    #
    # So does abspath then: virtualenv and tox remember, by that, what they have learned of an
    # interpreter, and the launcher's own file is the same for all.
    gate["launcher"] = sys.executable = os.environ["SAFESITE_EXECUTABLE"] = launcher
    original, normal = os.path.normpath, (launcher, launcher.replace("/./", "/", 1))

    def normpath(path):
        # type: (Any) -> Any
        return path if type(path) is str and path in normal else original(path)

    normpath.__module__, normpath.__qualname__ = os.path.__name__, "normpath"  # to be pickled
    os.path.normpath = normpath


def watch_imports():
    # type: () -> None
    # Have `subinterpreters` prepare the module that makes them, when it is imported, and
    # `inherited` that of subprocess.
    names = sys.builtin_module_names
    for builtin in {"_interpreters" in names, "_posixsubprocess" in names}:
        watch_loader(builtin)


def watch_loader(builtin):
    # type: (bool) -> None
    # Watch what imports builtin modules, or what makes the loader of an extension.
    #
    # Of these, so that no frame of it stands in the traceback of one that cannot be imported.
    modules = sys.modules  # type: Any
    if builtin:
        owner, part = modules["_frozen_importlib"].BuiltinImporter, "exec_module"
    else:
        owner, part = modules["_frozen_importlib_external"].ExtensionFileLoader, "__init__"
    original = getattr(owner, part)

    def watch(*args):
        # type: (*Any) -> None
        original(*args)
        name = args[0].__name__ if builtin else args[1]
        if name in ("_interpreters", "_xxsubinterpreters"):
            modules["safesite"].load_past_the_program("subinterpreters").watch(args[0])
        elif name == "_posixsubprocess":
            modules["safesite"].load_past_the_program("inherited")

    # Without this module's globals, as the import system would keep them all to the very end.
    function = type(watch)  # type: Any
    function = function(watch.__code__, {}, part, None, watch.__closure__)
    setattr(owner, part, staticmethod(function) if builtin else function)


def unknown_part(site):
    # type: (Any) -> str | None
    # Return a part of ``site`` that is missing, or that could run startup code unknown to us.
    #
    # None means that exactly the known functions can: only such a ``site`` is taken over.  A
    # patched
    # one, which decides by itself, is told by its ``_safesite``.
    state = vars(site).get("StartupState")
    if (state is not None) != (sys.version_info >= (3, 15)):
        return "StartupState"
    owners = [(vars(site), PARTS if state is None else PARTS_315)]  # type: Any
    if state is not None:
        owners.append((vars(state), STATE_PARTS))
    function, has_no = type(unknown_part), TELLTALES.isdisjoint
    for names, parts in owners:
        for name in parts:
            if type(names.get(name)) is not function:
                return str(name)
        for name, value in names.items():
            if type(value) is function and not has_no(value.__code__.co_names):
                if name not in parts and name not in STATE_READERS:
                    return str(name)
    return None


def hide_foreign_names(modules, os_name=os.name, platform=sys.platform):
    # type: (dict[str, Any], str, str) -> None
    # Make unimportable, in sys.modules, what the standard library tries to import for others.
    #
    # Each module of another platform is an empty place that a file in a site directory could fill.
    names = "_winapi _wmi msvcrt nt org.python.core winreg"
    if os_name == "nt":
        names = "_crypt fcntl grp org.python.core pwd termios"
    if platform != "darwin":
        names += " _scproxy"
    for name in names.split():
        modules.setdefault(name, None)


def holds_startup_code(folder):
    # type: (str) -> bool
    # Return whether a folder's listing may hold startup files or customize modules.
    #
    # True also for what is no folder: a zip file on PYTHONPATH may hold a customize module.
    try:
        names = "\n".join(os.listdir(folder) + [""]).lower()
    except OSError as exc:
        return isinstance(exc, NotADirectoryError)
    except (TypeError, ValueError):  # whatever it is, site says so
        return True
    for sign in SIGNS:  # a generator would cost more
        if sign in names:
            return True
    return False


def others_may_customize():
    # type: () -> bool
    # Return whether PYTHONPATH may have a customize module, or the standard library has one.
    if FIRST_ENVIRON is None or b"PYTHONPATH" in FIRST_ENVIRON:  # under -E looked at in vain
        for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep):
            if holds_startup_code(folder or "."):
                return True
    if os.access(os.__file__[:-5] + "sitecustomize.py", 0):  # which a policy may allow
        return load_past_the_program("lookout").policy_may_exist()  # type: ignore[no-any-return]
    return False


# The gate stands before the parts of ``site`` that can run startup code, as long as there is none.
# At the first sign of startup code it opens, once and for good: then `safesite.site` reads, decides
# and reports.  While it is closed, stock's parts get only what `harmless` lets through; should a
# startup file appear between that look and stock's own, stock's reading of it meets the gate again.
#
# mode: None without a gate; stock, stubs: by the name of a part; behind: the module safesite.site,
# once the gate is open; core: once it decides; in_main: site.main is running.  For subinterpreters:
# argv, path_entry (the target's own), base (sys.path before site).  For children: launcher, flags
# (of the one that has started this); python (the interpreter itself) and words (its command line),
# None before they are covered.  guard: what `guard` wants called when the program begins and fails.
# A dict: a class costs 0.2 %.
gate = dict.fromkeys(
    "mode behind core in_main path_entry launcher flags python words guard".split()  # noqa: SIM905
)  # type: dict[str, Any]
gate.update(stock={}, stubs={})


def close_gate(site, mode):
    # type: (Any, str) -> None
    # Put a stub in the place of each part of ``site``.
    gate["mode"] = mode
    hide_foreign_names(sys.modules)
    put_stub(site, "main", gated_main)
    for name in CUSTOMIZE_PARTS:
        put_stub(site, name, None)  # no folder holds the module: nothing is to do
    state = vars(site).get("StartupState")
    if state is None:
        put_stub(site, "addsitedir", site.addsitedir)
        put_stub(site, "addpackage", site.addpackage)
    else:
        put_stub(site, "_read_pthstart_file", site._read_pthstart_file)
        for name in STATE_PARTS[:3]:
            put_stub(state, name, getattr(state, name))


def put_stub(owner, name, otherwise):
    # type: (Any, str, Any) -> None
    # Put a stub in the place of one part: ``otherwise``, if any, does what is harmless.
    part = getattr(owner, name)

    def stub(*args, **kwargs):
        # type: (*Any, **Any) -> Any
        if gate["behind"] is None and harmless(name, args):
            return otherwise and otherwise(*args, **kwargs)
        return getattr(open_gate(), name)(*args, **kwargs)

    stub.__module__, stub.__name__, stub.__qualname__ = part.__module__, name, part.__qualname__
    gate["stock"][name], gate["stubs"][name] = part, stub
    setattr(owner, name, stub)


def gated_main():
    # type: () -> None
    # Call ``site.main``; what is reported meanwhile is one report, as behind the gate.
    gate["in_main"] = True
    try:
        gate["stock"]["main"]()
    finally:
        gate["in_main"] = False
        if gate["behind"] is not None:
            gate["core"].startup.end()


def open_gate():
    # type: () -> Any
    # Let `safesite.site` take over, and return it.
    from safesite import site

    if gate["behind"] is None:
        site.take_over(gate["mode"])
        gate["behind"] = site
        if gate["in_main"]:
            gate["core"].startup.begin()
    return site


def harmless(name, args):
    # type: (str, tuple[Any, ...]) -> bool
    # Return whether a part of stock ``site``, called with these arguments, has nothing to run.
    if name in ("addsitedir", "_addsitedir"):
        folder = args[name == "_addsitedir" :][:1]  # none if it is given by keyword
        return len(folder) > 0 and not holds_startup_code(folder[0])
    if name in CUSTOMIZE_PARTS:
        return not others_may_customize()
    if name == "_exec_imports":
        return not args[0]._importexecs
    if name == "_execute_start_entrypoints":
        return not args[0]._entrypoints
    return name == "main" and not gate["python"]  # later sys.executable is in its way


# Running a script or a module; the other targets are in `run`.


def run_module(name, args):
    # type: (str, list[str]) -> None
    # Run a module or package with ``runpy``, as ``-m`` does.
    import runpy

    sys.argv[:] = ["-m"] + args
    sys.audit("cpython.run_module", name)
    new_main()
    add_path_entry(current_folder())
    as_program(runpy._run_module_as_main, name)  # type: ignore[attr-defined]  # as Python


def run_file(path, args):
    # type: (str, list[str]) -> None
    # Run a script; hand a folder, a zip file or bytecode on to `run`.
    from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader

    sys.argv[:] = [path] + args
    full = absolute(path)
    importer = None  # what can stand on sys.path, a folder or a zip file, has one
    for hook in sys.path_hooks:
        try:
            importer = hook(full)
            break
        except ImportError:
            pass
    sys.path_importer_cache[full] = importer
    if importer is not None:
        from safesite import run

        run.run_import_path(full)
        return
    sys.audit("cpython.run_file", path)
    try:
        with open(full, "rb") as file:
            source = file.read()
    except OSError as exc:
        from safesite import run

        run.fail_to_open(full, exc)
        return
    try:
        folder = os.path.dirname(os.path.realpath(path, strict=True))
    except OSError:
        from safesite import run

        folder = run.folder_of_link(path)
    # Not that of the environment's scripts, beside its Python.  Wheels write there: a file
    # optparse.py beside pip would be what pip imports.
    scripts = os.path.join(sys.prefix, "Scripts" if os.name == "nt" else "bin")
    if os.path.normcase(folder) != os.path.normcase(os.path.realpath(scripts)):
        add_path_entry(folder)
    if full.endswith(".pyc") or source[:4] == MAGIC_NUMBER:
        from safesite import run

        run.run_bytecode(full)
        return
    try:
        code = compiled(source, full)
    except COMPILER_ERRORS:
        from safesite import run

        run.leave_to_python(path, args)
        raise
    execute(code, new_main(SourceFileLoader("__main__", full), full))


def add_path_entry(entry):
    # type: (str | None) -> None
    # Put the target's folder before all others, unless Python was told not to (-P, -I).
    if entry is not None and not getattr(sys.flags, "safe_path", sys.flags.isolated):
        sys.path.insert(0, entry)
        gate["path_entry"] = entry


def current_folder():
    # type: () -> str | None
    # Return the current folder; None, as Python then adds nothing, where it is gone.
    try:
        return os.getcwd()
    except OSError:
        return None


def absolute(path):
    # type: (str) -> str
    # Return the path as Python makes a script's absolute: joined, not normalised.
    here = current_folder()
    if here is None:
        return path
    if path in ("", ".") and sys.version_info >= (3, 11):
        return here
    return os.path.join(here, path)


def compiled(source, filename):
    # type: (str | bytes, str) -> Any
    # Return what ``compile(source, filename, "exec", dont_inherit=True)`` returns, sooner.
    #
    # The first compile() of a process builds the types of ``_ast``, a quarter of a start; ``exec``
    # of
    # a source does not.  So the code object is taken from the frame that exec() starts, before its
    # first instruction, and given its file name.  A source that compiles with a warning or not at
    # all
    # is left to compile(), as messages name the file.  Raises COMPILER_ERRORS.
    import _imp
    import _warnings

    if isinstance(source, bytes) and not source.isascii():
        first_lines = b"".join(source.split(b"\n", 2)[:2])
        if b"coding" not in first_lines:
            source.decode()  # as Python, which does not accept other bytes in a comment either
    namespace = {}  # type: dict[str, Any]
    taken = []

    def take(frame, event, _):
        # type: (Any, str, object) -> None
        # Other frames: a warning imports the module warnings.
        if event == "call" and frame.f_globals is namespace:
            taken.append(frame.f_code)
            raise StopIteration  # any exception: it ends exec()

    filters = getattr(sys.modules.get("warnings"), "filters", _warnings.filters)  # type: Any
    error = ("error", None, Warning, None, 0)
    filters.insert(0, error)
    sys.setprofile(take)
    try:
        exec(source, namespace)
    except Exception:  # noqa: BLE001, S110 - compile() says what there is to say
        pass
    finally:
        sys.setprofile(None)
        filters.remove(error)
    if not taken:
        from safesite import run

        return run.compiled_aloud(source, filename)
    _imp._fix_co_filename(taken[0], filename)  # type: ignore[attr-defined]  # as importlib
    return taken[0]


def new_main(loader=None, filename=None):
    # type: (Any, str | None) -> dict[str, Any]
    # Make the module ``__main__`` what it is when a program starts, and return its namespace.
    builtins = sys.modules["builtins"]
    gate["argv"] = sys.argv[:]
    namespace = vars(sys.modules["__main__"])
    namespace.clear()
    namespace.update(__name__="__main__", __doc__=None, __package__=None)
    namespace.update(
        __loader__=loader or sys.modules["_frozen_importlib"].BuiltinImporter, __spec__=None
    )
    if sys.version_info < (3, 14):
        namespace["__annotations__"] = {}
    namespace["__builtins__"] = builtins
    if filename is not None:
        namespace["__file__"] = filename
        if sys.version_info < (3, 15):
            namespace["__cached__"] = None
    return namespace


def execute(code, namespace):
    # type: (Any, dict[str, Any]) -> None
    # Execute the code of a program that is a file, as standard input is too.
    forgets = True
    try:
        as_program(vars(namespace["__builtins__"])["exec"], code, namespace)
    except BaseException as exc:
        # As Python, which shows an error first, and before 3.14 exits at once.
        forgets = isinstance(exc, SystemExit) and sys.version_info >= (3, 14)
        raise
    finally:
        if forgets:
            namespace.pop("__file__", None)
            namespace.pop("__cached__", None)


def as_program(call, *args):
    # type: (Any, *Any) -> None
    # Call what runs the program; its exceptions leave as if nothing of safesite were below it.
    try:
        if gate["guard"]:
            gate["guard"]()
        call(*args)
    except BaseException as exc:
        if gate["guard"]:
            gate["guard"](exc)
        # Plain exits need nothing.
        told = type(exc) is not SystemExit or type(exc.code) is str or sys.flags.inspect
        if told or os.environ.get("PYTHONINSPECT"):
            load_past_the_program("failure").prepare(as_program.__code__, exc)
        raise


def load_past_the_program(name):
    # type: (str) -> Any
    # Import a module of the package while the program runs: its import hooks are not asked.
    if "safesite." + name in sys.modules:
        return sys.modules["safesite." + name]
    from _frozen_importlib import _load  # type: ignore[attr-defined]  # what imports come down to
    from _frozen_importlib_external import spec_from_file_location

    return _load(spec_from_file_location("safesite." + name, __path__[0] + "/" + name + ".py"))
