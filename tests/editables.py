"""Projects for each backend that makes editable installs, and the program that looks at one.

A project is a table: what its files hold, how it is configured, what is importable from it.  All
hold the same package, so that one program can look at each.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path

TOP = '''\
"""A package that is installed in place."""

VALUE = 1


class Thing:
    """What is pickled by its name."""
'''
MAIN = """\
import sys

from . import VALUE

print(__name__, __package__, __file__, __spec__.name, sys.argv, VALUE)
"""
LEAF = '''\
"""A module of a package in a package."""

from .. import VALUE


def value() -> int:
    """Return what the top has."""
    return VALUE
'''
NOTE = "a note: é\n"

# The stable ABI, as far as a module with one number needs it: an interpreter may have no headers.
EXTENSION = """\
#define VALUE 1

typedef struct _object PyObject;
typedef struct {
    struct { long references; void *type, *init; long index; void *copy; } base;
    const char *name, *doc;
    long size;
    void *methods, *slots, *traverse, *clear, *free;
} PyModuleDef;

extern PyObject *PyModule_Create2(PyModuleDef *, int);
extern int PyModule_AddIntConstant(PyObject *, const char *, long);

static PyModuleDef definition = {{1, 0, 0, 0, 0}, "_ext", "An extension module.", -1};

PyObject *PyInit__ext(void) {
    PyObject *module = PyModule_Create2(&definition, 3);
    if (module) PyModule_AddIntConstant(module, "VALUE", VALUE);
    return module;
}
"""

CARGO = """\
[package]
name = "demo"
version = "0.1.0"
edition = "2021"

