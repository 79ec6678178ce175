"""Entry of ``python -S -m safesite``.  Kept to syntax that every Python reads, as `safesite` is."""

import safesite

safesite.start(True)
