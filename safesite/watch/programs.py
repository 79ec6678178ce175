"""Which programs a build may start without being asked, and with which variables.

Compilers, build tools, and Python under safesite.  Each of the former can be made to start other
programs, which nothing in here sees.

Executed apart by `safesite.guard`: see the package's first lines.
"""

import sys
from posix import O_RDONLY, X_OK, access, close, getcwd, posix_spawn, putenv, unsetenv, waitpid
from posix import open as open_file
from posix import read as read_bytes

from safesite.watch.build import call_own, facts, refusal, want
from safesite.watch.paths import exists, is_file, is_own, read, resolve, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from safesite.watch.build import Refusal

    Environment = dict[bytes, bytes]

audit = sys.audit

TOOLS = frozenset(
    (
        *("ar", "as", "autoconf", "autoheader", "automake", "autoreconf", "bison", "c++", "cargo"),
        *("cc", "ccache", "clang", "clang++", "cmake", "cpp", "ctest", "cython", "cythonize"),
        *("distcc", "dpkg-architecture", "dpkg-buildflags", "f2py", "f95", "file", "flang", "flex"),
        *("g++", "gcc", "getconf", "gfortran", "gmake", "hg", "install_name_tool", "ld"),
        *("ld.bfd", "ld.gold", "ld.lld"),
        *(
            "ldconfig",
            "ldd",
            "libtool",
            "lipo",
            "lld",
            "lsb_release",
            "m4",
            "make",
            "maturin",
            "meson",
        ),
        *("nasm", "ninja", "nm", "nproc", "nvcc", "objcopy", "objdump", "otool", "patchelf"),
        *("pkg-config", "pkgconf", "protoc", "ranlib", "readelf", "rustc", "sccache", "size"),
        *("strip", "swig", "uname", "xcrun", "yacc", "yasm"),
    )
)
GIT_READS = frozenset(
    (
        *("archive", "branch", "cat-file", "check-attr", "check-ignore", "describe", "diff"),
        *("diff-index", "for-each-ref", "log", "ls-files", "ls-tree", "merge-base", "name-rev"),
        *("rev-list", "rev-parse", "show", "show-ref", "status", "symbolic-ref", "tag", "version"),
    )
)
GIT_LOOKS = (  # meson's, for the sdist of a checkout; the index is refreshed as by status
    [b"update-index", b"-q", b"--refresh"],
    [b"submodule", b"status", b"--cached", b"--recursive"],
)
GIT_SETTINGS = (b"core.abbrev=", b"log.showSignature=false")
GIT_RUNS = (b"--ext-diff", b"--exec", b"--output", b"--remote", b"--upload")
SHELLS = frozenset(("ash", "bash", "dash", "sh"))
PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=+:,@%- "
)  # of a shell's line: nothing that means anything to it

KEY = b"SAFESITE_GUARD_KEY"  # in a child's variables alone: guard takes it out of its process

# Variables that Python, or what loads programs, heeds before safesite can be there.
OWN_PROCESS = (  # by which libraries that Python uses load code, or look up another name
    *(b"GCONV_PATH", b"HOSTALIASES", b"LOCALDOMAIN", b"LOCPATH", b"OPENSSL_CONF"),
    *(b"OPENSSL_CONF_INCLUDE", b"OPENSSL_ENGINES", b"OPENSSL_MODULES", b"RESOLV_HOST_CONF"),
    b"RES_OPTIONS",
)
EARLY = frozenset(
    (
        *OWN_PROCESS,
        *(b"BASHOPTS", b"BASH_ENV", b"ENV", b"GLIBC_TUNABLES", b"LD_AUDIT"),
        *(b"LD_DEBUG", b"LD_DEBUG_OUTPUT", b"LD_PRELOAD", b"LD_PROFILE", b"LD_PROFILE_OUTPUT"),
        *(b"PS4", b"PYTHONHOME", b"PYTHONPATH", b"PYTHONPERFSUPPORT"),
        *(b"PYTHONPLATLIBDIR", b"PYTHONPYCACHEPREFIX", b"PYTHONUSERBASE", b"PYTHONWARNINGS"),
        *(b"CDPATH", b"IFS", b"PYTHON_PERF_JIT_SUPPORT", b"PYTHON_PRESITE", b"SHELLOPTS"),
        b"PYTHON_LAZY_IMPORTS",
    )
)
EARLY_FOR_PYTHON = (b"HOME", b"XDG_CONFIG_HOME")  # which lead to a policy
EARLY_WORDS = (b"lazy_imports", b"perf", b"presite", b"pycache_prefix")  # of -X
WARNING = b"perf"  # what -b is taken for: it has comparisons show warnings


# Programs.


