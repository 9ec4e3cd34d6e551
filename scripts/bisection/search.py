"""The search for the change that broke a case: what to test next, or the finding.  A pure function of the results.

The points are 0, which was good, to ``last``, which was bad; the change N leads from the point N - 1 to the point N.
The search verifies both ends, cuts the range (see `scripts.bisection.sectioning`), and proves its answer: the case must
fail at the first bad point, and pass at the point before it, each at least three times.  A result that later ones
contradict counts no more, so that a wrong turn is corrected before anything is accused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from scripts.bisection.evidence import MOST_TESTS_OF_POINT, Evidence, FailureRates, PointResult, effective
from scripts.bisection.sectioning import next_points

ConclusionKind = Literal["found", "range", "good is bad", "bad is good", "end not testable", "unsure"]
NONE: Final = Evidence()


@dataclass(frozen=True)
class Conclusion:
    """The end of a search; for ``found`` and ``range``, the changes ``good`` + 1 to ``bad`` contain the culprit."""

    kind: ConclusionKind
    good: int = 0
    bad: int = 0

    @property
    def suspects(self) -> range:
        """The changes that can be the culprit."""
        return range(self.good + 1, self.bad + 1)


@dataclass(frozen=True)
class RangeState:
    """The results so far.

    ``evidence``: the results of each point; ``running``: the points that are being tested, each as often as it is tested.
    ``known``: the results of earlier runs in the same environment; they steer the search, and prove nothing.
    """

    last: int
    evidence: Mapping[int, Evidence] = field(default_factory=dict)
    running: tuple[int, ...] = ()
    rates: FailureRates = field(default_factory=FailureRates)
    known: Mapping[int, PointResult] = field(default_factory=dict)

    @cached_property
    def used_rates(self) -> FailureRates:
        return effective(self.rates, self.evidence.values())

    def of(self, point: int) -> Evidence:
        return self.evidence.get(point, NONE)

    def result(self, point: int) -> PointResult:
        """Return what is known of a point; the ends are verified, whatever earlier runs have shown."""
        found = self.of(point).result(self.used_rates)
        if found == "unknown" and not self.of(point).count and 0 < point < self.last:
            return self.known.get(point, "unknown")
        return found

    @cached_property
    def good(self) -> int:
        """The last good point: what is good after a bad one ended an earlier breakage."""
        return max((point for point in range(self.last) if self.result(point) == "good"), default=0)

    @cached_property
    def bad(self) -> int:
        """The first bad point after the last good one."""
        return next((point for point in range(self.good + 1, self.last) if self.result(point) == "bad"), self.last)

    @cached_property
    def inside(self) -> range:
        """The points between the two."""
        return range(self.good + 1, self.bad)


def next_step(state: RangeState, agents: int) -> list[int] | Conclusion:
    """Return the points to test now, so that ``agents`` are busy as far as that helps; or the finding.

    An empty list: wait for a running test.
    """
    free = max(agents - len(state.running), 0)
    endless = any(_is_endless(state, point) for point in state.evidence)
    if endless or not state.used_rates.distinguishable:
        return Conclusion("unsure", state.good, state.bad)
    if found := _of_ends(state):
        kind, point, result = found
        return _proved(state, {point: result}, Conclusion(kind, 0, state.last), free)
    ends = [point for point in (state.last, 0) if state.result(point) == "unknown"]
    if ends:
        return _missing(state, ends, lambda _: 1)[:free]
    repeated = [point for point in state.inside if state.result(point) == "unknown" and state.of(point).count]
    skipped = {point for point in state.inside if state.result(point) == "skip"}
    wanted = _missing(state, repeated, lambda _: 1)[:free]
    busy = {*state.running, *repeated}
    new = next_points(state.good, state.bad, busy, skipped, free - len(wanted))
    if wanted or new or any(point in state.inside for point in busy):
        return [*wanted, *new]
    answer = Conclusion("range" if state.inside else "found", state.good, state.bad)
    return _proved(state, {state.bad: "bad", state.good: "good"}, answer, free)


def needless(state: RangeState) -> set[int]:
    """Return the running points that can no longer change the answer."""
    needed = {0, state.last, *state.inside, state.good, state.bad}
    return {point for point in state.running if point not in needed}


def _of_ends(state: RangeState) -> tuple[ConclusionKind, int, PointResult] | None:
    """Return what is wrong with the ends, and the point and the result to prove; None where they are as expected."""
    first, last = state.result(0), state.result(state.last)
    if last == "good":
        return "bad is good", state.last, "good"
    if last == "bad" and first == "bad":
        return "good is bad", 0, "bad"
    if "skip" in {first, last}:
        return "end not testable", state.last if last == "skip" else 0, "skip"
    return None


def _is_endless(state: RangeState, point: int) -> bool:
    return state.of(point).count + state.of(point).skipped >= MOST_TESTS_OF_POINT


def _proved(
    state: RangeState, wanted: Mapping[int, PointResult], answer: Conclusion, free: int
) -> list[int] | Conclusion:
    """Return the answer, if the results prove what it needs; else the points to test again."""
    rates = state.used_rates
    missing = [
        point for point, result in wanted.items() if result != "skip" and not state.of(point).proves(result, rates)
    ]
    if not missing:
        return answer
    return _missing(state, missing, lambda point: state.of(point).lacking(wanted[point], rates))[:free]


def _missing(state: RangeState, points: Sequence[int], number: Callable[[int], int]) -> list[int]:
    """Return points as often as they are to be tested, without the tests that run; the points take turns."""
    running = Counter(state.running)
    counts = {point: number(point) - running[point] for point in points}
    rounds = range(max(counts.values(), default=0))
    return [point for turn in rounds for point in points if counts[point] > turn]
