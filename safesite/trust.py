"""Whether nobody else can write a policy, for one that does not plainly show it.

As OpenSSH looks at its files: on the open file, and on every folder above it.  Root and the user
are nobody else, and neither is a group that has no other member.  Loaded by ``keep`` and by the
commands; imports only what stock ``site`` has loaded, and what tells users and groups.
"""

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safesite.core import Startup

if TYPE_CHECKING or __name__ == "safesite.trust":
    from safesite import entries, keep, pins
else:
    import _safesite_entries as entries
    import _safesite_keep as keep
    import _safesite_pins as pins

LINK_CAP = 40
ACCESS_LIST = "system.posix_acl_access"  # its entries hide behind the mode's bits of the group


class Ignored(Exception):
    """A policy that grants nothing: the path that is to blame, why, and the message's slug."""

    def __init__(self, path: str, reason: str, slug: str) -> None:
        super().__init__(path, reason, slug)
        self.path, self.reason, self.slug = path, reason, slug


def read_or_tell(startup: "Startup", path: str) -> "keep.Policy | None":
    """Return the policy in a file, None if it does not count; says so of one that is there."""
    try:
        return read(path)
    except Ignored as exc:
        if exc.slug != "policy-missing" or path == os.environ.get("SAFESITE_POLICY"):
            entries.report(startup, exc.path, 0, exc.reason, exc.slug)
        return None


def read(path: str) -> "keep.Policy":
    """Return the policy in a file; raises Ignored."""
    if not os.path.isabs(path):
        raise Ignored(path, "not an absolute path", "policy-relative")
    try:
        real, above = resolve(path)
        return keep.Policy(real, read_file(real), above)
    except FileNotFoundError:
        raise Ignored(path, "not there", "policy-missing") from None
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or str(exc)
        raise Ignored(path, why, "policy-unreadable") from None


def read_file(path: str) -> bytes:
    """Return what is in a file, which is checked when it is open; raises Ignored, OSError."""
    file = os.open(path, keep.OPEN)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise Ignored(path, "not a regular file", "policy-mode")
        check(status, path)
        data = b""
        while len(data) <= keep.POLICY_CAP and (more := os.read(file, 1 << 20)):
            data += more
    finally:
        os.close(file)
    if len(data) > keep.POLICY_CAP:
        raise Ignored(path, f"larger than {keep.POLICY_CAP} bytes", "policy-size")
    return data


def resolve(path: str) -> "tuple[str, list[os.stat_result]]":
    """Return the real path of a file or folder, and the status of each folder on that path.

    Checks each folder on the way: a link may lead through one that is in neither path.  Raises
    Ignored, OSError.
    """
    if os.name != "posix":
        real = os.path.realpath(path, strict=True)
        return real, [os.stat(real[:end]) for end, char in enumerate(real) if char == os.sep]
    parts, links = path.split("/")[::-1], 0
    root = os.lstat("/")
    check(root, "/")
    at, above = "", [root]
    while parts:
        part = parts.pop()
        if part == "..":
            at, above = at.rpartition("/")[0], above[: max(1, len(above) - 1)]
        elif part not in ("", "."):
            here = f"{at}/{part}"
            status = os.lstat(here)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                target = os.readlink(here)
                parts += target.split("/")[::-1]
                if target[:1] == "/":
                    at, above = "", [root]
                if links > LINK_CAP:
                    raise Ignored(path, "too many links", "policy-unreadable")
            elif stat.S_ISDIR(status.st_mode):
                check(status, here)
                at, above = here, [*above, status]
            elif parts:
                raise Ignored(path, "not there", "policy-missing")
            else:
                return here, above
    return at or "/", above


def check(status: os.stat_result, path: str) -> None:
    """Raise Ignored for a file or folder that another user owns or can write."""
    if os.name == "posix":
        if status.st_uid not in (0, os.geteuid()):
            raise Ignored(path, "another user owns it", "policy-owner")
        if status.st_mode & 0o002:
            raise Ignored(path, "others can write it", "policy-mode")
        if status.st_mode & 0o020 and has_others(status.st_gid, path):
            raise Ignored(path, "its group can write it", "policy-mode")


def has_others(gid: int, path: str) -> bool:
    """Return whether anybody but root and the user can write what a group can write.

    Also where it cannot be told: then the file grants nothing.
    """
    try:
        if ACCESS_LIST in os.listxattr(path, follow_symlinks=False):
            return True
    except (OSError, AttributeError):  # the file system, or the platform, has none
        pass
    try:
        users, groups = pins.load_from_library("pwd"), pins.load_from_library("grp")
        own = {"root", users.getpwuid(os.geteuid()).pw_name}
        primary = {user.pw_name for user in users.getpwall() if user.pw_gid == gid}
        return not own.issuperset([*groups.getgrgid(gid).gr_mem, *primary])
    except (ImportError, KeyError, OSError):
        return True
