"""Execute the files of the hook, the folder ``watch``, where no code of a package gets to them.

No ``from __future__`` import stands here, as ``exec`` would hand its flags on.
"""

import builtins
import importlib.machinery
import os
from types import ModuleType

import safesite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILES = ("build", "paths", "network", "programs", "hook")  # in the order of their imports


def load() -> "dict[str, dict[str, Any]]":
    """Return the namespaces of the files, which no module in ``sys.modules`` has.

    Their builtins are a copy, so that what a package puts into ``builtins`` is not called.
    """
    package = ModuleType("safesite.watch")
    loaded: dict[str, ModuleType] = {}

    def import_apart(name: str, *args: "Any", **kwargs: "Any") -> "Any":
        if name == package.__name__:
            return package
        found = loaded.get(name.removeprefix(package.__name__ + "."))
        return found if found is not None else builtins.__import__(name, *args, **kwargs)

    names = {**vars(builtins), "__import__": import_apart}
    for name in FILES:
        path = os.path.join(safesite.__path__[0], "watch", name + ".py")
        loader = importlib.machinery.SourceFileLoader(f"{package.__name__}.{name}", path)
        module = loaded[name] = ModuleType(loader.name)
        vars(module)["__builtins__"] = names
        exec(loader.get_code(loader.name), vars(module))  # type: ignore[arg-type]  # it is there
        setattr(package, name, module)
    return {name: vars(module) for name, module in loaded.items()}
