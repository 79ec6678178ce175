"""Which files a build may read and write without being asked.

Executed apart by `safesite.guard`: see the package's first lines.
"""

import sys
from posix import fstat, getcwd, getpid, listdir, lstat, readlink

from safesite.watch.build import call_own, facts, refusal, want

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from safesite.watch.build import Refusal

LINK_CAP = 40
DEEPEST = 2  # levels of a folder that are looked at before it is renamed
FOLDER = 0o040000
ABSENT = (2, 20)  # ENOENT; ENOTDIR, above it is no folder
NO_LINK = 22  # EINVAL

# Linux: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND; O_TMPFILE goes with one of the first two
WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000
TMPFILE = 0o20200000

SECRET_NAMES = frozenset(
    (
        *(".bash_history", ".env", ".git-credentials", ".my.cnf", ".netrc", ".npmrc", ".pgpass"),
        *(".pypirc", ".python_history", ".yarnrc", ".zsh_history", "_netrc", "credentials"),
        *("id_dsa", "id_ecdsa", "id_ed25519", "id_rsa"),
    )
)
SECRET_FOLDERS = frozenset(
    (
        *(".aws", ".azure", ".docker", ".gnupg", ".kube", ".mozilla", ".password-store", ".ssh"),
        "keyrings",
    )
)
SYSTEM = (
    *("/bin/", "/etc/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/nix/", "/opt/", "/sbin/"),
    *("/snap/", "/sys/", "/usr/"),
)
SYSTEM_SECRETS = (
    *("/etc/docker/", "/etc/gshadow", "/etc/krb5.keytab", "/etc/kubernetes/", "/etc/shadow"),
    *("/etc/NetworkManager/", "/etc/security/opasswd", "/etc/ssh/", "/etc/ssl/private/"),
    *("/etc/letsencrypt/", "/etc/openvpn/", "/etc/pip.conf", "/etc/pki/tls/private/", "/etc/ppp/"),
    *("/etc/rancher/", "/etc/sudoers", "/etc/wireguard/"),
)
# Begin the names of what others make in TMPDIR while a build runs.
OTHERS = (".X", "build-env-", "build-via-sdist-", "pip-", "safesite-guard-", "ssh-", "systemd-")
LISTED = frozenset(("/", "/dev", "/home", "/proc", "/tmp", "/var", "/var/tmp"))  # noqa: S108
DEVICES = frozenset(("/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"))
KERNEL_FILES = frozenset(
    (
        *("cpuinfo", "filesystems", "loadavg", "meminfo", "mounts", "self", "stat", "sys"),
        *("thread-self", "uptime", "version"),
    )
)
NO_LIST = "the names in there are not told (guard)"
LIBRARIES = frozenset(
    (
        *("", "CMake", "cmake", "lib", "lib32", "lib64", "libx32", "share"),
        getattr(sys.implementation, "_multiarch", ""),
    )
)
STARTUP_NAMES = (".pth", ".start", ".egg-link")


# What a path is.


def text_of(path: "Any") -> "str | None":
    """Return a path as text, None for an open file; raises TypeError for what may change."""
    if issubclass(type(path), str):  # isinstance() would ask the object
        text = "".join((path,))  # noqa: FLY002 - of a subclass what it holds, not what it says
        if not text.isascii():
            for character in text:
                # Neither a character nor half of one that stands for a byte: C would call an error
                # handler that can be replaced.
                if "\ud800" <= character <= "\udfff" and not "\udc80" <= character <= "\udcff":
                    raise TypeError
        return text
    if type(path) is bytes:
        return path.decode("utf-8", "surrogateescape")
    if type(path) is int or path is None:
        return None
    raise TypeError


