"""Change a file of the user's that is there already."""

import os
import shutil

import aim

VICTIM = aim.VICTIM
FOLDER = os.path.dirname(VICTIM)
NAME = os.path.basename(VICTIM)


def emptied():
    os.ftruncate(os.open(VICTIM, os.O_WRONLY), 0)


def from_folder(change):
    """Give the name alone, and a descriptor."""
    os.chdir(aim.WORK)
    aim.put(NAME, "harmless")
    change(NAME, os.open(FOLDER, os.O_PATH))


def linked(change):
    os.symlink(VICTIM, "link")
    change("link")


def from_cwd():
    os.chdir(FOLDER)
    os.remove(NAME)


def renamed_away():
    """Take a file into the build, where reading is free."""
    os.rename(VICTIM, "mine")
    aim.read("mine")


def removed_tree():
    """Remove a tree, in which the victim lies."""
    os.symlink(FOLDER, "link")
    shutil.rmtree(os.path.join("link", aim.TOKEN + ".tree"))


def parent_folder():
    os.rename(aim.VICTIM + ".tree", aim.VICTIM + ".moved")


def other_group():
    if os.geteuid():
        raise aim.Unavailable("only root may do that")
    os.chown(VICTIM, 12345, 12345)


def attribute():
    try:
        os.setxattr(VICTIM, "user.test", b"x")
    except PermissionError:
        raise
    except OSError as error:  # not in each file system
        raise aim.Unavailable(error) from None


WAYS = {
    "open": lambda: open(VICTIM, "w").close(),
    "append": lambda: open(VICTIM, "ab").write(b"x"),
    "os.truncate": lambda: os.truncate(VICTIM, 0),
    "os.ftruncate": emptied,
    "O_TRUNC": lambda: os.close(os.open(VICTIM, os.O_RDONLY | os.O_TRUNC)),
    "os.remove": lambda: os.remove(VICTIM),
    "remove from descriptor": lambda: from_folder(lambda name, at: os.unlink(name, dir_fd=at)),
    "remove from cwd": from_cwd,
    "os.rename": renamed_away,
    "rename from descriptor": lambda: from_folder(
        lambda name, at: os.rename(name, "mine", src_dir_fd=at)
    ),
    "rename folder": parent_folder,
    "shutil.move": lambda: shutil.move(VICTIM, "mine"),
    "os.replace onto": lambda: os.replace(aim.put("new", ""), VICTIM),
    "os.chmod": lambda: os.chmod(VICTIM, 0o666),
    "os.chmod of link": lambda: linked(lambda link: os.chmod(link, 0o666)),
    "chmod from descriptor": lambda: from_folder(lambda name, at: os.chmod(name, 0o666, dir_fd=at)),
    "fchmod": lambda: os.chmod(os.open(VICTIM, os.O_RDONLY), 0o666),
    "os.chown": other_group,
    "os.utime": lambda: os.utime(VICTIM, (1, 1)),
    "os.utime of link": lambda: linked(lambda link: os.utime(link, (1, 1))),
    "os.setxattr": attribute,
    "os.rmdir": lambda: os.rmdir(VICTIM + ".empty"),
    "shutil.rmtree": lambda: shutil.rmtree(VICTIM + ".tree"),
    "shutil.rmtree of link": removed_tree,
    "truncate of link": lambda: linked(lambda link: os.truncate(link, 0)),
}
WAYS[aim.VARIANT]()