def may_run(program: str, argv: "list[bytes]", env: "Environment", cwd: str = "") -> "Refusal":
    """Return None if the build may start a program, given by its path, with these words."""
    if program in facts["launchers"]:
        values, script = options_of(argv)
        if not all(map(is_late, values)):
            return want("run", program, shown(argv))
        return read(script, cwd) if script else None  # Python shows a line of what is no Python
    real = resolve(program, cwd)
    if (is_tool(program, argv, cwd) and is_sound(real, env, cwd)) or is_check(real):
        return None
    if is_shell(real) and not early_difference(env) and may_run_shell(argv, env, cwd):
        return None
    return want("run", real, shown(argv))


def options_of(argv: "list[bytes]") -> "tuple[list[bytes], str]":
    """Return the values of -W and -X in Python's command line, and its script or ""."""
    words, values = argv[1:], list[bytes]()
    while words and words[0][:1] == b"-":
        word = words.pop(0)
        if word == b"--":
            break
        if word == b"-":
            return values, ""
        letters = b"" if word[:2] == b"--" else word[1:]
        flags = letters.partition(b"W")[0].partition(b"X")[0]  # these two have a value
        if b"b" in flags:
            values.append(WARNING)
        if b"c" in flags or b"m" in flags:
            return values, ""
        value = letters[len(flags) + 1 :]
        if word == b"--check-hash-based-pycs" or (len(letters) > len(flags) and not value):
            value = words.pop(0) if words else b""
        values.append(value)
    return values, words[0].decode("utf-8", "surrogateescape") if words else ""


def is_late(value: bytes) -> bool:
    """Return whether a value of -W or -X leads to nothing before the hook is in place.

    A filter for warnings may name a class, whose module is imported then.
    """
    parts = value.split(b":")
    return not value.startswith(EARLY_WORDS) and not (len(parts) > 2 and b"." in parts[2])


def is_tool(program: str, argv: "list[bytes]", cwd: str = "") -> bool:
    """Return whether a program, given by its path, is a compiler or a build tool.

    By the name of its file or of the link that leads there; never by what the build can write.
    """
    real = resolve(program, cwd)
    folder, _, link = program.rpartition("/")
    names = [real.rpartition("/")[2]]
    if is_own(real):
        return False
    called = argv[0].decode("utf-8", "replace").rpartition("/")[2] if argv else ""
    if called == link and not is_own(resolve(folder or "/", cwd)):
        names.append(link)  # cc -> gcc, cargo -> rustup, which may go by how they are called
    for known in names:
        stem = known.rstrip("0123456789.-")  # gcc-12; x86_64-linux-gnu-gcc; llvm-config-14
        if known in TOOLS or stem in TOOLS or stem.rpartition("-")[2] in TOOLS:
            return True
        if stem.endswith(("-config", "_config")):
            return True
    return names[0] == "git" and only_reads(argv[1:])


def is_sound(program: str, env: "Environment", cwd: str) -> bool:
    """Return whether a tool, by its path without links, finds no programs of the build's by PATH.

    That is for scripts, which go by it; in them a name may be anything.
    """
    number = call_own("open", open_file, program, O_RDONLY)
    try:
        is_script: bool = read_bytes(number, 2) == b"#!"
    finally:
        close(number)
    path = env.get(b"PATH", b"/bin:/usr/bin").decode("utf-8", "surrogateescape")
    folders = path.split(":") if is_script else []
    for folder in folders:  # noqa: SIM110 - a generator would be a frame more
        if folder[:1] != "/" or is_own(resolve(folder, cwd)):
            return False
    return True


def is_check(program: str) -> bool:
    """Return whether a program is one by which meson tries the compiler: it starts nothing else."""
    return is_own(program) and "/meson-private/" in program and program.endswith(".exe")


def only_reads(words: "list[bytes]") -> bool:
    """Return whether git reads a repository, and is told of no other program."""
    words = list(words)
    while words and words[0][:1] == b"-":
        word = words.pop(0)
        if word == b"--version":
            return True
        if word in (b"-C", b"--git-dir", b"--work-tree"):
            del words[:1]
        elif word == b"-c" and words and words[0].startswith(GIT_SETTINGS):
            del words[0]
        elif not word.startswith((b"--git-dir=", b"--work-tree=", b"--no-pager")):
            return False
    if words in GIT_LOOKS:
        return True
    runs = any(word.startswith(GIT_RUNS) for word in words)
    return bool(words) and words[0].decode("ascii", "replace") in GIT_READS and not runs


def is_shell(program: str) -> bool:
    """Return whether a program, by its path without links, is the system's shell."""
    return program.rpartition("/")[2] in SHELLS and not is_own(program)


