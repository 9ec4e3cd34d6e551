"""The upstream commit to test: the one a run is on, the revision that was asked for, else the tip of the branch.

A part of the step `snapshot`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.base.errors import ConfigurationError
from lab.base.git import FULL_ID, NO_CONFIG, SAFE, GitMirror
from lab.store.step import StepContext

FEW = 5
# A ref that is fetched only when asked for: refs/changes/45/12345/2.
ODD_REF = re.compile(r"refs/(?!heads/|tags/)[A-Za-z0-9_./+-]+")


def find(context: StepContext, mirror: GitMirror, branch: str) -> str:
    """Return the full id of the commit to test; upstream is asked unless the id is given and known here.

    Raises ConfigurationError when upstream has no such commit, or has it on other branches only, and for a track of
    changes under review: those are merged, see `scripts.reviews.merging`.
    """
    info = context.run.info
    if context.track.trigger == "review":
        hint = f"qalab watch {context.track_name} --once"
        raise ConfigurationError(f"{context.track_name} tests changes under review: which one is not named", hint=hint)
    asked = info.commit or info.revision or f"refs/heads/{branch}"
    commit = mirror.resolve(asked) if FULL_ID.fullmatch(asked) else None
    if not (commit and on_branch(mirror, commit, branch)):
        fetch(context, mirror, info.revision)
        commit = mirror.resolve(asked)
    if mirror.resolve(f"refs/heads/{branch}") is None:
        raise ConfigurationError(f"{mirror.url}: no branch {branch}; branches: {abbreviated(branches(mirror))}")
    if commit is None:
        hint = f"branches: {abbreviated(branches(mirror))}"
        raise ConfigurationError(f"{mirror.url}: no commit, tag or branch {asked} (in full, or unambiguous)", hint=hint)
    if not on_branch(mirror, commit, branch):
        others = abbreviated(branches(mirror, "--contains", commit))
        raise ConfigurationError(
            f"{mirror.url}: commit {commit} is not on the branch {branch}; it is on: {others}",
            hint=f"follow another branch with components.{context.component_name}.upstream.branch",
        )
    return commit


def fetch(context: StepContext, mirror: GitMirror, revision: str) -> None:
    """Update the mirror from upstream, with the ref that was asked for where upstream has it."""
    refs = []
    if ODD_REF.fullmatch(revision):
        argv = ["git", *SAFE, "ls-remote", "--exit-code", "--", mirror.url, revision]
        refs = [revision] if context.sh(argv, env=NO_CONFIG, check=False) else []
    mirror.fetch(context.log, *refs)


def on_branch(mirror: GitMirror, commit: str, branch: str) -> bool:
    return mirror.is_ancestor(commit, f"refs/heads/{branch}")


def branches(mirror: GitMirror, *which: str) -> list[str]:
    """Return upstream's branches, those with the newest commits first."""
    listing = mirror.git("for-each-ref", "--sort=-committerdate", "--format=%(refname:lstrip=2)", *which, "refs/heads")
    return listing.splitlines()


def abbreviated(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more or "none"
