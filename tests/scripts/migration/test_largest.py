"""The largest set in random worlds: as large as the best of all subsets, each judged by dose as a whole."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from scripts.migration import dose, items, policies, universe
from scripts.migration.hints import MigrationHints
from scripts.migration.indexes import IndexedSuite
from scripts.migration.installations import Installations
from scripts.migration.migrating import migrate
from scripts.migration.search_state import SearchState
from tests.scripts.migration.suites import suite

NAMES = "abcdefg"


def world(seed: int) -> tuple[str, str]:
    """Return a target and a candidate of some sources with random relations."""
    chance = random.Random(seed)
    target, candidate = [], []
    for name in NAMES:
        if chance.random() < 0.85:
            target.append(line(chance, name, 1))
        if chance.random() < 0.9:
            candidate.append(line(chance, name, chance.choice([1, 2, 2, 2])))
    same = {text.partition(" > ")[0]: text for text in target}
    return "\n".join(target), "\n".join(same.get(text.partition(" > ")[0], text) for text in candidate)


def line(chance: random.Random, name: str, version: int) -> str:
    made = [binary(chance, name, version)]
    if chance.random() < 0.4:
        made.append(binary(chance, f"lib{name}{version}", version) + " @libs")
    return f"{name} {version} > {' & '.join(made)}"


def binary(chance: random.Random, name: str, version: int) -> str:
    known = [*NAMES, *(f"lib{other}{number}" for other in NAMES for number in (1, 2))]

    def relation(ops: tuple[str, ...]) -> str:
        op = chance.choice(ops)
        return chance.choice(known if chance.random() < 0.3 else known[: len(NAMES)]) + (
            f" ({op} {chance.choice([1, 2])})" if op else ""
        )

    needs = [
        " | ".join(relation(("", ">=", "<<", "=")) for _ in range(chance.choice([1, 1, 2])))
        for _ in range(chance.choice([0, 0, 1, 1, 2]))
    ]
    text = name + (f" : {', '.join(needs)}" if needs else "")
    if chance.random() < 0.25:
        text += f" ! {relation(('', '<<', '>='))}"
    if chance.random() < 0.1:
        text += " % virtual"
    if chance.random() < 0.04:
        text += " +essential"
    return text


def broken(there: IndexedSuite | universe.Universe, chosen: frozenset[items.MigrationItem]) -> set[str]:
    assert isinstance(there, universe.Universe)
    packages = [there.packages[number].binary for number in SearchState(there, chosen).present()]
    return set(dose.uninstallable(packages, [package.name for package in packages], "amd64"))


def best(target: IndexedSuite, candidate: IndexedSuite) -> int:
    """Return the size of the largest set of items after which nothing is newly uninstallable."""
    changes = items.changes(target, candidate)
    able = [item for item in changes if item not in policies.held_back(changes, MigrationHints(), policies.Criteria())]
    there = universe.build(target, IndexedSuite(), changes, frozenset())
    before = broken(there, frozenset())
    return next(
        size
        for size in range(len(able), -1, -1)
        if any(broken(there, frozenset(chosen)) <= before for chosen in combinations(able, size))
    )


@pytest.mark.integration
@pytest.mark.full
@pytest.mark.parametrize("seed", range(60))
def test_the_result_is_the_largest_set(seed: int) -> None:
    target, candidate = map(suite, world(seed))
    assert len(migrate(target, candidate, dose.uninstallable).migrated) == best(target, candidate)


@pytest.mark.integration
def test_a_package_in_an_installation_at_sight_can_be_installed() -> None:
    for seed in range(40):
        target, candidate = map(suite, world(seed))
        changes = items.changes(target, candidate)
        there = universe.build(target, IndexedSuite(), changes, frozenset())
        for chosen in (frozenset[items.MigrationItem](), frozenset(changes)):
            present = SearchState(there, chosen).present()
            unknown = Installations(there, present, "amd64").unknown(present)
            names = {there.packages[number].binary.name for number in present - unknown}
            assert not names & broken(there, chosen)
