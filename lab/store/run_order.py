"""The order in which runs began, also where the clock of a machine was wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")

WRONG_SECONDS: Final = 86_400.0  # a larger contradiction is no clock: a job was made again, with numbers from 1
WRONG_NUMBERS: Final = 50  # likewise
"""The most runs of a job that a wrong clock puts before an older one."""


class RunPlace(NamedTuple):
    """What numbers the runs, the number of a run, and its start (Unix time) by the clock of its machine."""

    job: Hashable
    number: int
    started: float


def in_order(runs: Iterable[T], place: Callable[[T], RunPlace]) -> list[T]:
    """Return runs, oldest first: by their starts, and where the numbers of a job contradict these, by the numbers.

    A run whose number is smaller than that of one that began up to a day earlier had a wrong clock.
    """
    places = [(place(run), run) for run in runs]
    by_job = defaultdict[Hashable, list[RunPlace]](list)
    for one, _ in places:
        by_job[one.job].append(one)
    starts: dict[RunPlace, float] = {}
    for its in by_job.values():
        starts |= _corrected(sorted(its, key=_key))
    places.sort(key=lambda pair: (starts.get(pair[0], pair[0].started), pair[0].number))
    return [run for _, run in places]


def _key(one: RunPlace) -> tuple[float, int]:
    return one.started, one.number


def _corrected(places: Sequence[RunPlace]) -> dict[RunPlace, float]:
    """Return the starts of the runs of a job that the numbers contradict, as early as the numbers say."""
    if all(before.number <= after.number for before, after in pairwise(places)):
        return {}
    found: dict[RunPlace, float] = {}
    known = set[int]()
    for index, one in enumerate(places):
        for before in reversed(places[:index] if one.number not in known else ()):
            if one.started - before.started > WRONG_SECONDS:
                break
            if 0 < before.number - one.number <= WRONG_NUMBERS:
                found[one] = before.started
        known.add(one.number)
    return found
