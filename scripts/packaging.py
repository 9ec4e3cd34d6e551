"""packaging: merge the testing branch into the packaging branch.

Leaves ``work/packaging``, a clone whose only branch of its own is checked out.  Only its ``debian/``
counts later: a branch with nothing else and one with all of upstream's files serve alike.
Facts: ``branch``; ``head``, the commit that debian/ is from; ``testing``, the commit that was merged, or "";
``merged``, the commit that came of it; ``content``, a digest of its debian/ without the changelog.

Where the packaging is in the upstream branch (the same repository and branch), ``head`` is the upstream commit under
test: each commit is built with its own debian/.

The orig tarballs were made for the packaging that the step `snapshot` has found.  Where the packaging has another
source format, other components or exclusions since, the run must begin with `snapshot` again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.base.git import GitMirror, files_at, git, identity, readable, try_git
from lab.config.components import Branch
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome
from scripts.upstream import lfs, packaging_branch, source_shape
from scripts.upstream.commit_selection import abbreviated
from scripts.upstream.submodules import gitlinks

NAME = "packaging"
# Two branches that both add entries on top are merged entry by entry, by version.
CHANGELOG_DRIVER = "merge.dpkg-mergechangelogs.driver=dpkg-mergechangelogs %O %A %B %A"
CHANGELOG_ATTRIBUTE = "debian/changelog merge=dpkg-mergechangelogs\n"
SHOWN = 20


def clone(context: StepContext, mirror: GitMirror, branch: str, commit: str) -> Path:
    """Clone the mirror, with hard links where the file systems allow, and check out ``commit``."""
    tree = context.run.work / NAME
    if tree.exists():
        shutil.rmtree(tree)
    with mirror.held():
        git(["clone", "--quiet", "--no-checkout", "--template=", mirror.path, tree], log=context.log)
    # git checkout refuses names that a branch can have in a repository: HEAD, or with a dash at the start.
    git(["update-ref", f"refs/heads/{branch}", commit], cwd=tree)
    git(["symbolic-ref", "HEAD", f"refs/heads/{branch}"], cwd=tree)
    git(["reset", "--quiet", "--hard"], cwd=tree, log=context.log)
    return tree


def described(tree: Path, commit: str) -> str:
    """Return a commit's short id and subject."""
    full, _, subject = git(["log", "-1", "--encoding=UTF-8", "--format=%H %s", commit], cwd=tree).partition(" ")
    return f"{full[:7]} {readable(subject)}"


def merge(context: StepContext, tree: Path, branch: str, testing: Branch) -> str:
    """Merge the testing branch; its commit.  Raises Failed for a conflict."""
    mirror = GitMirror.of(testing.git)
    mirror.fetch(context.log)
    theirs = packaging_branch.branch_commit(mirror, testing.branch)
    ref = f"refs/heads/{testing.branch}"
    git(
        ["fetch", "--quiet", "--no-tags", mirror.path, f"+{ref}:{ref.replace('heads', 'remotes/testing', 1)}"], cwd=tree
    )
    base = try_git(["merge-base", "HEAD", theirs], cwd=tree).stdout.strip()
    if not base:
        raise ConfigurationError(f"{testing.git}: the branch {testing.branch} shares no history with {branch}")
    attributes = tree / ".git/info/attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text(CHANGELOG_ATTRIBUTE)
    when = int(context.earlier("snapshot").facts["committed"])
    message = f"Merge the testing branch {testing.branch}"
    merged = try_git(
        ["-c", CHANGELOG_DRIVER, "merge", "--no-edit", "-m", message, theirs],
        cwd=tree, env=identity(context.lab.lab.maintainer, when), log=context.log,
    )  # fmt: skip
    if not merged:
        raise conflict(context, tree, base, (branch, "HEAD"), (testing.branch, theirs))
    return theirs


def conflict(
    context: StepContext, tree: Path, base: str, ours: tuple[str, str], theirs: tuple[str, str]
) -> Failed | InfrastructureError:
    """Return the error for a merge that stopped; write each side's change and the hunks to the log."""
    files = git(["diff", "--name-only", "--diff-filter=U", "-z"], cwd=tree).split("\0")[:-1]
    if not files:
        return InfrastructureError("git merge ended without a conflict and without a merge")
    for name, side in (ours, theirs):
        context.say(f"\nWhat {name} did to the files in conflict:")
        try_git(["log", "--oneline", "--no-merges", f"{base}..{side}", "--", *files], cwd=tree, log=context.log)
    try_git(["diff"], cwd=tree, log=context.log)
    names = ", ".join(readable(name) for name in files[:SHOWN]) + ", ..." * (len(files) > SHOWN)
    sides = (f"{name} ({described(tree, side)})" for name, side in (ours, theirs))
    return Failed(f"{names}: conflict between {' and '.join(sides)}", hint="the step's log has the hunks")


def content_digest(tree: Path) -> str:
    """Return a digest of debian/ without its changelog, which each run changes."""
    listing = git(["ls-tree", "-r", "HEAD", "debian/"], cwd=tree).splitlines()
    kept = "\n".join(line for line in listing if not line.endswith("\tdebian/changelog"))
    return hashlib.sha256(kept.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def check_debian(context: StepContext, tree: Path) -> None:
    """Raise ConfigurationError where a clone has something else in the place of debian/ or of a file in it."""
    debian = tree / "debian"
    if debian.is_symlink():
        hint = "the packaging branch needs the directory itself"
        raise ConfigurationError(f"debian: is a link to {readable(str(debian.readlink()))}", hint=hint)
    there = gitlinks(git(["ls-tree", "-r", "-z", "HEAD", "debian/"], cwd=tree))
    if there:
        names = abbreviated([*map(readable, there)])
        raise ConfigurationError(f"submodules in debian/: {names}", hint="commit the files themselves")
    pointers = [] if context.component.orig.lfs == "keep" else lfs.in_directory(debian)
    if pointers:
        names = abbreviated([readable(f"debian/{pointer.name}") for pointer in pointers])
        hint = "commit the files themselves; orig.lfs: keep takes the pointers as they are"
        raise ConfigurationError(f"Git LFS pointers stand in the place of files: {names}", hint=hint)


def check_shape(context: StepContext, tree: Path) -> None:
    """Raise ConfigurationError where the tarballs of the step `snapshot` are not for this packaging."""
    shape = source_shape.read(files_at(tree, "HEAD", source_shape.FILES))
    made_for = source_shape.SourceShape.model_validate(context.earlier("snapshot").facts["source_package"])
    if shape != made_for:
        raise ConfigurationError(
            "the packaging's source format, components or excluded files are not those of the step snapshot",
            hint="run it again from the step snapshot; a testing branch cannot change them",
        )


def action(context: StepContext) -> StepOutcome:
    packaging = context.component.packaging
    found = packaging_branch.find(
        context.lab, context.track_name, context.component_name, context.log, context.earlier("snapshot").commit
    )
    tree = clone(context, found.mirror, found.name, found.head)
    testing = merge(context, tree, found.name, packaging.testing) if packaging.testing else ""
    check_debian(context, tree)
    check_shape(context, tree)
    message = f"{found.name} at {found.head[:7]}"
    if packaging.testing:
        message += f", with {packaging.testing.branch} at {testing[:7]} merged"
    merged = git(["rev-parse", "HEAD"], cwd=tree)
    facts = {"branch": found.name, "head": found.head, "testing": testing, "merged": merged}
    return StepOutcome(message, facts={**facts, "content": content_digest(tree)})


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
