"""The commits of a range, and other reasons of a breakage than these."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.results.commit_ranges import REWRITTEN, UNLISTED, ListedRange


@dataclass(frozen=True)
class OneCommit:
    id: str


@dataclass(frozen=True)
class Listed:
    """A build of a commit, and after which one its list begins.

    At the end of a word, ``!``: the branch was rewritten; ``+``: the list lacks a commit; ``=``: it is empty; ``-``: one of
    it is left out here.  ``:abc``: it has these.
    """

    commit: str
    since: str
    rewritten: bool
    commits: tuple[OneCommit, ...]
    unlisted: int
    commit_count: int


def listed(word: str) -> Listed:
    word, _, names = word.partition(":")
    since, _, rest = word.partition("..")
    commit, marks = rest.rstrip("!=+-"), rest.lstrip("abcdef")
    names = "" if "=" in marks else names or commit
    commits = tuple(map(OneCommit, names))
    return Listed(commit, since, "!" in marks, commits, marks.count("+"), len(commits) + marks.count("-"))


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
        ("a", "a..b b..b= b..c", []),  # b was built again
        ("a", "b..b= b..c", [str(UNLISTED)]),  # and the first build of b was retracted
        ("a", "b..b= a..c:cb", []),
        ("a", "a..a= a..c", []),
        ("a", "a..b= b..c", []),  # a merge that lists nothing
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
    found = ListedRange(listed(f"..{good}"), [*map(listed, words.split())])
    assert [*map(str, found.reasons())] == expected


@pytest.mark.parametrize(
    "good, words, expected",
    [
        ("a..b", "b..c:c", ("c", 1, 0)),
        ("a..b", "b..d:dc d..e", ("dce", 3, 0)),
        # b was not packaged, so the list of c begins before the range
        ("a..c:cb", "a..d:dcb", ("d", 1, 0)),
        ("a..c:cb", "a..d:dcb a..e:edcb", ("de", 2, 0)),
        ("a..c:cb", "a..d:dcb d..e:e", ("de", 2, 0)),
        ("a..c+:cb", "a..d+:dcb", ("d", 1, 0)),  # what no list names is older
        ("a..c+:cb", "a..e++:ed", ("ed", 2, 0)),  # a longer list names the newest ones
        ("a..c:cb", "a..e+:edcb", ("ed", 3, 1)),
        ("a..b", "a..d+:d", ("d", 1, 0)),
        ("b..c", "a..d:dcb", ("d", 1, 0)),  # the archive went back
        ("a..b", "b..d-:d", ("d", 2, 0)),  # one is known elsewhere
        ("a..b", "b..d-+:d", ("d", 3, 1)),
        ("a..b-:b", "a..d--:db", ("d", 2, 1)),  # all new ones are in it, so it is in no list
        ("b", "..c ..d", ("cd", 2, 0)),
        ("a..b", "b..c= b..d:dc", ("dc", 2, 0)),  # an error, and the list of the next one
        ("a..b", "b..c:c b..d:dc", ("cd", 2, 0)),
    ],
)
def test_commits_of_a_range(good: str, words: str, expected: tuple[str, int, int]) -> None:
    found = ListedRange(listed(good), [*map(listed, words.split())])
    assert ("".join(one.id for one in found.commits), found.count, found.unlisted) == expected


@pytest.mark.parametrize(
    "good, words, expected",
    [
        ("a..c:cb", "a..d:dcb", []),
        ("a..c:cb", "a..d:dcb a..e:edcb", []),
        ("b..c", "a..d:dcb", [str(UNLISTED)]),
        ("a..c+:cb", "a..d+:dcb", []),
    ],
)
def test_list_that_begins_before_the_good_build_is_complete(good: str, words: str, expected: list[str]) -> None:
    found = ListedRange(listed(good), [*map(listed, words.split())])
    assert [*map(str, found.reasons())] == expected
