"""The orig tarballs of an upstream commit: the same bytes whoever makes them, wherever and whenever.

Their members are sorted, belong to root, are dated with the commit, are 0644 or 0755, and lie below NAME-VERSION/.
Their names, number and contents are as the packaging needs them (`scripts.upstream.source_shape`).
A part of the step `snapshot`.
"""

from __future__ import annotations

import gzip
import lzma
import os
import posixpath
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.base.errors import Failed
from lab.base.git import readable
from lab.base.text import plural
from lab.store.step import StepContext
from scripts.upstream import excluded_files, orig_components, pool_origs, source_shape, upstream_tree
from scripts.upstream.commit_selection import abbreviated
from scripts.upstream.packaging_branch import PackagingBranch
from scripts.upstream.source_shape import DEFAULT_SUFFIX, SourceShape
from scripts.upstream.upstream_tree import Origin

# Half the time of xz's own 6 for a tenth more bytes: a snapshot is made often and kept for some weeks.
XZ_PRESET = 3
GZIP_LEVEL = 6


@dataclass(frozen=True)
class OrigTarballs:
    """The created tarballs, the main one first; ``version`` is the upstream version with its suffixes."""

    tarballs: list[Path]
    version: str
    shape: SourceShape
    remarks: list[str]


def make(context: StepContext, origin: Origin, version: str, packaging: PackagingBranch) -> OrigTarballs:
    """Make ``out/NAME_VERSION.orig[-COMPONENT].tar.xz`` (.gz for format 1.0).

    Raises ConfigurationError for what the packaging needs and lab.yaml does not give, Failed when the commit yields
    no tarball.
    """
    shape = source_shape.read(packaging.files(*source_shape.FILES))
    components = orig_components.wanted(context, shape)
    work = context.run.work / "orig"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    tars, remarks = upstream_tree.tars(context, origin, packaging, tuple(components), work)
    others, taken = orig_components.tars(context, components, work)
    remarks += taken
    whole = {"": tars} | others
    sources, gone, idle = _without_excluded(context, whole, shape, work, packaging)
    remarks += idle
    if gone:
        version += shape.suffix or DEFAULT_SUFFIX
    elif shape.suffix:
        remarks.append(
            f"not repacked, as the packaging's {shape.suffix} would have it: nothing in Files-Excluded is here"
        )
    packing = Packing(context.component_name, sources, shape.extension, origin.committed, work)
    name, made = version, packing.pack(version)
    if not shape.native:
        version, pooled = pool_origs.free_version(context, name, made)
        if version != name:
            made = packing.pack(version)
            remarks.append(f"the archive has {name} with other content, so this is {version}")
        for component, path in pooled.items():
            shutil.copyfile(path, made[component])
    tarballs = _hand_over(context, made)
    shutil.rmtree(work)
    excluded = [f"{plural(count, 'file')} excluded by debian/copyright" for count in [gone] if count]
    return OrigTarballs(tarballs, version, shape, [*excluded, *remarks])


Sources = Mapping[str, list[Path]]


def _without_excluded(
    context: StepContext, sources: Sources, shape: SourceShape, work: Path, packaging: PackagingBranch
) -> tuple[Sources, int, list[str]]:
    """Remove what debian/copyright excludes; also return how many files went, and remarks on what excludes nothing."""
    text = packaging.files("debian/copyright")["debian/copyright"] or ""
    left, total, remarks = dict(sources), 0, []
    for component in shape.excluding:
        field = f"Files-Excluded-{component}" if component else "Files-Excluded"
        if component not in sources:
            remarks.append(f"{field} of debian/copyright excludes nothing: there is no orig tarball {component}")
            continue
        whole = work / f"whole-{component}.tar.gz"
        repack(sources[component], whole, "tree", 0)
        done, gone, idle = excluded_files.remove(context, whole, component, text)
        left[component] = [done]
        total += gone
        if idle:
            remarks.append(f"no file matches {abbreviated(list(map(readable, idle)))} of {field} in debian/copyright")
    return left, total, remarks


@dataclass(frozen=True)
class Packing:
    """The packing of tarballs from the tar files of each component, below ``work``."""

    name: str
    sources: Sources
    extension: str
    committed: int
    work: Path

    def pack(self, version: str) -> dict[str, Path]:
        """Write the tarballs as a version names them; return them by component."""
        made = {}
        for component, tars in self.sources.items():
            mark = f"-{component}" if component else ""
            made[component] = self.work / f"{self.name}_{version}.orig{mark}.tar.{self.extension}"
            repack(tars, made[component], f"{self.name}{mark}-{version}", self.committed)
        return made


def _hand_over(context: StepContext, made: Mapping[str, Path]) -> list[Path]:
    """Move tarballs to out/, and remove what an earlier try has left there."""
    out = context.run.out
    done = [path.replace(out / path.name) for path in made.values()]
    for stale in set(out.glob(f"{context.component_name}_*.orig*.tar.*")) - {*done}:
        stale.unlink()
    return done


def repack(tars: Iterable[Path], target: Path, top: str, mtime: int) -> None:
    """Write all members of ``tars`` as one normalised tarball, ``top`` in the place of their first directory.

    ``target`` ends with .xz or .gz.

    Where two have a member of the same name, it is the later one's.  Raises Failed when there is no file at all.
    """
    found: dict[str, tuple[tarfile.TarFile, tarfile.TarInfo]] = {}
    with ExitStack() as stack:
        for path in tars:
            tar = stack.enter_context(tarfile.open(path, "r:*", encoding="utf-8", errors="surrogateescape"))
            found |= {renamed(member.name, top): (tar, member) for member in tar}
        if all(member.isdir() for _, member in found.values()):
            raise Failed(f"{top}: the commit has no files: there is nothing to package")
        raw = stack.enter_context(target.open("wb"))
        with (
            _compressed(raw, target) as packed,
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


@contextmanager
def _compressed(raw: IO[bytes], target: Path) -> Iterator[gzip.GzipFile | lzma.LZMAFile]:
    """Open a file to be compressed according to its name; the header omits the time and the name."""
    if target.suffix == ".gz":
        with gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as packed:
            yield packed
    else:
        with lzma.open(raw, "wb", preset=XZ_PRESET) as packed:
            yield packed


def renamed(name: str, top: str) -> str:
    """Return a member's name with ``top`` in place of its first directory."""
    return posixpath.join(top, posixpath.normpath(name).partition("/")[2]).rstrip("/")


def normalised(
    name: str, tar: tarfile.TarFile, member: tarfile.TarInfo, mtime: int
) -> tuple[tarfile.TarInfo, IO[bytes] | None]:
    """Return a member of the orig tarball and its content; a hard link becomes a file."""
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
