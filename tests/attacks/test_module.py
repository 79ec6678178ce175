"""Use a module of CPython's own tests, which opens doors into the interpreter."""

import aim

aim.need(aim.VARIANT)
__import__(aim.VARIANT)
aim.reached()
