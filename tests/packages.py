"""Released packages with startup code: what safesite makes of it, what is lost, what helps.

The README's table says the same in words; ``test_packages`` installs each of them, and compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace

from interpreters import VERSIONS


@dataclass(frozen=True, kw_only=True)
class Use:
    """A program that needs what a package's startup code does.

    It prints ``stock`` under stock Python and ``launched`` under safesite; where ``stock`` is empty
    it prints the same under both, whatever that is.  ``back`` is the program that gets back under
    safesite what stock gives, with ``back_variables``.  ``refusal`` is what safesite reports where
    the variables matter to it.  In all of them {site} is the site directory, and so on.
    """

    program: str
    stock: str = ""
    launched: str = ""
    back: str = ""
    back_variables: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True)
class Package:
    """A release with startup code, and how it is installed.

    ``files`` are its startup files and customize modules, as patterns; ``kind`` is what safesite
    makes of them (empty if there are none), ``refusal`` what it reports, ``paths`` the entries that
    it keeps.

    ``on`` are the versions on which it is tested by default, ``without`` those for which there is
    no wheel, each with what the installer says.  ``requires`` are the dependencies that its uses
    need; files ``beside`` it use it, or stand in for what is large.  ``project`` is one that is
    built with it, ``command`` what is run when it is there.
    """

    label: str
    kind: str
    files: tuple[str, ...]
    on: tuple[str, ...]
    uses: tuple[Use, ...] = ()
    _: KW_ONLY
    refusal: str = ""
    paths: tuple[str, ...] = ()
    versions: tuple[str, ...] = VERSIONS
    without: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    settings: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    large: bool = False

    @property
    def name(self) -> str:
        """The distribution's name."""
        return self.label.partition(" ")[0]

    @property
    def release(self) -> str:
        """The distribution's version."""
        return self.label.partition(" ")[2]

    @property
    def is_customize_module(self) -> bool:
        """Whether one of its files is a customize module in the site directory itself."""
        return any(file.startswith("sitecustomize") for file in self.files)


def refused(place: str, line: str, slug: str = "import-line", kind: str = "import line") -> str:
    """Return how safesite reports a refusal, from its place in the site directory."""
    return f"safesite: {{site}}/{place}: refused {kind}: {line} ({slug})"


def refused_module(place: str, slug: str = "customize-module") -> str:
    """Return how safesite reports a customize module."""
    return refused(place, "'sitecustomize'", slug, "customize module")


def lost(
    program: str, back: str, variables: Mapping[str, str] | None = None, refusal: str = ""
) -> Use:
    """Return a use that is lost: the program prints whether it is there; ``back`` comes before."""
    return Use(
        program=program,
        stock="True",
        launched="False",
        back=f"{back}\n{program}",
        variables=variables or {},
        refusal=refusal,
    )


def lost_with(program: str, variables: Mapping[str, str]) -> Use:
    """Return a use that is lost without a variable."""
    return Use(
        program=program, stock="True", launched="False", back=program, back_variables=variables
    )


# Parts of programs.

MARKED = "import sys; print(hasattr(sys, 'marked'))"
HAS_FINDER = "import sys; print(any({!r} in repr(finder) for finder in sys.meta_path))"
FINDS = "import importlib.util as it; print(it.find_spec({!r}) is not None)"
DISTUTILS = "import distutils; print('setuptools' in distutils.__file__)"
WARNS = """\
import warnings
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    import pynvml
print(bool(seen))
"""
PORTIONS = """\
import importlib.util, sys
name = {!r}
spec = importlib.util.find_spec(name)
parents = [name[:place] for place, letter in enumerate(name) if letter == "."]
print(spec.origin, [(parent, list(sys.modules[parent].__path__)) for parent in parents])
"""

NO_WHEEL = "has no usable wheels"


def hook(group: str, name: str = "hook") -> dict[str, str]:
    """Return the files of a distribution with an entry point that leaves a mark."""
    return {
        "hooked.py": "import sys\n\n\ndef mark(*_):\n    sys.marked = True\n",
        "hooked-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: hooked\nVersion: 1\n",
        "hooked-1.dist-info/entry_points.txt": f"[{group}]\n{name} = hooked:mark\n",
    }


