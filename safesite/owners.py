"""Who claims a file of a site directory: what the RECORD of each distribution there says.

A claim is no proof: a wheel can write any RECORD, its own and, through its ``data`` files, one
beside it that bears another's name.  So metadata is believed only as far as it is whole (see
`Owners.of`), and what could not be read makes the answer "unknown".

Reads, and imports nothing of what it reads: ``importlib.metadata`` would, from the very folders
this is about.  Paths are compared by the real path of their folder, as a wheel can reach a site
directory by two names (``lib`` and ``lib64``); the last part may be a symbolic link, and stays.
Loaded by the commands alone, never by a start.
"""

from __future__ import annotations

import base64
import bisect
import csv
import hashlib
import io
import itertools
import os
import re
import stat
from dataclasses import dataclass

from safesite.findings import Owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SIZE_CAP = 16 << 20  # bytes of one RECORD, or of a file that is hashed; PyTorch's has 1.5 million
TOTAL_CAP = 64 << 20  # bytes of all RECORDs
CLAIM_CAP = 500_000  # files that they claim; a hundred distributions of every kind claim 43,000
DISTRIBUTION_CAP = 10_000
HEADER_CAP = 64 << 10  # bytes of a METADATA that are looked at: the fields come first

# By the suffix of its folder, where a distribution lists its files, and where it names itself.
KINDS = {".dist-info": ("RECORD", "METADATA"), ".egg-info": ("installed-files.txt", "PKG-INFO")}
LEFTOVER = "~"  # begins what pip has renamed to remove it, and could not

ALGORITHMS = ("sha256", "sha384", "sha512")  # those that every Python has and nobody forges
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
EGG_TAG = re.compile(r"-py[0-9][0-9.]*(?:-.*)?\Z", re.DOTALL)  # -py3.11, -py3.11-linux-x86_64
SPELLINGS = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc", "rev": "post"}


@dataclass(frozen=True, eq=False)
class Distribution:
    """A distribution of a site directory; ``folder`` is that of its metadata.

    ``agrees``: its METADATA is there and says what the folder is called.  If not, name and version
    are the folder's.  ``home``: the real path of ``folder``, which may be a symbolic link.
    """

    name: str
    version: str
    folder: str
    home: str
    agrees: bool


