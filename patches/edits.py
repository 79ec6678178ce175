"""What the patches change in CPython's source: lines that are inserted, and one that is replaced.

An edit finds its place by an *anchor*: lines of the file that occur there once, before or after
which the text goes, or whose place it takes.  `EDITS` and `NEW_FILES` are all there is to know
about the content of a patch; where the lines stand in which release is in ``upstream.json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
FOLDER = Path(__file__).resolve().parent
PARTS = FOLDER / "parts"
PACKAGE = FOLDER.parent / "safesite"
LAST_UPDATE = "2026-11-25"  # the day on which the content of any patch last changed


def part(name: str) -> str:
    """Return the text of a file in ``parts``."""
    return (PARTS / name).read_text("utf-8")


@dataclass(frozen=True)
class Patch:
    """One file of a series: its name, and what its header says."""

    name: str
    summary: str
    why: str
    first: str = "3.10"


SITE = Patch(
    "safesite-site.diff",
    "refuse startup code unless it is allowed",
    """\
Python runs code from installed packages at every start, before the first
line of a program: import lines of .pth files, entry points of .start files
(3.15), sitecustomize and usercustomize.  Malware uses that to run without
ever being imported.  With this patch none of it runs unless the environment
variable SAFESITE_MODE allows it; path entries of .pth files are kept.

Lib/site.py asks Lib/_safesite.py at the first sign of startup code, and does
not import it before.  The new modules are those of the package safesite,
byte for byte (safesite/core.py and twelve beside it).

Vendor-only: upstream deprecates import lines from 3.15 on, runs them until
3.17, and has no policy for the rest.""",
)
FREEZE = Patch(
    "safesite-freeze.diff",
    "freeze the modules that site hands startup code over to",
    """\
site is frozen into the interpreter, so what it imports has to be: a file
could otherwise be replaced through PYTHONPATH, and a missing one would keep
Python from starting.  This is what "make regen-frozen" generates from the
two lines in freeze_modules.py, without the project files for Windows, and
what generate_stdlib_module_names.py adds.""",
)
NAMES = Patch(
    "safesite-names.diff",
    "name the new modules as part of the standard library",
    """\
What generate_stdlib_module_names.py adds to sys.stdlib_module_names.  Nothing
is frozen here: 3.10 does not freeze site either.""",
)
DOC = Patch(
    "safesite-doc.diff",
    "document that startup code is refused",
    """\
The modes, and the environment variables that select them.  Nothing depends
on this patch.""",
)


def series(version: str) -> tuple[Patch, ...]:
    """Return the patches of a version, in the order in which they are applied."""
    return (SITE, NAMES if version == "3.10" else FREEZE, DOC)


@dataclass(frozen=True)
class Edit:
    """Lines that are inserted in one place of a file."""

    patch: str
    file: str
    anchor: str
    text: str
    why: str
    before: bool = False
    """Whether the text goes before the anchor, and not after it."""
    replaces: bool = False
    """Whether the text takes the place of the anchor."""
    first: str = "3.10"
    last: str = "3.15"

    @property
    def removed(self) -> int:
        """How many lines before its place the edit takes away."""
        return self.anchor.count("\n") if self.replaces else 0

    def applies(self, version: str) -> bool:
        """Return whether a version's patch has this edit."""
        return number(self.first) <= number(version) <= number(self.last)


@dataclass(frozen=True)
class NewFile:
    """A file that a patch adds."""

    patch: str
    file: str
    text: str
    why: str


def number(version: str) -> tuple[int, ...]:
    """Return a version as numbers, for comparisons."""
    return tuple(int(part) for part in version.split("."))


def hook(indent: int, *lines: str) -> str:
    """Return lines of code, indented."""
    return "".join(" " * indent + line + "\n" for line in lines)


def module(name: str, does: str) -> tuple[str, str]:
    """Return the bytes of one of the package's modules, and what it does."""
    file = f"{name}.py"
    return (PACKAGE / file).read_text("utf-8"), f"{does}: safesite/{file}"


