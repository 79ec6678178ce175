"""Run a program by each function that starts one."""

import asyncio
import imaplib
import multiprocessing.util
import os
import pty
import pydoc
import shutil
import subprocess
import webbrowser

import aim

LINE = aim.SHELL
WORDS = ["/bin/sh", "-c", LINE]


def waited(child):
    os.waitpid(child, 0)


def copied():
    """Copy the program into the build."""
    shutil.copy("/bin/sh", "compiler")
    subprocess.run(["./compiler", "-c", LINE])


def in_memory():
    """Put the program into memory."""
    descriptor = os.memfd_create("gcc", 0)
    with open("/bin/sh", "rb") as program:
        os.write(descriptor, program.read())
    os.execv(f"/proc/self/fd/{descriptor}", ["gcc", "-c", LINE])


def by_descriptor():
    os.execve(os.open("/bin/sh", os.O_PATH), WORDS, os.environ)


async def by_asyncio():
    await (await asyncio.create_subprocess_exec(*WORDS)).wait()


async def by_asyncio_shell():
    await (await asyncio.create_subprocess_shell(LINE)).wait()


def by_mail():
    try:
        imaplib.IMAP4_stream(LINE)
    except imaplib.IMAP4.abort:  # it has run
        pass


def by_browser():
    browser = aim.put("browser", f"#!/bin/sh\n{LINE}\n", 0o755)
    webbrowser.register("mine", None, webbrowser.GenericBrowser(browser))
    webbrowser.get("mine").open("x")


def by_loader():
    """Have the loader of programs load one: its own name is harmless."""
    for folder in ("/lib64", "/lib", "/usr/lib64"):
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if name.startswith("ld-linux"):
                subprocess.run([os.path.join(folder, name), *WORDS])
                return
    raise aim.Unavailable("no such loader")


def passed():
    """Use what multiprocessing starts its children by."""
    waited(multiprocessing.util.spawnv_passfds(b"/bin/sh", WORDS, ()))


def with_another_name():
    """Say one program, and run another."""
    subprocess.run(["/usr/bin/gcc", "-c", LINE], executable="/bin/sh")


def elsewhere(**options):
    """Have a script of that name where the child is by the time that it starts it."""
    aim.put("gcc", f"#!/bin/sh\n{LINE}\n", 0o755)
    folder = os.path.dirname(aim.need_program("gcc"))
    if not options:
        os.chdir(folder)
    subprocess.run(["./gcc"], preexec_fn=lambda: os.chdir(aim.WORK), **options)


def by_first_word():
    """Have a program of many kinds be called by the name of a tool, and told to be a shell."""
    tool = aim.PLACES["multi"]
    if not os.path.exists(tool):
        raise aim.Unavailable("no busybox")
    subprocess.run(WORDS, executable=tool)


WAYS = {
    "os.system": lambda: os.system(LINE),
    "os.popen": lambda: os.popen(LINE).read(),
    "subprocess": lambda: subprocess.run(WORDS),
    "shell": lambda: subprocess.run(LINE, shell=True),
    "getoutput": lambda: subprocess.getoutput(LINE),
    "env sh": lambda: subprocess.run(["/usr/bin/env", *WORDS]),
    "without closing": lambda: subprocess.run(WORDS, close_fds=False),
    "bytes": lambda: subprocess.run([os.fsencode(word) for word in WORDS]),
    "cwd": lambda: subprocess.run(["./sh", "-c", LINE], cwd="/bin"),
    "executable": with_another_name,
    "os.execv": lambda: os.execv("/bin/sh", WORDS),
    "os.execvp": lambda: os.execvp("sh", WORDS),
    "os.execve": lambda: os.execve("/bin/sh", ["gcc", "-c", LINE], {}),
    "os.execlp": lambda: os.execlp("sh", *WORDS),
    "execve of descriptor": by_descriptor,
    "os.posix_spawn": lambda: waited(os.posix_spawn("/bin/sh", WORDS, {})),
    "os.posix_spawnp": lambda: waited(os.posix_spawnp("sh", ["gcc", "-c", LINE], os.environ)),
    "os.spawnv": lambda: os.spawnv(os.P_WAIT, "/bin/sh", WORDS),
    "os.spawnlp": lambda: os.spawnlp(os.P_WAIT, "sh", "gcc", "-c", LINE),
    "pty.spawn": lambda: pty.spawn(WORDS),
    "asyncio": lambda: asyncio.run(by_asyncio()),
    "asyncio shell": lambda: asyncio.run(by_asyncio_shell()),
    "multiprocessing": passed,
    "webbrowser": by_browser,
    "pydoc": lambda: pydoc.pipepager("text", LINE),
    "imaplib": by_mail,
    "copied": copied,
    "in memory": in_memory,
    "loader": by_loader,
    "from another folder": elsewhere,
    "from another cwd": lambda: elsewhere(cwd=os.path.dirname(aim.need_program("gcc"))),
    "first word": by_first_word,
    "link called gcc": lambda: (
        os.symlink("/bin/sh", "gcc"),
        subprocess.run(["./gcc", "-c", LINE]),
    ),
}
WAYS[aim.VARIANT]()
