"""Which programs a build may start without being asked, and with which variables.

Compilers, build tools, and Python under safesite.  Each of the former can be made to start other
programs, which nothing in here sees.

Executed apart by `safesite.guard`: see the package's first lines.
"""

import sys
from posix import fspath, putenv, unsetenv

from safesite.watch.build import call_own, facts, want
from safesite.watch.paths import exists, is_own, read, resolve, text_of

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
GIT_SETTINGS = (b"core.abbrev=", b"log.showSignature=false")
GIT_RUNS = (b"--ext-diff", b"--exec", b"--output", b"--remote", b"--upload")
SHELLS = frozenset(("ash", "bash", "dash", "sh"))
PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=+:,@%- "
)  # of a shell's line: nothing that means anything to it

# Variables that Python, or what loads programs, heeds before safesite can be there.
EARLY = (b"LD_AUDIT", b"LD_PRELOAD", b"PYTHONHOME", b"PYTHONPLATLIBDIR", b"PYTHONPYCACHEPREFIX")


# Programs.


def may_run(program: str, argv: "list[bytes]", env: "Environment", cwd: str = "") -> "Refusal":
    """Return None if the build may start a program, given by its path, with these words."""
    if program in facts["launchers"]:
        if any(b"pycache_prefix" in word or b"presite" in word for word in argv[1:]):
            return want("run", program, shown(argv))
        script = script_of(argv)
        return read(script, cwd) if script else None  # Python shows a line of what is no Python
    real = resolve(program, cwd)
    if is_tool(program, argv, cwd) or is_check(real):
        return None
    if is_shell(real) and may_run_shell(argv, env, cwd):
        return None
    return want("run", real, shown(argv))


def script_of(argv: "list[bytes]") -> str:
    """Return the script in Python's command line, "" if it runs something else."""
    words = argv[1:]
    while words and words[0][:1] == b"-":
        word = words.pop(0)
        if word == b"--":
            break
        if word == b"-":
            return ""
        letters = "" if word[:2] == b"--" else word[1:].decode("latin-1")
        plain = letters.partition("W")[0].partition("X")[0]  # these have a value
        if "c" in plain or "m" in plain:
            return ""
        if word == b"--check-hash-based-pycs" or letters[len(plain) :] in ("W", "X"):
            del words[:1]
    return words[0].decode("utf-8", "surrogateescape") if words else ""


def is_tool(program: str, argv: "list[bytes]", cwd: str = "") -> bool:
    """Return whether a program, given by its path, is a compiler or a build tool.

    By the name of its file or of the link that leads there; never by what the build can write.
    """
    real = resolve(program, cwd)
    folder, _, link = program.rpartition("/")
    names = [real.rpartition("/")[2]]
    if is_own(real):
        return False
    if not is_own(resolve(folder or "/", cwd)):
        names.append(link)  # cc -> gcc, cargo -> rustup
    for known in names:
        stem = known.rstrip("0123456789.-")  # gcc-12; x86_64-linux-gnu-gcc; llvm-config-14
        if known in TOOLS or stem in TOOLS or stem.rpartition("-")[2] in TOOLS:
            return True
        if stem.endswith(("-config", "_config")):
            return True
    return names[0] == "git" and only_reads(argv[1:])


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
    runs = any(word.startswith(GIT_RUNS) for word in words)
    return bool(words) and words[0].decode("latin-1") in GIT_READS and not runs


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
    return program != "" and is_tool(program, [word.encode() for word in words], cwd)


def find(name: str, env: "Environment", cwd: str) -> str:
    """Return the path of what a shell would start; "" if there is nothing."""
    if "/" in name:
        return name
    path = env.get(b"PATH", b"/bin:/usr/bin").decode("utf-8", "surrogateescape")
    for folder in path.split(":"):
        program = (folder or ".") + "/" + name
        if exists(resolve(program, cwd)):
            return program
    return ""


def shown(argv: "list[bytes]") -> str:
    """Return a command line for the question."""
    return " ".join([word.decode("utf-8", "replace") for word in argv])


# Variables.


def first_difference(given: "Environment") -> str:
    """Return a variable by which a child would be another Python than this one, "" for none."""
    at_start: Environment = facts["at_start"]
    for name in (*given, *at_start):
        own = name.startswith(b"SAFESITE_")
        counts = own or (name in given and is_early(name))
        if counts and given.get(name) != at_start.get(name):
            return name.decode("ascii", "replace")
    return ""


def restore() -> str:
    """Put back what the package has changed of safesite's variables; return what else differs."""
    env, at_start = facts["environ"], facts["at_start"]
    for name in (*env, *at_start):
        if name.startswith(b"SAFESITE_") and env.get(name) != at_start.get(name):
            if name in at_start:
                env[name] = at_start[name]
                call_own("os.putenv", putenv, name, env[name])
            else:
                del env[name]
                call_own("os.unsetenv", unsetenv, name)
    return first_difference(env)


