"""Whether there may be a policy, where the standard library has a ``sitecustomize`` (Debian).

Loaded there by a start without startup code, which would not ask `core`: without a policy nothing
may allow that module.  Imports only what stock ``site`` has loaded.
"""

import os


def policy_may_exist() -> bool:
    """Return whether a file lies in one of the places of a policy, as `core.Startup` looks."""
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    yours = os.path.join(folder, "safesite", "policy")
    named = os.environ.get("SAFESITE_POLICY")
    return bool(named) or os.path.lexists("/etc/safesite/policy") or os.path.lexists(yours)
