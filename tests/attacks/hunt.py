"""Hunt for the guard's state and for functions as they were before it; then wreck, and steal."""

import gc
import sys
import types

import aim

PLACES = []  # namespaces of the guard's


def note(namespace):
    if isinstance(namespace, dict) and all(namespace is not known for known in PLACES):
        PLACES.append(namespace)


def note_function(function):
    """Note what a function leads to."""
    if not isinstance(function, types.FunctionType):
        return
    if aim.is_guards(function.__globals__):
        note(function.__globals__)
    for cell in function.__closure__ or ():
        try:
            inner = cell.cell_contents
        except ValueError:
            continue
        if isinstance(inner, types.FunctionType):
            if aim.is_guards(inner.__globals__):
                note(inner.__globals__)
        elif isinstance(inner, (dict, set, list)) and aim.is_guards(function.__globals__):
            inner.clear()
        if aim.is_guards(function.__globals__):
            try:
                cell.cell_contents = (lambda *_, **__: True) if callable(inner) else None
            except BaseException as error:
                print(error)


def modules():
    for name, module in list(sys.modules.items()):
        if "safesite" in name or aim.is_guards(getattr(module, "__dict__", {})):
            note(vars(module))


def wrappers():
    """Look at functions that are Python's in modules where C's are expected."""
    import _io
    import os
    import posix

    import _socket
    import _thread

    for module in (posix, os, _io, _socket, _thread, sys, sys.modules["builtins"], gc):
        for thing in list(vars(module).values()):
            note_function(thing)
            note_function(getattr(thing, "__wrapped__", None))
            note_function(getattr(thing, "__func__", None))


def frames_below():
    frame = sys._getframe()
    while frame is not None:
        if aim.is_guards(frame.f_globals):
            note(frame.f_globals)
        frame = frame.f_back


def refused():
    """Return what a refusal raises."""
    try:
        aim.read()
    except BaseException as error:
        return error
    return None


def traceback():
    """Look at the frames that a refusal came through."""
    error = refused()
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            for namespace in (trace.tb_frame.f_globals, trace.tb_frame.f_locals):
                if aim.is_guards(trace.tb_frame.f_globals):
                    note(namespace)
            trace = trace.tb_next
        error = error.__cause__ or error.__context__


def generators():
    for thing in gc.get_objects():
        if isinstance(thing, types.GeneratorType) and thing.gi_frame is not None:
            if aim.is_guards(thing.gi_frame.f_globals):
                note(thing.gi_frame.f_globals)


def objects():
    for thing in gc.get_objects():
        if isinstance(thing, dict) and aim.is_guards(thing):
            note(thing)
        note_function(thing)


def referrers():
    """Ask who refers to the names of events and of exceptions."""
    for thing in gc.get_referrers(PermissionError, sys.audit):
        if isinstance(thing, dict) and aim.is_guards(thing):
            note(thing)
        note_function(thing)


def referents():
    seen, waiting = set(), [sys.modules]
    while waiting and len(seen) < 200_000:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        note_function(thing)
        if isinstance(thing, dict) and aim.is_guards(thing):
            note(thing)
        waiting += gc.get_referents(thing)


def classes():
    """Look at the methods of all classes, and of all exceptions; none is the guard's own."""
    waiting = [object]
    seen = set()
    while waiting:
        owner = waiting.pop()
        if owner in seen:
            continue
        seen.add(owner)
        if str(owner.__module__).startswith("safesite.watch"):
            aim.reached()
        for thing in list(vars(owner).values()):
            note_function(thing)
            note_function(getattr(thing, "__func__", None))
            note_function(getattr(thing, "fget", None))
        try:
            waiting += type.__subclasses__(owner)
        except TypeError:
            pass


def frames_of_threads():
    for frame in sys._current_frames().values():
        while frame is not None:
            if aim.is_guards(frame.f_globals):
                note(frame.f_globals)
            frame = frame.f_back


def finders():
    """Look at what imports, and at what is called at the end and around forks."""
    import atexit
    import threading

    for thing in [*sys.meta_path, *sys.path_hooks, *vars(threading).values()]:
        note_function(thing)
        note_function(getattr(type(thing), "find_spec", None))
        for inner in getattr(thing, "__dict__", {}).values():
            note_function(inner)
    atexit._clear()


def code():
    """Give the guard's functions other code."""
    for thing in gc.get_objects():
        if isinstance(thing, types.FunctionType) and aim.is_guards(thing.__globals__):
            for empty in ((lambda *_, **__: True), (lambda *_, **__: None)):
                try:
                    thing.__code__ = empty.__code__
                except ValueError:  # of functions with cells
                    pass


WAYS = {
    "modules": modules,
    "wrappers": wrappers,
    "frames below": frames_below,
    "traceback": traceback,
    "generators": generators,
    "objects": objects,
    "referrers": referrers,
    "referents": referents,
    "classes": classes,
    "threads": frames_of_threads,
    "finders": finders,
    "code": code,
}
try:
    WAYS[aim.VARIANT]()
except PermissionError as error:
    print(f"{type(error).__name__}: {error}")
print(len(PLACES), "found:", sorted({str(place.get("__name__")) for place in PLACES}))
aim.steal_and_tell()
for found in PLACES:
    if str(found.get("__name__")).startswith("safesite.watch."):
        aim.reached()
    aim.wreck(found)
aim.steal()
