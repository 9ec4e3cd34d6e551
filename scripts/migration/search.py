"""The search for the largest set of items whose dependencies hold, by taking back as few as possible.

It starts with all items.  A dependency that does not hold leaves a choice: take back the item that needs it, or one that
dropped what satisfied it.  A single choice is forced; of several, one that takes back a subset of what each other does is
best; the rest is tried, up to a limit.  The target itself (everything taken back) always holds, so there is always a result.
Conflicts are learned as cores: sets of packages that cannot be there together, see `learn`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from scripts.migration.items import MigrationItem
from scripts.migration.search_state import Choice, Core, SearchState
from scripts.migration.universe import PackageNode, Universe

BRANCHES: Final = 200
PREFERRED: Final = 1000
# What each option of a choice takes back, the smallest first.
Closures = list[tuple[Choice, Choice]]


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
        self.repair: _Run | None = None
        self.excused = 0

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
            self.excused += 1

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

    def repaired(self, chosen: frozenset[MigrationItem]) -> frozenset[MigrationItem]:
        """Return a part of a set that what was learned since the last search allows, by the first choices alone."""
        if self.repair is None or self.repair.state.chosen != chosen:
            self.repair = _Run(self, SearchState(self.universe, chosen))
        self.repair.settle(self.new)
        self.repair.decide()
        return frozenset(self.repair.state.chosen)

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

    def weight(self, items: Collection[MigrationItem]) -> int:
        if not self.preferred:
            return len(items)
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

    def decide(self) -> None:
        """Decide all open choices by the best option of each at sight."""
        while choices := self.real_choices():
            self.settle(self.take_back(choices[0][0][1]))

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
