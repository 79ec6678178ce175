"""Have another Python run a script of ours."""

import sys
import time

import aim

aim.need_version(3, 14)
sys.remote_exec(aim.PROCESS, aim.put("script.py", f"open({aim.WITNESS!r}, 'w').close()\n"))
time.sleep(0.5)