# setuptools: its line is for versions without a distutils of their own.

WITH_DISTUTILS = ("3.10", "3.11")
PRECEDENCE = Package(
    "setuptools 84.2.1",
    "deferred",
    ("distutils-precedence.pth",),
    ("3.12", "3.15"),
    (
        Use(program=DISTUTILS, stock="True", launched="True"),
        Use(
            program=FINDS.format("distutils"),
            stock="False",
            launched="False",
            variables={"SETUPTOOLS_USE_DISTUTILS": "stdlib"},
        ),
    ),
    versions=tuple(version for version in VERSIONS if version not in WITH_DISTUTILS),
)
SETUPTOOLS = (
    PRECEDENCE,
    replace(
        PRECEDENCE,
        kind="inert",
        on=("3.10",),
        versions=WITH_DISTUTILS,
        uses=(
            lost(DISTUTILS, "import setuptools"),
            Use(program=DISTUTILS, variables={"SETUPTOOLS_USE_DISTUTILS": "stdlib"}),
        ),
    ),
)

# Namespace packages, which Python has anyway.


def namespace(label: str, file: str, module: str, on: str, *without: str) -> Package:
    """Return a package whose startup file makes the namespace package of its module."""
    return Package(
        label,
        "inert",
        (file,),
        (on,),
        (Use(program=PORTIONS.format(module)),),
        without=dict.fromkeys(without, NO_WHEEL),
        large=label.startswith(("google-cloud-aiplatform", "matplotlib")),
    )


NAMESPACES = (
    namespace("protobuf 3.20.3", "protobuf-3.20.3*-nspkg.pth", "google.protobuf", "3.10"),
    namespace(
        "google-cloud-storage 2.13.0",
        "google_cloud_storage-2.13.0-py3.9-nspkg.pth",
        "google.cloud.storage",
        "3.13",
    ),
    namespace(
        "google-cloud-aiplatform 2.7.0",
        "google_cloud_aiplatform-2.7.0-py3.12-nspkg.pth",
        "google.cloud.aiplatform",
        "3.12",
    ),
    namespace(
        "google-generativeai 0.8.6",
        "google_generativeai-0.8.6-py3.13-nspkg.pth",
        "google.generativeai",
        "3.15",
    ),
    namespace(
        "matplotlib 3.7.5",
        "matplotlib-3.7.5-py3.*-nspkg.pth",
        "mpl_toolkits.mplot3d",
        "3.11",
        *("3.13", "3.14", "3.15"),
    ),
    namespace("ruamel.yaml 0.17.21", "ruamel.yaml-0.17.21-py3.9-nspkg.pth", "ruamel.yaml", "3.11"),
    namespace("zope.event 5.1.1", "zope.event-5.1.1-py3.12-nspkg.pth", "zope.event", "3.14"),
    namespace(
        "zope.interface 7.2",
        "zope.interface-7.2-py3.*-nspkg.pth",
        "zope.interface",
        "3.12",
        *("3.14", "3.15"),
    ),
    namespace(
        "zope.deprecation 5.1",
        "zope.deprecation-5.1-py3.11-nspkg.pth",
        "zope.deprecation",
        "3.10",
    ),
    namespace("Paste 3.10.1", "Paste-3.10.1-py3.12-nspkg.pth", "paste.request", "3.11"),
    namespace("PasteDeploy 3.1.0", "PasteDeploy-3.1.0-py3.11-nspkg.pth", "paste.deploy", "3.15"),
    namespace(
        "testing.postgresql 1.3.0",
        "testing.postgresql-1.3.0-py2.7-nspkg.pth",
        "testing.postgresql",
        "3.13",
    ),
    namespace(
        "testing.common.database 2.0.3",
        "testing.common.database-2.0.3-py3.6-nspkg.pth",
        "testing.common.database",
        "3.14",
    ),
    namespace(
        "intuit-oauth 1.2.7", "intuit_oauth-1.2.7-py3.14-nspkg.pth", "intuitlib.client", "3.10"
    ),
    namespace(
        "sphinxcontrib-jsmath 1.0.1",
        "sphinxcontrib_jsmath-1.0.1-py3.7-nspkg.pth",
        "sphinxcontrib.jsmath",
        "3.12",
    ),
    namespace(
        "zc.lockfile 3.0.post1", "zc.lockfile-3.0.post1-py3.9-nspkg.pth", "zc.lockfile", "3.11"
    ),
)

