"""End what guards, or have it lack what it needs; without a guard this aims at pip."""

import fcntl
import os
import signal
import socket
import struct

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


def owned(call, command, arg):
    """Have the system send another process a signal when something is to be read."""
    here, _there = socket.socketpair()
    call(here, command, arg)


WAYS = {
    "kill": lambda: os.kill(ABOVE, 0),
    "kill all": lambda: os.kill(-1, 0),
    "killpg": lambda: os.killpg(os.getpgid(ABOVE), 0),
    "pidfd": by_descriptor,
    "prlimit": limited,
    "F_SETOWN": lambda: owned(fcntl.fcntl, fcntl.F_SETOWN, ABOVE),
    "F_SETOWN_EX": lambda: owned(fcntl.fcntl, 15, struct.pack("ii", 1, ABOVE)),
    "F_SETSIG": lambda: owned(fcntl.fcntl, 10, signal.SIGKILL),
    "FIOSETOWN": lambda: owned(fcntl.ioctl, 0x8901, struct.pack("i", ABOVE)),
    "SIOCSPGRP": lambda: owned(fcntl.ioctl, 0x8902, struct.pack("i", ABOVE)),
}
WAYS[aim.VARIANT]()
aim.reached()
