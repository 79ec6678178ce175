"""End what guards, or have it lack what it needs; without a guard this aims at pip."""

import os
import signal

import aim

RUN = os.environ.get("SAFESITE_GUARD_RUN", "")
# The broker's folder is named by its number.
ABOVE = int(RUN.rpartition("safesite-guard-")[2].partition("-")[0]) if RUN else os.getppid()


def limited():
    import resource

    given = resource.prlimit(ABOVE, resource.RLIMIT_NOFILE)
    resource.prlimit(ABOVE, resource.RLIMIT_NOFILE, (4, 4) if RUN else given)


def by_descriptor():
    signal.pidfd_send_signal(os.pidfd_open(ABOVE), 0)


WAYS = {
    "kill": lambda: os.kill(ABOVE, 0),
    "kill all": lambda: os.kill(-1, 0),
    "killpg": lambda: os.killpg(os.getpgid(ABOVE), 0),
    "pidfd": by_descriptor,
    "prlimit": limited,
}
WAYS[aim.VARIANT]()
aim.reached()
