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
import _io
import _thread
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from safesite.core import Startup
    from safesite.known import Finder, Helper

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


class Declared:
    """What a helper declares: top-level names, those of namespaces, and paths that are its own."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.namespaces: set[str] = set()
        self.paths: list[str] = []


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
    candidates = [h for h in finder.waiting if mentions(finder.startup, h, name)]
    if not candidates:
        return None
    spec = ask(behind(finder), name, target)
    for helper in candidates:
        if provides(finder.startup, helper, name, spec):
            run(finder, helper, name)
            others = [other for other in sys.meta_path if type(other) is not type(finder)]
            spec = ask(others, name, target)
    return spec


def behind(finder: "Finder") -> "list[Any]":
    """Return the finders that stand behind ours: those before it have been asked."""
    found = list(sys.meta_path)
    place = found.index(finder) if finder in found else len(found)
    return [other for other in found[place + 1 :] if type(other) is not type(finder)]


def ask(finders: "list[Any]", name: str, target: "Any") -> "Any":
    """Return the first spec that one of the finders has, as the import system does."""
    for finder in finders:
        find = getattr(finder, "find_spec", None)
        if find is not None:
            spec = find(name, None, target)
        elif sys.version_info < (3, 12):
            spec = _frozen_importlib._find_spec_legacy(finder, name, None)  # type: ignore[attr-defined]
        else:
            spec = None
        if spec is not None:
            return spec
    return None


def mentions(startup: "Startup", helper: "Helper", name: str) -> bool:
    """Return whether a name occurs in the text of a helper, read once."""
    if helper.form == "distutils":
        return name == "distutils" and os.path.isfile(place(helper))
    if helper.data is None:
        helper.data = b""
        try:
            helper.data = read(helper)
        except Unusable as exc:
            refuse(startup, helper, str(exc))
    return name.encode("utf-8", "surrogatepass") in helper.data


def provides(startup: "Startup", helper: "Helper", name: str, spec: "Any") -> bool:
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
        report(startup, helper, [name], "answered-elsewhere")
        return False
    return first


def is_namespace(spec: "Any") -> bool:
    """Return whether a spec is that of a namespace package."""
    return bool(spec) and spec.origin is None and spec.submodule_search_locations is not None


def declare(startup: "Startup", helper: "Helper") -> "Any":
    """Return what a helper declares, read once; nothing of one that cannot be read."""
    if helper.declared is None:
        helper.declared = Declared()
        if helper.form == "distutils":
            helper.declared.names.add("distutils")
            return helper.declared
        try:
            helper.declared = parse(helper)
        except Unusable as exc:
            refuse(startup, helper, str(exc))
            return helper.declared
        never = {n for n in helper.declared.names if n in NEVER or n in sys.stdlib_module_names}
        helper.declared.names -= never
        report(startup, helper, sorted(never), "never-answered")
    return helper.declared


# Reading: the file, and the names in its syntax tree.


def place(helper: "Helper") -> str:
    """Return the path of the file that a helper must be."""
    name = "_distutils_hack/__init__" if helper.form == "distutils" else helper.module
    return os.path.join(os.path.dirname(helper.line.file), name + ".py")


def read(helper: "Helper") -> bytes:
    """Return the source of a helper; raises Unusable unless it is just a file beside the line."""
    path = place(helper)
    try:
        for name in os.listdir(os.path.dirname(path)):
            if name == helper.module or is_twin(name, helper.module):
                raise Unusable(f"{name} is another form of it")
        st = os.lstat(path)
        if stat.S_ISLNK(st.st_mode):
            real, folder = os.path.realpath(path), os.path.realpath(os.path.dirname(path))
            if not real.startswith(folder + os.sep):
                raise Unusable("a link that leads out of the site directory")
            st = os.stat(path)
        if not stat.S_ISREG(st.st_mode):
            raise Unusable("not a regular file")
        with _io.open_code(path) as file:
            data = file.read(SIZE_CAP + 1) if st.st_size <= SIZE_CAP else b""
    except (OSError, ValueError) as exc:
        raise Unusable(getattr(exc, "strerror", None) or str(exc)) from None
    if max(st.st_size, len(data)) > SIZE_CAP:
        raise Unusable(f"larger than {SIZE_CAP} bytes")
    return data


def is_twin(name: str, module: str) -> bool:
    """Return whether a file would be imported in the place of a helper's source."""
    return any(name == module + suffix for suffix in _imp.extension_suffixes())


