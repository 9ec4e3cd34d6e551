"""An index in parts: a change reads and writes the parts that it touches, and takes over the others as they are.

A package begins a part or not, whatever else is in the index: so equal packages are equal text, in equal parts.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from scripts.archives.packed_index import Piece
from scripts.archives.stanzas import Kind, Stanza, split

# The mean number of packages in a part.
PART = 128
GAP = b"\n\n"


@dataclass(frozen=True)
class IndexPart:
    """The packages from one that begins a part to the next, with the text of them."""

    kind: Kind
    piece: Piece

    @cached_property
    def stanzas(self) -> dict[str, Stanza]:
        return {stanza.package: stanza for stanza in split(self.kind, self.piece.data.decode())}

    @cached_property
    def first(self) -> str:
        """The name of the first package; empty without one."""
        return next((stanza.package for stanza in split(self.kind, self.piece.data.partition(GAP)[0].decode())), "")

    def ended(self, *, last: bool) -> IndexPart:
        """Return the part as it stands in an index: an empty line comes after it, unless it is the last one."""
        if not self.piece.data or self.piece.data.endswith(GAP) is not last:
            return self
        return IndexPart(self.kind, Piece(self.piece.data[:-1] if last else self.piece.data + b"\n"))


@dataclass(frozen=True)
class PackageIndex:
    """The packages of an index, in order by name, one version of each; an empty one has an empty part."""

    kind: Kind
    parts: tuple[IndexPart, ...]

    @classmethod
    def of(cls, kind: Kind, stanzas: Mapping[str, Stanza]) -> PackageIndex:
        return cls(kind, (IndexPart(kind, Piece(b"")),)).changed(stanzas)

    @classmethod
    def of_text(cls, kind: Kind, text: str) -> PackageIndex:
        return cls.of(kind, {stanza.package: stanza for stanza in split(kind, text)})

    @classmethod
    def of_pieces(cls, kind: Kind, pieces: Sequence[Piece]) -> PackageIndex:
        return cls(kind, tuple(IndexPart(kind, piece) for piece in pieces))

    @cached_property
    def stanzas(self) -> dict[str, Stanza]:
        """All packages by name."""
        return {name: stanza for part in self.parts for name, stanza in part.stanzas.items()}

    @property
    def is_empty(self) -> bool:
        return not self.parts[0].piece.data

    @cached_property
    def _firsts(self) -> list[str]:
        return [part.first for part in self.parts]

    def _place(self, package: str) -> int:
        return max(bisect_right(self._firsts, package) - 1, 0)

    def get(self, package: str) -> Stanza | None:
        return self.parts[self._place(package)].stanzas.get(package)

    def of_version(self, source: str, version: str) -> Iterator[Stanza]:
        """Yield the packages of a version of a source package, which all have its name in their text."""
        word = source.encode()
        for part in self.parts:
            if word in part.piece.data:
                yield from (
                    each for each in part.stanzas.values() if (each.source, each.source_version) == (source, version)
                )

    def changed(self, added: Mapping[str, Stanza], removed: Collection[str] = ()) -> PackageIndex:
        """Return the index with packages in place of others of their names, and without some."""
        touched: dict[int, set[str]] = {}
        for package in {*added, *removed}:
            touched.setdefault(self._place(package), set()).add(package)
        found: list[IndexPart] = []
        for place, part in enumerate(self.parts):
            if place not in touched:
                found.append(part)
                continue
            stanzas = {name: each for name, each in part.stanzas.items() if name not in removed}
            stanzas |= {name: added[name] for name in touched[place] if name in added}
            if found and stanzas and not _begins(min(stanzas)):  # it was removed: they go to the part before
                stanzas |= found.pop().stanzas
            found += self._split(stanzas)
        found = found or [IndexPart(self.kind, Piece(b""))]
        return PackageIndex(self.kind, (*(part.ended(last=False) for part in found[:-1]), found[-1].ended(last=True)))

    def _split(self, stanzas: Mapping[str, Stanza]) -> list[IndexPart]:
        texts: list[list[str]] = []
        for package in sorted(stanzas):
            if not texts or _begins(package):
                texts.append([])
            texts[-1].append(stanzas[package].text)
        return [IndexPart(self.kind, Piece("\n".join(text).encode())) for text in texts]


def _begins(package: str) -> bool:
    """Return whether a package begins a part."""
    return not zlib.crc32(package.encode()) % PART
