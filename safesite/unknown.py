"""Turn away a Python that safesite does not know.  Kept to syntax that every Python reads."""

import sys

name = getattr(getattr(sys, "implementation", None), "name", "cpython")
sys.stderr.write(
    "safesite: it knows CPython 3.10 to 3.15, and this is {} {}.{} (interpreter)\n".format(
        name, *sys.version_info[:2]
    )
)
sys.exit(2)
