"""push: push the tested packaging branch to its origin, not by force.

The other side is asked first, so that a re-run, or a push whose answer was lost, finds what it has already.  A packaging
branch that moved meanwhile is reported and left as it is: the next run starts from it.

A branch other than the packaging branch (``lab/master``) holds what the lab pushed last, and no run starts from it.
There, the new commit gets that one as a second parent: nothing is lost, and each push is a fast-forward.  Commits of
others on it are reported and left as they are.

Authentication is by SSH key or ``~/.netrc``: no question is ever asked.

With ``packaging.push.after: tested``, the step is skipped until the version is promoted; then `qalab promote` runs it.

Facts: ``waits_for`` (the label that the version waits for); ``url``, ``branch``, ``commit`` (what was tested), ``pushed`` (False: it was there already).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from lab.base.errors import InfrastructureError
from lab.base.git import NO_CONFIG, SAFE, git, identity, try_git
from lab.base.run import Word
from lab.config.components import Push
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome
from scripts.promotion import after

NAME = "push"
Standing = Literal["absent", "behind", "there", "moved"]
REPLACES = "Replace what the lab pushed before"
# The last commit that a run leaves, see the steps `changelog` and `source`.
LAB_SUBJECT = re.compile(rf"Update the changelog for |Drop .+: merged upstream$|{REPLACES}$")


def tip(listing: str, branch: str) -> str:
    """Return the id of a branch in what ``git ls-remote`` prints, empty when it is not there."""
    refs = {ref: commit for commit, ref in (line.split("\t") for line in listing.splitlines())}
    return refs.get(f"refs/heads/{branch}", "")


def refusal(lines: Sequence[str]) -> str:
    """Return why a push failed: the last line of the remote hook, or git's reason."""
    hook = [line.removeprefix("remote: ").strip() for line in lines if line.startswith("remote: ")]
    text = [line for line in hook if line]
    reasons = [match[1] for line in lines if (match := re.search(r"! \[.*\] .* \((.+)\)$", line))]
    fatal = [line.partition(": ")[2] for line in lines if line.startswith(("fatal: ", "error: "))]
    return " ".join([*text[-1:], *(f"({reason})" for reason in reasons[-1:])]) or (fatal or ["git did not say why"])[0]


def standing(context: StepContext, url: str, branch: str, commit: str) -> tuple[Standing, str]:
    """Return how a remote branch stands to a commit of ours, and the branch's tip."""
    tree = context.run.work / "packaging"
    argv: list[Word] = ["git", *SAFE, "ls-remote", url, f"refs/heads/{branch}"]
    result, lines = context.try_sh(argv, cwd=tree, env=NO_CONFIG, capture=True)
    if not result:
        raise InfrastructureError(f"{url}: cannot be asked what it has: {refusal(lines)}")
    remote = tip(result.stdout, branch)
    if not remote:
        return "absent", remote
    if not try_git(["cat-file", "-e", f"{remote}^{{commit}}"], cwd=tree):
        git(["fetch", "--quiet", "--no-tags", url, f"refs/heads/{branch}"], cwd=tree, log=context.log)
    if try_git(["merge-base", "--is-ancestor", commit, remote], cwd=tree):
        return "there", remote
    return "behind" if try_git(["merge-base", "--is-ancestor", remote, commit], cwd=tree) else "moved", remote


def place(url: str) -> str:
    """Return a repository's host and path, the same for each way to reach it."""
    bare = re.sub(r"^[a-z+]+://", "", url.rstrip("/").removesuffix(".git"))
    return re.sub(r"^[^/@]+@", "", bare).replace(":", "/", 1)


def starts_there(context: StepContext, where: Push) -> bool:
    """Return whether the next run starts from the branch that is pushed."""
    branch = context.earlier("packaging").facts["branch"]
    return (place(context.component.packaging.git), branch) == (place(where.git), where.branch)


def made_by_the_lab(context: StepContext, commit: str) -> bool:
    """Return whether a commit is the last one of a run of this lab."""
    text = git(["log", "-1", "--format=%cn <%ce>%n%s", commit], cwd=context.run.work / "packaging")
    committer, _, subject = text.partition("\n")
    return committer == context.lab.lab.maintainer and bool(LAB_SUBJECT.match(subject))


def replacement(context: StepContext, commit: str, before: str) -> str:
    """Make a commit with the files of ``commit`` that has ``before`` as its second parent; return its id."""
    tree = context.run.work / "packaging"
    when = int(git(["log", "-1", "--format=%ct", commit], cwd=tree))
    argv = ["commit-tree", f"{commit}^{{tree}}", "-p", commit, "-p", before, "-m", REPLACES]
    return git(argv, cwd=tree, env=identity(context.lab.lab.maintainer, when))


def action(context: StepContext) -> StepOutcome:
    where = context.component.packaging.push
    if where is None:
        return StepOutcome("packaging.push is not set", verdict="skipped")
    if context.earlier("archive").verdict == "skipped":
        return StepOutcome("what the archive does not take is not pushed", verdict="skipped")
    if postponed := after.postponed(context, where.after):
        return postponed
    commit = git(["rev-parse", "HEAD"], cwd=context.run.work / "packaging")
    facts = {"url": where.git, "branch": where.branch, "commit": commit, "pushed": False}
    stands, remote = standing(context, where.git, where.branch, commit)
    new = commit
    if stands == "moved" and not starts_there(context, where) and made_by_the_lab(context, remote):
        stands, new = "behind", replacement(context, commit, remote)
    if stands in {"absent", "behind"}:
        if refused := push(context, where, new):
            # The answer can be lost after a successful push, or another push can be first.
            stands, remote = standing(context, where.git, where.branch, new)
            if stands in {"absent", "behind"}:
                raise InfrastructureError(f"{where.git}: {where.branch} cannot be pushed: {refused}")
        else:
            stands = "there"
        facts["pushed"] = stands == "there"
    if stands == "moved":
        again = "the next run starts from it" if starts_there(context, where) else "merge it, or delete the branch"
        hint = f"nothing is overwritten; {again}"
        raise InfrastructureError(f"{where.git}: {where.branch} moved to {remote}, without {commit}", hint=hint)
    return StepOutcome(f"{where.branch} {'is at' if facts['pushed'] else 'has'} {new}", facts=facts)


def push(context: StepContext, where: Push, commit: str) -> str:
    """Push a commit; return why it was refused, "" when it was not."""
    argv: list[Word] = ["git", *SAFE, "push", where.git, f"{commit}:refs/heads/{where.branch}"]
    result, lines = context.try_sh(argv, cwd=context.run.work / "packaging", env=NO_CONFIG)
    return "" if result else refusal(lines)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
