"""The content of a suite: its indices and its lock lists, changed by pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from debian.deb822 import Release
from debian.debian_support import Version

from lab.base.errors import InfrastructureError
from lab.store.archive import BINARY_LOCK, SOURCE_LOCK, STATE_FILE, ArchiveReader, VersionChange, lock_rows
from scripts.archives import packed_index
from scripts.archives.package_index import IndexPart, PackageIndex
from scripts.archives.stanzas import Kind, Stanza

SOURCES = "main/source/Sources"
BINARY = "main/binary-"
Rows = tuple[tuple[str, str], ...]


def _name(kind: Kind, architecture: str) -> str:
    return {
        "source": SOURCES,
        "binary": f"main/binary-{architecture}/Packages",
        "udeb": f"main/debian-installer/binary-{architecture}/Packages",
    }[kind]


@dataclass(frozen=True)
class Content:
    """The indices by name, with one version of each package.

    ``versions``: the versions of source packages that have a package in it, ``binaries``: the binary packages with
    their versions, both in order.
    """

    architectures: tuple[str, ...]
    indices: Mapping[str, PackageIndex] = field(default_factory=dict)
    versions: Rows = ()
    binaries: Rows = ()

    @classmethod
    def read(cls, reader: ArchiveReader, suite: str, architectures: Iterable[str]) -> Content:
        """Return the content of a suite, for these architectures too.

        Raises InfrastructureError for files that are not what was signed: the next state would lack packages.
        """
        state = reader.state(suite)
        if state and reader.has(state.name):
            suite = state.name  # a label can move meanwhile
        signed = _SignedSuite.read(reader, suite)
        before = [name for name in signed.release.get("Architectures", "").split() if name != "source"]
        wanted = tuple(dict.fromkeys([*before, *architectures]))
        indices = {SOURCES: signed.index("source", SOURCES)}
        kinds: tuple[Kind, ...] = ("binary", "udeb")
        for kind in kinds:
            known = {name: signed.index(kind, _name(kind, name)) for name in before}
            if new := [name for name in wanted if name not in known]:  # they have the packages for all
                everything = [stanza for index in known.values() for stanza in index.stanzas.values()]
                shared = {stanza.package: stanza for stanza in everything if stanza.architecture == "all"}
                known |= dict.fromkeys(new, PackageIndex.of(kind, shared))
            indices |= {
                _name(kind, name): known[name] for name in wanted if kind == "binary" or not known[name].is_empty
            }
        locks = [signed.lock(name) for name in (SOURCE_LOCK, BINARY_LOCK)]
        if locks[0] is None or locks[1] is None:  # of an older release
            return cls(wanted).with_indices(indices)
        return cls(wanted, indices, locks[0], locks[1])

    def with_indices(self, indices: Mapping[str, PackageIndex]) -> Content:
        """Return the content with other indices in place of all; of those that it has, only other parts are read."""
        old, new = (_parts(each) for each in (self.indices, indices))
        removed = {each for key in old.keys() - new.keys() for each in old[key].stanzas.values()}
        added = {each for key in new.keys() - old.keys() for each in new[key].stanzas.values()}
        gone, come = removed - added, added - removed
        left = {
            (source, version) for source, version in {(each.source, each.source_version) for each in gone}
            if not any(any(index.of_version(source, version)) for index in indices.values())
        }  # fmt: skip
        binary = [index for name, index in indices.items() if name.startswith(BINARY)]
        unlisted = {
            (each.package, each.version) for each in gone
            if not any((there := index.get(each.package)) and there.version == each.version for index in binary)
        }  # fmt: skip
        listed = {(each.package, each.version) for each in come if each.kind == "binary"}
        return Content(
            self.architectures, indices,
            _rows(self.versions, left, {(each.source, each.source_version) for each in come}),
            _rows(self.binaries, unlisted, listed),
        )  # fmt: skip

    def with_version(self, stanzas: Iterable[Stanza]) -> Content:
        """Return the content with these packages in place of others of their names."""
        added: dict[str, dict[str, Stanza]] = {}
        for stanza in stanzas:
            everywhere = stanza.kind == "source" or stanza.architecture == "all"
            for architecture in self.architectures if everywhere else (stanza.architecture,):
                added.setdefault(_name(stanza.kind, architecture), {})[stanza.package] = stanza
        indices = dict(self.indices)
        for name, packages in added.items():
            kind = next(iter(packages.values())).kind
            indices[name] = indices.get(name, PackageIndex.of(kind, {})).changed(packages)
        return self.with_indices(indices)

    def without(self, source: str, version: str) -> Content:
        """Return the content without the packages of a version of a source package."""
        gone = {
            name: {each.package for each in index.of_version(source, version)} for name, index in self.indices.items()
        }
        return self.with_indices({
            name: index.changed({}, gone[name]) if gone[name] else index for name, index in self.indices.items()
        })  # fmt: skip

    def files(self, source: str, version: str) -> set[str]:
        """Return the paths of a version's listed packages; for the source package, its directory."""
        return {each.path for index in self.indices.values() for each in index.of_version(source, version)}

    def by_version(self) -> dict[tuple[str, str], list[Stanza]]:
        """Return the packages of each version of a source package, each once."""
        found: dict[tuple[str, str], dict[Stanza, None]] = {}
        for index in self.indices.values():
            for each in index.stanzas.values():
                found.setdefault((each.source, each.source_version), {})[each] = None
        return {version: list(stanzas) for version, stanzas in found.items()}


