"""The Debian revision of what a lab builds: ``0qalab+deb13+B``.  No input, no output.

The release comes before the build number, as in ``~bpo13+1`` of backports.debian.org and ``+deb13u1`` of the
Developer's Reference: whatever was rebuilt how often, an upgrade to the next release finds a higher version.  The number
of the release, not its codename: ``trixie`` sorts after ``forky``.

Older labs have ``0qalabB~CODENAME1`` in their archives.  In deb-version(7) a ``+`` sorts after the end of
a part, so ``0qalab+deb13+1`` is above all of these, and the number starts at 1 again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

RELEASES: Mapping[str, Mapping[str, str]] = {
    "debian": {
        "buster": "deb10", "bullseye": "deb11", "bookworm": "deb12", "trixie": "deb13", "forky": "deb14", "duke": "deb15",
    },
    "ubuntu": {
        "focal": "ubuntu20.04", "jammy": "ubuntu22.04", "noble": "ubuntu24.04", "oracular": "ubuntu24.10",
        "plucky": "ubuntu25.04", "questing": "ubuntu25.10", "resolute": "ubuntu26.04",
    },
}  # fmt: skip
"""Releases by codename, as in distro-info-data."""
_MADE_BY_A_LAB = re.compile(r"[-+]0qalab[0-9+]")


def release(distribution: str, codename: str) -> str:
    """Return what a revision calls a release: ``deb13``; the codename for a release without a number (sid), or a new one."""
    return RELEASES[distribution].get(codename, codename)


def made_by_a_lab(version: str) -> bool:
    """Return whether a lab has built a Debian version."""
    return bool(_MADE_BY_A_LAB.search(version))


def revision(release: str, number: int) -> str:
    """Return the Debian revision of a lab's build."""
    return f"0qalab+{release}+{number}"


def build_number(upstream: str, release: str, taken: Iterable[str]) -> int:
    """Return one more than the highest build number of an upstream version among versions, or names of source packages."""
    pattern = re.compile(rf"(?:^|[:_]){re.escape(upstream)}[-+]0qalab\+{re.escape(release)}\+(\d+)")
    return 1 + max((int(match[1]) for text in taken if (match := pattern.search(text))), default=0)
