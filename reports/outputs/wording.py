"""The words about a transition that mails and chat messages share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lab.base.text import plural, shortened
from lab.config.description import PHASES
from lab.results import addresses
from lab.results.breakages import MOST_TESTS as MASS
from lab.results.breakages import Subject
from lab.results.build_environment import EnvironmentChange, changes
from lab.results.cases import name_of
from lab.results.commit_ranges import OUTAGE, WAS_FLAKY, other_reasons
from lab.results.history import between
from reports.model import Build, Commit
from reports.outputs.delivery import OutputContext
from reports.transitions import HistoryPoint, Transition

WIDTH: Final = 160
FIRST: Final = next(iter(PHASES))


def subject(build: Build, transition: Transition) -> str:
    """Return a transition in one line, with the names of the lab, the component and the track."""
    return f"[{build.lab}] {build.component} on {build.track}: {change(build, transition)}"


def change(build: Build, transition: Transition) -> str:
    beside = f", {transition.standing} still broken" if transition.standing else ""
    match transition.kind:
        case "ill":
            return f"the lab is ill: errors in a row{f', at {build.step}' if build.step else ''}"
        case "first":
            return f"never passed: {_named(build, transition.subjects)}"
        case "still broken":
            return f"still broken after {plural(transition.days, 'day')}: {_named(build, transition.subjects)}"
        case "fixed":
            after = f" after {plural(transition.days, 'day')}" if transition.days else ""
            proved = [one for one in transition.subjects if one not in transition.without]
            left = len(transition.subjects) - len(proved)
            what = "fixed" if proved else "passes without what was broken"
            unproved = f"; {left} more without a result" if proved and left else ""
            return f"{what}{after}: {_named(build, proved or transition.subjects)}{unproved}{beside}"
        case "broken":
            since = "" if transition.since == transition.point else f" since {transition.since.started_at[:10]}"
            return f"broken{since}: {_named(build, transition.subjects)}{beside}"


def _named(build: Build, subjects: Sequence[Subject]) -> str:
    more = f" and {len(subjects) - 1} more" if len(subjects) > 1 else ""
    return f"{subject_name(build, subjects[0])}{more}"


def subject_name(build: Build, one: Subject) -> str:
    if one == MASS:
        return "most tests"
    return name_of(one.name) if one.kind == "test" else f"step {one.name or build.step or build.phase}"


def other_changes(context: OutputContext, build: Build, transition: Transition) -> tuple[EnvironmentChange, ...]:
    """Return what else changed from the last good build to the first bad one."""
    names = (transition.good.name if transition.good else "", transition.since.name)
    found = [build if name == transition.point.name else _found(context, name) for name in names]
    good = transition.good.commit if transition.good else ""
    reasons = [*other_reasons(good, _range(context, build, transition))]
    reasons += [WAS_FLAKY] if transition.was_flaky else [OUTAGE] if transition.subjects[:1] == (MASS,) else []
    return (*reasons, *changes(*(each.environment if each else None for each in found)))


def _found(context: OutputContext, name: str) -> Build | None:
    item = context.find(name)
    return item.read().build if item else None


def accusation(transition: Transition, commits: Sequence[Commit], others: Sequence[EnvironmentChange]) -> str:
    """Return how far the commits since the last good build explain a breakage; ``others``: what else changed."""
    if not commits:
        good, bad = transition.good.commit if transition.good else "", transition.since.commit
        if good and bad and good != bad:  # the builds do not list them, as after a push that took some back
            return f"Broken between the commits {good[:12]} and {bad[:12]}"
        return "No new commits since the last good build"
    if others:
        return "Suspects: commits since the last good build"
    return "Broken by this commit" if len(commits) == 1 else "Broken by one of these commits"


def commit_line(commit: Commit, *, named: bool) -> str:
    """Return a commit in one line, with its author if ``named``."""
    author = f", {commit.author}" if named and commit.author else ""
    return f"{commit.id[:12]} {shortened(commit.subject, WIDTH)}{author}"


def links(context: OutputContext, build: Build, transition: Transition) -> list[tuple[str, str]]:
    """Return the pages that explain a transition; none without a public site."""
    pages = {"Build": addresses.build_path(transition.point.name)}
    if transition.good:
        pages["Last good build before" if transition.kind == "fixed" else "Last good build"] = addresses.build_path(
            transition.good.name
        )
    if transition.subjects and transition.subjects[0].kind == "test":
        pages["Test"] = addresses.test_path(build.component, build.track, transition.subjects[0].name)
    pages["Component"] = addresses.lane_path(build.component, build.track)
    return [(name, address) for name, path in pages.items() if (address := context.address(path))]


def _built(context: OutputContext, build: Build, transition: Transition) -> Sequence[HistoryPoint]:
    """Return the builds of the range of a later phase, which list its commits; none of the phase that builds."""
    if transition.good is None or build.phase == FIRST:
        return ()
    points = context.history(build.component, build.track, FIRST)
    return between([point.commit for point in points], points, transition.good.commit, transition.since.commit)


def unlisted(context: OutputContext, build: Build, transition: Transition) -> int:
    """Return the number of commits of the first bad range that `commits` lacks."""
    return sum(found.unlisted for found in _range(context, build, transition))


def commits(context: OutputContext, build: Build, transition: Transition) -> list[Commit]:
    """Return the commits of the first bad range: after the last good build, up to the first bad one."""
    by_id = {commit.id: commit for found in _range(context, build, transition) for commit in found.commits}
    return list(by_id.values())


def _range(context: OutputContext, build: Build, transition: Transition) -> Iterator[Build]:
    """Yield the builds that list the commits of the first bad range."""
    for point in (*transition.suspects, *_built(context, build, transition)):
        if found := build if point.name == transition.point.name else _found(context, point.name):
            yield found