def may_run_shell(argv: "list[bytes]", env: "Environment", cwd: str) -> bool:
    """Return whether a shell is given one plain command."""
    line = argv[2].decode("utf-8", "replace") if len(argv) == 3 else ""
    return argv[1:2] == [b"-c"] and may_run_line(line, env, cwd)


def may_run_line(line: str, env: "Environment", cwd: str = "") -> bool:
    """Return whether a shell's line is one plain command, which starts a build tool."""
    words = line.split()
    if not words or not PLAIN.issuperset(line) or "=" in words[0]:
        return False
    program = find(words[0], env, cwd)
    if not program or not is_tool(program, [word.encode() for word in words], cwd):
        return False
    return is_sound(resolve(program, cwd), env, cwd)


def find(name: str, env: "Environment", cwd: str) -> str:
    """Return the path of what a shell would start; "" if there is nothing."""
    if "/" in name:
        return name
    path = env.get(b"PATH", b"/bin:/usr/bin").decode("utf-8", "surrogateescape")
    if "%" in path:
        return ""  # which means more to dash
    for folder in path.split(":"):
        program = (folder or ".") + "/" + name
        real = resolve(program, cwd)
        if exists(real):
            # A shell goes on past what it cannot start.
            return program if is_file(real) and access(real, X_OK) else ""
    return ""


def shown(argv: "list[bytes]") -> str:
    """Return a command line for the question."""
    return " ".join([word.decode("utf-8", "replace") for word in argv])


# Variables.


def first_difference(given: "Environment") -> str:
    """Return a variable by which a child would be another Python than this one, "" for none."""
    at_start: Environment = facts["at_start"]
    for name in (*given, *at_start):
        if name.startswith(b"SAFESITE_") and given.get(name) != at_start.get(name) and name != KEY:
            return name.decode("ascii", "replace")
    return early_difference(given)


def early_difference(given: "Environment") -> str:
    """Return a variable that has been set and counts early, "" for none."""
    for name, value in given.items():
        if is_early(name, python=True) and value != facts["at_start"].get(name):
            return name.decode("ascii", "replace")
    return ""


def for_child(given: "Environment", *, python: bool) -> "Environment":
    """Return a child's variables, of which those that count are as they were at the build's start.

    Another PYTHONPATH has another name: guard adds it when the child's hook is in place.
    """
    at_start: Environment = facts["at_start"]
    found = {}
    for name in (*given, *at_start):
        if name.startswith(b"SAFESITE_") or (name in given and is_early(name, python=python)):
            value = at_start.get(name)
        else:
            value = given.get(name)
        if value is not None:
            found[name] = value
    found[KEY] = facts["key"]
    path = given.get(b"PYTHONPATH")
    if path is not None and path != at_start.get(b"PYTHONPATH"):
        found[b"SAFESITE_GUARD_PATH"] = path
    return found


def is_early(name: bytes, *, python: bool) -> bool:
    """Return whether a variable counts before the hook is in place; for Python more of them do."""
    if python and (name.startswith(b"LD_") or name in EARLY_FOR_PYTHON):
        return True
    return name in EARLY or name.startswith(b"BASH_FUNC_")


def prepare_putenv(args: "Any") -> "tuple[Refusal, Any]":
    """Do what os.putenv(name, value) or os.unsetenv(name) does, and note it, as one step.

    An event could be false, and the noting too early or too late.
    """
    environ = facts["environ"]
    try:
        name, *value = words_of(args)
        if value and name in OWN_PROCESS:
            return refusal(f"{name.decode()} is not for a build to set (guard)"), None
        before = environ.get(name)
        try:
            if value:
                environ[name] = value[0]  # first: what is noted may be too much, never too little
                putenv(name, *value)
            else:
                unsetenv(name)
                environ.pop(name, None)
        except (OSError, ValueError):
            if value and before is None:
                del environ[name]
            elif value:
                environ[name] = before
            raise
    except BaseException as exc:  # noqa: BLE001 - it is raised where nothing leads to this file
        return plain(exc), None
    return None, None


def prepare_clearenv(_args: "Any") -> "tuple[Refusal, Any]":
    """Do what os.environ.clear() does, from 3.14 on, and note it."""
    for name in [*facts["environ"]]:
        unsetenv(name)
    facts["environ"].clear()
    return None, None


# The ways to start one.


def prepare_system(args: "Any") -> "tuple[Refusal, Any]":
    """Do what os.system(command) does, with variables that nobody changes meanwhile.

    What is handed on is the status.  Whether the shell may start is decided by `on_exec`.
    """
    try:
        (line,) = words_of(args)
        env = for_child(facts["environ"], python=False)
        _, status = waitpid(posix_spawn("/bin/sh", [b"sh", b"-c", line], env), 0)
    except BaseException as exc:  # noqa: BLE001 - it is raised where nothing leads to this file
        return plain(exc), None
    return None, (status,)


