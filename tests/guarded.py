"""What the tests of the guard attack with: an sdist, servers that listen, a home full of secrets.

An attack is a file of ``tests/attacks``, imported by the sdist's build backend in a process of its
own; `Attack` names one, and one of the ways it has.  ``shared/aim.py`` there says what an attack
leaves where it gets through; `attacked` runs them all in one real ``pip install``, and looks.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import environments
from environments import Environment

FOLDER = Path(__file__).resolve().parent / "attacks"
PATIENCE = 600  # seconds for a build that tries all attacks

CREDENTIALS = (
    *(".ssh/id_rsa", ".ssh/id_ed25519", ".ssh/config", ".ssh/known_hosts", ".ssh/authorized_keys"),
    *(".aws/credentials", ".aws/config", ".netrc", ".pypirc", "projects/shop/.env", ".env"),
    *(".config/pip/pip.conf", ".pip/pip.conf", ".docker/config.json", ".kube/config"),
    *(".bash_history", ".python_history", ".git-credentials", ".gitconfig", ".config/gh/hosts.yml"),
    *(".config/gcloud/credentials.db", ".azure/accessTokens.json", ".npmrc", ".cargo/credentials"),
    *(".gnupg/private-keys-v1.d/key", ".password-store/one.gpg", ".local/share/keyrings/login"),
    *(".config/google-chrome/Default/Cookies", ".mozilla/firefox/x.default/logins.json"),
    *(".bitcoin/wallet.dat", ".config/solana/id.json", ".vault-token", ".terraformrc"),
    *("projects/settings_of_user.py", "Documents/letter.txt", ".bashrc", "usr/lib/secret"),
)
# Where something takes effect later; relative to the home, or as `persistent` has them.
PERSISTENT = (
    *(".bashrc", ".profile", ".zshrc", ".config/autostart/x.desktop", ".local/bin/ls"),
    *(".config/systemd/user/x.service", ".ssh/authorized_keys", ".ssh/config", ".gitconfig"),
    *(".config/pip/pip.conf", ".pypirc", ".pythonrc", ".cache/pip/wheel", ".vimrc"),
    ".config/safesite/policy",
)
TEST_MODULES = (
    *("_testcapi", "_testinternalcapi", "_testlimitedcapi", "_xxsubinterpreters", "_interpreters"),
    *("_ctypes", "_tkinter", "_xxtestfuzz"),
)
# Ways that are no functions of the attack itself.
OF_TABLES = {
    "read_credential": CREDENTIALS,
    "write_persistent": (
        *(PERSISTENT),
        *("site-packages .pth", "site-packages sitecustomize", "installed package", "crontab"),
        *("other build", "other build's environment", "script of the environment", "pyvenv.cfg"),
    ),
    "test_module": TEST_MODULES,
    "spawn_opens": ("read", "read p", "write", "write p"),
}
# What pip and safesite themselves leave there.
NOT_LOOKED_AT = ("evil", "pip", "setuptools", "safesite", "_distutils_hack", "pkg_resources")


@dataclass(frozen=True)
class Attack:
    """A file of attacks, and one way that it has."""

    name: str
    way: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.way}" if self.way else self.name


def ways(path: Path) -> list[str]:
    """Return the ways that an attack has, by the keys of its WAYS."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "WAYS":
            assert isinstance(node.value, ast.Dict)
            return [ast.literal_eval(key) for key in node.value.keys if key is not None]
    return [""]


