"""Lines that do nothing: they wait for an environment variable, or make what Python has anyway.

Loaded for an import line that is not that of a helper; imports only what stock ``site`` has loaded.
"""

import _frozen_importlib_external
import _io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safesite.core import Record, Startup

# Each whole line, and the variable that it waits for to be there, be it empty.
WAITS_TO_BE_SET = {
    # better-exceptions 0.2.2 to 0.3.3
    (
        "import os; exec(\"try:\\n  if 'BETTER_EXCEPTIONS' in os.environ:import better_exce"
        "ptions;better_exceptions.hook()\\nexcept:print('An error occured while automatica"
        "lly hooking better_exceptions.\\\\nIf you uninstalled better_exceptions, you shoul"
        "d probably delete any \\\\'better_exceptions_hook.pth\\\\' file on your system or un"
        "set your \\\\'BETTER_EXCEPTIONS\\\\' environment variable.'); raise;\")"
    ): "BETTER_EXCEPTIONS",
    # coloredlogs 6.0 to 10.0
    (
        'import os; exec(\'try: __import__("coloredlogs").auto_install() if "COLOREDLOGS_A'
        "UTO_INSTALL\" in os.environ else None\\nexcept ImportError: pass')"
    ): "COLOREDLOGS_AUTO_INSTALL",
    # hunter 0.6.0 to 2.0.2
    (
        'import os, sys;exec(\'from __future__ import print_function\\nif "PYTHONHUNTER" in'
        ' os.environ:\\n try:\\n  from hunter import *\\n  eval("trace({[PYTHONHUNTER]})".fo'
        'rmat(os.environ))\\n except Exception as exc:\\n  sys.stderr.write("Failed to load'
        " hunter conf {[PYTHONHUNTER]!r}: {!r}\\\\n\".format(os.environ, exc))\\n')"
    ): "PYTHONHUNTER",
    # hunter 2.2.1 to 3.3.5
    (
        'import os, sys;exec(\'from __future__ import print_function\\nif "PYTHONHUNTER" in'
        ' os.environ:\\n try:\\n  from hunter import *\\n  eval("trace({[PYTHONHUNTER]})".fo'
        'rmat(os.environ))\\n except Exception as exc:\\n  sys.stderr.write("Failed to load'
        ' hunter from PYTHONHUNTER environ variable {[PYTHONHUNTER]!r}: {!r}\\\\n".format(o'
        "s.environ, exc))\\n')"
    ): "PYTHONHUNTER",
    # manhole 1.1.0 to 1.8.0
    (
        'import os, sys;exec(\'from __future__ import print_function\\nif "PYTHONMANHOLE" i'
        'n os.environ:\\n try:\\n  from manhole import install\\n  eval("install({0[PYTHONMA'
        'NHOLE]})".format(os.environ))\\n except Exception as exc:\\n  sys.stderr.write("Fa'
        'iled to manhole.install({[PYTHONMANHOLE]}): {!r}\\\\n".format(os.environ, exc))\\n\\'
        "n')"
    ): "PYTHONMANHOLE",
    # manhole 1.8.1
    (
        'import os, sys;exec(\'if "PYTHONMANHOLE" in os.environ:\\n try:\\n  from manhole im'
        'port install\\n  eval("install({0[PYTHONMANHOLE]})".format(os.environ))\\n except '
        'Exception as exc:\\n  sys.stderr.write("Failed to manhole.install({[PYTHONMANHOLE'
        "]}): {!r}\\\\n\".format(os.environ, exc))\\n')"
    ): "PYTHONMANHOLE",
    # pytest-cov 2.0.0 to 2.3.1
    (
        "import os, sys;exec('if \\'COV_CORE_SOURCE\\' in os.environ:\\n try:\\n  from pytest"
        "_cov.embed import init\\n  init()\\n except ImportError:\\n  sys.stderr.write(\\n   "
        '"Failed to setup coverage."\\n   "Sources: {[COV_CORE_SOURCE]!r}"\\n   "Config: {['
        'COV_CORE_CONFIG]!r}"\\n   "Exception: {!r}\\\\n".format(os.environ, exc))\\n\')'
    ): "COV_CORE_SOURCE",
    # pytest-cov 2.4.0
    (
        "import os, sys;exec('if \\'COV_CORE_SOURCE\\' in os.environ:\\n try:\\n  from pytest"
        "_cov.embed import init\\n  init()\\n except ImportError as exc:\\n  sys.stderr.writ"
        'e(\\n   "Failed to setup coverage."\\n   "Sources: {[COV_CORE_SOURCE]!r}"\\n   "Con'
        'fig: {[COV_CORE_CONFIG]!r}"\\n   "Exception: {!r}\\\\n".format(os.environ, exc))\\n\''
        ")"
    ): "COV_CORE_SOURCE",
    # pytest-cov 2.5.0 to 6.3.0
    (
        "import os, sys;exec('if \\'COV_CORE_SOURCE\\' in os.environ:\\n try:\\n  from pytest"
        "_cov.embed import init\\n  init()\\n except Exception as exc:\\n  sys.stderr.write("
        '\\n   "pytest-cov: Failed to setup subprocess coverage. "\\n   "Environ: {0!r} "\\n'
        '   "Exception: {1!r}\\\\n".format(\\n    dict((k, v) for k, v in os.environ.items()'
        " if k.startswith(\\'COV_CORE\\')),\\n    exc\\n   )\\n  )\\n')"
    ): "COV_CORE_SOURCE",
}

