"""The merge of a proposal onto the tip of its branch, in a mirror, without a working tree.

The commit is a function of the tip, of the heads and of the lab's maintainer, so that each machine makes the same one.  What
the proposal's commit is based on, its parents under review included, is part of the merge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, NamedTuple

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.git import GitMirror, git, identity, readable, try_git
from lab.config.description import Lab
from lab.forges.proposals import ProposalId
from lab.store.step import StepContext

MOST_COMMITS = 1000
KEPT = "refs/qalab/merges"  # a merge that no ref names would not outlive a clean-up of the mirror
FEW = 5


class Conflict(ConfigurationError):
    """A proposal does not merge with the tip of its branch."""


class MergedProposal(NamedTuple):
    """A merge, and the tip that it is made on."""

    base: str
    commit: str


def of_run(context: StepContext, mirror: GitMirror, one: ProposalId) -> MergedProposal:
    """Return the merge that a run is about: on the tip that run.json names, else on the present one."""
    info = context.run.info
    same = [each for each in info.depends_on if each.project == one.project and each.branch == one.branch]
    return merge(context.lab, mirror, [*same, one], context.log, info.base)


def merge(lab: Lab, mirror: GitMirror, proposals: Sequence[ProposalId], log: IO[str], base: str = "") -> MergedProposal:
    """Fetch proposals to one branch and merge them, in this order, onto its tip, or onto ``base``.

    Raises Conflict; InfrastructureError for a head that the server does not have.
    """
    mirror.fetch(log)
    last = proposals[-1]
    tip = mirror.resolve(base or f"refs/heads/{last.branch}")
    if tip is None:
        raise ConfigurationError(f"{mirror.url}: no {base or f'branch {last.branch}'}")
    commit = tip
    for one in proposals:
        _fetch(lab, mirror, one, log)
        commit = _merged(lab, mirror, commit, tip, one)
    git(["update-ref", f"{KEPT}/{commit}", commit], cwd=mirror.path)
    return MergedProposal(tip, commit)


def unmerged(mirror: GitMirror, base: str, heads: Sequence[str]) -> list[str]:
    """Return the commits below heads that are neither below ``base`` nor on a branch, at most one more than `MOST_COMMITS`."""
    argv = ("rev-list", f"--max-count={MOST_COMMITS + 1 + len(heads)}", *heads, "--not", base, "--branches")
    return [commit for commit in mirror.git(*argv).split() if commit not in heads]


def _fetch(lab: Lab, mirror: GitMirror, one: ProposalId, log: IO[str]) -> None:
    """Fetch the head of a proposal, unless the mirror has it.  A ref that moves on can leave its former head behind."""
    if mirror.resolve(one.head):
        return
    server = lab.reviews.get(one.forge)
    url = server.repository(one.project, mirror.url) if server else mirror.url
    mirror.fetch_ref(log, url, one.ref)
    if mirror.resolve(one.head) is None:
        raise InfrastructureError(f"{url}: {one.ref} is not at {one.head}: a newer head has replaced it")


def _merged(lab: Lab, mirror: GitMirror, onto: str, tip: str, one: ProposalId) -> str:
    if mirror.is_ancestor(one.head, onto):
        return onto
    if mirror.is_ancestor(onto, one.head):
        return one.head
    argv = ["merge-tree", "--write-tree", "--name-only", "--no-messages", onto, one.head]
    found = try_git(argv, cwd=mirror.path)
    tree, *names = found.stdout.splitlines() or [""]
    if found.returncode or not tree:
        files = ", ".join(readable(name) for name in names[:FEW]) + (" ..." if len(names) > FEW else "")
        what = f"conflicts in {files}" if files else "no common history"
        raise Conflict(f"{one} does not merge with {one.branch} at {tip[:12]}: {what}", hint="rebase it")
    dates = mirror.git("log", "--no-walk", "--format=%ct", onto, one.head).split()
    message = f"Merge {one.project} {one.number} into {one.branch}"
    env = identity(lab.lab.maintainer, max(map(int, dates)))
    return git(["commit-tree", tree, "-p", onto, "-p", one.head, "-m", message], cwd=mirror.path, env=env)
