"""The packages of a migration: which of them are there for a choice of items, and what they need of each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from scripts.migration.indexes import Binary, IndexedSuite
from scripts.migration.items import ItemChange, MigrationItem
from scripts.migration.relations import (
    Alternative,
    alternatives,
    clauses,
    order,
    provided,
    provision_satisfies,
    satisfies,
)

NOTHING: frozenset[MigrationItem] = frozenset()
# By architecture and name: the items, each with a version.
Names = Mapping[tuple[str, str], Mapping[MigrationItem, str]]


@dataclass(slots=True, eq=False)
class PackageNode:
    """A binary package of target, candidate or base on one architecture.

    It is there when ``comes_with`` (if any) is chosen and none of ``gone_with`` is.  When one of ``left_by`` is chosen, it
    is an old library without a source, which stays as long as something needs it.  ``checked`` is false for packages
    that may be uninstallable.
    """

    number: int
    binary: Binary
    arch: str
    comes_with: MigrationItem | None = None
    gone_with: frozenset[MigrationItem] = NOTHING
    left_by: frozenset[MigrationItem] = NOTHING
    leftover: bool = False
    checked: bool = True
    base: bool = False
    needs: tuple[int, ...] = ()
    satisfies: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.binary.name} {self.binary.version}"


@dataclass(slots=True)
class Clause:
    """A dependency: the packages that have it and the packages that satisfy it."""

    text: str
    providers: tuple[int, ...]
    owners: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Universe:
    """All packages and their dependencies.

    ``touched``: the packages whose presence an item changes; ``conflicts``: the packages that cannot be installed beside
    one, those of its name among them.
    """

    packages: list[PackageNode]
    clauses: list[Clause]
    touched: Mapping[MigrationItem, list[int]]
    names: Mapping[tuple[str, str], list[PackageNode]]
    conflicts: Mapping[int, set[int]]

    def named(self, arch: str, name: str) -> list[PackageNode]:
        return self.names.get((arch, name), [])

    def is_there(self, package: PackageNode, chosen: frozenset[MigrationItem] | set[MigrationItem]) -> bool:
        comes_with, gone_with = package.comes_with, package.gone_with
        return (comes_with is None or comes_with in chosen) and (not gone_with or gone_with.isdisjoint(chosen))

    def is_leftover(self, package: PackageNode, chosen: frozenset[MigrationItem] | set[MigrationItem]) -> bool:
        return package.leftover or bool(package.left_by and not package.left_by.isdisjoint(chosen))

    @cached_property
    def essential(self) -> Mapping[str, frozenset[int]]:
        """The essential packages, by architecture."""
        found: dict[str, set[int]] = {}
        for package in self.packages:
            if package.binary.essential:
                found.setdefault(package.arch, set()).add(package.number)
        return {arch: frozenset(numbers) for arch, numbers in found.items()}

    @cached_property
    def leavable(self) -> list[PackageNode]:
        """The packages that are or can become old libraries without a source."""
        return [package for package in self.packages if package.leftover or package.left_by]

    def affected(self, before: set[int], after: set[int]) -> set[int]:
        """Return the packages of a set whose installability another set does not decide.

        These are what is new, what has a dependency with other providers, and all that depends on one of them; or
        everything, where that is an essential package.
        """
        changed = before ^ after
        todo = [
            *(after - before),
            *(o for n in changed for c in self.packages[n].satisfies for o in self.clauses[c].owners),
        ]
        found: set[int] = set()
        while todo:
            number = todo.pop()
            if number not in found and number in after:
                found.add(number)
                todo.extend(o for clause in self.packages[number].satisfies for o in self.clauses[clause].owners)
        if any(not found.isdisjoint(numbers) for numbers in self.essential.values()):
            return set(after)
        return found

    def cone(self, numbers: Iterable[int], there: set[int], arch: str) -> set[int]:
        """Return all that takes part in the installation of some packages: what they can need, and what is essential."""
        todo = [*numbers, *(self.essential.get(arch, frozenset()) & there)]
        found: set[int] = set()
        while todo:
            number = todo.pop()
            if number not in found:
                found.add(number)
                todo.extend(p for c in self.packages[number].needs for p in self.clauses[c].providers if p in there)
        return found


class _Builder:
    def __init__(self) -> None:
        self.packages: list[PackageNode] = []
        self.clauses: list[Clause] = []
        self.names: dict[tuple[str, str], list[tuple[int, str, bool]]] = {}
        self.known: dict[tuple[str, str], int] = {}

    def add(self, binary: Binary, arch: str) -> PackageNode:
        package = PackageNode(len(self.packages), binary, arch)
        self.packages.append(package)
        self.names.setdefault((arch, binary.name), []).append((package.number, binary.version, True))
        for name, version in provided(binary.relations.get("Provides", ""), arch):
            self.names.setdefault((arch, name), []).append((package.number, version, False))
        return package

    def universe(self) -> Universe:
        """Return the universe, with all dependencies resolved."""
        for package in self.packages:
            relations = package.binary.relations
            texts = [*clauses(relations.get("Pre-Depends", "")), *clauses(relations.get("Depends", ""))]
            package.needs = tuple(dict.fromkeys(self._clause(text, package.arch) for text in texts))
            for number in package.needs:
                self.clauses[number].owners.append(package.number)
        for number, clause in enumerate(self.clauses):
            for provider in clause.providers:
                self.packages[provider].satisfies.append(number)
        named: dict[tuple[str, str], list[PackageNode]] = {}
        for package in self.packages:
            named.setdefault((package.arch, package.binary.name), []).append(package)
        return Universe(self.packages, self.clauses, _touched(self.packages), named, self._conflicts(named))

    def _conflicts(self, named: Mapping[tuple[str, str], list[PackageNode]]) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {}
        for package in self.packages:
            others = {each.number for each in named[package.arch, package.binary.name]}
            for key in ("Conflicts", "Breaks"):
                for text in clauses(package.binary.relations.get(key, "")):
                    others.update(p for a in alternatives(text, package.arch) for p in self._providers(a, package.arch))
            for other in others - {package.number}:
                found.setdefault(package.number, set()).add(other)
                found.setdefault(other, set()).add(package.number)
        return found

    def _clause(self, text: str, arch: str) -> int:
        if (number := self.known.get((arch, text))) is None:
            number = self.known[arch, text] = len(self.clauses)
            found = dict.fromkeys(p for a in alternatives(text, arch) for p in self._providers(a, arch))
            self.clauses.append(Clause(text, tuple(found)))
        return number

    def _providers(self, alternative: Alternative, arch: str) -> Iterable[int]:
        for number, version, real in self.names.get((arch, alternative.name), ()):
            if satisfies(version, alternative) if real else provision_satisfies(version, alternative):
                yield number


def build(
    target: IndexedSuite,
    base: IndexedSuite,
    changes: Mapping[MigrationItem, ItemChange],
    uninstallable: frozenset[tuple[str, str, str]],
) -> Universe:
    """Return the universe of a migration.

    A new package for all architectures must be installable on the first architecture only; ``uninstallable`` names
    others that need not be: (name, version, architecture or empty).
    """
    builder = _Builder()
    adders = _adders(changes.values())
    droppers = _droppers(changes.values())
    for arch, binaries in target.binaries.items():
        for name, binary in binaries.items():
            package = builder.add(binary, arch)
            _target_package(package, target, set(adders.get((arch, name), ())), droppers.get((arch, name), set()))
    first = min({arch for change in changes.values() for arch in change.adds}, default="")
    for change in changes.values():
        for arch, new in change.adds.items():
            for name, binary in new.items():
                package = builder.add(binary, arch)
                package.comes_with = change.item
                package.gone_with = _newer(change.item, adders[arch, name])
                is_new = name not in target.binaries.get(arch, {})
                package.checked = not (binary.architecture == "all" and is_new and arch != first)
    _base_packages(builder, base, target, adders)
    for package in builder.packages:
        keys = {(package.binary.name, package.binary.version, arch) for arch in ("", package.arch)}
        package.checked &= keys.isdisjoint(uninstallable)
    return builder.universe()


def _adders(changes: Iterable[ItemChange]) -> Names:
    """Return the items that add a binary, with its version, by architecture and name."""
    found: dict[tuple[str, str], dict[MigrationItem, str]] = {}
    for change in changes:
        for arch, new in change.adds.items():
            for name, binary in new.items():
                found.setdefault((arch, name), {})[change.item] = binary.version
    return found


def _droppers(changes: Iterable[ItemChange]) -> dict[tuple[str, str], set[MigrationItem]]:
    """Return the items that drop a binary, by architecture and name."""
    found: dict[tuple[str, str], set[MigrationItem]] = {}
    for change in changes:
        for arch, names in change.drops.items():
            for name in names:
                found.setdefault((arch, name), set()).add(change.item)
    return found


def _newer(item: MigrationItem, versions: Mapping[MigrationItem, str]) -> frozenset[MigrationItem]:
    """Return the other items that add a newer binary of the same name; one item is first where the versions are equal."""
    mine = versions[item]
    return frozenset(
        other
        for other, version in versions.items()
        if other != item and ((by := order(version, mine)) > 0 or (by == 0 and other > item))
    )


def _target_package(
    package: PackageNode, target: IndexedSuite, adders: set[MigrationItem], droppers: set[MigrationItem]
) -> None:
    binary, source = package.binary, target.sources.get(package.binary.source)
    smooth = {item for item in droppers - adders if binary.library and not item.removal}
    package.gone_with = frozenset(adders | droppers - smooth)
    package.left_by = frozenset(smooth)
    package.leftover = binary.library and source is not None and binary.source_version != source.version


def _base_packages(builder: _Builder, base: IndexedSuite, target: IndexedSuite, adders: Names) -> None:
    """Add the packages that are always there, except where the target or an item has a newer one."""
    for arch, binaries in base.binaries.items():
        for name, binary in binaries.items():
            over = target.binaries.get(arch, {}).get(name)
            if over and order(over.version, binary.version) >= 0:
                continue
            package = builder.add(binary, arch)
            package.checked, package.base = False, True
            package.gone_with = frozenset(adders.get((arch, name), ()))


def _touched(packages: Iterable[PackageNode]) -> dict[MigrationItem, list[int]]:
    touched: dict[MigrationItem, list[int]] = {}
    for package in packages:
        items = package.gone_with | package.left_by
        for item in items | {package.comes_with} if package.comes_with else items:
            touched.setdefault(item, []).append(package.number)
    return touched
