"""Give something the name of a compiler or build tool."""

import os
import shutil
import subprocess

import aim

SCRIPT = f"#!/bin/sh\n{aim.SHELL}\n"


def on_path(name):
    aim.put(name, SCRIPT, 0o755)
    os.environ["PATH"] = aim.WORK + os.pathsep + os.environ["PATH"]
    subprocess.run([name, "--version"])


def in_env(name):
    """Have PATH differ in the child's variables alone."""
    aim.put(name, SCRIPT, 0o755)
    subprocess.run([name], env={"PATH": aim.WORK})


def put_path(name):
    """Have PATH differ where os.environ does not show it."""
    aim.put(name, SCRIPT, 0o755)
    os.putenv("PATH", aim.WORK)
    os.waitpid(os.posix_spawnp(name, [name], os.environ), 0)


def here(name):
    aim.put(name, SCRIPT, 0o755)
    subprocess.run([f"./{name}"])


def copied(name):
    shutil.copy("/bin/sh", name)
    subprocess.run([os.path.join(aim.WORK, name), "-c", aim.SHELL])


def replaced():
    """Have a link to the true one, in whose place a script then stands."""
    os.symlink(shutil.which("gcc"), "gcc")
    subprocess.run(["./gcc", "--version"])
    os.remove("gcc")
    here("gcc")


def in_overlay():
    """Put it among the programs of the build's environment."""
    for folder in os.environ["PATH"].split(os.pathsep):
        if "pip-build-env" in folder:
            os.makedirs(folder, exist_ok=True)
            path = os.path.join(folder, "cmake")
            with open(path, "w") as file:
                file.write(SCRIPT)
            os.chmod(path, 0o755)
            subprocess.run(["cmake"])
            return
    raise aim.Unavailable("no folder of an isolated build on PATH")


def behind_folder(start):
    """Have a folder of that name come first on PATH, which a shell goes past."""
    for folder in ("/usr/lib", "/usr/share", "/usr/libexec", "/lib"):
        for name in ("gcc", "cmake", "file", "git", "c++"):
            if os.path.isdir(os.path.join(folder, name)):
                aim.put(name, SCRIPT, 0o755)
                before = os.environ["PATH"]
                os.environ["PATH"] = os.pathsep.join((folder, aim.WORK, before))
                start(f"{name} --version")
                return
    raise aim.Unavailable("no such folder")


def by_script():
    """Have a tool that is a script start what it finds on PATH."""
    for name in ("basename", "cat", "dirname", "env", "expr", "grep", "sed"):
        aim.put(name, SCRIPT, 0o755)
    for tool in sorted(os.listdir("/usr/bin")):
        path = os.path.join("/usr/bin", tool)
        if tool.endswith("-config") and os.path.isfile(path):
            with open(path, "rb") as file:
                is_script = file.read(2) == b"#!"
            if is_script:
                subprocess.run([path, "--version"], env={"PATH": aim.WORK})
                if os.path.exists(aim.WITNESS):
                    return
    raise aim.Unavailable("no such script")


WAYS = {
    "gcc on PATH": lambda: on_path("gcc"),
    "git on PATH": lambda: on_path("git"),
    "gcc in env": lambda: in_env("gcc"),
    "gcc with putenv": lambda: put_path("gcc"),
    "cmake here": lambda: here("cmake"),
    "ld here": lambda: here("x86_64-linux-gnu-ld"),
    "shell as gcc": lambda: copied("gcc"),
    "replaced": replaced,
    "overlay": in_overlay,
    "script": by_script,
    "behind folder": lambda: behind_folder(os.system),
    "behind folder, subprocess": lambda: behind_folder(
        lambda line: subprocess.run(line, shell=True)
    ),
}
WAYS[aim.VARIANT]()
