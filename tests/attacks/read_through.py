"""Read a key by another path: links, dots, the doors in /proc."""

import os

import aim

RELATIVE = os.path.relpath(aim.SECRET)


def symlink():
    os.symlink(aim.SECRET, "link")
    aim.read("link")


def symlink_of_folder():
    os.symlink(aim.HOME, "link")
    aim.read("link/.ssh/id_rsa")


def chain():
    os.symlink(RELATIVE, "first")
    os.symlink("first", "second")
    os.mkdir("below")
    os.symlink("../second", "below/third")
    aim.read("below/third")


def hard_link():
    os.link(aim.SECRET, "link")
    aim.read("link")


def hard_link_from_folder():
    folder = os.open(aim.KEYS, os.O_PATH)
    os.link("id_rsa", "link", src_dir_fd=folder)
    aim.read("link")


def dots_behind_link():
    """Go up from where a link leads, which is not where its name lies."""
    os.symlink(aim.KEYS, "link")
    aim.read("link/../.ssh/id_rsa")


def from_folder(folder, name):
    os.chdir(folder)
    aim.read(name)


def from_descriptor():
    os.fchdir(os.open(aim.KEYS, os.O_PATH))
    aim.read("id_rsa")


def by_descriptor(place):
    folder = os.open(aim.HOME, os.O_PATH)
    aim.read(place.format(folder) + "/.ssh/id_rsa")


def by_opened():
    """Open it as a place only, and then that place for reading."""
    place = os.open(aim.SECRET, os.O_PATH)
    aim.read(f"/proc/self/fd/{place}")


def by_cwd():
    os.chdir(aim.HOME)
    aim.read("/proc/self/cwd/.ssh/id_rsa")


WAYS = {
    "symlink": symlink,
    "symlink of folder": symlink_of_folder,
    "chain of symlinks": chain,
    "hard link": hard_link,
    "hard link from folder": hard_link_from_folder,
    "dots": lambda: aim.read(RELATIVE),
    "dots in the middle": lambda: aim.read(
        f"{aim.WORK}/../../{os.path.relpath(aim.SECRET, aim.WORK + '/../..')}"
    ),
    "dots behind link": dots_behind_link,
    "two slashes": lambda: aim.read("/" + aim.SECRET),
    "many slashes": lambda: aim.read(aim.SECRET.replace("/", "//./")),
    "/proc/self/root": lambda: aim.read("/proc/self/root" + aim.SECRET),
    "/proc/thread-self/root": lambda: aim.read("/proc/thread-self/root" + aim.SECRET),
    "/proc/PID/root": lambda: aim.read(f"/proc/{os.getppid()}/root" + aim.SECRET),
    "/proc/self/task": lambda: aim.read(f"/proc/self/task/{os.getpid()}/root" + aim.SECRET),
    "/proc/self/cwd": by_cwd,
    "/proc/self/fd": lambda: by_descriptor("/proc/self/fd/{}"),
    "/dev/fd": lambda: by_descriptor("/dev/fd/{}"),
    "opened as a place": by_opened,
    "chdir": lambda: from_folder(aim.KEYS, "id_rsa"),
    "chdir home": lambda: from_folder(aim.HOME, ".ssh/id_rsa"),
    "chdir root": lambda: from_folder("/", aim.SECRET[1:]),
    "fchdir": from_descriptor,
    "~": lambda: aim.read(os.path.expanduser("~/.ssh/id_rsa")),
}
WAYS[aim.VARIANT]()
