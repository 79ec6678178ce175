"""``--protect`` and ``--unprotect``: an environment's Python under safesite, whoever starts it.

In the environment's ``bin`` each name of its interpreter becomes an interpreter launcher: a shell
script that holds all it needs as literals, and looks at each of them at every start.  What stood
there is kept in ``.safesite``, with a record (see `protection`).  The interpreter itself is started
through a link in a folder with a random name: it takes the folder above for its environment, and no
wheel, whose names are fixed, can put anything beside it.

Interrupted anywhere, each name still starts.  First everything that is new is written, in places of
its own; then the record, in one step; then the launchers are put over the names, each in one step
and needing no other; then what no launcher needs any more is removed.  `unprotect` goes the other
way.  Both begin by looking at what there is, so either finishes what was broken off.

Nothing of the environment is run or imported.  Runs for its two options alone, and may use the
whole standard library.
"""

import contextlib
import errno
import json
import os
import secrets
import shutil
import sys

from safesite import __version__, protection
from safesite.keep import place, quoted, say
from safesite.protectable import NAME, Base, Environment, Refused, is_copy
from safesite.protection import CONFIG, FOLDER, KEPT, RECORD, STAGED
from safesite.stdlib import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PACKAGE = os.path.dirname(os.path.realpath(__file__))
ADVICE = {
    errno.EACCES: "; do this as the environment's owner",
    errno.EPERM: "; do this as the environment's owner",
    errno.EROFS: "; protect it before it is made read-only",
}


def main(name: str, args: "list[str]", _path: "list[str]") -> int:
    """Protect or unprotect the environment that the arguments name; return the exit code."""
    if args[:1] == ["--"]:
        args = args[1:]
    elif args and args[0].startswith("-"):
        say(f"safesite: unknown option {quoted(args[0])} of {name}; see --help (usage)")
        return 2
    if len(args) != 1 or not args[0]:
        say(f"safesite: {name} needs the folder of one environment; see --help (usage)")
        return 2
    try:
        check_platform()
        environment = Environment(args[0])
        with environment.locked():
            return protect(environment) if name == "--protect" else unprotect(environment)
    except Refused as exc:
        say(f"safesite: {exc}")
    except OSError as exc:
        where = place(exc.filename) if isinstance(exc.filename, str) else place(args[0])
        advice = ADVICE.get(exc.errno or 0, "")
        say(f"safesite: {where}: {exc.strerror or ascii(str(exc))}{advice} (os-error)")
    return 2


def check_platform() -> None:
    """Refuse where a script can be no script's interpreter, or is no program at all."""
    if os.name != "posix":
        raise Refused("--protect is not there on Windows, which starts no scripts (platform)")
    if sys.platform == "darwin":
        why = "macOS starts no script by a script, so the environment's commands would not start"
        raise Refused(f"--protect is not there on macOS: {why} (platform)")


# Protecting.


class Names:
    """The names in ``bin`` that are to be launchers, by what they are now.

    ``ours``: launchers.  ``pythons``: the interpreter, a link to it or a copy.  ``gone``: no longer
    there, while the original is kept.  ``foreign``: Python by name, or once ours, and neither.
    """

    def __init__(self, base: Base) -> None:
        environment = base.environment
        kept = protection.listed(environment.path(KEPT))
        self.ours = environment.launchers()
        self.pythons: list[str] = []
        self.gone: list[str] = []
        self.foreign: list[str] = []
        for name in sorted({*os.listdir(environment.bin), *kept} - set(self.ours)):
            path = os.path.join(environment.bin, name)
            if not os.path.lexists(path):
                self.gone += [name] if base.is_behind(name) else []
            elif base.is_behind(name):
                self.pythons.append(name)
            elif name in kept or (NAME.fullmatch(name) and os.path.exists(path)):
                self.foreign.append(name)

    @property
    def all(self) -> "list[str]":
        """Those that become launchers."""
        return sorted([*self.ours, *self.pythons, *self.gone])


