"""The pages of a component, of a component on a track, of its commits and its tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from lab.results import addresses
from lab.results.history import Result, streaks
from reports.site.api import (
    CommitBuild,
    CommitPage,
    CommitRow,
    ComponentPage,
    MatrixRow,
    MonthPage,
    PlotPoint,
    StepCell,
    StreakPart,
    TestPage,
    TrackPage,
)
from reports.site.lane_history import History
from reports.site.lane_models import Flaky, Lane, StandingPart
from reports.site.standings import BAD_STATES, newest_first, standings, worst
from reports.site.summary import Summary

COMMITS: Final = 25
RUNS: Final = 20
TESTS: Final = 40
POINTS: Final = 50
WEEKS: Final = 16
STREAKS: Final = 50
LATELY: Final = 20
FLAKY: Final = 50


def month_of(build: Summary) -> str:
    return build.started[:7]


def component_page(lanes: Sequence[Lane]) -> ComponentPage:
    flaky_tests: list[Flaky] = [test for lane in lanes for test in lane.flaky]
    changes = newest_first([change for lane in lanes for change in lane.transitions])
    return ComponentPage(
        component=lanes[0].component,
        path=addresses.component_path(lanes[0].component),
        state=worst([lane.state for lane in lanes]),
        phases=tuple(sorted((phase for lane in lanes for phase in lane.phases), key=_place_of)),
        recent=tuple(lane.latest for lane in lanes),
        tracks=tuple(lane.track for lane in lanes),
        lately=changes[:LATELY],
        flaky=tuple(flaky_tests[:FLAKY]),
        flaky_count=len(flaky_tests),
    )


def _place_of(phase: StandingPart) -> int:
    """Return the place of a phase on the page of its component: what is broken comes first."""
    return 0 if phase.state in BAD_STATES else {"passing": 2, "dropped": 3}.get(phase.state, 1)


def track_page(history: History) -> TrackPage:
    now = standings(history)
    columns = list(dict.fromkeys(step for builds in history.phases.values() for step in _columns(builds)))
    rows, runs = _matrix(history)
    return TrackPage(
        component=history.component,
        track=history.track,
        series=history.builds[-1].series,
        path=history.path,
        state=worst([phase.state for phase in now]),
        phases=now,
        steps=tuple(columns),
        commits=_commit_rows(history, columns),
        runs=tuple(build.ref for build in runs),
        tests=rows[:TESTS],
        more_tests=max(0, len(rows) - TESTS),
        months=tuple(sorted({month_of(build) for build in history.builds}, reverse=True)),
        durations=_durations(history),
        pass_rate=_pass_rate(history),
        verdict_time=_verdict_time(history),
    )


def _columns(builds: Sequence[Summary]) -> list[str]:
    """Return all steps of the newest builds of a phase, in the order of the build with most steps."""
    found = sorted(([step for step, _, _ in build.steps] for build in builds[-COMMITS:]), key=len, reverse=True)
    columns: list[str] = []
    for steps in found:
        for before, step in zip(["", *steps], steps, strict=False):
            if step not in columns:
                columns.insert(columns.index(before) + 1 if before else 0, step)
    return columns


def _commit_rows(history: History, columns: Sequence[str]) -> tuple[CommitRow, ...]:
    by_commit: dict[str, list[Summary]] = {}
    for build in reversed(history.builds):
        by_commit.setdefault(build.commit or build.id, []).append(build)
        if len(by_commit) > COMMITS:
            by_commit.popitem()
            break
    return tuple(_commit_row(builds, columns) for builds in by_commit.values())


def _commit_row(builds: Sequence[Summary], columns: Sequence[str]) -> CommitRow:
    """Return the builds of a commit, newest first, as one row."""
    newest = builds[0]
    head = next((build.head for build in builds if build.head), None)
    cells: dict[str, StepCell] = {}
    for build in builds:
        for step, verdict, seconds in build.steps:
            cells.setdefault(step, StepCell(step=step, verdict=verdict, seconds=seconds, path=build.path))
    return CommitRow(
        commit=newest.commit,
        path=addresses.commit_path(newest.component, newest.commit) if newest.commit else newest.path,
        subject=head.subject if head else "",
        version=next((build.version for build in builds if build.version), ""),
        started=builds[-1].started,
        tries=len(builds),
        cells=tuple(cells.get(step) for step in columns),
    )


def _matrix(history: History) -> tuple[tuple[MatrixRow, ...], list[Summary]]:
    """Return the tests that failed in the newest runs, and these runs, newest first.

    Tests that fail now come first, then those with more failures.
    """
    places = history.running[:RUNS]
    runs = [history.builds[place] for place in places]
    rows = []
    for test in sorted({mark.test for build in runs for mark in build.results.marks}):
        results = {item.build.id: item.result for item in history.newest_tries(test, RUNS)}
        row = tuple(results.get(build.id) for build in runs)
        rows.append(MatrixRow(test=history.test(test), flaky=test in history.flaky, results=row))
    return tuple(sorted(rows, key=_urgency)), runs


def _urgency(row: MatrixRow) -> tuple[bool, int, str]:
    known = [result for result in row.results if result]
    return known[0] != "bad", -known.count("bad"), row.test.id


def _durations(history: History) -> tuple[PlotPoint, ...]:
    """Return the durations of the builds of the first phase."""
    builds = next(iter(history.phases.values()))
    done = [build for build in builds if build.result != "neither"][-POINTS:]
    return tuple(
        PlotPoint(label=build.started, value=build.seconds, path=build.path, result=build.result) for build in done
    )


def _pass_rate(history: History) -> tuple[PlotPoint, ...]:
    """Return the percentage of good verdicts by ISO week."""
    weeks = defaultdict[str, list[Result]](list)
    for build in history.builds:
        if (result := build.result) != "neither":
            year, week, _ = datetime.fromisoformat(build.started).isocalendar()
            weeks[f"{year}-W{week:02d}"].append(result)
    newest = sorted(weeks)[-WEEKS:]
    return tuple(
        PlotPoint(
            label=week,
            value=round(100 * weeks[week].count("good") / len(weeks[week]), 1),
            path="",
            result="bad" if weeks[week][-1] == "bad" else "good",
        )
        for week in newest
    )


def _verdict_time(history: History) -> tuple[PlotPoint, ...]:
    """Return for each commit the time from the start of its first build to the end of its last."""
    commits: dict[str, list[Summary]] = {}
    for build in history.builds:
        if build.commit:
            commits.setdefault(build.commit, []).append(build)
    points = []
    for commit, builds in list(commits.items())[-POINTS:]:
        verdict = next((build.result for build in reversed(builds) if build.result != "neither"), None)
        if verdict:
            first_start = datetime.fromisoformat(builds[0].started)
            seconds = (max(datetime.fromisoformat(build.finished) for build in builds) - first_start).total_seconds()
            path = addresses.commit_path(history.component, commit)
            points.append(PlotPoint(label=builds[0].started, value=round(seconds, 1), path=path, result=verdict))
    return tuple(points)


def month_page(history: History, month: str) -> MonthPage:
    return MonthPage(
        component=history.component,
        track=history.track,
        path=addresses.month_path(history.component, history.track, month),
        month=month,
        builds=tuple(build.ref for build in reversed(history.builds) if month_of(build) == month),
    )


def test_page(history: History, test: str) -> TestPage:
    """Return the page of a test that failed at least once."""
    places, results = history.results(test)
    marks, found = history.marks[test], streaks(results)
    parts = [
        StreakPart(
            result=streak.result,
            first=history.builds[places[streak.first]].ref,
            last=history.builds[places[streak.last]].ref if streak is not found[-1] else None,
            runs=streak.runs if streak is not found[-1] else None,
            message=marks[places[streak.first]].message if places[streak.first] in marks else "",
        )
        for streak in found[-STREAKS:]
    ]
    return TestPage(
        id=test,
        component=history.component,
        track=history.track,
        path=addresses.test_path(history.component, history.track, test),
        lane_path=history.path,
        state=worst(history.states(test)),
        flaky=test in history.flaky,
        removed=test not in history.current,
        streaks=tuple(reversed(parts)),
        older=max(0, len(found) - STREAKS),
    )


def commit_page(builds: Sequence[Summary]) -> CommitPage:
    """Return the page of a commit of a component from all its builds, oldest first."""
    head = next((build.head for build in builds if build.head), None)
    by_track = sorted(builds, key=lambda build: build.track)
    return CommitPage(
        component=builds[0].component,
        commit=builds[0].commit,
        path=addresses.commit_path(builds[0].component, builds[0].commit),
        subject=head.subject if head else "",
        author=head.author if head else "",
        builds=tuple(CommitBuild(track=build.track, series=build.series, build=build.ref) for build in by_track),
    )
