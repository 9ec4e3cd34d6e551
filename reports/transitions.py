"""The changes in a history of results that people are notified of: first result, broken, still broken, fixed.

Pure functions over the builds of one phase of a component on a track, oldest first.  `lab.results.history` defines
good, bad and neutral results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lab.base.errors import Verdict
from lab.results.history import Result, of_verdict

Kind = Literal["first", "broken", "still broken", "fixed"]
DAY_SECONDS: Final = 86_400.0


@dataclass(frozen=True)
class HistoryPoint:
    """A build: its short name, its start (Unix time) and its verdict."""

    name: str
    started: float
    verdict: Verdict

    @property
    def result(self) -> Result:
        return of_verdict(self.verdict)


@dataclass(frozen=True)
class Transition:
    """A notification about the build ``point``.

    ``since``: the first result of the current streak, or of the streak that ended; ``good``: the last good result
    before a bad streak; ``suspects``: the builds after ``good``, up to and including ``since``.
    """

    kind: Kind
    point: HistoryPoint
    since: HistoryPoint
    good: HistoryPoint | None = None
    suspects: tuple[HistoryPoint, ...] = ()

    @property
    def days(self) -> int:
        """The whole days from ``since`` to ``point``."""
        return int((self.point.started - self.since.started) // DAY_SECONDS)


def transitions(points: Sequence[HistoryPoint], remind_days: int) -> Iterator[Transition]:
    """Yield the notifications, at most one for each build; repeat "still broken" every ``remind_days`` days."""
    last_seen: dict[Result, int] = {}  # index of the last build with each result
    since, state = 0, None
    for index, point in enumerate(points):
        result = point.result
        if result == "neither":
            continue
        good = last_seen.get("good")
        if state is None:
            yield Transition("first", point, point)
            since = index
        elif result != state and result == "good":
            yield Transition("fixed", point, points[since])
            since = index
        elif result != state and good is not None:
            since = index
            yield Transition("broken", point, point, points[good], tuple(points[good + 1 : index + 1]))
        elif result == "bad" and _is_due(points[since], points[last_seen["bad"]], point, remind_days):
            before = points[good] if good is not None else None
            suspects = tuple(points[good + 1 : since + 1]) if good is not None else ()
            yield Transition("still broken", point, points[since], before, suspects)
        state = result
        last_seen[result] = index


def _is_due(since: HistoryPoint, last: HistoryPoint, now: HistoryPoint, days: int) -> bool:
    period = days * DAY_SECONDS
    return (now.started - since.started) // period > (last.started - since.started) // period
