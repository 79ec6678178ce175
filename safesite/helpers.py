"""Helpers of editable installs: what they declare, when one is needed, and running it.

A helper is the module that a build backend writes beside a startup file, and that puts a finder of
its own on ``sys.meta_path``.  The names it declares are read from its syntax tree, never by running
it, and not before an import whose name occurs in its text.  Once it has run, its finder answers:
the semantics of namespaces, rebuilds and resources stay the backend's.

Loaded at a program's first import that is not of the standard library, while a helper waits; the
program's folder comes first on ``sys.path`` then, so nothing is imported here that is not loaded.
"""

import _frozen_importlib
import _frozen_importlib_external
import _imp
import _thread
import _warnings
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from safesite.core import Record, Startup
    from safesite.known import Finder, Waiting

if TYPE_CHECKING or __name__ == "safesite.helpers":
    from safesite import core, known
else:
    import _safesite as core
    import _safesite_known as known

# Beyond it the parser of 3.10 overflows the stack.
SIZE_CAP = 1 << 20 if sys.version_info >= (3, 11) else 64 << 10
NAME = "declared name"  # the kind of a record, which no mode would run
ONLY_AST = 0x400  # ast.PyCF_ONLY_AST

# Names that no helper may answer for, beside those of the standard library.
NEVER = ("__main__", "_safesite", "safesite", "site", "sitecustomize", "usercustomize")


class Unusable(Exception):
    """A helper that must not run: the message says why."""


class Helper:
    """A module beside a startup file that waits for an import of a name that it declares.

    ``path`` is sys.path as the helper would have seen it at startup; ``data`` its source, once it
    has been read; ``failure`` what it raised.
    """

    def __init__(
        self, line: "Record", form: str, module: str, call: str, path: "list[str]"
    ) -> None:
        self.line, self.form, self.module, self.call, self.path = line, form, module, call, path
        self.lock: Any = _frozen_importlib._ModuleLock(f"{module} (helper)")  # type: ignore[attr-defined]
        self.data: bytes | None = None
        self.declared: Declared | None = None
        self.has_run = False
        self.failure: BaseException | None = None


