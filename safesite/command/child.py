# For the interpreter launcher: python -S child.py LAUNCHER FLAGS TARGET; see start.py
import os, sys

sys.path.insert(0, __file__[:-26])  # less /safesite/command/child.py
import safesite

safesite.start(False, True)
