"""``--guard``: ask before an install runs code, and before that code reaches out.

`enter` is called, where SAFESITE_GUARD is set, before ``site`` builds sys.path.  The first such
process forks: the parent becomes the broker, which asks (`safesite.broker`), and the child goes on.
What this process is to be, its command line says: a build, or a program that is trusted, as pip is.

A build is announced to the broker before any of its code runs; what it then does goes through the
hook of `safesite.watch`, in its child processes too.  A trusted program is left alone, but that the
Pythons it starts are started under safesite, whichever environment is theirs.

Runs where the guard is on, and may use the whole standard library.  The code of a build runs in the
same process later: what is in here then is of no use to it.
"""

from __future__ import annotations

# Each process of a build pays for what is imported here: neither typing nor socket nor sysconfig.
import importlib
import marshal
import os
import sys
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import PathFinder
from _json import encode_basestring_ascii
from _socket import AF_UNIX, SOCK_STREAM
from _socket import socket as new_socket
from types import ModuleType

import safesite
from safesite import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MODES = ("ask", "watch", "deny")
GONE = "refused, as what would ask is gone (guard)"
RUN = "SAFESITE_GUARD_RUN"  # the broker's folder; in a build also its number: FOLDER/NUMBER
KEY = "SAFESITE_GUARD_KEY"  # what signs questions and answers: no package gets to see it
PATH = "SAFESITE_GUARD_PATH"  # a PYTHONPATH that does not count before the hook is in place
ENVIRONMENTS = ("build-env-", "pip-build-env-")  # begin the names of build environments in TMPDIR
TRACKERS = ("pip-build-tracker-", "pip-req-tracker-")
INSTALLER_FOLDERS = ("pip-", *ENVIRONMENTS, *TRACKERS)  # all that TMPDIR has of an installer's
TRACKER_NAMES = ("PIP_BUILD_TRACKER", "PIP_REQ_TRACKER")
HOOK_NAMES = ("_supported", "build_", "get_requires_for_build_", "prepare_metadata_for_build_")
HOOKS = (
    *("build_editable", "build_sdist", "build_wheel", "get_requires_for_build_wheel"),
    "prepare_metadata_for_build_wheel",
)
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
TOLD: set[str] = set()  # the Pythons that are not covered
INSTALLERS = (
    *("build", "cibuildwheel", "ensurepip", "flit", "hatch", "nox", "pdm", "pip", "pipenv"),
    *("piptools", "pipx", "poetry", "tox", "venv", "virtualenv"),
)
FOLDER_OPTIONS = (
    *("-b", "-d", "--bdist-dir", "--build-base", "--build-lib", "--build-temp", "--dist-dir"),
    *("-e", "--egg-base", "--record"),
)
TOX_FOLDERS = (".meta", "dist")


class Start:
    """The start of a build: what is to run, in the question's words, where, and what is its own."""

    def __init__(self, what: str, project: str, folders: Iterable[str] = ()) -> None:
        self.what, self.project, self.folders = what, project, list(folders)


# The way in.


def enter() -> None:
    """Find out what this process is, ask where it is a build, and prepare what is to be watched.

    Ends the process where the answer is no.
    """
    mode = os.environ.get("SAFESITE_GUARD", "")
    if not mode:
        return
    if not sys.platform.startswith("linux"):
        end("the guard is for Linux alone (guard)")
    if mode not in MODES:
        say(f"SAFESITE_GUARD: unknown value {keep.quoted(mode)}, so deny is used (guard)")
        mode = os.environ["SAFESITE_GUARD"] = "deny"
    late_path = os.environ.pop(PATH, None)
    folder, number = find_run(mode)
    if number:
        details = ask_broker(folder, os.environ.get(KEY, ""), "join", int(number))
        if module_of(sys.argv[1:]) == "pip":
            give_temporary_folder()
    else:
        start = find_start(sys.argv[1:])
        if start is None:
            safesite.gate["guard"] = Trusted().begin
            if module_of(sys.argv[1:]).partition(".")[0] in INSTALLERS:
                replace("add_path_entry", lambda _entry: None)  # the folder may be the package's
            return
        words = start.what, start.project, start.folders
        details = ask_broker(folder, os.environ.get(KEY, ""), "build", *words)
    if isinstance(details, str):
        end(details)
    os.environ[RUN] = f"{folder}/{details['id']}"
    safesite.gate["guard"] = Build(folder, take_key(), details, late_path).begin


