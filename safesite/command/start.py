# The command `safesite` runs this file: python -S .../safesite/command/start.py [option] TARGET
# Nothing in its folder can be imported.  Each start compiles it; every Python can read it.
import sys

if not (getattr(sys.flags, "isolated", 0) or getattr(sys.flags, "safe_path", 0)):
    del sys.path[0]  # this folder
import os  # noqa: F401 - what safesite imports is imported before the folder that it lies in counts

sys.path.insert(0, __file__[: -len("/safesite/command/start.py")])
import safesite

del sys.path[0]
safesite.start(False)