# Those that wait for a variable: inert without it, refused with it.


# Their lines, as safesite shows them.
SHOWN = {
    "coverage 7.13.0": (
        r"""'import sys; exec(\'\\n\\n\\n\\n\\n\\nimport os\\n\\nif os.getenv("COVERAGE_...'"""
    ),
    "coverage 7.17.4": (
        r"""'import sys; exec(\'import os\\n\\nif os.getenv("COVERAGE_PROCESS_START") or...'"""
    ),
    "pytest-cov 6.3.0": (
        r'''"import os, sys;exec('if \\'COV_CORE_SOURCE\\' in os.environ:\\n try:\\n  fr..."'''
    ),
    "better-exceptions 0.3.3": (
        r"""'import os; exec("try:\\n  if \'BETTER_EXCEPTIONS\' in os.environ:import bet...'"""
    ),
    "coloredlogs 15.0.1": (
        r"""'import os; exec(\'try: __import__("coloredlogs").auto_install() if os.envir...'"""
    ),
    "manhole 1.8.1": (
        r"""'import os, sys;exec(\'if "PYTHONMANHOLE" in os.environ:\\n try:\\n  from ma...'"""
    ),
}


def waiting(label: str, file: str, on: str, use: Use, *requires: str, without: str = "") -> Package:
    """Return a package whose line waits for variables; safesite names the first of them."""
    line = f"{SHOWN[label]}: {next(iter(use.variables))} is set"
    refusal = refused(f"{file}:1", line, "variable-set")
    return Package(
        label,
        "inert",
        (file,),
        (on,),
        (replace(use, refusal=refusal),),
        requires=requires,
        without={"3.10": without} if without else {},
    )


COVERED = "import coverage; print(coverage.Coverage.current() is not None)"
COVERAGE = lost(
    COVERED,
    "import coverage; coverage.process_startup()",
    {"COVERAGE_PROCESS_START": "/dev/null"},
)
WAITING = (
    waiting("coverage 7.13.0", "a1_coverage.pth", "3.10", COVERAGE),
    waiting(
        "coverage 7.17.4",
        "a1_coverage.pth",
        "3.13",
        COVERAGE,
        without="does not satisfy Python>=3.11",
    ),
    waiting(
        "pytest-cov 6.3.0",
        "pytest-cov.pth",
        "3.14",
        lost(
            COVERED,
            "from pytest_cov.embed import init; init()",
            {"COV_CORE_SOURCE": ":", "COV_CORE_CONFIG": ":", "COV_CORE_DATAFILE": "data"},
        ),
        "coverage ==7.12.0",  # the last without a startup file of its own
        *("pytest >=8,<9", "pluggy <2", "iniconfig <3", "packaging <27", "pygments <3"),
        *("tomli <3", "exceptiongroup <2", "typing-extensions <5"),
    ),
    waiting(
        "better-exceptions 0.3.3",
        "better_exceptions_hook.pth",
        "3.11",
        lost(
            "import sys; print('better_exceptions' in sys.excepthook.__module__)",
            "import better_exceptions; better_exceptions.hook()",
            {"BETTER_EXCEPTIONS": "1"},
        ),
    ),
    waiting(
        "coloredlogs 15.0.1",
        "coloredlogs.pth",
        "3.12",
        lost(
            "import logging; print(bool(logging.getLogger().handlers))",
            "import coloredlogs; coloredlogs.install()",
            {"COLOREDLOGS_AUTO_INSTALL": "1"},
        ),
        "humanfriendly >=10,<11",
    ),
    waiting(
        "manhole 1.8.1",
        "manhole.pth",
        "3.15",
        lost(
            "import sys; print('manhole' in sys.modules)",
            "import manhole; manhole.install()",
            {"PYTHONMANHOLE": ""},
        ),
    ),
)

