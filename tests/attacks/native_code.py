"""Have machine code of the package's own run, in this process or in a compiler."""

import os
import subprocess
import sys

import aim

GCC = aim.need_program("gcc")
SOURCE = """\
#include <stdlib.h>
int plugin_is_GPL_compatible, plugin_init;
void *PyInit_mine;
__attribute__((constructor)) static void begin(void) {
    unsetenv("LD_PRELOAD");
    system(LINE);
}
"""


def compiled(name="mine.so"):
    line = '"' + aim.SHELL.replace("\\", "\\\\").replace('"', '\\"') + '"'
    source = aim.put("mine.c", SOURCE.replace("LINE", line))
    subprocess.run([GCC, "-shared", "-fPIC", "-o", name, source], check=True)
    return os.path.join(aim.WORK, name)


def imported():
    compiled()
    sys.path.insert(0, aim.WORK)
    try:
        import mine
    except ImportError:  # it is no module; its code has run
        pass


def preloaded():
    subprocess.run([GCC, "--version"], env=os.environ | {"LD_PRELOAD": compiled()})


def plugin():
    empty = aim.put("empty.c", "")
    subprocess.run([GCC, f"-fplugin={compiled()}", "-c", empty])


def extension_of_sqlite():
    aim.need("_sqlite3")
    import sqlite3

    connection = sqlite3.connect(":memory:")
    if not hasattr(connection, "enable_load_extension"):
        raise aim.Unavailable("sqlite3 loads no extensions here")
    connection.enable_load_extension(True)
    connection.load_extension(compiled())


def program():
    """Run a program that was just compiled, as configure scripts do."""
    source = aim.put(
        "main.c",
        "#include <stdlib.h>\nint main(void) { return system(LINE); }\n".replace(
            "LINE", '"' + aim.SHELL + '"'
        ),
    )
    subprocess.run([GCC, "-o", "conftest", source], check=True)
    subprocess.run(["./conftest"])


WAYS = {
    "import": imported,
    "preload": preloaded,
    "plugin": plugin,
    "sqlite3": extension_of_sqlite,
    "program": program,
}
WAYS[aim.VARIANT]()
