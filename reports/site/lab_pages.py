"""The page of the lab's own health."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from lab.base.errors import Verdict
from lab.results.lab_health import ERRORS, QUIET_DAYS, SILENT_DAYS
from reports.lab_view import NOTHING_KNOWN, LabView
from reports.site.lab_models import ErrorRate, HealthPage, IllLane
from reports.site.lane_models import HealthCount, Lane, SeriesAge
from reports.site.summary import Summary


def counts(builds: Sequence[Summary]) -> tuple[HealthCount, ...]:
    """Return the runs and the errors of each day, step and origin in the newest days of a lane."""
    first = _day(builds[-1].finished, -SILENT_DAYS)
    found: defaultdict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for build in reversed(builds):
        day = build.finished[:10]
        if day > first:
            for kind, name, verdict in _parts(build):
                numbers = found[day, kind, name]
                numbers[0] += 1
                numbers[1] += verdict in ERRORS
    return tuple(
        HealthCount(day=day, kind=kind, name=name, runs=runs, errors=errors)
        for (day, kind, name), (runs, errors) in sorted(found.items())
    )


def _parts(build: Summary) -> Iterator[tuple[str, str, Verdict]]:
    yield "origin", build.origin, build.verdict
    if build.agent:
        yield "agent", build.agent, build.verdict
    for step, verdict, _ in build.steps:
        yield "step", step, verdict
    if build.verdict in ERRORS and not any(verdict in ERRORS for _, verdict, _ in build.steps):
        yield "step", "outside of steps", build.verdict


def _day(moment: str, days: int) -> str:
    return (datetime.fromisoformat(moment) + timedelta(days=days)).isoformat()[:10]


def is_quiet(last: str, newest: str) -> bool:
    """Return whether the end of the last build that said something is so old that the state is unknown."""
    return bool(last) and datetime.fromisoformat(newest) - datetime.fromisoformat(last) >= timedelta(days=QUIET_DAYS)


def age(builds: Sequence[Summary], days_of: Callable[[Summary], float | None]) -> SeriesAge | None:
    """Return the newest age of a chroot or a mirror; the builds are of one series, oldest first."""
    for build in reversed(builds):
        days = days_of(build)
        if days is not None:
            return SeriesAge(series=build.series, days=days, at=build.finished)
    return None


def health(lanes: Sequence[Lane], newest: str, view: LabView = NOTHING_KNOWN) -> HealthPage:
    """Return the rates of errors in the days before the newest build, and the lanes that only err."""
    first = _day(newest, -SILENT_DAYS) if newest else ""
    recent = [count for lane in lanes for count in lane.health if count.day > first]
    ill = [
        IllLane(
            component=phase.component,
            track=phase.track,
            phase=phase.phase,
            path=phase.path,
            errors=phase.errors,
            last_verdict=phase.last_verdict,
            latest=phase.latest,
        )
        for lane in lanes
        for phase in lane.phases
        if phase.errors
    ]
    ill.sort(key=lambda one: (-one.errors, one.path, one.phase))
    return HealthPage(
        newest=newest,
        days=SILENT_DAYS,
        steps=_rates(recent, "step"),
        origins=_rates(recent, "origin"),
        agents=_rates(recent, "agent"),
        lanes=tuple(ill),
        chroots=_newest(lane.chroot for lane in lanes),
        mirrors=_newest(lane.mirror for lane in lanes),
        machines=view.machines,
        activity=view.activity,
    )


def _newest(ages: Iterable[SeriesAge | None]) -> tuple[SeriesAge, ...]:
    """Return the age of what was used last, of each series."""
    found: dict[str, SeriesAge] = {}
    for one in sorted(filter(None, ages), key=lambda one: one.at):
        found[one.series] = one
    return tuple(found[series] for series in sorted(found))


def _rates(counts: Iterable[HealthCount], kind: str) -> tuple[ErrorRate, ...]:
    found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for count in counts:
        if count.kind == kind:
            found[count.name][0] += count.runs
            found[count.name][1] += count.errors
    rates = [ErrorRate(name=name, runs=runs, errors=errors) for name, (runs, errors) in found.items()]
    return tuple(sorted(rates, key=lambda rate: (-rate.errors, -rate.runs, rate.name)))
