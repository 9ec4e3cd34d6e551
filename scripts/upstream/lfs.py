"""Git LFS: the files that pointers stand for, from the LFS server of the repository.

Objects are kept in the mirror, so each is downloaded once.  A part of the step `snapshot`.
"""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.base import environment, files
from lab.base.errors import ConfigurationError, Failed, InfrastructureError
from lab.base.git import readable, try_git
from lab.base.run import missing_program
from lab.store.step import StepContext
from scripts.upstream.commit_selection import abbreviated
from scripts.upstream.submodules import CommitTree

# See git-lfs's docs/spec.md: a pointer is at most 1,024 bytes.  As git-lfs does, read also what older versions have
# written, line ends of Windows and blank lines: `git lfs pointer --check` accepts them.
LONGEST = 1024
POINTER = re.compile(
    rb"\s*version https?://(?:git-lfs\.github|hawser\.github|git-media)\.[^\n]*\n"
    rb"(?:ext-[^\n]*\n|\s*\n)*oid sha256:(?P<oid>[0-9a-f]{64})\s*\n\s*size \d+\s*"
)

# How git-lfs names an object that a server, or a repository that is read as files, does not have.
ABSENT = re.compile(r"missing object|does not exist|\b404\b")


@dataclass(frozen=True)
class LfsPointer:
    """A file with a pointer in place of its content: its name, and the SHA-256 of the content."""

    name: str
    oid: str


def oid(data: bytes) -> str | None:
    """Return the SHA-256 that a pointer names; None when the data is no pointer."""
    match = POINTER.fullmatch(data)
    return match["oid"].decode() if match else None


def in_tar(tar_path: Path) -> list[LfsPointer]:
    """Return the pointers in a tar, with the names of its members."""
    with tarfile.open(tar_path, "r:", encoding="utf-8", errors="surrogateescape") as tar:
        small = (member for member in tar if member.isfile() and member.size <= LONGEST)
        return [LfsPointer(member.name, found) for member in small if (found := oid(_content(tar, member)))]


def in_directory(directory: Path) -> list[LfsPointer]:
    """Return the pointers below a directory, with their paths in it."""
    small = (path for path in sorted(directory.rglob("*")) if not path.is_symlink() and path.is_file()
             and path.stat().st_size <= LONGEST and ".git" not in path.relative_to(directory).parts)  # fmt: skip
    return [LfsPointer(str(path.relative_to(directory)), found) for path in small if (found := oid(path.read_bytes()))]


def objects(context: StepContext, tree: CommitTree, pointers: Iterable[LfsPointer]) -> Mapping[LfsPointer, Path]:
    """Return the file for each pointer of a commit, as ``orig.lfs`` says: none for ``keep``.

    Raises ConfigurationError for pointers that lab.yaml does not allow, Failed where the server does not have an
    object, InfrastructureError where the server cannot be asked.
    """
    found, policy = list(pointers), context.component.orig.lfs
    if not found or policy == "keep":
        return {}
    if policy == "refuse":
        names = abbreviated(sorted(readable(pointer.name.removeprefix("tree/")) for pointer in found))
        hint = "orig.lfs: fetch takes the files from the LFS server, keep takes the pointers as they are"
        raise ConfigurationError(f"Git LFS pointers stand in the place of files: {names}", hint=hint)
    paths = {pointer: _stored(tree, pointer.oid) for pointer in found}
    with tree.mirror.held():
        if not all(map(_is_whole, paths.values())):
            _fetch(context, tree)
    if missing := [readable(pointer.name) for pointer, path in paths.items() if not _is_whole(path)]:
        raise Failed(f"{tree.mirror.url}: the LFS server does not have {abbreviated(missing)}")
    return paths


def overlay(tar_path: Path, paths: Mapping[LfsPointer, Path], target: Path) -> Path:
    """Write a tar with the files in place of pointers of another tar."""
    wanted = {pointer.name: path for pointer, path in paths.items()}
    with (
        tarfile.open(tar_path, "r:", encoding="utf-8", errors="surrogateescape") as tar,
        tarfile.open(target, "w:", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape") as made,
    ):
        for member in _named(tar, wanted):
            member.size = wanted[member.name].stat().st_size
            with wanted[member.name].open("rb") as content:
                made.addfile(member, content)
    return target


def replace_in(directory: Path, paths: Mapping[LfsPointer, Path]) -> None:
    """Replace pointers below a directory with the files."""
    for pointer, path in paths.items():
        shutil.copyfile(path, directory / pointer.name)


def _named(tar: tarfile.TarFile, names: Mapping[str, Path]) -> Iterator[tarfile.TarInfo]:
    return (member for member in tar if member.name in names)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def _stored(tree: CommitTree, name: str) -> Path:
    return tree.mirror.path / "lfs/objects" / name[:2] / name[2:4] / name


def _is_whole(path: Path) -> bool:
    return path.is_file() and files.sha256(path) == path.name


def _fetch(context: StepContext, tree: CommitTree) -> None:
    if not environment.find_program("git-lfs"):
        raise missing_program("git-lfs")
    url = tree.mirror.url
    argv = ["lfs", "fetch", f"file://{url}" if url.startswith("/") else url, tree.commit]
    mark = context.log.tell()
    if try_git(argv, cwd=tree.mirror.path, env={"GIT_TERMINAL_PROMPT": "0"}, log=context.log):
        return
    lines = Path(context.log.name).read_bytes()[mark:].decode("utf-8", "replace").strip().splitlines()
    if not any(ABSENT.search(line) for line in lines):
        raise InfrastructureError(f"{url}: the LFS server cannot be asked: {readable(lines[-1]) if lines else '?'}")
