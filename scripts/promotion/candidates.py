"""The candidates for a label: what its state does not have of the newest state, and why some of it has to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from lab.store.archive import ArchiveReader
from lab.store.promotions import WaitingVersion
from scripts.migration import dose, indexes, items, migrating
from scripts.migration.indexes import Binary, IndexedSuite
from scripts.migration.items import ItemChange, MigrationItem
from scripts.migration.migrating import Migration
from scripts.migration.policies import Criteria

Distribution = Callable[[Iterable[Binary]], IndexedSuite]
# How the reason of a version begins that `qalab promote --retry` has tested again.
HELD = "held back: "
OTHERS = "not part of this round"


@dataclass(frozen=True)
class Candidates:
    """The items between the state of a label and a newer state.

    ``base`` is empty for a label without a state.  ``distribution`` returns the packages of the distribution that some
    packages need.
    """

    reader: ArchiveReader
    base: str
    newest: str
    distribution: Distribution
    hints: str = ""
    solutions: dict[frozenset[MigrationItem], Migration] = field(default_factory=dict)

    @cached_property
    def target(self) -> IndexedSuite:
        found = _suite(self.reader, self.base) if self.base else IndexedSuite()
        return replace(found, title="the label")

    @cached_property
    def candidate(self) -> IndexedSuite:
        return _suite(self.reader, self.newest)

    @cached_property
    def changes(self) -> Mapping[MigrationItem, ItemChange]:
        """All items between the two states, with the removals that hints ask for."""
        return migrating.with_removals(
            items.changes(self.target, self.candidate), self.hints, self.target, self.candidate
        )

    @cached_property
    def named(self) -> dict[str, MigrationItem]:
        """The items by their names in hints and records."""
        return {str(item): item for item in self.changes}

    @cached_property
    def below(self) -> IndexedSuite:
        binaries = [
            each for suite in (self.target, self.candidate) for of in suite.binaries.values() for each in of.values()
        ]
        return self.distribution(binaries)

    def chosen(self, criteria: Criteria, excluded: Mapping[MigrationItem, str]) -> Migration:
        """Return the largest set that fulfils criteria and leaves nothing newly uninstallable."""
        return migrating.migrate(
            self.target, self.candidate, dose.uninstallable,
            base=self.below, hint_text=self.hints, criteria=criteria, excluded=excluded,
        )  # fmt: skip

    def solution(self, allowed: frozenset[MigrationItem]) -> Migration:
        """Return the largest part of some items that leaves nothing newly uninstallable."""
        if allowed not in self.solutions:
            others = dict.fromkeys((item for item in self.changes if item not in allowed), OTHERS)
            self.solutions[allowed] = self.chosen(Criteria(), others)
        return self.solutions[allowed]

    def largest(self, allowed: frozenset[MigrationItem]) -> frozenset[MigrationItem]:
        """Return the items of `solution`."""
        return frozenset(self.solution(allowed).migrated)

    def waiting(self, result: Migration, runs: Mapping[str, tuple[str, ...]]) -> list[WaitingVersion]:
        """Return the items that a result holds back; ``runs``: the evidence, by item."""
        return [
            WaitingVersion(
                item=str(held.item),
                component=held.item.source,
                before=self.target.sources[held.item.source].version if held.item.source in self.target.sources else "",
                version="" if held.item.removal else held.item.version,
                waits_for=held.waits_for,
                reason=held.reason.replace(f"is held back: {HELD}", f"is {HELD}"),
                runs=runs.get(str(held.item), ()),
            )
            for held in result.held
        ]


def _suite(reader: ArchiveReader, state: str) -> IndexedSuite:
    return indexes.read([reader.root / "dists" / reader.existing(state).name])
