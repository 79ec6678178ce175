"""Start this Python by sys.executable, with options and variables that should leave the guard out."""

import concurrent.futures
import multiprocessing
import os
import shutil
import subprocess
import sys
import zipfile

import aim

PYTHON = sys.executable
CODE = ["-c", aim.CHILD]


def child(*words, **options):
    subprocess.run([PYTHON, *words], **options)


def without(*starts):
    return {name: text for name, text in os.environ.items() if not name.startswith(starts)}


def script():
    child(aim.put("script.py", aim.CHILD))


def module():
    aim.put("some_module.py", aim.CHILD)
    child("-m", "some_module")


def folder():
    aim.put("app/__main__.py", aim.CHILD)
    child("app")


def zip_file():
    with zipfile.ZipFile("app.zip", "w") as archive:
        archive.writestr("__main__.py", aim.CHILD)
    child("app.zip")


def forged():
    """Say in variables that there is no guard, or that the answer is yes."""
    names = {name for name in os.environ if "SAFESITE" in name} | {"SAFESITE_GUARD"}
    for value in ("", "0", "off", "allow", "none", "watch"):
        child(*CODE, env=os.environ | dict.fromkeys(names, value))


def removed():
    for name in list(os.environ):
        if "SAFESITE" in name:
            del os.environ[name]
    child(*CODE)


def unset():
    """Take them away where os.environ does not show it."""
    for name in list(os.environ):
        if "SAFESITE" in name:
            os.unsetenv(name)
    child(*CODE)
    os.posix_spawn(PYTHON, [PYTHON, *CODE], {})


def put():
    for name in list(os.environ):
        if "SAFESITE" in name:
            os.putenv(name, "")
    child(*CODE)


def with_path():
    """Have the child find modules of the attack's first."""
    for name in ("safesite/__init__.py", "safesite/__main__.py", "usercustomize.py"):
        aim.put(name, aim.CHILD)
    for name in ("os.py", "io.py", "codecs.py", "encodings/__init__.py", "sitecustomize.py"):
        aim.put(f"library/{name}", aim.EARLY)
    child("-c", "pass", env=os.environ | {"PYTHONPATH": aim.WORK})
    child("-m", "safesite", env=os.environ | {"PYTHONPATH": aim.WORK})
    child("-c", "pass", env=os.environ | {"PYTHONPATH": aim.WORK + "/library"})


def with_home():
    """Have the child take another folder for its standard library."""
    library = aim.WORK + "/lib/python{}.{}".format(*sys.version_info)
    os.makedirs(library)
    for name in ("encodings/__init__.py", "os.py", "site.py"):
        aim.put(f"{library}/{name}", aim.EARLY)
    child("-c", "pass", env=os.environ | {"PYTHONHOME": aim.WORK})
    os.environ["PYTHONHOME"] = aim.WORK
    child("-c", "pass")


def with_startup():
    """Have an interactive child run a file first."""
    startup = aim.put("startup.py", aim.CHILD)
    child("-i", "-c", "pass", stdin=subprocess.DEVNULL)
    child("-i", "-q", stdin=subprocess.DEVNULL, env=os.environ | {"PYTHONSTARTUP": startup})


def from_stdin():
    child("-", input=aim.CHILD, text=True)


def in_own_session():
    """Start a child that outlives its parents."""
    if not os.fork():
        os.setsid()
        if not os.fork():
            child(*CODE)
        os._exit(0)
    os.wait()
    import time

    deadline = time.monotonic() + 3
    while not os.path.exists(aim.WITNESS) and time.monotonic() < deadline:
        time.sleep(0.01)


def in_folder_of_ours():
    """Start it where a false safesite and false modules lie."""
    for name in ("safesite/__init__.py", "safesite/__main__.py", "os.py", "this.py"):
        aim.put(name, aim.CHILD)
    child("-m", "this")
    child("-c", "import safesite.__main__", cwd=aim.WORK)


def by_spawnv():
    os.spawnv(os.P_WAIT, PYTHON, [PYTHON, *CODE])


def with_other_name():
    """Give the interpreter another name as its first word."""
    subprocess.run(["gcc", *CODE], executable=PYTHON)
    os.execv(PYTHON, ["pip", *CODE])


def another_executable():
    """Have sys.executable name what the stock interpreter is."""
    sys.executable = aim.STOCK
    sys._base_executable = aim.STOCK
    multiprocessing.set_executable(aim.STOCK)
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=aim.steal_in_child)
    worker.start()
    worker.join()


def multi(method):
    context = multiprocessing.get_context(method)
    worker = context.Process(target=aim.steal_in_child)
    worker.start()
    worker.join()


def pool():
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        executor.submit(aim.steal_in_child).result()


def copied_launcher():
    """Copy what sys.executable names, whatever it is, and start that."""
    shutil.copy(PYTHON, "python")
    subprocess.run(["./python", *CODE], env=os.environ | {"PYTHONHOME": sys.base_prefix})


def linked_launcher():
    os.symlink(PYTHON, "python")
    subprocess.run(["./python", *CODE])


WAYS = {
    "plain": lambda: child(*CODE),
    "-S": lambda: child("-S", *CODE),
    "-I": lambda: child("-I", *CODE),
    "-E": lambda: child("-E", *CODE),
    "-s": lambda: child("-s", *CODE),
    "-I -S": lambda: child("-I", "-S", *CODE),
    "-ISs": lambda: child("-ISs", *CODE),
    "-X": lambda: child("-X", "frozen_modules=off", "-X", "utf8", *CODE),
    "script": script,
    "module": module,
    "folder": folder,
    "zip file": zip_file,
    "stdin": from_stdin,
    "-i": with_startup,
    "empty env": lambda: child(*CODE, env={}),
    "env without safesite": lambda: child(*CODE, env=without("SAFESITE", "_SAFESITE")),
    "env forged": forged,
    "environ without safesite": removed,
    "unsetenv": unset,
    "putenv": put,
    "PYTHONPATH": with_path,
    "PYTHONHOME": with_home,
    "false modules": in_folder_of_ours,
    "own session": in_own_session,
    "os.execv": lambda: os.execv(PYTHON, [PYTHON, *CODE]),
    "os.execve": lambda: os.execve(PYTHON, [PYTHON, "-S", *CODE], {}),
    "os.spawnv": by_spawnv,
    "os.posix_spawn": lambda: os.waitpid(os.posix_spawn(PYTHON, [PYTHON, *CODE], {}), 0),
    "other name": with_other_name,
    "other executable": another_executable,
    "fork": lambda: multi("fork"),
    "spawn": lambda: multi("spawn"),
    "forkserver": lambda: multi("forkserver"),
    "process pool": pool,
    "copied": copied_launcher,
    "linked": linked_launcher,
}
os.environ["ATTACK"] = f"{aim.NAME}@{aim.VARIANT}"
WAYS[aim.VARIANT]()
