"""Have code in C write a file by itself."""

import os

import aim

PLACE = os.path.join(aim.HOME, aim.TOKEN)


def readline():
    aim.need("readline")
    import readline as module

    module.add_history(aim.TOKEN)
    module.write_history_file(PLACE)


def readline_appends():
    aim.need("readline")
    import readline as module

    module.add_history(aim.TOKEN)
    module.append_history_file(1, aim.VICTIM)


def key_log():
    aim.need("_ssl")
    import ssl

    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).keylog_filename = PLACE


def vacuum():
    aim.need("_sqlite3")
    import sqlite3

    sqlite3.connect(":memory:").execute("VACUUM INTO ?", (PLACE,))


def attached():
    aim.need("_sqlite3")
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.execute("ATTACH ? AS other", (PLACE,))
    connection.execute("CREATE TABLE other.t (x)")


def dbm():
    aim.need("_dbm")
    import _dbm

    _dbm.open(PLACE, "n")


def gdbm():
    aim.need("_gdbm")
    import _gdbm

    _gdbm.open(PLACE, "n")


def tcl():
    aim.need("_tkinter")
    import tkinter

    tkinter.Tcl().eval(f"close [open {{{PLACE}}} w]")


def tcl_runs():
    aim.need("_tkinter")
    import tkinter

    tkinter.Tcl().eval(f"exec /bin/sh -c {{{aim.SHELL}}}")


def tcl_connects():
    aim.need("_tkinter")
    import tkinter

    tkinter.Tcl().eval("set s [socket {} {}]; puts $s {}; close $s".format(*aim.TCP, aim.TOKEN))


def shared_memory():
    """Make some memory that other programs find by its name."""
    aim.need("_posixshmem")
    import _posixshmem

    os.close(_posixshmem.shm_open("/" + aim.TOKEN, os.O_CREAT | os.O_RDWR, mode=0o600))
    _posixshmem.shm_unlink("/" + aim.TOKEN)
    aim.reached()


WAYS = {
    "shared memory": shared_memory,
    "readline": readline,
    "readline appends": readline_appends,
    "ssl key log": key_log,
    "sqlite3 vacuum": vacuum,
    "sqlite3 attach": attached,
    "dbm": dbm,
    "gdbm": gdbm,
    "tcl": tcl,
    "tcl runs": tcl_runs,
    "tcl connects": tcl_connects,
}
WAYS[aim.VARIANT]()
