"""The tools that start Pythons of their own, under safesite: their whole trees run no startup code.

Each runs twice in the same environment, stock and launched, and must end alike and say the same.
The environment has a startup file of the shape that LiteLLM's had, but harmless: each Python that
runs it leaves a marker.  There are some of these under stock, and none under safesite.

A quick one runs on one version, in turn, and all on three with ``--full``.  Releases are fixed.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import environments
import pytest
from conftest import need
from environments import Environment
from installers import Builder

if sys.platform == "win32":
    pytest.skip("there is no launcher on Windows", allow_module_level=True)

ON = ("3.10", "3.13", "3.15")
WITH_HEADERS = ("3.10", "3.12", "3.13")  # Debian's 3.14 and 3.15 here come without Python.h

HOSTILE = "import os; open(os.environ['MARKERS'] + '/%d' % os.getpid(), 'a').close()\n"
SECONDS = 60  # for what a tool should do at once

# Fixed releases, of which some have dropped 3.10.
FLASK = ("flask ==3.1.3", "werkzeug ==3.1.9")
PYTEST = ("pytest ==9.2.0", "pytest-xdist ==3.8.0")
VIRTUALENV = ("virtualenv ==21.15.11",)
IPYTHON = (
    "ipython ==8.39.0; python_version < '3.11'",
    "ipython ==9.18.1; python_version >= '3.11'",
)
IPYKERNEL = (
    "ipykernel ==7.3.0; python_version < '3.11'",
    "ipykernel ==7.4.0; python_version >= '3.11'",
    "jupyter-client ==8.10.0",
)
TOX = ("tox ==4.65.0; python_version < '3.11'", "tox ==4.67.15; python_version >= '3.11'")
COVERAGE = (
    "coverage ==7.16.2; python_version < '3.11'",
    "coverage ==7.17.4; python_version >= '3.11'",
)
PRE_COMMIT = (
    "pre-commit ==4.6.2; python_version < '3.11'",
    "pre-commit ==4.7.0; python_version >= '3.11'",
)
CELERY = ("celery ==5.6.3; python_version < '3.11'", "celery ==5.7.0; python_version >= '3.11'")
DJANGO = ("django ==5.2.19; python_version < '3.12'", "django ==6.1.3; python_version >= '3.12'")


@dataclass(frozen=True)
class Tool:
    """A tool, what is run with it, and what that must say.

    ``run`` are command lines of Python, in a folder that holds ``files``; ``{bin}`` stands for the
    environment's scripts.  Of what they print counts what matches ``says``, which something must.
    """

    requires: tuple[str, ...]
    run: tuple[str, ...]
    says: str
    files: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[str, ...] = ON
    codes: tuple[int, ...] = (0,)
    stdin: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    quick: bool = False
    with_uv: bool = False  # it sees uv's cache


# Runs a command of which PYTHON is sys.executable.
THROUGH = """\
import subprocess, sys
words = [sys.executable if word == "PYTHON" else word for word in sys.argv[1:]]
sys.exit(subprocess.run(words).returncode)
"""
TOLD = "import sys; print('told', sys.prefix, sys.version_info[:2])"

DEMO = {
    "demo/pyproject.toml": """\
[build-system]
requires = ["flit_core ==3.12.0"]
build-backend = "flit_core.buildapi"

[project]
name = "demo"
version = "1.0"
description = "a demonstration"

[project.scripts]
demo = "demo:main"
""",
    "demo/demo.py": """\
import sys


def main():
    print("told", sys.prefix, sys.argv[1:])
""",
    "pack.py": """\
import tarfile

with tarfile.open("demo-1.0.tar.gz", "w:gz") as archive:
    archive.add("demo", "demo-1.0")
""",
    "elsewhere.py": """\
import os, subprocess, sys

os.chdir("/")
sys.exit(subprocess.run(sys.argv[1:]).returncode)
""",
    "through.py": THROUGH,
}
NO_CHECK = "-q --no-cache-dir --disable-pip-version-check"

MULTIPROCESSING = """\
import concurrent.futures, multiprocessing, os, sys


def square(number):
    return number * number, sys.prefix, len(sys.path) == len(set(sys.path))


if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print("told", method, pool.map(square, range(3)))
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            print("told", method, list(pool.map(square, range(3))))
"""

JOBLIB = """\
import sys
from joblib import Parallel, delayed
import loky

