"""The history of results: the definitions of *since*, *first bad range*, *never passed* and *flaky*.

`lab.results.breakages` applies them to each test and each step of the runs of a phase.

Pure functions over results, oldest first.  A result without information about the tested software (the lab's own
errors, aborts, skips) is ``neither``: it neither breaks nor ends a streak.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal, NamedTuple, TypeVar

from lab.base.errors import Verdict
from lab.results.cases import Case

T = TypeVar("T")
Result = Literal["good", "bad", "neither"]
State = Literal["passing", "broken", "never passed", "unknown", "no verdict", "dropped"]
"""``unknown``: it passed, but nothing is known since; see `lab.results.lab_health`.  ``dropped``: lab.yaml has it no more."""
Change = Literal["broke", "mended", "passes without", "no longer run", "never passed"]

WINDOW = 50  # results that flakiness looks back
SHORT = 2  # failures in a row that chance explains
TIMES = 2  # such streaks make a test flaky
CHANCE = 0.001  # a longer streak of failures is a breakage if it is less probable than this
BAD: frozenset[Verdict] = frozenset({"failed", "unstable"})


def of_verdict(verdict: Verdict) -> Result:
    if verdict in BAD:
        return "bad"
    return "good" if verdict == "passed" else "neither"


def of_case(case: Case) -> Result:
    if case.outcome == "skipped" or case.nuance in {"testbed", "expected-failure"}:
        return "neither"
    return "good" if case.outcome == "passed" else "bad"


@dataclass(frozen=True)
class Standing:
    """The state of a history.

    ``since``: the first result of the current streak; ``good``: the last good result before a bad streak, so that the
    first bad range starts after ``good`` and ends with ``since``.  Both are indexes into the history.
    """

    state: State
    since: int | None = None
    good: int | None = None


@dataclass(frozen=True)
class Streak:
    """Consecutive equal results: the indexes of the first and the last, and their number."""

    result: Result
    first: int
    last: int
    runs: int


def streaks(results: Sequence[Result]) -> list[Streak]:
    """Return the history in streaks, without results that are ``neither``."""
    found: list[Streak] = []
    known = (place for place, result in enumerate(results) if result != "neither")
    for result, group in groupby(known, results.__getitem__):
        places = list(group)
        found.append(Streak(result, places[0], places[-1], len(places)))
    return found


def standing(results: Sequence[Result]) -> Standing:
    return standing_after(streaks(results))


def standing_after(found: Sequence[Streak]) -> Standing:
    """Return the state of a history from its streaks."""
    if not found:
        return Standing("no verdict")
    now = found[-1]
    if now.result == "good":
        return Standing("passing", now.first)
    if len(found) == 1:
        return Standing("never passed", now.first)
    return Standing("broken", now.first, found[-2].last)


def between(commits: Sequence[str], builds: Sequence[T], good: str, bad: str) -> Sequence[T]:
    """Return the builds after the last one of the commit ``good``, up to the first one of ``bad`` then; none if unknown.

    ``commits`` are those of the builds, oldest first.  This range of another phase is that of the builds of these commits.
    """
    start = next((place for place in range(len(commits), 0, -1) if commits[place - 1] == good), None)
    end = next((place for place in range(start or 0, len(commits)) if commits[place] == bad), None)
    return () if start is None or end is None or not good else builds[start : end + 1]


def flips(results: Sequence[Result]) -> int:
    """Return how often a result differs from the one before it."""
    return sum(before != after for before, after in pairwise(results))


class TestedResult(NamedTuple):
    """The result of a test: ``tested``: a commit in an environment, "" is unknown, and equals nothing.

    ``with_most``: it failed together with most of the tests of its run.
    """

    tested: str
    result: Result
    with_most: bool = False


def is_flaky(points: Iterable[TestedResult]) -> bool:
    """Return whether a test is flaky, from what was tested and its results: whether no change explains its failures.

    A test is flaky if the last 50 results contain both outcomes of the same commit in the same environment, or two separate
    streaks of one or two failures between successes.  A failure together with most tests is none of the test itself.  A test
    that fails now, more often in a row than its rate of failures explains, is broken.
    """
    last = [point for point in points if point.result != "neither"][-WINDOW:]
    found = streaks([point.result for point in last])
    if found and found[-1].result == "bad" and not is_chance(found):
        return False
    own = [point for point in last if not (point.with_most and point.result == "bad")]
    found = streaks([point.result for point in own])
    seen: defaultdict[str, set[Result]] = defaultdict(set)
    for point in own:
        seen[point.tested].add(point.result)
    if any(tested and len(outcomes) > 1 for tested, outcomes in seen.items()):
        return True
    return sum(streak.result == "bad" and streak.runs <= SHORT for streak in found[1:-1]) >= TIMES


def is_chance(found: Sequence[Streak]) -> bool:
    """Return whether the rate of failures before the newest streak, which is bad, explains its length."""
    runs = found[-1].runs
    before = sum(streak.runs for streak in found[:-1])
    bad = sum(streak.runs for streak in found[:-1] if streak.result == "bad")
    return runs <= SHORT or (before > 0 and (bad / before) ** runs >= CHANCE)
