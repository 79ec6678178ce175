"""Start a Python that is not the guarded one."""

import os
import shutil
import subprocess
import sys
import venv

import aim

VERSION = "{}.{}".format(*sys.version_info)


def run(*words, **options):
    subprocess.run([*words, "-c", aim.CHILD], **options)


def in_new_environment():
    venv.create("made", symlinks=True, with_pip=False)
    run("made/bin/python")


def in_copied_environment():
    os.makedirs("made/bin")
    shutil.copy(os.path.realpath(aim.STOCK), "made/bin/python")
    aim.put("made/pyvenv.cfg", f"home = {os.path.dirname(aim.STOCK)}\n")
    run("made/bin/python")


def linked():
    os.symlink(aim.STOCK, "python")
    run("./python")


def copied():
    shutil.copy(os.path.realpath(aim.STOCK), "gcc")
    run("./gcc", env=os.environ | {"PYTHONHOME": sys.base_prefix})


def by_first_line():
    script = aim.put("script", f"#!{aim.STOCK}\n{aim.CHILD}", 0o755)
    subprocess.run([script])


def of_process():
    """Start what another process runs, or this one."""
    run("/proc/self/exe", env={})


def of_process_by_exec():
    os.execv("/proc/self/exe", [aim.STOCK, "-S", "-c", aim.CHILD])


def other(name):
    run(aim.need_program(name))


def perl():
    subprocess.run([aim.need_program("perl"), "-e", f"system(q({aim.SHELL}))"])


WAYS = {
    "sys._base_executable": lambda: run(sys._base_executable),
    "base prefix": lambda: run(f"{sys.base_prefix}/bin/python{VERSION}"),
    "environment": lambda: run(os.path.join(aim.VENV, "bin", "python")),
    "environment python3": lambda: run(os.path.join(aim.VENV, "bin", "python3"), "-I"),
    "real path": lambda: run(os.path.realpath(aim.STOCK)),
    "on PATH": lambda: run("python", env={"PATH": os.path.join(aim.VENV, "bin")}),
    "env": lambda: run("/usr/bin/env", "python3"),
    "system's": lambda: other("python3"),
    "perl": perl,
    "new environment": in_new_environment,
    "copied environment": in_copied_environment,
    "linked": linked,
    "copied as gcc": copied,
    "first line": by_first_line,
    "/proc/self/exe": of_process,
    "/proc/self/exe by exec": of_process_by_exec,
    "os.execv": lambda: os.execv(aim.STOCK, [aim.STOCK, "-c", aim.CHILD]),
    "os.posix_spawn": lambda: os.waitpid(
        os.posix_spawn(aim.STOCK, [sys.executable, "-c", aim.CHILD], {}), 0
    ),
}
WAYS[aim.VARIANT]()
