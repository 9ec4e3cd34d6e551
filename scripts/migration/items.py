"""Migration items: what differs between a target and a candidate, as units that migrate whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scripts.migration.indexes import Binary, IndexedSuite
from scripts.migration.relations import order

Added = Mapping[str, Mapping[str, Binary]]


class MigrationItem(NamedTuple):
    """A unit of migration: a source, the rebuilt binaries of a source for one architecture, or a removal.

    ``version`` is that of the source in the candidate; for a removal, that in the target.
    """

    source: str
    version: str
    architecture: str = "source"
    removal: bool = False

    def __str__(self) -> str:
        where = "" if self.architecture == "source" else f"/{self.architecture}"
        return f"{'-' * self.removal}{self.source}/{self.version}{where}"


@dataclass(frozen=True)
class ItemChange:
    """What an item does: the binaries that it adds and the names that it drops, by architecture.

    ``impediment``: why the item cannot migrate whatever else does; empty for a candidate.
    """

    item: MigrationItem
    adds: Added = field(default_factory=dict)
    drops: Mapping[str, frozenset[str]] = field(default_factory=dict)
    impediment: str = ""


def changes(target: IndexedSuite, candidate: IndexedSuite) -> dict[MigrationItem, ItemChange]:
    """Return all items between two suites."""
    old, new = target.of_source(), candidate.of_source()
    found: dict[MigrationItem, ItemChange] = {}
    for source in sorted({*target.sources, *candidate.sources, *old}):
        mine, theirs = old.get(source, {}), new.get(source, {})
        if source not in candidate.sources:
            change = removal(target, source, mine)
            found[change.item] = change
            continue
        version = candidate.sources[source].version
        there = target.sources.get(source)
        if there is None or there.version != version:
            change = _update(MigrationItem(source, version), there.version if there else "", target, mine, theirs)
            found[change.item] = change
        else:
            found.update((change.item, change) for change in _rebuilds(source, version, target, mine, theirs))
    return found


def removal(target: IndexedSuite, source: str, mine: Mapping[str, list[Binary]]) -> ItemChange:
    """Return the removal of a source and its binaries from the target."""
    known = target.sources.get(source)
    version = known.version if known else max(b.source_version for all_ in mine.values() for b in all_)
    return ItemChange(
        MigrationItem(source, version, removal=True),
        drops={arch: frozenset(b.name for b in all_) for arch, all_ in mine.items()},
    )


def _update(
    item: MigrationItem,
    there: str,
    target: IndexedSuite,
    mine: Mapping[str, list[Binary]],
    theirs: Mapping[str, list[Binary]],
) -> ItemChange:
    adds = {
        arch: {b.name: b for b in all_ if b.source_version == item.version}
        for arch, all_ in theirs.items()
        if any(b.source_version == item.version for b in all_)
    }
    drops = {arch: frozenset(b.name for b in all_) for arch, all_ in mine.items()}
    return ItemChange(item, adds, drops, next(_impediments(item, there, adds, theirs, target), ""))


def _impediments(
    item: MigrationItem, there: str, adds: Added, theirs: Mapping[str, list[Binary]], target: IndexedSuite
) -> Iterator[str]:
    if there and order(item.version, there) < 0:
        yield f"older than {there} in {target.title}"
    if not adds:
        yield "not built: the candidate has no binary of this version"
    for arch, all_ in sorted(theirs.items()):
        built = any(b.architecture != "all" for b in adds.get(arch, {}).values())
        behind = [b for b in all_ if b.source_version != item.version and b.architecture != "all"]
        if behind and not built:
            yield f"not built for {arch}: the candidate has {behind[0].name} of {behind[0].source_version} there"
    yield from _older_binaries(adds, target)


def _older_binaries(adds: Added, target: IndexedSuite) -> Iterator[str]:
    for arch, new in sorted(adds.items()):
        for name, binary in sorted(new.items()):
            known = target.binaries.get(arch, {}).get(name)
            if known and order(binary.version, known.version) < 0:
                yield f"{name} {binary.version} is older than {known.version} in {target.title} ({arch})"


def _rebuilds(
    source: str,
    version: str,
    target: IndexedSuite,
    mine: Mapping[str, list[Binary]],
    theirs: Mapping[str, list[Binary]],
) -> Iterator[ItemChange]:
    """Yield the items of a source whose version is the same in both suites but whose binaries differ."""
    for arch in sorted({*mine, *theirs}):
        new = {b.name: b for b in theirs.get(arch, []) if b.source_version == version}
        # Old libraries that a smooth transition left go by themselves when nothing needs them.
        old = {b.name: b for b in mine.get(arch, []) if b.source_version == version}
        taken = {
            n
            for n in new
            if (b := target.binaries.get(arch, {}).get(n))
            and b.source != source
            and order(b.version, new[n].version) > 0
        }
        added = {name: b for name, b in new.items() if name not in taken}
        if {n: b.version for n, b in added.items()} != {n: b.version for n, b in old.items()}:
            adds = {arch: added}
            drops = {arch: frozenset(b.name for b in mine.get(arch, []))}
            yield ItemChange(MigrationItem(source, version, arch), adds, drops, next(_older_binaries(adds, target), ""))
