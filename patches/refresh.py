"""Write, check, apply and explain the patches of the folders 3.10 to 3.15.

    python3 patches/refresh.py                   write them again, after a change in safesite/
    python3 patches/refresh.py --check [TREE ..] fail unless they are what would be written; with
                                                 trees, also unless they apply there without fuzz
    python3 patches/refresh.py --apply TREE      apply them to a source tree of CPython
    python3 patches/refresh.py --explain X.Y     what is changed, where and why
    python3 patches/refresh.py --record TREE     take the places of the edits from another release

A TREE is an unpacked source of CPython, a distributor's too, or ``X.Y=FOLDER`` for one that is
not complete (a ``Lib`` alone, as an installed one).  What is written depends on nothing but the
files of this folder and of ``safesite/``: the same on every machine and on every day.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edits import EDITS, FOLDER, LAST_UPDATE, NEW_FILES, VERSIONS, Edit, Patch, number, series

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONTEXT = 3
RECORD = FOLDER / "upstream.json"
AUTHOR = "The safesite developers"


class Failed(Exception):
    """Why it cannot be done, in one sentence."""


# The record: where the edits go, in the release that each line of releases was recorded from.


@dataclass(frozen=True)
class Place:
    """Where an edit goes: after which line, and the lines around it."""

    line: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A file of a recorded release.

    ``borrowed``: its lines are those of a neighbouring release, as no tree of this one was at hand.
    """

    sha256: str
    borrowed: bool
    places: tuple[Place, ...]
    """Those of the edits of the file that apply to the version, in the order of ``EDITS``."""


def edits_of(version: str, file: str) -> list[Edit]:
    """Return the edits of one file, in the order of ``EDITS``."""
    return [edit for edit in EDITS if edit.file == file and edit.applies(version)]


def edited_files(version: str) -> list[str]:
    """Return the files that a version's patches change, sorted."""
    return sorted({edit.file for edit in EDITS if edit.applies(version)})


def find_place(text: str, edit: Edit) -> Place:
    """Return where an edit goes in a file; raises Failed unless there is exactly one such place."""
    found = [
        match.start() for match in re.finditer(f"^{re.escape(edit.anchor)}", text, re.MULTILINE)
    ]
    if len(found) != 1:
        raise Failed(f"{edit.file}: {len(found)} places, not one, hold {edit.anchor!r}")
    start = found[0] if edit.before else found[0] + len(edit.anchor)
    before, after = text[:start].splitlines(), text[start:].splitlines()
    shown = CONTEXT + edit.removed
    return Place(len(before), tuple(before[-shown:]), tuple(after[:CONTEXT]))


def read_record() -> dict[str, Any]:
    """Return the content of ``upstream.json``."""
    data: dict[str, Any] = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    return data


def recorded(version: str, file: str) -> Source:
    """Return what is recorded about a file; raises Failed if its edits have changed since."""
    entry = read_record().get(version, {}).get("files", {}).get(file)
    if entry is None:
        raise Failed(f"{version}: {file} is not recorded yet; see --record")
    places = tuple(Place(n, tuple(before), tuple(after)) for n, before, after in entry["places"])
    if len(places) != len(edits_of(version, file)):
        raise Failed(f"{version}: the edits of {file} have changed; record them again")
    return Source(entry["sha256"], entry.get("borrowed", False), places)


def record(version: str, tree: Path, borrowed: bool) -> None:
    """Note the places of a version's edits in the files that a tree has."""
    data = read_record()
    known = data.setdefault(version, {"release": release(tree) or version, "files": {}})
    if release(tree):
        known["release"] = release(tree)
    for file in edited_files(version):
        if not (tree / file).is_file():
            continue
        text = (tree / file).read_text("utf-8")
        if any(edit.text in text for edit in edits_of(version, file)):
            raise Failed(f"{tree / file}: the patch is applied there already")
        places = [find_place(text, edit) for edit in edits_of(version, file)]
        known["files"][file] = {
            "sha256": "" if borrowed else hashlib.sha256(text.encode()).hexdigest(),
            **({"borrowed": True} if borrowed else {}),
            "places": [[place.line, place.before, place.after] for place in places],
        }
        print(f"{version}: recorded {file}, {len(places)} places")
    data = {name: data[name] for name in sorted(data, key=number)}
    for entry in data.values():
        entry["files"] = dict(sorted(entry["files"].items()))
    RECORD.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


# Writing.


