"""Words in comments and descriptions of proposals: ``recheck``, ``ok to test HEAD``, ``Depends-On: REFERENCE``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from lab.forges.proposals import NO_VOTE, ForgeComment, Proposal, mark_of

RECHECK: Final = re.compile(r"(?im)^recheck(\s+(no bug|bug\s+#?\d+))?\s*$")
APPROVAL: Final = re.compile(r"(?im)^/?ok[ -]to[ -]test\s+([0-9a-f]{40,64})\s*$")
DEPENDS_ON: Final = re.compile(r"(?im)^Depends-On:\s*(\S+)\s*$")
SHORT: Final = 12
MOST: Final = 20


def is_approved(proposal: Proposal, comments: Sequence[ForgeComment]) -> bool:
    """Return whether the head may be tested: by a maintainer, or with the word of one for exactly this head."""
    if proposal.is_trusted:
        return True
    words = [match[1] for one in comments if one.is_trusted and not one.is_own for match in APPROVAL.finditer(one.text)]
    # In full: commits with the same first digits can be made on purpose.
    return any(proposal.id.head == word.lower() for word in words)


def is_rechecked(comments: Sequence[ForgeComment], since: str) -> bool:
    """Return whether somebody asks for another test after a moment (RFC 3339)."""
    asked = (one for one in comments if not one.is_own and RECHECK.search(one.text))
    return any(_is_after(one, since) for one in asked)


def is_without_vote(comments: Sequence[ForgeComment], key: str, since: str) -> bool:
    """Return whether the lab's last comment on a head, after a moment, says why it got no vote."""
    head = key.rpartition(" ")[2][:SHORT]
    told = [one for one in comments if one.is_own and mark_of(one.text).partition(" ")[0] == head]
    return bool(told) and NO_VOTE in told[-1].text and _is_after(told[-1], since)


def _is_after(one: ForgeComment, since: str) -> bool:
    return datetime.fromisoformat(one.when) > datetime.fromisoformat(since)


def references(proposal: Proposal) -> list[str]:
    """Return what the description depends on, each once and at most `MOST`: each is a question to the server."""
    return list(dict.fromkeys(DEPENDS_ON.findall(proposal.text)))[: MOST + 1]


def approval_wanted(proposal: Proposal) -> str:
    """Return the comment that asks for the word of a maintainer."""
    return (
        "The lab does not know the author, and does not test this change by itself.\n"
        f"A maintainer who has read it can comment: `ok to test {proposal.id.head}`. "
        "The word holds for this head only."
    )


def digest(text: str) -> str:
    """Return what distinguishes the text of a comment from others."""
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]
