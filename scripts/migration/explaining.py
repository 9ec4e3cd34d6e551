"""Why not yet: for each item that is held back, the one thing it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from scripts.migration.items import MigrationItem
from scripts.migration.search import Core, Search, SearchState
from scripts.migration.universe import PackageNode

# The most items that are tried together with one that is held back.
TOGETHER: Final = 40


@dataclass(frozen=True)
class HeldItem:
    """An item that is held back; ``waits_for`` is an item, a package, a dependency, or empty for a policy."""

    item: MigrationItem
    waits_for: str
    reason: str


class PackageQueue:
    """The packages to look at, in order, while items are added: each again only when a change reaches it.

    ``again``: a heap of the places that were passed and are to be looked at again.
    """

    def __init__(self, search: Search, state: SearchState) -> None:
        self.search, self.state = search, state
        self.order: list[int] = []
        self.places: dict[int, int] = {}
        self.passed = 0
        self.again: list[int] = []

    def look(self, numbers: Iterable[int]) -> None:
        """Look at some packages, at the end if they are new."""
        for number in numbers:
            place = self.places.get(number)
            if place is None:
                self.places[number] = len(self.order)
                self.order.append(number)
            elif place < self.passed:
                heappush(self.again, place)
            for core in self.search.cores.get(number, ()):
                if self.state.violates(core):
                    known = (self.places.get(other, self.passed) for other in core.packages | core.escapes)
                    self.again = sorted({*self.again, *(place for place in known if place < self.passed)})

    def first(self) -> Core | None:
        """Return the first constraint that is violated, in the order of the packages."""
        while self.again:
            if core := self._violated(self.again[0]):
                return core
            heappop(self.again)
        while self.passed < len(self.order):
            if core := self._violated(self.passed):
                return core
            self.passed += 1
        return None

    def _violated(self, place: int) -> Core | None:
        return next(self.search.violated(self.state, (self.order[place],)), None)


class HeldReasons:
    """The reasons at a result.  ``grown``: a larger set in which no known constraint is violated, if there is one.

    ``blamed``: the packages whose dependencies would not hold.
    """

    def __init__(self, search: Search, policies: Mapping[MigrationItem, str], chosen: frozenset[MigrationItem]) -> None:
        self.search, self.policies = search, policies
        self.state = SearchState(search.universe, chosen)
        self.chosen = chosen
        self.grown: frozenset[MigrationItem] = frozenset()
        self.blamed: set[int] = set()
        self.newest = {item.source: item for item in search.items if item not in chosen and not item.removal}

    def all(self, items: Iterable[MigrationItem]) -> list[HeldItem]:
        """Return the reason for each item, sorted; stop early where the result can grow."""
        found = []
        for item in sorted(items):
            if item in self.policies:
                found.append(HeldItem(item, "", self.policies[item]))
                continue
            held = self.one(item)
            if held is None:
                return found
            found.append(held)
        return found

    def one(self, item: MigrationItem) -> HeldItem | None:
        """Return why an item is held back: add it, and what it needs, until something is in the way."""
        group = [item]
        queue = PackageQueue(self.search, self.state)
        queue.look(self.state.add(item))
        try:
            while core := queue.first():
                cause = self._cause(core)
                if cause is None or cause in self.policies or cause in group or len(group) > TOGETHER:
                    return self._held(group, core, cause)
                group.append(cause)
                queue.look(self.state.add(cause))
            self.grown = frozenset(self.state.chosen)
            return None
        finally:
            for added in reversed(group):
                self.state.drop(added)

    def _packages(self, numbers: Iterable[int]) -> list[PackageNode]:
        return [self.search.universe.packages[number] for number in sorted(numbers)]

    def _cause(self, core: Core) -> MigrationItem | None:
        """Return the item that would lift a violated constraint."""
        waiting = {
            p.comes_with for p in self._packages(core.escapes) if p.comes_with and not self.state.there[p.number]
        }
        waiting -= self.state.chosen
        if waiting:
            return min(waiting, key=lambda item: (item in self.policies, item))
        for package in self._packages(core.packages):
            newer = self.newest.get(package.binary.source)
            if newer and package.comes_with is None and newer in package.gone_with and newer not in self.state.chosen:
                return newer
        return None

    def _held(self, group: Sequence[MigrationItem], core: Core, cause: MigrationItem | None) -> HeldItem:
        self.blamed |= set() if core.explanation else core.packages
        line = core.explanation or self._line(core)
        if cause is None:
            return HeldItem(group[0], self._missing(core, group), line)
        why = self.policies.get(cause)
        return HeldItem(
            group[0], str(cause), f"{line}; {cause} is held back: {why}" if why else f"{line}; waits for {cause}"
        )

    def _line(self, core: Core) -> str:
        package = self._packages(core.packages)[0]
        return f"{package} needs {self._clause(core)}, which is not there"

    def _clause(self, core: Core) -> str:
        package = self._packages(core.packages)[0]
        return next(self.search.universe.clauses[clause].text for clause in self.state.missing(package.number))

    def _missing(self, core: Core, group: Sequence[MigrationItem]) -> str:
        packages = self._packages(core.packages)
        others = [package for package in packages if package.comes_with not in group]
        if core.explanation or others:
            return str(others[0]) if others else ""
        return self._clause(core)