# The same, for it to be there and not empty.
WAITS_FOR_TEXT = {
    # coloredlogs 11.0 to 15.0.1
    (
        'import os; exec(\'try: __import__("coloredlogs").auto_install() if os.environ.get'
        '("COLOREDLOGS_AUTO_INSTALL") else None\\nexcept ImportError: pass\')'
    ): "COLOREDLOGS_AUTO_INSTALL",
    # coverage 7.13.0
    (
        'import sys; exec(\'\\n\\n\\n\\n\\n\\nimport os\\n\\nif os.getenv("COVERAGE_PROCESS_START"'
        ') or os.getenv("COVERAGE_PROCESS_CONFIG"):\\n try:\\n  import coverage\\n except:\\n'
        '  pass\\n else:\\n  coverage.process_startup(slug="pth")\\n\')'
    ): "COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG",
    # coverage 7.13.1 to 7.17.4
    (
        'import sys; exec(\'import os\\n\\nif os.getenv("COVERAGE_PROCESS_START") or os.gete'
        'nv("COVERAGE_PROCESS_CONFIG"):\\n try:\\n  import coverage\\n except:\\n  pass\\n els'
        'e:\\n  coverage.process_startup(slug="pth")\')'
    ): "COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG",
}


# Of virtualenv to 21.5 and uv to 0.12: keeps a configuration file of distutils from leading out of
# the environment.  What reads that file, distutils and setuptools, does so by itself.
VIRTUALENV = "import _virtualenv"


def keeps(startup: "Startup", line: "Record", text: str) -> bool:
    """Return whether a line does nothing; its slug says why a known one would do something."""
    if text == VIRTUALENV:
        inert = os.path.basename(line.file) == "_virtualenv.pth"
    elif text.startswith(NAMESPACE):
        inert = is_same_namespace(line, text)
    else:
        inert = is_unset(line, text)
    if inert:
        startup.trace(line, "inert")
    return inert


def is_unset(line: "Record", text: str) -> bool:
    """Return whether a line waits for variables, and none of them is set."""
    variables = WAITS_TO_BE_SET.get(text) or WAITS_FOR_TEXT.get(text)
    if variables is None:
        return False
    for variable in variables.split():
        if os.environ.get(variable) or (text in WAITS_TO_BE_SET and variable in os.environ):
            line.slug, line.detail = "variable-set", f"{variable} is set"
            return False
    return True


# Namespace packages.

# setuptools' lines, from 69.1 on, from 34.3 and from 8.0; others were never released in a wheel.
NAMESPACE = "import sys, types, os;"
NEWER_NAMESPACE = """\
p = os.path.join(sys._getframe(1).f_locals['sitedir'], *{parts});\
importlib = __import__('importlib.util');\
__import__('importlib.machinery');\
m = sys.modules.setdefault('{name}', importlib.util.module_from_spec(\
importlib.machinery.PathFinder.find_spec('{name}', [os.path.dirname(p)])));\
m = m or sys.modules.setdefault('{name}', types.ModuleType('{name}'));\
mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)"""
OLDER_NAMESPACE = "has_mfs = sys.version_info > (3, 5);" + NEWER_NAMESPACE.replace(
    "= __import__", "= has_mfs and __import__"
).replace(";__import__", ";has_mfs and __import__").replace("m = sys", "m = has_mfs and sys")
OLDEST_NAMESPACE = """\
p = os.path.join(sys._getframe(1).f_locals['sitedir'], *{parts});\
ie = os.path.exists(os.path.join(p,'__init__.py'));\
m = not ie and sys.modules.setdefault('{name}', types.ModuleType('{name}'));\
mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)"""
CHILD = ";m and setattr(sys.modules['{parent}'], '{child}', m)"


# The whole of an ``__init__.py`` that gives a package all portions on sys.path.
PORTIONS = (
    b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)",
    b'__path__ = __import__("pkgutil").extend_path(__path__, __name__)',
    b"from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)",
)


def is_same_namespace(line: "Record", text: str) -> bool:
    """Return whether Python finds all that a line of an ``*-nspkg.pth`` file lets it find.

    It does where the folder beside the file is a portion of a namespace package (PEP 420), or has
    an ``__init__.py`` that does nothing but look for the others; and nothing comes before it on
    sys.path.
    """
    names = read_namespace(text)
    if not names:
        return False
    path, folder = sys.path, os.path.dirname(line.file)
    for name in names:
        folder = os.path.join(folder, name)
        # By its last part alone: the path of a dotted name asks sys.modules for its parent.
        spec = _frozen_importlib_external.PathFinder.find_spec(name, path)
        path = list(spec.submodule_search_locations or []) if spec else []
        same = spec is not None and (spec.origin is None or looks_for_portions(spec.origin))
        if folder not in path or not same:
            line.slug, line.detail = "namespace", f"{name} is no namespace package without it"
            return False
    return True


def looks_for_portions(path: str) -> bool:
    """Return whether a package's source does nothing but look for its portions."""
    if not path.endswith(".py"):
        return False
    with _io.open_code(path) as file:
        source = file.read(200)
        return not file.read(1) and source.strip().replace(b"\r\n", b"\n") in PORTIONS


def read_namespace(text: str) -> "list[str]":
    """Return the parts of the name that a line of an ``*-nspkg.pth`` file names, if it is one."""
    literal = text.partition("*(")[2].partition(")")[0]
    names = [part.strip(" '") for part in literal.split(",") if part]
    if not names or not all(name.isascii() and name.isidentifier() for name in names):
        return []
    name, (parent, _, child) = ".".join(names), ".".join(names).rpartition(".")
    for template in (NEWER_NAMESPACE, OLDER_NAMESPACE, OLDEST_NAMESPACE):
        known = NAMESPACE + template.format(parts=tuple(names), name=name)
        if text == known + (CHILD.format(parent=parent, child=child) if parent else ""):
            return names
    return []
