"""Say that the home folder is elsewhere, or that the build is, and read."""

import os
import tempfile

import aim

WAYS = {
    "HOME": lambda: os.environ.update(HOME=aim.WORK, XDG_CONFIG_HOME=aim.WORK),
    "TMPDIR": lambda: (os.environ.update(TMPDIR=aim.HOME), setattr(tempfile, "tempdir", aim.HOME)),
    "PWD": lambda: os.environ.update(PWD=aim.HOME, OLDPWD=aim.HOME),
    "VIRTUAL_ENV": lambda: os.environ.update(VIRTUAL_ENV=aim.HOME),
    "chdir": lambda: os.chdir(aim.HOME),
    "cleared": os.environ.clear,
}
WAYS[aim.VARIANT]()
for name in ("PATH", "SAFESITE_GUARD"):
    os.putenv(name, aim.HOME)
aim.steal()
