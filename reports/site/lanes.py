"""Lanes: the summary of a component on a track: its state, changes, flaky tests and durations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from lab.results.history import flips
from reports.site import lab_pages
from reports.site.lane_history import History
from reports.site.lane_models import Flaky, Lane, Slow, TransitionPart
from reports.site.standings import newest_first, standings, transitions, worst
from reports.site.summary import Summary

TRANSITIONS: Final = 20
DAYS: Final = 15  # of changes, beyond `TRANSITIONS`
RECENT: Final = 10  # builds of a median; it changes only with every tenth build
SLOWEST: Final = 5
SHOWN: Final = 20  # results of a flaky test


def _flaky_tests(history: History) -> Iterator[Flaky]:
    for test, tries in history.flaky.items():
        results = tuple(item.result for item in tries[: -SHOWN - 1 : -1])
        yield Flaky(
            test=history.test(test),
            results=results,
            flips=flips([item.result for item in tries]),
            newest=tries[-1].build.ref,
        )


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
        if history.states_of[phase].state == "dropped":
            continue
        done = _full_tens([build for build in builds if build.result != "neither"])
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


def _newest(changes: Sequence[TransitionPart], latest: str) -> tuple[TransitionPart, ...]:
    """Return the changes of the newest days, and at least some."""
    first = (datetime.fromisoformat(latest) - timedelta(days=DAYS)).isoformat()[:10]
    return tuple(change for place, change in enumerate(changes) if place < TRANSITIONS or change.build.finished > first)


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
        failed=tuple(history.test(test) for test in history.marks if test in history.current),
        transitions=_newest(newest_first(list(transitions(history))), builds[-1].finished),
        slow_builds=tuple(_slow_builds(history)),
        slow_steps=_slow_parts(history, lambda build: [(step, took) for step, _, took in build.steps if took >= 1]),
        slow_tests=_slow_parts(history, lambda build: build.slowest),
        first=builds[0].finished,
        health=lab_pages.counts(builds),
        chroot=lab_pages.age(builds, lambda build: build.chroot_days),
        mirror=lab_pages.age(builds, lambda build: build.mirror_days),
    )