def resolve(path: str, base: str = "") -> str:
    """Return a path without links and dots, as far as it exists; raises OSError.

    ``base``, to which it may be relative, has none.
    """
    at, links = "", 0
    if path[:1] != "/":
        at = (base or getcwd()).rstrip("/")
    else:
        for folder in facts["solid"]:
            if path.startswith(folder):
                at, path = folder[:-1], path[len(folder) :]
                break
    parts = path.split("/")[::-1]
    while parts:
        part = parts.pop()
        if part == "..":
            at = at[: at.rfind("/")] if at else ""
        elif part not in ("", "."):
            link = link_at(at + "/" + part)
            if link is None:
                at = at + "/" + part
            else:
                links += 1
                at = "" if link[:1] == "/" else at
                parts += link.split("/")[::-1]
                if links > LINK_CAP:
                    raise OSError
    return at or "/"


def link_at(path: str) -> "str | None":
    """Return where a symbolic link leads, None if there is none; raises OSError in doubt."""
    try:
        return readlink(path)
    except OSError as exc:
        if exc.errno != NO_LINK and exc.errno not in ABSENT:
            raise
        return None


def exists(path: str) -> bool:
    """Return whether there is something, or may be."""
    try:
        lstat(path)
    except OSError as exc:
        return exc.errno not in ABSENT
    return True


def below(path: str, folders: "Iterable[str]") -> bool:
    """Return whether a path without links is one of the folders, or lies below one."""
    for folder in folders:  # noqa: SIM110 - a generator would be a frame more
        if path == folder or path.startswith(folder + "/"):
            return True
    return False


def is_own(path: str) -> bool:
    """Return whether a path without links is the build's: its folders, or new in TMPDIR."""
    if below(path, facts["own"]):
        return not in_environment(path)
    for folder in facts["temp"]:
        if path.startswith(folder + "/"):
            name = path[len(folder) + 1 :].partition("/")[0]
            return name not in facts["foreign"] and not name.startswith(OTHERS)
    return False


def in_environment(path: str) -> bool:
    """Return whether a path of the build's own lies in an environment, as one in the project.

    A folder that the caller gave the build is its own all the same.
    """
    while path not in facts["own"]:
        if path in facts["prefixes"]:
            return True
        if not facts["unpacked"] and is_environment(path):
            return True
        path = path.rpartition("/")[0]
    return False


def is_environment(folder: str) -> bool:
    """Return whether a folder is an environment of Python's, or of conda's."""
    return exists(folder + "/pyvenv.cfg") or exists(folder + "/conda-meta")


def is_secret(path: str) -> bool:
    """Return whether a path without links has the name of what holds credentials."""
    parts = path.split("/")
    return (
        parts[-1] in SECRET_NAMES
        or parts[-1].startswith(".env.")
        or not SECRET_FOLDERS.isdisjoint(parts)
        or path.startswith(SYSTEM_SECRETS)
    )


def may_read(path: str) -> bool:
    """Return whether a path without links is one that builds read."""
    if is_own(path) and (facts["unpacked"] or not is_secret(path)):
        return not is_device(path)
    if not is_secret(path) and is_public(path):
        return True
    return not exists(path)


def is_public(path: str) -> bool:
    """Return whether a path without links is the system's, or the interpreter's."""
    if path.startswith("/proc/"):
        first, _, rest = path[6:].partition("/")
        if first == str(getpid()):
            return rest.rpartition("/")[2] not in ("mem", "environ")
        return first in KERNEL_FILES
    return (
        (path + "/").startswith(SYSTEM)
        or below(path, facts["readable"])
        or path in DEVICES
        or path in LISTED
        or path in facts["temp"]
    )


def is_plain(path: "Any") -> bool:
    """Return whether a path lies, at first sight, in a folder that all may read."""
    if type(path) is str and path.startswith(facts["fast"]):
        for folder in facts["fast"]:
            if path.startswith(folder):
                if "/__pycache__" in path and path.startswith(facts["cached"]):
                    return False
                return "/." not in path[len(folder) - 1 :]
    return False


# What may be done with it.


def read(path: str, base: str = "") -> "Refusal":
    """Return None if the build may read this."""
    if is_plain(path):
        return None
    path = resolve(path, base)
    return None if may_read(path) else want("read", path)


def write(path: str, base: str = "") -> "Refusal":
    """Return None if the build may write what a path leads to."""
    return write_at(resolve(path, base))