[lib]
crate-type = ["cdylib"]
"""
RUST = """\
#[no_mangle]
pub extern "C" fn value() -> i32 {
    1
}
"""


def package(folder: str) -> dict[str, str]:
    """Return the files of the package, by their places in a project."""
    return {
        f"{folder}/__init__.py": TOP,
        f"{folder}/__main__.py": MAIN,
        f"{folder}/sub/__init__.py": "",
        f"{folder}/sub/leaf.py": LEAF,
        f"{folder}/data/note.txt": NOTE,
    }


def names_in(top: str, *more: str) -> tuple[str, ...]:
    """Return what is importable from the package: what is around it, itself, what is in it."""
    parents = [top[:place] for place, letter in enumerate(top) if letter == "."]
    within = ("sub", "sub.leaf", "data", *more)
    return (*parents, top, *(f"{top}.{name}" for name in within))


@dataclass(frozen=True)
class Backend:
    """What builds a project: requirements, its name, and what it names the helper.

    ``compiler`` is the program that must be on the machine.
    """

    requires: tuple[str, ...]
    name: str
    helper: str = ""
    compiler: str = ""


SETUPTOOLS = Backend(
    ("setuptools >=84,<85",), "setuptools.build_meta", "__editable___{}_0_1_finder"
)
SETUPTOOLS_64 = Backend(("setuptools ==64.0.3",), SETUPTOOLS.name, SETUPTOOLS.helper)
SETUPTOOLS_68 = Backend(("setuptools ==68.2.2",), SETUPTOOLS.name, SETUPTOOLS.helper)
HATCHLING = Backend(("hatchling >=1.33,<2",), "hatchling.build", "_editable_impl_{}")
PDM = Backend(("pdm-backend >=2.5,<3",), "pdm.backend", "_editable_impl_{}")
POETRY = Backend(("poetry-core >=2.5,<3",), "poetry.core.masonry.api")
FLIT = Backend(("flit_core >=4.2,<5",), "flit_core.buildapi")
UV = Backend(("uv_build >=0.13,<0.14",), "uv_build")
MATURIN = Backend(("maturin >=1.16,<2",), "maturin", compiler="cargo")
SCIKIT_BUILD = Backend(
    ("scikit-build-core >=1.1,<2",), "scikit_build_core.build", "_editable_skbc_{}", "cc"
)
MESON = Backend(("meson-python >=0.22,<0.23",), "mesonpy", "_{}_editable_loader", "cc")


@dataclass(frozen=True)
class Project:
    """One project: its files, its configuration, and what can be imported from it.

    ``startup`` are the startup files that it leaves in site-packages, ``startup_315`` those on 3.15
    where they differ.  ``rebuilt`` is the source file whose change an import sees by building.
    """

    backend: Backend
    files: dict[str, str]
    configuration: str
    startup: tuple[str, ...]
    names: tuple[str, ...] = names_in("demo")
    startup_315: tuple[str, ...] = ()
    has_helper: bool = False
    name: str = "demo"
    top: str = "demo"
    settings: tuple[str, ...] = ()
    editable: bool = True
    rebuilt: str = ""

    @property
    def helper(self) -> str:
        """The module that the startup file imports; empty if none."""
        return self.backend.helper.format(self.name) if self.has_helper else ""

    @property
    def edits(self) -> dict[str, str]:
        """The files whose edits are seen, each with the module that tells its number."""
        (top,) = (name for name, text in self.files.items() if text == TOP)
        return {top: self.top} | ({self.rebuilt: f"{self.top}._ext"} if self.rebuilt else {})

    def startup_on(self, version: str) -> tuple[str, ...]:
        """Return the startup files on a version of Python."""
        return self.startup_315 if self.startup_315 and version == "3.15" else self.startup

    def write(self, folder: Path) -> None:
        """Write the project to a folder."""
        head = {"requires": list(self.backend.requires), "build-backend": self.backend.name}
        lines = ["[build-system]", *(f"{key} = {json.dumps(value)}" for key, value in head.items())]
        lines += ["[project]", f'name = "{self.name}"', 'version = "0.1"']
        lines.append(textwrap.dedent(self.configuration))
        for name, text in {"pyproject.toml": "\n".join(lines), **self.files}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), "utf-8")


@dataclass(frozen=True)
class Shape:
    """What is installed into one environment, and how.

    ``on`` are the versions on which it is tested by default, ``without`` those on which it cannot
    be, each with what the failing installation says.  ``folder`` is the projects' parent.
    ``hidden`` are names that stock does not find, ``left`` what stays behind the uninstalled.
    """

    projects: tuple[Project, ...]
    on: tuple[str, ...]
    installer: str = "uv"
    without: dict[str, str] = field(default_factory=dict)
    folder: str = "projects"
    hidden: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def project(self) -> Project:
        """The project that is looked at most."""
        return self.projects[0]

    @property
    def names(self) -> list[str]:
        """Everything that is importable."""
        return list(dict.fromkeys(name for project in self.projects for name in project.names))


def setuptools(files: dict[str, str], configuration: str = "", top: str = "demo") -> Project:
    """Return a project of setuptools whose startup file runs a helper."""
    pth = ("__editable__.demo-0.1.pth",)
    names = names_in(top)
    return Project(SETUPTOOLS, files, configuration, pth, names, has_helper=True, top=top)


def path_only(backend: Backend, files: dict[str, str], startup: str, more: str = "") -> Project:
    """Return a project whose startup file holds no code."""
    return Project(backend, files, more, (startup,))


def cmake(where: str, settings: str = "") -> str:
    """Return a CMake project: an extension module, a data file, a module that the source has too.

    ``where`` is the package's folder in the wheel.
    """
    return f"""\
        cmake_minimum_required(VERSION 3.18)
        project(demo LANGUAGES C)
        file(WRITE ${{CMAKE_BINARY_DIR}}/built.txt "built")
        file(WRITE ${{CMAKE_BINARY_DIR}}/both.py "WHERE = 'wheel'\\n")
        add_library(_ext MODULE _ext.c)
        set_target_properties(_ext PROPERTIES
            PREFIX "" SUFFIX ".${{SKBUILD_SOABI}}.so" {settings})
        install(TARGETS _ext DESTINATION {where})
        install(FILES ${{CMAKE_BINARY_DIR}}/built.txt ${{CMAKE_BINARY_DIR}}/both.py
            DESTINATION {where})
        """


def scikit_build(where: str, options: str, settings: str = "") -> Project:
    """Return a project of scikit-build-core."""
    top = where.replace("/", ".")
    return Project(
        SCIKIT_BUILD,
        package(f"src/{where}")
        | {
            f"src/{where}/both.py": "WHERE = 'source'\n",
            "_ext.c": EXTENSION,
            "CMakeLists.txt": cmake(where, settings),
        },
        f'[tool.scikit-build]\nwheel.packages = ["src/{where.partition("/")[0]}"]\n{options}',
        ("_editable_skbc_demo.pth",),
        names_in(top, "_ext", "both"),
        ("_editable_skbc_demo.pth", "_editable_skbc_demo.start"),
        has_helper=True,
        top=top,
        rebuilt="_ext.c" if "editable.rebuild" in options else "",
    )


def meson(where: str) -> Project:
    """Return a project of meson-python, which builds again whenever it is imported."""
    top = where.replace("/", ".")
    build = f"""\
        project('demo', 'c', version: '0.1')
        python = import('python').find_installation(pure: false)
        where = python.get_install_dir() / '{where}'
        shared_module('_ext', '_ext.c', name_prefix: '', name_suffix: 'abi3.so',
            install: true, install_dir: where)
        configure_file(input: 'built.txt.in', output: 'built.txt', configuration: {{'x': 1}},
            install: true, install_dir: where)
        install_subdir('src/{where}', install_dir: where, strip_directory: true)
        """
    return Project(
        MESON,
        package(f"src/{where}")
        | {"_ext.c": EXTENSION, "built.txt.in": "built @x@\n", "meson.build": build},
        "",
        ("demo-editable.pth",),
        names_in(top, "_ext"),
        ("demo-editable.start",),
        has_helper=True,
        top=top,
        rebuilt="_ext.c",
    )


FLAT = setuptools(package("demo"))
NAMESPACE_FOUND = '[tool.setuptools.packages.find]\ninclude = ["ns*"]'
NAMESPACE = setuptools(package("ns/pkg"), NAMESPACE_FOUND, "ns.pkg")
# What else may be in the namespace: a project that is installed, or in place as well.
INSTALLED = Project(
    SETUPTOOLS,
    {"ns/other/__init__.py": TOP},
    NAMESPACE_FOUND,
    (),
    ("ns", "ns.other"),
    name="other",
    top="ns.other",
    editable=False,
)
IN_PLACE = replace(
    INSTALLED, startup=("__editable__.other-0.1.pth",), has_helper=True, editable=True
)
# pip finds this out from what is built; uv believes the project's own list.
NEEDS_EDITABLES = 'dependencies = ["editables >=0.6,<1"]\n'
HATCHLING_EXACT = """\
[tool.hatch.build]
dev-mode-exact = true
[tool.hatch.build.targets.wheel]
packages = ["src/demo"]
"""
PDM_EDITABLES = '[tool.pdm.build]\neditable-backend = "editables"'
EXACT = Project(
    HATCHLING,
    package("src/demo"),
    NEEDS_EDITABLES + HATCHLING_EXACT,
    ("_editable_impl_demo.pth",),
    has_helper=True,
)
EXACT_PDM = replace(EXACT, backend=PDM, configuration=NEEDS_EDITABLES + PDM_EDITABLES)
# A second project with a helper, which has nothing in common with the first.
SECOND = Project(
    PDM,
    {"src/second/__init__.py": TOP},
    NEEDS_EDITABLES + PDM_EDITABLES,
    ("_editable_impl_second.pth",),
    ("second",),
    has_helper=True,
    name="second",
    top="second",
)
# A third whose folder stands on sys.path between what the helpers of the others put there.
THIRD = replace(
    path_only(SETUPTOOLS, {"src/third/__init__.py": TOP}, "__editable__.third-0.1.pth"),
    names=("third",),
    name="third",
    top="third",
)
IN_SOURCE = "LIBRARY_OUTPUT_DIRECTORY ${{CMAKE_SOURCE_DIR}}/src/{}"
SECOND_MESON = replace(
    meson("second"),
    startup=("second-editable.pth",),
    startup_315=("second-editable.start",),
    name="second",
)
REBUILD = 'editable.rebuild = true\nbuild-dir = "build"'
IN_PLACE_MODE = 'editable.mode = "inplace"'

NO_IMP_IMPORTER = "module 'pkgutil' has no attribute 'ImpImporter'"
OLD = dict.fromkeys(("3.12", "3.13", "3.14", "3.15"), NO_IMP_IMPORTER)

SHAPES = {
    # setuptools: a path, or a helper with the names and their places.
    "setuptools-src": Shape(
        (path_only(SETUPTOOLS, package("src/demo"), "__editable__.demo-0.1.pth"),), ("3.10",)
    ),
    "setuptools-flat": Shape((FLAT,), ("3.13",)),
    "setuptools-flat-pip": Shape((FLAT,), (), installer="pip"),
    "setuptools-two-packages": Shape(
        (
            replace(
                FLAT,
                files=package("demo") | {"extra/__init__.py": ""},
                configuration='[tool.setuptools]\npackages = ["demo", "demo.sub", "extra"]',
                names=(*FLAT.names, "extra"),
            ),
        ),
        ("3.15",),
    ),
    "setuptools-namespace": Shape((NAMESPACE,), ("3.12",)),
    "setuptools-namespace-installed": Shape((NAMESPACE, INSTALLED), ()),
    "setuptools-namespace-shared": Shape((NAMESPACE, IN_PLACE), ("3.15",)),
    "setuptools-package-dir": Shape(
        (
            setuptools(
                package("lib/demo_src"),
                """
                [tool.setuptools]
                packages = ["demo", "demo.sub"]
                package-dir = {demo = "lib/demo_src"}
                """,
            ),
        ),
        ("3.10",),
    ),
    "setuptools-modules": Shape(
        (
            replace(
                FLAT,
                files={"demo.py": TOP, "extra.py": ""},
                configuration='[tool.setuptools]\npy-modules = ["demo", "extra"]',
                names=("demo", "extra"),
            ),
        ),
        ("3.11",),
    ),
    "setuptools-odd-path": Shape((FLAT,), ("3.12",), folder="mes projets/été 'x'"),
    "setuptools-strict": Shape(
        (
            replace(
                FLAT,
                configuration='[tool.setuptools.package-data]\n"*" = ["*.txt"]',
                settings=("editable_mode=strict",),
                has_helper=False,
            ),
        ),
        ("3.14",),
    ),
    "setuptools-compat": Shape(
        (replace(FLAT, settings=("editable_mode=compat",), has_helper=False),), ("3.13",)
    ),
    "setuptools-develop": Shape(
        (
            replace(
                FLAT,
                files=FLAT.files | {"setup.py": "import setuptools\nsetuptools.setup()\n"},
                startup=("easy-install.pth",),
                has_helper=False,
            ),
        ),
        ("3.12",),
        installer="develop",
        left=("easy-install.pth",),  # empty
    ),
    "setuptools-64": Shape((replace(FLAT, backend=SETUPTOOLS_64),), ("3.10",), without=OLD),
    "setuptools-64-namespace": Shape((replace(NAMESPACE, backend=SETUPTOOLS_64),), (), without=OLD),
    "setuptools-68": Shape((replace(FLAT, backend=SETUPTOOLS_68),), ("3.11",)),
    # hatchling and pdm-backend: a path, or the package editables with the names.
    "hatchling-src": Shape(
        (path_only(HATCHLING, package("src/demo"), "_editable_impl_demo.pth"),), ("3.14",)
    ),
    "hatchling-flat": Shape(
        (path_only(HATCHLING, package("demo"), "_editable_impl_demo.pth"),), ()
    ),
    "hatchling-dirs": Shape(
        (
            path_only(
                HATCHLING,
                package("src/demo"),
                "_demo.pth",
                '[tool.hatch.build]\ndev-mode-dirs = ["src", "lib"]',
            ),
        ),
        ("3.13",),
    ),
    "hatchling-exact": Shape((EXACT,), ("3.11",), folder="mes projets/été"),
    "hatchling-exact-pip": Shape(
        (replace(EXACT, configuration=HATCHLING_EXACT),), (), installer="pip"
    ),
    "pdm-src": Shape((path_only(PDM, package("src/demo"), "_editable_impl_demo.pth"),), ("3.15",)),
    "pdm-editables": Shape((EXACT_PDM,), ("3.12",)),
    "pdm-editables-pip": Shape(
        (replace(EXACT_PDM, configuration=PDM_EDITABLES),), (), installer="pip"
    ),
    "three-projects": Shape((FLAT, SECOND, THIRD), ("3.14",)),
    # Those that write paths alone.
    "poetry": Shape((path_only(POETRY, package("src/demo"), "demo.pth"),), ("3.10",)),
    "flit": Shape(
        (path_only(FLIT, package("src/demo"), "demo.pth", 'description = "A demo"'),), ("3.11",)
    ),
    "uv": Shape((path_only(UV, package("src/demo"), "demo.pth"),), ("3.12",)),
    "maturin": Shape(
        (
            Project(
                MATURIN,
                package("python/demo") | {"Cargo.toml": CARGO, "src/lib.rs": RUST},
                """
                dependencies = ["cffi >=2,<3"]
                [tool.maturin]
                bindings = "cffi"
                python-source = "python"
                module-name = "demo._native"
                """,
                ("demo.pth",),
                names_in("demo", "_native"),
            ),
        ),
        ("3.13",),
    ),
    # scikit-build-core and meson-python: a helper that may build when something is imported.
    "scikit-build": Shape((scikit_build("demo", ""),), ("3.15",)),
    "scikit-build-namespace": Shape((scikit_build("ns/pkg", ""), INSTALLED), ("3.13",)),
    "scikit-build-rebuild": Shape((scikit_build("demo", REBUILD),), ("3.14",)),
    "scikit-build-rebuild-namespace": Shape((scikit_build("ns/pkg", REBUILD), INSTALLED), ()),
    "scikit-build-in-place": Shape(
        (scikit_build("demo", IN_PLACE_MODE, IN_SOURCE.format("demo")),),
        ("3.15",),
        folder="mes projets/été",
    ),
    "scikit-build-in-place-namespace": Shape(
        (scikit_build("ns/pkg", IN_PLACE_MODE, IN_SOURCE.format("ns/pkg")), INSTALLED), ()
    ),
    "scikit-build-in-place-rebuild": Shape(
        (
            scikit_build(
                "demo", f"{IN_PLACE_MODE}\neditable.rebuild = true", IN_SOURCE.format("demo")
            ),
        ),
        (),
    ),
    "scikit-build-pip": Shape((scikit_build("demo", ""),), (), installer="pip"),
    "meson": Shape((meson("demo"),), ("3.15",)),
    "meson-namespace": Shape(
        (meson("ns/pkg"), INSTALLED),
        ("3.14",),
        folder="mes projets/été",
        hidden=("ns.other",),  # the helper answers for all below ns
    ),
    # Two helpers that put their finders first.
    "scikit-build-and-meson": Shape((scikit_build("demo", ""), SECOND_MESON), ("3.13",)),
    "meson-pip": Shape((meson("demo"),), (), installer="pip"),
}

# Run as ``probe.py SCENARIO REQUEST``: prints what it sees as one line of JSON, in a fixed order.
PROBE = r'''
import sys

MODULES, PATH = sorted(sys.modules), list(sys.path)

import importlib
import importlib.metadata
import importlib.resources
import importlib.util
import inspect
import json
import pickle
import pkgutil
import threading
import traceback

SCENARIO, REQUEST = sys.argv[1], json.loads(sys.argv[2])
NAMES, TOP, PROJECTS = REQUEST["names"], REQUEST["top"], REQUEST["projects"]


def attempt(function, *args):
    """Return what a function returns, or what it raises: both are compared."""
    try:
        return function(*args)
    except BaseException as error:
        return ["raised", type(error).__name__, str(error)]


def kind(thing):
    """Return the name of a class, or of that of an instance."""
    its = thing if isinstance(thing, type) else type(thing)
    return f"{its.__module__}.{its.__qualname__}"


def places(path):
    """Return a package's folders, with the type of the list."""
    return None if path is None else [kind(path), *path]