if __name__ == "__main__":
    for backend in ("loky", "multiprocessing", "threading"):
        print("told", Parallel(n_jobs=2, backend=backend)(delayed(divmod)(n, 2) for n in range(4)))
    executor = loky.get_reusable_executor(max_workers=2)
    print("told", list(executor.map(lambda number: (number + 1, sys.prefix), range(3))))
"""

KERNEL = """\
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(startup_timeout=60)
client.execute_interactive("import sys; print('told', sys.prefix, 6 * 7)", timeout=60)
manager.restart_kernel(now=True)
client.wait_for_ready(timeout=60)
client.execute_interactive("print('told again')", timeout=60)
client.stop_channels()
manager.shutdown_kernel(now=True)
"""

# A client of debugpy: a breakpoint in a program, and one in the Python that the program starts.
DEBUGGED = """\
import subprocess, sys
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "child"])
else:
    print("told by the child", sys.prefix)
"""
DEBUGGER = """\
import json, os, socket, subprocess, sys

program = os.path.abspath("debugged.py")
adapter = subprocess.Popen(
    [sys.executable, "-m", "debugpy.adapter"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)


def send(stream, command, **arguments):
    body = {"seq": 1, "type": "request", "command": command, "arguments": arguments}
    data = json.dumps(body).encode()
    stream.write(b"Content-Length: %d\\r\\n\\r\\n%s" % (len(data), data))
    stream.flush()


def receive(stream, wanted):
    while True:
        length = 0
        while line := stream.readline().strip():
            if line.lower().startswith(b"content-length"):
                length = int(line.split(b":")[1])
        message = json.loads(stream.read(length))
        if message.get("event") == "debugpyAttach":
            debug_child(message["body"])
        if message.get("event") == "output":
            printed.append(message["body"]["output"])  # a line may come in parts
        if wanted in (message.get("event"), message.get("command")):
            return message.get("body")


def debug(to, back, line, request, **arguments):
    send(to, "initialize", adapterID="test", pathFormat="path")
    receive(back, "initialize")
    send(to, request, **arguments)
    receive(back, "initialized")
    send(to, "setBreakpoints", source={"path": program}, breakpoints=[{"line": line}])
    receive(back, "setBreakpoints")
    send(to, "configurationDone")
    thread = receive(back, "stopped")["threadId"]
    send(to, "stackTrace", threadId=thread)
    print("told", receive(back, "stackTrace")["stackFrames"][0]["line"])
    send(to, "continue", threadId=thread)


def debug_child(arguments):
    place = arguments["connect"]
    stream = socket.create_connection((place["host"], place["port"])).makefile("rwb")
    kept.append(stream)
    debug(stream, stream, 5, arguments.pop("request"), **arguments)


kept, printed = [], []
launch = {"program": program, "console": "internalConsole", "cwd": os.getcwd()}
debug(adapter.stdin, adapter.stdout, 3, "launch", redirectOutput=True, **launch)
print("told", receive(adapter.stdout, "exited"))
print("".join(printed))
adapter.kill()
"""

CELERY_RUN = """\
import signal, subprocess, sys

worker = subprocess.Popen(
    [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "2", "-P", "prefork"],
    stderr=subprocess.DEVNULL,
)
try:
    import tasks

    print("told", tasks.add.delay(2, 3).get(timeout=60))
finally:
    worker.send_signal(signal.SIGTERM)
    print("told", worker.wait(60))
"""
CELERY_TASKS = """\
import os, sys
from celery import Celery

app = Celery("tasks", broker="filesystem://", backend="file://" + os.getcwd())
names = ("data_folder_in", "data_folder_out", "control_folder")
app.conf.broker_transport_options = dict.fromkeys(names, os.getcwd() + "/queue")


@app.task
def add(one, other):
    return one + other, sys.prefix
"""

C_MODULE = """\
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "native", 0, -1, 0};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&definition); }
"""
IMPORT_NATIVE = "-c 'import native; print(\"told\", native.__file__)'"


def backend(requires: str, name: str, more: str = "") -> dict[str, str]:
    """Return a project's configuration."""
    table = f"[build-system]\nrequires = [{requires}]\nbuild-backend = '{name}'\n{more}"
    return {"built/pyproject.toml": table}


