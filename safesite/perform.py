"""What is done in the place of code, from the literals in its text and running none of it.

The ``sitecustomize`` of pip's isolated builds, and the startup file of ``uv run --with``.  Each
text is known to the last character.  Imports at module level only what stock ``site`` has loaded.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from safesite.core import Record, Startup

if TYPE_CHECKING or __name__ == "safesite.perform":
    from safesite import core
else:
    import _safesite as core


# pip.

# What it writes for the processes of an isolated build, up to 26.1 and from 26.2 on.
PIP_OLD = """
import os, site, sys

# First, drop system-sites related paths.
original_sys_path = sys.path[:]
known_paths = set()
for path in {sites}:
    site.addsitedir(path, known_paths=known_paths)
system_paths = set(
    os.path.normcase(path)
    for path in sys.path[len(original_sys_path):]
)
original_sys_path = [
    path for path in original_sys_path
    if os.path.normcase(path) not in system_paths
]
sys.path = original_sys_path

# Second, add lib directories.
# ensuring .pth file are processed.
for path in {libs}:
    assert not path in sys.path
    site.addsitedir(path)
"""
PIP_NEW = PIP_OLD.replace(
    PIP_OLD[PIP_OLD.index("# First") : PIP_OLD.index("known_paths")],
    """\
# First, discover all system-sites related paths.
original_sys_path = sys.path[:]
# Clear sys.path so addsitedir() will add system site paths and paths
# added by contained .pth files to sys.path reliably. This is necessary
# since Python 3.15, which notably no longer re-executes .pth files for
# known paths.
sys.path = []
""",
).replace(
    PIP_OLD[PIP_OLD.index("system_paths") : PIP_OLD.index("original_sys_path = [\n")],
    """\
system_paths = set(os.path.normcase(path) for path in sys.path)

# Drop discovered system-sites related paths.
""",
)


def perform(startup: "Startup", module: "Record") -> bool:
    """Do, once, what the ``sitecustomize`` of pip's isolated builds would do, if this is one."""
    if module.slug != "customize-pythonpath" or module != "sitecustomize":
        return False
    path = sys.path[:]
    try:
        startup.performed = startup.performed or perform_pip(startup, module)
    except Exception:  # noqa: BLE001 - whatever its literals make of the file system's functions
        sys.path[:] = path
        return False
    return startup.performed


def perform_pip(startup: "Startup", module: "Record") -> bool:
    """Take this interpreter's site directories off sys.path, and add folders of pip's very build.

    Only for a file directly in a folder of PYTHONPATH, by no link, that lies under no prefix and in
    no site directory.
    """
    build, name = os.path.split(os.path.dirname(os.path.realpath(module.file)))
    sites, libs = read_pip_lists(module.file)
    own = {os.path.normcase(path) for path in startup.site.getsitepackages()}
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    outside = {*prefixes, *own, startup.site.USER_SITE or "/", startup.site.USER_BASE or "/"}
    if (
        not libs
        or name != "site"
        or os.path.realpath(module.file) != module.file
        or not os.path.basename(build).startswith("pip-build-env-")
        or not own.issuperset(sites)
        or not all(os.path.isabs(path) and is_below(path, build) for path in libs)
        or any(is_below(build, os.path.realpath(path)) for path in outside)
    ):
        return False
    path: list[Any] = sys.path[:]
    known: set[str] = set()
    startup.done.clear()  # they are to be read once more
    sys.path[:] = []
    for site_dir in sites:
        startup.site.addsitedir(site_dir, known)
    taken = {os.path.normcase(entry) for entry in sys.path}
    sys.path[:] = [x for x in path if not (isinstance(x, str) and os.path.normcase(x) in taken)]
    for lib in libs:
        startup.site.addsitedir(lib)
    startup.trace(module, "performed")
    return True


def is_below(path: str, folder: str) -> bool:
    """Return whether a path, without its links, lies in a folder that is not the root."""
    return folder != os.sep and os.path.realpath(path).startswith(folder.rstrip(os.sep) + os.sep)


def read_pip_lists(file: str) -> "tuple[list[str], list[str]]":
    """Return the site directories and the folders that pip's ``sitecustomize`` names.

    Both are empty unless the file is, to the last character, what pip writes.
    """
    try:
        text = (core.read_startup_file(file, skips_hidden=False) or b"").decode()
    except (OSError, ValueError):
        return [], []
    loops = [line[12:-1] for line in text.split("\n") if line.startswith("for path in ")]
    if file.endswith(".py") and len(loops) == 2:
        sites, libs = (loop[2:-2].replace("\\\\", "\\").split("', '") for loop in loops)
        literals = "{" + ", ".join(map(repr, sites)) + "}", repr(libs)
        for known in (PIP_OLD, PIP_NEW):
            if text == known.replace("{sites}", literals[0]).replace("{libs}", literals[1]):
                return sites, libs
    return [], []


# uv.

OVERLAY_FILE = "_uv_ephemeral_overlay.pth"


def keeps(startup: "Startup", line: "Record", text: str) -> bool:
    """Add the site directories that the line of ``uv run --with`` names, if it is one."""
    folders = read_overlay(text)
    if not folders or os.path.basename(line.file) != OVERLAY_FILE:
        return False
    if (line.file, line.line) in startup.done:  # it names the site directory that it lies in
        return True
    startup.done.add((line.file, line.line))
    for folder in folders:
        startup.site.addsitedir(folder)
    startup.trace(line, "performed")
    return True


def read_overlay(text: str) -> "list[str]":
    """Return the folders that the line of ``uv run --with`` names; none if it is another line.

    As text up to 0.11, as bytes since; one folder or two.
    """
    folders = []
    for call in text.removesuffix(";").split("; ")[1:]:
        literal = call.removeprefix("site.addsitedir(").removesuffix(")")
        if f"site.addsitedir({literal})" != call:
            return []
        data = literal.removeprefix('__import__("os").fsdecode(b').removesuffix(")")
        if literal == f'__import__("os").fsdecode(b{data})':
            folders.append(os.fsdecode(read_literal(data, "ascii")))
        else:
            folders.append(read_literal(literal, "utf-8").decode())
    return folders if all(os.path.isabs(folder) for folder in folders) else []


def read_literal(literal: str, encoding: str) -> bytes:
    """Return what a literal in double quotes stands for; nothing if it is not just one."""
    body, rest = literal[1:-1], []
    if len(literal) < 2 or literal[0] != '"' or literal[-1] != '"' or not body.isprintable():
        return b""
    while body:
        plain, escape, body = body.partition("\\")
        if '"' in plain:
            return b""
        rest.append(plain.encode(encoding))
        if not escape:
            break
        if body[:1] == "x" and len(body) > 2 and encoding == "ascii":
            rest.append(bytes([int(body[1:3], 16)]))
            body = body[3:]
        elif body[:1] in ("\\", '"', "'") and body:
            rest.append(body[:1].encode())
            body = body[1:]
        else:
            return b""
    return b"".join(rest)
