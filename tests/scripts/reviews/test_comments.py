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
        (f"ok to test {HEAD}", True, True),
        (f"/ok-to-test {HEAD.upper()}", True, True),
        (f"Fine.\nOK to test {HEAD}\n", True, True),
        (f"ok to test {HEAD}", False, False),
        ("ok to test", True, False),
        (f"ok to test {HEAD[:12]}", True, False),  # others can make a commit with these digits
        (f"ok to test {HEAD[:39]}0", True, False),
        (f"not ok to test {HEAD}", True, False),
        (f"> ok to test {HEAD}", True, False),
    ],
)
def test_approval(comment: str, *, trusted: bool, meant: bool) -> None:
    said = ForgeComment("1", "maria", comment, "", is_trusted=trusted)
    assert comments.is_approved(Proposal(ONE, "eve"), [said]) is meant
    assert comments.is_approved(Proposal(ONE, "eve", is_trusted=True), [])


def test_references() -> None:
    text = "Title\n\nDepends-On: https://x/1\ndepends-on: I12 \nDepends-On: https://x/1\nIt says Depends-On: y\n"
    assert comments.references(Proposal(ONE, "eve", text)) == ["https://x/1", "I12"]


def test_references_are_limited() -> None:
    text = "".join(f"Depends-On: I{number}\n" for number in range(1000))
    assert len(comments.references(Proposal(ONE, "eve", text))) == comments.MOST + 1


@pytest.mark.parametrize(
    "texts, without",
    [
        (["Passed: 1 of 1\nNo vote: the change is a draft.\n\n<!-- qalab: {head} 0 -->"], True),
        (["Passed: 1 of 1\nNo vote: closed.\n\nqalab: {head} 0", "Passed: 1 of 1\n\nqalab: {head} 1"], False),
        (["Passed: 1 of 1\n\nqalab: {head} 1"], False),
        (["Passed: 1 of 1\nNo vote: closed.\n\nqalab: 000000000000 0"], False),  # of another head
        (["No vote: {head}"], False),
        ([], False),
    ],
)
def test_head_without_vote(texts: list[str], *, without: bool) -> None:
    said = [
        ForgeComment("1", "lab", text.format(head=HEAD[:12]), "2026-01-02T00:00:00Z", is_own=True) for text in texts
    ]
    assert comments.is_without_vote(said, ONE.key, "2026-01-01T00:00:00.000Z") is without
    assert not comments.is_without_vote(said, ONE.key, "2026-01-03T00:00:00.000Z")  # before the last build
