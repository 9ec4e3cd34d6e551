"""An upstream commit as tar files, before they become an orig tarball: by git archive, or by the project's own tools.

A part of the step `snapshot`.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base import files
from lab.base.git import GitMirror, git
from lab.store.step import StepContext
from scripts.upstream import dist_command, lfs, sdist
from scripts.upstream.commit_selection import abbreviated
from scripts.upstream.packaging_branch import PackagingBranch
from scripts.upstream.submodules import CommitTree, Trees

# info/attributes goes before the tree's own: "$Format:%d$" would name whatever branches a mirror happens to have.
ATTRIBUTES = "* -export-subst\n"
KEEP_ALL = "* -export-ignore\n"
GITS_OWN = re.compile(r"(?:^|/)\.git[^/]*$")


@dataclass(frozen=True)
class Origin:
    """An upstream commit (its full id) in a mirror; ``committed`` is its committer date, Unix time."""

    mirror: GitMirror
    commit: str
    committed: int


def tars(
    context: StepContext, origin: Origin, packaging: PackagingBranch, components: Collection[str], work: Path
) -> tuple[list[Path], list[str]]:
    """Return the tar files that make up a commit, each with one top directory, and remarks on what is not in them.

    ``components``: the names of the other orig tarballs, which take the place of a submodule with their name.

    Raises ConfigurationError for submodules and Git LFS pointers that lab.yaml does not allow.
    """
    orig = context.component.orig
    top = CommitTree("", origin.mirror, origin.commit)
    trees = Trees.of(top, orig.submodules, context.log, replaced=components)
    remarks = [f"submodules left out: {abbreviated(trees.omitted)}"] if trees.omitted else []
    if orig.method != "archive":
        dist = (
            dist_command.DistCommand.of(context)
            if orig.method == "command"
            else sdist.dist_command(orig.packages, packaging.files("debian/control")["debian/control"] or "")
        )
        return [dist_command.make(context, dist, trees.parts, origin.committed, work)], remarks
    made, ignored = archive(context, trees.parts, work)
    if ignored:
        remarks.append(f"left out by export-ignore: {abbreviated(ignored)}")
    return made, remarks


def archive(context: StepContext, parts: Sequence[CommitTree], work: Path) -> tuple[list[Path], list[str]]:
    """Return a tar of each tree, by git archive, and the files that upstream's export-ignore has left out.

    Git's own files (.gitignore, .gitattributes) are not among these.

    Raises ConfigurationError for Git LFS pointers where ``orig.lfs`` refuses them; see `scripts.upstream.lfs`.
    """
    orig = context.component.orig
    made, ignored = [], list[str]()
    for number, part in enumerate(parts):
        attributes = ATTRIBUTES + KEEP_ALL * (orig.export_ignore == "include")
        tar = export(part, work / f"{number}-{work.name}.tar", attributes, context)
        made.append(tar)
        ignored += sorted(name for name in _files(part) - _members(tar) if not GITS_OWN.search(name))
        if objects := lfs.objects(context, part, lfs.in_tar(tar)):
            made.append(lfs.overlay(tar, objects, work / f"{number}-{work.name}-lfs.tar"))
    return made, ignored


def export(tree: CommitTree, target: Path, attributes: str, context: StepContext) -> Path:
    """Write a tree as a tar, below ``tree/``, by git archive with attributes that go before upstream's."""
    # All runs share the mirror, so the attributes are in a separate repository that borrows its objects.
    borrowing = target.with_suffix(".git")
    git(["init", "--quiet", "--bare", "--template=", borrowing], log=context.log)
    files.write_atomic(borrowing / "objects/info/alternates", f"{tree.mirror.path / 'objects'}\n")
    files.write_atomic(borrowing / "info/attributes", attributes)
    argv = ["archive", "--format=tar", f"--prefix=tree/{tree.path}", f"--output={target}", tree.commit]
    git(argv, cwd=borrowing, log=context.log)
    return target


def _members(tar_path: Path) -> set[str]:
    """Return the names of the members of a tar file that are not directories."""
    with tarfile.open(tar_path, "r:", encoding="utf-8", errors="surrogateescape") as tar:
        return {member.name.removeprefix("tree/") for member in tar if not member.isdir()}


def _files(tree: CommitTree) -> set[str]:
    """Return the names of the files of a tree, without its submodules."""
    listing = git(["ls-tree", "-r", "-z", "--full-tree", tree.commit], cwd=tree.mirror.path).split("\0")
    entries = (entry.split("\t", 1) for entry in listing if "\t" in entry)
    return {tree.path + name for kind, name in entries if not kind.startswith("160000 ")}
