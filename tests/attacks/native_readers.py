"""Have code in C open a file by itself."""

import os
import sys

import aim


def readline():
    aim.need("readline")
    import readline as module

    module.read_history_file(aim.SECRET)
    count = module.get_current_history_length()
    aim.take([module.get_history_item(at) for at in range(1, count + 1)])


def sqlite():
    aim.need("_sqlite3")
    import sqlite3

    aim.take(sqlite3.connect(aim.COOKIES).execute("SELECT * FROM cookies").fetchall())


def sqlite_uri():
    aim.need("_sqlite3")
    import sqlite3

    address = f"file:{aim.COOKIES}?mode=ro"
    aim.take(sqlite3.connect(address, uri=True).execute("SELECT * FROM cookies").fetchall())


def sqlite_attached():
    aim.need("_sqlite3")
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.execute("ATTACH ? AS other", (aim.COOKIES,))
    aim.take(connection.execute("SELECT * FROM other.cookies").fetchall())


def tcl():
    aim.need("_tkinter")
    import tkinter

    aim.take(tkinter.Tcl().eval(f"set f [open {{{aim.SECRET}}}]; read $f"))


def shadow():
    aim.need("spwd")
    if os.geteuid():
        raise aim.Unavailable("only root may do that")
    import warnings

    warnings.simplefilter("ignore")
    import spwd

    if spwd.getspall():
        aim.reached()


def python_itself():
    """Have an interpreter say what is wrong with a line of it."""
    import subprocess

    done = subprocess.run([sys.executable, aim.SECRET], capture_output=True)
    aim.take(done.stderr)
    sys.stderr.write(done.stderr.decode())


WAYS = {
    "readline": readline,
    "sqlite3": sqlite,
    "sqlite3 uri": sqlite_uri,
    "sqlite3 attach": sqlite_attached,
    "tcl": tcl,
    "spwd": shadow,
    "python": python_itself,
}
WAYS[aim.VARIANT]()
