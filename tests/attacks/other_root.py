"""Have paths begin at another root, which makes a user's file one of /usr."""

import os

import aim

if os.geteuid():
    raise aim.Unavailable("only root may do that")
kept = os.open(aim.loot_of(aim.TOKEN), os.O_WRONLY | os.O_CREAT, 0o600)
os.chroot(aim.HOME)
with open("/usr/lib/secret", "rb") as file:
    os.write(kept, file.read())
