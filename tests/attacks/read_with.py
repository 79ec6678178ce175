"""Read a key with each function that opens files."""

import codecs
import configparser
import fileinput
import importlib.machinery
import io
import linecache
import mmap
import netrc
import os
import pathlib
import runpy
import shutil
import sys
import tarfile
import tokenize
import traceback
import zipfile
import zipimport

import _io
import _pyio
import aim

SECRET = aim.SECRET
AWS = os.path.join(aim.HOME, ".aws", "credentials")


def from_descriptor(descriptor):
    aim.take(os.read(descriptor, 10_000))


def mapped():
    with open(SECRET, "rb") as file:
        aim.take(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[:])


def mapped_descriptor():
    aim.take(mmap.mmap(os.open(SECRET, os.O_RDONLY), 0, access=mmap.ACCESS_READ)[:])


def copied(copy):
    copy(SECRET, "copy")
    aim.read("copy")


def by_kernel(copy):
    source, target = os.open(SECRET, os.O_RDONLY), os.open("copy", os.O_RDWR | os.O_CREAT)
    copy(target, source)
    os.lseek(target, 0, 0)
    from_descriptor(target)


def by_sections(path):
    parser = configparser.ConfigParser()
    parser.read(path)
    aim.take({name: dict(section) for name, section in parser.items()})
    if not parser.sections():  # it does not mind what it cannot open
        open(path).close()


def by_config():
    by_sections(AWS)


def in_zip(read):
    aim.take(read(os.path.join(aim.HOME, "private.zip")))


def by_traceback():
    """Have a traceback show a line of the file."""
    try:
        exec(compile("1/0", SECRET, "exec"), {})
    except ZeroDivisionError:
        linecache.clearcache()
        aim.take(traceback.format_exc())
    open(SECRET).close()  # it does not mind what it cannot open


def by_excepthook():
    """Have the interpreter show a line of the file."""
    sys.stderr = io.StringIO()
    try:
        exec(compile("1/0", SECRET, "exec"), {})
    except ZeroDivisionError:
        sys.__excepthook__(*sys.exc_info())
    aim.take(sys.stderr.getvalue())
    sys.stderr = sys.__stderr__
    open(SECRET).close()


def by_compiler():
    """Have an error of the compiler quote a line of the file."""
    try:
        compile("return", SECRET, "exec")
    except SyntaxError as error:
        aim.take(error.text)
    open(SECRET).close()


def packed():
    with tarfile.open("packed.tar", "w") as archive:
        archive.add(aim.KEYS)
    aim.read("packed.tar")


def made_archive():
    aim.read(shutil.make_archive("made", "tar", aim.KEYS))


def zipped():
    with zipfile.ZipFile("packed.zip", "w") as archive:
        archive.write(SECRET)
    aim.read("packed.zip")


def module():
    """Import a module of the user's, which has a secret in it."""
    sys.path.insert(0, os.path.join(aim.HOME, "projects"))
    import settings_of_user

    aim.take(settings_of_user.KEY)


def posix_opener(path, flags):
    return os.open(path, flags)


def fileinput_lines():
    aim.take("".join(fileinput.input([SECRET])))


WAYS = {
    "open": lambda: aim.read(),
    "os.open": lambda: from_descriptor(os.open(SECRET, os.O_RDONLY)),
    "os.open for both": lambda: from_descriptor(os.open(SECRET, os.O_RDWR)),
    "io.FileIO": lambda: aim.take(io.FileIO(SECRET).read()),
    "_io.FileIO": lambda: aim.take(_io.FileIO(SECRET, "r+").read()),
    "_io.open": lambda: aim.take(_io.open(SECRET).read()),
    "_pyio.open": lambda: aim.take(_pyio.open(SECRET).read()),
    "io.open_code": lambda: aim.take(io.open_code(SECRET).read()),
    "opener": lambda: aim.take(open(SECRET, opener=posix_opener).read()),
    "opener that lies": lambda: aim.take(
        open("no-secret", opener=lambda _, flags: os.open(SECRET, flags)).read()
    ),
    "bytes": lambda: aim.take(open(os.fsencode(SECRET)).read()),
    "pathlib": lambda: aim.take(pathlib.Path(SECRET).read_text()),
    "codecs.open": lambda: aim.take(codecs.open(SECRET, "rb").read()),
    "mmap": mapped,
    "mmap of os.open": mapped_descriptor,
    "shutil.copy": lambda: copied(shutil.copy),
    "shutil.copyfile": lambda: copied(shutil.copyfile),
    "shutil.copytree": lambda: (shutil.copytree(aim.KEYS, "keys"), aim.read("keys/id_rsa")),
    "os.sendfile": lambda: by_kernel(lambda target, source: os.sendfile(target, source, 0, 10_000)),
    "os.copy_file_range": lambda: by_kernel(
        lambda target, source: os.copy_file_range(source, target, 10_000)
    ),
    "os.preadv": lambda: aim.take(os.pread(os.open(SECRET, os.O_RDONLY), 10_000, 0)),
    "linecache": lambda: aim.take(linecache.getlines(SECRET) or open(SECRET).read()),
    "tokenize.open": lambda: aim.take(tokenize.open(SECRET).read()),
    "fileinput": fileinput_lines,
    "configparser": by_config,
    "netrc": lambda: aim.take(netrc.netrc(os.path.join(aim.HOME, ".netrc")).hosts),
    "zipfile": lambda: in_zip(lambda path: zipfile.ZipFile(path).read("secret")),
    "zipimport": lambda: in_zip(lambda path: zipimport.zipimporter(path).get_data("secret")),
    "importlib": lambda: aim.take(
        importlib.machinery.SourceFileLoader("x", SECRET).get_data(SECRET)
    ),
    "runpy": lambda: aim.take(
        runpy.run_path(os.path.join(aim.HOME, "projects", "settings_of_user.py"))["KEY"]
    ),
    "import": module,
    "traceback": by_traceback,
    "excepthook": by_excepthook,
    "compiler": by_compiler,
    "tarfile": packed,
    "make_archive": made_archive,
    "zip of it": zipped,
}
if aim.VARIANT == "os.copy_file_range" and not hasattr(os, "copy_file_range"):
    raise aim.Unavailable("no os.copy_file_range")
WAYS[aim.VARIANT]()