class Declared:
    """What a helper declares: names, those of namespaces, and where it has its modules.

    ``files`` are those of a module, ``folders`` hold all its modules, ``builds`` lie in a project.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.namespaces: set[str] = set()
        self.files: dict[str, str] = {}
        self.folders: list[str] = []
        self.builds: list[str] = []


# Finding: which helper an import needs.


def find_spec(finder: "Finder", name: str, target: "Any") -> "Any":
    """Return the spec of a top-level module, once the helpers that provide it have run.

    What others find is returned as they do.  Raises ImportError where a helper fails.
    """
    first = finder.startup.finders.get(True)
    path = first.running.get(_thread.get_ident()) if first else None
    if path is not None:  # an import of a helper: as at startup, when the program had no folder
        if finder is not first or _imp.is_builtin(name) or _imp.is_frozen(name):
            return None
        return _frozen_importlib_external.PathFinder.find_spec(name, path, target)
    if name in sys.stdlib_module_names or name.partition(".")[0] in NEVER:
        return None
    asking = _thread.get_ident(), name
    if asking in finder.asking:  # by one of those that are asked
        return None
    finder.asking.add(asking)
    try:
        return find_for_program(finder, name, target)
    finally:
        finder.asking.discard(asking)


def find_for_program(finder: "Finder", name: str, target: "Any") -> "Any":
    """Return the spec of a top-level module that the program imports, as `find_spec` says."""
    waiting = [made(finder, entry) for entry in finder.waiting]
    candidates = [helper for helper in waiting if mentions(finder.startup, helper, name)]
    # This search may have begun before the helper's finder was there.  Looked at after those that
    # wait, as a helper that runs meanwhile is put here before it is taken from there.
    if name in finder.ran:
        return ask(others(finder), name, target)
    if not candidates:
        return None
    spec = ask(behind(finder), name, target, patiently=True)
    for helper in candidates:
        if provides(finder.startup, helper, name, spec):
            run(finder, helper, name)
            spec = ask(others(finder), name, target)
    return spec


def made(finder: "Finder", entry: "Waiting") -> Helper:
    """Return the helper of an entry, one for all threads."""
    return finder.made.get(entry[2]) or finder.made.setdefault(entry[2], Helper(*entry))


def others(finder: "Finder") -> "list[Any]":
    """Return all finders but ours."""
    return [other for other in sys.meta_path if type(other) is not type(finder)]


def behind(finder: "Finder") -> "list[Any]":
    """Return the finders that stand behind ours: those before it have been asked."""
    found = list(sys.meta_path)
    place = found.index(finder) if finder in found else len(found)
    return [other for other in found[place + 1 :] if type(other) is not type(finder)]


def ask(finders: "list[Any]", name: str, target: "Any", *, patiently: bool = False) -> "Any":
    """Return the first spec that one of the finders has, as the import system does.

    ``patiently``: one that raises has no answer; the import system asks it again if nobody has.
    """
    for finder in finders:
        try:
            spec = ask_one(finder, name, target)
        except Exception as exc:
            if not patiently or isinstance(exc, (RecursionError, MemoryError)):
                raise
            spec = None
        if spec is not None:
            return spec
    return None


def ask_one(finder: "Any", name: str, target: "Any") -> "Any":
    """Return what a finder answers; up to 3.11 it may be one of the old kind."""
    find = getattr(finder, "find_spec", None)
    if find is not None:
        return find(name, None, target)
    legacy: Any = getattr(_frozen_importlib, "_find_spec_legacy", None)
    return legacy and legacy(finder, name, None)


def mentions(startup: "Startup", helper: Helper, name: str) -> bool:
    """Return whether a name occurs in the text of a helper, read once."""
    if helper.form == "distutils":
        return name == "distutils" and os.path.isfile(place(helper))
    if helper.data is None:
        try:
            helper.data = read(helper)
        except Unusable as exc:
            helper.data = b""
            refuse(startup, helper, str(exc))
    return name.encode("utf-8", "surrogatepass") in helper.data


def provides(startup: "Startup", helper: Helper, name: str, spec: "Any") -> bool:
    """Return whether an import needs a helper, given what all others answer.

    It does where nobody answers.  A folder without ``__init__`` is no answer to a namespace, of
    which it is one of the portions; nor to a finder that stands first is what is the helper's own.
    """
    first = helper.form in known.FIRST
    namespace = is_namespace(spec)
    if spec is not None and not (first or namespace):
        return False  # without a look at what is declared: that costs a parser
    declared = declare(startup, helper)
    if name not in declared.names:
        return False
    if spec is None or (namespace and (first or name in declared.namespaces)):
        return True
    if first and not owns(startup, helper, spec):
        report(startup, helper, [name], "answered-elsewhere", f"{spec.origin} is imported")
        return False
    return first


def is_namespace(spec: "Any") -> bool:
    """Return whether a spec is that of a namespace package."""
    return bool(spec) and spec.origin is None and spec.submodule_search_locations is not None


def declare(startup: "Startup", helper: Helper) -> Declared:
    """Return what a helper declares, read once; nothing of one that cannot be read."""
    if helper.declared is None:
        declared = Declared()
        never: set[str] = set()
        if helper.form == "distutils":
            declared.names.add("distutils")
        else:
            try:
                declared = parse(helper)
            except Unusable as exc:
                refuse(startup, helper, str(exc))
            never = {n for n in declared.names if n in NEVER or n in sys.stdlib_module_names}
        declared.names -= never
        helper.declared = declared
        report(startup, helper, sorted(never), "never-answered", "a name of Python's own")
    return helper.declared


# Reading: the file, and the names in its syntax tree.


def place(helper: Helper) -> str:
    """Return the path of the file that a helper must be."""
    name = "_distutils_hack/__init__" if helper.form == "distutils" else helper.module
    return os.path.join(os.path.dirname(helper.line.file), name + ".py")


def read(helper: Helper) -> bytes:
    """Return the source of a helper; raises Unusable unless it is just a file beside the line."""
    path = place(helper)
    try:
        for suffix in ("", *_imp.extension_suffixes()):  # these come before a .py file
            if os.path.lexists(path[:-3] + suffix):
                raise Unusable(f"{helper.module}{suffix} is another form of it")
        folder = os.path.realpath(os.path.dirname(path))
        if os.path.islink(path) and not is_below(os.path.realpath(path), folder):
            raise Unusable("a link that leads out of the site directory")
        data = core.read_startup_file(path, skips_hidden=False) or b""
    except (OSError, ValueError) as exc:
        raise Unusable(getattr(exc, "strerror", None) or str(exc)) from None
    if len(data) > SIZE_CAP:
        raise Unusable(f"larger than {SIZE_CAP} bytes")
    return data


def parse(helper: Helper) -> Declared:
    """Return what the source of a helper declares; raises Unusable."""
    try:
        source = (helper.data or b"").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable("not UTF-8") from None
    declared = Declared()
    try:
        READERS[helper.form](syntax_tree(source).body, declared)
    except Exception as exc:
        if isinstance(exc, RecursionError) and is_deep():
            raise  # it is the program that has gone too deep
        raise Unusable(f"cannot be parsed: {type(exc).__name__}: {exc}") from None
    declared.names = {name.partition(".")[0] for name in declared.names}
    return declared


def is_deep(more: int = 200) -> bool:
    """Return whether the program is near the recursion limit: a helper needs less than that."""
    try:
        return more > 0 and is_deep(more - 1)
    except RecursionError:
        return True


def syntax_tree(source: str) -> "Any":
    """Return the syntax tree of a source, and let the parser warn of nothing.

    By a filter alone: warnings.catch_warnings() would have the program's own shown once more.
    """
    filters: list[Any] = getattr(sys.modules.get("warnings"), "filters", _warnings.filters)
    ignore = ("ignore", None, Warning, None, 0)
    filters.insert(0, ignore)
    try:
        return compile(source, "<helper>", "exec", ONLY_AST, dont_inherit=True)
    finally:
        if ignore in filters:  # another thread may have reset them
            filters.remove(ignore)


def kind(node: object) -> str:
    """Return the name of a node's type: the module ast need not be loaded."""
    return type(node).__name__


