"""The pure core of a bisection: next points in tables, whole searches in simulated worlds."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.bisection.evidence import Evidence, FailureRates, effective, repeats
from scripts.bisection.search import Conclusion, RangeState, needless, next_step
from scripts.bisection.sectioning import next_points, rounds


def points(text: str) -> list[int]:
    return [int(word) for word in text.split()]


# The range, busy and skipped points, the number of new ones; the points to test.
SITUATIONS = [
    ("0 2", "", "", 1, "1"),
    ("0 1", "", "", 4, ""),
    ("0 2", "1", "", 1, ""),
    ("0 2", "", "1", 1, ""),
    ("0 8", "", "", 1, "4"),
    ("0 9", "", "", 1, "5"),
    ("0 11", "", "", 3, "3 6 9"),
    ("0 60", "", "", 1, "30"),
    ("0 60", "", "", 2, "20 40"),
    ("0 60", "", "", 3, "15 30 45"),
    ("0 60", "", "", 5, "10 20 30 40 50"),
    ("0 4", "", "", 9, "1 2 3"),
    ("20 40", "", "", 1, "30"),
    ("20 40", "", "", 2, "27 34"),
    ("0 60", "20 40", "", 1, "10"),
    ("0 60", "20", "", 1, "40"),
    ("0 60", "30", "", 2, "15 45"),
    ("0 60", "10", "", 2, "27 44"),
    ("0 60", "70 80", "", 1, "30"),
    ("0 60", "", "30", 1, "29"),
    ("0 60", "", "29 30", 1, "32"),
    ("0 60", "", "29 30 32", 1, "25"),
    ("0 60", "", "26 27 28 29 30 31 32 33", 1, "59"),
    ("0 5", "", "2 3", 1, "4"),
    ("0 5", "", "1 2 3", 2, "4"),
    ("0 5", "", "1 2 3 4", 2, ""),
    ("0 12", "6", "3 9", 2, "2 8"),
    ("7 9", "", "", 3, "8"),
]


@pytest.mark.parametrize(("span", "busy", "skipped", "count", "wanted"), SITUATIONS)
def test_next_points(span: str, busy: str, skipped: str, count: int, wanted: str) -> None:
    good, bad = points(span)
    assert next_points(good, bad, points(busy), points(skipped), count) == points(wanted)


@given(st.integers(1, 120), st.integers(1, 9), st.data())
def test_points_cut_range_evenly(size: int, count: int, data: st.DataObject) -> None:
    """Without busy or skipped points, no part is larger than the best possible."""
    good = data.draw(st.integers(0, 5))
    found = next_points(good, good + size, (), (), count)
    assert len(found) == min(count, size - 1)
    cuts = [good, *found, good + size]
    assert max(after - before for before, after in pairwise(cuts)) == -(-size // (len(found) + 1))


@given(st.integers(2, 60), st.integers(1, 9), st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_points_are_new(size: int, count: int, busy: set[int], skipped: set[int]) -> None:
    found = next_points(0, size, busy, skipped, count)
    assert found == sorted(set(found))
    assert not {*found} & (busy | skipped)
    assert all(0 < point < size for point in found)
    free = {*range(1, size)} - busy - skipped
    assert len(found) == min(count, len(free))


@pytest.mark.parametrize(
    ("size", "agents", "wanted"), [(100, 1, 7), (100, 3, 4), (100, 7, 3), (60, 1, 6), (60, 2, 4), (1, 1, 0), (2, 1, 1)]
)
def test_rounds(size: int, agents: int, wanted: int) -> None:
    assert rounds(size, agents) == wanted


@pytest.mark.parametrize(("rate", "wanted"), [(1.0, 1), (0.6, 4), (0.5, 5), (0.3, 9)])
def test_repeats(rate: float, wanted: int) -> None:
    """ceil(ln 0.05 / ln(1 - rate)) passes decide, and so many decide in a search, too."""
    assert repeats(rate) == wanted
    rates = effective(FailureRates(0.0, rate), [])
    assert Evidence(passed=wanted).result(rates) == "good"
    assert Evidence(passed=wanted - 1).result(rates) == "unknown"


@pytest.mark.parametrize(
    ("evidence", "rates", "wanted"),
    [
        (Evidence(), FailureRates(), "unknown"),
        (Evidence(passed=1), FailureRates(), "good"),
        (Evidence(failed=1), FailureRates(), "bad"),
        (Evidence(skipped=1), FailureRates(), "skip"),
        (Evidence(errors=1), FailureRates(), "unknown"),
        (Evidence(errors=2), FailureRates(), "skip"),
        (Evidence(failed=1, skipped=1), FailureRates(), "bad"),
        (Evidence(passed=1, failed=1), FailureRates(), "unknown"),
        # A case that fails at 30 % of the good points: a pass is good, three failures are bad.
        (Evidence(passed=1), FailureRates(0.3, 1.0), "good"),
        (Evidence(failed=2), FailureRates(0.3, 1.0), "unknown"),
        (Evidence(failed=3), FailureRates(0.3, 1.0), "bad"),
        (Evidence(passed=1, failed=2), FailureRates(0.3, 1.0), "unknown"),
        # A change that breaks a case at random: one failure is bad.
        (Evidence(failed=1), FailureRates(0.0, 0.3), "bad"),
        (Evidence(passed=8), FailureRates(0.0, 0.3), "unknown"),
    ],
)
def test_result_of_point(evidence: Evidence, rates: FailureRates, wanted: str) -> None:
    assert evidence.result(effective(rates, [evidence])) == wanted


@dataclass
class World:
    """A range whose change ``culprit`` broke the case; it fails with a rate before and after it."""

    last: int
    culprit: int
    untestable: frozenset[int] = frozenset()
    before: float = 0.0
    after: float = 1.0
    seed: int = 0
    known_rates: FailureRates = field(default_factory=FailureRates)
    tests: Counter[int] = field(default_factory=Counter)
    rounds: int = 0

    def search(self, agents: int = 1) -> Conclusion:
        """Search with agents that all take the same time; each result is used as it arrives."""
        chance, state = random.Random(self.seed), RangeState(self.last, rates=self.known_rates)
        running: list[int] = []
        evidence: dict[int, Evidence] = {}
        while True:
            state = RangeState(self.last, evidence, tuple(running), self.known_rates)
            step = next_step(state, agents)
            if isinstance(step, Conclusion):
                return step
            running += step
            assert running, "nothing runs, and nothing is found"
            assert len(running) <= agents
            self.rounds += 1
            for point in running:
                self.tests[point] += 1
                evidence[point] = self._tested(point, evidence.get(point, Evidence()), chance)
            running = []

    def _tested(self, point: int, found: Evidence, chance: random.Random) -> Evidence:
        if point in self.untestable:
            return Evidence(found.passed, found.failed, found.skipped + 1)
        fails = chance.random() < (self.after if point >= self.culprit else self.before)
        return Evidence(found.passed + (not fails), found.failed + fails, found.skipped)


@pytest.mark.parametrize("agents", [1, 2, 3, 7])
@pytest.mark.parametrize("culprit", [1, 2, 17, 30, 31, 59, 60])
def test_search_finds_culprit_in_predicted_rounds(culprit: int, agents: int) -> None:
    world = World(60, culprit)
    assert world.search(agents) == Conclusion("found", culprit - 1, culprit)
    ends, proof = math.ceil(2 / agents), math.ceil(4 / agents)
    assert world.rounds <= ends + rounds(60, agents) + proof
    assert world.tests[culprit] == world.tests[culprit - 1] == 3


@given(st.integers(1, 90), st.integers(1, 6), st.data())
@settings(max_examples=60)
def test_search_finds_any_culprit(last: int, agents: int, data: st.DataObject) -> None:
    """The answer is the culprit, or a range of commits that cannot be tested and the culprit."""
    culprit = data.draw(st.integers(1, last))
    untestable = data.draw(st.frozensets(st.integers(1, max(last - 1, 1)), max_size=8)) - {last}
    world = World(last, culprit, untestable)
    found = world.search(agents)
    assert culprit in found.suspects
    assert set(range(found.good + 1, found.bad)) <= untestable
    assert found.kind == ("found" if len(found.suspects) == 1 else "range")
    assert all(count == 1 for point, count in world.tests.items() if point not in {found.good, found.bad})


@pytest.mark.parametrize("first", [1, 12, 26, 30, 44, 51])
@pytest.mark.parametrize("culprit", [5, 25, 29, 34, 40, 60])
def test_eight_untestable_commits_cost_few_tests(first: int, culprit: int) -> None:
    untestable = frozenset(range(first, first + 8))
    world = World(60, culprit, untestable)
    found = world.search()
    assert culprit in found.suspects
    assert set(range(found.good + 1, found.bad)) <= untestable
    interior = sum(world.tests.values()) - 2 - 4
    assert interior <= rounds(60, 1) + len(untestable)


def searches(last: int, known: FailureRates, agents: int = 1, **world: float) -> list[tuple[World, Conclusion]]:
    """Return 20 seeded searches for culprits at random places."""
    worlds = [
        World(last, random.Random(1000 + seed).randint(1, last), seed=seed, known_rates=known, **world)  # type: ignore[arg-type]
        for seed in range(20)
    ]
    return [(world, world.search(agents)) for world in worlds]


def right_and_wrong(found: list[tuple[World, Conclusion]]) -> tuple[int, int]:
    """Return the number of searches that found the culprit, and of those that accuse another change."""
    answers = [answer.bad == world.culprit for world, answer in found if answer.kind == "found"]
    return answers.count(True), answers.count(False)


@pytest.mark.parametrize("agents", [1, 2, 4])
def test_search_survives_flakiness(agents: int) -> None:
    """A case that is known to fail at 30 % of the good points: no wrong accusation."""
    right, wrong = right_and_wrong(searches(60, FailureRates(0.3, 1.0), agents, before=0.3))
    assert (right >= 19, wrong) == (True, 0)


def test_search_survives_unknown_flakiness() -> None:
    """The history has not shown that the case fails at 30 % of the good points: the proof notices most of it."""
    right, wrong = right_and_wrong(searches(60, FailureRates(), before=0.3))
    assert (right >= 15, wrong <= 1) == (True, True), (right, wrong)


def test_search_finds_random_breakage() -> None:
    """A change after which a case fails at 30 % of the commits."""
    right, wrong = right_and_wrong(searches(30, FailureRates(0.0, 0.3), after=0.3))
    assert (right >= 19, wrong) == (True, 0), (right, wrong)


@pytest.mark.parametrize(
    ("world", "kind"),
    [
        (World(10, 0), "good is bad"),
        (World(10, 11), "bad is good"),
        (World(10, 5, frozenset({0})), "end not testable"),
        (World(10, 5, frozenset({10})), "end not testable"),
        (World(10, 5, known_rates=FailureRates(0.5, 0.5)), "unsure"),
        (World(10, 11, before=0.5, seed=3, known_rates=FailureRates(0.3, 1.0)), "bad is good"),
    ],
)
def test_ends_are_verified(world: World, kind: str) -> None:
    assert world.search().kind == kind


def test_finding_about_end_is_proved() -> None:
    world = World(10, 0)
    world.search()
    assert world.tests == {0: 3, 10: 1}


def test_known_results_save_tests() -> None:
    state = RangeState(60, {0: Evidence(1), 60: Evidence(0, 1)}, known={20: "good", 24: "bad", 22: "skip", 60: "good"})
    assert (state.good, state.bad) == (20, 24)
    assert next_step(state, 2) == [21, 23]


def test_ends_are_tested_in_spite_of_known_results() -> None:
    assert next_step(RangeState(9, known={0: "good", 9: "bad"}), 4) == [9, 0]


def test_result_is_used_as_it_arrives() -> None:
    """Of two running points, the later one has become needless; its agent gets a new one."""
    ends = {0: Evidence(1), 60: Evidence(0, 1)}
    assert next_step(RangeState(60, ends), 2) == [20, 40]
    state = RangeState(60, {**ends, 20: Evidence(0, 1)}, (40,))
    assert needless(state) == {40}
    assert next_step(RangeState(60, state.evidence), 2) == [7, 14]


def test_latest_breakage_is_found() -> None:
    """What is good after a bad point ended an earlier breakage, which is not the one that is sought."""
    state = RangeState(60, {0: Evidence(1), 60: Evidence(0, 1), 20: Evidence(0, 1), 40: Evidence(1)})
    assert (state.good, state.bad) == (40, 60)
