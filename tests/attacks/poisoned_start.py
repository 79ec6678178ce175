"""Have a child that may be started do something else before anybody can look."""

import os
import subprocess
import sys
import sysconfig

import aim

PYTHON = sys.executable
SCRIPT = f"#!/bin/sh\n{aim.SHELL}\n"
COMPILE = "gcc --version"


def started(*words, **variables):
    subprocess.run(words, env=os.environ | variables)


def from_bash(**variables):
    aim.need_program("bash")
    aim.need_program("gcc")
    started("bash", "-c", COMPILE, **variables)


def functions_on_path():
    """Have dash take a folder of PATH for one of functions."""
    if os.path.basename(os.path.realpath("/bin/sh")) != "dash":
        raise aim.Unavailable("the shell is not dash")
    aim.put("gcc", f"{aim.SHELL}\ngcc() {{ :; }}\n")
    started("/bin/sh", "-c", COMPILE, PATH=f"{aim.WORK}%func:{os.environ['PATH']}")


def warned(*options, **variables):
    """Have a filter for warnings name a class of a module that starts a browser."""
    browser = aim.put("browser", SCRIPT, 0o755)
    started(PYTHON, *options, "-c", "pass", BROWSER=f"{browser} %s", **variables)


FILTER = "all:0:antigravity.x:0:0"


def linked():
    """Have the loader of programs write what it does into a file."""
    place = os.path.join(aim.HOME, aim.TOKEN)
    started(PYTHON, "-c", "pass", LD_DEBUG="libs", LD_DEBUG_OUTPUT=place)


def mapped(activate):
    """Have Python write names of functions into a file that is not the build's."""
    place = f"/tmp/perf-{activate()}.map"
    if os.path.exists(place):
        aim.reached()
        os.remove(place)


def need_trampolines():
    aim.need_version(3, 12)
    if not sysconfig.get_config_var("PY_HAVE_PERF_TRAMPOLINE"):
        raise aim.Unavailable("this Python has no trampolines")


def in_this_process():
    need_trampolines()
    sys.activate_stack_trampoline("perf")
    exec(compile("def f(): pass\nf()", "x", "exec"), {})
    return os.getpid()


def in_child(*options, **variables):
    need_trampolines()
    child = subprocess.Popen(
        [PYTHON, *options, "-c", "def f(): pass\nf()"], env=os.environ | variables
    )
    child.wait()
    return child.pid


SOURCE = """\
#include <stdlib.h>
__attribute__((constructor)) static void start(void) {{ system("{}"); }}
"""
CONTEXT = "import ssl; ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"
CONFIGURATION = """\
openssl_conf = start
[start]
providers = providers
[providers]
ours = ours
[ours]
module = {}
activate = 1
"""


def library():
    """Return what has OpenSSL load a library of the build's own; give up without its third one."""
    aim.need("_ssl")
    import ssl

    if ssl.OPENSSL_VERSION_INFO < (3,):
        raise aim.Unavailable("OpenSSL is an old one")
    source = aim.put("library.c", SOURCE.format(aim.SHELL))
    made = os.path.join(aim.WORK, "library.so")
    subprocess.run([aim.need_program("gcc"), "-shared", "-fPIC", "-o", made, source], check=True)
    return aim.put("configuration", CONFIGURATION.format(made))


def diff():
    """Have git show a difference by a program of the build's own."""
    aim.put("one", "1")
    aim.put("two", "2")
    script = aim.put("diff", SCRIPT, 0o755)
    git = aim.need_program("git")
    started(git, "diff", "--no-index", "one", "two", GIT_EXTERNAL_DIFF=script)


WAYS = {
    "BASH_ENV": lambda: from_bash(BASH_ENV=aim.put("early", SCRIPT)),
    "BASH_FUNC": lambda: from_bash(**{"BASH_FUNC_gcc%%": f"() {{ {aim.SHELL}; }}"}),
    "%func": functions_on_path,
    "PYTHONWARNINGS": lambda: warned(PYTHONWARNINGS=FILTER),
    "-W": lambda: warned("-W" + FILTER),
    "-W in a cluster": lambda: warned("-BW", FILTER),
    "LD_DEBUG_OUTPUT": linked,
    "OPENSSL_CONF": lambda: started(PYTHON, "-c", CONTEXT, OPENSSL_CONF=library()),
    "GIT_EXTERNAL_DIFF": diff,
    "trampoline": lambda: mapped(in_this_process),
    "-X perf": lambda: mapped(lambda: in_child("-X", "perf")),
    "PYTHONPERFSUPPORT": lambda: mapped(lambda: in_child(PYTHONPERFSUPPORT="1")),
}
WAYS[aim.VARIANT]()
