"""The orig tarball of an upstream commit: the same bytes whoever makes it, wherever and whenever.

Its members are sorted, belong to root, are dated with the commit, are 0644 or 0755, and lie below NAME-VERSION/.
A part of the step `snapshot`.
"""

from __future__ import annotations

import lzma
import os
import posixpath
import shutil
import tarfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from lab.base import files
from lab.base.errors import Failed
from lab.base.git import GitMirror, git
from lab.store.step import StepContext
from scripts.upstream import sdist
from scripts.upstream.submodules import CommitTree, trees

# info/attributes goes before the tree's own: "$Format:%d$" would name whatever branches a mirror happens to have.
ATTRIBUTES = "* -export-subst\n"
# Half the time of xz's own 6 for a tenth more bytes: a snapshot is made often and kept for some weeks.
XZ_PRESET = 3


def make(context: StepContext, mirror: GitMirror, commit: str, version: str, committed: int) -> Path:
    """Make ``out/NAME_VERSION.orig.tar.xz``.  Raises Failed when the commit yields none."""
    name, how = context.component_name, context.component.orig
    work, out = context.run.work / "orig", context.run.out
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    parts = list(trees(CommitTree("", mirror, commit), how.submodules, context.log))
    if how.method == "sdist":
        tars = [sdist.make(context, parts, committed, work)]
    else:
        tars = [export(part, work / f"{number}.tar", context.log) for number, part in enumerate(parts)]
    target = out / f"{name}_{version}.orig.tar.xz"
    made = work / target.name
    repack(tars, made, f"{name}-{version}", committed)
    made.replace(target)
    for stale in set(out.glob(f"{name}_*.orig.tar.xz")) - {target}:
        stale.unlink()
    shutil.rmtree(work)
    return target


def export(tree: CommitTree, target: Path, log: IO[str]) -> Path:
    """A tree as a tar, below ``tree/``, by git archive."""
    attributes = tree.mirror.path / "info/attributes"
    if not attributes.exists() or attributes.read_text() != ATTRIBUTES:
        files.write_atomic(attributes, ATTRIBUTES)
    argv = ["archive", "--format=tar", f"--prefix=tree/{tree.path}", f"--output={target}", tree.commit]
    git(argv, cwd=tree.mirror.path, log=log)
    return target


def repack(tars: Iterable[Path], target: Path, top: str, mtime: int) -> None:
    """Write all members of ``tars`` as one normalised tar.xz, ``top`` in the place of their first directory.

    Where two have a member of the same name, it is the later one's.  Raises Failed when there is no file at all.
    """
    found: dict[str, tuple[tarfile.TarFile, tarfile.TarInfo]] = {}
    with ExitStack() as stack:
        for path in tars:
            tar = stack.enter_context(tarfile.open(path, "r:", encoding="utf-8", errors="surrogateescape"))
            found |= {renamed(member.name, top): (tar, member) for member in tar}
        if all(member.isdir() for _, member in found.values()):
            raise Failed(f"{top}: the commit has no files: there is nothing to package")
        raw = stack.enter_context(target.open("wb"))
        with (
            lzma.open(raw, "wb", preset=XZ_PRESET) as packed,
            # Names are bytes in git, and in GNU's format.
            tarfile.open(
                fileobj=packed, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape"
            ) as done,
        ):
            for name in sorted(found, key=lambda name: name.encode("utf-8", "surrogateescape")):
                done.addfile(*normalised(name, *found[name], mtime))
        raw.flush()
        os.fsync(raw.fileno())
    target.chmod(0o644)


def renamed(name: str, top: str) -> str:
    """A member's name with ``top`` in the place of its first directory."""
    return posixpath.join(top, posixpath.normpath(name).partition("/")[2]).rstrip("/")


def normalised(
    name: str, tar: tarfile.TarFile, member: tarfile.TarInfo, mtime: int
) -> tuple[tarfile.TarInfo, IO[bytes] | None]:
    """A member as it goes into the orig tarball, with its content; a hard link becomes a file."""
    info = tarfile.TarInfo(name)
    info.mtime = mtime
    if member.isdir() or member.issym():
        info.type, info.linkname = member.type, member.linkname
        info.mode = 0o755 if member.isdir() else 0o777
        return info, None
    content = tar.extractfile(member)
    if content is None:
        raise Failed(f"{name}: is no file, no directory and no symbolic link")
    info.mode = 0o755 if member.mode & 0o100 else 0o644
    info.size = content.seek(0, os.SEEK_END)
    content.seek(0)
    return info, content
