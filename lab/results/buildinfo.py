"""A .buildinfo file: which versions of packages a build had.  See deb-buildinfo(5)."""

from __future__ import annotations

import re

from debian.deb822 import Deb822

INSTALLED = re.compile(r"(\S+) \(= ([^)\s]+)\)")


def installed_versions(buildinfo: str) -> dict[str, str]:
    """Return the packages that were installed for a build, with their versions, sorted by name."""
    return dict(sorted(INSTALLED.findall(Deb822(buildinfo).get("Installed-Build-Depends", ""))))