def strings(node: "Any") -> "list[str]":
    """Return the literal strings of a display: the keys of a dictionary, what is in a list."""
    parts = node.keys if kind(node) == "Dict" else getattr(node, "elts", [])
    return [p.value for p in parts if kind(p) == "Constant" and isinstance(p.value, str)]


def calls(body: "list[Any]") -> "Iterator[tuple[str, list[Any]]]":
    """Yield the calls that are statements or assigned: at the top, and in what a line calls."""
    for node in body:
        if kind(node) == "FunctionDef" and node.name in ("entrypoint", "init"):
            yield from calls(node.body)
        value: Any = getattr(node, "value", None)
        if kind(node) in ("Expr", "Assign") and kind(value) == "Call":
            func = value.func  # install(...), or F.map_module(...)
            yield str(getattr(func, "id", "") or getattr(func, "attr", "")), value.args


def read_setuptools(body: "list[Any]", declared: Declared) -> None:
    """Read the dictionaries MAPPING and NAMESPACES."""
    for node in body:
        if kind(node) in ("Assign", "AnnAssign"):
            target = node.target if kind(node) == "AnnAssign" else node.targets[0]
            if getattr(target, "id", "") in ("MAPPING", "NAMESPACES"):
                declared.names.update(strings(node.value))
                if target.id == "NAMESPACES":
                    declared.namespaces.update(strings(node.value))


def read_editables(body: "list[Any]", declared: Declared) -> None:
    """Read the calls ``F.map_module(name, path)``."""
    for name, args in calls(body):
        if name == "map_module" and args and kind(args[0]) == "Constant":
            declared.names.add(str(args[0].value))


def read_scikit_build_core(body: "list[Any]", declared: Declared) -> None:
    """Read the calls of ``install`` and ``install_inplace``: modules, their files and folders."""
    for name, args in calls(body):
        if name == "install":
            for arg in args[:3]:
                declared.names.update(strings(arg))
                if kind(arg) == "Dict":
                    declared.files |= {n: f for n, f in pairs(arg) if n not in declared.files}
        elif name == "install_inplace" and len(args) > 1:
            declared.names.update(strings(args[0]))
            declared.folders += strings(args[1])


def pairs(node: "Any") -> "Iterator[tuple[str, str]]":
    """Yield the keys and values of a literal dictionary that are strings."""
    for key, value in zip(node.keys, node.values, strict=True):
        parts = [p.value for p in (key, value) if kind(p) == "Constant"]
        if len(parts) == 2 and all(isinstance(part, str) for part in parts):
            yield parts[0], parts[1]


