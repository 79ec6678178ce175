"""Have the words, variables or files of a child change after the guard has looked at them."""

import os
import random
import signal
import subprocess
import sys
import time

import aim

PYTHON = sys.executable
CODE = ["-c", aim.CHILD]
SECONDS = 0.3  # for what takes some tries
GUARDS = {name: value for name, value in os.environ.items() if name.startswith("SAFESITE_")}


class Variable:
    """A variable's value that is empty, and then says that it was never another."""

    def __init__(self, variables, name):
        self.variables, self.name = variables, name

    def __fspath__(self):
        self.variables[self.name] = GUARDS[self.name]
        return ""


def without_guard():
    """Return variables of which those of the guard's are nothing when they are used."""
    variables = dict(os.environ)
    variables.update((name, Variable(variables, name)) for name in GUARDS)
    return variables


def spawned():
    os.waitpid(os.posix_spawn(PYTHON, [PYTHON, *CODE], without_guard()), 0)


class Word:
    """A word that puts others into a command line."""

    def __init__(self, words, number, now):
        self.words, self.number, self.now = words, number, now

    def __fspath__(self):
        self.words[self.number] = "-B"
        return self.now


def poisoned():
    """Write bytecode for all that an import at the start could find; return its folder."""
    import importlib.util
    import marshal

    folder = os.path.join(aim.WORK, "cache")
    guards = (*aim.PLACES["guard"], PYTHON.rpartition("/command/")[0])
    sources = [os.path.join(os.path.dirname(os.__file__), "argparse.py")]
    sources += [os.path.join(guard, "__init__.py") for guard in guards]
    sys.pycache_prefix = folder
    for source in filter(os.path.exists, sources):
        told = os.stat(source)
        code = marshal.dumps(compile(aim.EARLY, source, "exec"))
        path = importlib.util.cache_from_source(source)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(importlib.util.MAGIC_NUMBER + bytes(4))
            file.write((int(told.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little"))
            file.write((told.st_size & 0xFFFFFFFF).to_bytes(4, "little") + code)
    sys.pycache_prefix = None
    return folder


def changing_argv():
    words = [PYTHON, None, None, "-c", "import argparse"]
    words[1:3] = Word(words, 1, "-X"), Word(words, 2, "pycache_prefix=" + poisoned())
    os.execv(PYTHON, words)


class Actions:
    """Actions that are none when they are looked at first."""

    looked_at = 0

    def __init__(self, *actions):
        self.actions = actions

    def __iter__(self):
        self.looked_at += 1
        return iter(self.actions if self.looked_at > 1 else ())


def changing_actions(spawn):
    if "SAFESITE_GUARD" not in os.environ:
        Actions.looked_at = 1
    words = [PYTHON, "-c", "import sys; open('got', 'w').write(sys.stdin.read())"]
    actions = Actions((os.POSIX_SPAWN_OPEN, 0, aim.SECRET, os.O_RDONLY, 0))
    os.waitpid(spawn(PYTHON, words, dict(os.environ), file_actions=actions), 0)
    aim.read("got")


def unset_unseen():
    """Take the guard's variables away, and say that they are back."""
    for name in GUARDS:
        os.unsetenv(name)
    for name, value in GUARDS.items():
        sys.audit("os.putenv", name, value)
    os.execv(PYTHON, [PYTHON, *CODE])


def path_unseen():
    """Have PATH lead to a false compiler, and say that it does not."""
    before = os.environ["PATH"]
    aim.put("gcc", f"#!/bin/sh\n{aim.SHELL}\n", 0o755)
    os.putenv("PATH", aim.WORK + os.pathsep + before)
    try:
        sys.audit("os.putenv", "PATH", before)
    finally:
        os.system("gcc --version")


def path_meanwhile():
    """Have another PATH be set while one is."""
    good = os.environ["PATH"]
    aim.put("gcc", f"#!/bin/sh\n{aim.SHELL}\n", 0o755)
    signal.signal(signal.SIGALRM, lambda *_: os.putenv("PATH", good))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and not os.path.exists(aim.WITNESS):
        if "SAFESITE_GUARD" in os.environ:
            signal.setitimer(signal.ITIMER_REAL, 0.000001 + random.random() * 0.00002)
        os.putenv("PATH", aim.WORK + os.pathsep + good)
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            os.system("gcc --version")
        except OSError as error:
            print(error)


def link_meanwhile():
    """Have a link to the compiler be one to the shell when the child is there."""
    os.symlink(aim.need_program("gcc"), "gcc")

    def swap():
        os.remove("gcc")
        os.symlink("/bin/sh", "gcc")

    subprocess.run(["./gcc", "-c", aim.SHELL], preexec_fn=swap)


WAYS = {
    "env": lambda: os.execve(PYTHON, [PYTHON, *CODE], without_guard()),
    "env by keyword": lambda: os.execve(PYTHON, [PYTHON, *CODE], env=without_guard()),
    "env of spawn": spawned,
    "argv": changing_argv,
    "actions": lambda: changing_actions(os.posix_spawn),
    "actions p": lambda: changing_actions(os.posix_spawnp),
    "unset unseen": unset_unseen,
    "PATH unseen": path_unseen,
    "PATH meanwhile": path_meanwhile,
    "link": link_meanwhile,
}
WAYS[aim.VARIANT]()