def parse(helper: "Helper") -> Declared:
    """Return what the source of a helper declares; raises Unusable."""
    try:
        source = (helper.data or b"").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable("not UTF-8") from None
    declared = Declared()
    try:
        READERS[helper.form](syntax_tree(source).body, declared)
    except Exception as exc:  # noqa: BLE001 - whatever the parser raises
        raise Unusable(f"cannot be parsed: {type(exc).__name__}: {exc}") from None
    declared.names = {name.partition(".")[0] for name in declared.names}
    return declared


def syntax_tree(source: str) -> "Any":
    """Return the syntax tree of a source, and let the parser warn of nothing."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(source, "<helper>", "exec", ONLY_AST, dont_inherit=True)


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
                    declared.paths += literal_paths(arg.values)
        elif name == "install_inplace" and len(args) > 1:
            declared.names.update(strings(args[0]))
            declared.paths += literal_paths(args[1:2])


def literal_paths(nodes: "list[Any]") -> "list[str]":
    """Return the strings in a list of nodes, each a string or a list of strings."""
    found = [n.value for n in nodes if kind(n) == "Constant" and isinstance(n.value, str)]
    return found + [path for node in nodes for path in strings(node)]


def read_meson_python(body: "list[Any]", declared: Declared) -> None:
    """Read the call of ``MesonpyMetaFinder``, or to 0.20 ``install``: names and build folder."""
    for name, args in calls(body):
        if name in ("MesonpyMetaFinder", "install"):
            for arg in args:
                if kind(arg) == "Set":
                    declared.names.update(strings(arg))
            declared.paths += literal_paths([arg for arg in args if kind(arg) == "Constant"])


READERS = {
    "setuptools": read_setuptools,
    "editables": read_editables,
    "scikit-build-core": read_scikit_build_core,
    "meson-python": read_meson_python,
}


# Owning: whether what others answer is the helper's own, so that its finder may answer instead.


def owns(startup: "Startup", helper: "Helper", spec: "Any") -> bool:
    """Return whether a module lies where the helper's distribution has its files.

    In a site directory that is what the distribution alone claims to have installed; elsewhere what
    lies below a path of the helper's, or of its startup file, or beside its build folder.
    """
    try:
        return lies_in_its_own(startup, helper, spec)
    except (OSError, ValueError):  # its literals are no paths
        return False


def lies_in_its_own(startup: "Startup", helper: "Helper", spec: "Any") -> bool:
    """Do what `owns` says; raises OSError and ValueError."""
    file = str(spec.origin)
    package = spec.submodule_search_locations is not None
    entry = os.path.dirname(os.path.dirname(file) if package else file)
    if is_site_directory(startup, helper, entry):
        return is_claimed(helper, entry, os.path.relpath(file, entry).replace(os.sep, "/"))
    real, real_entry = os.path.realpath(file), os.path.realpath(entry)
    for path in helper.declared.paths + path_entries(startup, helper):
        own = os.path.realpath(path) if os.path.isabs(path) else ""
        beside = helper.form == "meson-python" and is_below(own, real_entry)
        if own and (real == own or is_below(real, own) or beside):
            return True
    return False


def is_below(path: str, folder: str) -> bool:
    """Return whether a path lies in a folder that is not the root."""
    return folder != os.sep and path.startswith(folder + os.sep)


def is_site_directory(startup: "Startup", helper: "Helper", folder: str) -> bool:
    """Return whether packages are installed into a folder."""
    known = {os.path.dirname(helper.line.file), startup.site.USER_SITE}
    if folder in known.union(startup.site.getsitepackages()):
        return True
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(folder))
    except OSError:
        return False


def is_claimed(helper: "Helper", folder: str, file: str) -> bool:
    """Return whether the distribution that has installed a helper, and no other, claims a file."""
    if folder != os.path.dirname(helper.line.file):
        return False
    claims = []
    for name in os.listdir(folder):
        record = os.path.join(folder, name, "RECORD")
        if name.endswith(".dist-info") and os.path.isfile(record):
            with _io.open_code(record) as stream:
                lines = b"\n" + stream.read(core.SIZE_CAP)
            if f"\n{file},".encode() in lines:
                claims.append(f"\n{helper.module}.py,".encode() in lines)
    return bool(claims) and all(claims)


def path_entries(startup: "Startup", helper: "Helper") -> "list[str]":
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


def run(finder: "Finder", helper: "Helper", name: str) -> None:
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
            if helper in finder.waiting and helper.failure is None:
                execute(finder, helper)
        finally:
            helper.lock.release()
    if helper.failure is not None:
        what = f"{type(helper.failure).__name__}: {helper.failure}"
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


def execute(finder: "Finder", helper: "Helper") -> None:
    """Import a helper from its file, and call what its line calls."""
    running = known.finder(finder.startup, first=True).running
    thread, path = _thread.get_ident(), sys.path[:]
    running[thread] = helper.path
    try:
        module = sys.modules.get(helper.module) or load(helper)
        if helper.call:
            getattr(module, helper.call)()
    except Exception as exc:  # noqa: BLE001 - it reaches the program as an ImportError
        helper.failure = exc
    finally:
        del running[thread]
        if helper.failure is None:
            finder.waiting = [other for other in finder.waiting if other is not helper]
        place_entries(finder, helper, path)


def load(helper: "Helper") -> "Any":
    """Load a helper's module."""
    file = place(helper)
    folder = [os.path.dirname(file)] if helper.form == "distutils" else None
    spec = _frozen_importlib_external.spec_from_file_location(
        helper.module, file, submodule_search_locations=folder
    )
    return _frozen_importlib._load(spec)  # type: ignore[attr-defined]


