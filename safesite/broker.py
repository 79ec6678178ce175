"""The broker of the guard: the process that asks, and remembers the answers until all has ended.

It is the parent of the program that was started with the guard on, runs nothing of any package, and
answers one process of a build after the other, over a Unix socket in a folder of its own.  It reads
what is asked as text, and of a project only the metadata that names it.

Runs for the guard alone, and may use the whole standard library.
"""

from __future__ import annotations

# Each run pays for what is imported here: typing, tempfile and shutil cost what a start costs.
import contextlib
import json
import marshal
import os
import select
import signal
import socket
import sys
import threading
import time
import warnings

from safesite import keep, projects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

PREFIX = "safesite-guard-"
REQUEST_CAP = 1 << 20
LONGEST_TOP = 60  # bytes: a socket's path has 108
VISIBLE = b"\x1b[0m\x1b[?25h"  # a package, or pip, may have hidden what is typed
GRACE = 2.0  # seconds that a build has to end by itself after Ctrl-C
PATIENCE = 5.0  # seconds for a request to arrive
TURN = 0.1  # seconds between looks whether another run is still asking
MOST_TOLD = 10
WIDEST = 240  # characters of a text in a question
FORWARDED = (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
VERBS = {
    "build": "run code to build itself:",
    "connect": "connect to",
    "listen": "listen on",
    "load": "load native code:",
    "read": "read",
    "resolve": "look up",
    "run": "run",
    "write": "write",
}


class Wish:
    """What a package wants to do: with which target, and what is to be told besides."""

    def __init__(self, kind: str, target: str, detail: str = "", place: str = "") -> None:
        self.kind, self.target, self.detail, self.place = kind, target, detail, place


def supervise(mode: str) -> tuple[str, str]:
    """Fork; return the broker's folder and key in the child, and be the broker in the parent."""
    top = projects.temporary_folder()
    if len(os.fsencode(top)) > LONGEST_TOP:
        top = "/tmp"  # noqa: S108 - a folder of our own is made in there
    sweep(top)
    folder = f"{top}/{PREFIX}{os.getpid()}-{os.urandom(8).hex()}"
    key = os.urandom(16).hex()
    os.mkdir(folder, 0o700)
    server = socket.socket(socket.AF_UNIX)
    server.bind(folder + "/ask")
    server.listen(128)
    waking, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    # SIGINT stays blocked in the broker: Broker.listen() waits for it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *FORWARDED})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for file in (waking, woken):
            os.close(file)
        server.close()
        return folder, key
    try:
        broker = Broker(mode, folder, server, child, (waking, woken), before)
        broker.key = key
        broker.run()
    finally:
        os._exit(1)  # this process is no program, whatever it has met


def sweep(top: str) -> None:
    """Remove what a broker has left that was killed."""
    for name in os.listdir(top):
        if name.startswith(PREFIX):
            path = os.path.join(top, name)
            pid = name[len(PREFIX) :].partition("-")[0]
            with contextlib.suppress(OSError):
                if os.lstat(path).st_uid == os.geteuid() and not os.path.exists(f"/proc/{pid}"):
                    remove(path)


def remove(folder: str) -> None:
    """Remove a broker's folder, in which there is its socket and nothing else."""
    with contextlib.suppress(OSError):
        os.unlink(folder + "/ask")
        os.rmdir(folder)


class Broker:
    """One run under the guard: its builds, what has been answered, and what was refused."""

    def __init__(
        self,
        mode: str,
        folder: str,
        server: socket.socket,
        child: int,
        pipe: tuple[int, int],
        mask: Any,
    ) -> None:
        self.mode, self.folder, self.server, self.child = mode, folder, server, child
        self.key = ""
        self.waking, self.woken = pipe
        self.mask = mask
        self.builds: list[projects.Project] = []
        self.members: set[bytes] = set()  # the command lines of builds' processes
        self.is_build = False  # the program itself is one
        self.answers: dict[tuple[str, str, str], bool] = {}
        self.addresses: dict[str, str] = {}  # of hosts that may be connected to
        self.refused: dict[tuple[str, str, str], tuple[projects.Project, Wish]] = {}
        self.interrupted: bool = False
        self.patience: float | None = None  # when it ends, after Ctrl-C
        self.status = 0
        self.grants: Any = None

    def run(self) -> NoReturn:
        """Answer until the program ends; then clean up, tell, and end as it did."""
        warnings.simplefilter("ignore")  # those of a fork beside a thread: see silence()
        signal.set_wakeup_fd(self.woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        for number in FORWARDED:  # also what is ignored, as the program may handle it all the same
            signal.signal(number, self.forward)
        heeded = signal.getsignal(signal.SIGINT) != signal.SIG_IGN
        threading.Thread(target=self.listen, args=(heeded,), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGINT, *self.mask})
        try:
            while not self.has_ended():
                self.wait(self.server.fileno())
                if self.patience is not None and self.patience < time.monotonic():
                    self.stop_builds()
        finally:
            self.server.close()
            remove(self.folder)
        self.stop_builds()
        self.tell_end()
        self.end()

    def listen(self, heeded: bool) -> None:
        """Note Ctrl-C, which the program hears too: nothing is allowed any more.

        Runs in a thread, which alone is told who has sent a SIGINT: what a process has sent to this
        one alone is handed on.  ``heeded``: it was not ignored when the run began.
        """
        while True:
            sent = signal.sigwaitinfo({signal.SIGINT})
            if sent.si_code <= 0:
                self.forward(signal.SIGINT)
            elif heeded:
                self.interrupted = True
                os.write(self.woken, b"!")

    def forward(self, number: int, _frame: object = None) -> None:
        """Hand a signal on that was meant for the program."""
        child = self.child
        if child:
            send(child, number)

    def wait(self, file: int) -> bool:
        """Wait for a file or a signal; serve a request; return whether the file has something."""
        if self.interrupted and self.patience is None:
            self.patience = time.monotonic() + GRACE
        ready, _, _ = select.select(
            [file, self.waking], [], [], GRACE if self.interrupted else None
        )
        self.drain()
        if file in ready and file == self.server.fileno():
            self.serve()
        return file in ready

    def drain(self) -> None:
        """Empty the pipe that signals write into."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.waking, 4096):
                pass

    def has_ended(self) -> bool:
        """Return whether the program has ended, and note how."""
        if self.child:
            found, status = os.waitpid(self.child, os.WNOHANG)
            if not found:
                return False
            self.child, self.status = 0, status
        return True

    def stop_builds(self) -> None:
        """End the builds' processes that have outlived Ctrl-C, and what they have forked."""
        for pid in self.processes() if self.interrupted else ():
            send(pid, signal.SIGKILL)

    def processes(self) -> set[int]:
        """Return the processes of builds, with what they have forked and started."""
        found = {self.child} if self.is_build else set()
        run = f"SAFESITE_GUARD_RUN={self.folder}".encode()
        for name in os.listdir("/proc"):
            if name.isdecimal() and int(name) not in (os.getpid(), self.child):
                names = contents(f"/proc/{name}/environ").split(b"\0")
                of_build = contents(f"/proc/{name}/cmdline") in self.members
                if any(x.startswith(run + b"/") or (x == run and of_build) for x in names):
                    found.add(int(name))
        return found - {0}

    def end(self) -> NoReturn:
        """End this process as the program has ended."""
        if os.WIFSIGNALED(self.status):
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            number = os.WTERMSIG(self.status)
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            # To this thread, as the other one waits for SIGINT.
            signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
            signal.pthread_kill(threading.get_ident(), number)
        os._exit(os.waitstatus_to_exitcode(self.status) & 0xFF)

    # Requests.

    def serve(self) -> None:
        """Take one request, and answer it; one that makes no sense gets no answer."""
        with contextlib.suppress(Exception), self.server.accept()[0] as connection:
            # Whatever it says, others are waiting.
            connection.settimeout(PATIENCE)
            data = b""
            while not data.endswith(b"\n") and len(data) < REQUEST_CAP:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
            connection.sendall(self.answer(data.removesuffix(b"\n"), connection))

    def answer(self, data: bytes, connection: socket.socket) -> bytes:
        """Return the answer to a request, which the key has signed, or begins with.

        To a hook it is words, signed too, to guard an object by marshal.  Only what runs before any
        code of a package may show the key, as another thread could take the connection.
        """
        if data[:1] != b"[":
            signed, _, request = data.partition(b" ")
            if signed != self.signature(b"ask", request):
                return b""
            words = json.loads(request)
            answer = self.decide(self.builds[words[1]], Wish(*words[2:6])).encode("ascii")
            return self.signature(words[6].encode("ascii"), answer) + b" " + answer
        key, *words = json.loads(data)
        return self.details_for(words, connection) if key == self.key else b""

    def signature(self, purpose: bytes, data: bytes) -> bytes:
        """Return what only this process can make of data, and what has its key."""
        from hashlib import blake2s

        key = self.key.encode("ascii")
        return blake2s(purpose + b" " + data, key=key).hexdigest().encode("ascii")

    def details_for(self, words: Any, connection: socket.socket) -> bytes:
        """Return what a process of a build is told of it, when it starts."""
        if words[0] == "readable":  # the first process knows, and the others are told
            build = self.builds[words[1]]
            build.readable = build.readable or words[2]
            return marshal.dumps(build.readable)
        self.note_member(connection)
        if words[0] == "join":
            return marshal.dumps({**self.builds[words[1]].details, "broker": os.getpid()})
        _, what, folder, folders = words
        before = [path for build in self.builds for path in build.own]
        build = projects.look(len(self.builds), what, folder, folders, before)
        self.builds.append(build)
        name = build.name if build.consistent else build.label  # which no policy can name
        refused = self.decide(build, Wish("build", name, what)).removeprefix("no ")
        details = {**build.details, "broker": os.getpid()}
        return marshal.dumps(details if refused == "yes" else refused)

    def note_member(self, connection: socket.socket) -> None:
        """Remember a process of a build."""
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid = int.from_bytes(data[:4], sys.byteorder)
        self.members.add(contents(f"/proc/{pid}/cmdline"))
        self.is_build = self.is_build or pid == self.child

    # Decisions.

    def decide(self, build: projects.Project, wish: Wish) -> str:
        """Return "yes", "interrupted", or "no " and the sentence that the package gets to see."""
        if self.interrupted:
            return "interrupted"
        key = build.folder, wish.kind, what(wish)
        if self.is_granted(build, wish):
            return "yes"
        if key not in self.answers:
            answer = self.ask(build, wish)
            if answer == "interrupted":
                return answer
            self.remember(build, wish, answer)
        if self.answers[key]:
            return "yes"
        sentence = f"{question(build, wish)}: refused{self.remedy(build, wish)} (guard)"
        return "no " + sentence

    def remember(self, build: projects.Project, wish: Wish, answer: str) -> None:
        """Remember an answer until the program ends."""
        key = build.folder, wish.kind, what(wish)
        self.answers[key] = answer in ("yes", "always")
        if answer == "always":
            self.answers["", wish.kind, always(build, wish)] = True
        if self.answers[key]:
            self.remember_addresses(wish)
        elif not answer:
            self.refused[key] = build, wish

    def is_granted(self, build: projects.Project, wish: Wish) -> bool:
        """Return whether a policy allows this, or what has been answered before includes it."""
        if wish.kind == "build":
            if self.mode == "watch" or ("", "build", build.folder) in self.answers:
                return True
            return build.consistent and self.policy_covers("build", wish.target)
        if ("", wish.kind, wish.target) in self.answers:
            return True
        if wish.kind == "connect" and wish.target in self.addresses:
            return True
        if self.policy_covers(wish.kind, wish.target):
            self.remember_addresses(wish)
            return True
        return False

    def policy_covers(self, kind: str, target: str) -> bool:
        """Return whether a policy has a line for this."""
        from safesite import grants

        if self.grants is None:
            import site

            self.grants = grants.load(site)
        return grants.covering(self.grants, kind, target) is not None

    def remember_addresses(self, wish: Wish) -> None:
        """Look up a host that may be connected to: its addresses are what is connected to next."""
        host, _, port = wish.target.rpartition(":")
        if wish.kind == "connect" and port.isdecimal() and not host.startswith("["):
            with contextlib.suppress(OSError, UnicodeError):
                for *_, address in socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM):
                    at = str(address[0])
                    shown = f"[{at}]:{port}" if ":" in at else f"{at}:{port}"
                    self.addresses[shown] = wish.target

    def remedy(self, build: projects.Project, wish: Wish) -> str:
        """Return the line of a policy that would allow it, if there can be one."""
        from safesite import grants

        line = grants.line(wish.kind, wish.target)
        possible = line and (wish.kind != "build" or build.consistent)
        return f"; in a policy, to allow it: {line}" if possible else ""

    # Asking.

    def ask(self, build: projects.Project, wish: Wish) -> str:
        """Return "yes", "always", "no" or "interrupted"; "" where nobody can be asked.

        That is without a terminal, or where another program has it.
        """
        if self.mode == "deny":
            return ""
        try:
            terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            if os.tcgetpgrp(terminal) != os.getpgrp():
                return ""
            with self.silence(), self.turn():
                return self.ask_at(terminal, question(build, wish))
        except OSError:
            return ""
        finally:
            os.close(terminal)

    def ask_at(self, terminal: int, text: str) -> str:
        """Ask at a terminal until the answer is one; what was typed before counts for nothing."""
        import termios

        if os.environ.get("TERM", "dumb") != "dumb":
            os.write(terminal, VISIBLE)
        for _ in range(3):
            termios.tcflush(terminal, termios.TCIFLUSH)
            # A line of its own: what stands there may be a progress bar, and goes on afterwards.
            os.write(
                terminal,
                f"\r\nsafesite: {text}. Allow? [y]es, [a]lways in this run, [N]o ".encode("ascii"),
            )
            word = self.typed(terminal).strip().lower()
            if self.interrupted:
                return "interrupted"
            for answer in ("yes", "always", "no"):
                if word and answer.startswith(word):
                    return answer
            if not word:
                break
        return "no"

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Have the builds' processes stand still: they could draw over a question, or beside it.

        They go on afterwards, also if this process does not.
        """
        stopped: set[int] = set()
        while new := self.processes() - stopped:
            stopped |= new
            for pid in new:
                send(pid, signal.SIGSTOP)
        reading, writing = os.pipe()
        watchdog = os.fork()
        if watchdog == 0:
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            os.close(writing)
            os.read(reading, 1)
            for pid in stopped:
                send(pid, signal.SIGCONT)
            os._exit(0)
        os.close(reading)
        try:
            yield
        finally:
            os.close(writing)
            os.waitpid(watchdog, 0)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for other runs that ask at this terminal: an answer is for one question."""
        import fcntl

        from safesite import refused

        # Of the files in /proc/self: state, parent, process group, session, terminal.
        number = int(contents("/proc/self/stat").rpartition(b")")[2].split()[4])
        try:
            file = refused.open_lock()
        except OSError:
            file = None  # there is no place for it
        try:
            while file is not None and not (self.interrupted or self.has_ended()):
                try:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
                    break
                except OSError:  # another run has it
                    select.select([self.waking], [], [], TURN)
                    self.drain()
            yield
        finally:
            if file is not None:
                os.close(file)

    def typed(self, terminal: int) -> str:
        """Return a line, "" at its end, by Ctrl-C, or where the program ends meanwhile."""
        data = b""
        while not data.endswith(b"\n"):
            is_typed = self.wait(terminal)
            if self.interrupted or self.has_ended():
                return ""
            if is_typed:
                more = os.read(terminal, 1024)
                if not more:
                    return ""
                data += more
        return data.decode("ascii", "replace")

    # The end.

    def tell_end(self) -> None:
        """Tell what was refused, and keep it for ``--pending``."""
        if not self.refused or self.interrupted:
            return
        from safesite import refused

        for number, (build, wish) in enumerate(self.refused.values()):
            if number == MOST_TOLD:
                keep.say(f"safesite: and {len(self.refused) - number} more; see --pending (guard)")
                break
            keep.say(
                f"safesite: {question(build, wish)}: refused{self.remedy(build, wish)} (guard)"
            )
        found = [
            refused.Refusal(refused.now(), build.label, wish.kind, wish.target, wish.place)
            for build, wish in self.refused.values()
        ]
        try:
            refused.append(found)
        except OSError as exc:
            keep.say(
                f"safesite: not kept for --pending: {keep.quoted(str(exc), 240)[1:-1]} (guard)"
            )


