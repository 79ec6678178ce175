"""List the folder of the keys."""

import glob
import os
import pathlib

import aim

WAYS = {
    "os.listdir": lambda: os.listdir(aim.KEYS),
    "os.scandir": lambda: [entry.name for entry in os.scandir(aim.KEYS)],
    "bytes": lambda: os.listdir(os.fsencode(aim.KEYS)),
    "glob": lambda: glob.glob(aim.KEYS + "/*") or os.listdir(aim.KEYS),
    "pathlib": lambda: list(pathlib.Path(aim.KEYS).iterdir()),
    "os.walk": lambda: list(os.walk(aim.KEYS, onerror=print)) or os.listdir(aim.KEYS),
    "os.fwalk": lambda: (
        [entry[:3] for entry in os.fwalk(aim.KEYS, onerror=print)] or os.listdir(aim.KEYS)
    ),
    "descriptor": lambda: os.listdir(os.open(aim.KEYS, os.O_RDONLY)),
    "cwd": lambda: (os.chdir(aim.KEYS), os.listdir()),
}
aim.take(WAYS[aim.VARIANT]())