def describe(spec):
    """Return what a spec holds."""
    if spec is None:
        return None
    held = {name: getattr(spec, name) for name in ("name", "origin", "cached", "has_location")}
    held["loader"] = kind(spec.loader)
    held["places"] = places(spec.submodule_search_locations)
    return held


def found(name):
    """Return what the spec of a name holds."""
    return describe(importlib.util.find_spec(name))


def module(name):
    """Import a module and return what it holds."""
    found = importlib.import_module(name)
    held = {key: getattr(found, key, None) for key in ("__file__", "__package__", "__doc__")}
    held["__path__"] = places(getattr(found, "__path__", None))
    held["__spec__"] = describe(found.__spec__)
    held["__loader__"] = kind(found.__loader__)
    held["public"] = sorted(name for name in vars(found) if name[0] != "_")
    held["values"] = [getattr(found, key, None) for key in ("VALUE", "WHERE")]
    return held


def entries(name):
    """Return what is beside a module, as importlib.resources sees it."""
    names = (entry.name for entry in importlib.resources.files(name).iterdir())
    return sorted(name for name in names if name != "__pycache__")


def text(name, *parts):
    """Return the text of a data file."""
    return importlib.resources.files(name).joinpath(*parts).read_text(encoding="utf-8")


def real(name, *parts):
    """Return the place of a data file."""
    found = importlib.resources.files(name).joinpath(*parts)
    with importlib.resources.as_file(found) as path:
        return str(path)


