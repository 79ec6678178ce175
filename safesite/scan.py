"""What a start does with each startup file, told by doing it in a process that runs nothing.

Stock ``site`` builds ``sys.path`` as at a start, and a `Startup` that allows nothing reads and
decides; what that would have allowed, deferred or refused is noted.  So whatever decides at a start
decides here.  Meanwhile ``sys.path`` is data: imports are answered by the standard library alone.

Runs for the commands alone, and may use the whole standard library.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import io
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

import safesite
from safesite import __version__, core, grants, names, pins, protection, trust
from safesite.facts import Start
from safesite.facts import find as find_facts
from safesite.findings import Finding, Module, PolicyFile, Report
from safesite.owners import Owners

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safesite.core import Record
    from safesite.grants import Grant

MOST_FINDINGS = 5000  # lines that are told
CUSTOMIZE = ("sitecustomize", "usercustomize")
MODE_SAYS = {"allow": "SAFESITE_MODE=allow", "warn": "SAFESITE_MODE=warn"}


class Watch:
    """Decides as the class that it is mixed into, runs nothing, and notes what would become of it.

    ``shown``: the mode that is explained.  ``notes``: decision by record, in order.
    """

    def watch(self: Any, mode: str) -> None:
        """Begin, in a mode."""
        self.shown = mode
        self.notes: dict[tuple[str, int, str], tuple[Record, str]] = {}
        self.files: dict[str, list[Record] | None] = {}
        self.folders: list[str] = []
        self.hinted, self.log = True, ""
        known = self.part("known")
        self.finders = {first: known.Finder(self) for first in (True, False)}  # on no meta_path

    def note(self: Any, line: Record, decision: str) -> None:
        """Note what becomes of a line; what is met again stays what it was."""
        self.notes.setdefault((line.file, line.line, str(line)), (line, decision))

    def would_run(self: Any, line: Record) -> bool:
        """Return what decides at a start in the mode that is explained."""
        if self.shown == "allow":
            return line.runs_here
        with warnings.catch_warnings(record=True):
            self.mode = self.shown
            try:
                return bool(super().decide(line))  # type: ignore[misc]  # of what this is mixed into
            finally:
                self.mode = "quiet"

    def decide(self: Any, line: Record) -> bool:  # noqa: ARG002 - nothing runs here
        """Have nothing run."""
        return False

    def may_allow(self: Any, line: Record) -> bool:  # noqa: ARG002 - likewise
        """Have every line of a file looked at as one that may not run."""
        return False

    def refuse(self: Any, line: Record) -> None:
        """Note what would become of a line that does not run here."""
        if (line.file, line.line, str(line)) in self.notes:
            return
        if line.kind != core.FILE and self.would_run(line):
            self.note(line, "allowed")
        elif line.slug == "denied":
            self.note(line, "denied")
        elif self.shown == "allow" and not line.runs_here:
            self.note(line, "ignored")
        elif line.kind not in (core.IMPORT, core.ENTRY) or not self.part("known").keeps(self, line):
            self.note(line, "skipped" if line.kind == core.FILE else "refused")

    def trace(self: Any, line: Record, how: str) -> None:
        """Note a line that need not run."""
        if how == "inert" and not line.detail:
            line.detail = waits_for(self.part("inert"), str(line).rstrip(" "))
        self.note(line, how)

    def end(self: Any, *_exc: object) -> None:
        """Close what begin() opened; nothing is reported."""
        self.depth -= 1
        if not self.depth:
            self.done.clear()

    __exit__ = end

    def read_pth(self: Any, path: str) -> list[Record] | None:
        """Keep the records of a file."""
        found = super().read_pth(path)  # type: ignore[misc]
        self.files.setdefault(path, found)
        return found  # type: ignore[no-any-return]

    def list_directory(self: Any, sitedir: str) -> list[str] | None:
        """Keep the site directories, in order."""
        if sitedir not in self.folders:
            self.folders.append(sitedir)
        return super().list_directory(sitedir)  # type: ignore[misc, no-any-return]

    def may_customize(self: Any, name: str) -> bool:
        """Note the customize modules that a start looks at."""
        super().may_customize(name)  # type: ignore[misc]
        return False


class LibraryFinder:
    """Answers imports from the standard library alone, whatever is on sys.path."""

    def __init__(self, path: list[str]) -> None:
        self.path = path

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the spec of a module of the standard library, or of a package of its."""
        where = self.path if path is None else path
        return importlib.machinery.PathFinder.find_spec(name, where, target)