NATIVE_PROJECT = "[project]\nname = 'native'\nversion = '1'\n"
BUILD = ("-m pip install -v --no-cache-dir --disable-pip-version-check ./built", IMPORT_NATIVE)
BUILT = r"^(Successfully installed native-1|told .*)$"

HOOK = {
    "hook/.pre-commit-hooks.yaml": (
        "- {id: hook, name: hook, entry: hook, language: python, files: txt}\n"
    ),
    "hook/setup.py": """\
from setuptools import setup

setup(
    name="hook", version="1", py_modules=["hook"],
    entry_points={"console_scripts": ["hook = hook:main"]},
)
""",
    "hook/hook.py": "import sys\n\n\ndef main():\n    sys.exit('told by the hook')\n",
    "repository/a.txt": "a\n",
    "make.py": """\
import os, subprocess

git = "git -c user.name=a -c user.email=a@localhost".split()
for folder in ("hook", "repository"):
    subprocess.run([*git, "init", "-q", folder], check=True)
subprocess.run([*git, "-C", "hook", "add", "."], check=True)
subprocess.run([*git, "-C", "hook", "commit", "-qm", "a"], check=True)
told = subprocess.run([*git, "-C", "hook", "rev-parse", "HEAD"], capture_output=True, text=True)
with open("repository/.pre-commit-config.yaml", "w") as file:
    hook = "{repo: %s/hook, rev: %s, hooks: [{id: hook}]}" % (os.getcwd(), told.stdout.strip())
    file.write("repos: [%s]\\n" % hook)
subprocess.run([*git, "-C", "repository", "add", "."], check=True)
""",
    "start.py": """\
import os, subprocess, sys

os.chdir("repository")
sys.exit(subprocess.run([sys.executable, "-m", "pre_commit", "run", "-a"]).returncode)
""",
}

VALUES = """\
import json, os, subprocess, sys, sysconfig

names = "prefix exec_prefix base_prefix base_exec_prefix _base_executable platlibdir".split()
print("told", {name: getattr(sys, name) for name in names})
print("told", json.dumps(sysconfig.get_paths(), sort_keys=True))
# projectbase is the folder of what sys.executable leads to.
print("told", {k: v for k, v in sysconfig.get_config_vars().items() if k != "projectbase"})
print("told", sysconfig.is_python_build())
sys.stdout.flush()
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "child"])
"""

RUNPY = """\
import runpy, subprocess, sys

print("told", runpy.run_path("archive.pyz", run_name="name")["__name__"])
print("told", runpy.run_module("telling")["VALUE"])
sys.stdout.flush()
code = "import runpy; runpy._run_module_as_main('telling')"
for words in (["-c", code], ["-m", "telling"], ["archive.pyz", "x"], ["archive"]):
    subprocess.run([sys.executable, *words], check=True)
"""
ARCHIVE = {
    "archive/__main__.py": "import sys; print('told', __name__, len(sys.argv))\n",
    "telling.py": "import sys; VALUE = 1; print('told', __name__, len(sys.argv))\n",
    "run.py": RUNPY,
}