def hunks(edits: Sequence[tuple[Place, Edit]]) -> Iterator[str]:
    """Yield the hunks of a file; edits that share context lines share a hunk."""
    edits = sorted(edits, key=lambda item: item[0].line)
    lines: dict[int, str] = {}
    for place, _ in edits:
        lines.update(enumerate(place.before, place.line - len(place.before) + 1))
        lines.update(enumerate(place.after, place.line + 1))
    groups: list[list[tuple[Place, Edit]]] = []
    for place, edit in edits:
        if groups and place.line - edit.removed - groups[-1][-1][0].line <= 2 * CONTEXT:
            groups[-1].append((place, edit))
        else:
            groups.append([(place, edit)])
    shift = 0
    for group in groups:
        first, last = group[0][0], group[-1][0]
        start = first.line - len(first.before) + 1
        end = last.line + len(last.after)
        body = []
        for line in range(start, end + 1):
            removed = any(p.line - e.removed < line <= p.line for p, e in group)
            body.append(f"{'-' if removed else ' '}{lines[line]}")
            for place, edit in group:
                if place.line == line:
                    body += [f"+{added}" for added in edit.text.splitlines()]
        old = end - start + 1
        new = sum(line[0] != "-" for line in body)
        yield "\n".join((f"@@ -{start},{old} +{start + shift},{new} @@", *body)) + "\n"
        shift += new - old


def write_patch(version: str, patch: Patch) -> str:
    """Return the text of one patch."""
    why = patch.why.replace("\n\n", "\n.\n").splitlines()
    head = [
        f"Description: {patch.summary}",
        *(f" {line}" for line in why),
        f"Author: {AUTHOR}",
        "Forwarded: not-needed",
        f"Last-Update: {LAST_UPDATE}",
        "---",
    ]
    text = "\n".join(head) + "\n"
    for file in edited_files(version):
        edits = edits_of(version, file)
        if edits[0].patch != patch.name:
            continue
        places = zip(recorded(version, file).places, edits, strict=True)
        text += f"--- a/{file}\n+++ b/{file}\n" + "".join(hunks(list(places)))
    for new in NEW_FILES:
        if new.patch == patch.name:
            lines = new.text.splitlines()
            text += f"--- /dev/null\n+++ b/{new.file}\n@@ -0,0 +1,{len(lines)} @@\n"
            text += "".join(f"+{line}\n" for line in lines)
    return text


def written(version: str) -> dict[str, str]:
    """Return the files of a version's folder: the series, and each patch."""
    names = "".join(f"{patch.name}\n" for patch in series(version))
    return {"series": names} | {p.name: write_patch(version, p) for p in series(version)}


def refresh() -> None:
    """Write each folder again, and remove what does not belong there."""
    for version in VERSIONS:
        files = written(version)
        folder = FOLDER / version
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            if path.name not in files:
                path.unlink()
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8", newline="\n")


# Checking and applying.


def check_written() -> None:
    """Raise Failed unless each folder holds what would be written."""
    for version in VERSIONS:
        folder = FOLDER / version
        there = {path.name: path.read_text("utf-8") for path in folder.glob("*")}
        files = written(version)
        stale = sorted(n for n in there | files if there.get(n) != files.get(n))
        if stale:
            names = ", ".join(f"patches/{version}/{name}" for name in stale)
            raise Failed(f"{names}: not what python3 patches/refresh.py would write")


def release(tree: Path) -> str:
    """Return the release of a source tree, as ``3.13.5``; empty if it is none."""
    header = tree / "Include" / "patchlevel.h"
    if not header.is_file():
        return ""
    found = re.search(r'#define PY_VERSION\s+"(\d+\.\d+\.\d+)', header.read_text("utf-8"))
    return found[1] if found else ""


def version_and_tree(argument: str) -> tuple[str, Path]:
    """Return what ``TREE`` or ``X.Y=TREE`` names; raises Failed."""
    version, equals, folder = argument.partition("=")
    tree = Path(folder if equals else argument)
    if not equals:
        version = ".".join(release(tree).split(".")[:2])
    if not tree.is_dir():
        raise Failed(f"{tree}: there is no such folder")
    if version not in VERSIONS:
        raise Failed(f"{tree}: no source of CPython {VERSIONS[0]} to {VERSIONS[-1]}")
    return version, tree


def sections(text: str) -> dict[str, str]:
    """Return the parts of a patch by the file that each changes or adds."""
    found = re.split(r"^(?=--- )", text, flags=re.MULTILINE)[1:]
    return {re.search(r"^\+\+\+ b/(\S+)", part, re.MULTILINE)[1]: part for part in found}  # type: ignore[index]


def apply(version: str, tree: Path, only: Sequence[str] = ()) -> list[str]:
    """Apply a version's patches to a tree, all or none, and return what is worth telling.

    Without ``only`` to all files; with it to the named ones.  Raises Failed for a place that is not
    found, or only with fuzz, and then leaves the tree as it was.
    """
    if shutil.which("patch") is None:
        raise Failed("the program patch is not installed")
    for new in NEW_FILES:
        if (tree / new.file).exists() and (not only or new.file in only):
            raise Failed(f"{tree / new.file} is there already: are the patches applied?")
    told = []
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        files = []
        for patch in series(version):
            for file, text in sections((FOLDER / version / patch.name).read_text("utf-8")).items():
                if only and file not in only:
                    continue
                told += apply_section(patch, file, text, tree, copy)
                files.append(file)
        replace_all(files, copy, tree)
    return told


