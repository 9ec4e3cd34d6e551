"""The content of a suite: its indices, changed by pure functions, and the texts that are made of them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from debian.deb822 import Release
from debian.debian_support import Version

from lab.base.errors import InfrastructureError
from lab.store.archive import STATE_FILE, ArchiveReader, VersionChange
from scripts.archives.stanzas import Kind, Stanza, split

SOURCES = "main/source/Sources"
# The mean number of packages in a part of an index.
PART = 128
Index = Mapping[str, Stanza]


def _name(kind: Kind, architecture: str) -> str:
    return {
        "source": SOURCES,
        "binary": f"main/binary-{architecture}/Packages",
        "udeb": f"main/debian-installer/binary-{architecture}/Packages",
    }[kind]


@dataclass(frozen=True)
class Content:
    """The indices by name, with one version of each package, by package."""

    architectures: tuple[str, ...]
    indices: Mapping[str, Index]

    @classmethod
    def read(cls, reader: ArchiveReader, suite: str, architectures: Iterable[str]) -> Content:
        """Return the content of a suite, for these architectures too.

        Raises InfrastructureError for files that are not what was signed: the next state would lack packages.
        """
        state = reader.state(suite)
        if state and reader.has(state.name):
            suite = state.name  # a label can move meanwhile
        listed = _release(reader, suite)
        before = [name for name in listed.get("Architectures", "").split() if name != "source"]
        digests = {row["name"]: row["sha256"] for row in listed.get("SHA256", [])}

        def text(name: str) -> str:
            found = reader.index(suite, name)
            if digests.get(name, digest := hashlib.sha256(found.encode()).hexdigest()) != digest:
                raise _damaged(reader, suite, f"{name}.gz", "Release lists")
            return found

        return cls.of(tuple(dict.fromkeys([*before, *architectures])), before, text)

    @classmethod
    def of(cls, architectures: tuple[str, ...], before: Sequence[str], text: Callable[[str], str]) -> Content:
        """Return the content of texts of indices; an architecture that is not of ``before`` has the packages for all."""
        indices = {SOURCES: _by_package("source", text(SOURCES))}
        kinds: tuple[Kind, ...] = ("binary", "udeb")
        for kind in kinds:
            known = {name: _by_package(kind, text(_name(kind, name))) for name in before}
            shared = {
                key: each for index in known.values() for key, each in index.items() if each.architecture == "all"
            }
            for name in architectures:
                index = known.get(name, shared)
                if index or kind == "binary":
                    indices[_name(kind, name)] = index
        return cls(architectures, indices)

    def with_version(self, stanzas: Iterable[Stanza]) -> Content:
        """Return the content with these packages in place of others of their names."""
        indices = {name: dict(index) for name, index in self.indices.items()}
        for stanza in stanzas:
            everywhere = stanza.kind == "source" or stanza.architecture == "all"
            for architecture in self.architectures if everywhere else (stanza.architecture,):
                indices.setdefault(_name(stanza.kind, architecture), {})[stanza.package] = stanza
        return replace(self, indices=indices)

    def without(self, source: str, version: str) -> Content:
        """Return the content without the packages of a version of a source package."""
        gone = (source, version)
        return replace(
            self,
            indices={
                name: {key: each for key, each in index.items() if (each.source, each.source_version) != gone}
                for name, index in self.indices.items()
            },
        )

    def files(self, source: str, version: str) -> set[str]:
        """Return the paths of a version's listed packages; for the source package, its directory."""
        wanted = (source, version)
        return {
            each.path for index in self.indices.values() for each in index.values()
            if (each.source, each.source_version) == wanted
        }  # fmt: skip

    @cached_property
    def parts(self) -> dict[str, list[str]]:
        """The text of each index, in parts: a package begins one or not, whatever else is in the index."""
        return {name: _in_parts(index) for name, index in self.indices.items()}

    @cached_property
    def versions(self) -> list[tuple[str, str]]:
        """The versions of source packages that have a package in it, in order."""
        found = {(each.source, each.source_version) for index in self.indices.values() for each in index.values()}
        return sorted(found)

    def by_version(self) -> dict[tuple[str, str], list[Stanza]]:
        """Return the packages of each version of a source package, each once."""
        found: dict[tuple[str, str], dict[Stanza, None]] = {}
        for index in self.indices.values():
            for each in index.values():
                found.setdefault((each.source, each.source_version), {})[each] = None
        return {version: list(stanzas) for version, stanzas in found.items()}

    def lock(self) -> list[tuple[str, str]]:
        """Return the binary packages with their versions, in order."""
        binary = [index for name, index in self.indices.items() if name.startswith("main/binary-")]
        return sorted({(each.package, each.version) for index in binary for each in index.values()})


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


def _release(reader: ArchiveReader, suite: str) -> Release:
    """Return the Release file of a suite; an empty one without the file."""
    release, signed, state = (reader.read(f"dists/{suite}/{name}") for name in ("Release", "InRelease", STATE_FILE))
    text = (signed or b"").partition(b"\n\n")[2].partition(b"\n-----BEGIN PGP SIGNATURE")[0]
    empty = not (release or b"").strip() and (release, signed, state) != (None, None, None)
    if empty or (release is not None and signed is not None and release.strip() != text.strip()):
        raise _damaged(reader, suite, "Release", "InRelease has")
    return Release(release or b"")


def _damaged(reader: ArchiveReader, suite: str, name: str, wanted: str) -> InfrastructureError:
    return InfrastructureError(
        f"{reader.location}/dists/{suite}/{name}: is damaged: it is not what {wanted}", hint="restore it from a backup"
    )


def _in_parts(index: Index) -> list[str]:
    parts: list[list[str]] = [[]]
    for package in sorted(index):
        if parts[-1] and not zlib.crc32(package.encode()) % PART:
            parts.append([])
        parts[-1].append(index[package].text)
    texts = ["\n".join(part) for part in parts]
    return [*(f"{text}\n" for text in texts[:-1]), texts[-1]]


def _by_package(kind: Kind, text: str) -> dict[str, Stanza]:
    return {stanza.package: stanza for stanza in split(kind, text)}
