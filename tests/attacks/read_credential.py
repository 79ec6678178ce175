"""Read a file that holds a credential."""

import os

import aim

aim.read(os.path.join(aim.HOME, aim.VARIANT))
