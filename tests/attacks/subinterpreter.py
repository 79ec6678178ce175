"""Run code in an interpreter within this process, which has no audit hooks of its own."""

import sys

import aim

CODE = f"import sys\nsys.path[:] = {sys.path!r}\n" + aim.CHILD


def low_level():
    """Use the module that the versions have under different names."""
    if sys.version_info >= (3, 13):
        import _interpreters as module

        told = module.exec(module.create(), CODE)
        if told is not None:
            print(told.formatted, file=sys.stderr)
    else:
        import _xxsubinterpreters as module

        module.run_string(module.create(), CODE)


def legacy():
    """Ask for one that shares all with this."""
    aim.need_version(3, 13)
    import _interpreters

    _interpreters.exec(_interpreters.create("legacy"), CODE)


def concurrent():
    aim.need_version(3, 14)
    from concurrent import interpreters

    interpreters.create().exec(CODE)


def pool():
    aim.need_version(3, 14)
    from concurrent.futures import InterpreterPoolExecutor

    with InterpreterPoolExecutor(1) as executor:
        executor.submit(exec, CODE).result()


def tests():
    aim.need("_testcapi")
    import _testcapi

    if _testcapi.run_in_subinterp(CODE):
        raise RuntimeError("it did not run")


def internal_tests():
    aim.need("_testinternalcapi")
    import _testinternalcapi as module

    if sys.version_info < (3, 13):
        raise aim.Unavailable("not in this module")
    told = module.exec_interpreter(module.create_interpreter(), CODE)
    if told:
        raise RuntimeError(told)


WAYS = {
    "low level": low_level,
    "legacy": legacy,
    "concurrent": concurrent,
    "pool": pool,
    "_testcapi": tests,
    "_testinternalcapi": internal_tests,
}
WAYS[aim.VARIANT]()
