"""What the output of autopkgtest says of an installation in a testbed that failed, or did not end.

autopkgtest's own results name neither the package nor its script: ``badpkg`` stands for all failures, and a maintainer
script that hangs is a failure of the testbed for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from scripts.deployment import installation

PREPARED: Final = re.compile(r"test (\S+): preparing testbed$", re.MULTILINE)
HANGS: Final = re.compile(r'testbed failure: timed out on command ".*" \(kind: install\)')
BEGIN: Final = "Reading package lists..."  # of each call of apt
# What dpkg does: with a name, a script of this package can run.
DOES: Final = re.compile(
    r"^(?:Setting up|Removing|Processing triggers for) (?P<one>[^\s:]+)(?::\S+)? \(.*"
    r"|^Preparing to unpack (?:\S*/)?(?:\d+-)?(?P<other>[^/_\s]+)_.*|^(?:Selecting|Unpacking) .*",
    re.MULTILINE,
)
OWN: Final = re.compile("autopkgtest-satdep|satisfy:command-line")  # depends on what a test needs


def last_test(said: str) -> str:
    """Return the test that was prepared last, "" before the first one."""
    return next(reversed(PREPARED.findall(said)), "")


def hanging(said: str, names: Collection[str]) -> str:
    """Return which of some packages has a script that did not end in time, "" for none: a mirror can hang as well."""
    if not HANGS.search(said):
        return ""
    done = [*DOES.finditer(said.rpartition(BEGIN)[2])]
    found = done[-1] if done else None
    name = (found["one"] or found["other"]) if found else None
    return found[0] if found and name in names else ""


def refused(said: str, test: str = "") -> str:
    """Return why the packages of a test could not be installed, or those of a package before all tests; "" without a reason."""
    own = said.partition(f"test {test}: preparing testbed\n")[2] if test else said
    before = re.split(rf"^{re.escape(test)} +FAIL badpkg$", own, maxsplit=1, flags=re.MULTILINE)[0]
    lines = before.splitlines()
    others = [line for line in lines if not OWN.search(line)]
    if _any(installation.UNPROCESSED, others):
        return str(installation.unprocessed(others))
    found = others if _any(installation.UNMET, others) else lines
    return OWN.sub("the test", str(installation.unmet(found).args[0])) if _any(installation.UNMET, found) else ""


def _any(pattern: re.Pattern[str], lines: Sequence[str]) -> bool:
    return any(map(pattern.match, lines))
