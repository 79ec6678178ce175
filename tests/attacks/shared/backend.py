"""A build backend that runs each attack, and puts what they came to into its wheel."""

import importlib
import json
import os
import signal
import sys
import time
import zipfile

import aim

NAME = "evil-1.0"
WHEEL = "Wheel-Version: 1.0\nGenerator: evil\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
METADATA = "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n"
PRELOADED = (
    *(
        "asyncio",
        "smtplib",
        "ftplib",
        "imaplib",
        "http.server",
        "xmlrpc.client",
        "tarfile",
        "shutil",
    ),
    *(
        "logging.handlers",
        "multiprocessing.connection",
        "multiprocessing.util",
        "concurrent.futures",
    ),
    *("tempfile", "pydoc", "webbrowser", "netrc", "configparser", "zipimport", "venv", "_pyio"),
)
PATIENCE = 30  # seconds for one attack


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Run the attacks; return a wheel all the same."""
    for folder in ("log", "loot", "work"):
        os.mkdir(os.path.join(aim.FOLDER, folder))
    missed = preload()
    outcomes = {name: attempt(name, aim.PLACES["tokens"][name]) for name in aim.PLACES["run"]}
    files = {
        "evil_outcomes.json": json.dumps({"missed": missed, "outcomes": outcomes}),
        "evil-1.0.dist-info/METADATA": METADATA,
        "evil-1.0.dist-info/WHEEL": WHEEL,
    }
    record = "".join(f"{path},,\n" for path in (*files, "evil-1.0.dist-info/RECORD"))
    with zipfile.ZipFile(os.path.join(wheel_directory, f"{NAME}-py3-none-any.whl"), "w") as wheel:
        for path, text in (*files.items(), ("evil-1.0.dist-info/RECORD", record)):
            wheel.writestr(path, text)
    return f"{NAME}-py3-none-any.whl"


def preload():
    """Import what many attacks do: each would have to anew.  Return what cannot be imported."""
    missed = {}
    sys.path.insert(0, aim.FOLDER)  # for children, which do not have the finder of backend-path
    for module in PRELOADED:
        try:
            importlib.import_module(module)
        except Exception as error:
            missed[module] = f"{type(error).__name__}: {error}"
    return missed


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """Say the name and version without an attack."""
    folder = os.path.join(metadata_directory, f"{NAME}.dist-info")
    os.mkdir(folder)
    for name, text in (("METADATA", METADATA), ("WHEEL", WHEEL)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    return f"{NAME}.dist-info"


def get_requires_for_build_wheel(config_settings=None):
    """Require nothing."""
    return []


def attempt(name, token):
    """Run one attack in a process of its own; return how it ended, what it said, what it took."""
    log = os.path.join(aim.FOLDER, "log", token)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        attack(name, log)
        if aim.goes_to_the_end:
            raise SystemExit(0)
        os._exit(0)
    status = waited(child)
    ended = round(time.monotonic() - began, 3)
    return {
        "status": status,
        "said": content(log),
        "took": content(aim.loot_of(token)),
        "seconds": ended,
    }


def attack(name, log):
    """Import the attack: that runs it."""
    os.setpgid(0, 0)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    aim.begin(name)
    try:
        importlib.import_module(f"attacks.{aim.NAME}")
    except aim.Unavailable as reason:
        print(f"unavailable: {reason}", flush=True)
    except Exception as error:
        tell(error)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def tell(error):
    """Print an error and what led to it; a traceback would cost more than most attacks."""
    while error is not None:
        print(f"{type(error).__name__}: {error}")
        error = error.__cause__ or error.__context__


def waited(child):
    """Wait for a process, and end it and what it started if it takes too long."""
    deadline = time.monotonic() + PATIENCE
    done, status = os.waitpid(child, os.WNOHANG)
    while not done and time.monotonic() < deadline:
        time.sleep(0.002)
        done, status = os.waitpid(child, os.WNOHANG)
    try:
        os.killpg(child, signal.SIGKILL)
    except OSError:  # nothing is left of it
        pass
    if not done:
        os.waitpid(child, 0)
        return "took too long"
    return os.waitstatus_to_exitcode(status)


def content(path):
    """Return what is in a file, nothing if there is none."""
    if not os.path.exists(path):
        return ""
    with open(path, "rb") as file:
        return file.read().decode("latin-1")