def read_meson_python(body: "list[Any]", declared: Declared) -> None:
    """Read the call of ``MesonpyMetaFinder``, or to 0.20 ``install``: names and build folder."""
    for name, args in calls(body):
        if name in ("MesonpyMetaFinder", "install"):
            for arg in args:
                if kind(arg) == "Set":
                    declared.names.update(strings(arg))
            constants = [arg.value for arg in args if kind(arg) == "Constant"]
            declared.builds += [value for value in constants if isinstance(value, str)]


READERS = {
    "setuptools": read_setuptools,
    "editables": read_editables,
    "scikit-build-core": read_scikit_build_core,
    "meson-python": read_meson_python,
}


# Owning: whether what others answer is the helper's own, so that its finder may answer instead.


def owns(startup: "Startup", helper: Helper, spec: "Any") -> bool:
    """Return whether a module lies where the helper's distribution has its files.

    In a site directory that is what the distribution alone claims to have installed; elsewhere the
    file that the helper names for the module, or what lies in a folder of the helper's, in a path
    entry of its startup file, or in the project that holds its build folder.
    """
    try:
        return lies_in_its_own(startup, helper, spec)
    except (OSError, ValueError):  # its literals are no paths
        return False


def lies_in_its_own(startup: "Startup", helper: Helper, spec: "Any") -> bool:
    """Do what `owns` says; raises OSError and ValueError."""
    file = str(spec.origin)
    package = spec.submodule_search_locations is not None
    entry = os.path.dirname(os.path.dirname(file) if package else file)
    if is_site_directory(startup, helper, entry):
        return is_claimed(helper, entry, os.path.relpath(file, entry).replace(os.sep, "/"))
    declared = declare(startup, helper)
    if is_same(declared.files.get(spec.name, ""), file):
        return True
    if any(is_same(own, entry) for own in declared.folders + path_entries(startup, helper)):
        return True
    return any(
        is_below(os.path.realpath(build), os.path.realpath(entry))
        for build in declared.builds
        if os.path.isabs(build) and os.path.isdir(os.path.join(build, "meson-info"))
    )


def is_same(own: str, path: str) -> bool:
    """Return whether an absolute path of a helper's is another path, whatever links lead there."""
    return os.path.isabs(own) and os.path.realpath(own) == os.path.realpath(path)


def is_below(path: str, folder: str) -> bool:
    """Return whether a path lies in a folder that is not the root."""
    return folder != os.sep and path.startswith(folder + os.sep)


def is_site_directory(startup: "Startup", helper: Helper, folder: str) -> bool:
    """Return whether packages are installed into a folder."""
    known = {os.path.dirname(helper.line.file), startup.site.USER_SITE}
    if folder in known.union(startup.site.getsitepackages()):
        return True
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(folder))
    except OSError:
        return False


def is_claimed(helper: Helper, folder: str, file: str) -> bool:
    """Return whether the distribution that has installed a helper, and no other, claims a file."""
    if folder != os.path.dirname(helper.line.file):
        return False
    claims = []
    for name in os.listdir(folder):
        record = os.path.join(folder, name, "RECORD")
        if name.endswith(".dist-info") and os.path.isfile(record):
            lines = b"\n" + (core.read_startup_file(record, skips_hidden=False) or b"")
            if f"\n{file},".encode() in lines:
                claims.append(f"\n{helper.module}.py,".encode() in lines)
    return bool(claims) and all(claims)


def path_entries(startup: "Startup", helper: Helper) -> "list[str]":
    """Return the path entries of a helper's startup file; on 3.15 also of the .pth beside it."""
    file = os.path.splitext(helper.line.file)[0] + ".pth"
    if not os.path.isfile(file):
        return []
    data = core.read_startup_file(file, skips_hidden=False) or b""
    lines = data.removeprefix(core.BOM).decode().splitlines()
    folder = os.path.dirname(file)
    return [
        startup.site.makepath(folder, str(line))[0]
        for line in core.line_records(file, lines)
        if line.kind == core.PATH
    ]


# Running.


