"""The changes in a history of results that people are notified of: broken, still broken, fixed, and an ill lab.

Pure functions over the builds of one phase of a component on a track, oldest first.  `lab.results.breakages` defines
what is broken, since when and after which good build: single tests and steps, not the verdict.  A build is notified
of with what was known then: later builds change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, Literal

from lab.base.errors import Verdict
from lab.results.breakages import Breakage, RunOutcome, Subject, breakages, turns
from lab.results.history import WINDOW, Result, is_flaky, of_verdict
from reports.outcomes import RunResults

Kind = Literal["first", "broken", "still broken", "fixed", "ill"]
DAY_SECONDS: Final = 86_400.0
NO_TESTS: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class HistoryPoint:
    """A build: its short name, its start (Unix time), its verdict, its results, the tests that ran, and its commit.

    ``delay``: the seconds from its end to its publication.
    """

    name: str
    started: float
    verdict: Verdict
    results: RunResults | None = None
    ran: frozenset[str] = NO_TESTS
    commit: str = ""
    delay: float = 0.0

    @property
    def result(self) -> Result:
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
        if self.results:
            return self.results.outcome(self.verdict, self.ran)
        bad = {Subject("step", "")} if self.result == "bad" else set[Subject]()
        return RunOutcome(self.result, bad, [""] if self.result == "good" else [])


@dataclass(frozen=True)
class Transition:
    """A notification about the build ``point``.

    ``subjects``: what broke, is still broken, or was fixed, the first of them first.  ``since``: the first bad build of
    that one; ``good``: the last build before, in which it was good; ``suspects``: the builds after ``good``, up to and
    including ``since``.  ``fixed``: what was fixed beside; ``without``: the tests among both that have no result in a
    build that passed; ``standing``: the number of other breakages.  ``told``: the build that people were first notified
    of that one with.  ``was_flaky``: whether it is a test that was flaky when it broke.
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
    was_flaky: bool = False

    @property
    def days(self) -> int:
        """The whole days from ``since`` to ``point``."""
        return int((self.point.started - self.since.started) // DAY_SECONDS)

    @property
    def is_proved(self) -> bool:
        """Whether the first of the subjects has a result in this build."""
        return self.subjects[:1] == () or self.subjects[0] not in self.without


def transitions(points: Sequence[HistoryPoint], remind_days: int) -> Iterator[Transition]:
    """Yield the notifications, at most one for each build; repeat "still broken" every ``remind_days`` days.

    A failure of a flaky test is no news, until there are more in a row than chance explains.
    """
    found = breakages([point.outcome for point in points])
    changes = {turn.place: turn for turn in turns(found)}
    doubtful: list[Breakage] = []
    standing: dict[Breakage, HistoryPoint] = {}  # with the build that people were notified of it with
    last_bad = -1
    for place, point in enumerate(points):
        told: dict[Breakage, HistoryPoint] = {}
        fixed: list[Breakage] = []
        if turn := changes.get(place):
            over = set(turn.ended)
            told |= {one: standing.pop(one) for one in turn.ended if one in standing}
            fixed = [one for one in told if not (one.is_gone and point.result != "good")]
            doubtful = [*(one for one in doubtful if one not in over), *turn.broke]
        new = [one for one in doubtful if one.subject in point.outcome.bad and not _is_flake(points, one, place)]
        told |= dict.fromkeys(new, point)
        if new or fixed:
            yield from _news(points, point, new, fixed, standing, told)
        elif point.result == "bad" and standing and _is_due(points, next(iter(standing)), last_bad, place, remind_days):
            yield _transition("still broken", points, point, [*standing], standing)
        if new:
            standing |= dict.fromkeys(new, point)
            doubtful = [one for one in doubtful if one not in standing]
        if point.result == "bad":
            last_bad = place


def _news(  # noqa: PLR0913, PLR0917 - the parts of a notification
    points: Sequence[HistoryPoint],
    point: HistoryPoint,
    new: Sequence[Breakage],
    ended: Sequence[Breakage],
    standing: Collection[Breakage],
    told: Mapping[Breakage, HistoryPoint],
) -> Iterator[Transition]:
    if new:
        is_first = all(one.good is None for one in new) and not standing
        yield _transition("first" if is_first else "broken", points, point, new, told, ended, len(standing))
    elif ended:
        yield _transition("fixed", points, point, ended, told, standing=len(standing))


def _transition(  # noqa: PLR0913, PLR0917 - the parts of a notification
    kind: Kind,
    points: Sequence[HistoryPoint],
    point: HistoryPoint,
    about: Sequence[Breakage],
    told: Mapping[Breakage, HistoryPoint],
    fixed: Sequence[Breakage] = (),
    standing: int = 0,
) -> Transition:
    ended = about if kind == "fixed" else fixed
    without = frozenset(one.subject for one in ended if one.is_unproved)

    def key(one: Breakage) -> tuple[bool, bool, int, bool, Subject]:
        return one.subject in without, one.good is None, one.since, one.subject.kind != "test", one.subject

    ordered = sorted(about, key=key)
    first = ordered[0]
    return Transition(
        kind=kind,
        point=point,
        since=points[first.since],
        told=told[first],
        good=points[first.good] if first.good is not None else None,
        suspects=tuple(points[first.good + 1 : first.since + 1]) if first.good is not None else (),
        subjects=tuple(one.subject for one in ordered),
        fixed=tuple(one.subject for one in fixed),
        without=without,
        standing=standing,
        was_flaky=_is_flake(points, first, first.since),
    )


def _is_flake(points: Sequence[HistoryPoint], one: Breakage, place: int) -> bool:
    """Return whether a breakage is, up to a build, no more than failures of a test that is flaky."""
    if one.subject.kind != "test":
        return False
    known: list[tuple[str, Result]] = []
    for point in reversed(points[: place + 1]):
        if (result := point.outcome.of(one.subject)) != "neither":
            known.append((point.tested, result))
        if len(known) == WINDOW:
            break
    return is_flaky(known[::-1])


def _is_due(points: Sequence[HistoryPoint], first: Breakage, last_bad: int, place: int, days: int) -> bool:
    period, since = days * DAY_SECONDS, points[first.since].started
    return (points[place].started - since) // period > (points[last_bad].started - since) // period