def replace_all(files: Sequence[str], copy: Path, tree: Path) -> None:
    """Put files in the place of those of a tree, all or none; a link is replaced, not followed."""
    made: list[Path] = []
    try:
        for file in files:
            new = tree / f"{file}.safesite"
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(copy / file, new)
            made.append(new)
            if (tree / file).exists():
                shutil.copymode(tree / file, new)
        for new in made:
            new.replace(new.with_suffix(""))
    except OSError as exc:
        for new in made:
            new.unlink(missing_ok=True)
        raise Failed(f"{exc.filename}: {exc.strerror}; nothing is changed") from exc


def apply_section(patch: Patch, file: str, text: str, tree: Path, copy: Path) -> list[str]:
    """Apply one file's part of a patch to a copy of the file, and return what is worth telling."""
    (copy / file).parent.mkdir(parents=True, exist_ok=True)
    if (tree / file).exists():
        shutil.copyfile(tree / file, copy / file)
    command = ["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "--batch", "--forward"]
    done = subprocess.run(
        command, cwd=copy, input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = " ".join(done.stdout.split())
        raise Failed(f"{patch.name} does not apply to {tree / file}: {reason}")
    return [line for line in done.stdout.splitlines() if "offset" in line or "fuzz" in line]


def check_tree(version: str, tree: Path) -> None:
    """Apply a version's patches to a copy of what a tree has of the files; raises Failed."""
    files = [file for file in edited_files(version) if (tree / file).is_file()]
    if not files:
        raise Failed(f"{tree}: none of the files that patches/{version} changes is there")
    missing = [file for file in edited_files(version) if file not in files]
    pristine = [file for file in files if is_pristine(version, tree, file)]
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for file in files:
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tree / file, copy / file)
        told = apply(version, copy, [*files, *(new.file for new in NEW_FILES)])
    print(
        f"{version} {release(tree) or 'files'}: applies without fuzz to {len(files)} files, "
        f"{len(pristine)} of them as recorded, {len(told)} hunks at an offset"
        + (f"; not there: {', '.join(missing)}" if missing else "")
    )


def is_pristine(version: str, tree: Path, file: str) -> bool:
    """Return whether a file is the very one that its places were recorded from."""
    digest = hashlib.sha256((tree / file).read_bytes()).hexdigest()
    return digest == recorded(version, file).sha256


# Explaining.


def explain(version: str) -> None:
    """Print what a version's patches change, where and why."""
    print(f"{version}, recorded from {read_record()[version]['release']}")
    for patch in series(version):
        text = (FOLDER / version / patch.name).read_text("utf-8")
        print(f"\n{patch.name}: {patch.summary}\n  content {content_id(text)}")
        for file in edited_files(version):
            edits = edits_of(version, file)
            if edits[0].patch != patch.name:
                continue
            source = recorded(version, file)
            known = "lines of a neighbouring release" if source.borrowed else source.sha256
            print(f"  {file} ({known})")
            for place, edit in zip(source.places, edits, strict=True):
                count = len(edit.text.splitlines())
                print(f"    after line {place.line}, {count} lines: {edit.why}")
        for new in NEW_FILES:
            if new.patch == patch.name:
                print(f"  {new.file} (new, {len(new.text.splitlines())} lines): {new.why}")


def content_id(text: str) -> str:
    """Return a digest of the lines that a patch adds: it stays while only their places change."""
    added = [line for line in text.splitlines() if line[:1] == "+" and line[:4] != "+++ "]
    return hashlib.sha256("\n".join(added).encode()).hexdigest()[:16]


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        epilog=__doc__.partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="refresh.py [--check [TREE ...] | --apply TREE | --explain X.Y | --record TREE]",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", nargs="*", metavar="TREE", help=argparse.SUPPRESS)
    what.add_argument("--apply", metavar="TREE", help=argparse.SUPPRESS)
    what.add_argument("--explain", metavar="X.Y", choices=VERSIONS, help=argparse.SUPPRESS)
    what.add_argument("--record", metavar="TREE", help=argparse.SUPPRESS)
    parser.add_argument("--borrowed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        if options.check is not None:
            check_written()
            print("the patches are what refresh.py writes")
            for argument in options.check:
                check_tree(*version_and_tree(argument))
        elif options.apply:
            version, tree = version_and_tree(options.apply)
            told = apply(version, tree)
            print("\n".join([*told, f"applied patches/{version} to {tree}"]))
        elif options.explain:
            explain(options.explain)
        elif options.record:
            record(*version_and_tree(options.record), options.borrowed)
        else:
            refresh()
    except Failed as exc:
        sys.exit(f"refresh.py: {exc}")


if __name__ == "__main__":
    main()