def newest(versions: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the newest version of each source package."""
    found: dict[str, str] = {}
    for source, version in versions:
        if source not in found or Version(found[source]) < Version(version):
            found[source] = version
    return found


def differences(before: Iterable[tuple[str, str]], after: Iterable[tuple[str, str]]) -> tuple[VersionChange, ...]:
    """Return the packages whose newest listed version differs."""
    old, new = newest(before), newest(after)
    return tuple(
        VersionChange(source=name, before=old.get(name, ""), after=new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _rows(before: Rows, removed: set[tuple[str, str]], added: Iterable[tuple[str, str]]) -> Rows:
    return tuple(sorted(dict.fromkeys([*(row for row in before if row not in removed), *added])))


def _parts(indices: Mapping[str, PackageIndex]) -> dict[int, IndexPart]:
    """Return all parts by their identity: a change takes over the others as they are."""
    return {id(part): part for index in indices.values() for part in index.parts}


@dataclass(frozen=True)
class _SignedSuite:
    """The files of a suite that its Release file names.  Raises InfrastructureError for damaged ones."""

    reader: ArchiveReader
    suite: str
    release: Release

    @classmethod
    def read(cls, reader: ArchiveReader, suite: str) -> _SignedSuite:
        """Return a suite; an empty one without the file."""
        release, signed, state = (reader.read(f"dists/{suite}/{name}") for name in ("Release", "InRelease", STATE_FILE))
        text = (signed or b"").partition(b"\n\n")[2].partition(b"\n-----BEGIN PGP SIGNATURE")[0]
        empty = not (release or b"").strip() and (release, signed, state) != (None, None, None)
        found = cls(reader, suite, Release(release or b""))
        if empty or (release is not None and signed is not None and release.strip() != text.strip()):
            raise found.damaged("Release", "InRelease has")
        return found

    @cached_property
    def digests(self) -> dict[str, str]:
        return {row["name"]: row["sha256"] for row in self.release.get("SHA256", [])}

    def index(self, kind: Kind, name: str) -> PackageIndex:
        if not self.digests.keys() & {name, f"{name}.gz"}:
            return PackageIndex.of(kind, {})
        packed = self.reader.read(f"dists/{self.suite}/{name}.gz") or b""
        whole = hashlib.sha256(packed).hexdigest() == self.digests.get(f"{name}.gz")
        if whole and (pieces := packed_index.unpack(packed)):
            return PackageIndex.of_pieces(kind, pieces)
        text = self.reader.index(self.suite, name)
        if self.digests.get(name, digest := hashlib.sha256(text.encode()).hexdigest()) != digest:
            raise self.damaged(f"{name}.gz", "Release lists")
        return PackageIndex.of_text(kind, text)

    def lock(self, name: str) -> Rows | None:
        """Return the rows of a lock list; None where the Release file does not name it."""
        if (wanted := self.digests.get(name)) is None:
            return None
        text = self.reader.index(self.suite, name)
        if hashlib.sha256(text.encode()).hexdigest() != wanted:
            raise self.damaged(f"{name}.gz", "Release lists")
        return tuple(lock_rows(text))

    def damaged(self, name: str, wanted: str) -> InfrastructureError:
        return InfrastructureError(
            f"{self.reader.location}/dists/{self.suite}/{name}: is damaged: it is not what {wanted}",
            hint="restore it from a backup",
        )
