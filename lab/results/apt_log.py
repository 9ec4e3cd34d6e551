"""Failures in the output of apt, mmdebstrap and sbuild: the line that explains them, unmet dependencies, a full disk."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 200
FULL = "No space left on device"
FULL_FORMS = re.compile(
    r"no space left on device|disk quota exceeded|ENOSPC|You don't have enough free space in ", re.IGNORECASE
)
UNMET = "The following packages have unmet dependencies:"
KINDS = "(?:Pre-?)?Depends|Conflicts|Breaks"
RELATION = re.compile(rf"^ *(\S+ : )?({KINDS}): .")
OF_BUILD = re.compile(r"^ *(sbuild-build-depends-\S+ : )?(Depends: )?")
# As the solver of apt 3 has it.
CHOICES = re.compile(rf"^ +\d+\. \S+ (?:{KINDS}) (?P<relation>.+?)(?: but none of the choices are installable:)?$")
# apt-get update warns of an index that it cannot download now, keeps the old one and exits with 0.
NOT_FETCHED = re.compile(r"^[EW]: Failed to fetch .*", re.MULTILINE)


def is_full(line: str) -> bool:
    """Return whether a line says that a disk, or a quota, is full."""
    return bool(FULL_FORMS.search(line))


def complaint(lines: Sequence[str]) -> str:
    """Return the line of an output that explains a failure best."""
    errors = [line for line in lines if line.startswith("E: ")]
    full = [line for line in lines if is_full(line)]
    fetching = [line for line in errors if "Failed to fetch" in line]
    last = [line for line in reversed(lines) if line.strip()]
    return [*full, *fetching, *errors, *last, "it did not say why"][0].removeprefix("E: ")[:LONGEST]


def unmet(log: str) -> str:
    """Return the dependencies that apt cannot satisfy, with its reasons; "" when there are none.

    They are on standard output, and errors on standard error may come between them, or after the indent of one.
    """
    after = log.partition(UNMET)[2].splitlines()
    found = [OF_BUILD.sub("", line) for line in after if RELATION.match(line)]
    choices = [match["relation"] for line in log.splitlines() if (match := CHOICES.match(line))]
    return "; ".join(dict.fromkeys([*found, *choices]))


def not_fetched(log: str) -> str:
    """Return the first line about a file that apt could not download; "" when there is none."""
    found = NOT_FETCHED.search(log)
    return found[0][len("E: ") :][:LONGEST] if found else ""
