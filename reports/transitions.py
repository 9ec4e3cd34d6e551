"""When people are told of a history of results: what broke, is still broken, was fixed, or came for the first time.

Pure functions over the builds of one phase of a component on a track, oldest first.  What is good, what is bad and
what says nothing, `lab.results.history` defines.
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
    """A build: its short name, when it started (Unix time), and how it went."""

    name: str
    started: float
    verdict: Verdict

    @property
    def result(self) -> Result:
        return of_verdict(self.verdict)


@dataclass(frozen=True)
class Transition:
    """What is to be told at ``point``.

    ``since``: the first result of the streak that lasts, or that was ended; ``good``: the last good result before a
    bad streak; ``suspects``: the builds after that up to and with ``since``.
    """

    kind: Kind
    point: HistoryPoint
    since: HistoryPoint
    good: HistoryPoint | None = None
    suspects: tuple[HistoryPoint, ...] = ()

    @property
    def days(self) -> int:
        """Whole days from ``since`` to here."""
        return int((self.point.started - self.since.started) // DAY_SECONDS)


def transitions(points: Sequence[HistoryPoint], remind_days: int) -> Iterator[Transition]:
    """What is to be told, at most once a build; what is still broken again every so many days, when it is built."""
    place: dict[Result, int] = {}  # where each result was seen last
    since, state = 0, None
    for here, point in enumerate(points):
        result = point.result
        if result == "neither":
            continue
        good = place.get("good")
        if state is None:
            yield Transition("first", point, point)
            since = here
        elif result != state and result == "good":
            yield Transition("fixed", point, points[since])
            since = here
        elif result != state and good is not None:
            since = here
            yield Transition("broken", point, point, points[good], tuple(points[good + 1 : here + 1]))
        elif result == "bad" and _is_due(points[since], points[place["bad"]], point, remind_days):
            before = points[good] if good is not None else None
            suspects = tuple(points[good + 1 : since + 1]) if good is not None else ()
            yield Transition("still broken", point, points[since], before, suspects)
        state = result
        place[result] = here


def _is_due(since: HistoryPoint, last: HistoryPoint, now: HistoryPoint, days: int) -> bool:
    period = days * DAY_SECONDS
    return (now.started - since.started) // period > (last.started - since.started) // period