def write_name(path: str, base: str = "") -> "Refusal":
    """Return None if the build may change a folder's entry, which may be a link and stays one."""
    return write_at(entry(path, base))


def entry(path: str, base: str) -> str:
    """Return a path without links but for its last part, which may be one."""
    folder, _, name = path.rstrip("/").rpartition("/")
    if name in ("", ".", ".."):
        return resolve(path, base)
    above = resolve(folder or ("/" if path[:1] == "/" else "."), base)
    return above.rstrip("/") + "/" + name


def take_away(path: str, base: str = "") -> "Refusal":
    """Return None if the build may remove or rename a folder's entry.

    Not the project: what stood in its place would be that of the hooks that come.
    """
    place = entry(path, base)
    return want("write", place) if place == facts["project"] else write_at(place)


def write_at(path: str) -> "Refusal":
    """Return None if the build may write a path without links."""
    hooks = "/.git/" in path + "/" and not facts["unpacked"]  # of git's, in the user's own checkout
    if (is_own(path) and not hooks and not is_device(path)) or path in DEVICES:
        return None
    folder, _, name = path.rpartition("/")
    if name == "__pycache__" or (folder.endswith("/__pycache__") and ".pyc" in name):
        return None if is_cache(path) else refusal("no bytecode outside of the build (guard)")
    for site in facts["sites"]:
        # One question for what `setup.py install` writes; what runs at startup is one of its own.
        customizes = name.startswith(("sitecustomize", "usercustomize"))
        if path.startswith(site + "/") and not customizes and not name.endswith(STARTUP_NAMES):
            return want("write", site + "/")
    return want("write", path)


def is_cache(path: str) -> bool:
    """Return whether bytecode is of this build's own environment, which nobody else runs.

    But for pip, which may be trusted and run from there, and what it would import.
    """
    parts = path.split("/")
    return below(path, facts["environments"]) and "pip" not in parts and "keyring" not in parts


def bases_of(path: str, dir_fd: "int | None") -> "list[str]":
    """Return the folders that a path can be relative to; ``dir_fd`` is None where it is not told.

    Then any folder that is open may be meant.
    """
    if path[:1] == "/":
        return ["/"]
    if dir_fd is not None:
        return [readlink(f"/proc/self/fd/{dir_fd}") if dir_fd >= 0 else getcwd()]
    bases = [getcwd()]
    for number in call_own("os.listdir", listdir, "/proc/self/fd"):
        base = link_at("/proc/self/fd/" + number)
        if base is not None and base[:1] == "/" and is_open_folder(int(number)):
            bases.append(base)
    return bases


def is_device(path: str) -> bool:
    """Return whether something is a device, of whatever name, as root can make one."""
    try:
        return lstat(path).st_mode & 0o170000 in (0o020000, 0o060000)
    except OSError as exc:
        if exc.errno not in ABSENT:
            raise
        return False


def is_open_folder(number: int) -> bool:
    """Return whether a folder is open under a number, which may have been removed."""
    try:
        return fstat(number).st_mode & 0o170000 == FOLDER
    except OSError:
        return False  # the listing's own, which is closed by now


def is_file(path: str) -> bool:
    """Return whether something is a regular file."""
    try:
        return lstat(path).st_mode & 0o170000 == 0o100000
    except OSError:
        return False


def is_folder(path: str) -> bool:
    """Return whether something is a folder; raises OSError where none knows."""
    try:
        return lstat(path).st_mode & 0o170000 == FOLDER
    except OSError as exc:
        if exc.errno not in ABSENT:
            raise
        return False


def each_base(
    rule: "Callable[[str, str], Refusal]", path: "Any", dir_fd: "int | None"
) -> "Refusal":
    """Apply a rule to a path as an event names it."""
    path = text_of(path)
    if path is None:
        return None  # it is open already
    for base in bases_of(path, dir_fd):
        refused = rule(path, base)
        if refused is not None:
            return refused
    return None


# The events, as https://docs.python.org/3/library/audit_events.html has them.