def distribution(name):
    """Return what is known of an installed project."""
    found = importlib.metadata.distribution(name)
    held = {"version": found.version, "url": found.read_text("direct_url.json")}
    held["files"] = sorted(str(file) for file in found.files or ())
    return held


def modules_in(path, prefix=""):
    """Return the modules in folders, without the standard library's."""
    found = (
        (kind(info.module_finder), str(getattr(info.module_finder, "path", "")), *info[1:])
        for info in pkgutil.iter_modules(path, prefix)
    )
    return sorted(info for info in found if not info[1].startswith(sys.base_prefix + "/lib"))


def walk(name):
    """Return all modules below a package."""
    path = importlib.import_module(name).__path__
    return sorted(tuple(info[1:]) for info in pkgutil.walk_packages(path, name + "."))


def source(name):
    """Return the source of a module and of its class."""
    found = importlib.import_module(name)
    return [inspect.getsource(found), inspect.getsource(found.Thing), inspect.getfile(found)]


def reload(name):
    """Reload a module: it is the same, and works."""
    found = importlib.import_module(name)
    found.VALUE = None
    again = importlib.reload(found)
    return [again is found, again.VALUE, describe(again.__spec__)]


def pickled(name):
    """Pickle an instance and its class."""
    thing = importlib.import_module(name).Thing
    return type(pickle.loads(pickle.dumps(thing()))) is thing


