"""Write into the home folder with each function that can."""

import cProfile
import logging
import os
import pathlib
import py_compile
import random
import resource
import shutil
import socket
import tarfile
import tempfile
import time
import zipfile

import aim

HOME = aim.HOME
PLACE = os.path.join(HOME, aim.TOKEN)
TEXT = aim.put("text", aim.TOKEN)
CREATE = os.O_WRONLY | os.O_CREAT


def by_descriptor(path=PLACE, **folder):
    os.write(os.open(path, CREATE, **folder), aim.TOKEN.encode())


def in_folder():
    """Give a path that counts from a descriptor."""
    by_descriptor(aim.TOKEN, dir_fd=os.open(HOME, os.O_PATH))


def through_link():
    os.symlink(HOME, "link")
    pathlib.Path("link", aim.TOKEN).write_text(aim.TOKEN)


def through_dangling_link():
    """Write to a link that leads to a file yet to be made."""
    os.symlink(PLACE, "link")
    pathlib.Path("link").write_text(aim.TOKEN)


def through_hard_link():
    os.link(aim.VICTIM, "link")
    pathlib.Path("link").write_text(aim.TOKEN)


def with_link_back():
    """Name a new folder of one's own, in whose place a link then stands."""
    os.mkdir("folder")
    os.rmdir("folder")
    os.symlink(HOME, "folder")
    pathlib.Path("folder", aim.TOKEN).write_text(aim.TOKEN)


def extracted():
    """Unpack an archive whose member leads out of the folder."""
    with tarfile.open("archive.tar", "w") as archive:
        archive.add(TEXT, arcname=os.path.relpath(PLACE))
    with tarfile.open("archive.tar") as archive:
        archive.extractall(
            path=".", **({"filter": "fully_trusted"} if hasattr(tarfile, "data_filter") else {})
        )


def zipped():
    with zipfile.ZipFile(PLACE, "w") as archive:
        archive.writestr("x", aim.TOKEN)


def logged():
    handler = logging.FileHandler(PLACE)
    handler.emit(logging.makeLogRecord({"msg": aim.TOKEN}))


def temporary():
    os.close(tempfile.mkstemp(prefix=aim.TOKEN, dir=HOME)[0])


def shelved():
    import shelve

    with shelve.open(PLACE, "n") as shelf:
        shelf[aim.TOKEN] = 1


def dumb():
    import dbm.dumb

    dbm.dumb.open(PLACE, "n").close()


def bound():
    socket.socket(socket.AF_UNIX).bind(PLACE[:107])


def bound_in_bytes():
    """Go through a link whose name is another text for who takes its bytes for letters."""
    os.symlink(HOME, b"\xc3\xa9")
    socket.socket(socket.AF_UNIX).bind(b"\xc3\xa9/" + aim.TOKEN.encode())


def aborted():
    """Have the system write down the memory of a process where that is."""
    with open("/proc/sys/kernel/core_pattern") as pattern:
        if pattern.read(1) in ("|", "/"):
            raise aim.Unavailable("such files lie elsewhere")
    unlimited = (resource.RLIM_INFINITY,) * 2
    if "SAFESITE_GUARD" not in os.environ and resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        raise aim.Unavailable("there are no such files")
    child = os.fork()
    if not child:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, unlimited)
        except OSError as error:
            print(error, flush=True)
        os.chdir(HOME)
        os.abort()
    if os.WCOREDUMP(os.waitpid(child, 0)[1]):
        aim.reached()
    for path in pathlib.Path(HOME).glob("core*"):
        path.unlink()


def in_proc():
    pathlib.Path("/proc/self/root" + PLACE).write_text(aim.TOKEN)


def renamed_in():
    os.rename("text", aim.TOKEN, dst_dir_fd=os.open(HOME, os.O_PATH))


def linked_in():
    os.symlink(TEXT, aim.TOKEN, dir_fd=os.open(HOME, os.O_PATH))