MODULES = {
    "_safesite": module("core", "reads startup files and refuses what they would run"),
    "_safesite_batch": module("batch", "what 3.15 does with startup files"),
    "_safesite_entries": module("entries", "what the entries of a policy say"),
    "_safesite_helpers": module("helpers", "runs the helper of an editable install when needed"),
    "_safesite_inert": module("inert", "lines that do nothing"),
    "_safesite_keep": module("keep", "policies, what is not plainly refused, and the report"),
    "_safesite_known": module("known", "recognises lines that need not run"),
    "_safesite_log": module("log", "SAFESITE_LOG"),
    "_safesite_lookout": module("lookout", "whether there may be a policy"),
    "_safesite_perform": module("perform", "what is done in the place of code, from literals"),
    "_safesite_pins": module("pins", "what a permission is bound to"),
    "_safesite_running": module("running", "runs what may run"),
    "_safesite_trust": module("trust", "whether others can write a policy"),
}

NEW_FILES = (
    *(NewFile(SITE.name, f"Lib/{name}.py", *text) for name, text in MODULES.items()),
    NewFile(
        SITE.name,
        "Lib/test/test_safesite.py",
        part("test_safesite.py"),
        "the refusals, on the interpreter that was built",
    ),
    NewFile(
        DOC.name,
        "Misc/NEWS.d/next/Library/2026-11-25-00-00-00.safesite.Rf5aTe.rst",
        part("news.rst"),
        "the entry in the list of changes",
    ),
)