class Scan:
    """One look at what a start does: with this interpreter, or with given site directories.

    As a context, in which sys.path is that of a start; ``report`` is called in it, once.
    """

    def __init__(self, path: list[str], site_dirs: list[str]) -> None:
        self.path, self.site_dirs = path, site_dirs
        self.library = sys.path[:]  # what is left of it: see run.leave_all_but_the_standard_library
        self.finders = sys.meta_path[:]
        self.problems: list[str] = []
        self.findings: list[Finding] = []
        self.owners = Owners()
        self.owner_of = functools.cache(self.owners.of)
        self.startup: Any = None

    def __enter__(self) -> Scan:
        import site  # noqa: F401 - before sys.path is data

        stock = (importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter)
        sys.meta_path[:] = [*stock, LibraryFinder(self.library)]
        sys.path[:] = self.path
        return self

    def __exit__(self, *_exc: object) -> None:
        sys.path[:] = self.library
        sys.meta_path[:] = self.finders

    def report(self) -> Report:
        """Do what a start does, and return what has been noted."""
        site: Any = sys.modules["site"]
        self.startup = startup = install(site)
        with contextlib.redirect_stderr(io.StringIO()):  # stock's own messages are not escaped
            for folder in self.site_dirs:
                if not os.path.isdir(folder):
                    self.problems.append(f"not a folder: {folder}")
                site.addsitedir(folder)
            if not self.site_dirs:
                site.main()
        report = Report(
            version=__version__,
            python="{}.{}.{}".format(*sys.version_info[:3]),
            executable=sys.executable or "",
            prefix=sys.prefix,
            mode=startup.shown,
            protected=None if self.site_dirs else protection.is_protected(sys.prefix),
            path=sys.path[:],
            site_directories=startup.folders,
        )
        self.owners = Owners(folder for folder in startup.folders if os.path.isdir(folder))
        self.owner_of = functools.cache(self.owners.of)
        self.note_customize(site)
        self.note_helpers()
        self.find_lines()
        self.find_other_files()
        report.findings = sorted(self.findings, key=lambda f: (self.place_of(f.file), f.line))
        for policy, guard in self.look_at_policies():
            report.guard += guard
            if startup.shown != "allow":  # in which a start heeds no policy
                report.policies.append(policy)
        report.facts = find_facts(self.start(site, report), self.owners.claimed_twice)
        report.problems = [*self.problems, *self.owners.problems]
        return report

    def place_of(self, file: str) -> tuple[int, str]:
        """Return the order in which files are told: by site directory, then by name."""
        folder = os.path.dirname(file)
        folders: list[str] = self.startup.folders
        return folders.index(folder) if folder in folders else len(folders), file

    def note_customize(self, site: Any) -> None:
        """Note the customize modules that are on sys.path, beside those that a start looks at."""
        startup = self.startup
        on = {"sitecustomize": not self.site_dirs}
        on["usercustomize"] = not self.site_dirs and bool(site.ENABLE_USER_SITE)
        for name in CUSTOMIZE:
            keep = startup.part("keep")
            folders = sys.path
            if self.site_dirs:
                folders = [entry for entry in sys.path if entry not in self.path]
            for number, module in enumerate(keep.find_customize(startup, name, folders, [])):
                key = (module.file, 0, name)
                if key in startup.notes and not (number and startup.shown == "allow"):
                    continue
                startup.notes.pop(key, None)
                if self.site_dirs or on[name]:
                    self.note_elsewhere(module, number)
                else:
                    module.detail = "the user's site directory is off, so it is not looked for"
                    startup.note(module, "ignored")

    def note_elsewhere(self, module: Record, number: int) -> None:
        """Note a customize module where a start does not look for one."""
        startup = self.startup
        if number:
            module.detail = "another one comes before it"
            startup.note(module, "ignored")
        elif os.path.dirname(module.file) in self.library and not startup.would_run(module):
            module.slug = "customize-library"
            module.detail = "of the standard library: not imported, and a start does not report it"
            startup.note(module, "ignored")
        else:
            module.slug = "customize-elsewhere"
            module.detail = "not in a site directory: not imported, and a start does not report it"
            startup.refuse(module)

    def note_helpers(self) -> None:
        """Note what the helpers of editable installs declare, and what is wrong with them."""
        helpers = self.startup.part("helpers")
        for finder in self.startup.finders.values():
            for entry in finder.waiting:
                line = entry[0]
                helper = helpers.made(finder, entry)
                if helper.form == "distutils":
                    line.detail = "waits for an import of distutils"
                    continue
                try:
                    helper.data = helpers.read(helper)
                    declared = sorted(helpers.parse(helper).names)
                except helpers.Unusable as exc:
                    line.slug, line.detail = "helper", f"cannot be used: {exc}"
                    continue
                never = [n for n in declared if n in helpers.NEVER or n in sys.stdlib_module_names]
                line.detail = "waits for an import of " + (
                    ", ".join(n for n in declared if n not in never) or "nothing"
                )
                if never:
                    line.detail += "; never answers for " + ", ".join(never)

    def find_lines(self) -> None:
        """Turn notes, and the records that nothing was noted of, into findings."""
        startup = self.startup
        for line, decision in list(startup.notes.values())[:MOST_FINDINGS]:
            self.add(line, decision)
        longest = max((len(records or ()) for records in startup.files.values()), default=0)
        if max(len(startup.notes), longest) > MOST_FINDINGS:
            self.problems.append(f"more than {MOST_FINDINGS} lines: the others are not looked at")
        seen = set(self.path) | set(startup.folders)
        for path, records in startup.files.items():
            for line in (records or ())[:MOST_FINDINGS]:
                if line.kind == core.PATH:
                    self.add(line, self.path_entry(path, line, seen))
                elif (line.file, line.line, str(line)) not in startup.notes:
                    self.add(line, "suppressed")

    def path_entry(self, path: str, line: Record, seen: set[str]) -> str:
        """Return what becomes of a path entry."""
        entry = self.startup.site.makepath(os.path.dirname(path), str(line))[0]
        if entry in seen or entry not in sys.path:
            line.detail = "on sys.path already" if entry in seen else "not there"
            return "missing"
        seen.add(entry)
        return "kept"

    def find_other_files(self) -> None:
        """Note the files of site directories that only look like startup files, or are not read."""
        startup = self.startup
        told = {finding.file for finding in self.findings} | set(startup.files)
        for folder in startup.folders:
            for name in sorted(listed(folder)):
                path = os.path.join(folder, name)
                if path in told or not name.lower().endswith((".pth", ".start")):
                    continue
                self.other_file(path, name)

    def other_file(self, path: str, name: str) -> None:
        """Note a file that this start does not read."""
        if not name.endswith((".pth", ".start")):
            why, slug = "the end of its name is in capitals", "capitals"
        elif name.endswith(".start") and sys.version_info < (3, 15):
            self.entries_of(path)
            return
        elif name[0] == ".":
            why, slug = "hidden, so it is not read", "hidden"
        elif name.endswith(".start"):
            return  # it was read, and holds nothing
        else:
            why, slug = "marked as hidden, so it is not read", "hidden"
        self.add(core.Record("", path, 0, core.FILE, slug), "ignored", why)

    def entries_of(self, path: str) -> None:
        """Note the entry points of a file that only newer versions of Python read."""
        newer = "Python 3.15 and newer"
        before = set(self.startup.notes)
        for line in self.startup.part("batch").read_start(self.startup, path) or ():
            self.add(line, "ignored", f"{newer} call it")
        for key in set(self.startup.notes) - before:
            line = self.startup.notes[key][0]
            self.add(line, "ignored", f"{newer} read it, and cannot: {line}")

    def add(self, line: Record, decision: str, detail: str = "") -> None:
        """Add the finding of a line."""
        if self.startup.shown == "skip" and decision != "ignored":
            decision, detail = "ignored", "SAFESITE_MODE=skip"
        finding = Finding(
            file=line.file,
            line=line.line,
            kind=line.kind,
            text=str(line),
            decision=decision,
            slug=line.slug,
            detail=detail or line.detail or self.says(line, decision),
        )
        if line.kind != core.PATH:
            finding.owner = self.owner_of(line.file)
        if line.kind not in (core.PATH, core.FILE):
            finding.modules = list(modules_of(line))
        self.findings.append(finding)

    def says(self, line: Record, decision: str) -> str:
        """Return why a line is allowed."""
        if decision != "allowed":
            return ""
        if line.slug in ("allow", "allow-line"):  # the keyword of the entry that allows it
            return "by a policy"
        return f"by {MODE_SAYS[self.startup.shown]}"

    def look_at_policies(self) -> Iterator[tuple[PolicyFile, list[Grant]]]:
        """Yield what is to be said of each policy, and its guard lines if it counts."""
        keep, entries = self.startup.part("keep"), self.startup.part("entries")
        for path in keep.policy_places():
            try:
                policy = trust.read(path)
            except trust.Ignored as exc:
                yield PolicyFile(path, f"{exc.reason}: {exc.path}"), []
                continue
            guard, bad = grants.parse(policy.path, policy.data[1:])
            faults = tuple(sorted({**dict(bad), **dict(entries.faults(policy.data))}.items()))
            number = sum(
                1 for line in policy.data.split(b"\n") if line.strip()[:1] not in (b"", b"#")
            )
            ignored = ""
            if keep.lies_with_packages(self.startup, policy):
                ignored, guard = "packages can write it", []
            yield PolicyFile(path, ignored, number - len(faults), faults), guard

    def start(self, site: Any, report: Report) -> Start:
        """Return what the facts are looked for in."""
        named = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
        folder = os.path.dirname(os.path.abspath(sys.executable or ""))
        files = [os.path.join(x, "pyvenv.cfg") for x in (folder, os.path.dirname(folder))]
        return Start(
            executable="" if self.site_dirs else sys.executable or "",
            prefix=sys.prefix,
            base_prefix=sys.base_prefix,
            home_file=next((f for f in files if os.path.isfile(f) and not self.site_dirs), ""),
            path=report.path,
            site_directories=report.site_directories,
            pythonpath=[site.makepath(x)[0] for x in named.split(os.pathsep) if x],
            library=self.library,
        )


