"""The lines of changes, from real repositories with odd commits; and the words for people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.bisections import BisectedChange
from scripts.bisection import axes
from scripts.bisection.points import grouped
from tests.conftest import GitRepository

MakeLab = Callable[..., Lab]


def test_commits_are_first_parents_with_any_subject(
    lab_factory: MakeLab, git_repository: Callable[..., GitRepository], tmp_path: Path
) -> None:
    upstream = git_repository("upstream")
    first = upstream.commit("Start")
    odd = upstream.commit("Form\x0cfeed and \u2028separator", author="Zoë <zoe@upstream.example>")
    upstream.git("checkout", "--quiet", "-b", "topic")
    upstream.commit("On a branch")
    upstream.git("checkout", "--quiet", "main")
    upstream.git("-c", "user.name=M", "-c", "user.email=m@x", "merge", "--quiet", "--no-ff", "-m", "Merge it", "topic")
    old = upstream.commit("K\xf6ln".encode("latin-1"))
    lab = lab_factory(upstream=upstream.path)
    log = (tmp_path / "log").open("w")
    line = axes.upstream(lab, "trunk", "greet", first[:12], "main", log)
    assert [change.subject for change in line.changes] == ["Form feed and separator", "Merge it", "Köln"]
    assert (line.changes[0].name, line.changes[0].email, line.changes[-1].name) == (odd, "zoe@upstream.example", old)
    with pytest.raises(ConfigurationError, match="is no ancestor of"):
        axes.upstream(lab, "trunk", "greet", old, first, log)
    with pytest.raises(ConfigurationError, match="no commit, tag or branch nothing"):
        axes.upstream(lab, "trunk", "greet", "nothing", first, log)
    log.close()


def test_commits_without_the_good_one_are_left_out(
    lab_factory: MakeLab, git_repository: Callable[..., GitRepository], tmp_path: Path
) -> None:
    """Somebody merged the tip of the branch into own commits and pushed that: a first parent lacks the good commit."""
    upstream = git_repository("upstream")
    upstream.commit("Start")
    upstream.git("branch", "own")
    good = upstream.commit("Tested")
    upstream.git("checkout", "--quiet", "own")
    upstream.commit("Own")
    upstream.git("-c", "user.name=M", "-c", "user.email=m@x", "merge", "--quiet", "--no-ff", "-m", "Merge it", "main")
    upstream.git("branch", "--force", "main")
    upstream.git("checkout", "--quiet", "main")
    upstream.commit(f"Later {'x' * 100_000}")
    with (tmp_path / "log").open("w") as log:
        line = axes.upstream(lab_factory(upstream=upstream.path), "trunk", "greet", good, "main", log)
    assert [change.subject for change in line.changes] == ["Merge it", f"Later {'x' * 194}"]


def test_packages_of_one_source_change_together() -> None:
    before = {"gcc": "1", "g++": "1", "make": "4", "ours": "1", "gone": "2"}
    after = {"gcc": "2", "g++": "2", "make": "5", "ours": "2", "new": "3"}
    found = [str(change) for change in grouped(before, after, frozenset({"ours"}))]
    assert found == [
        "the distribution package g++ gcc 1 -> 2",
        "the distribution package gone 2 -> none",
        "the distribution package make 4 -> 5",
        "the distribution package new none -> 3",
    ]


def test_change_in_words() -> None:
    change = BisectedChange(kind="upstream commit", name="c" * 40, subject="Break it")
    assert str(change) == "the upstream commit cccccccccccc (Break it)"