class Owners:
    """Who claims the files of site directories, read from the RECORD of each distribution.

    Each folder is read once; the claims of all of them count together, by absolute path.
    """

    def __init__(self, folders: Iterable[str] = ()) -> None:
        self._problems: dict[str, None] = {}
        self._found: dict[str, list[Distribution]] = {}
        self._unsure: set[str] = set()  # folders of which not every claim could be read
        self._claims: dict[str, list[tuple[Distribution, str]]] = {}
        self._claimed_in: dict[str, set[Distribution]] = {}
        self._planted: set[Distribution] = set()
        self._real: dict[str, str] = {}
        self._bytes_left, self._claims_left = TOTAL_CAP, CLAIM_CAP
        self._distributions_left = DISTRIBUTION_CAP
        for folder in folders:
            self.look_in(folder)

    @property
    def problems(self) -> list[str]:
        """Sentences on what could not be read or is over a cap, each once, with unescaped paths."""
        return [*self._problems]

    def look_in(self, folder: str) -> None:
        """Have the distributions of a folder count; one that is not there has none."""
        folder = self._real_folder(folder)
        if folder in self._found:
            return
        self._found[folder] = []
        for name in self._metadata_folders(folder):
            self._read(folder, name)
        if self._found[folder]:
            self._find_planted()

    def of(self, path: str) -> Owner:
        """Return who claims a file, and whether that can be believed; see `findings.OWNER_STATES`.

        The first of these that holds is the state:

        unknown: not every claim could be read in a site directory that the file is below, or the
        file cannot be read itself.
        forged: the metadata of any claimant is not whole.  It has no METADATA, or that and the
        folder's name disagree, or its RECORD lacks itself or METADATA, or another distribution
        claims a file inside its folder.
        shared: two claim it, also two versions of one distribution.
        """
        self.look_in(os.path.dirname(path))
        place = self._place(path)
        claims = self._claims.get(place, [])
        claimants = dict.fromkeys(distribution for distribution, _ in claims)
        return Owner(self._state(path, place, [*claimants]), labels(claimants))

    def distributions(self, folder: str) -> list[Distribution]:
        """Return the distributions of a folder, also those that claim nothing."""
        self.look_in(folder)
        return [*self._found[self._real_folder(folder)]]

    def files_of(self, name: str, folder: str) -> list[str]:
        """Return what the distributions of a name claim, whether or not they are to be believed.

        The paths are absolute, their folders real ones: compare the results of `of`, not texts.
        """
        wanted = {d for d in self.distributions(folder) if normal_name(d.name) == normal_name(name)}
        return sorted(
            place
            for place, claims in self._claims.items()
            if any(distribution in wanted for distribution, _ in claims)
        )

    def claimed_twice(self, folder: str) -> list[tuple[str, tuple[str, ...]]]:
        """Return the files that a distribution of a folder claims and another one too, and whose.

        Their paths are relative to the folder.  Cached bytecode does not count: every Python
        writes it again.
        """
        own = set(self.distributions(folder))
        start, cache = self._real_folder(folder), f"{os.sep}__pycache__{os.sep}"
        found = []
        for place, claims in self._claims.items():
            claimants = {distribution for distribution, _ in claims}
            if len(claimants) > 1 and not own.isdisjoint(claimants) and cache not in place:
                found.append((os.path.relpath(place, start), labels(claimants)))
        return sorted(found)

    def _state(self, path: str, place: str, claimants: list[Distribution]) -> str:
        if any(place.startswith(os.path.join(folder, "")) for folder in self._unsure):
            return "unknown"
        if not all(map(self._is_whole, claimants)):
            return "forged"
        if len(claimants) > 1:
            return "shared"
        if not claimants:
            return "nobody"
        return self._content_state(path, [digest for _, digest in self._claims[place]])

    def _content_state(self, path: str, digests: list[str]) -> str:
        """Compare a file with what one distribution claims, which can list it more than once."""
        digests = [digest for digest in digests if is_digest(digest)]
        if not digests:
            return "unhashed"
        try:
            data = read(path, SIZE_CAP)
        except (OSError, ValueError) as exc:
            self._note(f"{path}: {reason(exc)}; whether it is what its owner claims is unknown")
            return "unknown"
        return "owned" if all(matches(data, digest) for digest in digests) else "changed"

    def _is_whole(self, distribution: Distribution) -> bool:
        """Return whether nothing speaks against the metadata of a distribution."""
        return (
            distribution.agrees
            and distribution not in self._planted
            and (distribution.folder.endswith(".egg-info") or self._lists_itself(distribution))
        )

    def _lists_itself(self, distribution: Distribution) -> bool:
        own = (self._place(os.path.join(distribution.home, name)) for name in KINDS[".dist-info"])
        return all(distribution in dict(self._claims.get(place, ())) for place in own)

    def _find_planted(self) -> None:
        """Note each distribution in whose folder another claims a file: that may have written it.

        This is how a wheel brings ``coverage-9.dist-info/RECORD`` along.
        """
        folders = sorted(self._claimed_in)
        for distribution in itertools.chain.from_iterable(self._found.values()):
            home = os.path.join(distribution.home, "")
            for index in range(bisect.bisect_left(folders, home), len(folders)):
                if not folders[index].startswith(home):
                    break
                if self._claimed_in[folders[index]] - {distribution}:
                    self._planted.add(distribution)
                    break

    def _metadata_folders(self, folder: str) -> list[str]:
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):  # as site leaves out such a one; a zip file
            return []
        except (OSError, ValueError) as exc:
            self._doubt(folder, folder, reason(exc))
            return []
        names = [name for name in names if name.endswith((*KINDS,)) and name[0] != LEFTOVER]
        if len(names) > self._distributions_left:
            self._doubt(folder, folder, f"more than {DISTRIBUTION_CAP} distributions, the cap")
        names = sorted(names)[: self._distributions_left]
        self._distributions_left -= len(names)
        return names

    def _read(self, folder: str, name: str) -> None:
        """Add a distribution and its claims; one without a RECORD claims nothing (Debian's)."""
        path = os.path.join(folder, name)
        try:
            if not stat.S_ISDIR(os.stat(path).st_mode):  # a file, as distutils writes
                return
        except (FileNotFoundError, NotADirectoryError):  # a link to nowhere
            return
        except OSError as exc:
            self._doubt(folder, path, reason(exc))
            return
        distribution = describe(path, self._real_folder(path))
        self._found[folder].append(distribution)
        listing = os.path.join(path, KINDS[split_suffix(name)[1]][0])
        try:
            data = read(listing, min(SIZE_CAP, self._bytes_left))
            self._bytes_left -= len(data)
            self._add_claims(distribution, folder, data)
        except (OSError, ValueError, csv.Error) as exc:
            if not isinstance(exc, FileNotFoundError) or os.path.islink(listing):
                self._doubt(folder, listing, reason(exc))

    def _add_claims(self, distribution: Distribution, folder: str, data: bytes) -> None:
        """Add what a RECORD lists; raises ValueError, csv.Error where the rest cannot be told."""
        is_egg = distribution.folder.endswith(".egg-info")
        start = distribution.folder if is_egg else folder
        real: dict[str, str] = {}
        for path, digest in listed_paths(data) if is_egg else rows(data):
            head, name = os.path.split(path)
            if name in ("", ".", ".."):  # a folder, as old versions of pip list too
                continue
            if not self._claims_left:
                raise ValueError(f"more than {CLAIM_CAP} claims, the cap")
            self._claims_left -= 1
            if head not in real:
                real[head] = os.path.join(self._real_folder(os.path.join(start, head)), "")
                self._claimed_in.setdefault(real[head], set()).add(distribution)
            place = os.path.normcase(real[head] + name)
            self._claims.setdefault(place, []).append((distribution, digest))

    def _place(self, path: str) -> str:
        """Return by what a file is known here."""
        folder, name = os.path.split(path)
        return os.path.normcase(os.path.join(self._real_folder(folder), name))

    def _real_folder(self, path: str) -> str:
        """Return the real path of a folder; of one that is not there, so holds nothing, its own.

        Looking first bounds the work that a RECORD of invented folders can make.
        """
        path = os.path.normcase(os.path.normpath(path))
        if path not in self._real:
            self._real[path] = self._resolve(path)
        return self._real[path]

    def _resolve(self, folder: str) -> str:
        if not os.path.isdir(folder):
            return folder
        parent, name = os.path.split(folder)
        if parent in self._real and not os.path.islink(folder):  # for speed
            return os.path.join(self._real[parent], name)
        return os.path.normcase(os.path.realpath(folder))

    def _doubt(self, folder: str, path: str, why: str) -> None:
        self._unsure.add(folder)
        self._note(f"{path}: {why}; who claims the files of the site directory is unknown")

    def _note(self, problem: str) -> None:
        self._problems[problem] = None