def find_run(mode: str) -> tuple[str, str]:
    """Return the broker's folder, and the number of the build that this is a process of, if any.

    Where there is no broker this process forks, and goes on as its child.
    """
    folder, number = run_of(os.environ.get(RUN, ""))
    if has_broker(folder):
        return folder, number
    if number or is_private(folder):
        end(GONE)
    from safesite import broker

    try:
        os.environ[RUN], os.environ[KEY] = broker.supervise(mode)
    except OSError as exc:
        end(f"there is no place to ask from: {keep.quoted(str(exc), 240)[1:-1]} (guard)")
    return os.environ[RUN], ""


def take_key() -> str:
    """Take the key out of what code in this process can read."""
    import posix

    key = os.environ.pop(KEY, "")
    vars(posix)["environ"].pop(KEY.encode(), None)  # what os.environ is made of
    return key


def run_of(value: str) -> tuple[str, str]:
    """Return what the variable names: a broker's folder, and in a build its number."""
    folder, _, number = value.rpartition("/")
    is_number = number.isascii() and number.isdecimal() and len(number) < 10
    return (folder, number) if is_number else (value, "")


def is_private(folder: str) -> bool:
    """Return whether a folder is there, this user's, and closed to all others."""
    try:
        status = os.lstat(folder)
    except (OSError, ValueError):
        return False
    return status.st_uid == os.geteuid() and status.st_mode & 0o170777 == 0o040700


def has_broker(folder: str) -> bool:
    """Return whether a broker of this user's answers in a folder."""
    try:
        connect(folder).close()
    except (OSError, ValueError):
        return False
    return is_private(folder)


def connect(folder: str) -> Any:
    """Return a connection to the broker; raises OSError."""
    connection = new_socket(AF_UNIX, SOCK_STREAM)  # the module socket is a hundredth of a build
    try:
        connection.connect(folder + "/ask")
    except BaseException:
        connection.close()
        raise
    return connection


def ask_broker(folder: str, *words: object) -> Any:
    """Return the broker's answer: the details of a build, or the sentence that refuses it.

    The first word is the key.
    """
    try:
        connection, data = connect(folder), b""
        connection.sendall(as_json(words).encode("ascii") + b"\n")
        while more := connection.recv(65536):
            data += more
        connection.close()
        return marshal.loads(data)  # noqa: S302 - the broker is this user's own process
    except (OSError, ValueError, EOFError):
        return GONE


