"""Versions of real histories in git: they agree with the model for any dates, tags and git version."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from lab.base.git import GitMirror
from lab.config.description import Lab
from scripts import changelog, snapshot
from scripts.upstream import tags
from tests.conftest import Bench, GitRepository, packaging_files
from tests.scripts.histories import CASES, History, dpkg, tags_of

AFTER = ". . . . . . . ."  # git 2.39 walks five commits beyond the commit at which it stops by date
# What happens (name: words), the release that the last commit is counted from, and the commits since.
SKEWED: dict[str, tuple[str, str, int]] = {
    "a tag in the future": (f".360 1.0 .-359 {AFTER}", "1.0", 9),
    "an annotated tag in the future": (f".360 ^1.0 .-359 {AFTER}", "1.0", 9),
    "a tag of a tag in the future": (f".360 ^^1.0 .-359 {AFTER}", "1.0", 9),
    "far in the future": (f".30000 1.0 .-29999 {AFTER}", "1.0", 9),
    "beyond the year 9999": (f".3000000 1.0 .-2999999 {AFTER}", "1.0", 9),
    "a tag in the past": (f". 0.9 .-30 1.0 .60 {AFTER}", "1.0", 9),
    "each commit before its parent": (". 1.0 " + ".-1 " * 12, "1.0", 12),
    "each commit a year before its parent": (".9000 1.0 " + ".-365 " * 12, "1.0", 12),
    "all on one day": (". 1.0 " + ".0 " * 12, "1.0", 12),
    "all before the release": (f". . . .400 1.0 .-399 {AFTER}", "1.0", 9),
    "the release imported today": (f"{AFTER} .400 upstream-import 1.0 .-390 {AFTER}", "1.0", 9),
    "two releases, the older in the future": (f".360 1.0 .-359 1.1 {AFTER}", "1.1", 8),
    "two releases, the newer in the future": (f". 1.0 .360 1.1 .-359 {AFTER}", "1.1", 9),
    "a lower release in the future": (f". 2.0 .360 1.9.1 .-359 {AFTER}", "2.0", 10),
    "ten releases, each before the last": (
        "".join(f".-20 1.{number} . . . " for number in range(10)) + AFTER, "1.9", 11,
    ),
    "a pre-release in the future": (f".360 1.0rc1 .-359 {AFTER} 1.0 .", "1.0", 1),
    "a future root": (f".900 .-899 1.0 {AFTER}", "1.0", 8),
    "a side from the future": (f". 1.0 =r .900 =s @r .-900 *s .-900 {AFTER}", "1.0", 12),
    "a tag on a side from the future": (f". 1.0 =r .900 1.1 =s @r .-900 =a *s .-1800 {AFTER}", "1.1", 11),
    "a side from the past": (f". 1.0 =r .-900 1.0.1 =s @r .900 *s {AFTER}", "1.0.1", 10),
    "a merge of merges": (f". 1.0 =r . =a @r . =b @a *b =c @b *a =d @c *d {AFTER}", "1.0", 13),
    "a merge of merges, backwards": (f". 1.0 =r .-9 =a @r .-9 =b @a *b =c @b *a =d @c *d .-99 {AFTER}", "1.0", 14),
    "a merge of merges with a future release": (
        f". 1.0 =r .700 1.1 =a @r .-700 =b @a *b =c @b *a =d @c *d .-1400 {AFTER}", "1.1", 13,
    ),
    "two roots, one in the future": (f".700 1.0 =a @ .-700 . *a .-700 {AFTER}", "1.0", 12),
    "an old root merged late": (f". 1.0 =a @ .-4000 =b @a .4000 *b {AFTER}", "1.0", 11),
    "the same release on two sides, in the future": (
        f". =r .700 1.0 =a @r .-700 v1.0 =b @a *b .-1400 {AFTER}", "1.0", 11,
    ),
    "a tag that no branch has": (f". 1.0 =r .360 9.9 @r .-359 {AFTER}", "1.0", 9),
    "a future tag that no branch has, and one that is merged": (
        f". =r .360 9.9 @r .0 1.0 .-359 {AFTER}", "1.0", 9,
    ),
    "a tag of a file": (f".360 1.0 #7.0 .-359 {AFTER}", "1.0", 9),
    "tags that are no versions, in the future": (f". 1.0 .360 nightly 20260101 v1.0-eol .-359 {AFTER}", "1.0", 10),
    "a tag on each commit, backwards": (" ".join(f".-3 0.{number}" for number in range(14)), "0.13", 0),
    "the same release twice on a line": (f".360 v1.0 .-359 1.0 {AFTER}", "1.0", 9),
    # Here even `git rev-list TIP ^TAG` lists a commit that the tag has.
    "a future root, and a side from it": (".900 =x .-899 . . . . . . . . 1.0 =t @x .900 =s @t *s .", "1.0", 3),
    "a future root, and a long side from it": (".900 =x .-899 . . . . . . . . 1.0 =t @x .900 . . =s @t *s .", "1.0", 5),
    "two future commits, and a side from them": (".900 . =x .-899 . . . . . . . ^1.0 =t @x .900 =s @t *s .", "1.0", 3),
    "a release at the epoch of Unix": (f".-20453 1.0 .20400 {AFTER}", "1.0", 9),
}  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> Callable[[History], tuple[GitMirror, list[str]]]:
    """Return a function that makes a history a repository; it returns that and the full ids."""

    def write(history: History) -> tuple[GitMirror, list[str]]:
        ids = history.write(tmp_path / "upstream.git")
        return GitMirror("upstream", tmp_path / "upstream.git"), ids

    return write


def version_of(mirror: GitMirror, commit: str, following: str | None = None) -> str:
    history = tags.CommitHistory(mirror, commit)
    return history.version(tags_of(history.tags), following).version


@pytest.mark.parametrize("case", CASES)
def test_history_version_from_git(case: str, written: Callable[..., tuple[GitMirror, list[str]]]) -> None:
    """The version from git is that of the model, which test_versions.py compares with dpkg."""
    words, following, *_ = CASES[case]
    history = History.read(words)
    mirror, ids = written(history)
    assert version_of(mirror, ids[-1], following) == history.snapshot(len(ids) - 1, following, ids[-1]).version


def test_skewed_histories_are_enough() -> None:
    assert len(SKEWED) >= 30


@pytest.mark.integration
@pytest.mark.parametrize("case", SKEWED)
def test_skewed_history_version_rises(case: str, written: Callable[..., tuple[GitMirror, list[str]]]) -> None:
    """At each commit, the version from git is that of the model and above those of the parents."""
    words, release, count = SKEWED[case]
    history = History.read(words)
    mirror, ids = written(history)
    named = [version_of(mirror, commit) for commit in ids]
    assert named == [history.snapshot(number, None, commit).version for number, commit in enumerate(ids)]
    for parent, child in history.edges():
        assert dpkg(named[parent], "lt", named[child])
    until, _, counted = named[-1].rpartition("+git")
    assert (until, int(counted.split(".")[1])) == (release, count)


@pytest.mark.integration
@pytest.mark.parametrize("case", SKEWED)
def test_changelog_names_each_commit_once(case: str, written: Callable[..., tuple[GitMirror, list[str]]]) -> None:
    """The changelog entries along the first parents name each commit once."""
    history = History.read(SKEWED[case][0])
    mirror, ids = written(history)
    line = mirror.git("rev-list", "--first-parent", "--reverse", "main").split()
    named = [one.id for pair in pairwise(line) for one in changelog.commits_between(mirror, *pair)]
    merges = {ids[number] for number, parents in enumerate(history.parents) if len(parents) > 1}
    expected = history.ancestors(len(ids) - 1) - history.ancestors(ids.index(line[0]))
    assert sorted(named) == sorted({ids[number] for number in expected} - merges)


# What happens to a branch between two runs (name: words for each state).
STORIES = {
    "it grows": [". 1.0 .", ". 1.0 . .", ". 1.0 . . 1.1", ". 1.0 . . 1.1 ."],
    "it grows backwards": [". 1.0 .-9", ". 1.0 .-9 .-9", ". 1.0 .-9 .-9 1.1", ". 1.0 .-9 .-9 1.1 .-9"],
    "rewritten, shorter": [". 1.0 . . . .", ". 1.0 .0", ". 1.0 .0 ."],
    "rewritten, dated earlier": [". 1.0 . .", ". 1.0 .-30 .", ". 1.0 .-30 . ."],
    "replaced by another root": [". 1.0 . .", ".-9 . .", ".-9 . . 0.5"],
    "set back": [". 1.0 . . .", ". 1.0 .", ". 1.0 . .0"],
    "a tag moved forward": [". 1.0 . .", ". . . 1.0", ". . . 1.0 ."],
    "a tag moved backward": [". . 1.0 .", ". 1.0 . .", ". 1.0 . . ."],
    "a tag taken away": [". 1.0 . 2.0 .", ". 1.0 . .", ". 1.0 . . ."],
    "a tag that comes late": [". . .", ". 1.0 . .", ". 1.0 . . 1.1 ."],
    "a tag replaced by an annotated one": [". 1.0 .", ". ^1.0 .", ". ^1.0 . ."],
    "a tag that becomes a file's": [". 1.0 .", ". #1.0 . .", ". #1.0 . . 1.1"],
    "a release in the future, withdrawn": [". 1.0 .900 1.1", ". 1.0 .", ". 1.0 . ."],
}  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("story", STORIES)
def test_versions_rise_along_branch_stories(
    story: str,
    tmp_path: Path,
    lab_factory: Callable[..., Lab],
    bench: Callable[..., Bench],
    git_repository: Callable[..., GitRepository],
) -> None:
    url, packaging = tmp_path / "upstream.git", git_repository("packaging")
    packaging.commit("Package it", packaging_files())
    lab = lab_factory(upstream=url, packaging=packaging.path)
    found: list[tuple[str, str]] = []
    for number, words in enumerate(STORIES[story]):
        if number:
            url.rename(tmp_path / f"{number}.git")
        ids = History.read(words).write(url)
        record = bench(lab).execute(snapshot)
        assert (record.verdict, record.commit) == ("passed", ids[-1]), record.message
        found.append((record.commit, record.version))
    for (before, lower), (after, higher) in pairwise(found):
        assert dpkg(lower, "lt" if before != after else "le", higher), found


@pytest.mark.parametrize(
    "url", ["https://h.example/x/greet.git", "h.example:greet", "/srv/greet/", "ssh://h.example/greet.git/"]
)
def test_project_name_of_url(url: str) -> None:
    assert tags.project(url) == "greet"
