"""The modules that an executable line names, read off its syntax tree.

What a permission is to be bound to.  A line from which they cannot be read off is one that computes
what it runs, or where that is looked for.  So little of the language and of the standard library is
known to do neither that what is not known refuses a line: its own modules, which the permission
pins, are what may do the work.

Runs for the commands alone, and may use the whole standard library.
"""

from __future__ import annotations

import ast
import builtins
import os
import site
import sys
import warnings
from typing import TYPE_CHECKING

from safesite import core, pins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safesite.core import Record

TEXT_CAP = 64 << 10  # the parser of 3.10 overflows the stack beyond
DEPTH_CAP = 4  # of a literal given to exec in a literal given to exec

RUNNERS = ("exec", "eval")  # they run a literal
IMPORTER = "importlib.import_module"
IMPORTERS = ("__import__", "import_module")

# What a line may use of the standard library, and of what is built in or stands in site's frame.
LIBRARY = {
    "__future__", "os.environ", "os.getenv", "os.name", "os.path.basename", "os.path.dirname",
    "os.path.exists", "os.path.isdir", "os.path.isfile", "os.path.join", "os.path.sep", "os.sep",
    "sys.argv", "sys.base_prefix", "sys.executable", "sys.hexversion", "sys.implementation",
    "sys.maxsize", "sys.platform", "sys.prefix", "sys.stderr", "sys.stdout", "sys.version",
    "sys.version_info",
}  # fmt: skip
BUILTINS = {
    "AttributeError", "BaseException", "Exception", "ImportError", "KeyError",
    "ModuleNotFoundError", "NameError", "OSError", "RuntimeError", "SyntaxError", "TypeError",
    "ValueError", "all", "any", "bool", "bytes", "dict", "float", "int", "isinstance", "len",
    "list", "print", "repr", "set", "sitedir", "sorted", "str", "tuple",
}  # fmt: skip

# Modules of the standard library that do not only define something when they are imported.
START_SOMETHING = ("__main__", "antigravity", "idlelib", "lib2to3", "test", "turtledemo")

# Attributes by which any object leads to code that nobody has named, as those with __ do, or by
# which what others use is changed: a variable of the environment can name code too.
LEADS_AWAY = {
    "addpackage", "addsitedir", "append", "clear", "compile", "eval", "exec", "extend",
    "import_module", "insert", "load_module", "meta_path", "modules", "path", "path_hooks", "pop",
    "popitem", "remove", "run_module", "run_path", "setdefault", "update",
}  # fmt: skip
OF_FRAMES = ("ag_", "co_", "cr_", "f_", "gi_", "tb_")

# Functions would let a name mean one thing here, and another there.
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class Unreadable(Exception):
    """A line from which the modules cannot be read off: the message says why."""


def modules_named(line: Record) -> list[str]:
    """Return the dotted names of the modules that a line names, sorted; raises Unreadable."""
    if line.kind == core.CUSTOMIZE:
        return [str(line)]
    if line.kind == core.ENTRY:
        return [entry_module(line)]
    nodes = list(nodes_in(str(line), "exec", DEPTH_CAP))
    names = Names(nodes)
    for node in nodes:
        names.check(node)
    return sorted(names.modules)


def pins_of(line: Record) -> list[str]:
    """Return what a permission for a line is bound to; raises Unreadable, pins.Unpinnable, OSError.

    sys.path must be that of a start.
    """
    units = sorted({unit_of(name) for name in modules_named(line)})
    digests = [f"{unit}={pins.module_digest(unit, line)}" for unit in units]
    return [f"line={pins.line_digest(line)}", *digests]


def unit_of(name: str) -> str:
    """Return the part of a module's name that stands for it; raises pins.Unpinnable."""
    folder, unit, stands_for = pins.locate(name)
    rest, path = name.removeprefix(stands_for).split(".")[1:], os.path.join(folder, unit)
    if rest and not pins.is_library(stands_for, folder):
        is_there = any(os.path.lexists(os.path.join(path, form)) for form in pins.forms_of(rest[0]))
        if not is_there and (len(rest) > 1 or extends_itself(path)):
            raise pins.Unpinnable(f"{name} may lie outside of {stands_for}")
    return stands_for


def extends_itself(package: str) -> bool:
    """Return whether a package may have modules outside of its folder, as pkgutil provides for."""
    try:
        with open(os.path.join(package, "__init__.py"), "rb") as file:
            text = file.read()
    except OSError:
        return os.path.isdir(package)
    return b"__path__" in text or b"declare_namespace" in text


def entry_module(line: str) -> str:
    """Return the module of an entry point; raises Unreadable."""
    module, _, function = line.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        raise Unreadable("it is no entry point")
    if is_library(plain(module)):
        raise Unreadable("it calls a function of the standard library, which can run anything")
    for part in function.split("."):
        check_attribute(part)
    return module


def nodes_in(text: str, mode: str, depth: int) -> Iterator[ast.AST]:
    """Yield the syntax nodes of a text, and those of what it gives to exec as a literal."""
    if len(text) > TEXT_CAP or not depth:
        raise Unreadable("it is too long, or too deep")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise Unreadable(f"it does not compile: {type(exc).__name__}") from None
    for node in ast.walk(tree):
        yield node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name in RUNNERS:
                yield from nodes_in(only_literal(node, name), name, depth - 1)


