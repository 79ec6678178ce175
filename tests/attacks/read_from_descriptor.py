"""Read a key by a path that counts from the folder of a descriptor, of which an audit hook is not told."""

import os

import aim


def taken(path, folder):
    aim.take(os.read(os.open(path, os.O_RDONLY, dir_fd=folder), 10_000))


def hidden(folder, path):
    """Have a harmless file of that path where one would look for it."""
    aim.put(path, "harmless")
    taken(path, os.open(folder, os.O_PATH))


def link_in_folder():
    """Have the same name lead to another place there than here."""
    os.mkdir("there")
    os.symlink(aim.SECRET, "there/name")
    aim.put("name", "harmless")
    taken("name", os.open("there", os.O_RDONLY))


def dots_from_folder():
    os.makedirs("some/folder/further/down")
    up = os.path.relpath(aim.SECRET, "some/folder/further/down")
    os.makedirs("here/" * 9)
    os.chdir("here/" * 9)
    taken(up, os.open(os.path.join(aim.WORK, "some/folder/further/down"), os.O_RDONLY))


def opener():
    folder = os.open(aim.KEYS, os.O_PATH)
    aim.put("id_rsa", "harmless")
    opened = open("id_rsa", "rb", opener=lambda name, flags: os.open(name, flags, dir_fd=folder))
    aim.take(opened.read())


def link_of_descriptor():
    """Link what a descriptor leads to."""
    folder = os.open("/", os.O_PATH)
    os.link(aim.SECRET[1:], "linked", src_dir_fd=folder)
    aim.read("linked")


def walked():
    """Use the descriptors of os.fwalk."""
    for _, _, names, folder in os.fwalk(aim.KEYS):
        for name in names:
            taken(name, folder)


def up_from_here():
    """Climb by one folder at a time."""
    folder = os.open(".", os.O_RDONLY)
    for _ in range(aim.WORK.count("/")):
        folder = os.open("..", os.O_RDONLY, dir_fd=folder)
    taken(aim.SECRET[1:], folder)


def bytes_path():
    aim.put("id_rsa", "harmless")
    taken(b"id_rsa", os.open(os.fsencode(aim.KEYS), os.O_PATH))


class Number:
    """A descriptor that is told by a method alone."""

    def __init__(self, number):
        self.number = number

    def __index__(self):
        return self.number


def by_index():
    aim.put("id_rsa", "harmless")
    taken("id_rsa", Number(os.open(aim.KEYS, os.O_PATH)))


def number_of_cwd():
    """Have the number differ each time it is asked."""
    aim.put("id_rsa", "harmless")
    here, there = os.open(".", os.O_PATH), os.open(aim.KEYS, os.O_PATH)

    class Changing:
        asked = 0

        def __index__(self):
            self.asked += 1
            return here if self.asked % 2 else there

    changing = Changing()
    for _ in range(2):
        taken("id_rsa", changing)


WAYS = {
    "folder": lambda: hidden(aim.KEYS, "id_rsa"),
    "home": lambda: hidden(aim.HOME, ".ssh/id_rsa"),
    "root": lambda: hidden("/", aim.SECRET[1:]),
    "link in folder": link_in_folder,
    "dots": dots_from_folder,
    "opener": opener,
    "link of descriptor": link_of_descriptor,
    "fwalk": walked,
    "up from here": up_from_here,
    "bytes": bytes_path,
    "index": by_index,
    "changing index": number_of_cwd,
}
WAYS[aim.VARIANT]()
