"""The changes in a history of results that people are notified of: broken, still broken, fixed, and an ill lab.

Pure functions over the builds of one phase of a component on a track, oldest first.  `lab.results.breakages` defines
what is broken, since when and after which good build: single tests and steps, not the verdict.  A build is notified
of with what was known then: later builds change nothing.  A build that is published after a newer one with a verdict
is no news: the newer one has told people what the state is, or will when the next build agrees with it.  A retracted build
says nothing about the state, but people may believe what it told them: the next bad build says what is still broken.
Builds that were published long after their end break nothing that people are told of; what they break is told with the next
build that agrees.  Whoever was told that something broke is told of its end, also if it ends without a good result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, Literal

from lab.base.errors import Verdict
from lab.results.breakages import Breakage, RunOutcome, Subject, breakages, broke_at_once, turns
from lab.results.build_environment import EnvironmentChange
from lab.results.commit_ranges import OUTAGE, WAS_FLAKY
from lab.results.history import WINDOW, Result, TestedResult, is_flaky, of_verdict
from reports.outcomes import RunResults

Kind = Literal["first", "broken", "still broken", "fixed", "ill"]
DAY_SECONDS: Final = 86_400.0
NO_TESTS: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class HistoryPoint:
    """A build: its short name, its start (Unix time), its verdict, its results, the tests that ran, and its commit.

    ``delay``: the seconds from its end to its publication.  ``arrival``: its place in the order of publications; 0 if that
    is not known.  ``is_overtaken``: whether a newer one with a verdict was published before it.  ``is_retracted``: only its
    verdict is known; ``retracted_after``: the newest arrival then, 0 if that is not known.
    """

    name: str
    started: float
    verdict: Verdict
    results: RunResults | None = None
    ran: frozenset[str] = NO_TESTS
    commit: str = ""
    delay: float = 0.0
    arrival: int = 0
    is_overtaken: bool = False
    is_retracted: bool = False
    retracted_after: int = 0

    @property
    def result(self) -> Result:
        if self.is_overtaken or self.is_retracted:
            return "neither"
        return self.results.of(self.verdict) if self.results else of_verdict(self.verdict)

    @property
    def started_at(self) -> str:
        """The start in readable form."""
        return f"{datetime.fromtimestamp(self.started, UTC):%Y-%m-%d %H:%MZ}"

    @property
    def tested(self) -> str:
        """What it tested, for `lab.results.history.is_flaky`."""
        return self.results.state(self.commit) if self.results else self.commit

    @cached_property
    def outcome(self) -> RunOutcome:
        """The results; without them, the verdict is that of the only step."""
        if self.is_overtaken or self.is_retracted:
            return RunOutcome("neither", closes=bool(self.results and self.results.closes))
        if self.results:
            return self.results.outcome(self.verdict, self.ran)
        bad = {Subject("step", "")} if self.result == "bad" else set[Subject]()
        return RunOutcome(self.result, bad, [""] if self.result == "good" else [])


@dataclass(frozen=True)
class Transition:
    """A notification about the build ``point``.

    ``subjects``: what broke, is still broken, or was fixed, the first of them first.  ``since``: the first bad build of
    that one; ``good``: the last build before, in which it was good; ``suspects``: the builds after ``good``, up to and
    including ``since``.  ``fixed``: what was fixed beside; ``without``: what ended among both without a good result: tests
    that have none in a build that passed, or run no more; ``standing``: the number of other breakages.  ``told``: the build
    that people were first notified of that one with.  ``doubts``: what else than a change can be the reason of that one.
    ``ended``: the builds that people were first notified with of what ended; ``over``: those of them of which nothing stands.
    """

    kind: Kind
    point: HistoryPoint
    since: HistoryPoint
    told: HistoryPoint
    good: HistoryPoint | None = None
    suspects: tuple[HistoryPoint, ...] = ()
    subjects: tuple[Subject, ...] = ()
    fixed: tuple[Subject, ...] = ()
    without: frozenset[Subject] = frozenset()
    standing: int = 0
    doubts: tuple[EnvironmentChange, ...] = ()
    ended: tuple[HistoryPoint, ...] = ()
    over: tuple[HistoryPoint, ...] = ()

    @property
    def days(self) -> int:
        """The whole days from ``since`` to ``point``."""
        return max(0, int((self.point.started - self.since.started) // DAY_SECONDS))  # a clock can have been wrong

    @property
    def is_proved(self) -> bool:
        """Whether the first of the subjects has a result in this build."""
        return self.subjects[:1] == () or self.subjects[0] not in self.without


def as_published(points: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    """Return the builds, with those marked that were overtaken."""
    found: list[HistoryPoint] = []
    earliest = math.inf
    for point in reversed(points):
        found.append(replace(point, is_overtaken=True) if earliest < point.arrival else point)
        if (of_verdict(point.verdict) if point.is_retracted else point.result) != "neither":
            earliest = min(earliest, point.arrival)
    return found[::-1]


def transitions(
    points: Sequence[HistoryPoint], remind_days: int, history_days: float = math.inf
) -> Iterator[Transition]:
    """Yield the notifications, at most one for each build; repeat "still broken" every ``remind_days`` days.

    A failure of a flaky test is no news, until there are more in a row than chance explains.  Nor is what a build breaks
    that ended more than ``history_days`` before it was published.
    """
    return _Lane(points, as_published(points), remind_days, history_days).transitions()


@dataclass(frozen=True)
class _Lane:
    """The builds of a phase of a component on a track, as they are, and as they were when each was published."""

    all: Sequence[HistoryPoint]
    points: Sequence[HistoryPoint]
    remind_days: int
    history_days: float

    def transitions(self) -> Iterator[Transition]:
        points = self.points
        changes = {turn.place: turn for turn in turns(self._as_published)}
        doubtful: list[Breakage] = []
        standing: dict[Breakage, HistoryPoint] = {}  # with the build that people were notified of it with
        last_bad, is_doubted, doubted_until = -1, False, 0
        for place, point in enumerate(points):
            told: dict[Breakage, HistoryPoint] = {}
            if turn := changes.get(place):
                over = set(turn.ended)
                told |= {one: standing.pop(one) for one in turn.ended if one in standing}
                doubtful = [*(one for one in doubtful if one not in over), *turn.broke]
            ended = [*told]
            is_known = point.arrival > doubted_until or not doubted_until
            new = [] if self._is_late(point) else [one for one in doubtful if self._is_news(one, place)]
            told |= dict.fromkeys(new, point)
            if new:
                is_first = all(self._as_it_is(one, place).good is None for one in new) and not standing
                yield self._transition("first" if is_first else "broken", place, new, told, ended, standing)
            elif ended:
                yield self._transition("fixed", place, ended, told, ended, standing)
            elif (
                point.result == "bad"
                and standing
                and not self._is_late(point)
                and ((is_doubted and is_known) or self._is_due(next(iter(standing)), last_bad, place))
            ):
                yield self._transition("still broken", place, [*standing], standing)
            if new:
                standing |= dict.fromkeys(new, point)
                doubtful = [one for one in doubtful if one not in standing]
            if point.is_retracted and of_verdict(point.verdict) != "neither":
                is_doubted, doubted_until = True, max(doubted_until, point.retracted_after)
            is_doubted &= point.result == "neither" or not is_known
            if point.result == "bad" and not self._is_late(point):
                last_bad = place

    def _is_late(self, point: HistoryPoint) -> bool:
        return point.delay > self.history_days * DAY_SECONDS

    def _is_news(self, one: Breakage, place: int) -> bool:
        return one.subject in self.points[place].outcome.bad and not _is_flake(self.points, one, place)

    def _transition(  # noqa: PLR0913, PLR0917 - the parts of a notification
        self,
        kind: Kind,
        place: int,
        about: Sequence[Breakage],
        told: Mapping[Breakage, HistoryPoint],
        ended: Sequence[Breakage] = (),
        standing: Mapping[Breakage, HistoryPoint] | None = None,
    ) -> Transition:
        is_good = self.points[place].result == "good"
        without = frozenset(one.subject for one in ended if one.is_unproved or (one.is_gone and not is_good))
        began = {told[one].name: told[one] for one in ended}
        left = {point.name for point in (standing or {}).values()}
        as_it_is = {one: self._as_it_is(one, place) for one in about}

        reached = self.points[place].outcome.bad if kind == "still broken" else [one.subject for one in about]

        def key(one: Breakage) -> tuple[bool, bool, bool, int, bool, Subject]:
            now, is_test = as_it_is[one], one.subject.kind == "test"
            is_unknown = one.subject not in reached  # a test that the build did not come to
            return is_unknown, one.subject in without, now.good is None, now.since, not is_test, one.subject

        ordered = sorted(about, key=key)
        first = as_it_is[ordered[0]]
        return Transition(
            kind=kind,
            point=self.all[place],
            since=self.all[first.since],
            told=told[ordered[0]],
            good=self.all[first.good] if first.good is not None else None,
            suspects=tuple(self.all[first.good + 1 : first.since + 1]) if first.good is not None else (),
            subjects=tuple(one.subject for one in ordered),
            fixed=tuple(one.subject for one in ended if kind != "fixed"),
            without=without,
            standing=len(standing or {}),
            doubts=tuple(self._doubts(first)),
            ended=tuple(began.values()),
            over=tuple(point for name, point in began.items() if name not in left),
        )

    def _doubts(self, one: Breakage) -> Iterator[EnvironmentChange]:
        if broke_at_once(self._broke.get(one.since, ()), one, self.all[one.since].outcome):
            yield OUTAGE
        if _is_flake(self.all, one, one.since):
            yield WAS_FLAKY

    def _as_it_is(self, one: Breakage, place: int) -> Breakage:
        """Return a breakage that a build tells of with what the builds say that were overtaken."""
        found = (real for real in self._breakages if real.subject == one.subject and real.since <= place)
        return next((real for real in found if real.end is None or real.end >= place), one)

    @cached_property
    def _broke(self) -> dict[int, tuple[Breakage, ...]]:
        """The breakages that began in each build."""
        return {turn.place: turn.broke for turn in turns(self._breakages or self._as_published)}

    @cached_property
    def _as_published(self) -> list[Breakage]:
        """The breakages by what was known at each publication."""
        return breakages([point.outcome for point in self.points])

    @cached_property
    def _breakages(self) -> list[Breakage]:
        """The breakages with all builds; none if no build was overtaken."""
        is_needed = any(point.is_overtaken for point in self.points)
        return breakages([point.outcome for point in self.all]) if is_needed else []

    def _is_due(self, first: Breakage, last_bad: int, place: int) -> bool:
        period, since = self.remind_days * DAY_SECONDS, self.points[first.since].started
        now, before = (max(0.0, self.points[each].started - since) for each in (place, last_bad))
        return now // period > before // period


def _is_flake(points: Sequence[HistoryPoint], one: Breakage, place: int) -> bool:
    """Return whether a breakage is, up to a build, no more than failures of a test that is flaky."""
    if one.subject.kind != "test":
        return False
    known: list[TestedResult] = []
    for point in reversed(points[: place + 1]):
        if (result := point.outcome.of(one.subject)) != "neither":
            known.append(TestedResult(point.tested, result, point.results is not None and point.results.is_of_most))
        if len(known) == WINDOW:
            break
    return is_flaky(known[::-1])