def labels(distributions: Iterable[Distribution]) -> tuple[str, ...]:
    """Return names with versions, as in `Owner.claimants`."""
    return tuple(sorted(f"{found.name} {found.version}".rstrip() for found in distributions))


def split_suffix(name: str) -> tuple[str, str]:
    """Split the name of a metadata folder; splitext() takes ``.dist-info`` for a name without."""
    stem, dot, suffix = name.rpartition(".")
    return stem, dot + suffix


def describe(folder: str, home: str) -> Distribution:
    """Return what a metadata folder says of itself: by its name, and by its METADATA."""
    stem, suffix = split_suffix(os.path.basename(folder))
    is_egg = suffix == ".egg-info"
    if is_egg:
        stem = EGG_TAG.sub("", stem)
    name, hyphen, version = stem.rpartition("-")
    stated = stated_name(os.path.join(folder, KINDS[suffix][1]))
    if not hyphen:  # as setuptools leaves it in a project's own folder
        name, version = stem, stated[1] if is_egg else ""
    agrees = bool(NAME.fullmatch(stated[0])) and comparable(*stated) == comparable(name, version)
    if agrees:
        name, version = stated
    return Distribution(name, version, folder, home, agrees)


def stated_name(path: str) -> tuple[str, str]:
    """Return Name and Version of a METADATA; both are "" unless each stands there exactly once."""
    try:
        text = read(path, HEADER_CAP, whole=False).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):
        return "", ""
    header = re.split(r"\r?\n[ \t]*\r?\n", text, maxsplit=1)[0]
    fields = [line.partition(":")[::2] for line in header.split("\n")]
    names = [value.strip() for key, value in fields if key.lower() == "name"]
    versions = [value.strip() for key, value in fields if key.lower() == "version"]
    return (names[0], versions[0]) if len(names) == len(versions) == 1 else ("", "")


def comparable(name: str, version: str) -> tuple[str, list[str]]:
    """Return name and version in a form that is the same however they are spelled (PEP 440)."""
    parts = re.findall(r"[0-9]+|[a-z]+", version.lower().removeprefix("v"))
    parts = [SPELLINGS.get(part, part.lstrip("0") or part[-1]) for part in parts]
    while parts and parts[-1] == "0":
        parts.pop()
    return normal_name(name), parts


def normal_name(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it; a name that it has no rule for stays."""
    return re.sub(r"[-_.]+", "-", name).lower() if name.isascii() else name


def open_at_once(path: str, flags: int) -> int:
    """Open without waiting: a FIFO would hold up open() itself."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def read(path: str, cap: int, *, whole: bool = True) -> bytes:
    """Return the content of a regular file, or its start; raises OSError, ValueError.

    Of a file above the cap nothing is read, unless the start is enough.
    """
    with open(path, "rb", opener=open_at_once) as file:
        st = os.fstat(file.fileno())
        if not stat.S_ISREG(st.st_mode):
            raise ValueError("not a regular file")
        if whole and st.st_size > cap:
            raise ValueError(f"larger than {cap} bytes, the cap")
        return file.read(min(st.st_size, cap))  # 0 in /proc, where reading may not end


def rows(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield path and hash of each row of a RECORD; raises ValueError, csv.Error if it is none."""
    if b"\0" in data:  # which csv refuses on 3.10 alone
        raise ValueError("holds a NUL")
    text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
    for row in csv.reader(text):
        if row:
            yield row[0], row[1] if len(row) > 1 else ""


def listed_paths(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the paths of an ``installed-files.txt``, with no hash."""
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        yield line.rstrip("\r"), ""


def is_digest(text: str) -> bool:
    """Return whether a hash of a RECORD binds a content."""
    algorithm, _, digest = text.partition("=")
    return algorithm in ALGORITHMS and bool(digest)


def matches(data: bytes, text: str) -> bool:
    """Return whether a hash of a RECORD is that of a content."""
    algorithm, _, digest = text.partition("=")
    real = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).decode()
    return real.rstrip("=") == digest.rstrip("=")


def reason(exc: Exception) -> str:
    """Return why something could not be read."""
    return getattr(exc, "strerror", None) or str(exc)
