"""The profiles: what lies in an environment's site-packages, and which program starts there."""

from __future__ import annotations

from dataclasses import dataclass, replace

# Pinned, so that a number changes when safesite or Python does, and never by a release of these.
# Both run on all of 3.10 to 3.15.
SETUPTOOLS = "setuptools==84.2.1"
COVERAGE = "coverage==7.16.2"


@dataclass(frozen=True)
class Profile:
    """What lies in an environment's site-packages, and the program that is started there."""

    name: str
    about: str
    packages: tuple[str, ...] = ()
    editable: bool = False
    files: int = 0
    """How many startup files there are,"""
    entries: int = 1
    """and how many path entries in each."""
    line: str = ""
    policy: int = 0
    """How many entries a policy has, none of which is about the line."""
    program: str = "pass"
    against_plain: bool = False
    """Whether the baseline is the same command beside a path entry, and not stock Python."""

    @property
    def installs(self) -> bool:
        """Whether pip is needed, and so the network."""
        return bool(self.packages) or self.editable

    def plain(self) -> Profile:
        """Return the same program beside one startup file with a path entry; or without a policy.

        Other editable installs are no more than that: what is compared is the import line.
        """
        if self.policy:
            return replace(self, policy=0)
        return replace(self, packages=(), editable=False, files=1, line="")


PROFILES = (
    Profile("empty", "no packages"),
    Profile(
        "typical",
        "setuptools, coverage, one editable install",
        (SETUPTOOLS, COVERAGE),
        editable=True,
    ),
    Profile("many", "1,000 startup files with one path entry each", files=1000),
    Profile("refused", "one import line, which safesite refuses", line="import sys"),
    Profile(
        "subprocess",
        "`import subprocess`, with an editable install: an import line / a path entry",
        editable=True,
        program="import subprocess",
        against_plain=True,
    ),
)
SIZES = (1, 10, 100, 1000)
GROWTH = tuple(
    [Profile(f"files-{n}", f"startup files with one path entry each: {n}", files=n) for n in SIZES]
    + [
        Profile(f"entries-{n}", f"path entries in one startup file: {n}", files=1, entries=n)
        for n in SIZES
    ]
    + [
        Profile(
            f"policy-{n}",
            f"one refused import line and a policy of {n:,} entries / without the policy",
            line="import sys",
            policy=n,
            against_plain=True,
        )
        for n in (10, 10_000)
    ]
)
