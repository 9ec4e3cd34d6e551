"""A clone of an upstream repository at a commit, for programs that ask git for their version.

A part of the step `snapshot`.
"""

from __future__ import annotations

from pathlib import Path

from lab.base.git import NO_CONFIG, SAFE, git
from lab.base.run import Word
from lab.store.step import StepContext
from scripts.upstream import lfs
from scripts.upstream.submodules import CommitTree
from scripts.upstream.tags import CommitHistory


def checkout(context: StepContext, tree: CommitTree, path: Path) -> None:
    """Clone a tree's repository: its commit and the tags merged into it, and nothing else.

    What else a mirror holds would show: in ``git describe``, and in how long git makes its short ids.

    Raises ConfigurationError for Git LFS pointers where ``orig.lfs`` refuses them; see `scripts.upstream.lfs`.
    """
    git(["init", "--quiet", "--initial-branch=snapshot", path])
    tags = [f"refs/tags/{name}:refs/tags/{name}" for name in CommitHistory(tree.mirror, tree.commit).tags]
    wanted = "\n".join([f"{tree.commit}:refs/remotes/origin/snapshot", *tags, ""])
    argv: list[Word] = ["git", *SAFE, "fetch", "--quiet", "--no-tags", "--stdin", tree.mirror.path]
    context.sh(argv, cwd=path, env=NO_CONFIG, stdin=wanted.encode("utf-8", "surrogateescape"))
    git(["reset", "--quiet", "--hard", tree.commit], cwd=path, log=context.log)
    lfs.replace_in(path, lfs.objects(context, tree, lfs.in_directory(path)))