def database():
    aim.need("_sqlite3")
    import sqlite3

    sqlite3.connect(PLACE).execute(f"CREATE TABLE '{aim.TOKEN}' (x)")


INNOCENT = os.path.join(aim.SITE_PACKAGES, "innocent", "__init__.py")  # all may read it


def by_another_name():
    """Write to a hard link of a file that may be read."""
    os.link(INNOCENT, "link")
    with open("link", "a") as file:
        file.write(f"# {aim.TOKEN}\n")


def by_number(change):
    """Change a file that is open for reading."""
    number = os.open(INNOCENT, os.O_RDONLY)
    before = os.fstat(number)
    change(number, before)
    after = os.fstat(number)
    if (before.st_mode, before.st_mtime) != (after.st_mode, after.st_mtime):
        aim.reached()


def made_later():
    """Wait for what another program makes beside the build while this runs, and write into that."""
    folder = os.path.dirname(aim.OTHER_BUILD)
    place = os.path.join(folder, "pip-unpack-later", "other.whl")
    open(os.path.join(folder, "wish"), "w").close()
    end = time.monotonic() + 5
    while not os.path.exists(place) and time.monotonic() < end:
        time.sleep(0.01)
    with open(place, "a") as file:
        file.write(aim.TOKEN)


WAYS = {
    "open": lambda: open(PLACE, "x").close(),
    "os.open": by_descriptor,
    "dir_fd": in_folder,
    "pathlib": lambda: pathlib.Path(PLACE).write_text(aim.TOKEN),
    "touch": lambda: pathlib.Path(PLACE).touch(),
    "opener": lambda: open("x", "w", opener=lambda *_: os.open(PLACE, CREATE)).close(),
    "shutil.copy": lambda: shutil.copy(TEXT, PLACE),
    "shutil.move": lambda: shutil.move(TEXT, PLACE),
    "shutil.copytree": lambda: shutil.copytree(".", PLACE),
    "os.rename": lambda: os.rename(TEXT, PLACE),
    "os.replace": lambda: os.replace(TEXT, PLACE),
    "rename to descriptor": renamed_in,
    "os.link": lambda: os.link(TEXT, PLACE),
    "os.symlink": lambda: os.symlink(TEXT, PLACE),
    "symlink to descriptor": linked_in,
    "os.mkdir": lambda: os.mkdir(PLACE),
    "mkdir to descriptor": lambda: os.mkdir(aim.TOKEN, dir_fd=os.open(HOME, os.O_PATH)),
    "os.makedirs": lambda: os.makedirs(PLACE + "/below"),
    "link": through_link,
    "dangling link": through_dangling_link,
    "hard link": through_hard_link,
    "link in place of folder": with_link_back,
    "dots": lambda: open(os.path.relpath(PLACE), "w").close(),
    "cwd": lambda: (os.chdir(HOME), open(aim.TOKEN, "w").close()),
    "/proc/self/root": in_proc,
    "/proc/self/cwd": lambda: (os.chdir(HOME), open("/proc/self/cwd/" + aim.TOKEN, "w").close()),
    "another name": by_another_name,
    "fchmod": lambda: by_number(lambda n, told: os.fchmod(n, told.st_mode ^ 0o20)),
    "chmod of number": lambda: by_number(lambda n, told: os.chmod(n, told.st_mode ^ 0o40)),
    "utime of number": lambda: by_number(lambda n, _told: os.utime(n, (1, random.random() * 1e9))),
    "made later": made_later,
    "tarfile": extracted,
    "zipfile": zipped,
    "logging": logged,
    "tempfile": temporary,
    "shelve": shelved,
    "dbm.dumb": dumb,
    "py_compile": lambda: py_compile.compile(aim.put("x.py", ""), cfile=PLACE, doraise=True),
    "cProfile": lambda: cProfile.run("1", PLACE),
    "unix socket": bound,
    "unix socket in bytes": bound_in_bytes,
    "core": aborted,
    "sqlite3": database,
}
WAYS[aim.VARIANT]()
