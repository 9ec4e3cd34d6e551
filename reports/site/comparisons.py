"""The comparison of a build with the last good one and the previous one: tests, commits, versions and steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lab.results import addresses
from lab.results.breakages import Subject
from lab.results.build_environment import EnvironmentChange, changes, package_changes
from lab.results.commit_ranges import ListedRange
from reports.site.comparison_models import Comparison, ComparisonPage, StepChange, TestChange
from reports.site.lane_history import History, chained
from reports.site.summary import Summary

TESTS: Final = 50  # in each list
COMMITS: Final = 50
CHANGES: Final = 50
Title = Literal["last good build", "previous build"]


@dataclass(frozen=True)
class Pair:
    """A build by its index among those of its phase, and the indexes of those to compare it with."""

    place: int
    good: int | None
    key: str
    """A digest of the bundles that the comparison depends on."""

    @property
    def others(self) -> dict[int, tuple[Title, ...]]:
        """The builds to compare with, each with its titles."""
        if self.place == 0:
            return {}
        if self.good == self.place - 1:
            return {self.good: ("last good build", "previous build")}
        good: dict[int, tuple[Title, ...]] = {} if self.good is None else {self.good: ("last good build",)}
        return good | {self.place - 1: ("previous build",)}


def pairs(history: History, builds: Sequence[Summary]) -> Iterator[Pair]:
    """Yield each build of a phase, with the last good build before it."""
    good, key = None, ""
    for place, build in enumerate(builds):
        key = chained(key, history.bundle_of[build.id])
        yield Pair(place, good, key)
        if build.result == "good":
            good, key = place, chained("", history.bundle_of[build.id])


def comparison_page(history: History, builds: Sequence[Summary], pair: Pair) -> ComparisonPage:
    build = builds[pair.place]
    return ComparisonPage(
        component=history.component,
        track=history.track,
        path=addresses.comparison_path(build.id),
        lane_path=history.path,
        build=build.ref,
        comparisons=tuple(
            comparison(history, builds[other : pair.place + 1], titles) for other, titles in pair.others.items()
        ),
    )


def comparison(history: History, builds: Sequence[Summary], titles: tuple[Title, ...]) -> Comparison:
    """Return what changed from the first to the last of some consecutive builds."""
    before, after = builds[0], builds[-1]
    bad_before = {mark.test: mark.message for mark in before.results.bad_tests}
    bad_after = {mark.test: mark.message for mark in after.results.bad_tests}
    ran_before, ran_after = (history.roster(build.results.roster) for build in (before, after))
    outage = before.results.outage or after.results.outage
    is_comparable = bool(ran_before and ran_after)
    broke = (
        {} if outage or not is_comparable else {test: why for test, why in bad_after.items() if test not in bad_before}
    )
    now = after.results.outcome(after.verdict, ran_after)
    fixed = {test: why for test, why in bad_before.items() if now.of(Subject("test", test)) == "good"}
    commits = ListedRange(before, builds[:0:-1])
    versions = _versions(history, before, after)
    environment = _environment(history, before, after)
    return Comparison(
        other=before.ref,
        titles=titles,
        outage=outage,
        failed_before=before.results.failed,
        ran_before=before.results.ran,
        failed=after.results.failed,
        ran=after.results.ran,
        broke=_tests(history, broke),
        broke_count=len(broke),
        fixed=_tests(history, fixed),
        fixed_count=len(fixed),
        added_count=len(ran_after - ran_before) if is_comparable else 0,
        removed_count=len(ran_before - ran_after) if is_comparable else 0,
        commits=tuple(commits.commits[:COMMITS]),
        commit_count=commits.count,
        reasons=tuple(ListedRange(before, builds[1:]).reasons()),
        has_versions=bool(before.packages and after.packages),
        versions=versions[:CHANGES],
        version_count=len(versions),
        environment=environment[:CHANGES],
        environment_count=len(environment),
        steps=tuple(_steps(before, after)),
    )


def _tests(history: History, messages: dict[str, str]) -> tuple[TestChange, ...]:
    return tuple(TestChange(test=history.test(test), message=messages[test]) for test in sorted(messages)[:TESTS])


def _versions(history: History, before: Summary, after: Summary) -> tuple[EnvironmentChange, ...]:
    found = [history.environment(build.packages) for build in (before, after) if build.packages]
    versions = [one.packages for one in found if one and one.packages]
    return package_changes(*versions) if len(versions) == len(("before", "after")) else ()


def _environment(history: History, before: Summary, after: Summary) -> tuple[EnvironmentChange, ...]:
    """Return what else changed; nothing for a phase that records no environment."""
    if not before.environment and not after.environment:
        return ()
    return changes(history.environment(before.environment), history.environment(after.environment))


def _steps(before: Summary, after: Summary) -> Iterator[StepChange]:
    old = {step: (verdict, seconds) for step, verdict, seconds in before.steps}
    new = {step: (verdict, seconds) for step, verdict, seconds in after.steps}
    for step in dict.fromkeys([*new, *old]):
        verdict_before, seconds_before = old.get(step, (None, None))
        verdict, seconds = new.get(step, (None, None))
        yield StepChange(
            step=step, before=verdict_before, after=verdict, seconds_before=seconds_before, seconds_after=seconds
        )
