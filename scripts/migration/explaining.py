"""Why not yet: for each item that is held back, the one thing it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Final

from scripts.migration.items import MigrationItem
from scripts.migration.search import Search
from scripts.migration.search_state import Core, SearchState
from scripts.migration.universe import PackageNode

# The most items that are tried together with one that is held back.
TOGETHER: Final = 4000


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


@dataclass(frozen=True)
class KnownReason:
    """Why an item is held back, and the packages of the constraint that is violated after all that it needs is added."""

    held: HeldItem
    packages: frozenset[int]


class HeldReasons:
    """The reasons at a result.  ``grown``: a larger set in which no known constraint is violated, if there is one.

    ``blamed``: the packages whose dependencies would not hold.  ``known``: the reasons so far.
    """

    def __init__(self, search: Search, policies: Mapping[MigrationItem, str], chosen: frozenset[MigrationItem]) -> None:
        self.search, self.policies = search, policies
        self.state = SearchState(search.universe, chosen)
        self.chosen = chosen
        self.grown: frozenset[MigrationItem] = frozenset()
        self.blamed: set[int] = set()
        self.known: dict[MigrationItem, KnownReason] = {}
        self.excused = search.excused
        self.newest = self._newest()

    def _newest(self) -> dict[str, MigrationItem]:
        """Return the items that take the packages of a source away: its newer version, or its removal without one."""
        open_ = sorted(self.search.items - self.chosen, key=lambda item: (not item.removal, item))
        return {item.source: item for item in open_}

    def grow(self) -> None:
        """Make the larger set the result.  Reasons that it does not concern stay."""
        new = self.grown - self.chosen
        for item in new:
            self.state.add(item)
        self.chosen, self.grown = self.grown, frozenset()
        self.newest = self._newest()
        self.known = {
            item: known
            for item, known in self.known.items()
            if item not in new and not self._change(new, known.packages)
        }

    def all(self, items: Iterable[MigrationItem]) -> list[HeldItem]:
        """Return the reason for each item that is not chosen, sorted; stop early where the result can grow."""
        if self.excused != self.search.excused:  # by now, fewer constraints are left
            self.excused = self.search.excused
            self.known.clear()
        found = []
        for item in sorted(frozenset(items) - self.chosen):
            if item in self.policies:
                found.append(HeldItem(item, "", self.policies[item]))
                continue
            if not self._explain(item):
                return found
            found.append(self.known[item].held)
        return found

    def _explain(self, item: MigrationItem) -> bool:
        """Find the reason for an item, after those for what it waits for; return False where the result can grow.

        Many items wait for the same ones, each for the next: what is known of one is not tried again with each other.
        """
        path = dict[MigrationItem, None]({item: None})
        causes: dict[MigrationItem, MigrationItem | None] = {}
        while path:
            last = next(reversed(path))
            if last not in self.known and last not in causes:
                causes[last] = cause = self._first_cause(last)
                if cause is not None and not (cause in self.policies or cause in self.known or cause in path):
                    path[cause] = None
                    continue
            if last not in self.known and not self._waits_alike([last], causes[last]) and not self._try(last):
                return False
            del path[last]
        return True

    def _first_cause(self, item: MigrationItem) -> MigrationItem | None:
        """Return the first item that another one waits for; where no item does, that is the reason."""
        queue = PackageQueue(self.search, self.state)
        queue.look(self.state.add(item))
        core = queue.first()
        cause = self._cause(core) if core else None
        if core and (cause is None or cause in self.policies or cause == item):
            self._know([item], core, cause)
        self.state.drop(item)
        return cause

    def _know(self, group: Sequence[MigrationItem], core: Core, cause: MigrationItem | None) -> None:
        self.known[group[0]] = KnownReason(self._held(group, core, cause), core.packages | core.escapes)

    def _waits_alike(self, group: Sequence[MigrationItem], cause: MigrationItem | None) -> bool:
        """Take over the reason that is known of a cause, unless a group could change it; return whether it did so."""
        known = self.known.get(cause) if cause else None
        if known is None or self._change(group, known.packages):
            return False
        self.known[group[0]] = replace(known, held=replace(known.held, item=group[0]))
        return True

    def _try(self, item: MigrationItem) -> bool:
        """Find why an item is held back: add it, and what it needs, until something is in the way."""
        group = [item]
        queue = PackageQueue(self.search, self.state)
        queue.look(self.state.add(item))
        try:
            while core := queue.first():
                cause = self._cause(core)
                if cause is None or cause in self.policies or cause in group or len(group) > TOGETHER:
                    self._know(group, core, cause)
                    return True
                if self._waits_alike(group, cause):
                    return True
                group.append(cause)
                queue.look(self.state.add(cause))
            self.grown = frozenset(self.state.chosen)
            return False
        finally:
            for added in reversed(group):
                self.state.drop(added)

    def _change(self, items: Iterable[MigrationItem], packages: frozenset[int]) -> bool:
        """Return whether the items decide if one of the packages is there."""
        touched = self.search.universe.touched
        return any(not packages.isdisjoint(touched.get(item, ())) for item in items)

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
            away = package.gone_with | package.left_by
            if newer in away and package.comes_with is None and newer not in self.state.chosen:
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