def all_attacks() -> list[Attack]:
    """Return each way of each attack."""
    paths = sorted(FOLDER.glob("*.py"))
    return [Attack(p.stem, way) for p in paths for way in OF_TABLES.get(p.stem) or ways(p)]


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files, and the folders that they lie in; return the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def sdist(folder: Path, name: str, version: str, files: Mapping[str, str | bytes]) -> Path:
    """Write an sdist; return its path."""
    root = f"{name}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    path = folder / f"{root}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in {"PKG-INFO": metadata, **files}.items():
            data = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(f"{root}/{member}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack an sdist; return its folder."""
    with tarfile.open(archive) as opened:
        names = opened.getnames()
        opened.extractall(folder)  # noqa: S202 - made above
    return folder / names[0].partition("/")[0]


def token() -> str:
    """Return a word that is nowhere else."""
    return f"token{secrets.token_hex(8)}"


class Servers:
    """Servers on this machine that keep what they are sent: TCP, UDP, a Unix socket, mail and FTP.

    The TCP one answers as a web server does, for what waits for an answer; the greeter speaks
    first, and agrees to all.
    """

    ANSWER = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"

    def __init__(self, folder: Path) -> None:
        self.received = bytearray()
        self.unix_path = folder / "socket"
        self.sockets = [socket.socket() for _ in range(2)]
        self.sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sockets.append(socket.socket(socket.AF_UNIX))
        self.tcp, self.greeter, self.udp, self.unix = self.sockets
        for server in (self.tcp, self.greeter, self.udp):
            server.bind(("127.0.0.1", 0))
        self.unix.bind(str(self.unix_path))

    def __enter__(self) -> Servers:
        for server, greeting in (
            (self.tcp, b""),
            (self.unix, b""),
            (self.greeter, b"220 hello\r\n"),
        ):
            server.listen(100)
            self.start(self.accept, server, greeting)
        self.start(self.receive)
        return self

    def __exit__(self, *_details: object) -> None:
        for server in self.sockets:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()

    def start(self, act: object, *args: object) -> None:
        """Start a thread that ends with this process."""
        threading.Thread(target=act, args=args, daemon=True).start()  # type: ignore[arg-type]

    def accept(self, server: socket.socket, greeting: bytes) -> None:
        """Serve whoever connects."""
        with contextlib.suppress(OSError):  # it was closed
            while True:
                self.start(self.serve, server.accept()[0], greeting)

    def serve(self, connection: socket.socket, greeting: bytes) -> None:
        """Keep all that comes, and answer."""
        with contextlib.suppress(OSError), connection:
            if greeting:
                connection.sendall(greeting)
            while data := connection.recv(65536):
                self.received += data
                if greeting:
                    connection.sendall(b"230 well\r\n")
                elif b"HTTP/" in data:
                    connection.sendall(self.ANSWER)
                    connection.shutdown(socket.SHUT_WR)

    def receive(self) -> None:
        """Keep each datagram; a question's labels are put together."""
        with contextlib.suppress(OSError):
            while data := self.udp.recv(65536):
                self.received += data

    def places(self) -> dict[str, object]:
        """Return where they are."""
        names = {"tcp": self.tcp, "udp": self.udp, "greeter": self.greeter}
        addresses = {name: server.getsockname() for name, server in names.items()}
        return {**addresses, "unix": str(self.unix_path)}


@dataclass
class Outcome:
    """What came of one attack."""

    status: object
    said: str
    took: str
    seconds: float
    happened: list[str] = field(default_factory=list)

    @property
    def is_unavailable(self) -> bool:
        """Whether this Python or machine lacks what the attack uses."""
        return self.said.startswith("unavailable: ")

    @property
    def is_refused(self) -> bool:
        """Whether it was told so."""
        return "safesite: " in self.said

    def __str__(self) -> str:
        happened = "; ".join(self.happened) or "nothing"
        return f"happened: {happened}; ended: {self.status}; took: {self.took[:200]!r}\n{self.said}"


@dataclass
class Run:
    """One installation with all attacks, and how it ended."""

    code: int
    output: str
    outcomes: dict[str, Outcome]
    missed: dict[str, str]  # modules of the standard library that could not be imported


class Ground:
    """An environment and a home, laid out with what attacks aim at."""

    def __init__(self, environment: Environment, attacks: list[Attack]) -> None:
        self.environment = environment
        self.home = environment.home
        self.tokens = {str(attack): token() for attack in attacks}
        self.secrets = [f"secret{secrets.token_hex(12)}"]
        self.victims = self.home / "victims"
        self.other = environment.root / "tmp" / "pip-req-build-other"
        self.multi = environment.root / "multi" / "uname"  # where one program is many
        self.persistent = self.lay_out()

    def secret(self) -> str:
        """Return a secret that is nowhere else."""
        self.secrets.append(f"secret{secrets.token_hex(12)}")
        return self.secrets[-1]

    def write(self, path: Path, text: str) -> None:
        """Write a file below folders that may be missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def lay_out(self) -> dict[str, str]:
        """Write credentials, victims, a database, another package and its build."""
        for name in CREDENTIALS:
            self.write(self.home / name, SHAPES.get(name, "{}\n").format(self.secret()))
        self.write(self.home / ".ssh" / self.secret(), "")
        for token in self.tokens.values():
            self.write(self.victims / token, f"{self.secret()}\n")
            self.write(self.victims / f"{token}.tree" / "below" / "file", "x")
            (self.victims / f"{token}.empty").mkdir()
        with contextlib.closing(sqlite3.connect(self.home / "cookies.sqlite")) as database:
            database.execute("CREATE TABLE cookies (value)")
            database.execute("INSERT INTO cookies VALUES (?)", (self.secret(),))
            database.commit()
        with zipfile.ZipFile(self.home / "private.zip", "w") as archive:
            archive.writestr("secret", self.secret())
        self.write(self.other / "setup.py", "")
        self.multi.parent.mkdir()
        if shutil.which("busybox"):
            self.multi.symlink_to(shutil.which("busybox") or "")
        self.write(self.environment.site_packages / "innocent" / "__init__.py", "")
        places = {
            **{name: self.home / name for name in PERSISTENT},
            "site-packages .pth": self.environment.site_packages / "evil_first.pth",
            "site-packages sitecustomize": self.environment.site_packages / "sitecustomize.py",
            "installed package": self.environment.site_packages / "innocent" / "__init__.py",
            "crontab": self.environment.root / "spool" / "crontabs" / "root",
            "other build": self.other / "setup.py",
            "other build's environment": self.other.parent
            / "pip-build-env-other"
            / "sitecustomize.py",
            "script of the environment": self.environment.prefix / "bin" / "activate",
            "pyvenv.cfg": self.environment.prefix / "pyvenv.cfg",
        }
        for path in places.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        return {name: str(path) for name, path in places.items()}

    def places(self, process: int) -> dict[str, object]:
        """Return what the sdist is told."""
        return {
            "home": str(self.home),
            "cookies": str(self.home / "cookies.sqlite"),
            "markers": str(self.environment.markers),
            "site_packages": str(self.environment.site_packages),
            "other_build": str(self.other),
            "stock": str(self.environment.interpreter.path),
            "venv": str(self.environment.prefix),
            "multi": str(self.multi),
            "process": process,
            "guard": [str(environments.PACKAGE), str(self.environment.work / "safesite")],
            "persistent": self.persistent,
            "tokens": self.tokens,
            "run": list(self.tokens),
        }

    def files(self) -> Iterator[Path]:
        """Return all that is outside of the build, but what the installer writes."""
        environment = self.environment
        for top in (self.home, environment.markers, environment.root / "spool", self.other.parent):
            yield from top.rglob("*")
        yield from (environment.prefix / "bin").iterdir()
        yield environment.prefix / "pyvenv.cfg"
        for entry in environment.site_packages.iterdir():
            if not entry.name.startswith(NOT_LOOKED_AT) or entry.suffix == ".pth":
                yield entry
                yield from entry.rglob("*")

    def traces(self) -> dict[str, list[str]]:
        """Return where each token is now: in a file, or in a name."""
        found: dict[str, list[str]] = {}
        texts = []
        for path in self.files():
            place = str(path.relative_to(self.environment.root))
            if self.victims in path.parents or place.startswith(
                "home/.local/state/safesite/refused"
            ):
                continue
            is_file = path.is_file() and not path.is_symlink() and path.stat().st_size < 1_000_000
            texts.append((place, path.read_bytes() if is_file else b""))
        for name, token in self.tokens.items():
            key = token.encode()
            found[name] = [place for place, text in texts if token in place or key in text]
        return found

    def states(self) -> dict[str, object]:
        """Return the state of each victim."""
        return {name: state(self.victims / token) for name, token in self.tokens.items()}


def state(victim: Path) -> object:
    """Return what is to be seen of a victim: content, times, rights, what lies beside it."""
    beside = sorted(str(path) for path in victim.parent.glob(f"{victim.name}.*"))
    below = sorted(str(path) for path in (victim.parent / f"{victim.name}.tree").rglob("*"))
    if not victim.exists():
        return None
    told = victim.stat()
    attributes = os.listxattr(victim) if hasattr(os, "listxattr") else []
    return (
        *(victim.read_bytes(), told.st_mode, told.st_mtime_ns, told.st_uid, told.st_gid),
        *(attributes, beside, below),
    )


SHAPES = {
    ".aws/credentials": "[default]\naws_secret_access_key = {}\n",
    ".netrc": "machine example.org login someone password {}\n",
    ".config/pip/pip.conf": "[global]\n# {}\n",
    ".pip/pip.conf": "[global]\n# {}\n",
    "projects/settings_of_user.py": 'KEY = "{}"\n',
    ".gitconfig": "[user]\n\tname = {}\n",
}


def evil(folder: Path, places: Mapping[str, object]) -> Path:
    """Write the sdist that attacks."""
    files: dict[str, str | bytes] = {
        "pyproject.toml": "[build-system]\nrequires = []\n"
        'build-backend = "backend"\nbackend-path = ["."]\n',
        "aim.json": json.dumps(places),
        "attacks/__init__.py": "",
    }
    for path in FOLDER.glob("*.py"):
        files[f"attacks/{path.name}"] = path.read_bytes()
    for path in (FOLDER / "shared").glob("*.py"):
        files[path.name] = path.read_bytes()
    return sdist(folder, "evil", "1.0", files)


SOMEBODY = """\
import os, time
folder = "{0}/pip-unpack-later"
while True:
    time.sleep(0.05)
    if os.path.exists("{0}/wish") and not os.path.exists(folder):
        os.mkdir(folder)
        open(folder + "/other.whl", "w").close()
"""


@contextlib.contextmanager
def somebody(environment: Environment, secret: str) -> Iterator[int]:
    """Start a Python of somebody else's, with a secret variable; return its number.

    When it is asked to, it makes a folder in TMPDIR as pip does.
    """
    folder = environment.root / "somebody"
    folder.mkdir()
    (folder / ".env").write_text(f"KEY={secret}\n")
    code = SOMEBODY.format(environment.root / "tmp")
    with (folder / ".env").open() as stdin:
        process = subprocess.Popen(
            [str(environment.interpreter.path), "-S", "-c", code],
            cwd=folder,
            env={"KEY": secret, "PATH": "/usr/bin:/bin"},
            stdin=stdin,
        )
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def start(environment: Environment, *command: str | Path, **more: str) -> tuple[int, str]:
    """Run a command without a terminal; return its code, and what it said.

    In a session of its own there is no /dev/tty either.  What it leaves running is not waited for.
    """
    log = environment.root / "log"
    (environment.root / "tmp").mkdir(exist_ok=True)
    settings = {"TMPDIR": str(environment.root / "tmp"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    settings["RES_OPTIONS"] = "timeout:1 attempts:1"  # where there is no name server
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=environment.work,
            env=environment.environ() | settings | more,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        code = process.wait(PATIENCE)
    return code, log.read_text("utf-8", "replace")


def attacked(environment: Environment, attacks: list[Attack], *launcher: str) -> Run:
    """Install the sdist by pip, stock or launched; return what came of each attack."""
    ground = Ground(environment, attacks)
    with Servers(environment.root) as servers, somebody(environment, ground.secret()) as process:
        places = ground.places(process) | servers.places()
        archive = evil(environment.work, places)
        before = ground.states()
        pip = ("-m", "pip", "install", "--no-index", "--no-cache-dir", archive)
        code, said = start(environment, environment.python, *launcher, *pip)
        time.sleep(0.5)  # for what an attack has left running
        received = bytes(servers.received)
    result = environment.site_packages / "evil_outcomes.json"
    told = json.loads(result.read_text()) if result.exists() else {"missed": {}, "outcomes": {}}
    outcomes = {name: Outcome(**outcome) for name, outcome in told["outcomes"].items()}
    traces, after = ground.traces(), ground.states()
    for name, outcome in outcomes.items():
        outcome.happened += [f"left in {place}" for place in traces[name]]
        outcome.happened += ["sent"] if ground.tokens[name].encode() in received else []
        outcome.happened += ["changed"] if before[name] != after[name] else []
        outcome.happened += ["read"] if any(s in outcome.took for s in ground.secrets) else []
        outcome.happened += ["reached"] if "it got through" in outcome.took else []
    return Run(code, said, outcomes, told["missed"])


def launched(mode: str = "watch") -> tuple[str, ...]:
    """Return the words that start safesite with the guard, after the interpreter."""
    return ("-S", "-m", "safesite", f"--guard={mode}")


SCRIPT = "#!{}\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"


def equip(environment: Environment, packages: Path) -> None:
    """Put pip and its script into an environment; pip is copied from a folder of packages."""
    for path in packages.glob("pip*"):
        shutil.copytree(path, environment.site_packages / path.name)
    script = environment.prefix / "bin" / "pip"
    script.write_text(SCRIPT.format(environment.python))
    script.chmod(0o755)