# Refused lines.

AUTOWRAPT = Package(
    "autowrapt 2.0.0",
    "refused",
    ("autowrapt-init.pth", "autowrapt-init.start"),
    ("3.11",),
    (
        lost(
            f"import json; {MARKED}",
            "from wrapt import discover_post_import_hooks as discover; discover('demo')",
            {"AUTOWRAPT_BOOTSTRAP": "demo"},
        ),
    ),
    versions=VERSIONS[:-1],
    refusal=refused("autowrapt-init.pth:1", "'import autowrapt; autowrapt.init()'"),
    requires=("wrapt >=2,<3",),
    beside=hook("demo", "json"),
)
AUTOWRAPT_315 = replace(
    AUTOWRAPT,
    on=("3.15",),
    versions=("3.15",),
    refusal=refused("autowrapt-init.start:2", "'autowrapt:init'", "entry-point", "entry point"),
)
LINES = (
    Package(
        "future-fstrings 1.2.0",
        "refused",
        ("aaaaa_future_fstrings.pth",),
        ("3.12",),
        (
            lost(
                "try: import uses_it\nexcept SyntaxError: print(False)",
                "import future_fstrings; future_fstrings.register()",
                {"PYTHONDONTWRITEBYTECODE": "1"},  # from bytecode it would run
            ),
        ),
        refusal=refused(
            "aaaaa_future_fstrings.pth:1",
            r'''"import sys; exec('try:\\n    import future_fstrings\\nexcept ImportError:\\..."''',
        ),
        beside={"uses_it.py": "# coding: future_fstrings\nprint(f'{1 + 1}' == '2')\n"},
    ),
    Package(
        "urllib3-future 2.25.904",
        "refused",
        ("urllib3_future.pth",),
        ("3.13",),
        (
            Use(
                program="import urllib3; print(urllib3.__version__)",
                stock="2.25.904",
                launched="what urllib3 has put there",
                back="import urllib3_future as urllib3; print(urllib3.__version__)",
            ),
        ),
        refusal=refused(
            "urllib3_future.pth:1",
            """'import os, sys, site, shutil; why = "urllib3-future is an enhanced, backwar...'""",
        ),
        requires=("h11 <1", "jh2 >=5.0.3,<6"),
        beside={"urllib3/__init__.py": "__version__ = 'what urllib3 has put there'\n"},
    ),
    AUTOWRAPT,
    AUTOWRAPT_315,
    Package(
        "pip-system-certs 5.3",
        "refused",
        ("pip_system_certs.pth",),
        ("3.14",),
        (
            lost(
                "import ssl; print('truststore' in ssl.SSLContext.__module__)",
                "from pip_system_certs.wrapt_requests import inject_truststore as inject; inject()",
            ),
        ),
        refusal=refused(
            "pip_system_certs.pth:1",
            """"import os, sys; __import__('pip_system_certs.bootstrap') and sys.modules['p...\"""",
        ),
        requires=("pip >=26,<27",),
    ),
    Package(
        "pynvml 13.0.1",
        "refused",
        ("_pynvml_redirector.pth",),
        ("3.10",),
        (lost(WARNS, "import _pynvml_redirector"),),
        refusal=refused("_pynvml_redirector.pth:4", "'import _pynvml_redirector'"),
        requires=("nvidia-ml-py >=12,<14",),
    ),
    Package(
        "nvidia-cutlass-dsl 4.8.1",
        "refused",
        ("nvidia_cutlass_dsl_packages.pth",),
        ("3.12",),
        (
            lost(
                FINDS.format("cutlass"),
                "import nvidia_cutlass_dsl, sys\n"
                "sys.path.append(nvidia_cutlass_dsl.__path__[0] + '/dsl_packages')",
            ),
            lost_with(
                FINDS.format("cutlass"), {"PYTHONPATH": "{site}/nvidia_cutlass_dsl/dsl_packages"}
            ),
        ),
        refusal=refused(
            "nvidia_cutlass_dsl_packages.pth:1",
            "'import sys, os, nvidia_cutlass_dsl; sys.path.insert(0, os.path.join(nvidia_...'",
        ),
        # What it requires has hundreds of megabytes.
        beside={"nvidia_cutlass_dsl/dsl_packages/cutlass/__init__.py": ""},
    ),
    Package(
        "cuda-bindings 12.9.10",
        "refused",
        ("_cuda_bindings_redirector.pth",),
        ("3.15",),
        (
            lost(
                "import cuda; print(hasattr(cuda, '__version__'))",
                "import _cuda_bindings_redirector",
            ),
        ),
        refusal=refused("_cuda_bindings_redirector.pth:4", "'import _cuda_bindings_redirector'"),
        requires=("cuda-pathfinder >=1.1,<2",),
        large=True,
    ),
    Package(
        "numba-cuda 0.30.4",
        "refused",
        ("_numba_cuda_redirector.pth",),
        ("3.13",),
        (
            lost(
                "from importlib.util import find_spec\n"
                "print('numba_cuda' in find_spec('numba.cuda').origin)",
                "import _numba_cuda_redirector",
            ),
        ),
        refusal=refused("_numba_cuda_redirector.pth:4", "'import _numba_cuda_redirector'"),
        # numba has 60 megabytes, with LLVM.
        beside={"numba/__init__.py": "", "numba/cuda/__init__.py": ""},
        without={"3.15": "You require CPython 3.15"},
    ),
    Package(
        "rapids-dask-dependency 26.10.0",
        "refused",
        ("_rapids_dask_dependency.pth",),
        ("3.11",),
        (lost(HAS_FINDER.format("DaskFinder"), "import rapids_dask_dependency"),),
        refusal=refused("_rapids_dask_dependency.pth:1", "'import rapids_dask_dependency'"),
    ),
    Package(
        "pdbpp 0.12.1",
        "refused",
        ("pdbpp_hijack_pdb.pth",),
        ("3.14",),
        (
            lost_with(
                "import importlib.util as it; print('pdbpp' in it.find_spec('pdb').origin)",
                {"PYTHONPATH": "{site}/_pdbpp_path_hack"},
            ),
        ),
        refusal=refused(
            "pdbpp_hijack_pdb.pth:12",
            """'import os; _pdbpp_path = f"{os.path.sep}_pdbpp_path_hack"; import sys; sys....'""",
        ),
        requires=("fancycompleter >=0.11,<1", "pygments <3"),
    ),
    Package(
        "hunter 3.9.0",
        "refused",
        ("hunter.pth",),
        ("3.13",),
        (
            lost(
                "import sys; print(sys.gettrace() is not None)",
                "import hunter; hunter.trace(module='nothing')",
                {"PYTHONHUNTER": "module='nothing'"},
            ),
        ),
        without={"3.15": NO_WHEEL},
        refusal=refused("hunter.pth:1", "'import hunter; hunter._embed_via_environment()'"),
    ),
    Package(
        "pywin32 312",
        "refused",
        ("pywin32.pth",),
        ("3.14",),
        refusal=refused("pywin32.pth:7", "'import pywin32_bootstrap'"),
        paths=("win32", "win32\\lib", "pythonwin"),
        beside={"win32\\lib/__init__.py": ""},  # a folder in a folder on Windows alone
        settings=("--python-platform", "x86_64-pc-windows-msvc"),
    ),
    Package(
        "hatch-autorun 1.1.0",
        "refused",
        ("hatch_autorun_demo.pth",),
        ("3.11",),
        (lost(MARKED, "import sys; sys.marked = True"),),
        refusal=refused(
            "hatch_autorun_demo.pth:1",
            """"import os, sys;exec('import sys; sys.marked = True')\"""",
        ),
        project="""\
            [build-system]
            requires = ["hatchling >=1.33,<2", "hatch-autorun ==1.1.0"]
            build-backend = "hatchling.build"
            [project]
            name = "demo"
            version = "1"
            [tool.hatch.build.targets.wheel]
            bypass-selection = true
            [tool.hatch.build.targets.wheel.hooks.autorun]
            code = "import sys; sys.marked = True"
            """,
    ),
)

