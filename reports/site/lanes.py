"""Lanes: the history of a component on a track, and the state, changes, flaky tests and durations that follow from it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Final

from lab.config.description import PHASES
from lab.results import addresses
from lab.results.build_environment import SHOWN, BuildEnvironment, EnvironmentChange, changes
from lab.results.history import WINDOW, Result, State, flips, is_flaky, of_verdict, standing, transitions
from reports.model import Commit
from reports.site.lane_models import Flaky, Lane, Slow, StandingPart, TestRef, TransitionPart
from reports.site.summary import BadTest, Summary

SUSPECTS: Final = 5
TRANSITIONS: Final = 20
RECENT: Final = 10  # builds of a median; it changes only with every tenth build
SLOWEST: Final = 5
WORST: Final[tuple[State, ...]] = ("broken", "never passed", "passing", "no verdict")
ORDER: Final = tuple(PHASES)


@dataclass(frozen=True)
class Try:
    """The result of a test in a build; ``retried``: it failed and then passed in the same build."""

    build: Summary
    result: Result
    retried: bool = False
    message: str = ""


@dataclass(frozen=True)
class History:
    """All builds of a component on a track, oldest first.

    ``roster`` gives the tests that ran, ``environment`` the environment of a build, by digest.
    """

    builds: tuple[Summary, ...]
    roster: Callable[[str], frozenset[str]]
    environment: Callable[[str], BuildEnvironment | None] = lambda _: None

    @property
    def component(self) -> str:
        return self.builds[-1].component

    @property
    def track(self) -> str:
        return self.builds[-1].track

    @property
    def path(self) -> str:
        return addresses.lane_path(self.component, self.track)

    @cached_property
    def phases(self) -> dict[str, tuple[Summary, ...]]:
        """The builds of each phase, in the order of the phases."""
        names = sorted({build.phase for build in self.builds}, key=lambda name: (_phase_order(name), name))
        return {name: tuple(build for build in self.builds if build.phase == name) for name in names}

    @cached_property
    def marks(self) -> dict[str, dict[str, BadTest]]:
        """The marks of each test, by build."""
        marks: dict[str, dict[str, BadTest]] = {}
        for build in self.builds:
            for mark in build.marks:
                marks.setdefault(mark.test, {})[build.id] = mark
        return dict(sorted(marks.items()))

    def tries(self, test: str) -> list[Try]:
        """Return the result of a test in each build that ran it."""
        marks = self.marks.get(test, {})
        tries = []
        for build in self.builds:
            if mark := marks.get(build.id):
                tries.append(Try(build, mark.result, mark.flaky, mark.message))
            elif test in self.roster(build.roster):
                tries.append(Try(build, "good"))
        return tries

    def test(self, test: str) -> TestRef:
        path = addresses.test_path(self.component, self.track, test)
        return TestRef(id=test, path=path, component=self.component, track=self.track)

    def first_failing(self, build: Summary) -> TestRef | None:
        return next((self.test(mark.test) for mark in build.marks if mark.result == "bad"), None)


def _phase_order(phase: str) -> int:
    return next((place for place, name in enumerate(ORDER) if name == phase), len(ORDER))


def flaky(tries: Sequence[Try]) -> bool:
    points: list[tuple[str, Result]] = []
    for item in tries[-WINDOW:]:
        place = item.build.commit or item.build.id
        points += [(place, "bad")] * item.retried
        points.append((place, "good") if item.retried else (item.build.commit, item.result))
    return is_flaky(points)


def worst(states: Sequence[State]) -> State:
    return min(states, key=WORST.index)


def standings(history: History) -> tuple[StandingPart, ...]:
    """Return the state of each phase."""
    return tuple(_standing(history, phase, builds) for phase, builds in history.phases.items())


def _standing(history: History, phase: str, builds: Sequence[Summary]) -> StandingPart:
    now = standing([of_verdict(build.verdict) for build in builds])
    is_bad = now.state in {"broken", "never passed"}
    failing = (
        next((build for build in reversed(builds) if of_verdict(build.verdict) == "bad"), None) if is_bad else None
    )
    suspects, count = _suspects(builds, now.good, now.since) if now.state == "broken" else ((), 0)
    others = _other_changes(history, builds, now.good, now.since) if now.state == "broken" else ()
    return StandingPart(
        component=history.component,
        track=history.track,
        series=builds[-1].series,
        phase=phase,
        path=history.path,
        state=now.state,
        since=builds[now.since].ref if now.since is not None else None,
        good=builds[now.good].ref if now.good is not None else None,
        suspects=suspects,
        suspect_count=count,
        changes=others[:SHOWN],
        change_count=len(others),
        failing=failing.ref if failing else None,
        test=history.first_failing(failing) if failing else None,
        failed_tests=sum(mark.result == "bad" for mark in failing.marks) if failing else 0,
        latest=builds[-1].ref,
    )


def _suspects(builds: Sequence[Summary], good: int | None, since: int | None) -> tuple[tuple[Commit, ...], int]:
    """Return the newest commits of the first bad range, newest build first, and the number of all of them."""
    if good is None or since is None:
        return (), 0
    broke = builds[good + 1 : since + 1]
    commits = {commit.id: commit for build in reversed(broke) for commit in build.commits}
    # A summary keeps only some of the commits of a build.
    omitted = sum(build.commit_count - len(build.commits) for build in broke)
    return tuple(commits.values())[:SUSPECTS], len(commits) + omitted


def _other_changes(
    history: History, builds: Sequence[Summary], good: int | None, since: int | None
) -> tuple[EnvironmentChange, ...]:
    if good is None or since is None:
        return ()
    return changes(*(history.environment(builds[place].environment) for place in (good, since)))


def _transitions(history: History) -> Iterator[TransitionPart]:
    for phase, builds in history.phases.items():
        last_good = None
        results = [of_verdict(build.verdict) for build in builds]
        changes = dict(transitions(results))
        for place, build in enumerate(builds):
            if change := changes.get(place):
                yield TransitionPart(
                    id=uuid.uuid5(uuid.NAMESPACE_URL, f"qalab:{build.id}:{change}").urn,
                    change=change,
                    component=history.component,
                    track=history.track,
                    phase=phase,
                    build=build.ref,
                    good=last_good.ref if last_good and change == "broke" else None,
                    test=history.first_failing(build) if change != "mended" else None,
                )
            if results[place] == "good":
                last_good = build


def newest_first(changes: Sequence[TransitionPart]) -> tuple[TransitionPart, ...]:
    return tuple(sorted(changes, key=lambda change: (change.build.finished, change.id), reverse=True))


def _flaky_tests(history: History) -> Iterator[Flaky]:
    for test in history.marks:
        tries = [item for item in history.tries(test)[-WINDOW:] if item.result != "neither"]
        if flaky(tries):
            results = tuple(item.result for item in reversed(tries))
            yield Flaky(test=history.test(test), results=results, flips=flips(results), newest=tries[-1].build.ref)


def _slow(history: History, what: str, seconds: Sequence[float], path: str) -> Slow:
    """Return the median of the newest durations, and of as many before them."""
    before = seconds[-2 * RECENT : -RECENT]
    return Slow(
        what=what,
        component=history.component,
        track=history.track,
        path=path,
        seconds=round(median(seconds[-RECENT:]), 1),
        before=round(median(before), 1) if before else None,
    )


def _full_tens(builds: Sequence[Summary]) -> Sequence[Summary]:
    """Return the newest two full tens of builds; all builds while they are fewer than ten."""
    return builds[: len(builds) // RECENT * RECENT or len(builds)][-2 * RECENT :]


def _slow_builds(history: History) -> Iterator[Slow]:
    for phase, builds in history.phases.items():
        done = _full_tens([build for build in builds if of_verdict(build.verdict) != "neither"])
        if done:
            yield _slow(history, phase, [build.seconds for build in done], history.path)


def _slow_parts(history: History, of: Callable[[Summary], Sequence[tuple[str, float]]]) -> tuple[Slow, ...]:
    """Return the slowest steps, or tests, of the newest builds."""
    seconds: dict[str, list[float]] = {}
    newest: dict[str, Summary] = {}
    for build in _full_tens(history.builds):
        for name, took in of(build):
            seconds.setdefault(name, []).append(took)
            newest[name] = build
    durations = [_slow(history, name, took, newest[name].path) for name, took in seconds.items()]
    return slowest(durations)[:SLOWEST]


def slowest(durations: Sequence[Slow]) -> tuple[Slow, ...]:
    return tuple(sorted(durations, key=lambda slow: (-slow.seconds, slow.component, slow.track, slow.what)))


def lane(history: History) -> Lane:
    """Return the summary of a lane."""
    now = standings(history)
    builds = history.builds
    return Lane(
        component=history.component,
        track=history.track,
        series=builds[-1].series,
        path=history.path,
        state=worst([phase.state for phase in now]),
        phases=now,
        latest=builds[-1].ref,
        builds=len(builds),
        flaky=tuple(_flaky_tests(history)),
        failed=tuple(history.test(test) for test in history.marks),
        transitions=newest_first(list(_transitions(history)))[:TRANSITIONS],
        slow_builds=tuple(_slow_builds(history)),
        slow_steps=_slow_parts(history, lambda build: [(step, took) for step, _, took in build.steps if took >= 1]),
        slow_tests=_slow_parts(history, lambda build: build.slowest),
        first=builds[0].finished,
    )
