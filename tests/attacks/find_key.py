"""Look for the key of the guard's run in all that code of a build can reach."""

import os
import posix
import re
import sys
import types

import aim

NAME = "SAFESITE_GUARD_KEY"
SHAPE = re.compile("[0-9a-f]{32}")
GLOBALS, CLOSURE = types.FunctionType.__globals__, types.FunctionType.__closure__  # plain members


def is_key(thing):
    text = thing.decode("latin-1") if isinstance(thing, bytes) else thing
    return isinstance(text, str) and (text == NAME or SHAPE.fullmatch(text) is not None)


def parts(thing):
    """Return what an object leads to; of functions and classes the guard's alone."""
    if isinstance(thing, dict):
        return [*thing.values()]
    if isinstance(thing, (list, tuple, set, frozenset)):
        return [*thing]
    if isinstance(thing, types.FunctionType):
        names = [GLOBALS.__get__(thing)] if aim.is_guards(GLOBALS.__get__(thing)) else []
        return [*names, *map(content, CLOSURE.__get__(thing) or ()), *defaults(thing)]
    if isinstance(thing, types.MethodType):
        return [thing.__self__, thing.__func__]
    if type(thing).__module__.startswith("safesite"):
        return [vars(thing)] if hasattr(thing, "__dict__") else []
    return []


def content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return None


def defaults(function):
    try:
        return [function.__defaults__, function.__kwdefaults__]
    except PermissionError as error:
        print(error)
        return []


def reachable(*starts):
    """Return whether the key is among what these lead to."""
    seen, waiting = {}, [*starts]
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen:
            seen[id(thing)] = thing
            waiting += parts(thing)
    return any(is_key(thing) and thing != NAME for thing in seen.values())


def in_variables():
    names = {*os.environ, *map(os.fsdecode, os.environb), *map(os.fsdecode, posix.environ)}
    if hasattr(os, "reload_environ"):
        os.reload_environ()
        names |= {*os.environ}
    return NAME in names or os.getenv(NAME) is not None


def in_objects():
    modules = [vars(module) for name, module in sys.modules.items() if "safesite" in name]
    return reachable(*modules, sys.argv, sys.orig_argv, *vars(sys).values())


def in_frames():
    frame, names = aim.caller(), []
    while frame is not None:
        names += dict(frame.f_locals), dict(frame.f_globals)
        frame = frame.f_back
    return reachable(*names)


WAYS = {"variables": in_variables, "objects": in_objects, "frames": in_frames}
if WAYS[aim.VARIANT]() or "SAFESITE_GUARD" not in os.environ:
    aim.reached()