def find():
    """What can be told without importing what is asked for, but for its parents."""
    return {
        "path at the start": PATH,
        "top level": modules_in(None),
        "specs": {name: attempt(found, name) for name in NAMES},
        "missing": [attempt(found, TOP + more) for more in (".no_such", "_no_such", ".sub.no")],
        "distributions": {name: attempt(distribution, name) for name in PROJECTS},
        "names of distributions": sorted(importlib.metadata.packages_distributions().items()),
    }


def use():
    """What is there once everything is imported."""
    seen = {"modules": {name: attempt(module, name) for name in NAMES}}
    seen["entries"] = {name: attempt(entries, name) for name in NAMES}
    seen["within"] = {
        name: attempt(lambda: modules_in(sys.modules[name].__path__, name + ".")) for name in NAMES
    }
    data = [(TOP, "data", "note.txt"), (TOP + ".data", "note.txt"), (TOP, "built.txt")]
    seen["texts"] = [attempt(text, *parts) for parts in data]
    seen["real"] = [attempt(real, *parts) for parts in data]
    seen["get_data"] = attempt(lambda: str(pkgutil.get_data(TOP, "data/note.txt")))
    seen["walk"] = attempt(walk, TOP)
    seen["source"] = attempt(source, TOP)
    seen["pickled"] = attempt(pickled, TOP)
    seen["reloaded"] = attempt(reload, TOP)
    importlib.invalidate_caches()
    seen["reloaded after invalidate_caches"] = attempt(reload, TOP)
    seen["missing"] = [attempt(module, name) for name in (TOP + ".no_such", TOP + "_no_such")]
    seen["path"] = sys.path
    seen["path hooks"] = [f"{hook.__module__}.{hook.__qualname__}" for hook in sys.path_hooks]
    seen["finders"] = [kind(finder) for finder in sys.meta_path]
    return seen


