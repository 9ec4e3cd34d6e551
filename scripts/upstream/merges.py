"""Merges that can break something by themselves, although each of their parents is good."""

from __future__ import annotations

from lab.base.git import GitMirror


def changes_something(mirror: GitMirror, merge: str) -> bool:
    """Return whether a merge has content that none of its parents was tested with.

    It has none if one parent has all the others, and the merge is that parent: the usual merge of a branch that
    begins at the tip.
    """
    tree, *parents = mirror.git("show", "--no-patch", "--format=%T %P", merge).split()
    return not any(
        mirror.git("rev-parse", f"{parent}^{{tree}}") == tree
        and all(mirror.is_ancestor(other, parent) for other in parents)
        for parent in parents
    )