# Refused customize modules: in the site directory, or in a folder that a command of the package
# puts into PYTHONPATH.


def commanded(folder: str, program: str, back: str, **more: str) -> Use:
    """Return a use that is had by a folder in PYTHONPATH, with more variables."""
    refusal = refused_module(f"{folder}/sitecustomize.py", "customize-pythonpath")
    return lost(program, back, {"PYTHONPATH": f"{{site}}/{folder}", **more}, refusal)


OPENTELEMETRY = "opentelemetry/instrumentation/auto_instrumentation"
MODULES = (
    Package(
        "sitecustomize-entrypoints 1.1.0",
        "refused",
        ("sitecustomize/__init__.py",),
        ("3.10",),
        (
            lost(
                MARKED,
                "from importlib.metadata import entry_points\n"
                "for found in entry_points(group='sitecustomize'): found.load()()",
            ),
        ),
        refusal=refused_module("sitecustomize/__init__.py"),
        beside=hook("sitecustomize"),
    ),
    Package(
        "maturin-import-hook 0.3.0",
        "refused",
        ("sitecustomize.py",),
        ("3.13",),
        (
            lost(
                HAS_FINDER.format("maturin_import_hook"),
                "import maturin_import_hook; maturin_import_hook.install()",
            ),
        ),
        refusal=refused_module("sitecustomize.py"),
        requires=("filelock <4", "tomli <3"),
        command=("-m", "maturin_import_hook", "site", "install"),
    ),
    Package(
        "ddtrace 4.16.0",
        "refused",
        ("ddtrace/bootstrap/sitecustomize.py",),
        ("3.14",),
        (
            commanded(
                "ddtrace/bootstrap",
                HAS_FINDER.format("ddtrace"),
                "import ddtrace.auto",
                DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
                DD_REMOTE_CONFIGURATION_ENABLED="false",
            ),
        ),
        without={"3.15": NO_WHEEL},
        requires=(
            *("bytecode <1", "envier <1", "opentelemetry-api <2", "wrapt <3"),
            "typing-extensions <5",
        ),
        large=True,
    ),
    Package(
        "newrelic 14.1.0",
        "refused",
        ("newrelic/bootstrap/sitecustomize.py",),
        ("3.10",),
        (
            commanded(
                "newrelic/bootstrap",
                "import sys; print('newrelic.config' in sys.modules)",
                "import newrelic.agent; newrelic.agent.initialize()",
                NEW_RELIC_PYTHON_PREFIX="{prefix}",
                NEW_RELIC_PYTHON_VERSION="{version}",
                NEW_RELIC_DEVELOPER_MODE="on",
            ),
        ),
        without={"3.15": NO_WHEEL},
    ),
    Package(
        "opentelemetry-instrumentation 0.66b2",
        "refused",
        (f"{OPENTELEMETRY}/sitecustomize.py",),
        ("3.12",),
        (
            commanded(
                OPENTELEMETRY,
                MARKED,
                "from opentelemetry.instrumentation.auto_instrumentation import initialize\n"
                "initialize()",
            ),
        ),
        requires=(
            *("opentelemetry-api >=1.45,<1.46", "opentelemetry-semantic-conventions ==0.66b2"),
            *("packaging <27", "wrapt <3", "typing-extensions <5"),
        ),
        beside=hook("opentelemetry_pre_instrument"),
    ),
)

# What makes environments put a startup file there up to 3.9, and none into these.

VIRTUALENV_NEEDS = (
    *("distlib <1", "filelock <5", "packaging <27", "platformdirs <5"),
    *("python-discovery <2", "typing-extensions <5"),
)
VIRTUALENV = Package("virtualenv 21.15.8", "", (), ("3.13",), requires=VIRTUALENV_NEEDS)
VIRTUALENV_OLD = Package("virtualenv 20.36.1", "", (), ("3.13",), requires=VIRTUALENV_NEEDS)

PACKAGES = (*SETUPTOOLS, *NAMESPACES, *WAITING, *LINES, *MODULES, VIRTUALENV, VIRTUALENV_OLD)
