"""Invented lanes of all shapes: what every card says follows from the builds."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lab.base.errors import Verdict
from lab.results.cases import Case, Outcome
from lab.results.history import of_verdict
from reports.model import Build, Commit, StepSummary
from reports.outcomes import digest
from reports.site.lane_history import History
from reports.site.lane_models import Lane
from reports.site.lane_pages import test_page as page_of_test
from reports.site.lanes import lane
from reports.site.overview import Identity, changes, flaky, health, home
from reports.site.standings import BAD_STATES
from reports.site.summary import summarise
from tests.reports.publications import a_build

OUTCOMES: tuple[Outcome, ...] = ("passed", "failed", "error", "skipped")
VERDICTS: tuple[Verdict, ...] = ("passed", "failed", "unstable", "error", "aborted", "skipped")
CASES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(OUTCOMES)), max_size=4)
BUILDS = st.lists(
    st.tuples(
        st.sampled_from(VERDICTS), st.sampled_from(["", "sbuild"]), CASES, st.integers(0, 3), st.sampled_from(["build", "deploy"])
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


def made(builds: list[tuple[Verdict, str, list[tuple[str, Outcome]], int, str]]) -> list[Build]:
    return [
        a_build(
            number=number,
            job=f"trunk/greet/{phase}",
            phase=phase,
            verdict=verdict,
            step=step,
            started=f"2026-01-{number:02}T00:00:00.000Z",
            finished=f"2026-01-{number:02}T00:01:00.000Z",
            commit=f"{number:040x}" if commits else "",
            commits=tuple(Commit(id=f"{number:038x}{place:02x}", subject="") for place in range(commits)),
            steps=(StepSummary(step=step, verdict=verdict),) if step else (),
            cases=tuple(Case(suite="s", classname="c", name=name, outcome=outcome) for name, outcome in cases),
        )
        for number, (verdict, step, cases, commits, phase) in enumerate(builds, 1)
    ]


def history_of(builds: list[Build]) -> History:
    rosters = {digest([]): frozenset[str]()}
    summaries = []
    for build in builds:
        summary, names = summarise(build)
        rosters[summary.results.roster] = frozenset(names)
        summaries.append(summary)
    return History(tuple(summaries), rosters.__getitem__)


def lane_of(builds: list[Build]) -> Lane:
    return lane(history_of(builds))


@settings(max_examples=25)
@given(BUILDS)
def test_cards_agree_with_builds(drawn: list[tuple[Verdict, str, list[tuple[str, Outcome]], int, str]]) -> None:
    builds = made(drawn)
    found = lane_of(builds)
    for phase in found.phases:
        mine = [build for build in builds if build.phase == phase.phase]
        verdicts = [of_verdict(build.verdict) for build in mine]
        decided = [verdict for verdict in verdicts if verdict != "neither"]
        assert (phase.state in BAD_STATES) == (bool(decided) and decided[-1] == "bad")
        assert (phase.state == "no verdict") == (not decided)
        assert bool(phase.breakages) == (phase.state in BAD_STATES)  # a bad phase always has a reason
        for part in phase.breakages:
            assert part.good is None or part.good.number < part.since.number
            if part.good and not part.flaky:
                commits = {commit.id for build in mine if part.good.number < build.number <= part.since.number for commit in build.commits}  # fmt: skip
                assert part.suspect_count == len(commits)
            if part.kind == "test":
                since = next(build for build in mine if build.number == part.since.number)
                assert any(case.id == part.name and case.outcome in {"failed", "error"} for case in since.cases)
        alone = lane_of(mine)
        assert alone.phases == (phase,)  # another phase changes nothing, also if it runs the same tests
        changes_of = [change for change in found.transitions if change.phase == phase.phase]
        assert list(alone.transitions) == changes_of
    for change in found.transitions:
        assert change.count >= 1
        assert change.change != "broke" or change.good


def test_failure_in_one_phase_is_not_flaky_because_another_passes() -> None:
    commits = [f"{number // 2:040x}" for number in range(8)]
    builds = made(
        [("failed" if number > 2 and number % 2 else "passed", "", [("a", "failed" if number > 2 and number % 2 else "passed")], 1,
          "deploy" if number % 2 else "build") for number in range(8)]
    )  # fmt: skip
    found = lane_of(
        [build.model_copy(update={"commit": commit}) for build, commit in zip(builds, commits, strict=True)]
    )
    deploy = next(phase for phase in found.phases if phase.phase == "deploy")
    (part,) = deploy.breakages
    assert (part.flaky, part.good and part.good.number, part.since.number) == (False, 2, 4)
    assert [(change.change, change.build.number) for change in found.transitions] == [("broke", 4)]
    assert found.flaky == ()


def in_phases(runs: list[str]) -> list[tuple[Verdict, str, list[tuple[str, Outcome]], int, str]]:
    """Return a build for each of "bF", the phase build in which a test failed, "dB" (or "dD"), deploy in which it passed, "d-"."""
    drawn: list[tuple[Verdict, str, list[tuple[str, Outcome]], int, str]] = []
    for phase, result in runs:
        verdict: Verdict = "failed" if result == "F" else "passed"
        cases: list[tuple[str, Outcome]] = [("other", "passed")]
        if result != "-":
            cases = [("a", "failed" if result == "F" else "passed")]
        drawn.append((verdict, "", cases, 1, {"b": "build", "d": "deploy"}[phase]))
    return drawn


@pytest.mark.parametrize(
    "runs, state",
    [
        ("bB dF bB", "never passed"),  # the newest result is that of the other phase
        ("bB dB dF bF bB", "broken"),
        ("dF bB", "never passed"),
        ("bB dD dF d- bB bB bB bB", "broken"),
        ("bB dF dF dF dB bB", "passing"),
    ],
)
def test_page_of_a_test_has_its_worst_state_in_a_phase(runs: str, state: str) -> None:
    history = history_of(made(in_phases(runs.split())))
    assert page_of_test(history, next(iter(history.marks))).state == state


@pytest.mark.parametrize(
    "runs, suspects",
    [
        ("b1 d1 b2 b3 D3", "3 2"),  # the phase deploy lists no commits: those of the builds between count
        ("b1 d1 b2 d2 b3 D3", "3"),
        ("b1 d1 D1", ""),  # the same commit
        ("d1 b2 D2", ""),  # the build of the good one is not on record
        ("b1 d1 b2 D3", ""),  # nor is that of the bad one
        ("b1 d1 b2 b1 D2", ""),  # a push took commit 2 back before it was deployed
        ("b1 B2 b3 d3 b4 D4", "4"),
    ],
)
def test_range_of_a_later_phase_has_the_commits_of_the_builds(runs: str, suspects: str) -> None:
    builds = made([
        ("failed" if run[0].isupper() else "passed", "", [("a", "failed" if run[0].isupper() else "passed")], 0,
         {"b": "build", "d": "deploy"}[run[0].lower()]) for run in runs.split()
    ])  # fmt: skip
    for place, run in enumerate(runs.split()):
        commits = (Commit(id=run[1], subject=""),) if run[0] in "bB" else ()
        builds[place] = builds[place].model_copy(update={"commit": run[1], "commits": commits})
    (part,) = next(phase for phase in lane_of(builds).phases if phase.phase == "deploy").breakages
    assert [commit.id for commit in part.suspects] == suspects.split()
    assert part.suspect_count == len(suspects.split())


@settings(max_examples=100)
@example(["bB", "dF", "bB", "dB"])
@example(["bB", "dF", "bF"])
@example(["bB", "dF", "d-", "d-", "bB", "d-"])
@given(st.lists(st.sampled_from(["bB", "bF", "b-", "dB", "dF", "d-"]), min_size=1, max_size=12))
def test_page_of_a_test_changes_only_with_its_key(runs: list[str]) -> None:
    """Else an update leaves a page that a rebuild would write again."""
    builds, seen = made(in_phases(runs)), dict[str, str]()
    for count in range(1, len(builds) + 1):
        history = history_of(builds[:count])
        for test in (test for test in history.marks if test.endswith("/a")):
            page = page_of_test(history, test).model_dump_json()
            assert seen.setdefault(history.key(test), page) == page


@settings(max_examples=25)
@given(BUILDS, BUILDS)
def test_pages_of_the_lab_agree_with_lanes(
    first: list[tuple[Verdict, str, list[tuple[str, Outcome]], int, str]],
    second: list[tuple[Verdict, str, list[tuple[str, Outcome]], int, str]],
) -> None:
    lanes = [lane_of(made(first)), lane_of([one.model_copy(update={"track": "stable"}) for one in made(second)])]
    page = home(Identity("lab"), lanes)
    broken = [(part.name, phase.track) for one in lanes for phase in one.phases for part in phase.breakages]
    assert sorted((row.part.name, link.track) for row in page.broken for link in row.tracks) == sorted(broken)
    assert page.broken_count == sum(phase.state in BAD_STATES for one in lanes for phase in one.phases)
    assert sum(len(day.changes) for day in changes(lanes).by_day) <= sum(len(one.transitions) for one in lanes)
    assert flaky(lanes)[0].count == sum(len(one.flaky) for one in lanes)
    assert {one.errors for one in health(lanes).lanes} == {phase.errors for one in lanes for phase in one.phases} - {0}