def send(pid: int, number: int) -> None:
    """Send a signal to a process, if it is still there."""
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def contents(path: str) -> bytes:
    """Return what is in a file of a process, nothing where that has ended."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def what(wish: Wish) -> str:
    """Return by what two questions of a package are equal.

    Of a build it is the hook, of a program its whole command line.
    """
    if wish.kind == "run":
        return f"{wish.target} {wish.detail}"
    return wish.detail if wish.kind == "build" else wish.target


def always(build: projects.Project, wish: Wish) -> str:
    """Return what "always" is about: of a build all its hooks, else the target, whoever asks."""
    return build.folder if wish.kind == "build" else wish.target


def question(build: projects.Project, wish: Wish) -> str:
    """Return what a package wants, as one line of printable ASCII.

    What the package could have written is one word, or stands in quotes.
    """
    version = f" {word(build.version)}" if build.version else ""
    alias = f" (calls itself {word(build.alias)})" if build.alias else ""
    place = f" ({word(wish.place)})" if wish.place else ""
    asker = word(build.name) + version + alias + place
    verb = VERBS.get(wish.kind, "do something unknown:")
    if wish.kind == "build":
        backend = f"{word(build.backend)}, " if build.backend else ""
        return f"{asker} wants to {verb} {backend}{' '.join(map(word, wish.detail.split(' ')))}"
    more = f" ({keep.quoted(wish.detail, WIDEST)})" if wish.detail else ""
    return f"{asker} wants to {verb} {word(wish.target)}{more}"


def word(text: str) -> str:
    """Return a text as it is where it is one plain word, else quoted."""
    plain = text.isascii() and text.isprintable() and not set(text) & set(" '\"")
    return text if plain and len(text) <= WIDEST else keep.quoted(text, WIDEST)