def on_open(args: "Any") -> "Refusal":
    """open(path, mode, flags); os.open() tells neither mode nor dir_fd."""
    path, mode, flags = args
    if flags & TMPFILE == TMPFILE:  # a new file without a name, in a folder that may be TMPDIR
        path = (text_of(path) or ".") + "/new"
    writes = flags & WRITING or (type(mode) is str and not {"w", "a", "x", "+"}.isdisjoint(mode))
    if writes and mode is not None and resolve(text_of(path) or "/") in facts["temp"]:
        return None  # no file: tempfile has an opener of its own open one in there, which is asked
    if not writes and is_plain(path):
        return None
    return each_base(write if writes else read, path, None if mode is None else -1)


def on_listing(args: "Any") -> "Refusal":
    """Decide on os.listdir(path), os.scandir(path)."""
    return each_base(list_names, "." if args[0] is None else args[0], -1)


def list_names(path: str, base: str) -> "Refusal":
    """Return None if the build may see what is in a folder."""
    if is_plain(path):
        return None
    path = resolve(path, base)
    if path == facts["above"] or may_read(path):
        return None
    # Python looks for modules where it started, where there are none; meson takes a refusal so.
    unasked = path == facts["start"] or is_beside_programs(path)
    return refusal(NO_LIST) if unasked else want("read", path)


def is_beside_programs(path: str) -> bool:
    """Return whether meson lists a folder for the files of cmake, as it lies beside one of PATH."""
    for folder in facts["beside"]:
        parts = path[len(folder) + 1 :].split("/")
        if (path == folder or path.startswith(folder + "/")) and LIBRARIES.issuperset(parts):
            return True
    return False


def on_write(args: "Any") -> "Refusal":
    """Decide on os.chmod(path, mode, dir_fd), os.utime(path, times, ns, dir_fd) and their like."""
    return on_open_file(args[0]) or each_base(write, args[0], args[-1])


def on_open_file(file: "Any") -> "Refusal":
    """Return None if what is open under a number may be changed; so for all that is no number."""
    path = link_at(f"/proc/self/fd/{file}") if type(file) is int else None
    return write_at(path) if path is not None and path[:1] == "/" else None


def on_entry(args: "Any") -> "Refusal":
    """Decide on os.mkdir(path, mode, dir_fd), os.remove(path, dir_fd)."""
    return each_base(write_name, args[0], args[-1])


def on_rmdir(args: "Any") -> "Refusal":
    """Decide on os.rmdir(path, dir_fd)."""
    return each_base(take_away, args[0], args[-1])


def on_write_here(args: "Any") -> "Refusal":
    """Decide on os.truncate(path, length), os.setxattr(path, ...)."""
    return on_open_file(args[0]) or each_base(write, args[0], -1)


def on_rename(args: "Any") -> "Refusal":
    """Decide on os.rename(source, target, source_dir_fd, target_dir_fd)."""
    return each_base(move, args[0], args[2]) or each_base(move, args[1], args[3])


def move(path: str, base: str) -> "Refusal":
    """Return None if the build may rename something: no folder above an environment."""
    whole = resolve(path, base)
    for prefix in facts["prefixes"]:
        if prefix.startswith(whole + "/"):
            return want("write", whole)
    if not facts["unpacked"] and holds_environment(whole, DEEPEST):
        return want("write", whole)
    return take_away(path, base)


def holds_environment(folder: str, levels: int) -> bool:
    """Return whether an environment lies in a folder, so many levels down."""
    if is_environment(folder):
        return True
    if not levels or not is_folder(folder):
        return False
    for name in call_own("os.listdir", listdir, folder):
        if holds_environment(folder + "/" + name, levels - 1):
            return True
    return False


def on_link(args: "Any") -> "Refusal":
    """Decide on os.link(source, target, source_dir_fd, target_dir_fd)."""
    # What is written by its other name must be the build's too.
    return each_base(write, args[0], args[2]) or each_base(write_name, args[1], args[3])


def on_symlink(args: "Any") -> "Refusal":
    """Decide on os.symlink(source, target, dir_fd); where it leads is looked at when it is used."""
    return each_base(write_name, args[1], args[2])
