"""The search for the largest set of items whose dependencies hold, by taking back as few as possible.

It starts with all items.  A dependency that does not hold leaves a choice: take back the item that needs it, or one that
dropped what satisfied it.  A single choice is forced; of several, one that takes back a subset of what each other does is
best; the rest is tried, up to a limit.  The target itself (everything taken back) always holds, so there is always a result.
Conflicts are learned as cores: sets of packages that cannot be there together, see `learn`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from scripts.migration.items import MigrationItem
from scripts.migration.universe import PackageNode, Universe

BRANCHES: Final = 200
PREFERRED: Final = 1000
Choice = frozenset[MigrationItem]
# What each option of a choice takes back, the smallest first.
Closures = list[tuple[Choice, Choice]]


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


class Search:
    """The search in a universe; ``forced`` items are never taken back, ``preferred`` ones only when they must be."""

    def __init__(
        self,
        universe: Universe,
        items: Iterable[MigrationItem],
        *,
        held: Iterable[MigrationItem],
        forced: frozenset[MigrationItem],
        preferred: frozenset[MigrationItem],
    ) -> None:
        self.universe, self.forced, self.preferred = universe, forced, preferred
        self.items = frozenset(items)
        self.candidates = self.items - frozenset(held)
        self.cores: dict[int, list[Core]] = {}
        self.new: list[Core] = []
        self.branches = 0
        self.run: _Run | None = None

    def core(self, package: PackageNode, clause: int) -> Core:
        """Return a dependency as a core."""
        return Core(frozenset({package.number}), frozenset(self.universe.clauses[clause].providers))

    def learn(self, core: Core) -> None:
        """Add a constraint."""
        self.new.append(core)
        for number in core.packages | core.escapes:
            self.cores.setdefault(number, []).append(core)

    def excuse(self, package: PackageNode) -> None:
        """Let a package be uninstallable.  What its dependencies have forced is found anew."""
        if package.checked:
            package.checked, self.run = False, None

    def best(self) -> frozenset[MigrationItem]:
        """Return the largest set of items found.

        What is forced stays so with more constraints: it is found once, not for each constraint that is learned.
        """
        if self.run is None:
            self.run = _Run(self, SearchState(self.universe, self.candidates))
            self.run.settle(self.violated(self.run.state, range(len(self.universe.packages))))
        else:
            self.run.settle(self.new)
        self.new.clear()
        found = self.run.choose()
        return found if found is not None else self.forced

    def violated(self, state: SearchState, look: Iterable[int]) -> Iterator[Core]:
        """Yield what does not hold, of some packages and of the learned cores that name one of them."""
        seen = set[int]()
        for number in dict.fromkeys(look):
            for clause in state.missing(number):
                yield self.core(self.universe.packages[number], clause)
            for core in self.cores.get(number, ()):
                if id(core) not in seen:  # a core can have thousands of packages
                    seen.add(id(core))
                    if state.violates(core):
                        yield core

    def options(self, state: SearchState, core: Core) -> list[Choice]:
        return [choice for choice in state.choices(core) if choice.isdisjoint(self.forced)]

    def weight(self, items: Iterable[MigrationItem]) -> int:
        return sum(PREFERRED if item in self.preferred else 1 for item in items)


class _Run:
    """One search: the state, the open choices, the best result so far."""

    def __init__(self, search: Search, state: SearchState) -> None:
        self.search, self.state = search, state
        self.open: list[Core] = []
        self.best: frozenset[MigrationItem] | None = None
        self.least = 0

    def choose(self) -> frozenset[MigrationItem] | None:
        """Return the best decision of the open choices, and leave them open."""
        self.best = None
        self.undoing(self.descend)
        return self.best

    def settle(self, cores: Iterable[Core]) -> None:
        """Take back what is forced, until only open choices are left."""
        todo = list(cores)
        while todo:
            core = todo.pop()
            if not self.state.violates(core):
                continue
            options = self.search.options(self.state, core)
            if len(options) == 1:
                todo.extend(self.take_back(options[0]))
            elif options:
                self.open.append(core)

    def take_back(self, choice: Choice) -> list[Core]:
        """Take items back; return what does not hold any more."""
        look = [number for item in sorted(choice & self.state.chosen) for number in self.state.take_back(item)]
        return list(self.search.violated(self.state, look))

    def descend(self) -> None:
        """Decide all open choices: first those that one option decides best; of a real choice, try all options."""
        while choices := self.real_choices():
            if self.best is not None and self.search.weight(self.state.taken_back) + self.bound(choices) >= self.least:
                return
            if self.search.branches >= BRANCHES:
                self.settle(self.take_back(choices[0][0][1]))
                continue
            for _, option in choices[0]:
                self.search.branches += 1
                self.undoing(lambda option=option: self.branch(option))  # type: ignore[misc]
            return
        weight = self.search.weight(self.state.taken_back)
        if self.best is None or weight < self.least:
            self.best, self.least = frozenset(self.state.chosen), weight

    def real_choices(self) -> list[Closures]:
        """Return the open choices, the options of each with what they take back, the smallest first.

        Where an option takes back a part of what each other one does, it is taken.
        """
        while True:
            found, decided = list[Closures](), False
            for core in [core for core in self.open if self.state.violates(core)]:
                if not self.state.violates(core):  # by now
                    continue
                closures = self.closures(core)
                if all(closures[0][0] <= closure for closure, _ in closures):
                    self.settle(self.take_back(closures[0][1]))
                    decided = True
                found.append(closures)
            if not decided:
                return found

    def closures(self, core: Core) -> Closures:
        return sorted(
            ((self.closure(option), option) for option in self.search.options(self.state, core)),
            key=lambda pair: (self.search.weight(pair[0]), sorted(pair[1])),
        )

    def bound(self, choices: Iterable[Closures]) -> int:
        """Return the least weight that the choices take back in any case.

        Whatever else is taken back, a choice takes back all of one closure; so choices without a common item add up.
        """
        least, counted = 0, set[MigrationItem]()
        for closures in choices:
            items = frozenset[MigrationItem]().union(*(closure for closure, _ in closures))
            if counted.isdisjoint(items):
                counted |= items
                least += self.search.weight(closures[0][0])
        return least

    def branch(self, option: Choice) -> None:
        self.settle(self.take_back(option))
        if self.best is None or self.search.weight(self.state.taken_back) < self.least:
            self.descend()

    def closure(self, option: Choice) -> frozenset[MigrationItem]:
        """Return all that an option takes back."""
        length = len(self.state.taken_back)
        found: list[MigrationItem] = []

        def look() -> None:
            self.settle(self.take_back(option))
            found.extend(self.state.taken_back[length:])

        self.undoing(look)
        return frozenset(found)

    def undoing(self, action: Callable[[], None]) -> None:
        length, choices = len(self.state.taken_back), len(self.open)
        action()
        self.state.undo(length)
        del self.open[choices:]
