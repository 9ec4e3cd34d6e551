"""The changes in a history of results that people are notified of: broken, still broken, fixed, and an ill lab.

Pure functions over the builds of one phase of a component on a track, oldest first.  `lab.results.breakages` defines
what is broken, since when and after which good build: single tests and steps, not the verdict.  A build is notified
of with what was known then: later builds change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        return of_verdict(self.verdict)

    @property
    def started_at(self) -> str:
        """The start in readable form."""
        return f"{datetime.fromtimestamp(self.started, UTC):%Y-%m-%d %H:%MZ}"

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
    including ``since``.  ``fixed``: what was fixed beside; ``without``: the tests among both that did not run in a build
    that passed; ``standing``: the number of other breakages.
    """

    kind: Kind
    point: HistoryPoint
    since: HistoryPoint
    good: HistoryPoint | None = None
    suspects: tuple[HistoryPoint, ...] = ()
    subjects: tuple[Subject, ...] = ()
    fixed: tuple[Subject, ...] = ()
    without: frozenset[Subject] = frozenset()
    standing: int = 0

    @property
    def days(self) -> int:
        """The whole days from ``since`` to ``point``."""
        return int((self.point.started - self.since.started) // DAY_SECONDS)

    @property
    def is_proved(self) -> bool:
        """Whether the first of the subjects has a result in this build."""
        return self.subjects[:1] == () or self.subjects[0] not in self.without


def transitions(points: Sequence[HistoryPoint], remind_days: int) -> Iterator[Transition]:
    """Yield the notifications, at most one for each build; repeat "still broken" every ``remind_days`` days."""
    found = breakages([point.outcome for point in points])
    changes = {turn.place: turn for turn in turns(found)}
    standing: list[Breakage] = []
    last_bad = -1
    for place, point in enumerate(points):
        if turn := changes.get(place):
            standing = [one for one in standing if one not in turn.ended]
            new = [one for one in turn.broke if not _was_flaky(points, one)]
            ended = [one for one in turn.ended if _is_news(points, one, point)]
            yield from _news(points, point, new, ended, standing)
            standing += turn.broke
        elif point.result == "bad" and standing and _is_due(points, standing[0], last_bad, place, remind_days):
            yield _transition("still broken", points, point, standing)
        if point.result == "bad":
            last_bad = place


def _news(
    points: Sequence[HistoryPoint],
    point: HistoryPoint,
    new: Sequence[Breakage],
    ended: Sequence[Breakage],
    standing: Sequence[Breakage],
) -> Iterator[Transition]:
    if new:
        is_first = all(one.good is None for one in new) and not standing
        yield _transition("first" if is_first else "broken", points, point, new, ended, len(standing))
    elif ended:
        yield _transition("fixed", points, point, ended, standing=len(standing))


def _transition(  # noqa: PLR0913, PLR0917 - the parts of a notification
    kind: Kind,
    points: Sequence[HistoryPoint],
    point: HistoryPoint,
    about: Sequence[Breakage],
    fixed: Sequence[Breakage] = (),
    standing: int = 0,
) -> Transition:
    ended = about if kind == "fixed" else fixed
    without = frozenset(one.subject for one in ended if one.is_unproved)

    def key(one: Breakage) -> tuple[bool, bool, int, bool, Subject]:
        return one.subject in without, one.good is None, one.since, one.subject.kind != "test", one.subject

    ordered = sorted(about, key=key)
    first = ordered[0]
    good = points[first.good] if first.good is not None else None
    suspects = tuple(points[first.good + 1 : first.since + 1]) if first.good is not None else ()
    subjects = tuple(one.subject for one in ordered)
    also = tuple(one.subject for one in fixed)
    return Transition(kind, point, points[first.since], good, suspects, subjects, also, without, standing)


def _is_news(points: Sequence[HistoryPoint], one: Breakage, point: HistoryPoint) -> bool:
    """Return whether the end of a breakage is a fix, of something that people were told of."""
    is_removed = one.is_gone and point.result != "good"
    return not is_removed and not _was_flaky(points, one)


def _was_flaky(points: Sequence[HistoryPoint], one: Breakage) -> bool:
    """Return whether a breakage was, when it began, one more failure of a test that was known to be flaky."""
    if one.subject.kind != "test":
        return False
    known: list[tuple[str, Result]] = []
    for point in reversed(points[: one.since + 1]):
        if (result := point.outcome.of(one.subject)) != "neither":
            known.append((point.commit, result))
        if len(known) == WINDOW:
            break
    return is_flaky(known[::-1])


def _is_due(points: Sequence[HistoryPoint], first: Breakage, last_bad: int, place: int, days: int) -> bool:
    period, since = days * DAY_SECONDS, points[first.since].started
    return (points[place].started - since) // period > (points[last_bad].started - since) // period
