"""Lines known word for word, which need not run to do what they are for.

Deferred: the helper of an editable install waits for an import that needs it; `helpers` runs it.
Performed: `perform` does it from literals.  Inert: nothing is to do, says `inert`.  A line is
recognised only whole; one that is almost the same is refused like any other.

Loaded by ``core`` when there is an executable line that may not run; imports only what stock
``site`` has loaded.
"""

import _frozen_importlib
import _frozen_importlib_external
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from safesite.core import Record, Startup
    from safesite.helpers import Helper

    Waiting = tuple[Record, str, str, str, list[str]]

if TYPE_CHECKING or __name__ == "safesite.known":
    from safesite import core
else:
    import _safesite as core

PACKAGE = sys.modules.get("safesite")  # in use after a program has taken it out of sys.modules

# Slugs of lines that nobody has denied, and that this version of Python would execute.
UNTOUCHED = ("import-line", "entry-point", "withdrawn")

# The helpers of each backend: how the module's name begins and ends, what an import line calls
# after its import, and what an entry point names.
FORMS = (
    ("setuptools", "__editable___", "_finder", "install", ""),
    ("editables", "_editable_impl_", "", "", ""),
    ("editables", "__editables_", "", "", ""),  # pdm-pep517
    ("scikit-build-core", "_editable_skbc_", "", "", "entrypoint"),
    ("scikit-build-core", "_", "_editable", "", ""),  # to 0.12
    ("meson-python", "_", "_editable_loader", "init", "init"),
    ("meson-python", "_", "_editable_loader", "", ""),  # to 0.20
)

# Those whose finder stands first: it answers before a path entry of the same project does.
FIRST = ("scikit-build-core", "meson-python")

# setuptools has that in its helper, before its code, where a project has no namespace packages.
NO_NAMESPACES = (b"\nNAMESPACES: dict[str, list[str]] = {}\n", b"\nNAMESPACES = {}\n")
HEAD = 64 << 10
HEAD_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)

# setuptools' own line, from 60.0 on, from 50.1 and from 49.3: what an unset variable stands for.
DISTUTILS = "enabled and __import__('_distutils_hack').add_shim();"
DISTUTILS_LINES = {
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; "
    f"enabled = os.environ.get(var, 'local') == 'local'; {DISTUTILS}": "local",
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; "
    f"enabled = os.environ.get(var, 'stdlib') == 'local'; {DISTUTILS}": "stdlib",
    "import os; "
    f"enabled = os.environ.get('SETUPTOOLS_USE_DISTUTILS') == 'local'; {DISTUTILS}": "stdlib",
}

# How the import lines begin that other modules know; others need not load these.
STARTS = {
    "perform": ("import site; site.addsitedir(",),
    "inert": (
        "import os; exec(",
        "import os, sys;exec(",
        "import sys; exec(",
        "import sys, types, os;",
        "import _virtualenv",
    ),
}


class Finder:
    """Has a helper run when the program imports a module that only the helper can find.

    Asks every finder that stands behind it before it answers.  ``waiting``: the line of a helper,
    its form, its module, what is called in it, and sys.path when the line was met.  ``running``, of
    the finder that stands first: the threads that run a helper, and sys.path for it.
    """

    def __init__(self, startup: "Startup") -> None:
        self.startup = startup
        self.waiting: list[Waiting] = []
        self.made: dict[str, Helper] = {}
        self.met: set[str] = set()  # modules that have been deferred
        self.asking: set[tuple[int, str]] = set()  # threads, and the names they ask others for
        self.running: dict[int, list[str]] = {}
        self.ran: set[str] = set()  # names of helpers that have run
        self.added: dict[object, str] = {}  # what helpers have put where, and their startup files
        self.helpers: Any = None  # the module, which a program can take out of sys.modules

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """Return the spec of a top-level module that a helper declares; None for all others."""
        if path is not None or not (self.waiting or self.running or self.ran):
            return None
        if name in self.startup.exact:
            return None
        if name in sys.stdlib_module_names and not self.running:
            return None
        if name == "safesite" or name.startswith("_safesite"):
            return None  # what the next lines import
        if self.helpers is None:
            self.helpers = load_helpers(self.startup)
        return self.helpers.find_spec(self, name, target)


