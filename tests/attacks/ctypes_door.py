"""Call a function of the C library by ctypes."""

import os
import sys

import aim

aim.need("_ctypes")
LINE = aim.SHELL.encode()


def run(library):
    library.system(LINE)


def whole():
    import ctypes

    run(ctypes.CDLL(None))


def by_name():
    import ctypes

    run(ctypes.CDLL("libc.so.6"))


def python_dll():
    import ctypes

    run(ctypes.PyDLL(None))


def python_api():
    import ctypes

    ctypes.pythonapi.PyRun_SimpleString(b"import aim\naim.reached()")


def load_library():
    import ctypes

    run(ctypes.cdll.LoadLibrary(None))


def imported_before():
    """Take it from where it may have been imported already."""
    for name in ("uuid", "ctypes.util", "ctypes"):
        __import__(name)
    run(sys.modules["ctypes"].CDLL(None))


def low_level():
    import _ctypes

    handle = _ctypes.dlopen(None, 2)
    _ctypes.call_function(_ctypes.dlsym(handle, "system"), (LINE,))


def created():
    """Load the extension without an import statement."""
    import importlib.machinery

    spec = importlib.machinery.PathFinder.find_spec("_ctypes")
    module = spec.loader.create_module(spec)
    spec.loader.exec_module(module)
    module.call_function(module.dlsym(module.dlopen(None, 2), "system"), (LINE,))


def string_at():
    """Read memory by its address."""
    import ctypes

    kept = aim.TOKEN.encode()
    if aim.TOKEN.encode() in ctypes.string_at(id(kept), 200):
        aim.reached()


def forgotten():
    """Have it imported anew."""
    for name in list(sys.modules):
        if "ctypes" in name:
            del sys.modules[name]
    whole()


def copied():
    """Load a copy of the extension that lies in the build."""
    import importlib.util
    import shutil

    spec = importlib.util.find_spec("_ctypes")
    shutil.copy(spec.origin, "_ctypes.so")
    sys.modules.pop("_ctypes", None)
    sys.path.insert(0, os.getcwd())
    low_level()


WAYS = {
    "CDLL": whole,
    "CDLL by name": by_name,
    "PyDLL": python_dll,
    "pythonapi": python_api,
    "LoadLibrary": load_library,
    "imported before": imported_before,
    "_ctypes": low_level,
    "created": created,
    "string_at": string_at,
    "forgotten": forgotten,
    "copied": copied,
}
WAYS[aim.VARIANT]()
