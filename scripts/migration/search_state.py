"""A set of chosen items, the packages that are there with it, and constraints on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress

from scripts.migration.items import MigrationItem
from scripts.migration.universe import Universe

Choice = frozenset[MigrationItem]


@dataclass(frozen=True, slots=True)
class Core:
    """Packages that cannot all be there, unless one of ``escapes`` is; ``explanation`` is one line for a reader."""

    packages: frozenset[int]
    escapes: frozenset[int]
    explanation: str = ""


class SearchState:
    """A set of chosen items and the packages that are there, with all changes undoable."""

    def __init__(self, universe: Universe, chosen: Iterable[MigrationItem]) -> None:
        self.universe = universe
        self.chosen = set(chosen)
        self.taken_back: list[MigrationItem] = []
        self.there = bytearray(universe.is_there(package, self.chosen) for package in universe.packages)
        self.counts = [0] * len(universe.clauses)
        for package in universe.packages:
            if self.there[package.number]:
                for clause in package.satisfies:
                    self.counts[clause] += 1

    def go_to(self, chosen: frozenset[MigrationItem]) -> None:
        """Choose other items, and forget which were taken back; the cost is that of the difference."""
        for item in self.chosen ^ chosen:
            self.chosen.symmetric_difference_update((item,))
            self._update(item)
        self.taken_back.clear()

    def present(self) -> set[int]:
        """Return the packages that are there, without old libraries that nothing needs."""
        kept = set(compress(range(len(self.there)), self.there))
        todo = {
            package.number
            for package in self.universe.leavable
            if self.there[package.number] and self.universe.is_leftover(package, self.chosen)
        }
        kept -= todo
        while found := {number for number in todo if self._is_needed(number, kept)}:
            kept |= found
            todo -= found
        return kept

    def _is_needed(self, number: int, kept: set[int]) -> bool:
        clauses = self.universe.clauses
        return any(
            not kept.isdisjoint(clauses[clause].owners) and kept.isdisjoint(clauses[clause].providers)
            for clause in self.universe.packages[number].satisfies
        )

    def add(self, item: MigrationItem) -> list[int]:
        """Choose an item; return the packages to look at again."""
        self.chosen.add(item)
        return self._update(item)

    def drop(self, item: MigrationItem) -> None:
        """Undo `add`."""
        self.chosen.remove(item)
        self._update(item)

    def take_back(self, item: MigrationItem) -> list[int]:
        """Take an item back; return the packages to look at again."""
        self.chosen.remove(item)
        self.taken_back.append(item)
        return self._update(item)

    def undo(self, length: int) -> None:
        """Choose again what was taken back since the list of these had a length."""
        while len(self.taken_back) > length:
            item = self.taken_back.pop()
            self.chosen.add(item)
            self._update(item)

    def _update(self, item: MigrationItem) -> list[int]:
        changed: list[tuple[int, list[int]]] = []
        counts, packages = self.counts, self.universe.packages
        for number in self.universe.touched.get(item, ()):
            package, empty = packages[number], list[int]()
            changed.append((number, empty))
            there = self.universe.is_there(package, self.chosen)
            if there == self.there[number]:
                continue
            self.there[number] = there
            for clause in package.satisfies:
                counts[clause] += 1 if there else -1
                if counts[clause] == 0:
                    empty.append(clause)
        look = []
        for number, empty in changed:
            look.append(number)
            for clause in empty:
                if not counts[clause]:  # a new version of a package often satisfies what the old one did
                    look += self.universe.clauses[clause].owners
        return look

    def missing(self, number: int) -> Iterator[int]:
        """Yield the clauses of a package that do not hold although they must."""
        package = self.universe.packages[number]
        if self.there[number] and package.checked and not self.universe.is_leftover(package, self.chosen):
            yield from (clause for clause in package.needs if not self.counts[clause])

    def violates(self, core: Core) -> bool:
        return all(self.there[number] for number in core.packages) and not any(self.there[n] for n in core.escapes)

    def choices(self, core: Core) -> list[Choice]:
        """Return the ways to satisfy a core by taking items back."""
        packages = self.universe.packages
        found = {frozenset({item}) for n in core.packages if (item := packages[n].comes_with)}
        for number in core.escapes:
            package = packages[number]
            if package.comes_with is None:
                found.add(package.gone_with & self.chosen)
        return sorted(found - {frozenset()}, key=sorted)
