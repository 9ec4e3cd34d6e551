"""The results of a test in the builds of a phase, and whether they are those of a flaky test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.results.history import Result, TestedResult, is_flaky
from reports.site.summary import Summary


@dataclass(frozen=True)
class Try:
    """The result of a test in a build; ``retried``: it failed and then passed in the same build."""

    build: Summary
    result: Result
    retried: bool = False


def is_flaky_in(tries: Sequence[Try]) -> bool:
    """Return whether a test is flaky, from its tries, oldest first."""
    points: list[TestedResult] = []
    for item in tries:
        tested = item.build.results.state(item.build.commit)
        place = tested or item.build.id
        points += [TestedResult(place, "bad")] * item.retried
        last = TestedResult(tested, item.result, item.build.results.is_of_most)
        points.append(TestedResult(place, "good") if item.retried else last)
    return is_flaky(points)
