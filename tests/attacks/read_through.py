"""Read a key by another path: links, dots, the doors in /proc."""

import codecs
import os
import stat
import subprocess
import sys

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


def go_deep():
    """Make a folder whose path is as long as any may be, and go there."""
    there = len(os.getcwd())
    while there < 4080:
        name = "d" * min(200, 4089 - there)
        os.mkdir(name)
        os.chdir(name)
        there += len(name) + 1


def deep():
    """Have a link in such a folder."""
    go_deep()
    os.symlink(aim.SECRET, "linklinklink")
    aim.read("linklinklink")


def deep_from_descriptor():
    """The same, from the folder's descriptor."""
    os.makedirs("there")
    os.chdir("there")
    go_deep()
    folder = os.open(".", os.O_RDONLY)
    os.symlink(aim.SECRET, "linklinklink")
    os.chdir(aim.WORK)
    aim.put("linklinklink", "harmless")
    aim.take(os.read(os.open("linklinklink", os.O_RDONLY, dir_fd=folder), 10_000))


def by_child(path, **options):
    """Have a child read that starts with other folders than this one."""
    code = f"print(open({path!r}).read())"
    words = [sys.executable, "-m", "timeit", "-n1", "-r1", code]  # which knows its folder's name
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    aim.take(done.stdout)
    os.write(2, done.stdout)


def called_as_pips():
    """Have a link where pip has its folders, before a child finds out which there are."""
    link = os.path.join(os.path.dirname(aim.OTHER_BUILD), "pip-" + aim.TOKEN)
    os.symlink(aim.KEYS, link)
    try:
        by_child(os.path.join(link, "id_rsa"))
    finally:
        os.remove(link)


def from_removed_folder():
    """Go up from a folder that is there no more, and be where the same words lead to nothing."""
    os.mkdir("removed")
    os.makedirs("a/b/c/d")
    folder = os.open("removed", os.O_RDONLY)
    os.rmdir("removed")
    os.chdir("a/b/c/d")
    path = os.path.relpath(aim.SECRET, os.path.join(aim.WORK, "removed"))
    aim.take(os.read(os.open(path, os.O_RDONLY, dir_fd=folder), 10_000))


def by_error_handler():
    """Have half a character stand for a path, and then for another name."""
    paths = [os.fsencode(os.path.relpath(aim.SECRET))]

    def handler(error):
        return paths.pop() if paths else b"z", error.end

    codecs.register_error("surrogateescape", handler)
    aim.read("\ud800")


def as_bytecode(make):
    """Have a link be called as bytecode is, in the environment that pip made for this build."""
    for folder in sys.path:
        if "build-env" in folder and os.path.isdir(folder):
            os.makedirs(os.path.join(folder, "__pycache__"), exist_ok=True)
            link = os.path.join(folder, "__pycache__", aim.TOKEN + ".pyc")
            make(link)
            try:
                aim.read(os.path.join(link, "id_rsa"))
            finally:
                os.remove(link)
            return
    raise aim.Unavailable("no folder of an isolated build is on the path")


def renamed(link):
    os.symlink(aim.KEYS, "link")
    os.rename("link", link)


def device():
    """Read a device by a node of one's own."""
    if os.geteuid():
        raise aim.Unavailable("only root may do that")
    try:
        os.mknod("node", stat.S_IFCHR | 0o600, os.makedev(1, 5))
        with open("node", "rb") as file:
            zeros = file.read(3)
    except PermissionError as error:
        if "safesite" in str(error):
            raise
        raise aim.Unavailable(error) from None  # not in each container
    if zeros == bytes(3):
        aim.reached()


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
    "deep folder": deep,
    "deep folder from descriptor": deep_from_descriptor,
    "called as pip's": called_as_pips,
    "folder of a child": lambda: by_child(aim.SECRET, cwd=aim.KEYS),
    "device": device,
    "removed folder": from_removed_folder,
    "error handler": by_error_handler,
    "bytecode": lambda: as_bytecode(lambda link: os.symlink(aim.KEYS, link)),
    "renamed to bytecode": lambda: as_bytecode(renamed),
    "~": lambda: aim.read(os.path.expanduser("~/.ssh/id_rsa")),
}
WAYS[aim.VARIANT]()
