"""The words about a transition that mails and chat messages share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lab.base.text import plural, shortened
from lab.config.description import PHASES
from lab.results import addresses
from lab.results.breakages import MOST_TESTS as MASS
from lab.results.breakages import Subject
from lab.results.build_environment import EnvironmentChange, changes
from lab.results.cases import name_of
from lab.results.commit_ranges import ListedRange
from lab.results.history import between
from reports.model import Build, Commit, merges_apart
from reports.outputs.delivery import OutputContext
from reports.transitions import Transition

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
            unproved_how = "passes without what was broken" if build.verdict == "passed" else "no longer tested"
            what = "fixed" if proved else unproved_how
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


@dataclass(frozen=True)
class Causes:
    """What can have broken a build: the commits after the last good one, the number of others, and what else changed."""

    commits: Sequence[Commit]
    unlisted: int
    others: tuple[EnvironmentChange, ...]


def causes(context: OutputContext, build: Build, transition: Transition) -> Causes:
    broke = commit_range(context, build, transition)
    others = other_changes(context, build, transition, broke)
    suspects, merges = merges_apart(broke.commits) if broke else ([], [])
    return Causes([*suspects, *merges], broke.unlisted if broke else 0, others)


def other_changes(
    context: OutputContext, build: Build, transition: Transition, broke: ListedRange[Commit] | None
) -> tuple[EnvironmentChange, ...]:
    """Return what else changed from the last good build to the first bad one."""
    names = (transition.good.name if transition.good else "", transition.since.name)
    found = [build if name == transition.point.name else _found(context, name) for name in names]
    reasons = [*broke.reasons()] if broke else []
    return (*reasons, *transition.doubts, *changes(*(each.environment if each else None for each in found)))


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
    suspects, merges = merges_apart(commits)
    if len(suspects) > 1:
        return "Broken by one of these commits"
    return f"Broken by this commit{' or its merge' if len(merges) == 1 else ' or one of the merges' if merges else ''}"


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


def commit_range(context: OutputContext, build: Build, transition: Transition) -> ListedRange[Commit] | None:
    """Return the first bad range: after the last good build, up to the first bad one; None without a good one."""
    if transition.good is None:
        return None
    good, points = transition.good, transition.suspects
    if build.phase != FIRST:  # the phase that builds lists the commits
        built = context.history(build.component, build.track, FIRST)
        points = (*points, *between([one.commit for one in built], built, good.commit, transition.since.commit))
        good = next((one for one in reversed(built) if one.commit == good.commit and not one.is_retracted), good)
    read = (build if one.name == transition.point.name else _found(context, one.name) for one in (good, *points))
    first, *builds = read
    return ListedRange(first, [one for one in builds if one]) if first else None
