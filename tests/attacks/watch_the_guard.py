"""Get into the guard's frames while it runs: by traces, profiles, signals, collections, threads."""

import gc
import signal
import sys
import threading
import time

import aim

ROUNDS = 300
RINGS = []


def wreck(frame):
    """Change what a frame of the guard's knows, and all below it."""
    while frame is not None:
        if aim.is_guards(frame.f_globals):
            aim.wreck(frame.f_locals)
            aim.wreck(frame.f_globals)
        frame = frame.f_back


def rounds(steal=aim.steal, seconds=0.3, clock=time.monotonic):
    """Try again and again; say what comes of it the last time."""
    failed = None
    end = clock() + seconds
    for number in range(ROUNDS):
        try:
            if RINGS:  # each time a little later: so it rings everywhere in the guard
                signal.setitimer(signal.ITIMER_REAL, 0.00001 * (number + 1))
            steal()
            return
        except BaseException as error:
            failed = error
        if clock() > end:
            break
    print(f"{type(failed).__name__}: {failed}")


def trace(frame, _event, _arg):
    wreck(frame)
    return trace


def monitored():
    aim.need_version(3, 12)
    events = sys.monitoring.events
    sys.monitoring.use_tool_id(2, "attack")
    sys.monitoring.register_callback(2, events.PY_START, lambda *_: wreck(sys._getframe()))
    sys.monitoring.set_events(2, events.PY_START)


def returned_otherwise():
    """Have calls of the guard's be seen by their code."""
    aim.need_version(3, 12)

    def seen(code, _offset, *_):
        if aim.is_file_of_guard(code.co_filename):
            raise RuntimeError(code.co_name)

    events = sys.monitoring.events
    sys.monitoring.use_tool_id(3, "attack")
    for event in (events.PY_START, events.PY_RETURN, events.LINE, events.CALL):
        sys.monitoring.register_callback(3, event, seen)
    sys.monitoring.set_events(3, events.PY_START | events.PY_RETURN | events.LINE | events.CALL)


def on_alarm(handler):
    signal.signal(signal.SIGALRM, handler)
    RINGS.append(True)


def raising(_number, _frame):
    raise InterruptedError


def interrupting(_number, _frame):
    raise KeyboardInterrupt


def stealing(_number, frame):
    if aim.is_guard_busy(frame):
        aim.steal()


def collected():
    """Have the collector run within the guard."""

    def called(_phase, _info):
        try:
            raise RuntimeError
        except RuntimeError as error:
            wreck(error.__traceback__.tb_frame)

    gc.callbacks.append(called)
    gc.set_threshold(1)


def collected_and_stolen():
    """Steal from within it, when the guard may take what happens for its own doing."""
    busy = []

    def called(_phase, _info):
        if not busy:
            busy.append(1)
            aim.steal_and_tell(print)
            busy.pop()

    gc.callbacks.append(called)
    gc.set_threshold(1)


def from_thread():
    """Look at the main thread's frames from another, all the time."""
    sys.setswitchinterval(0.00001)
    main = threading.main_thread().ident

    def look():
        while True:
            try:
                wreck(sys._current_frames()[main])
            except BaseException:
                time.sleep(0.001)

    threading.Thread(target=look, daemon=True).start()


def crowd():
    """Steal in many threads while others do what is allowed: the guard may mix them up."""
    harmless = aim.put("harmless", "harmless")
    sys.setswitchinterval(0.00001)
    end = time.monotonic() + 0.3

    def allowed():
        while time.monotonic() < end:
            open(harmless).close()

    def refused():
        while time.monotonic() < end:
            try:
                aim.read()
                return
            except BaseException:
                pass

    threads = [threading.Thread(target=act) for act in (allowed, refused) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


WAYS = {
    "settrace": lambda: sys.settrace(trace),
    "setprofile": lambda: sys.setprofile(trace),
    "threading.settrace": lambda: threading.settrace(trace),
    "monitoring": monitored,
    "monitoring raises": returned_otherwise,
    "signal": lambda: on_alarm(lambda _, frame: wreck(frame)),
    "signal raises": lambda: on_alarm(raising),
    "signal interrupts": lambda: on_alarm(interrupting),
    "signal steals": lambda: on_alarm(stealing),
    "collector": collected,
    "collector steals": collected_and_stolen,
    "thread looks": from_thread,
    "crowd": crowd,
}


def main():
    try:
        WAYS[aim.VARIANT]()
    except PermissionError as error:
        print(f"{type(error).__name__}: {error}")
    rounds()
    sys.settrace(None)
    sys.setprofile(None)
    signal.setitimer(signal.ITIMER_REAL, 0)
    gc.set_threshold(700)


try:
    main()
except (InterruptedError, KeyboardInterrupt):  # the alarm rang once more
    signal.setitimer(signal.ITIMER_REAL, 0)
aim.steal_and_tell()
