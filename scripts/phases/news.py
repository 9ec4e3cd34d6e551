"""The new commits of a component: of its upstream branch, its packaging branch and its testing branch.

A commit is tested when a build of it came to a verdict on it.  A build that the lab could not finish is no verdict: the
commit gets another one, at most `TRIES` in all.  Used by `scripts.phases.watching` and `scripts.phases.jenkins_builds`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import IO, Literal

from lab.base.errors import ConfigurationError
from lab.base.git import GitMirror, try_git
from lab.config.description import Lab
from lab.store.records import Cause
from lab.store.runs import Store
from scripts.upstream import commit_selection, packaging_branch
from scripts.upstream.tags import reachable

TRIES = 3
"""How many runs a commit gets while the lab is at fault."""
WATCHED: Collection[Cause] = (
    "upstream commit", "packaging commit", "testing commit", "dependency", "base", "settings", "proposed packages",
)  # fmt: skip
"""The causes of the runs that a watch begins."""
Outcome = Literal["verdict", "error", "none"]


@contextmanager
def watch_log(lab: Lab) -> Iterator[IO[str]]:
    """Open the log of the programs that a watch runs itself."""
    path = Store.of(lab).root / "watch.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as log:
        yield log


def upstream_tip(lab: Lab, track: str, component: str) -> tuple[GitMirror, str]:
    """Ask upstream; return its mirror, and the full id of the branch's tip.  Raises as the step `snapshot`."""
    upstream = lab.component(component, track).upstream
    mirror = GitMirror.of(upstream.git)
    with watch_log(lab) as log:
        mirror.fetch(log)
    branch = upstream.branch or lab.tracks[track].branch
    tip = mirror.resolve(f"refs/heads/{branch}")
    if tip is None:
        known = commit_selection.abbreviated(commit_selection.branches(mirror))
        raise ConfigurationError(f"{upstream.git}: no branch {branch}; branches: {known}")
    return mirror, tip


def untested(
    mirror: GitMirror, tip: str, tested: Sequence[str], again: Collection[str], watched: Sequence[str] = ()
) -> list[str]:
    """Return the commits of a branch that were not tested, oldest first.

    They are the states that the branch itself has had (first parents).  The first time, and where nothing of the
    branch was tested, it is the tip alone.  After a force push, it is what follows the last common commit.
    ``watched``: those of ``tested`` that a watch has begun.  It leaves no gaps; a run by hand tests its commit alone,
    and counts for those before only as long as no watch has tested the branch.
    """
    line = mirror.git("rev-list", "--first-parent", tip).split()
    new = _ahead(mirror, line, watched)
    if len(new) == len(line):
        new = _ahead(mirror, line, tested)
    if len(new) == len(line):
        return [tip]
    behind = line[len(new) :]
    if not new and not mirror.is_ancestor(tested[-1], tip):
        new = [tip]  # the branch was set back to a commit that the last tested one has
    else:
        new = [commit for commit in new if commit not in tested]
    new += [commit for commit in behind if commit in again]
    return new[::-1]


def _ahead(mirror: GitMirror, line: Sequence[str], tested: Sequence[str]) -> list[str]:
    """Return the commits of a line, newest first, before the first one that is tested or leads to a tested one."""
    known = reachable(mirror, *dict.fromkeys(tested)) if tested else {}
    return [*takewhile(lambda commit: commit not in known, line)]


def judged(runs: Iterable[tuple[str, Outcome]]) -> tuple[list[str], set[str]]:
    """Return the commits that runs came to a verdict on, in their order, and those that the lab owes another run.

    ``runs``: their commits (full ids, or "") and outcomes, oldest first.
    """
    tested: list[str] = []
    errors: Counter[str] = Counter()
    for commit, outcome in runs:
        if not commit or outcome == "none":
            continue
        errors[commit] += outcome == "error"
        if outcome == "verdict" or errors[commit] >= TRIES:
            tested.append(commit)
    return tested, set(errors) - set(tested)


@dataclass(frozen=True)
class Heads:
    """The heads of the branches of a packaging; ``testing`` is empty without a testing branch."""

    mirror: GitMirror
    packaging: str
    testing: str

    def news(self, packaging: Collection[str], testing: str) -> Cause:
        """Return what has something new since these commits were tested ("": nothing).

        A packaging commit that changes nothing below debian/ but its changelog is not news: the lab pushes such.
        """
        if not packaging:
            return ""
        tested = [self._content(commit) for commit in packaging]
        if self.packaging not in packaging and self._content(self.packaging) not in tested:
            return "packaging commit"
        return "testing commit" if testing != self.testing else ""

    def _content(self, commit: str) -> list[str]:
        listing = try_git(["ls-tree", "-r", commit, "debian/"], cwd=self.mirror.path).stdout.splitlines()
        return [line for line in listing if not line.endswith("\tdebian/changelog")]


def packaging_heads(lab: Lab, track: str, component: str) -> Heads:
    """Ask the packaging and its testing branch what they are at.  Raises as the step `packaging`."""
    settings = lab.component(component, track).packaging
    with watch_log(lab) as log:
        found = packaging_branch.find(lab, track, component, log)
        if not settings.testing:
            return Heads(found.mirror, found.head, "")
        theirs = GitMirror.of(settings.testing.git)
        if theirs != found.mirror:
            theirs.fetch(log)
        testing = packaging_branch.branch_commit(theirs, settings.testing.branch)
        return Heads(found.mirror, found.head, testing)