def for_child(given: "Environment") -> "Environment":
    """Return a child's variables, of which those that count are as they were at the build's start.

    Another PYTHONPATH has another name: guard adds it when the child's hook is in place.
    """
    at_start: Environment = facts["at_start"]
    found = {}
    for name in (*given, *at_start):
        if name.startswith(b"SAFESITE_") or (name in given and is_early(name)):
            value = at_start.get(name)
        else:
            value = given.get(name)
        if value is not None:
            found[name] = value
    path = given.get(b"PYTHONPATH")
    if path is not None and path != at_start.get(b"PYTHONPATH"):
        found[b"SAFESITE_GUARD_PATH"] = path
    return found


def is_early(name: bytes) -> bool:
    return name in EARLY or name == b"PYTHONPATH"


def on_putenv(args: "Any") -> "Refusal":
    """Decide on os.putenv(name, value)."""
    facts["environ"][encoded(args[0])] = encoded(args[1])
    return None


def on_unsetenv(args: "Any") -> "Refusal":
    """Decide on os.unsetenv(name)."""
    facts["environ"].pop(encoded(args[0]), None)
    return None


# The ways to start one.


def on_system(args: "Any") -> "Refusal":
    """Decide on os.system(command)."""
    line = text_of(args[0]) or ""
    if not restore() and may_run_line(line, facts["environ"]):
        return None
    return want("run", "/bin/sh", "sh -c " + line)


def on_exec(args: "Any") -> "Refusal":
    """Decide on os.exec(path, args, env), os.posix_spawn(path, argv, env)."""
    program, argv, env = args
    path, words = text_of(program), words_of(argv)
    if path is None:
        return want("run", "an open file", shown(words))
    differs = restore() if env is None else differing(env)
    if differs:
        return want("run", resolve(path), f"{shown(words)} (with another {differs})")
    return may_run(path, words, facts["environ"])


def words_of(argv: "Any") -> "list[bytes]":
    """Return a command line; raises TypeError for what may change."""
    if type(argv) not in (list, tuple):
        raise TypeError
    return [fixed(word) for word in argv]


def fixed(word: "Any") -> bytes:
    """Return a word of an event as bytes; raises TypeError for what may change."""
    text = text_of(word)
    if text is None:
        raise TypeError
    return text.encode("utf-8", "surrogateescape")


def differing(env: "Any") -> str:
    """Return what `first_difference` does, of variables as an event has them."""
    if type(env) is not dict:
        return "environment"  # of its own making: what it will say is not known
    return first_difference({fixed(name): fixed(value) for name, value in env.items()})


def on_fork_exec(args: "Any") -> "Refusal":
    """Decide on safesite.fork_exec(program, argv, env, cwd), raised by `prepare_fork_exec`."""
    program, argv, env, cwd = args
    return may_run(program, argv, env, cwd)


def prepare_fork_exec(args: "Any") -> "tuple[Refusal, Any]":
    """Return what ``_posixsubprocess.fork_exec``, which is not audited, is to be given instead.

    Copies, which nobody changes any more; one program; variables under which a child is guarded.
    """
    try:
        argv, programs, close_fds, keep_fds, cwd, env, *rest = args
        argv = [encoded(word) for word in argv]
        given = facts["environ"]
        if env is not None:
            given = dict(encoded(entry).partition(b"=")[::2] for entry in env)
        folder = "" if cwd is None else encoded(cwd).decode("utf-8", "surrogateescape")
        base = resolve(folder) if folder else ""
        program = first_program([encoded(program) for program in programs], base)
        audit("safesite.fork_exec", program, argv, given, base)
        entries = [name + b"=" + value for name, value in for_child(given).items()]
        found = (program.encode("utf-8", "surrogateescape"),)
    except BaseException as exc:  # noqa: BLE001 - it is raised where nothing leads to this file
        return exc.with_traceback(None), ()
    return None, (argv, found, close_fds, keep_fds, base or None, entries, *rest)


def encoded(word: "Any") -> bytes:
    """Return a word as bytes, once and for all: a package's object is asked a single time."""
    if type(word) is not bytes and not isinstance(word, str):
        word = fspath(word)
    return fixed(word)


def first_program(programs: "list[bytes]", base: str) -> str:
    """Return the first of the paths that PATH gives where there is something, else the first."""
    found = [program.decode("utf-8", "surrogateescape") for program in programs]
    for program in found:
        if exists(resolve(program, base)):
            return program
    return found[0]