TOOLS = {
    "values": Tool((), ("values.py",), r"^told .*", {"values.py": VALUES}, quick=True),
    "multiprocessing and concurrent.futures": Tool(
        (), ("program.py",), r"^told .*", {"program.py": MULTIPROCESSING}, quick=True
    ),
    "pdb": Tool(
        (),
        ("-m pdb program.py", "-m pdb -m program"),
        r"^(?:\(Pdb\) )*(?:-> |told|\d+, ).*",
        {
            "program.py": "import subprocess, sys\nx = 6\n"
            f"subprocess.run([sys.executable, '-c', {TOLD!r}], check=True)\nx += 1\n"
        },
        stdin="next\nnext\nnext\np x, x\ncontinue\nquit\n",
        quick=True,
    ),
    "breakpoint() in a child": Tool(
        (),
        ("program.py",),
        r".+",
        {
            "program.py": "import subprocess, sys\n"
            "code = 'x = 6; breakpoint(); x += 1\\nprint(x)\\nx = 0\\n'\n"
            "subprocess.run([sys.executable, '-c', code], check=True)\n"
        },
        stdin="p x\nnext\nnext\np x\ncontinue\n",
        quick=True,
    ),
    "runpy and zipapp": Tool(
        (),
        ("-m zipapp archive", "run.py", "archive.pyz y"),
        r"^told .*",
        ARCHIVE,
        quick=True,
    ),
    "venv": Tool(
        (),
        (
            "-m venv new",
            "through.py new/bin/python -c \"import sys; print('told', sys.prefix)\"",
            "through.py new/bin/pip --version",
            "through.py PYTHON -m venv --upgrade new",
            "through.py cat new/pyvenv.cfg",
        ),
        r"^(?:told|pip \d|home|version|include) .*",
        {"through.py": THROUGH},
    ),
    "ensurepip": Tool(
        (),
        ("-m ensurepip --default-pip", "-m pip --version", "-m pip uninstall -q -y pip"),
        r"^(?:Success|pip) .*",
    ),
    "pip": Tool(
        ("pip ==26.3",),
        (
            "pack.py",
            f"-m pip install {NO_CHECK} ./demo-1.0.tar.gz",
            "elsewhere.py {bin}/demo x",
            "through.py PYTHON -m pip uninstall --disable-pip-version-check -y demo",
        ),
        r"^(?:told .*|.*demo-1.*)",
        DEMO,
        quick=True,
    ),
    "pip wheel, download, --python, --editable": Tool(
        ("pip ==26.3",),
        (
            "pack.py",
            f"-m pip wheel {NO_CHECK} --wheel-dir wheels ./demo-1.0.tar.gz",
            f"-m pip download {NO_CHECK} --dest sources ./demo-1.0.tar.gz",
            "through.py ls wheels sources",
            "-m venv --without-pip other",
            f"-m pip --python other install {NO_CHECK} --no-index --find-links wheels demo",
            "through.py other/bin/demo y",
            f"-m pip install {NO_CHECK} --editable ./demo",
            "elsewhere.py {bin}/demo z",
            "-m pip uninstall --disable-pip-version-check -q -y demo",
        ),
        r"^(?:told .*|.*demo-1.*)",
        DEMO,
    ),
    "build": Tool(
        ("build ==1.6.1", "pip ==26.3"),
        ("-m build demo",),
        r"^Successfully built .*",
        DEMO,
    ),
    "uv": Tool(
        ("uv ==0.13.9",),
        (
            "through.py PYTHON -m uv pip install -q --python PYTHON ./demo",
            "elsewhere.py {bin}/demo x",
            "through.py PYTHON -m uv pip uninstall -q --python PYTHON demo",
            f'through.py PYTHON -m uv run --no-project --python PYTHON python -c "{TOLD}"',
            "through.py PYTHON -m uv venv -q --python PYTHON new",
            f'through.py new/bin/python -c "{TOLD}"',
            "through.py PYTHON -m uv build -q --python PYTHON --out-dir built demo",
            "through.py ls built",
        ),
        r"^(?:told .*|demo-.*)",
        DEMO,
        with_uv=True,
    ),
    "virtualenv": Tool(
        VIRTUALENV,
        (
            "-m virtualenv -q new",
            f'through.py new/bin/python -c "{TOLD}"',
            "through.py new/bin/pip --version",
            "through.py PYTHON -m virtualenv -q --without-pip --python PYTHON other",
            f'through.py other/bin/python -c "{TOLD}"',
            "through.py cat new/pyvenv.cfg",
        ),
        r"^(?:told|pip \d|home|version|base|executable).*",
        {"through.py": THROUGH},
        quick=True,
    ),
    "tox": Tool(
        TOX,
        ("-m tox", "-m tox -e packaged"),
        r"^(?:told .*|  \w+: (?:OK|FAIL))",
        {
            "tox.ini": f"""\
[tox]
envlist = plain
[testenv:plain]
skip_install = true
commands = python -c "{TOLD}"
[testenv:packaged]
package = wheel
commands = demo {{envname}}
""",
            "pyproject.toml": DEMO["demo/pyproject.toml"],
            "demo.py": DEMO["demo/demo.py"],
        },
    ),
    "nox": Tool(
        ("nox ==2026.10.20", "uv ==0.13.9"),
        ("-m nox",),
        r"^(?:told .*|nox > Session \w+ (?:was successful|failed))",
        {
            "noxfile.py": "import nox\n"
            + "".join(
                f"\n\n@nox.session(venv_backend={name!r})\ndef by_{name}(session):\n"
                f'    session.run("python", "-c", {TOLD!r})\n'
                for name in ("virtualenv", "venv", "uv")
            )
        },
        with_uv=True,
    ),
    "pytest-xdist": Tool(
        PYTEST,
        ("-m pytest -q -n 2 -p no:cacheprovider test_code.py", "{bin}/pytest -q -n 2 test_code.py"),
        r"^(?:\d+ failed, \d+ passed|FAILED .*)",
        {
            "test_code.py": """\
import sys

import pytest


@pytest.mark.parametrize("number", range(8))
def test_number(number):
    assert number != 3 and sys.flags.utf8_mode in (0, 1)
"""
        },
        codes=(1,),
        quick=True,
    ),
    "joblib and loky": Tool(
        ("joblib ==1.6.0", "loky ==3.7.0"), ("program.py",), r"^told .*", {"program.py": JOBLIB}
    ),
    "IPython": Tool(
        IPYTHON,
        ("-m IPython --quick --colors=NoColor --no-banner",),
        r"Out.*|^.*told .*",
        stdin="6*7\n!echo told so\nimport sys\n"
        'x = !{sys.executable} -c "import sys; print(sys.prefix)"\nx\n%run telling.py\nexit\n',
        files=ARCHIVE,
    ),
    "ipykernel and jupyter_client": Tool(
        IPYKERNEL, ("program.py",), r"^told .*", {"program.py": KERNEL}
    ),
    "debugpy": Tool(
        ("debugpy ==1.8.22",),
        ("debugger.py",),
        r"^told .*",
        {"debugger.py": DEBUGGER, "debugged.py": DEBUGGED},
    ),
    "coverage": Tool(
        COVERAGE,
        (
            "-m coverage run program.py",
            "-m coverage combine -q",
            "-m coverage report",
        ),
        r"^(?:told .*|program.py .*)",
        {
            "program.py": MULTIPROCESSING,
            ".coveragerc": "[run]\nconcurrency = multiprocessing\nparallel = true\n"
            "include = program.py\n",
        },
    ),
    "black": Tool(
        ("black ==26.10.1",),
        ("-m black -W 2 one.py two.py three.py", "through.py cat one.py two.py three.py"),
        r"^(?:\d files reformatted|\w = .*)",
        {**dict.fromkeys(("one.py", "two.py", "three.py"), "x = {'a':1}\n"), "through.py": THROUGH},
    ),
    "mypy and its daemon": Tool(
        ("mypy ==2.4.1",),
        (
            "-m mypy.dmypy run -- bad.py",
            "-m mypy.dmypy recheck",
            "-m mypy.dmypy stop",
            "-m mypy bad.py",
        ),
        r"^(?:bad.py.*|Found .*|Daemon stopped)",
        {"bad.py": "x: int = ''\nimport six\n"},
        codes=(1, 0),
    ),
    "pre-commit": Tool(
        PRE_COMMIT,
        ("make.py", "start.py"),
        r"^(?:hook\.+\w+|told .*)",
        HOOK,
        codes=(0, 1),
    ),
    "scikit-build-core and CMake": Tool(
        ("pip ==26.3",),
        BUILD,
        BUILT,
        {
            **backend("'scikit-build-core ==1.1.2'", "scikit_build_core.build", NATIVE_PROJECT),
            "built/CMakeLists.txt": """\
cmake_minimum_required(VERSION 3.18)
project(native LANGUAGES NONE)
find_package(Python COMPONENTS Interpreter REQUIRED)
set(output "${CMAKE_BINARY_DIR}/native.py")
add_custom_target(made ALL COMMAND "${Python_EXECUTABLE}" "${CMAKE_SOURCE_DIR}/make.py" "${output}")
install(FILES "${output}" DESTINATION .)
""",
            "built/make.py": "import sys; open(sys.argv[1], 'w').write('MADE = 1')\n",
        },
    ),
    "scikit-build-core and CMake, in C": Tool(
        ("pip ==26.3",),
        BUILD,
        BUILT,
        {
            **backend("'scikit-build-core ==1.1.2'", "scikit_build_core.build", NATIVE_PROJECT),
            "built/CMakeLists.txt": """\
cmake_minimum_required(VERSION 3.18)
project(native LANGUAGES C)
find_package(Python COMPONENTS Interpreter Development.Module REQUIRED)
python_add_library(native MODULE native.c WITH_SOABI)
install(TARGETS native DESTINATION .)
""",
            "built/native.c": C_MODULE,
        },
        versions=WITH_HEADERS,
    ),
    "meson-python": Tool(
        ("pip ==26.3",),
        BUILD,
        BUILT,
        {
            **backend("'meson-python ==0.22.1'", "mesonpy", NATIVE_PROJECT),
            "built/meson.build": """\
project('native', version: '1')
python = import('python').find_installation(pure: true)
run_command(python, '-c', 'print()', check: true)
code = 'import sys; open(sys.argv[1], "w").write("MADE = 1")'
custom_target('made', output: 'native.py', command: [python, '-c', code, '@OUTPUT@'],
    install: true, install_dir: python.get_install_dir())
""",
        },
    ),
    "meson-python, in C": Tool(
        ("pip ==26.3",),
        BUILD,
        BUILT,
        {
            **backend("'meson-python ==0.22.1'", "mesonpy", NATIVE_PROJECT),
            "built/meson.build": """\
project('native', 'c', version: '1')
python = import('python').find_installation(pure: false)
python.extension_module('native', 'native.c', install: true)
""",
            "built/native.c": C_MODULE,
        },
        versions=WITH_HEADERS,
    ),
    "setuptools, in C": Tool(
        ("pip ==26.3",),
        BUILD,
        BUILT,
        {
            **backend("'setuptools ==84.2.1'", "setuptools.build_meta"),
            "built/setup.py": "from setuptools import Extension, setup\n"
            "module = Extension('native', ['native.c'])\n"
            "setup(name='native', version='1', ext_modules=[module])\n",
            "built/native.c": C_MODULE,
        },
        versions=WITH_HEADERS,
    ),
    "Cython": Tool(
        ("pip ==26.3",),
        BUILD,
        BUILT,
        {
            **backend("'setuptools ==84.2.1', 'cython ==3.3.1'", "setuptools.build_meta"),
            "built/setup.py": """\
from Cython.Build import cythonize
from setuptools import setup

if __name__ == "__main__":
    modules = cythonize(["native.pyx", "second.pyx"], nthreads=2)
    setup(name="native", version="1", ext_modules=modules)
""",
            "built/native.pyx": "MADE = 1\n",
            "built/second.pyx": "MADE = 2\n",
        },
        versions=WITH_HEADERS,
    ),
    "PyInstaller": Tool(
        ("pyinstaller ==6.22.3", "six ==1.17.0"),
        ("-m PyInstaller --log-level ERROR program.py", "through.py dist/program/program"),
        r"^told .*",
        {"program.py": "import six; print('told', six.__name__)\n", "through.py": THROUGH},
        versions=("3.10", "3.13"),
    ),
    "shiv": Tool(
        ("shiv ==1.0.8", "pip ==26.3"),
        (
            "-m shiv -q -c tabulate -o tabulate.pyz tabulate==0.9.0",
            "tabulate.pyz table.txt",
        ),
        r"^(?:-|one).*",
        {"table.txt": "one two\n"},
    ),
    "celery": Tool(
        CELERY,
        ("program.py",),
        r"^told .*",
        {"program.py": CELERY_RUN, "tasks.py": CELERY_TASKS, "queue/.keep": ""},
    ),
}


