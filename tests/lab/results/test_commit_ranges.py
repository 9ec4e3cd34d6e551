"""Other reasons of a breakage than the commits that its builds list."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.results.commit_ranges import REWRITTEN, UNLISTED, other_reasons


@dataclass(frozen=True)
class Listed:
    """A build of a commit, and after which one its list begins; ``!`` at the end of a word: the branch was rewritten."""

    commit: str
    since: str
    rewritten: bool
    commits: tuple[str, ...]


def listed(word: str) -> Listed:
    since, _, rest = word.partition("..")
    commit, named = rest.rstrip("!=").strip(), not rest.rstrip("!").endswith("=")
    return Listed(commit, since, word.endswith("!"), (commit,) * named)


@pytest.mark.parametrize(
    "good, words, expected",
    [
        ("a", "a..b", []),
        ("a", "a..b b..c", []),
        ("a", "a..b a..c", []),  # the build of b was not packaged
        ("a", "b..c", [UNLISTED]),  # that of b was retracted
        ("a", "a..b c..d", [UNLISTED]),
        ("a", "a..b c..d d..e", [UNLISTED]),
        ("a", "b..a= a..c", []),  # an older commit was built by hand, and lists none
        ("a", "..c", []),  # an older release recorded no beginnings
        ("", "b..c", []),  # a build without a commit
        ("a", "a..c!", [REWRITTEN]),
        ("a", "b..c!", [REWRITTEN]),
        ("a", "b..c d..e!", [REWRITTEN, UNLISTED]),
        ("a", "a..b b..c! c..d", [REWRITTEN]),
        ("a", "", []),
    ],
)
def test_other_reasons(good: str, words: str, expected: list[object]) -> None:
    assert list(other_reasons(good, map(listed, words.split()))) == expected