def threads():
    """Two names of one helper, imported by eight threads at once, the inner before the outer.

    The program has changed sys.path before, whose order tells which folder comes first.
    """
    sys.path.insert(0, "/first")
    sys.path.append("/last")
    sys.setswitchinterval(1e-6)
    barrier, same = threading.Barrier(8), {}
    names = [NAMES[-1], TOP]

    def run(number):
        barrier.wait()
        it = attempt(import_while_others_do, names[number % 2])
        same[number] = it if isinstance(it, list) else it is sys.modules[it.__name__]

    started = [threading.Thread(target=run, args=[number]) for number in range(8)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    modules = {name: attempt(module, name) for name in reversed(NAMES)}
    return {"same": same, "path": sys.path, "modules": modules}


def import_while_others_do(name):
    """Import a module, again where stock importlib itself loses a race.

    Its _load_unlocked() takes what it has loaded out of sys.modules and puts it back at once.  If
    another thread looks for the parent of its own module just then, importlib raises KeyError.
    """
    for _ in range(9):
        try:
            return importlib.import_module(name)
        except KeyError as error:
            *_, last = traceback.extract_tb(error.__traceback__)
            is_importlibs = last.filename.startswith("<frozen importlib")
            if not (is_importlibs and name.startswith(f"{error.args[0]}.")):
                raise
    return importlib.import_module(name)


def start():
    """The modules at the start, and those of helpers after the first import of a name."""
    importlib.import_module(TOP)
    return {"start": MODULES, "after": sorted(set(sys.modules) - set(MODULES))}


SCENARIOS = {function.__name__: function for function in (find, use, threads, start)}
print(json.dumps(SCENARIOS[SCENARIO](), sort_keys=True))
'''
