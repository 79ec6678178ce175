"""Start a program by what subprocess itself uses, of which an audit hook is not told."""

import importlib
import importlib.machinery
import importlib.util
import os
import subprocess
import sys

import aim

aim.need("_posixsubprocess")


def started(module):
    """Call fork_exec with what this Python wants."""
    ends = os.pipe()
    head = (
        [b"/bin/sh", b"-c", aim.SHELL.encode()],
        [b"/bin/sh"],
        True,
        (ends[1],),
        None,
        None,
        *(-1, -1, -1, -1, -1, -1),
        *ends,
        False,
        False,
    )
    if sys.version_info < (3, 11):
        child = module.fork_exec(*head, None, None, None, -1, None)
    elif sys.version_info < (3, 14):
        child = module.fork_exec(*head, -1, None, None, None, -1, None, False)
    else:
        child = module.fork_exec(*head, -1, None, None, None, -1, None)
    os.waitpid(child, 0)


def imported_anew():
    for name in ("_posixsubprocess", "subprocess"):
        sys.modules.pop(name, None)
    started(importlib.import_module("_posixsubprocess"))


def found():
    """Return where the module is, asking nobody who may have been replaced."""
    if "_posixsubprocess" in sys.builtin_module_names:
        return importlib.machinery.BuiltinImporter.find_spec("_posixsubprocess")
    return importlib.machinery.PathFinder.find_spec("_posixsubprocess")


def loaded():
    spec = found()
    module = spec.loader.create_module(spec)
    spec.loader.exec_module(module)
    started(module)


def by_imp():
    import _imp

    spec = found()
    create = _imp.create_builtin if spec.origin == "built-in" else _imp.create_dynamic
    module = create(spec)
    for act in (_imp.exec_builtin, _imp.exec_dynamic):
        act(module)
    started(module)


def under_another_name():
    """Load it by its file, as a module of the build's own."""
    spec = found()
    if spec.origin == "built-in":
        raise aim.Unavailable("it is no file")
    loader = importlib.machinery.ExtensionFileLoader("_posixsubprocess", spec.origin)
    other = importlib.util.spec_from_file_location("_posixsubprocess", spec.origin, loader=loader)
    module = importlib.util.module_from_spec(other)
    loader.exec_module(module)
    started(module)


def copied_file():
    spec = found()
    if spec.origin == "built-in":
        raise aim.Unavailable("it is no file")
    import shutil

    shutil.copy(spec.origin, "_posixsubprocess.so")
    sys.modules.pop("_posixsubprocess", None)
    sys.path.insert(0, aim.WORK)
    importlib.invalidate_caches()
    started(importlib.import_module("_posixsubprocess"))


def reloaded():
    import _posixsubprocess

    started(importlib.reload(_posixsubprocess))


def of_subprocess():
    """Use the name that subprocess has for it."""
    for name in ("_fork_exec", "_posixsubprocess"):
        kept = getattr(subprocess, name, None)
        if kept is not None:
            started(
                kept
                if hasattr(kept, "fork_exec")
                else type("It", (), {"fork_exec": staticmethod(kept)})
            )
            return


def without_audit():
    """Start it by subprocess, whose word to the hook is left out."""
    subprocess.sys = type(
        "Silent", (), {"audit": staticmethod(lambda *_: None), "platform": "linux"}
    )
    subprocess.Popen(["/bin/sh", "-c", aim.SHELL]).wait()


def by_method():
    """Call the part of subprocess that comes behind the word to the hook."""
    subprocess.sys.audit = lambda *_: None
    subprocess.run(["/bin/sh", "-c", aim.SHELL])


WAYS = {
    "fork_exec": lambda: started(importlib.import_module("_posixsubprocess")),
    "imported anew": imported_anew,
    "loader": loaded,
    "_imp": by_imp,
    "another name": under_another_name,
    "copied file": copied_file,
    "reload": reloaded,
    "name in subprocess": of_subprocess,
    "subprocess without audit": without_audit,
    "sys.audit replaced": by_method,
}
WAYS[aim.VARIANT]()
