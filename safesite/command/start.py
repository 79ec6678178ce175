# The command `safesite` runs this file: python -S .../safesite/command/start.py [option] TARGET
# Each start compiles it, and a line costs as much as ten in a module: the rest is done by start().
import os, sys  # what safesite imports is imported before the folder that it lies in counts

sys.path.insert(0, __file__[:-26])  # less /safesite/command/start.py
import safesite

safesite.start(False)