def place_entries(finder: "Finder", helper: "Helper", before: "list[str]") -> None:
    """Move what a helper has appended to sys.path to where stock has it.

    Behind the entries that were there when its line was met, and what the startup files before its
    own have added there.
    """
    added, last = sys.path[len(before) :], (helper.path or [""])[-1]
    if not added or sys.path[: len(before)] != before or last not in before:
        return
    index = before.index(last) + 1
    while index < len(before) and is_added_before(finder, before[index], helper):
        index += 1
    finder.added.update(dict.fromkeys(added, helper.line.file))
    sys.path[:] = [*before[:index], *added, *before[index:]]


def is_added_before(finder: "Finder", entry: str, helper: "Helper") -> bool:
    """Return whether a helper has added an entry whose startup file comes before another's."""
    return entry in finder.added and finder.added[entry] < helper.line.file


# Reporting what is wrong with a helper; the program goes on.


def refuse(startup: "Startup", helper: "Helper", reason: str) -> None:
    """Refuse the line of a helper that must not run."""
    line = core.Record(str(helper.line), helper.line.file, helper.line.line, helper.line.kind)
    line.slug, line.detail = "helper", f"{os.path.basename(place(helper))}: {reason}"
    with startup:
        startup.refuse(line)


def report(startup: "Startup", helper: "Helper", names: "list[str]", slug: str) -> None:
    """Refuse some of the names that a helper declares."""
    with startup:
        for name in names:
            startup.refuse(core.Record(name, place(helper), 0, NAME, slug))
