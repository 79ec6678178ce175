"""Entry of ``python -S -m safesite``: check the interpreter, then hand over to `run`.

Kept to syntax that every Python 3 reads, so that one which is too old gets a sentence.
"""

import sys

if sys.implementation.name != "cpython" or not (3, 10) <= sys.version_info[:2] <= (3, 15):
    sys.stderr.write(
        "safesite: it knows CPython 3.10 to 3.15, and this is %s %d.%d (interpreter)\n"  # noqa: UP031
        % ((sys.implementation.name,) + sys.version_info[:2])  # noqa: RUF005 - as above
    )
    sys.exit(2)

from safesite import run

run.main(sys.argv)
