"""The ownership mark: the name of the lab that manages an item of a Jenkins, at the end of the item's description.

``<!-- Managed by qalab: lab=NAME digest=HEX -->``, a comment to a browser.  Only the end of a description counts, so
that a description can mention marks.  Generated YAML contains the mark without a digest, which nobody knows before
Jenkins Job Builder expands it; stock Jenkins Job Builder adds its own mark after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

JJB_MARK = "<!-- Managed by Jenkins Job Builder -->"
PATTERN = r"<!-- Managed by qalab: lab=([a-z0-9][a-z0-9.-]*)(?: digest=([0-9a-f]{64}))? -->"
MARKS = re.compile(rf"(?:(?:{JJB_MARK}|{PATTERN})\s*)+\Z")
"""All marks at the end of a description, including those of Jenkins Job Builder."""

_LAST = re.compile(rf"{PATTERN}\s*(?P<jjb>{JJB_MARK}\s*)?\Z")


@dataclass(frozen=True)
class Mark:
    """The lab that manages an item, and the digest of the configuration that qalab applied last.

    ``digest`` is empty if stock Jenkins Job Builder applied it.
    """

    lab: str
    digest: str

    def __str__(self) -> str:
        return f"<!-- Managed by qalab: lab={self.lab}{f' digest={self.digest}' if self.digest else ''} -->"


def of_description(description: str) -> Mark | None:
    """Return the mark at the end of a description; None when it ends with none.

    Jenkins Job Builder's mark can follow one without a digest: it applies what `qalab jenkins generate` writes.
    """
    found = _LAST.search(description)
    if found is None or (found["jjb"] and found[2]):
        return None
    return Mark(found[1], found[2] or "")
