"""The parts of a published build."""

from __future__ import annotations

import pytest

from reports.model import Commit, merges_apart


@pytest.mark.parametrize(
    "author, name, address",
    [
        ("Ada Author <ada@up.example>", "Ada Author", "ada@up.example"),
        ("Smith, John <john@up.example>", "Smith, John", "john@up.example"),  # as directories of companies have it
        ("Ada @ Corp <ada@up.example>", "Ada @ Corp", "ada@up.example"),
        ("a;b: c <ada@up.example>", "a;b: c", "ada@up.example"),
        ("someone@else.example, Ada <ada@up.example>", "someone@else.example, Ada", "ada@up.example"),
        ("robot[bot] <1+robot[bot]@up.example>", "robot[bot]", "1+robot[bot]@up.example"),
        ('Bob "B" Lee (Work) <bob@up.example>', 'Bob "B" Lee (Work)', "bob@up.example"),
        ("\u05d0\u05d3\u05d4 <ada@up.example>", "\u05d0\u05d3\u05d4", "ada@up.example"),
        ("<ada@up.example>", "", "ada@up.example"),
        ("Ada <>", "Ada", ""),
        ("Ada", "Ada", ""),
        ("", "", ""),
    ],
)
def test_author_as_git_writes_it(author: str, name: str, address: str) -> None:
    commit = Commit(id="c", subject="s", author=author)
    assert (commit.author_name, commit.address) == (name, address)


@pytest.mark.parametrize(
    "commits, suspects, merges",
    [("", "", ""), ("ab", "ab", ""), ("aMbN", "ab", "MN"), ("M", "M", ""), ("MN", "MN", "")],
)
def test_merges_stand_beside_the_commits(commits: str, suspects: str, merges: str) -> None:
    found = merges_apart(Commit(id=letter, subject="", merge=letter.isupper()) for letter in commits)
    assert tuple("".join(one.id for one in part) for part in found) == (suspects, merges)