def as_json(value: object) -> str:
    """Return texts, numbers and lists of them as JSON; the module json is dear."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(as_json, value))}]"
    return encode_basestring_ascii(value) if isinstance(value, str) else str(value)


def say(text: str) -> None:
    keep.say("safesite: " + text)


def end(sentence: str) -> None:
    """Say why this process ends, and end it: no code of a package has run."""
    say(sentence)
    sys.exit(1)


# What a command line starts.


def find_start(words: list[str]) -> Start | None:
    """Return the build that safesite's command line, without its own words, starts; or None.

    That is a runner of PEP 517 hooks, of pip, build or tox, or a ``setup.py``.
    """
    while words[:1] == ["--"]:
        words = words[1:]
    if not words:
        return None
    word, args = words[0], words[1:]
    if word[:2] == "-c":
        code, args = (word[2:], args) if word[2:] else ("".join(args[:1]), args[1:])
        return start_of_code(code, args)
    return start_of_file(word, args) if word[:1] != "-" else None


def module_of(words: list[str]) -> str:
    """Return the module that ``-m`` names, "" where the command line begins with something else."""
    option, name = [*words, "", ""][:2]
    return (option[2:] or name) if option[:2] == "-m" else ""


def start_of_code(code: str, args: list[str]) -> Start | None:
    """Return the build that ``-c CODE`` is: so pip runs ``setup.py``, and others hooks."""
    if "setup.py" in code and ("setuptools" in code or "distutils" in code):
        return setup_start(os.getcwd(), args)
    named = [hook for hook in HOOKS if hook in code]
    return Start(named[0], os.getcwd()) if named else None


def start_of_file(path: str, args: list[str]) -> Start | None:
    """Return the build that a script is."""
    folder, name = os.path.split(path)
    above = os.path.basename(folder)
    if name == "setup.py":
        return setup_start(folder or os.getcwd(), args)
    # In a folder _in_process; where pip is a zip file, a temporary file.
    if name.endswith("_in_process.py") and len(args) > 1 and args[0].startswith(HOOK_NAMES):
        return Start(args[0], os.getcwd(), (args[1], *folders_of_hook(args[1])))
    if name == "_backend.py" and above == "pyproject_api":
        return Start("its build backend", os.getcwd(), folders_of_tox())
    return None


def setup_start(folder: str, args: list[str]) -> Start:
    """Return the start of a ``setup.py`` in a folder."""
    command = next((word for word in args if word[:1] != "-"), "")
    return Start(f"setup.py {command}".rstrip(), os.path.abspath(folder), given_folders(args))


def given_folders(args: list[str]) -> Iterable[str]:
    """Yield the folders that a command line of setuptools says to write into."""
    for number, word in enumerate(args):
        name, equals, value = word.partition("=")
        if name in FOLDER_OPTIONS:
            value = value if equals else "".join(args[number + 1 : number + 2])
            yield os.path.dirname(value) if name == "--record" else value


def folders_of_tox() -> list[str]:
    """Return the folders that tox has a backend write into: it names them on the backend's stdin.

    They lie in the environment that tox made for the backend, which the build may not change else.
    """
    folder = os.path.dirname(os.path.dirname(sys.executable))  # sys.prefix is set later
    is_environment = os.path.lexists(os.path.join(folder, "pyvenv.cfg"))
    return [os.path.join(folder, name) for name in TOX_FOLDERS if is_environment]


def folders_of_hook(control: str) -> list[str]:
    """Return the folders that a hook is given, by the file that its caller has written."""
    import json

    try:
        with open(os.path.join(control, "input.json"), encoding="utf-8") as file:
            given = json.load(file)["kwargs"]
        return [value for name, value in given.items() if is_for_output(name, value)]
    except (OSError, ValueError, LookupError, AttributeError):
        return []


def is_for_output(name: str, value: object) -> bool:
    """Return whether an argument of a hook is a folder that it may write into.

    A hidden one has to be empty, as one in pip's cache is: a process that an earlier hook has left
    could have written the argument.
    """
    if not name.endswith("_directory") or not isinstance(value, str) or not value:
        return False
    if not any(part.startswith(".") for part in os.path.abspath(value).split(os.sep)):
        return True
    try:
        return not os.listdir(value)
    except OSError:
        return False


# A build.


class Build:
    """A process of a build: when its program begins, the hook is put in place."""

    def __init__(
        self, folder: str, key: str, details: dict[str, Any], late_path: str | None
    ) -> None:
        self.folder, self.key, self.details, self.late_path = folder, key, details, late_path
        self.entry: str | None = None
        # The target's folder comes onto sys.path when the hook is in place: to compile a script may
        # import a codec, or what shows a warning.
        self.add_path_entry = safesite.add_path_entry
        replace("add_path_entry", self.remember)
        # The code of -c is compiled when the hook is in place, which refuses what the launcher does
        # so by, a profile function.
        replace("compiled", compiled, ("safesite.run",))

    def remember(self, entry: str | None) -> None:
        """Remember the entry of sys.path that is to come first."""
        self.entry = entry

    def begin(self) -> None:
        """Put the hook in place, of which nothing remains in here; end where that cannot be."""
        safesite.gate["guard"] = ended
        path = sys.path[:]
        key, self.key = self.key, ""  # this object stays
        try:
            # The project's own folder may be the first on sys.path by now, with a subprocess.py.
            sys.path[:] = library_path()
            reason = unguardable()
            if reason:
                end(reason)
            leave_terminal()
            leave_no_core()
            put_off("ctypes")
            from safesite import apart

            spaces = apart.load()
            # Before others are registered: no thread of the parent's is in a forked child.
            for name in ("active", "expected", "keeping"):
                os.register_at_fork(after_in_child=spaces["build"][name].clear)
            import subprocess  # the hook replaces what it starts others by

            # posix_spawn() is given os.environ as it is, of which nobody knows what it will say.
            vars(subprocess)["_USE_POSIX_SPAWN"] = False

            facts = facts_of(self.folder, key, self.details, [*path, self.entry or ""])
            facts["start"] = folder_without_modules() if self.entry == "" else ""
            spaces["build"]["namespaces"].extend(spaces.values())
            spaces["build"]["facts"].update(facts)
            if self.late_path:
                os.environ["PYTHONPATH"] = self.late_path
                path[:0] = self.late_path.split(os.pathsep)
            sys.path[:] = path
            self.add_path_entry(self.entry)
            spaces["hook"]["install"]()
        except Exception as exc:  # noqa: BLE001 - whatever it is, no code of the package may run
            end(f"it cannot be guarded: {keep.quoted(f'{type(exc).__name__}: {exc}', 240)} (guard)")


def replace(
    name: str, function: Any, modules: tuple[str, ...] = ("safesite", "safesite.run")
) -> None:
    """Put a function in the place of one of the launcher's."""
    for module in modules:
        if module in sys.modules:
            vars(sys.modules[module])[name] = function


