"""Failures in the output of apt, mmdebstrap and sbuild: the line that explains them, unmet dependencies, a full disk."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 200
FULL = "No space left on device"
UNMET = re.compile(r"^The following packages have unmet dependencies:\n((?: .*\n)+)", re.MULTILINE)
RELATION = re.compile(r"^ *(sbuild-build-depends-\S+ : )?(Depends: )?")
# apt-get update warns of an index that it cannot download now, keeps the old one and exits with 0.
NOT_FETCHED = re.compile(r"^[EW]: Failed to fetch .*", re.MULTILINE)


def complaint(lines: Sequence[str]) -> str:
    """Return the line of an output that explains a failure best."""
    errors = [line for line in lines if line.startswith("E: ")]
    full = [line for line in lines if FULL in line]
    fetching = [line for line in errors if "Failed to fetch" in line]
    last = [line for line in reversed(lines) if line.strip()]
    return [*full, *fetching, *errors, *last, "it did not say why"][0].removeprefix("E: ")[:LONGEST]


def unmet(log: str) -> str:
    """Return the dependencies that apt cannot satisfy, with its reasons; "" when there are none."""
    found = UNMET.search(log)
    return "; ".join(RELATION.sub("", line) for line in found[1].splitlines()) if found else ""


def not_fetched(log: str) -> str:
    """Return the first line about a file that apt could not download; "" when there is none."""
    found = NOT_FETCHED.search(log)
    return found[0][len("E: ") :][:LONGEST] if found else ""