def install(site: Any) -> Any:
    """Put a Startup that runs nothing in the place of the one that decides in ``site``."""
    part = safesite.unknown_part(site)
    if part == "_safesite":
        real = site._safesite()
        watching: Any = type("Watching", (Watch, type(real)), {})()
        watching.serve_patched(vars(site), "quiet")
        watching.watch(real.mode)
        site._startup = watching
        return watching
    if part:
        raise trust.Ignored(
            "site", f"of this Python is not one it knows, by its {part}", "interpreter"
        )
    watching = type("Watching", (Watch, core.Startup), {})()
    environ = {} if sys.flags.ignore_environment else os.environ
    mode = environ.get("SAFESITE_MODE") or safesite.DEFAULT_MODE
    if mode not in core.MODES:
        mode = watching.part("keep").tell_unknown_mode(mode)
    core.startup = watching
    from safesite import site as alternative

    alternative.take_over("quiet")
    watching.watch(mode)
    return watching


def waits_for(inert: Any, text: str) -> str:
    """Return why a line that is known word for word does nothing."""
    variables = inert.WAITS_TO_BE_SET.get(text) or inert.WAITS_FOR_TEXT.get(text)
    if variables:
        return f"waits for {' or '.join(variables.split())} to be set"
    if text.startswith(inert.NAMESPACE):
        return "Python finds the namespace package without it"
    return "what it is for is there without it"


def listed(folder: str) -> list[str]:
    """Return the names in a folder, none if it cannot be listed."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def modules_of(line: Record) -> Iterator[Module]:
    """Yield the modules that a line names, as an import would find them now."""
    try:
        found = names.modules_named(line)
    except names.Unreadable:
        return
    for name in found:
        yield module_of(name)


@functools.cache
def module_of(name: str) -> Module:
    """Return where a module is, and in what form."""
    try:
        folder, unit, stands_for = pins.locate(name)
    except pins.Unpinnable as exc:
        form = "namespace" if "namespace" in str(exc) else "missing"
        return Module(name, "zip" if "does not lie" in str(exc) else form)
    except (OSError, ValueError, ImportError):
        return Module(name, "missing")
    if pins.is_library(stands_for, folder):
        return Module(name, "standard library")
    path = os.path.join(folder, unit)
    forms = [
        f for f in pins.forms_of(unit.partition(".")[0]) if os.path.lexists(os.path.join(folder, f))
    ]
    if len(forms) > 1:
        return Module(name, "several", path)
    if os.path.isdir(path):
        return Module(name, "package", path)
    kind = {".py": "module", ".pyc": "bytecode"}.get(os.path.splitext(unit)[1], "extension")
    return Module(name, kind, path)