def compiled(source: str | bytes, filename: str) -> Any:
    """Compile a program by the builtin alone."""
    return compile(source, filename, "exec", dont_inherit=True)


DECLARING = ("BigEndianStructure", "LittleEndianStructure", "POINTER", "Structure", "Union")


class Later(ModuleType):
    """A module that is imported when something of it is used: some that builds import never is."""

    def __getattr__(self, name: str) -> Any:
        """Return a part of the module, which does not import it yet."""
        if name[:2] == "c_" or name in DECLARING:
            return Part(self, name)
        if name[:2] != "__" or name == "__all__":  # import *
            found = vars(self.load())
            if name in found:
                return found[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def load(self) -> Any:
        """Import the module, and be like it."""
        name = self.__name__
        if sys.modules.get(name) is self:
            del sys.modules[name]
            try:
                found = importlib.import_module(name)
            finally:
                sys.modules[name] = self
            vars(self).update({key: part for key, part in vars(found).items() if key != "__spec__"})
        return self


class Part:
    """A part of a module that is to be imported later: by a call, as a base, by what it has."""

    def __init__(self, module: Later, name: str, lengths: tuple[Any, ...] = ()) -> None:
        self._module, self._name, self._lengths = module, name, lengths

    def _real(self) -> Any:  # what it stands for
        found = vars(self._module.load())[self._name]
        for length in self._lengths:
            found *= length
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        return self._real()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    def __mul__(self, other: Any) -> Any:
        return Part(self._module, self._name, (*self._lengths, other))  # an array's type

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._real())

    def __mro_entries__(self, bases: object) -> tuple[Any]:
        return (self._real(),)


def put_off(name: str) -> None:
    """Have a module be imported when it is used; no questions are asked before."""
    spec = None if name in sys.modules else PathFinder.find_spec(name)
    if spec is not None:
        sys.modules[name] = later = module_from_spec(spec)
        later.__class__ = Later


def library_path() -> list[str]:
    """Return the folders of the standard library on sys.path."""
    folder = os.path.dirname(os.__file__)
    return [path for path in safesite.gate["base"] if folder in (path, os.path.dirname(path))]


def ended(exc: BaseException | None = None) -> None:
    """Tell the hook by which status Python is about to end."""
    status = 1
    if isinstance(exc, KeyboardInterrupt):
        status = -2
    elif isinstance(exc, SystemExit):
        status = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    sys.audit("safesite.status", status)


def unguardable() -> str:
    """Return the sentence why the hook would call code that a package can replace; "" if not."""
    if sys.getfilesystemencoding() != "utf-8":
        return "only paths in UTF-8 can be guarded (guard)"
    if sys.flags.dev_mode and sys.version_info < (3, 12):  # each decoding looks for its codec
        return "before Python 3.12 the development mode cannot be guarded (guard)"
    return ""


def leave_terminal() -> None:
    """Have no terminal to read from: what is typed there is for the questions."""
    for number in (0, 1, 2):
        if os.isatty(number):
            try:
                path = os.ttyname(number) if number else os.devnull
                file = os.open(path, (os.O_WRONLY if number else os.O_RDONLY) | os.O_NOCTTY)
            except OSError:  # the terminal is another container's
                file = os.open(os.devnull, os.O_RDWR)
            os.dup2(file, number)
            os.close(file)


def folder_without_modules() -> str:
    """Return the current folder if nothing in it can be imported, else ""."""
    try:
        folder = os.path.realpath(".")
        names = os.listdir(folder)
    except OSError:
        return ""
    for name in names:
        package = os.path.join(folder, name, "__init__.py")
        if name.endswith((".py", ".pyc", ".so")) or os.path.isfile(package):
            return ""
    return folder


