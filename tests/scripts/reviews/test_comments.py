"""Words in comments."""

from __future__ import annotations

import pytest

from lab.forges.proposals import ForgeComment, Proposal, ProposalId
from scripts.reviews import comments

HEAD = "1234567" + "a" * 33
ONE = ProposalId(forge="f", project="p", number=1, head=HEAD, ref="refs/pull/1/head", branch="main")


@pytest.mark.parametrize(
    "comment, meant",
    [
        ("recheck", True),
        ("RECHECK\nthanks", True),
        ("recheck bug 5", True),
        ("recheck bug #1234567 ", True),
        ("recheck no bug", True),
        ("no recheck", False),
        ("rechecked", False),
        ("recheck-nova-only", False),
        ("recheck: mirror was down", False),
        ("Recheck is pointless before the parent merges", False),
        ("    recheck", False),  # a block of code
        ("> recheck", False),
        ("please recheck", False),
    ],
)
def test_recheck(comment: str, *, meant: bool) -> None:
    said = ForgeComment("1", "alice", comment, "2026-01-02T00:00:00Z")
    assert comments.is_rechecked([said], "2026-01-01T00:00:00.000Z") is meant
    own = ForgeComment("1", "lab", comment, "2026-01-02T00:00:00Z", is_own=True)
    assert not comments.is_rechecked([own], "2026-01-01T00:00:00.000Z")


@pytest.mark.parametrize(
    "comment, trusted, meant",
    [
        ("ok to test 1234567", True, True),
        ("/ok-to-test 1234567aaaa", True, True),
        ("Fine.\nOK to test 1234567AAAA\n", True, True),
        ("ok to test 1234567", False, False),
        ("ok to test", True, False),
        ("ok to test 123456", True, False),
        ("ok to test 7654321", True, False),
        ("not ok to test 1234567", True, False),
        ("> ok to test 1234567", True, False),
    ],
)
def test_approval(comment: str, *, trusted: bool, meant: bool) -> None:
    said = ForgeComment("1", "maria", comment, "", is_trusted=trusted)
    assert comments.is_approved(Proposal(ONE, "eve"), [said]) is meant
    assert comments.is_approved(Proposal(ONE, "eve", is_trusted=True), [])


def test_references() -> None:
    text = "Title\n\nDepends-On: https://x/1\ndepends-on: I12 \nDepends-On: https://x/1\nIt says Depends-On: y\n"
    assert comments.references(Proposal(ONE, "eve", text)) == ["https://x/1", "I12"]