def protect(environment: Environment) -> int:
    """Make each Python in ``bin`` a launcher, or again one, or one of this safesite."""
    if environment.holds(PACKAGE):
        why = "lies inside the environment, where packages can replace it; use one from outside"
        raise Refused(f"{place(PACKAGE)}: this safesite {why} (inside)")
    base = Base(environment)
    record = environment.record()
    names = Names(base)
    if record is None and names.ours:
        where = place(environment.path(RECORD))
        raise Refused(f"{where}: is missing; --unprotect first (record)")
    if record is not None and record["home"] != base.home:
        was = f"home was {place(record['home'])} when it was protected"
        how = "restore that, or --unprotect first"
        raise Refused(f"{base.where}: home = {place(base.home)}, but {was}; {how} (home)")
    for name in names.foreign:
        path = os.path.join(environment.bin, name)
        why = (
            "not this environment's interpreter; to have it protected, remove it or put that there"
        )
        say(f"safesite: {place(path)}: left as it is: {why} (foreign)")
    if record is not None and is_whole(base, record, names):
        tell(f"{place(environment.folder)}: protected already: {told(record['launchers'])}")
        return 2 if names.foreign else 0
    tell_undone(base, record, names)
    start = f"{FOLDER}-{secrets.token_hex(8)}"
    stage(base, start, names)
    commit(environment, record_of(base, start, names.all))
    for name in names.all:
        os.rename(environment.path(STAGED, "new", name), os.path.join(environment.bin, name))
    remove_start_folders(environment, but=start)
    shutil.rmtree(environment.path(STAGED))
    by = f"by safesite {__version__} in {place(PACKAGE)}"
    tell(f"{place(environment.folder)}: protected {by}: {told(names.all)}")
    return 2 if names.foreign else 0


def told(names: "list[str] | dict[str, str]") -> str:
    """Return names as the end of a sentence."""
    return ", ".join(map(place, names))


def is_whole(base: Base, record: "dict[str, Any]", names: Names) -> bool:
    """Return whether all is as this command would leave it."""
    environment, start = base.environment, record["start"]
    folder = environment.path(start)
    return (
        not (names.pythons or names.gone or os.path.lexists(environment.path(STAGED)))
        and protection.start_folders(environment.folder) == [start]
        and record_of(base, start, names.ours) == record
        and not protection.changed(environment.folder, record)
        and all(is_link_to(os.path.join(folder, name), base.path) for name in names.ours)
    )


def is_link_to(path: str, target: str) -> bool:
    return os.path.islink(path) and os.readlink(path) == target


def tell_undone(base: Base, record: "dict[str, Any] | None", names: Names) -> None:
    """Say what had undone the protection that is renewed."""
    environment = base.environment
    if os.path.lexists(environment.path(STAGED)):
        what = "an interrupted --protect is finished now"
        say(f"safesite: {place(environment.folder)}: {what} (unfinished)")
        return
    if record is None:
        return
    for name in protection.changed(environment.folder, record):
        if name not in names.foreign:
            path = os.path.join(environment.bin, name)
            say(f"safesite: {place(path)}: was not the launcher any more; it is again (undone)")
    if record["config"] != protection.digest(base.config):
        say(f"safesite: {base.where}: has changed, but for home; recorded anew (config)")


def record_of(base: Base, start: str, names: "list[str]") -> "dict[str, Any]":
    """Return the record of launchers that use a start folder."""
    launchers = {name: protection.digest(launcher(base, start, name)) for name in names}
    return {
        "format": 1,
        "safesite": __version__,
        "package": PACKAGE,
        "home": base.home,
        "base": base.path,
        "start": start,
        "config": protection.digest(base.config),
        "launchers": launchers,
    }


def stage(base: Base, start: str, names: Names) -> None:
    """Write all that is new, where nothing looks for it yet: the start folder, the launchers.

    Keeps each Python that is no launcher yet.
    """
    environment = base.environment
    staged = environment.path(STAGED)
    if os.path.lexists(staged):
        shutil.rmtree(staged)
    for folder in (FOLDER, KEPT, STAGED, os.path.join(STAGED, "new"), start):
        make_folder(environment.path(folder))
    for name in names.all:
        os.symlink(base.path, environment.path(start, name))
        write(environment.path(STAGED, "new", name), launcher(base, start, name), 0o755)
    for name in names.pythons:
        keep(os.path.join(environment.bin, name), environment.path(KEPT, name), staged)


def make_folder(path: str) -> None:
    """Make a folder that everybody may read, whatever the umask, unless it is there."""
    if not os.path.isdir(path):
        os.mkdir(path)
        os.chmod(path, 0o755)  # noqa: S103 - as the environment's other folders