def give_temporary_folder() -> None:
    """Give a pip that a build runs, as setuptools' develop does, a folder for its own folders.

    In TMPDIR their names would be those of the pip that runs the build.
    """
    import atexit
    import shutil
    import tempfile

    folder = os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def leave_no_core() -> None:
    """Have no file be written when this process is aborted: its contents could be chosen."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def facts_of(folder: str, key: str, details: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """Return what the hook knows: see `safesite.watch.build`.

    own, temp, foreign: what the build may write; prefixes: what of that belongs to a Python; sites:
    what installing writes; readable, fast: whose files are no secret; environments: those made for
    this build; solid: folders that no link of the build's leads to; unpacked: whether the project
    is the installer's copy; above, beside, start: folders that are listed; launchers: by which
    paths Python is safesite's; environ: the variables as C has them, at_start: then.
    """
    import site

    homes = home_folders()
    temp = details["temp"]
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    prefixes = {os.path.realpath(prefix) for prefix in prefixes}
    # sys.path in the first process alone: what a child has there, a package may have chosen.
    others = (os.path.dirname(os.__file__), *safesite.__path__, *filter(None, path), sys.argv[0])
    readable = {*prefixes, *(os.path.realpath(path) for path in others)}
    # In which pip notes what it builds: setuptools' develop runs another pip in the build.
    trackers = [os.path.realpath(os.environ.get(name, "/")) for name in TRACKER_NAMES]
    # What an installer had there before the build began; links are nobody's.
    names = [name for name in details["foreign"] if name.startswith(INSTALLER_FOLDERS)]
    tops = [(name, f"{top}/{name}") for top in temp for name in names]
    tops = [(name, path) for name, path in tops if os.path.realpath(path) == path]
    readable |= {path for name, path in tops if name.startswith("pip-")}
    own = [path for path in details["own"] if not is_above(path, [*homes, *temp])]
    own += [path for name, path in tops if name.startswith(TRACKERS) and path in trackers]
    readable = {path for path in readable if os.path.lexists(path)}  # the build could make it
    known = sorted(path for path in readable if not is_above(path, homes) and path not in own)
    known = ask_broker(folder, key, "readable", details["id"], known)
    if isinstance(known, str):
        end(known)
    above = os.path.dirname(details["project"])
    were_there = [f"{top}/{name}" for top in temp for name in details["foreign"]]
    solid = {
        path + "/"
        for path in (*known, *temp, above)
        if not is_below(path, own) and not is_new(path, temp, were_there)
    }
    environ = dict(os.environb)
    programs = [os.path.realpath(path) for path in os.get_exec_path() if os.path.isabs(path)]
    return {
        **details,
        "above": above if details["unpacked"] else "",  # setuptools-scm lists it
        "beside": {os.path.dirname(path) for path in programs if path.endswith(("/bin", "/sbin"))},
        "socket": folder + "/ask",
        "own": own,
        "prefixes": [x for x in prefixes if any(x.startswith(path + "/") for path in own)],
        "foreign": frozenset(details["foreign"]),
        "readable": known,
        "guards": frozenset((os.getppid(), details["broker"])),
        "key": key.encode("ascii"),
        # Below which there is nothing that the build can write, and so no link of its own.
        "fast": tuple(
            x + "/"
            for x in known
            if x + "/" in solid and not any(is_below(path, (x,)) for path in (*own, *temp))
        ),
        # Of these, what is named __pycache__ is the build's: it may be a link.
        "cached": tuple(path + "/" for name, path in tops if name.startswith(ENVIRONMENTS)),
        "solid": sorted(solid, key=len, reverse=True),
        "environments": [
            path
            for name, path in tops
            if name.startswith(ENVIRONMENTS) and any(x.startswith(path + "/") for x in known)
        ],
        "sites": [*map(os.path.realpath, (*site.getsitepackages(), sys.prefix + "/bin"))],
        "launchers": frozenset((sys.executable, sys.executable.replace("/./", "/", 1))),
        "environ": environ,
        "at_start": dict(environ),
    }


def home_folders() -> list[str]:
    """Return this user's home folders, by the variable and by the system."""
    import pwd

    homes = {os.environ.get("HOME", "")}
    try:
        homes.add(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        pass
    return [os.path.realpath(home) for home in homes if os.path.isabs(home)]


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Return whether a path is one of the folders, or lies below one."""
    return any((path + "/").startswith(folder.rstrip("/") + "/") for folder in folders)


def is_new(path: str, temp: list[str], were_there: list[str]) -> bool:
    """Return whether a path lies in TMPDIR, by a name that was not there before the build."""
    return path not in temp and is_below(path, temp) and not is_below(path, were_there)


def is_above(path: str, homes: Iterable[str]) -> bool:
    """Return whether a folder is one of the home folders, or lies above one."""
    return any((home + "/").startswith(path.rstrip("/") + "/") for home in homes)


# A trusted program.


class Trusted:
    """A process of an installer, or of any other program that is no build."""

    def begin(self) -> None:
        """Have the Pythons that it starts be under safesite and the guard."""
        safesite.gate["guard"] = None
        import _posixsubprocess
        import subprocess

        vars(subprocess)["_USE_POSIX_SPAWN"] = False  # so that there is one way
        original = _posixsubprocess.fork_exec

        def fork_exec(*args: Any) -> int:
            words, programs, close_fds, keep_fds, cwd, env, *rest = args
            words, programs = redirected(words, programs, "" if cwd is None else os.fsdecode(cwd))
            if env is not None:
                env = with_variables(env)
            return original(words, programs, close_fds, keep_fds, cwd, env, *rest)

        for owner in (_posixsubprocess, subprocess):
            for name in ("fork_exec", "_fork_exec"):
                if getattr(owner, name, None) is original:
                    setattr(owner, name, fork_exec)
        for name in ("execv", "execve", "posix_spawn", "posix_spawnp"):
            setattr(os, name, redirecting(getattr(os, name)))


def redirecting(original: Any) -> Any:
    """Return a function of os that starts a program, for which `redirected` is asked before."""

    def start(path: Any, argv: Any, *rest: Any, **named: Any) -> Any:
        if not isinstance(path, int):
            if original.__name__ == "posix_spawnp":
                import shutil

                path = shutil.which(path) or path
            argv, (path,) = redirected(list(argv), (os.fspath(path),))
        if rest and rest[0] is not None:
            given = {os.fsencode(name): os.fsencode(value) for name, value in rest[0].items()}
            rest = ({**own_variables(), **given}, *rest[1:])
        return original(path, argv, *rest, **named)

    start.__name__ = start.__qualname__ = original.__name__
    return start


def own_variables() -> dict[bytes, bytes]:
    """Return safesite's variables, which tox and others do not hand on."""
    return {name: value for name, value in os.environb.items() if name.startswith(b"SAFESITE_")}


def with_variables(env: list[bytes]) -> list[bytes]:
    """Return the variables of a child with safesite's."""
    given = {entry.partition(b"=")[0] for entry in env}
    own = own_variables()
    return [*env, *(name + b"=" + own[name] for name in own if name not in given)]


def redirected(words: Any, programs: Any, cwd: str = "") -> tuple[Any, Any]:
    """Return a command line and its program, the launcher if that is another environment's Python.

    A script in whose first line such a Python stands is given to the launcher.
    """
    paths = (os.path.join(cwd, os.fsdecode(path)) for path in programs)
    program = next(filter(os.path.exists, paths), "")
    launcher = launcher_of(program)
    if launcher:
        return [launcher, *words[1:]], (os.fsencode(launcher),)
    interpreter, *options = first_line(program)
    launcher = launcher_of(interpreter)
    if launcher:
        return [launcher, *options, program, *words[1:]], (os.fsencode(launcher),)
    return words, programs


def launcher_of(program: str) -> str:
    """Return the launcher of a Python; "" for all else, and for a Python of another version.

    A launcher is a script, so it has none itself.
    """
    from safesite import children

    version = version_of(program)
    if not version or first_line(program)[0]:
        return ""
    launcher = children.find(os.path.abspath(program)) if version in VERSIONS else ""
    if not launcher and program not in TOLD:
        TOLD.add(program)
        say(f"{keep.place(program)}: a Python that the guard does not cover (guard)")
    return launcher


def version_of(program: str) -> str:
    """Return the version of a Python, by its name or its environment's; "" if it is none."""
    from safesite import projects

    real = os.path.basename(os.path.realpath(program))
    if real.startswith(("python2.", "python3.")):
        return real.removeprefix("python").rstrip("t")
    if real.startswith("python"):  # a copy, in an environment
        config = os.path.join(os.path.dirname(os.path.dirname(program)), "pyvenv.cfg")
        for line in projects.lines_of(config):
            key, _, value = line.partition("=")
            if key.strip() in ("version", "version_info"):
                return ".".join(value.strip().split(".")[:2])
    return ""


def first_line(program: str) -> list[str]:
    """Return the words of a script's first line, an empty one if it has none."""
    try:
        with open(program, "rb") as file:
            line = file.readline(1024)
    except OSError:
        return [""]
    found = os.fsdecode(line[2:]).split(maxsplit=1) if line[:2] == b"#!" else []
    return [word.strip() for word in found] or [""]
