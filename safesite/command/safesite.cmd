@echo off
rem safesite [--python P] [safesite's option] [-c CODE | -m MODULE | FILE ...] [args]
rem The twin of the shell launcher for Windows.  It does not take Python's own options: for these type
rem python OPTIONS -S -m safesite, after safesite --install-stdlib.
"%~dp0python.exe" -S "%~dp0..\Lib\site-packages\safesite\command\start.py" %*
