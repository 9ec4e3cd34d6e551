"""The search for culprits: tables of worlds, and random worlds with a bound on the number of probes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.promotion.halving import Halved, halve

Part = frozenset[str]


@dataclass
class World:
    """Items that need others, and combinations that fail: culprits of one item or of more."""

    order: list[str]
    bad: list[Part]
    needs: Mapping[str, Part] = field(default_factory=dict)
    probes: list[Part] = field(default_factory=list)

    def largest(self, allowed: Part) -> Part:
        while missing := {item for item in allowed if not self.needs.get(item, frozenset()) <= allowed}:
            allowed -= missing
        return allowed

    def fails(self, part: Part) -> bool:
        return any(combination <= part for combination in self.bad)

    def passes(self, part: Part) -> bool:
        assert part == self.largest(part), "a probe of a state that cannot be installed"
        assert part not in self.probes, "the same probe twice"
        self.probes.append(part)
        return not self.fails(part)

    def halved(self) -> Halved[str]:
        return halve(self.order, self.largest, self.passes)


def world(order: str, bad: str = "", needs: str = "") -> World:
    """``bad``: combinations, ``a+b c``; ``needs``: ``a:bc d:e``."""
    pairs = (pair.split(":") for pair in needs.split())
    return World(list(order), [frozenset(one.split("+")) for one in bad.split()], {a: frozenset(b) for a, b in pairs})


@pytest.mark.parametrize(
    "order, bad, needs, good, culprits, probes",
    [
        ("", "", "", "", "", 0),
        ("a", "", "", "a", "", 1),
        ("abcdefgh", "", "", "abcdefgh", "", 1),
        ("a", "a", "", "", "a", 1),
        ("abcdefgh", "a", "", "bcdefgh", "a", 5),
        ("abcdefgh", "h", "", "abcdefg", "h", 4),
        ("abcdefgh", "d g", "", "abcefh", "d g", 8),
        ("abcd", "a b c d", "", "", "a b c d", 8),
        ("abcdef", "b+e", "", "abcdf", "e", 5),  # the one that came later
        ("ulvwx", "u", "u:l", "lvwx", "u", 4),  # a broken user is held back, its library is not
        ("ulvwx", "l", "u:l v:l", "wx", "l", 4),  # a broken library holds back what needs it
        ("abc", "a", "a:b b:a", "c", "ab", 3),  # those that need each other stay together
        ("abcl", "b", "a:l b:l c:l", "acl", "b", 4),
        ("uvwl", "l", "u:l v:l w:l", "", "l", 3),
    ],
    ids=lambda value: f"{value}" or "-",
)
def test_culprits_are_held_back(*, order: str, bad: str, needs: str, good: str, culprits: str, probes: int) -> None:
    tried = world(order, bad, needs)
    found = tried.halved()
    assert "".join(sorted(found.good)) == good
    assert " ".join("".join(sorted(one.items)) for one in found.culprits) == culprits
    assert len(tried.probes) == probes


def test_an_interrupted_search_asks_the_rest_only() -> None:
    """What the record of a round has is not probed again, whatever the probe at which a process was killed."""
    whole = world("abcdefgh", "c g", "b:d")
    known: dict[Part, bool] = {}

    class Killed(Exception):
        pass

    reference = world("abcdefgh", "c g", "b:d").halved()
    asked = 0
    while True:
        budget = 1

        def passes(part: Part) -> bool:
            nonlocal budget, asked
            if part not in known:
                if not budget:
                    raise Killed
                budget, asked = budget - 1, asked + 1
                known[part] = not whole.fails(part)
            return known[part]

        try:
            found = halve(whole.order, whole.largest, passes)
        except Killed:
            continue
        break
    assert found == reference
    assert asked == len(known)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    size = draw(st.integers(1, 24))
    items = [f"{number:02d}" for number in range(size)]
    item = st.sampled_from(items)
    singles = draw(st.lists(item.map(lambda one: frozenset([one])), max_size=3))
    pairs = (
        draw(st.lists(st.lists(item, min_size=2, max_size=2, unique=True).map(frozenset), max_size=3))
        if size > 1
        else []
    )
    needs = draw(st.dictionaries(item, st.frozensets(item, max_size=3), max_size=8))
    return World(draw(st.permutations(items)), [*singles, *pairs], needs)


@pytest.mark.integration
@settings(max_examples=100)
@given(worlds())
def test_the_result_is_good_and_maximal(tried: World) -> None:
    found = tried.halved()
    everything = frozenset(tried.order)
    assert found.good in tried.probes or not found.good
    assert not tried.fails(found.good)
    assert found.good == tried.largest(found.good)
    held = frozenset[str]().union(*(one.items for one in found.culprits))
    assert not held & found.good
    for one in found.culprits:
        assert one.failed in tried.probes
        assert tried.fails(one.failed)
        assert one.items <= one.failed
        # With any culprit in addition, the good part fails.
        together = tried.largest(found.good | one.items)
        assert not one.items <= together or tried.fails(together)
    # What is neither good nor held needs something that is held.
    assert tried.largest(everything - held) == found.good


@pytest.mark.integration
@settings(max_examples=100)
@given(worlds())
def test_the_number_of_probes_is_bounded(tried: World) -> None:
    found = tried.halved()
    groups = len(found.culprits)
    assert len(tried.probes) <= 1 + groups * (2 + 2 * math.ceil(math.log2(len(tried.order) + 1)))
