"""The state of the site: summaries as they were added, and the keys of the pages of tests."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings

from lab.base.errors import Verdict
from lab.results.cases import Outcome
from reports.model import started_ms
from reports.outcomes import digest
from reports.site.lane_history import History
from reports.site.lane_pages import test_page as page_of
from reports.site.state import opened
from reports.site.summary import summarise
from tests.reports.site.test_random_lanes import BUILDS, made

Drawn = list[tuple[Verdict, str, list[tuple[str, Outcome]], int, str]]
FAILED: list[tuple[str, Outcome]] = [("a", "failed")]
PASSED: list[tuple[str, Outcome]] = [("a", "passed")]


def histories(drawn: Drawn) -> list[History]:
    """Return the history after each build."""
    rosters = {digest([]): frozenset[str]()}
    summaries = []
    for build in made(drawn):
        summary, names = summarise(build)
        rosters[summary.results.roster] = frozenset(names)
        summaries.append(summary)
    return [History(tuple(summaries[:count]), rosters.__getitem__) for count in range(1, len(summaries) + 1)]


def test_state_returns_summaries_as_added_and_each_mark_once(tmp_path: Path) -> None:
    builds = made([("failed", "", FAILED, 1, "build")] * 3 + [("passed", "", PASSED, 1, "build")])
    with opened(tmp_path / "state.sqlite") as state:
        summaries = []
        for number, build in enumerate(builds):
            summary, roster = summarise(build)
            state.add(f"{number}", started_ms(summary.started), summary, roster)
            summaries.append(summary)
        one = summaries[0]
        assert one.results.marks
        assert state.history(one.component, one.track).builds == tuple(summaries)
        assert state.commit_builds(one.component, one.commit) == (one,)
        assert state.base.execute("SELECT COUNT(*) FROM mark").fetchone()[0] == 1
        state.forget()
        assert state.base.execute("SELECT COUNT(*) FROM mark").fetchone()[0] == 0


def test_builds_of_one_moment_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    builds = [
        build.model_copy(update={"started": "2026-01-01T00:00:00.000Z"})
        for build in made([("passed", "", PASSED, 0, "build")] * 12)
    ]
    with opened(tmp_path / "state.sqlite") as state:
        for build in builds[::-1]:
            summary, roster = summarise(build)
            state.add(f"{build.number}", started_ms(summary.started), summary, roster)
        found = state.history(summary.component, summary.track).builds
    assert [one.number for one in found] == list(range(1, 13))


def test_builds_are_in_the_order_of_their_runs_where_a_clock_was_ahead(tmp_path: Path) -> None:
    hours = (0, 22, 10, 20)
    drawn: Drawn = [("passed", "", PASSED, 1, "build")] * 4
    with opened(tmp_path / "state.sqlite") as state:
        for hour, build in zip(hours, made(drawn), strict=True):
            summary, roster = summarise(build.model_copy(update={"started": f"2026-01-01T{hour:02}:00:00.000Z"}))
            state.add(f"{build.number}", started_ms(summary.started), summary, roster)
        history = state.history(summary.component, summary.track)
    assert [(one.number, history.bundle_of[one.id]) for one in history.builds] == [(n, str(n)) for n in range(1, 5)]


def test_key_stays_while_a_test_fails_again() -> None:
    drawn: Drawn = [("passed", "", PASSED, 1, "build"), *[("failed", "", FAILED, 1, "build")] * 4]
    found = histories([*drawn, ("passed", "", PASSED, 1, "build")])
    test = next(iter(found[-1].marks))
    keys = [history.key(test) for history in found[1:]]
    assert len({*keys[:4]}) == 1
    assert keys[4] != keys[3]


@settings(max_examples=8)
@given(BUILDS)
def test_same_key_means_same_page(drawn: Drawn) -> None:
    pages: dict[tuple[str, str], str] = {}
    for history in histories(drawn):
        for test in history.marks:
            data = page_of(history, test).model_dump_json()
            assert pages.setdefault((test, history.key(test)), data) == data