_site = "Lib/site.py"
_SITE_EDITS = (
    Edit(
        SITE.name,
        _site,
        "def makepath(*paths):\n",
        part("site-decider.py.in"),
        "the default mode, and the way to what decides",
        before=True,
    ),
    Edit(
        SITE.name,
        _site,
        "       and add that to known_paths, or execute it if it starts with 'import '.\n"
        '    """\n',
        hook(
            4,
            'if _safesite().mode != "allow":',
            '    return _startup.part("running").addpackage(_startup, sitedir, name, known_paths)',
        ),
        "a .pth file is read by safesite, also when a program asks for it",
        last="3.14",
    ),
    Edit(
        SITE.name,
        _site,
        "    try:\n        names = os.listdir(sitedir)\n",
        hook(
            4,
            "shown = _shows_startup_code(sitedir)",
            "if (shown is False",
            "        or shown and _safesite().add_startup_files(sitedir, known_paths)):",
            "    return None if reset else known_paths",
        ),
        "at the first sign of startup code safesite takes the files of a site directory; without"
        " one there is nothing to do",
        before=True,
        last="3.14",
    ),
    Edit(
        SITE.name,
        _site,
        '    successfully-read empty file from one that could not be read.\n    """\n',
        hook(
            4,
            'if _safesite().mode != "allow":',
            '    return _startup.part("batch").read_lines(_startup, sitedir, name, suffix)',
        ),
        "a startup file is read by safesite, into lines that know their place",
        first="3.15",
    ),
    Edit(
        SITE.name,
        _site,
        "        try:\n            names = os.listdir(sitedir)\n",
        hook(
            8,
            "shown = _shows_startup_code(sitedir)",
            "if (shown is False",
            '        or shown and _safesite().part("batch").read_startup_files(',
            "            _startup, self, sitedir)):",
            "    return",
        ),
        "at the first sign of startup code safesite takes the files of a site directory; without"
        " one there is nothing to do",
        before=True,
        first="3.15",
    ),
    Edit(
        SITE.name,
        _site,
        '        .pth-extended path.\n        """\n',
        hook(
            8,
            "if _startup is not None and not _startup.depth:",
            "    with _startup:",
            "        return StartupState.process(self)",
        ),
        "what a batch refuses is one report",
        first="3.15",
    ),
    Edit(
        SITE.name,
        _site,
        "            for line in imports:\n",
        hook(
            12,
            'imports = _safesite().part("batch").allowed(',
            '    _startup, imports, filename, "import line")',
        ),
        "each import line is decided on when the one before has run",
        before=True,
        first="3.15",
    ),
    Edit(
        SITE.name,
        _site,
        "            for entrypoint in entrypoints:\n",
        hook(
            12,
            'entrypoints = _safesite().part("batch").allowed(',
            '    _startup, entrypoints, filename, "entry point")',
        ),
        "each entry point is decided on when the one before has run",
        before=True,
        first="3.15",
    ),
    Edit(
        SITE.name,
        _site,
        "        addsitepackages(known_paths, [sys.prefix])\n",
        hook(8, "_added.add(sys.prefix)"),
        "what venv() has added is remembered",
        last="3.14",
    ),
    Edit(
        SITE.name,
        _site,
        "    known_paths = addsitepackages(known_paths)\n",
        hook(
            4,
            "# Where nothing is to be read, adding again what venv() has added can",
            "# change nothing.",
            "if _startup is not None or not _added.issuperset(PREFIXES):",
            "    known_paths = addsitepackages(known_paths)",
            "_added.clear()",
        ),
        "what safesite costs is saved here: the site directories are listed once, not twice",
        replaces=True,
        last="3.14",
    ),
    *(
        Edit(
            SITE.name,
            _site,
            f'    """Run custom {owner} specific code, if available."""\n',
            hook(4, *condition, "    return"),
            f"{owner_name} is imported if it may run; without a sign of one, it is not looked for",
        )
        for owner, owner_name, condition in (
            (
                "site",
                "sitecustomize",
                (
                    "# A policy may allow that of the standard library.",
                    "if (_startup is None and not (",
                    '            os.access(getattr(os, "__file__", "/os.py")[:-5]',
                    '                      + "sitecustomize.py", 0)',
                    '            and __import__("_safesite_lookout").policy_may_exist())',
                    '        or not _safesite().may_customize("sitecustomize")):',
                ),
            ),
            (
                "user",
                "usercustomize",
                ('if _startup is None or not _startup.may_customize("usercustomize"):',),
            ),
        )
    ),
    Edit(
        SITE.name,
        _site,
        "# Prevent extending of sys.path when python was started with -S and\n",
        part("site-start.py.in"),
        "the environment, and the names that the library probes for, before any site directory",
        before=True,
    ),
    Edit(
        SITE.name,
        _site,
        "if not sys.flags.no_site:\n    main()\n",
        hook(0, "if _startup is not None and _startup.depth:", "    _startup.end()"),
        "the report of a start ends with it",
    ),
)

_test = "Lib/test/test_site.py"
_ALLOW = hook(
    8,
    "# These tests run startup code, which is refused by default.",
    'patcher = mock.patch.object(site._safesite(), "mode", "allow")',
    "patcher.start()",
    "self.addCleanup(patcher.stop)",
)
_TEST_EDITS = (
    Edit(
        SITE.name,
        _test,
        "        self.old_base = site.USER_BASE\n",
        _ALLOW,
        "the tests of executed lines run in the mode that executes them",
        before=True,
    ),
    Edit(
        SITE.name,
        _test,
        "        # Each test gets its own StartupState to batch the parsing and\n",
        _ALLOW,
        "the tests of executed lines run in the mode that executes them",
        before=True,
        first="3.15",
    ),
    Edit(
        SITE.name,
        _test,
        "    def test_sitecustomize_executed(self):\n",
        hook(4, '@unittest.skipIf(site._safesite().refuses, "sitecustomize is refused")'),
        "a sitecustomize that lies beside the standard library is imported only if it may be",
        before=True,
    ),
    Edit(
        SITE.name,
        _test,
        "            environ['PYTHONPATH'] = temp_dir\n",
        hook(12, "environ['SAFESITE_MODE'] = 'allow'"),
        "the children of this test run startup code",
        first="3.13",
    ),
    *(
        Edit(
            SITE.name,
            _test,
            f"            env['PYTHONPATH'] = {value}\n",
            hook(12, "env['SAFESITE_MODE'] = 'allow'"),
            "the child of this test runs startup code",
            first="3.15",
        )
        for value in ("user_site", "os.pathsep.join([user_site, extdir])")
    ),
)


