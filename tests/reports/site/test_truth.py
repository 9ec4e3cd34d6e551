"""The answers of the site against the truth of invented lanes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from reports.site.lane_history import History
from reports.site.lane_models import BreakagePart, StandingPart
from reports.site.standings import standings
from tests.reports.site.truth import Known, TrueLane

WARM = 60  # builds, before flaky tests can be known
EVERY = 7  # builds between two looks


@dataclass(frozen=True)
class Look:
    """A lane after some builds."""

    lane: TrueLane
    count: int

    @property
    def history(self) -> History:
        return self.lane.history(self.count)

    @property
    def known(self) -> Known:
        return self.lane.builds[self.count - 1][1]

    def commits(self, part: BreakagePart) -> set[str]:
        """Return the commits of the first bad range."""
        assert part.good
        builds = [build for build, _ in self.lane.builds[part.good.number : part.since.number]]
        return {commit.id for build in builds for commit in build.commits}


def looks(lanes: Sequence[TrueLane]) -> Iterator[Look]:
    return (Look(lane, count) for lane in lanes for count in range(WARM, lane.count + 1, EVERY))


def name_of(part: BreakagePart) -> str:
    return part.name.removeprefix("u/m/")


def wrong(look: Look, card: StandingPart) -> str:
    """Return what is wrong with the first breakage of a card, "" if it is the truth."""
    assert card.failing
    build, known = look.lane.builds[card.failing.number - 1]
    part, reached = card.breakages[0], {step.step for step in build.steps}
    causes = {"test": known.broken, "step": known.steps, "run": {"most tests": known.mass}}[part.kind]
    commit = causes.get(name_of(part), "")
    if part.flaky:
        return (
            "" if name_of(part) in known.flaky and not (known.broken or reached & set(known.steps)) else "called flaky"
        )
    if part.kind == "run" and known.outage:
        return ""
    if not commit:
        return "is not broken"
    return "" if part.good is None or commit in look.commits(part) else "accuses the wrong commits"


def check_cards(lanes: Sequence[TrueLane], least: int) -> None:
    found = [
        (wrong(look, card), look.lane.seed, look.count, card.breakages[0].name)
        for look in looks(lanes)
        for card in standings(look.history)
        if card.state == "broken"
    ]
    problems = [one for one in found if one[0]]
    assert problems == [], f"{len(problems)} of {len(found)}"
    assert len(found) >= least


def check_ranges(lanes: Sequence[TrueLane], least: int) -> None:
    """Check the range of each test that is really broken, not only of the first of a card."""
    checked = 0
    for look in looks(lanes):
        for card in standings(look.history):
            for part in card.breakages:
                known = look.lane.builds[part.last.number - 1][1].broken
                if part.kind == "test" and part.good and name_of(part) in known:
                    assert known[name_of(part)] in look.commits(part), (look.lane.seed, look.count, part.name)
                    checked += 1
    assert checked >= least


def check_flaky(lanes: Sequence[TrueLane]) -> None:
    hits = called = true = 0
    for lane in lanes:
        names = {test.removeprefix("u/m/") for test in lane.history(lane.count).flaky}
        known = lane.builds[-1][1].flaky
        hits, called, true = hits + len(names & known), called + len(names), true + len(known)
    assert hits >= 0.95 * called, f"precision {hits}/{called}"
    assert hits >= 0.95 * true, f"recall {hits}/{true}"


@pytest.fixture(scope="module")
def small() -> list[TrueLane]:
    return [TrueLane(150, seed, tests=30) for seed in (1, 2)]


@pytest.fixture(scope="module")
def large() -> list[TrueLane]:
    return [TrueLane(250, seed) for seed in range(12)]


@pytest.mark.integration
def test_cards_name_what_explains_the_streak(small: list[TrueLane]) -> None:
    check_cards(small, 10)


@pytest.mark.integration
def test_ranges_contain_the_true_commit(small: list[TrueLane]) -> None:
    check_ranges(small, 10)


def test_flaky_tests_are_known(small: list[TrueLane]) -> None:
    check_flaky(small)


@pytest.mark.integration
def test_three_thousand_builds(large: list[TrueLane]) -> None:
    check_cards(large, 200)
    check_ranges(large, 400)
    check_flaky(large)


@pytest.mark.integration
@pytest.mark.parametrize("tests", [2, 3, 4])
def test_small_suites_accuse_the_commits_alone_where_no_outage_is_as_probable(tests: int) -> None:
    """Where most tests of a small suite break at once, a commit and an outage are equally probable; then both are named."""
    right = wrong = 0
    for lane in (TrueLane(80, seed, tests=tests, flaky=0) for seed in range(20)):
        history = lane.history(lane.count)
        for one in history.breakages["build"]:
            since, is_one_of_several = lane.builds[one.since], history.builds[one.since].results.failed > 1
            is_accused = one.good is not None and not history.broke_at_once("build", one)
            if one.subject.kind == "test" and is_one_of_several and is_accused:
                commit = since[1].broken.get(one.subject.name.removeprefix("u/m/"), since[1].mass)
                builds = [build for build, _ in lane.builds[one.good + 1 : one.since + 1]]
                is_right = commit in {each.id for build in builds for each in build.commits}
                right, wrong = right + is_right, wrong + (not is_right)
    assert right >= 20
    assert right >= 0.92 * (right + wrong), f"{right} of {right + wrong}"
