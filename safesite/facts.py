"""The other ways into a start, which `--explain` lists beside startup files: facts, no verdicts.

Reads folder listings, the names inside zip files, and pyvenv.cfg.  Imports and executes nothing of
what it looks at, so it uses nothing that would: no ``importlib.metadata``, no ``pkgutil``.  Every
text keeps the names of files as they are; whoever writes a fact escapes it.

Runs for `--explain` alone, and may use the rest of the standard library.
"""

from __future__ import annotations

import _imp
import io
import os
import stat
import sys
from collections import Counter
from dataclasses import dataclass

from safesite import hide_foreign_names, protection
from safesite.findings import Fact
from safesite.places import (
    Form,
    NotLookedInto,
    Place,
    each_once,
    identity,
    look,
    look_into,
    odd,
    read,
    status,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    ClaimedTwice = Callable[[str], list[tuple[str, tuple[str, ...]]]]

# In the order in which they are told.
SLUGS = (
    "protection", "protection-undone", "path-file", "home-key", "system-site", "library-zip",
    "network-path", "device-path", "customize-candidate", "probed-name", "shadows-library",
    "shadowed", "several-forms", "zip-entry", "claimed-twice", "not-looked-into",
)  # fmt: skip
MOST_OF_A_SLUG = 50

MOST_ENTRIES = 1_000  # of sys.path
MOST_OF_CFG = 1 << 20
MOST_LINKS = 40  # from an executable to the real one
MOST_TOLD = 3  # files in one text

WORDS = {
    "package": "a package",
    "extension": "an extension module",
    "module": "a module",
    "bytecode": "bytecode without source",
    "namespace": "a folder without __init__, which runs nothing",
}

CUSTOMIZE = ("sitecustomize", "usercustomize")
APART = {*CUSTOMIZE, "__main__", "__init__"}  # told of as customize modules, or never imported


def foreign_names(os_name: str, platform: str) -> list[str]:
    """Return the modules that a start hides because no such platform has them."""
    names: dict[str, object] = {}
    hide_foreign_names(names, os_name, platform)
    return list(names)


# What one version or another tries to import, beside `foreign_names`: platform does (java.lang,
# vms_lib, _winreg), traceback from 3.15 on, and the sitecustomize of Debian and Ubuntu.
PROBED = {"_missing_stdlib_info", "_winreg", "apport_python_hook", "java.lang", "vms_lib"}
PROBED |= {"org.python.core", *foreign_names(os.name, sys.platform)}

PATH_FILE = "where Python reads it (on Windows, and everywhere from 3.11 on) it alone says what \
sys.path is and whether site is imported"
HOME = "whoever can write this file chooses the standard library"


@dataclass(frozen=True)
class Start:
    """What a start of this interpreter has: its paths, each in the order in which it counts.

    ``home_file``: the path of pyvenv.cfg, or "".  ``library``: the standard library's folders and
    zip file.
    """

    executable: str
    prefix: str
    base_prefix: str
    home_file: str
    path: list[str]
    site_directories: list[str]
    pythonpath: list[str]
    library: list[str]


def find(start: Start, claimed_twice: ClaimedTwice) -> list[Fact]:
    """Return all facts about a start, ordered by slug and then by place; never raises.

    ``claimed_twice`` returns, for a site directory, the files that more than one distribution
    claims, each with its claimants.
    """
    found = [*protections(start), *path_files(start), *home_keys(start)]
    found += [*library_zips(start), *odd_paths(start)]
    entries = in_order(start)
    places = look_into(entries[:MOST_ENTRIES], {identity(entry) for entry in start.library})
    for about in (customize_candidates, library_names, shadowed, several_forms, about_places):
        found += about(places)
    found += claims(start.site_directories, claimed_twice)
    if len(entries) > MOST_ENTRIES:
        more = f"the {len(entries) - MOST_ENTRIES} entries of sys.path from here on"
        found.append(Fact("not-looked-into", entries[MOST_ENTRIES], f"{more}: not looked into"))
    return limited(found)


def limited(found: list[Fact]) -> list[Fact]:
    """Return facts grouped by slug, each once, no more of a slug than anybody would read."""
    unique = dict.fromkeys(found)
    counts = Counter(fact.slug for fact in unique)
    kept = []
    for slug in SLUGS:
        kept += [fact for fact in unique if fact.slug == slug][:MOST_OF_A_SLUG]
        if counts[slug] > MOST_OF_A_SLUG:
            kept.append(Fact(slug, "", f"{counts[slug] - MOST_OF_A_SLUG} more like these"))
    return kept


# Whether others than safesite's own commands start this environment's Python under it.


def protections(start: Start) -> Iterator[Fact]:
    """Find what --protect has left in the environment, and what has been undone since."""
    prefix, file = start.prefix, os.path.join(start.prefix, protection.RECORD)
    if not start.executable:
        return
    try:
        record = protection.read_record(prefix)
    except protection.Broken:
        yield Fact("protection-undone", file, "is not the record that --protect writes")
        return
    for path in leftovers(prefix, record["start"] if record else ""):
        text = "is left from a --protect or --unprotect that was interrupted; either finishes it"
        yield Fact("protection-undone", path, text)
    if record is None:
        return
    by = f"by safesite {record['safesite']} in {record['package']}"
    text = f"this environment is protected, {by}: {told(sorted(record['launchers']))}"
    yield Fact("protection", file, text)
    for name in protection.changed(prefix, record):
        text = "is not the launcher that --protect wrote: starts by this name are not protected"
        yield Fact("protection-undone", os.path.join(prefix, "bin", name), text)
    config = os.path.join(prefix, protection.CONFIG)
    if protection.digest(protection.read(config)) != record["config"]:
        text = f"is not what --protect recorded, home = {record['home']}; launchers do not start"
        yield Fact("protection-undone", config, text)


def leftovers(prefix: str, start: str) -> list[str]:
    """Return what an interrupted command has left: without a record, all of it."""
    names = [name for name in protection.start_folders(prefix) if name != start]
    names += [protection.STAGED, *([] if start else [protection.FOLDER])]
    paths = (os.path.join(prefix, name) for name in names)
    return [path for path in paths if os.path.lexists(path)]


# What Python decides before site: files near the executable.


def path_files(start: Start) -> Iterator[Fact]:
    """Find the ``._pth`` files for this executable, and for the names it goes by where it lies."""
    files = links(start.executable)
    major, minor = sys.version_info[:2]
    names = ["python", f"python{major}", f"python{major}{minor}", f"python{major}.{minor}"]
    names += [without_exe(os.path.basename(file)) for file in files]
    folders = [os.path.dirname(file) for file in files]
    if os.name == "nt":  # where an environment's executable is no link
        folders.append(start.base_prefix)
    for folder in each_once(folders):
        for name in dict.fromkeys(names):
            path = os.path.join(folder, name + "._pth")
            if status(path):
                yield Fact("path-file", path, PATH_FILE)


def links(path: str) -> list[str]:
    """Return a path, what it links to, what that links to, and the real path."""
    found = [path] if path else []
    try:
        while found and os.path.islink(found[-1]) and len(found) < MOST_LINKS:
            target = os.path.join(os.path.dirname(found[-1]), os.readlink(found[-1]))
            folder, name = os.path.split(target)
            found.append(os.path.join(os.path.realpath(folder), name))
        found += [os.path.realpath(path)] if path else []
    except (OSError, ValueError):  # it changes meanwhile, or is no path
        pass
    return found


def without_exe(name: str) -> str:
    return name[:-4] if os.name == "nt" and name.lower().endswith(".exe") else name


def home_keys(start: Start) -> Iterator[Fact]:
    """Find what pyvenv.cfg says: the start's own, beside the executable, and one level up."""
    beside = os.path.dirname(start.executable)
    near = [os.path.join(f, "pyvenv.cfg") for f in (os.path.dirname(beside), beside) if f]
    for file in each_once([start.home_file, *near]):
        try:
            data = read(file, MOST_OF_CFG)
        except NotLookedInto as exc:
            yield Fact("not-looked-into", file, str(exc))
            continue
        if data is not None:
            yield from cfg_facts(file, data.decode("utf-8", "surrogateescape"))


def cfg_facts(file: str, data: str) -> Iterator[Fact]:
    """Tell what a pyvenv.cfg says; Python takes the first home, and site the last word on sites."""
    homes = values(data.split("\n"), "home")
    if homes:
        yield Fact("home-key", file, f"home = {homes[0]}: {HOME}{writers(file)}")
    else:
        text = "has no home key, so the executable's place chooses the library"
        yield Fact("home-key", file, text)
    lines = io.StringIO(data, newline=None).read().split("\n")  # site reads it as text
    system = values(lines, "include-system-site-packages")
    if not system:
        text = "has no include-system-site-packages, which site takes for true"
        yield Fact("system-site", file, text)
    elif system[-1].lower() == "true":
        text = "include-system-site-packages = true: the base's site directories count too"
        yield Fact("system-site", file, text)


def values(lines: list[str], key: str) -> list[str]:
    """Return what lines ``KEY = VALUE`` say of a key, whatever its case."""
    parts = [line.partition("=") for line in lines]
    return [
        value.strip() for name, equals, value in parts if equals and name.strip().lower() == key
    ]


def writers(file: str) -> str:
    """Return, as the end of a text, who can write a file or replace it; "" on Windows."""
    if os.name == "nt":
        return ""
    found = [status(file), status(os.path.dirname(file) or os.curdir)]
    # In a sticky folder, as /tmp, others replace nothing.
    modes = [st.st_mode for st in found if st and not st.st_mode & stat.S_ISVTX]
    if any(mode & stat.S_IWOTH for mode in modes):
        return "; everybody can write it or its folder"
    if any(mode & stat.S_IWGRP for mode in modes):
        return "; its group can write it or its folder"
    return "; only its owner can write it"


def library_zips(start: Start) -> Iterator[Fact]:
    """Find the standard library's zip file, or that this user could make one."""
    for path in start.library:
        if not path.lower().endswith(".zip"):
            continue
        if status(path):
            yield Fact("library-zip", path, "is looked in before the standard library's folders")
        elif os.name != "nt" and may_write(os.path.dirname(path)):  # there access() cannot tell
            text = "is not there, would be looked in first, and this user can write its folder"
            yield Fact("library-zip", path, text)


def may_write(folder: str) -> bool:
    return status(folder) is not None and os.access(folder, os.W_OK)


def odd_paths(start: Start) -> Iterator[Fact]:
    """Find paths that are no folders of this machine's disks."""
    lists = (start.path, start.pythonpath, start.site_directories, start.library)
    for path in dict.fromkeys(path for paths in lists for path in paths):
        slug = odd(path)
        if slug == "network-path":
            yield Fact(slug, path, "under Windows, a folder that another machine shares")
        elif slug:
            yield Fact(slug, path, "names what a device or process holds, not a folder on a disk")


def in_order(start: Start) -> list[str]:
    """Return all entries in the order in which they are searched, each folder once.

    Those of PYTHONPATH that sys.path does not have come first, site directories that it does not
    have last: they were asked about.
    """
    known = {identity(entry) for entry in start.path}
    first = [entry for entry in start.pythonpath if identity(entry) not in known]
    entries = [*first, *start.path, *start.library, *start.site_directories]
    return each_once(entries)


# Modules: which of the entries of sys.path answers.


def customize_candidates(places: list[Place]) -> Iterator[Fact]:
    """Find every form of a customize module, the standard library's folder included."""
    for name in CUSTOMIZE:
        first = ""
        for form in (form for place in places for form in forms_of(place, name)):
            turn = f", behind {first}" if first else ", the first on sys.path"
            if form.kind == "namespace":
                turn = ""
            text = f"{name} as {WORDS[form.kind]}{turn}"
            yield Fact("customize-candidate", form.file, text)
            first = first or (form.file if turn else "")


def forms_of(place: Place, name: str) -> list[Form]:
    """Return the forms of a name in a place, a folder without __init__ only if it is the only."""
    return place.running(name) or place.forms.get(name, [])[:1]


def library_names(places: list[Place]) -> Iterator[Fact]:
    """Find modules elsewhere that have a name which the standard library has or tries."""
    for name in sorted(names_of_library(places)):
        answers = [(place, file) for place in places if (file := runs_first(place, name))]
        has = any(place.standard for place, _ in answers) or not can_tell(places)
        for place, file in answers:
            if not place.standard:
                yield library_name(name, file, answers[0][1], has)


def names_of_library(places: list[Place]) -> set[str]:
    names = {name for place in places if place.standard for name, _ in place.modules()}
    return (names | sys.stdlib_module_names | PROBED) - APART


def can_tell(places: list[Place]) -> bool:
    """Return whether the standard library's folders could be listed."""
    return any(place.standard and "os" in place.forms for place in places)


def library_name(name: str, file: str, first: str, has: bool) -> Fact:
    """Tell who answers an import of a name of the standard library, if not a file of its own."""
    if name in sys.builtin_module_names or _imp.is_frozen(name):
        text = f"has the name of {name}, which is built into Python and answers first"
        return Fact("shadows-library", file, text)
    if first != file:
        text = f"has a name of the standard library, {name}, for which {first} answers first"
    elif has:
        text = f"answers import {name} before the standard library's own module"
    elif name in PROBED:
        text = f"answers import {name}, which the standard library tries and does not have here"
    else:
        text = f"answers import {name}, a standard library module that this Python does not have"
    return Fact("shadows-library" if has else "probed-name", file, text)


def runs_first(place: Place, name: str) -> str:
    """Return the first file that an import of a dotted name runs, "" if none."""
    top, _, rest = name.partition(".")
    if running := place.running(top):
        return running[0].file
    if rest and top in place.forms:
        return runs_first(look(place.forms[top][0].file), rest)
    return ""


def shadowed(places: list[Place]) -> Iterator[Fact]:
    """Find other modules that lie in more than one place."""
    known = {name.partition(".")[0] for name in names_of_library(places)} | APART
    files: dict[str, list[str]] = {}
    for place in places:
        for name, forms in place.modules() if not place.standard else ():
            files.setdefault(name, []).append(forms[0].file)
    for name, found in sorted(files.items()):
        if len(found) > 1 and name not in known:
            text = f"answers import {name} before {told(found[1:])}"
            yield Fact("shadowed", found[0], text)


def several_forms(places: list[Place]) -> Iterator[Fact]:
    """Find modules that lie in one folder in more than one form."""
    for place in places:
        for name, forms in place.modules() if not place.standard else ():
            if len(forms) > 1 and name not in CUSTOMIZE:
                others = told([form.file for form in forms[1:]])
                text = f"answers import {name} as {WORDS[forms[0].kind]}, before {others} beside it"
                yield Fact("several-forms", forms[0].file, text)


def told(files: list[str]) -> str:
    """Return files as a part of a text."""
    more = f" and {len(files) - MOST_TOLD} more" if len(files) > MOST_TOLD else ""
    return ", ".join(files[:MOST_TOLD]) + more


def about_places(places: list[Place]) -> Iterator[Fact]:
    """Find the zip files on sys.path, and what was not looked into."""
    for place in places:
        if place.problem:
            yield Fact("not-looked-into", place.entry, place.problem)
        elif place.is_zip and not place.standard:
            text = f"is a zip file on sys.path, with {len(place.forms)} names to import"
            yield Fact("zip-entry", place.entry, text)


def claims(folders: list[str], claimed_twice: ClaimedTwice) -> Iterator[Fact]:
    """Find the files that more than one distribution claims."""
    for folder in each_once(folders):
        for file, claimants in sorted(claimed_twice(folder)):
            text = f"claimed by {told([*claimants])}"
            yield Fact("claimed-twice", os.path.join(folder, file), text)
