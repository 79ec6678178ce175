"""Entry of ``python -S -m safesite``: check the interpreter, then hand over to `run`.

Kept to syntax that every Python reads, so that one which is too old gets a sentence.
"""

import sys

name = getattr(getattr(sys, "implementation", None), "name", "cpython")
if name != "cpython" or not (3, 10) <= sys.version_info[:2] <= (3, 15):
    sys.stderr.write(
        "safesite: it knows CPython 3.10 to 3.15, and this is {} {}.{} (interpreter)\n".format(
            name, *sys.version_info[:2]
        )
    )
    sys.exit(2)

from safesite import run  # noqa: E402 - which only a known version can read

run.main(sys.argv)