def _each(template: str) -> str:
    return "".join(template.replace("@", module) for module in MODULES)


def _freeze_edits() -> tuple[Edit, ...]:
    """Return what freezes the modules, after those that every start imports.

    Python goes through the list for each of these.
    """
    tool = "{}/freeze_modules.py"
    list_entry = "        'stat',\n"
    why = "what make regen-frozen generates"
    old = "\tPython/frozen_modules/stat.h:stat \\\n"
    make, frozen = "Makefile.pre.in", "Python/frozen.c"

    def edit(file: str, anchor: str, text: str, first: str = "3.11", last: str = "3.15") -> Edit:
        return Edit(FREEZE.name, file, anchor, text, why, first=first, last=last)

    rule = (
        "Python/frozen_modules/@.h: Lib/@.py $(FREEZE_MODULE_DEPS)\n"
        "\t$(FREEZE_MODULE) @ $(srcdir)/Lib/@.py Python/frozen_modules/@.h\n\n"
    )
    entry = '    {"@", _Py_M__@, (int)sizeof(_Py_M__@), false},\n'
    deep_entry = '    {"@", NULL, 0, false, GET_CODE(@)},\n'
    both_entry = entry.replace("false", "false, GET_CODE(@)")
    s = "stat"
    return (
        *(
            Edit(
                FREEZE.name,
                tool.format(folder),
                list_entry,
                _each("        '@',\n"),
                "the list of the modules that are frozen",
                first=first,
                last=last,
            )
            for folder, first, last in (
                ("Tools/scripts", "3.11", "3.11"),
                ("Tools/build", "3.12", "3.15"),
            )
        ),
        edit(make, f"\t\tLib/{s}.py \\\n", _each("\t\tLib/@.py \\\n")),
        edit(
            make,
            f"\t\tPython/frozen_modules/{s}.h \\\n",
            _each("\t\tPython/frozen_modules/@.h \\\n"),
        ),
        edit(
            make,
            rule.replace("@", s),
            _each(rule),
        ),
        edit(make, old, _each(old.replace(s, "@")), last="3.12"),
        edit(
            frozen,
            f'#include "frozen_modules/{s}.h"\n',
            _each('#include "frozen_modules/@.h"\n'),
            first="3.12",
        ),
        edit(
            frozen,
            f"extern PyObject *_Py_get_{s}_toplevel(void);\n",
            _each("extern PyObject *_Py_get_@_toplevel(void);\n"),
            last="3.12",
        ),
        edit(frozen, deep_entry.replace("@", s), _each(deep_entry), last="3.11"),
        edit(frozen, both_entry.replace("@", s), _each(both_entry), "3.12", "3.12"),
        edit(frozen, entry.replace("@", s), _each(entry), first="3.13"),
    )


_NAMES_EDITS = tuple(
    Edit(
        NAMES.name if first == "3.10" else FREEZE.name,
        "Python/stdlib_module_names.h",
        '"_scproxy",\n',
        _each('"@",\n'),
        "sys.stdlib_module_names",
        before=True,
        first=first,
        last=last,
    )
    for first, last in (("3.10", "3.10"), ("3.11", "3.15"))
)

_DOC_EDITS = (
    Edit(
        DOC.name,
        "Doc/library/site.rst",
        "Module contents\n---------------\n",
        part("site.rst.in"),
        "the modes",
        before=True,
    ),
    Edit(
        DOC.name,
        "Doc/using/cmdline.rst",
        ".. envvar:: PYTHONEXECUTABLE\n",
        part("cmdline.rst.in"),
        "the environment variables",
        before=True,
    ),
)

EDITS = (*_SITE_EDITS, *_TEST_EDITS, *_freeze_edits(), *_NAMES_EDITS, *_DOC_EDITS)