def load_helpers(startup: "Startup") -> "Any":
    """Return the module `helpers`, from beside this one.

    By now the program's folder comes first on sys.path, and a program may have taken safesite out
    of sys.modules.
    """
    origin = str(__spec__.origin)
    name = __name__.replace("known", "helpers")
    if name in sys.modules:
        return sys.modules[name]
    if origin == "frozen":
        return startup.part("helpers")
    path = os.path.join(os.path.dirname(origin), name.rpartition(".")[2] + ".py")
    spec = _frozen_importlib_external.spec_from_file_location(name, path)
    if PACKAGE is not None:  # it has what `helpers` imports from it
        sys.modules.setdefault("safesite", PACKAGE)
    return _frozen_importlib._load(spec)  # type: ignore[attr-defined]


def keeps(startup: "Startup", line: "Record") -> bool:
    """Return whether an executable line need not run: it is deferred, performed or inert."""
    if line.slug not in UNTOUCHED or not startup.refuses:
        return False
    text = str(line).rstrip(" ")  # setuptools' line ends with one, which 3.15 strips
    if line.kind == core.IMPORT and text in DISTUTILS_LINES:
        return defer_distutils(startup, line, DISTUTILS_LINES[text])
    form, module, call = recognise(text, line.kind)
    if form:
        defer(startup, line, form, module, call)
        return True
    for part, starts in STARTS.items():
        if line.kind == core.IMPORT and text.startswith(starts):
            return is_kept_by(startup.part(part), startup, line, text)
    return False


def is_kept_by(part: "Any", startup: "Startup", line: "Record", text: str) -> bool:
    """Return whether one of the other modules keeps a line; whatever it raises, it does not."""
    slug, detail = line.slug, line.detail
    try:
        kept = bool(part.keeps(startup, line, text))
    except Exception as exc:  # noqa: BLE001 - a path hook, or what a literal names, may raise anything
        line.detail = f"{type(exc).__name__}: {exc}"
        kept = False
    if slug == "withdrawn":  # of the two reasons, that is news
        line.slug, line.detail = slug, detail
    return kept


def recognise(text: str, kind: str) -> "tuple[str, str, str]":
    """Return the form of the helper that a line names, its module and what is called in it.

    All are empty unless the line is exactly one that a build backend writes.
    """
    entry = kind == core.ENTRY
    module = text.partition(":")[0] if entry else text[7:].partition(";")[0]
    if not (module.isascii() and module.isidentifier()):
        return "", "", ""
    for form, start, end, call, entry_call in FORMS:
        if entry:
            line = f"{module}:{entry_call}" if entry_call else ""
        else:
            line = f"import {module}; {module}.{call}()" if call else f"import {module}"
        if text == line and module.startswith(start) and module.endswith(end):
            return form, module, entry_call if entry else call
    return "", "", ""


def defer(startup: "Startup", line: "Record", form: str, module: str, call: str) -> None:
    """Have a helper wait, once, however often its line is met."""
    stands_first = form in FIRST or (form == "setuptools" and has_namespaces(line, module))
    last = finder(startup, first=False)  # also marks the end of sys.meta_path at startup
    if module not in last.met:  # under stock, too, the first of a name is imported
        last.met.add(module)
        found = finder(startup, first=True) if stands_first else last
        found.waiting.append((line, form, module, call, sys.path[:]))
    startup.trace(line, "deferred")


def finder(startup: "Startup", first: bool) -> Finder:
    """Return the finder that stands first on sys.meta_path, or that which was put behind all."""
    found = startup.finders.get(first)
    if found is None:
        made = Finder(startup)
        found = startup.finders.setdefault(first, made)
        if found is made:  # and no other thread has been faster
            sys.meta_path.insert(0 if first else len(sys.meta_path), made)
    return found


def has_namespaces(line: "Record", module: str) -> bool:
    """Return whether a helper of setuptools has portions of namespace packages.

    Other portions would be found without asking a finder behind that of the import system.
    """
    path = f"{os.path.dirname(line.file)}/{module}.py"
    try:  # without a file object, which costs as much as all that has been done so far
        file = os.open(path, HEAD_FLAGS)
        try:
            data = os.read(file, HEAD)
        finally:
            os.close(file)
    except OSError:
        return False
    return NO_NAMESPACES[0] not in data and NO_NAMESPACES[1] not in data


def defer_distutils(startup: "Startup", line: "Record", default: str) -> bool:
    """Have setuptools' copy of distutils wait, where the standard library has none (3.12)."""
    enabled = os.environ.get("SETUPTOOLS_USE_DISTUTILS", default) == "local"
    if enabled and "distutils" not in sys.stdlib_module_names:
        defer(startup, line, "distutils", "_distutils_hack", "add_shim")
    else:
        startup.trace(line, "inert")
    return True