def cases() -> Iterator[object]:
    """Each tool on each of its versions; by default the quick ones, on one version in turn."""
    turn = 0
    for name, tool in TOOLS.items():
        turn += tool.quick
        for version in tool.versions:
            is_default = tool.quick and version == ON[turn % len(ON)]
            marks = () if is_default else pytest.mark.full
            yield pytest.param(tool, version, marks=marks, id=f"{name}-{version}")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short: several tools make sockets, which have room for 107 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def equip(version: str, folder: Path, builder: Builder, requires: tuple[str, ...]) -> Environment:
    """Make an environment with a tool and the hostile line.

    Its scripts are not on PATH: those have the installer's first line, which names stock Python.
    """
    root = folder / "e"
    path = f"{builder.programs}:/usr/bin:/bin"
    environment = environments.make(need(version), root, PATH=path, TMPDIR=str(root / "tmp"))
    if requires:
        uv = (builder.uv, "pip", "install", "--quiet", "--python", environment.python)
        builder.run("a tool", *uv, *requires)
    (environment.site_packages / "hostile_init.pth").write_text(HOSTILE)
    return environment


def begin(environment: Environment, files: Mapping[str, str]) -> None:
    """Empty all folders that a tool could write to, and put its files there."""
    environment.ran()
    for folder in (environment.home, environment.root / "tmp"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for path in environment.work.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != "safesite":
            path.unlink()
    for name, text in files.items():
        path = environment.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run_all(
    environment: Environment, tool: Tool, builder: Builder, *launcher: str
) -> tuple[list[int], list[str], str]:
    """Run a tool's commands; return their exit codes, what counts of their output, and all of it.

    They run in a session of their own, so that nothing is left of it whatever happens.
    """
    begin(environment, tool.files)
    scripts = str(environment.prefix / "bin")
    more = dict(tool.variables)
    if tool.with_uv:
        more |= {n: t for n, t in builder.variables().items() if n.startswith(("UV_", "SSL_"))}
    codes, text = [], ""
    for line in tool.run:
        words = shlex.split(line.replace("{bin}", scripts))
        outcome = environment.run(environment.python, *launcher, *words, stdin=tool.stdin, **more)
        codes.append(outcome.code)
        text += f"\n$ {line}\n{outcome.out}{outcome.other_err}"
    return codes, re.findall(tool.says, text, re.MULTILINE), text


@pytest.mark.parametrize("tool, version", list(cases()))
def test_tool(tool: Tool, version: str, builder: Builder, short_path: Path) -> None:
    environment = equip(version, short_path, builder, tool.requires)
    codes, said, text = run_all(environment, tool, builder)
    assert environment.ran(), text
    assert said, text
    assert set(codes) <= set(tool.codes), text
    launched = run_all(environment, tool, builder, "-S", "-m", "safesite")
    assert launched[0] == codes, launched[2]
    assert launched[1] == said, launched[2]
    assert environment.ran() == [], launched[2]


@pytest.mark.full
def test_virtualenv_tells_environments_apart(short_path: Path, builder: Builder) -> None:
    """It keeps what it has asked a Python, in the user's home, by the path it has started.

    Two environments, of two versions, are served by one safesite, and have one home.
    """
    first, second = (
        equip(version, short_path / version, builder, VIRTUALENV) for version in ("3.13", "3.10")
    )
    begin(first, {})
    for environment in (first, second):
        version = environment.interpreter.version
        launcher = (environment.python, "-S", "-m", "safesite")
        made = first.run(*launcher, "-m", "virtualenv", "-q", "--without-pip", version)
        assert made.code == 0, made.err
        assert first.run(f"{version}/bin/python", "-V").out.startswith(f"Python {version}.")


# Servers that start themselves again.

APP = """\
import sys

VERSION = "version 1"


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{VERSION} of {sys.prefix}".encode()]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"].endswith("shutdown"):
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": wsgi({}, lambda *_: None)[0]})
"""
APP_FILES = {
    "app.py": APP,
    "flask_app.py": """\
import sys

import flask

import app as source

app = flask.Flask(__name__)
app.get("/")(lambda: source.wsgi({}, lambda *_: None)[0])
if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), debug=True)
""",
    "werkzeug_app.py": """\
import sys

from werkzeug.serving import run_simple

import app

if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), app.wsgi, use_reloader=True)
""",
    "manage.py": """\
import os, sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
""",
    "settings.py": "SECRET_KEY = 'x'\nDEBUG = True\nROOT_URLCONF = 'urls'\nALLOWED_HOSTS = ['*']\n",
    "urls.py": """\
from django.http import HttpResponse
from django.urls import path

import app

urlpatterns = [path("", lambda _: HttpResponse(app.wsgi({}, lambda *_: None)[0]))]
""",
}


@dataclass(frozen=True)
class Running:
    """A server that was started, and where it answers."""

    environment: Environment
    process: subprocess.Popen[bytes]
    port: int

    def answers(self, version: int) -> bool:
        """Wait until it serves this version of the application."""
        wanted = f"version {version} of {self.environment.prefix}".encode()
        for _ in range(SECONDS * 10):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
                    if answer.read() == wanted:
                        return True
            except (OSError, http.client.HTTPException):  # it may end while it answers
                pass
            time.sleep(0.1)
        return False

    def edit(self, version: int) -> None:
        """Write another version; of another length, as bytecode goes by the second and the size."""
        text = APP.replace("version 1", f"version {version}") + "#" * version
        (self.environment.work / "app.py").write_text(text)


def edits(server: Running) -> bool:
    """Change a file that the server watches, twice."""
    for version in (2, 3):
        time.sleep(2)  # some begin to watch after the first answer
        server.edit(version)
        if not server.answers(version):
            return False
    return True


def hangs_up(server: Running) -> bool:
    """Have gunicorn start its workers anew."""
    server.edit(2)
    server.process.send_signal(signal.SIGHUP)
    return server.answers(2)


def upgrades(server: Running) -> bool:
    """Have gunicorn start its own program anew, which outlives it."""
    server.edit(2)
    server.process.send_signal(signal.SIGUSR2)
    pid = server.environment.work / "pid.2"
    for _ in range(SECONDS * 10):
        if pid.exists():
            break
        time.sleep(0.1)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(SECONDS)
    return server.answers(2)


@contextlib.contextmanager
def started(environment: Environment, words: list[str]) -> Iterator[Running]:
    """Start a server in a session of its own; end it, and all that it has started."""
    begin(environment, APP_FILES)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (environment.root / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(environment.python), *(word.replace("PORT", str(port)) for word in words)],
            cwd=environment.work,
            env=environment.environ(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield Running(environment, process, port)
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            time.sleep(0.5)
        process.wait(SECONDS)


@dataclass(frozen=True)
class Server:
    """A server, how it is started, and what makes it start itself again."""

    requires: tuple[str, ...]
    words: str
    act: Callable[[Running], bool]
    quick: bool = False


GUNICORN = ("gunicorn ==27.0.1",)
SERVE = "-b 127.0.0.1:PORT -p pid app:wsgi"
SERVERS = {
    "gunicorn, SIGHUP": Server(GUNICORN, f"-m gunicorn {SERVE}", hangs_up),
    "gunicorn --reload": Server(GUNICORN, f"-m gunicorn --reload {SERVE}", edits),
    "gunicorn, SIGUSR2": Server(GUNICORN, f"{{bin}}/gunicorn {SERVE}", upgrades),
    "flask --debug": Server(FLASK, "-m flask --app flask_app run --debug --port PORT", edits),
    "flask --debug, by its script": Server(
        FLASK, "{bin}/flask --app flask_app run --debug --port PORT", edits
    ),
    "flask's app.run": Server(FLASK, "flask_app.py PORT", edits),
    "werkzeug's reloader": Server(FLASK, "werkzeug_app.py PORT", edits, quick=True),
    "uvicorn --reload": Server(
        ("uvicorn ==0.54.0",), "-m uvicorn app:asgi --reload --port PORT", edits
    ),
    "uvicorn --workers, SIGHUP": Server(
        ("uvicorn ==0.54.0",), "-m uvicorn app:asgi --workers 2 --port PORT", hangs_up
    ),
    "django's autoreload": Server(DJANGO, "manage.py runserver 127.0.0.1:PORT", edits),
    "django's autoreload, by -m": Server(
        DJANGO, "-m django runserver 127.0.0.1:PORT --settings settings", edits
    ),
}


def server_cases() -> Iterator[object]:
    """Each server on each version; by default a quick one on one version."""
    for name, server in SERVERS.items():
        for version in ON:
            marks = () if server.quick and version == "3.13" else pytest.mark.full
            yield pytest.param(server, version, marks=marks, id=f"{name}-{version}")


@pytest.mark.parametrize("server, version", list(server_cases()))
def test_server(server: Server, version: str, builder: Builder, short_path: Path) -> None:
    environment = equip(version, short_path, builder, server.requires)
    words = server.words.format(bin=environment.prefix / "bin").split()
    log = environment.root / "log"
    for launcher in ((), ("-S", "-m", "safesite")):
        with started(environment, [*launcher, *words]) as running:
            assert running.answers(1), log.read_text()
            assert server.act(running), log.read_text()
        assert bool(environment.ran()) == (not launcher), log.read_text()
