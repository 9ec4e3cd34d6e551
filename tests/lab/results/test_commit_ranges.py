"""Other reasons of a breakage than the commits that its builds list."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.results.commit_ranges import REWRITTEN, UNLISTED, other_reasons


@dataclass(frozen=True)
class Listed:
    """A build of a commit, and after which one its list begins.

    At the end of a word, ``!``: the branch was rewritten; ``+``: the list lacks a commit; ``=``: it is empty.
    """

    commit: str
    since: str
    rewritten: bool
    commits: tuple[str, ...]
    unlisted: int


def listed(word: str) -> Listed:
    since, _, rest = word.partition("..")
    commit, marks = rest.rstrip("!=+"), rest.lstrip("abcdef")
    return Listed(commit, since, "!" in marks, (commit,) * ("=" not in marks), marks.count("+"))


@pytest.mark.parametrize(
    "good, words, expected",
    [
        ("a", "a..b", []),
        ("a", "a..b b..c", []),
        ("a", "a..b a..c", []),  # the build of b was not packaged
        ("a", "b..c", [str(UNLISTED)]),  # that of b was retracted
        ("a", "a..b c..d", [str(UNLISTED)]),
        ("a", "a..b c..d d..e", [str(UNLISTED)]),
        ("a", "b..a= a..c", []),  # an older commit was built by hand, and lists none
        ("a", "..c", []),  # an older release recorded no beginnings
        ("", "b..c", []),  # a build without a commit
        ("a", "a..c!", [str(REWRITTEN)]),
        ("a", "b..c!", [str(REWRITTEN)]),
        ("a", "b..c d..e!", [str(REWRITTEN), str(UNLISTED)]),
        ("a", "a..b b..c! c..d", [str(REWRITTEN)]),
        ("a", "a..b+", ["1 commit that no list names"]),
        ("a", "a..b+ b..c d..e++", [str(UNLISTED), "3 commits that no list names"]),
        ("a", "a..b=+", ["1 commit that no list names"]),
        ("a", "", []),
    ],
)
def test_other_reasons(good: str, words: str, expected: list[str]) -> None:
    assert [*map(str, other_reasons(good, map(listed, words.split())))] == expected