class Names:
    """What the names in a text, which has one scope, stand for.

    ``modules`` are those that it imports.  ``bound``: by name, what imports bind it to.  ``own``:
    the names that are bound otherwise.
    """

    def __init__(self, nodes: list[ast.AST]) -> None:
        self.modules: set[str] = set()
        self.bound: dict[str, set[str]] = {}
        self.own: set[str] = set()
        self.fine: set[int] = set()  # nodes that have been looked at as a part of another
        for node in nodes:
            if isinstance(node, DEFINITIONS):
                raise Unreadable("it defines a function or a class")
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.note_import(node)
            else:
                self.own.update(bound_by(node))
        for name in self.own:
            check_new(name)
        for node in nodes:
            if isinstance(node, ast.Call):
                self.note_call(node)

    def note_import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Note the modules that an import statement names, and the names that it binds."""
        start = ""
        if isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise Unreadable("it imports relatively")
            start = f"{node.module}."
        for alias in node.names:
            dotted = plain(f"{start}{alias.name}".removesuffix(".*"))
            self.modules.add(dotted)
            if alias.name == "*" and is_library(dotted):
                raise Unreadable(f"it uses all of {dotted}")
            if alias.name == "*" or (start and [dotted, alias.asname] == [IMPORTER, None]):
                continue  # what has no name here is not used, and that can only be called
            name = alias.asname or (alias.name if start else alias.name.partition(".")[0])
            if start:
                check_use(start[:-1], [alias.name])
            elif not alias.asname:
                dotted = name
            if not (name == dotted and is_library(name)):
                check_new(name)
            self.bound.setdefault(name, set()).add(dotted)

    def note_call(self, node: ast.Call) -> None:
        """Note what a call imports; raises Unreadable for one that computes it."""
        name = ".".join(self.chain(node.func))
        if name in (*IMPORTERS, IMPORTER):
            module = plain(only_literal(node, name))
            if is_library(module):
                raise Unreadable(f"it computes with {module}")
            self.modules.add(module)
        elif name not in RUNNERS:
            return
        self.fine.update(map(id, ast.walk(node.func)))

    def chain(self, node: ast.AST) -> list[str]:
        """Return the names of an expression of nothing but attributes of a name, else nothing."""
        found: list[str] = []
        while isinstance(node, ast.Attribute):
            found.append(node.attr)
            node = node.value
        return [*found, node.id][::-1] if isinstance(node, ast.Name) else []

    def check(self, node: ast.AST) -> None:
        """Raise Unreadable for what can reach code that the text does not name."""
        for name in getattr(node, "kwd_attrs", ()):  # of a pattern
            check_attribute(name)
        if isinstance(node, ast.AugAssign) or (
            isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load)
        ):
            raise Unreadable("it changes what others use")
        if id(node) in self.fine or not isinstance(node, (ast.Attribute, ast.Name)):
            return
        chain = self.chain(node)
        if chain and isinstance(node.ctx, ast.Load):
            for meaning in self.meanings(chain[0]):
                check_use(meaning, chain[1:])
            self.fine.update(map(id, ast.walk(node)))
        elif isinstance(node, ast.Attribute):
            check_attribute(node.attr)

    def meanings(self, name: str) -> set[str]:
        """Return the dotted names that a name stands for, "" for any object; raises Unreadable."""
        found = self.bound.get(name, set())
        if name in self.own or name in BUILTINS:
            return found | {""}
        if not found and name not in ("os", "sys"):  # which site has imported
            raise Unreadable(f"it uses {name}")
        return found or {name}


def check_use(dotted: str, attributes: list[str]) -> None:
    """Raise Unreadable for attributes that lead away from the modules that a text names."""
    if is_library(dotted):
        whole = ".".join((dotted, *attributes))
        known = next((known for known in LIBRARY if f"{whole}.".startswith(f"{known}.")), None)
        if known is None:
            raise Unreadable(f"it uses {whole}")
        attributes = whole[len(known) + 1 :].split(".") if whole != known else []
    for name in attributes:
        check_attribute(name)


def is_library(name: str) -> bool:
    """Return whether a dotted name begins with that of a module of the standard library."""
    return name.partition(".")[0] in sys.stdlib_module_names


def bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node binds, which is no import."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        yield from node.names
    elif not isinstance(node, (ast.Name, ast.alias)):  # except ... as, case ... as, case {**rest}
        named = (getattr(node, field, None) for field in ("name", "rest"))
        yield from (name for name in named if isinstance(name, str))


def check_new(name: str) -> None:
    """Raise Unreadable for a name that means something already: it may still do when it is used."""
    if name in vars(builtins) or name in vars(site) or name in ("self", *IMPORTERS):
        raise Unreadable(f"it gives another meaning to {name}")


def check_attribute(name: str) -> None:
    """Raise Unreadable for an attribute by which a line can reach code that it does not name."""
    is_special = name.startswith(("__", *OF_FRAMES)) or name in sys.stdlib_module_names
    if is_special or name in LEADS_AWAY:
        raise Unreadable(f"it uses {name}")


def plain(name: str) -> str:
    """Return a module's name; raises Unreadable for one that starts something by itself."""
    parts = name.split(".")
    if not all(part.isidentifier() and part.isascii() for part in parts):
        raise Unreadable("it names no module in plain ASCII")
    if is_library(name) and any(part in START_SOMETHING for part in (parts[0], parts[-1])):
        raise Unreadable(f"it imports {name}, which does more than define something")
    return name


def only_literal(node: ast.Call, name: str) -> str:
    """Return the literal that is the only argument; raises Unreadable for another call.

    Not bytes: those have an encoding of their own.
    """
    value = getattr(node.args[0], "value", None) if len(node.args) == 1 else None
    if node.keywords or not isinstance(value, str):
        raise Unreadable(f"it computes what it gives to {name}")
    return value
