"""The ownership mark: the name of the lab that manages an item of a Jenkins, at the end of the item's description.

``<!-- Managed by qalab: lab=NAME digest=HEX item=NAME -->``, a comment to a browser.  Only the end of a description counts,
so that a description can mention marks.  A copy that a person makes of an item has the mark of the item, and its name.  Generated YAML contains the mark without a digest, which nobody knows before
Jenkins Job Builder expands it; stock Jenkins Job Builder adds its own mark after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

JJB_MARK = "<!-- Managed by Jenkins Job Builder -->"
PATTERN = (
    r"<!-- Managed by qalab: lab=([a-z0-9][a-z0-9.-]*)(?: digest=([0-9a-f]{64}))?(?: item=([A-Za-z0-9_.~%/-]+))? -->"
)
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
    item: str = field(default="", compare=False)
    """The full name of the item that the mark was written for; empty in marks of stock Jenkins Job Builder."""

    def is_copied(self, name: str) -> bool:
        """Return whether the item with this full name is a copy of another one; its folder can have been renamed."""
        return bool(self.item) and self.item.rpartition("/")[2] != name.rpartition("/")[2]

    def __str__(self) -> str:
        digest = f" digest={self.digest}" if self.digest else ""
        item = f" item={quote(self.item)}" if self.item else ""
        return f"<!-- Managed by qalab: lab={self.lab}{digest}{item} -->"


def of_description(description: str) -> Mark | None:
    """Return the mark at the end of a description; None when it ends with none.

    Jenkins Job Builder's mark can follow one without a digest: it applies what `qalab jenkins generate` writes.
    """
    found = _LAST.search(description)
    if found is None or (found["jjb"] and found[2]):
        return None
    return Mark(found[1], found[2] or "", unquote(found[3] or ""))
