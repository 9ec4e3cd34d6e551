"""The versions in the pool of the archive: which files each has, and its stanzas for the indices.

A version stays while a state has it, and as long as ``archive.keep`` and ``archive.keep_days`` say (see
`scripts.archives.retention`).  Its record is written after its files, and removed before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Self
from urllib.parse import quote

from debian.debian_support import Version

from lab.base import files
from lab.base.errors import InfrastructureError
from lab.store.archive import ArchivePart
from lab.store.records import Stored
from scripts.archives.stanzas import Kind, Stanza, binary_files, parsed, source_files

PLACE = re.compile(r"pool/main/[a-z0-9]+/[A-Za-z0-9][A-Za-z0-9+.-]*/[A-Za-z0-9][A-Za-z0-9+.~:_%@=-]*")
"""A file in the pool: pool/main/PREFIX/SOURCE/NAME, see `directory`."""


class Entry(ArchivePart):
    """A stanza of a version."""

    kind: Kind
    text: str


class PoolVersion(Stored):
    """versions/TRACK/SOURCE/VERSION.json: a version of a source package with its binary packages."""

    source: str
    version: str
    added: str
    commit: str = ""
    """The upstream commit that it was built from, where that is known."""
    withdrawn: bool = False
    files: Mapping[str, str] = {}
    """The SHA-256 of each file, by its path below the archive."""
    entries: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, stanzas: Iterable[Stanza], *, added: str, commit: str = "") -> Self:
        """Return the record of stanzas that are of one version."""
        known = list(stanzas)
        found: dict[str, str] = {}
        for stanza in known:
            found |= source_files(stanza) if stanza.kind == "source" else binary_files(stanza)
        return cls(
            source=known[0].source, version=known[0].source_version, added=added, commit=commit, files=found,
            entries=tuple(Entry(kind=stanza.kind, text=stanza.text) for stanza in known),
        )  # fmt: skip

    @property
    def stanzas(self) -> list[Stanza]:
        return [parsed(entry.kind, entry.text) for entry in self.entries]

    def joined(self, other: PoolVersion) -> PoolVersion:
        """Return the record with the packages of another of the same version: a rebuild for one more architecture."""
        mine = {(stanza.kind, stanza.path): stanza for stanza in [*self.stanzas, *other.stanzas]}
        return PoolVersion.of(mine.values(), added=other.added, commit=other.commit or self.commit)


def directory(source: str) -> str:
    """Return the pool directory of a source package, as Debian names it."""
    return f"pool/main/{source[: 4 if source.startswith('lib') else 1]}/{source}"


def record_path(root: Path, track: str, source: str, version: str) -> Path:
    return root / "versions" / track / source / f"{quote(version, safe='+~:')}.json"


def of_source(root: Path, track: str, source: str) -> list[PoolVersion]:
    """Return the versions of a source package in a track, the oldest first."""
    found = [PoolVersion.read(path) for path in (root / "versions" / track / source).glob("*.json")]
    return sorted(found, key=lambda each: Version(each.version))


def everywhere(root: Path, source: str = "*") -> Iterator[tuple[str, Path, PoolVersion]]:
    """Yield the track, the path and the record of each version, of a source package or of all."""
    for path in sorted(root.glob(f"versions/*/{source}/*.json")):
        yield path.parts[-3], path, PoolVersion.read(path)


def expired(ages: Mapping[tuple[str, str], float], keep: int, keep_days: int) -> list[tuple[str, str]]:
    """Return the versions past their time, of all with their ages in days; the newest of a source package never is."""
    ordered = sorted(ages, key=lambda item: (item[0], Version(item[1])), reverse=True)
    return [
        item
        for _, group in groupby(ordered, key=lambda item: item[0])
        for rank, item in enumerate(group)
        if rank and (rank >= keep or ages[item] > keep_days)
    ]


def add_files(root: Path, sources: Mapping[str, Path], wanted: Mapping[str, str], source: str) -> None:
    """Have the files of a version in the pool; ``wanted``: their SHA-256 by path, ``sources``: new files by name.

    Raises InfrastructureError where another version has another file of that name, for a missing file, and for a path
    that is none in the pool: the names in a .dsc are those of whoever made it.
    """
    if wrong := next((place for place in wanted if not PLACE.fullmatch(place)), None):
        raise InfrastructureError(f"{wrong[:200]!r} is no place in the pool")
    taken: dict[str, str] = {}
    for _, _, record in everywhere(root, source):
        taken |= record.files
    for place, digest in wanted.items():
        target, name = root / place, Path(place).name
        for left in target.parent.glob(f".{name}.*"):  # of a copy that was killed
            left.unlink()
        if taken.get(place, digest) != digest:
            hint = "a version is built once: start a new run, which gets the next build number"
            raise InfrastructureError(f"the archive has another {name} already", hint=hint)
        if name in sources and files.sha256(sources[name]) != digest:
            raise InfrastructureError(f"{name} is not the file that its source package names")
        if name in sources and (place not in taken or not target.exists()):
            files.copy_atomic(sources[name], target)
        elif not target.exists():
            raise InfrastructureError(f"{name} is missing: neither the run nor the archive has it")