def run(finder: "Finder", helper: Helper, name: str) -> None:
    """Run a helper, once; raise ImportError if it fails, or has failed.

    Another thread that needs it waits, outside of the import system's own lock; unless it would
    wait for itself: then it goes on, as in a circular import.
    """
    with Unlocked():
        try:
            helper.lock.acquire()
        except _frozen_importlib._DeadlockError:  # type: ignore[attr-defined]
            return
        try:
            if not helper.has_run and helper.failure is None:
                execute(finder, helper)
        finally:
            helper.lock.release()
    if helper.failure is not None:
        what = f"{type(helper.failure).__name__}: {ascii(str(helper.failure))[1:-1]}"
        text = f"{name!r} needs {place(helper)}, which failed: {what}"
        raise ImportError(text, name=name, path=place(helper)) from helper.failure


class Unlocked:
    """Lets go of the import system's global lock, which a finder is called with.

    Otherwise a thread that imports a module which the helper needs too would wait for ever.
    """

    def __enter__(self) -> None:
        self.held = 0
        try:
            while True:
                _imp.release_lock()
                self.held += 1
        except RuntimeError:  # not held, or not any more
            pass

    def __exit__(self, *_details: object) -> None:
        for _ in range(self.held):
            _imp.acquire_lock()


def execute(finder: "Finder", helper: Helper) -> None:
    """Import a helper from its file, and call what its line calls."""
    running = known.finder(finder.startup, first=True).running
    thread, path, finders = _thread.get_ident(), sys.path[:], sys.meta_path[:]
    running[thread] = helper.path
    try:
        module = sys.modules.get(helper.module) or load(helper)
        if helper.call:
            getattr(module, helper.call)()
        finder.ran |= declare(finder.startup, helper).names
        helper.has_run = True
        finder.waiting = [entry for entry in finder.waiting if entry[2] != helper.module]
    except (RecursionError, MemoryError, KeyboardInterrupt):
        raise  # it says nothing about the helper, which may yet run
    except BaseException as exc:
        helper.failure = exc
        if not isinstance(exc, Exception):
            raise
    finally:
        del running[thread]
        last = finder.startup.finders[False]
        place_entries(last, helper, path)
        place_finders(last, helper, finders)


def load(helper: Helper) -> "Any":
    """Load a helper's module."""
    file = place(helper)
    folder = [os.path.dirname(file)] if helper.form == "distutils" else None
    spec = _frozen_importlib_external.spec_from_file_location(
        helper.module, file, submodule_search_locations=folder
    )
    return _frozen_importlib._load(spec)  # type: ignore[attr-defined]


def place_entries(finder: "Finder", helper: Helper, before: "list[str]") -> None:
    """Move what a helper has appended to sys.path to where stock has it.

    Behind the entries that were there when its line was met, and what the startup files before its
    own have added there.
    """
    added, last = sys.path[len(before) :], (helper.path or [""])[-1]
    if not added or sys.path[: len(before)] != before or last not in before:
        return
    index = place_of(finder, helper, before, before.index(last) + 1)
    finder.added.update(dict.fromkeys(added, helper.line.file))
    sys.path[:] = [*before[:index], *added, *before[index:]]


def place_finders(finder: "Finder", helper: Helper, before: "list[Any]") -> None:
    """Move finders that a helper has put last to where stock has them: before the program's own.

    ``finder`` marks that place: it was put last at startup.
    """
    found = sys.meta_path
    added = found[len(before) :]
    if added and found[: len(before)] == before and finder in before:
        ids: list[object] = [id(other) for other in before]
        index = place_of(finder, helper, ids, before.index(finder) + 1)
        finder.added.update(dict.fromkeys(map(id, added), helper.line.file))
        del found[len(before) :]
        found[index:index] = added


def place_of(finder: "Finder", helper: Helper, found: "Sequence[object]", index: int) -> int:
    """Return the first index, from one on, behind what helpers of earlier startup files added."""
    while index < len(found) and finder.added.get(found[index], "~") < helper.line.file:
        index += 1
    return index


# Reporting what is wrong with a helper; the program goes on.


def refuse(startup: "Startup", helper: Helper, reason: str) -> None:
    """Refuse the line of a helper that must not run."""
    line = core.Record(str(helper.line), helper.line.file, helper.line.line, helper.line.kind)
    line.slug, line.detail = "helper", f"{os.path.basename(place(helper))}: {reason}"
    with startup:
        startup.refuse(line)


def report(startup: "Startup", helper: Helper, names: "list[str]", slug: str, detail: str) -> None:
    """Refuse some of the names that a helper declares."""
    with startup:
        for name in names:
            line = core.Record(name, place(helper), 0, NAME, slug)
            line.detail = detail
            startup.refuse(line)
