"""The migration of a candidate to a target: the largest set of items after which nothing is newly uninstallable.

The search proposes a set by its dependencies.  Each package that the set can affect is judged: it is in an installation
found at sight, or dose is asked.  What dose finds broken becomes a constraint of the next search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from scripts.migration import hints as hint_files
from scripts.migration import items, policies, universe
from scripts.migration.dose import Explanation
from scripts.migration.explaining import HeldItem, HeldReasons
from scripts.migration.hints import MigrationHints
from scripts.migration.indexes import Binary, IndexedSuite
from scripts.migration.installations import Installations
from scripts.migration.items import ItemChange, MigrationItem
from scripts.migration.policies import Criteria
from scripts.migration.relations import alternatives
from scripts.migration.search import Search
from scripts.migration.search_state import Core, SearchState
from scripts.migration.universe import PackageNode, Universe

Oracle = Callable[[Sequence[Binary], Iterable[str], str], Mapping[str, Explanation]]


@dataclass(frozen=True)
class Migration:
    """The result: the items that migrate, those held back, and the whole new target as (name, version, architecture)."""

    migrated: tuple[MigrationItem, ...]
    held: tuple[HeldItem, ...]
    packages: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]


def migrate(  # noqa: PLR0913 - the parts of a migration, by name
    target: IndexedSuite,
    candidate: IndexedSuite,
    oracle: Oracle,
    *,
    base: IndexedSuite | None = None,
    hint_text: str = "",
    criteria: Criteria | None = None,
    excluded: Mapping[MigrationItem, str] | None = None,
) -> Migration:
    """Return the migration from a candidate to a target.

    ``base``: packages that are always there and not judged, such as the distribution below the lab's archive.
    ``excluded``: items that do not migrate, whatever the hints are, each with the reason.
    """
    changes = items.changes(target, candidate)
    hints = read_hints(hint_text, changes, target, candidate)
    changes |= _removals(hints, target)
    held = {**policies.held_back(changes, hints, criteria or Criteria()), **(excluded or {})}
    world = universe.build(target, base or IndexedSuite(), changes, hints.uninstallable)
    search = Search(world, changes, held=held, forced=frozenset(hints.forced - held.keys()), preferred=hints.preferred)
    judge = _Judge(search, oracle)
    reasons = HeldReasons(search, held, judge.settle())
    while True:
        explained = reasons.all(changes)
        if reasons.grown:
            if judge.learn(reasons.grown):
                reasons.grown = frozenset()
            else:
                reasons.grow()
        elif judge.excuse_broken(reasons.blamed):
            reasons = HeldReasons(search, held, judge.settle())
        else:
            break
    there = SearchState(world, reasons.chosen).present()
    return Migration(
        tuple(sorted(reasons.chosen)),
        tuple(explained),
        tuple(result_lines(world, there, sources_after(target, reasons.chosen))),
        hints.warnings,
    )


def with_removals(
    changes: Mapping[MigrationItem, ItemChange], text: str, target: IndexedSuite, candidate: IndexedSuite
) -> dict[MigrationItem, ItemChange]:
    """Return changes with the removals that hints ask for."""
    return {**changes, **_removals(read_hints(text, changes, target, candidate), target)}


def _removals(hints: MigrationHints, target: IndexedSuite) -> dict[MigrationItem, ItemChange]:
    mine = target.of_source()
    return {item: items.removal(target, item.source, mine.get(item.source, {})) for item in hints.removed}


def read_hints(
    text: str, changes: Mapping[MigrationItem, ItemChange], target: IndexedSuite, candidate: IndexedSuite
) -> MigrationHints:
    versions = {name: source.version for name, source in target.sources.items()}
    binaries = (
        {
            (binary.name, binary.version)
            for suite in (target, candidate)
            for known in suite.binaries.values()
            for binary in known.values()
        }
        if text
        else set()
    )
    return hint_files.read(text, changes, versions, binaries)


class _Judge:
    """The dialogue of search and oracle."""

    def __init__(self, search: Search, oracle: Oracle) -> None:
        self.search, self.oracle = search, oracle
        self.world: Universe = search.universe
        self.starts: list[set[int]] = []
        for start in dict.fromkeys((frozenset[MigrationItem](), search.forced)):
            state = SearchState(self.world, start)
            self.starts.append(state.present())
            self._mark_broken(state)
        self.judged = self.starts[0]
        self.open: set[int] = set()
        self.state = SearchState(self.world, ())

    def _mark_broken(self, state: SearchState) -> None:
        """Mark the packages of a starting point whose dependencies do not hold there: their names may stay broken."""
        todo = list(range(len(self.world.packages)))
        broken: set[int] = set()
        while todo:
            number = todo.pop()
            package = self.world.packages[number]
            if number in broken or not state.there[number] or all(state.counts[c] for c in package.needs):
                continue
            broken.add(number)
            for clause in package.satisfies:
                state.counts[clause] -= 1
                if not state.counts[clause]:
                    todo.extend(self.world.clauses[clause].owners)
        for number in broken:
            self._excuse(self.world.packages[number])

    def _excuse(self, package: PackageNode) -> None:
        """Let a package, and all others of its name and architecture, be uninstallable."""
        for other in self.world.named(package.arch, package.binary.name):
            self.search.excuse(other)

    def settle(self) -> frozenset[MigrationItem]:
        """Return the largest set after which nothing is newly uninstallable.

        A set that is repaired for each constraint is found soon; a new search with all constraints can find a larger one.
        """
        kept = frozenset[MigrationItem]()
        while self.search.weight(chosen := self.search.best()) > self.search.weight(kept):
            while self.learn(chosen):
                chosen = self.search.repaired(chosen)
            kept = max(kept, chosen, key=self.search.weight)
        return kept

    def learn(self, chosen: frozenset[MigrationItem]) -> bool:
        """Learn what a set makes newly uninstallable; return whether there is anything."""
        self.state.go_to(chosen)
        there = self.state.present()
        suspects = self.world.affected(self.judged, there) | (self.open & there)
        self.judged = there
        broken = self._ask(there, {n for n in suspects if self.world.packages[n].checked})
        self.excuse_broken(broken)
        regressions = {n: why for n, why in broken.items() if self.world.packages[n].checked}
        self.open = set(regressions)
        for number, explanation in regressions.items():
            self._learn(self.world.packages[number], explanation, there)
        return bool(regressions)

    def _ask(self, there: set[int], suspects: set[int]) -> dict[int, Explanation]:
        """Return which of some packages dose finds uninstallable."""
        found: dict[int, Explanation] = {}
        for arch in sorted({self.world.packages[n].arch for n in suspects}):
            of_arch = [n for n in suspects if self.world.packages[n].arch == arch]
            asked = {
                self.world.packages[n].binary.name: n for n in Installations(self.world, there, arch).unknown(of_arch)
            }
            if not asked:
                continue
            cone = [self.world.packages[n].binary for n in sorted(self.world.cone(asked.values(), there, arch))]
            found |= {asked[name]: why for name, why in self.oracle(cone, asked, arch).items()}
        return found

    def excuse_broken(self, found: Iterable[int]) -> bool:
        """Excuse those of some packages whose names are uninstallable in the target, or after the forced items.

        Return whether there were any.
        """
        packages = [self.world.packages[number] for number in found]
        names = {(package.arch, package.binary.name) for package in packages if package.checked}
        for there in self.starts if names else ():
            old = {p.number for name in names for p in self.world.named(*name) if p.number in there and not p.base}
            for number in self._ask(there, old):
                self._excuse(self.world.packages[number])
        return not all(package.checked for package in packages)

    def _learn(self, package: PackageNode, explanation: Explanation, there: set[int]) -> None:
        """Make a constraint of what dose found; without a choice left, of all that the package can reach."""
        text = f"{package} would be uninstallable: {explanation.line}"
        for found in self._cores(package, explanation, there, text):
            # An old library that is left, but not needed, is there for the search: it would never see the constraint.
            core = replace(found, escapes=frozenset(n for n in found.escapes if not self.state.there[n]))
            if self.search.options(self.state, core):
                self.search.learn(core)
                return
        self.search.excuse(package)  # only forced items break it

    def _cores(self, package: PackageNode, explanation: Explanation, there: set[int], text: str) -> Iterator[Core]:
        """Yield the narrow constraint, then the wide one, which takes long to find among 60,000 packages."""
        if explanation.complete:
            yield self._core(package, explanation, there, text)
        reached = self.world.cone([package.number], there, package.arch)
        needs = {clause for number in reached for clause in self.world.packages[number].needs}
        providers = {provider for clause in needs for provider in self.world.clauses[clause].providers}
        yield Core(frozenset(reached), frozenset(providers - there), text)

    def _core(self, package: PackageNode, explanation: Explanation, there: set[int], text: str) -> Core:
        wanted = explanation.packages | explanation.dependencies.keys()
        by_name = {
            p.binary.name: p.number
            for name in wanted
            for p in self.world.named(package.arch, name)
            if p.number in there
        }
        members = {by_name[name] for name in explanation.packages if name in by_name}
        escapes: set[int] = set()
        for name, texts in explanation.dependencies.items():
            if name in by_name:
                escapes.update(*(self._providers(by_name[name], text, package.arch) for text in texts))
        return Core(frozenset(members), frozenset(escapes - there), text)

    def _providers(self, number: int, text: str, arch: str) -> set[int]:
        wanted = set(alternatives(text, arch))
        needs = self.world.packages[number].needs
        same = [c for c in needs if set(alternatives(self.world.clauses[c].text, arch)) == wanted]
        return {provider for clause in same or needs for provider in self.world.clauses[clause].providers}


def as_data(result: Migration) -> dict[str, object]:
    """Return a result for JSON."""
    return {
        "migrated": [item_data(item) for item in result.migrated],
        "held": [item_data(held.item) | {"waits_for": held.waits_for, "reason": held.reason} for held in result.held],
        "packages": [dict(zip(("name", "version", "architecture"), line, strict=True)) for line in result.packages],
        "warnings": list(result.warnings),
    }


def item_data(item: MigrationItem) -> dict[str, object]:
    """Return an item for JSON."""
    return {"item": str(item), **item._asdict()}


def sources_after(target: IndexedSuite, chosen: Iterable[MigrationItem]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return version and names of binaries of each source after a migration."""
    found = {name: (source.version, source.binaries) for name, source in target.sources.items()}
    for item in chosen:
        if item.removal:
            found.pop(item.source, None)
        else:
            found[item.source] = (item.version, found.get(item.source, ("", ()))[1])
    return found


def result_lines(
    world: Universe, there: set[int], sources: Mapping[str, tuple[str, tuple[str, ...]]]
) -> list[tuple[str, str, str]]:
    """Return name, version and architecture of all binaries and sources, as in britney's HeidiResult.

    A source whose binaries all come from another source by now is obsolete and left out.
    """
    binaries = [world.packages[n].binary for n in there if not world.packages[n].base]
    owners = {binary.name: binary.source for binary in binaries}
    having = set(owners.values())
    obsolete = {
        name for name, (_, names) in sources.items() if name not in having and any(binary in owners for binary in names)
    }
    lines = {(binary.name, binary.version, binary.architecture) for binary in binaries}
    lines |= {(name, version, "source") for name, (version, _) in sources.items() if name not in obsolete}
    return sorted(lines, key=lambda line: (line[2] == "source", line))
