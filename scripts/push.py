"""push: push the tested packaging branch to its origin, never by force.

The other side is asked first, so that a re-run, or a push whose answer was lost, finds what it has
already.  A branch that moved meanwhile is reported and left as it is: the next run merges it.
Authentication is by SSH key or ``~/.netrc``: no question is ever asked.

Facts: ``url``, ``branch``, ``commit`` (what was tested), ``pushed`` (False: it was there already).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from lab.base.errors import InfrastructureError
from lab.base.git import NO_CONFIG, SAFE, git, try_git
from lab.base.run import Word
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome

NAME = "push"
Standing = Literal["absent", "behind", "there", "moved"]


def tip(listing: str, branch: str) -> str:
    """The id of a branch in what ``git ls-remote`` prints, empty when it is not there."""
    refs = {ref: commit for commit, ref in (line.split("\t") for line in listing.splitlines())}
    return refs.get(f"refs/heads/{branch}", "")


def refusal(lines: Sequence[str]) -> str:
    """Why a push failed, in the other side's words: its hook's last line, git's reason."""
    hook = [line.removeprefix("remote: ").strip() for line in lines if line.startswith("remote: ")]
    said = [line for line in hook if line]
    reasons = [match[1] for line in lines if (match := re.search(r"! \[.*\] .* \((.+)\)$", line))]
    fatal = [line.partition(": ")[2] for line in lines if line.startswith(("fatal: ", "error: "))]
    return " ".join([*said[-1:], *(f"({reason})" for reason in reasons[-1:])]) or (fatal or ["git did not say why"])[0]


def standing(context: StepContext, url: str, branch: str, commit: str) -> tuple[Standing, str]:
    """How a remote branch stands to a commit of ours, and the branch's tip."""
    tree = context.run.work / "packaging"
    argv: list[Word] = ["git", *SAFE, "ls-remote", url, f"refs/heads/{branch}"]
    result, said = context.try_sh(argv, cwd=tree, env=NO_CONFIG, capture=True)
    if not result:
        raise InfrastructureError(f"{url}: cannot be asked what it has: {refusal(said)}")
    remote = tip(result.stdout, branch)
    if not remote:
        return "absent", remote
    if not try_git(["cat-file", "-e", f"{remote}^{{commit}}"], cwd=tree):
        git(["fetch", "--quiet", "--no-tags", url, f"refs/heads/{branch}"], cwd=tree, log=context.log)
    if try_git(["merge-base", "--is-ancestor", commit, remote], cwd=tree):
        return "there", remote
    return "behind" if try_git(["merge-base", "--is-ancestor", remote, commit], cwd=tree) else "moved", remote


def action(context: StepContext) -> StepOutcome:
    where = context.component.packaging.push
    if where is None:
        return StepOutcome("packaging.push is not set", verdict="skipped")
    if context.earlier("archive").verdict == "skipped":
        return StepOutcome("what the archive does not take is not pushed", verdict="skipped")
    tree = context.run.work / "packaging"
    commit = git(["rev-parse", "HEAD"], cwd=tree)
    facts = {"url": where.git, "branch": where.branch, "commit": commit, "pushed": False}
    stands, remote = standing(context, where.git, where.branch, commit)
    if stands in {"absent", "behind"}:
        argv: list[Word] = ["git", *SAFE, "push", where.git, f"{commit}:refs/heads/{where.branch}"]
        result, said = context.try_sh(argv, cwd=tree, env=NO_CONFIG)
        if result:
            return StepOutcome(f"{where.branch} is at {commit}", facts=facts | {"pushed": True})
        # The answer may be lost and the work done; or somebody was faster.
        stands, remote = standing(context, where.git, where.branch, commit)
        if stands in {"absent", "behind"}:
            raise InfrastructureError(f"{where.git}: {where.branch} cannot be pushed: {refusal(said)}")
        facts["pushed"] = stands == "there"
    if stands == "moved":
        hint = "nothing is overwritten; the next run merges it"
        raise InfrastructureError(f"{where.git}: {where.branch} moved to {remote}, without {commit}", hint=hint)
    return StepOutcome(f"{where.branch} has {commit}", facts=facts)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