def write(path: str, data: bytes, mode: int) -> None:
    """Write a new file, and have it on the disk."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def keep(path: str, kept: str, staged: str) -> None:
    """Keep a file or link under a second name: itself, or where that cannot be, a true copy."""
    new = os.path.join(staged, "kept")
    if os.path.lexists(kept) and os.path.samestat(os.lstat(path), os.lstat(kept)):
        return
    try:
        os.link(path, new, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, new, follow_symlinks=False)
    os.rename(new, kept)


def commit(environment: Environment, record: "dict[str, Any]") -> None:
    """Put a record in place, in one step."""
    new = environment.path(STAGED, "record")
    write(new, (json.dumps(record, indent=1) + "\n").encode("ascii"), 0o644)
    os.rename(new, environment.path(RECORD))


def launcher(base: Base, start: str, name: str) -> bytes:
    """Return the text of the launcher that stands in ``bin`` under a name."""
    environment = base.environment
    path = os.path.join(environment.bin, name)
    again = "run safesite --protect on it"
    literals = {
        "self": path,
        "python": environment.path(start, name),
        "base": base.path,
        "start": os.path.join(PACKAGE, "command", "child.py"),
        "config": environment.path(CONFIG),
        "size": str(len(base.config)),
        "moved": f"{place(path)}: the environment was moved or copied from there; {again}",
        "changed": f"{base.where}: not what it was when the environment was protected, so nothing "
        f"starts; restore it, or {again}",
        "replaced": f"{place(base.path)}: the interpreter is gone, or not the one of this "
        f"environment any more; {again}",
        "gone": f"{place(PACKAGE)}: safesite is not there any more; {again}, from another place",
    }
    lines = [b"_%b=%b\n" % (key.encode(), shell_literal(text)) for key, text in literals.items()]
    with open(os.path.join(PACKAGE, "command", "protected.sh"), "rb") as file:
        return b"".join([protection.HEADER, *lines, *same_lines(base.config), file.read()])


def shell_literal(text: "str | bytes") -> bytes:
    """Return any bytes as a word of a shell script that stands for them and nothing else."""
    return b"'" + os.fsencode(text).replace(b"'", b"'\"'\"'") + b"'"


def same_lines(config: bytes) -> "Iterator[bytes]":
    """Yield the shell function that reads lines until one is not as it was."""
    *lines, rest = config.split(b"\n")
    yield b"same_lines() {\n"
    for line in lines:
        yield b'    IFS= read -r _line && [ "$_line" = %b ] &&\n' % shell_literal(line)
    yield b"    ! IFS= read -r _line && [ \"$_line\" = %b ] && _line='' && same_size\n}\n" % (
        shell_literal(rest)
    )


# Unprotecting.


def unprotect(environment: Environment) -> int:
    """Put back what stood in ``bin``, and take away all that `protect` has written."""
    folder = place(environment.folder)
    starts = protection.start_folders(environment.folder)
    if not starts and not os.path.lexists(environment.path(FOLDER)):
        tell(f"{folder}: not protected, so nothing to do")
        return 0
    kept = sorted(protection.listed(environment.path(KEPT)))
    for name in environment.launchers():
        if name not in kept:
            why = "a launcher, of which the original is not kept; put Python there first"
            raise Refused(f"{place(os.path.join(environment.bin, name))}: {why} (original)")
    restored = [name for name in kept if restore(environment, name)]
    remove_start_folders(environment)
    whole = remove_kept(environment)
    names = f": {told(restored)}" if restored else ""
    tell(f"{folder}: not protected any more{names}")
    return 0 if whole else 2


def restore(environment: Environment, name: str) -> bool:
    """Put back what is kept under a name, unless something else has taken its place."""
    path, kept = os.path.join(environment.bin, name), environment.path(KEPT, name)
    if environment.is_launcher(name) or not os.path.lexists(path):
        os.rename(kept, path)
        return True
    if not is_same(path, kept):
        say(f"safesite: {place(path)}: left as it is: not the launcher any more (undone)")
    return False


def is_same(path: str, other: str) -> bool:
    """Return whether two files are one, or links or files that are alike."""
    if os.path.samestat(os.lstat(path), os.lstat(other)):
        return True
    if os.path.islink(path) or os.path.islink(other):
        return os.path.islink(path) and is_link_to(other, os.readlink(path))
    return is_copy(path, other)


def remove_start_folders(environment: Environment, but: str = "") -> None:
    """Remove the folders that no launcher names any more; what else is in one stays, with it."""
    for start in protection.start_folders(environment.folder):
        folder = environment.path(start)
        if start == but or os.path.islink(folder) or not os.path.isdir(folder):
            continue
        for name in os.listdir(folder):
            if os.path.islink(os.path.join(folder, name)):
                os.unlink(os.path.join(folder, name))
        remove_folder(folder)


def remove_kept(environment: Environment) -> bool:
    """Remove ``.safesite``, the record last; return whether nothing else was in it."""
    for folder in (environment.path(STAGED), environment.path(KEPT)):
        if os.path.isdir(folder) and not os.path.islink(folder):
            shutil.rmtree(folder)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(environment.path(RECORD))
    return remove_folder(environment.path(FOLDER))


def remove_folder(folder: str) -> bool:
    """Remove a folder; one that holds anything stays, and is named."""
    try:
        os.rmdir(folder)
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        say(f"safesite: {place(folder)}: holds what is not from --protect, so it stays (foreign)")
        return False
    return True