def on_exec(args: "Any") -> "Refusal":
    """Decide on os.exec(path, args, env), os.posix_spawn(path, argv, env)."""
    program, argv, env = args
    path, words = text_of(program), words_of(argv)
    if path is None:
        return want("run", "an open file", shown(words))
    given = variables_of(env)
    differs = first_difference(given)
    if differs:
        return want("run", resolve(path), f"{shown(words)} (with another {differs})")
    return may_run(path, words, given)


def exactly(value: "Any", kind: "Any") -> "Any":
    """Return a value; raises TypeError for one of another type, which may change."""
    if type(value) is not kind:
        raise TypeError
    return value


def words_of(argv: "Any") -> "list[bytes]":
    """Return a command line; raises TypeError for what may change."""
    return [fixed(word) for word in exactly(argv, tuple)]


def variables_of(pairs: "Any") -> "Environment":
    """Return variables from pairs of name and value; raises TypeError for what may change."""
    words = [words_of(pair) for pair in exactly(pairs, tuple)]
    return {name: value for name, value in words}  # noqa: C416 - two of them, or a ValueError


def fixed(word: "Any") -> bytes:
    """Return a word as bytes; raises TypeError for what may change."""
    text = text_of(word)
    if text is None:
        raise TypeError
    return text.encode("utf-8", "surrogateescape")


def on_fork_exec(args: "Any") -> "Refusal":
    """Decide on safesite.fork_exec(program, argv, env, cwd), raised by `prepare_fork_exec`."""
    program, argv, env, cwd = args
    return may_run(text_of(program) or "", words_of(argv), variables_of(env), text_of(cwd) or "")


def prepare_fork_exec(args: "Any") -> "tuple[Refusal, Any]":
    """Return what ``_posixsubprocess.fork_exec``, which is not audited, is to be given instead.

    One program, by an absolute path; variables under which a child is guarded.
    """
    try:
        words, programs, close_fds, keep_fds, cwd, env, *rest = args
        argv = words_of(words)
        given = facts["environ"]
        if env is not None:
            given = dict([entry.partition(b"=")[::2] for entry in words_of(env)])
        base = getcwd() if cwd is None else resolve(fixed(cwd).decode("utf-8", "surrogateescape"))
        program = without_own_link(first_program(words_of(programs), base))
        audit("safesite.fork_exec", program, argv, given, base)
        given = for_child(given, python=program in facts["launchers"])
        entries = [name + b"=" + value for name, value in given.items()]
        found = (program.encode("utf-8", "surrogateescape"),)
    except BaseException as exc:  # noqa: BLE001 - it is raised where nothing leads to this file
        return plain(exc), None
    at = None if cwd is None else base
    return None, (argv, found, close_fds, keep_fds, at, entries, *rest)


def prepare_exec(args: "Any") -> "tuple[Refusal, Any]":
    """Return what ``os.execve`` and the like are to be given: an absolute path, and variables."""
    try:
        path, argv, *rest = args
        program, argv = text_of(path), words_of(argv)
        if program is not None:
            program = program if "/" in program else find(program, facts["environ"], "") or program
            program = program if program[:1] == "/" else getcwd() + "/" + program
            path = program = without_own_link(program)
        if rest and rest[0] is not None:
            env = {**variables_of(rest[0]), KEY: facts["key"]}
        else:
            env = for_child(facts["environ"], python=program in facts["launchers"])
    except BaseException as exc:  # noqa: BLE001 - as above
        return plain(exc), None
    return None, (path, argv, env)


def plain(exc: BaseException) -> BaseException:
    """Return an exception for the package; its own are not handed back, as they have methods."""
    for kind in (KeyboardInterrupt, PermissionError, ImportError, OSError, ValueError):
        if type(exc) is kind:
            return BaseException.with_traceback(exc, None)
    return refusal("what this names cannot be told (guard)")


def without_own_link(program: str) -> str:
    """Return where a link of the build's leads, which it could change before the program starts."""
    folder, _, name = program.rpartition("/")
    return resolve(program) if is_own(resolve(folder or "/") + "/" + name) else program


def first_program(programs: "list[bytes]", base: str) -> str:
    """Return the first of the paths that PATH gives where there is something, else the first."""
    found = [program.decode("utf-8", "surrogateescape") for program in programs]
    found = [path if path[:1] == "/" else base + "/" + path for path in found]
    for program in found:
        if exists(resolve(program)):
            return program
    return found[0]
