"""The ownership mark: the name of the lab that manages an item of a Jenkins, at the end of the item's description.

``<!-- Managed by qalab: lab=NAME digest=HEX -->``, a comment to a browser.  Only the end of a description counts, so
that a description can mention marks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

JJB_MARK = "<!-- Managed by Jenkins Job Builder -->"
PATTERN = r"<!-- Managed by qalab: lab=([a-z0-9][a-z0-9.-]*) digest=([0-9a-f]{64}) -->"
MARKS = re.compile(rf"(?:(?:{JJB_MARK}|{PATTERN})\s*)+\Z")
"""All marks at the end of a description, including those of Jenkins Job Builder."""

_LAST = re.compile(rf"{PATTERN}\s*\Z")


@dataclass(frozen=True)
class Mark:
    """The lab that manages an item, and the digest of its last applied configuration."""

    lab: str
    digest: str

    def __str__(self) -> str:
        return f"<!-- Managed by qalab: lab={self.lab} digest={self.digest} -->"


def of_description(description: str) -> Mark | None:
    """Return the mark at the end of a description; None when it ends with none."""
    found = _LAST.search(description)
    return Mark(*found.groups()) if found else None
