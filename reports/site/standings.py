"""The state and the changes of each phase of a component on a track, by the tests and steps that explain them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from lab.results import addresses
from lab.results.breakages import Breakage, Subject, Turn, standing_first, turns
from lab.results.build_environment import SHOWN, EnvironmentChange, changes
from lab.results.commit_ranges import OUTAGE, WAS_FLAKY, ListedRange
from lab.results.history import SHORT, Change, State, between
from lab.results.known_failures import ResultPlace, bug_of
from reports.model import Commit, merges_apart
from reports.site.lane_history import History
from reports.site.lane_models import AlsoBroken, BreakagePart, StandingPart, TestRef, TransitionPart
from reports.site.summary import Summary

SUSPECTS: Final = 5
BREAKAGES: Final = 10
TOGETHER: Final = 50  # tests that broke together with another one
TURNS: Final = 200  # of each phase
WORST: Final[tuple[State, ...]] = ("broken", "never passed", "unknown", "passing", "no verdict", "dropped")
BAD_STATES: Final[frozenset[State]] = frozenset({"broken", "never passed"})


def worst(states: Sequence[State]) -> State:
    return min(states, key=WORST.index)


def standings(history: History) -> tuple[StandingPart, ...]:
    """Return the state of each phase."""
    return tuple(_standing(history, phase, builds) for phase, builds in history.phases.items())


def _standing(history: History, phase: str, builds: Sequence[Summary]) -> StandingPart:
    now = history.states_of[phase]
    newest_bad = (place for place in range(len(builds) - 1, -1, -1) if builds[place].result == "bad")
    newest = next(newest_bad, None) if now.state in BAD_STATES else None
    found = standing_first(history.breakages[phase], history.flaky_in[phase], newest) if newest is not None else []
    groups = _together(history, builds, found)
    parts = tuple(_breakage(history, builds, group) for group in groups[:BREAKAGES])
    first = builds[now.since] if now.since is not None else None
    failing = builds[newest] if newest is not None else None
    return StandingPart(
        component=history.component,
        track=history.track,
        series=builds[-1].series,
        phase=phase,
        path=history.path,
        state=now.state,
        since=parts[0].since if parts else first.ref if first else None,
        failing=failing.ref if failing else None,
        failed=failing.results.failed if failing else 0,
        ran=failing.results.ran if failing else 0,
        breakages=parts,
        breakage_count=len(groups),
        errors=now.errors,
        latest=builds[-1].ref,
        last_verdict=now.last_verdict,
    )


def _together(history: History, builds: Sequence[Summary], found: Sequence[Breakage]) -> list[list[Breakage]]:
    """Return tests that broke in the same build, after the same good one, in one group; all others are alone."""
    groups = defaultdict[object, list[Breakage]](list)
    for one in found:
        is_test = one.subject.kind == "test" and not _is_flaky(history, builds, one.subject)
        key = (one.since, one.good, one.last, _bug(history, builds, one)) if is_test else one.subject
        groups[key].append(one)
    return [*groups.values()]


def _breakage(history: History, builds: Sequence[Summary], group: Sequence[Breakage]) -> BreakagePart:
    one, *others = group
    flaky = _is_flaky(history, builds, one.subject)
    good = None if flaky else one.good  # no commit explains a flaky test
    broke = _range(history, builds, good, one.since) if good is not None else None
    environments = (history.environment(builds[place].environment) for place in (good, one.since) if place is not None)
    suspects, merges = merges_apart(_newest_first(broke)) if broke else ([], [])
    changed = (*_reasons(history, builds[0].phase, broke, one), *changes(*environments)) if broke else ()
    return BreakagePart(
        kind=one.subject.kind,
        name=one.subject.name,
        test=_test(history, one),
        flaky=flaky,
        message=_message(history, builds, one),
        bug=_bug(history, builds, one),
        since=builds[one.since].ref,
        last=builds[one.last].ref,
        good=builds[good].ref if good is not None else None,
        suspects=tuple(suspects[:SUSPECTS]),
        suspect_count=broke.count - len(merges) if broke else 0,
        merge_count=len(merges),
        changes=changed[:SHOWN],
        change_count=len(changed),
        also=tuple(
            AlsoBroken(name=each.subject.name, test=_test(history, each), message=_message(history, builds, each))
            for each in others[:TOGETHER]
        ),
        also_count=len(others),
        **_proof(history, builds[one.since], one.subject),
    )


def _reasons(history: History, phase: str, broke: ListedRange[Commit], one: Breakage) -> Iterator[EnvironmentChange]:
    """Yield what else than the commits can be the reason, besides the environment."""
    yield from broke.reasons()
    if history.broke_at_once(phase, one):
        yield OUTAGE
    if history.began_flaky(phase, one):
        yield WAS_FLAKY


def _test(history: History, one: Breakage) -> TestRef | None:
    return history.test(one.subject.name) if one.subject.kind == "test" else None


def _message(history: History, builds: Sequence[Summary], one: Breakage) -> str:
    if one.subject.kind != "test":
        return builds[one.last].message
    phase = builds[one.last].phase
    marks = reversed(history.marks[one.subject.name].items())
    return next(mark.message for place, mark in marks if history.builds[place].phase == phase)


def _bug(history: History, builds: Sequence[Summary], one: Breakage) -> str:
    """Return the page of the known bug that explains a breakage, "" if none is known."""
    if not history.site.known:
        return ""
    last = builds[one.last]
    place = ResultPlace(history.component, history.track, last.version, last.finished[:10])
    return bug_of(history.site.known, place, one.subject.name, _message(history, builds, one))


def _proof(history: History, since: Summary, subject: Subject) -> dict[str, str]:
    """Return the answer of the newest bisection of a breakage, and its page."""
    place = (history.component, history.track, since.phase)
    about = (one for one in reversed(history.site.bisections) if one.explains(*place, subject, since.started))
    return next(({"proof": one.message, "proof_path": addresses.bisection_path(one.number)} for one in about), {})


def _range(history: History, builds: Sequence[Summary], good: int, since: int) -> ListedRange[Commit]:
    """Return the builds that list the commits of the first bad range."""
    broke = builds[good + 1 : since + 1]
    if any(build.commits or build.rewritten for build in broke):
        return ListedRange(builds[good], broke)
    # Those of the phase that builds list the commits.
    built = [build for build in history.builds if build.commits or build.rewritten]
    first = next((build for build in reversed(built) if build.commit == builds[good].commit), builds[good])
    commits = [build.commit for build in built]
    return ListedRange(first, between(commits, built, builds[good].commit, builds[since].commit))


def _newest_first(broke: ListedRange[Commit]) -> tuple[Commit, ...]:
    """Return the commits that are known, those of the newest build first."""
    return tuple(ListedRange(broke.good, broke.builds[::-1]).commits)


def transitions(history: History) -> Iterator[TransitionPart]:
    """Yield what the newest builds broke and fixed, without flaky tests; at most one of each for a build."""
    for phase, builds in history.phases.items():
        found = [one for one in history.breakages[phase] if not _is_flake(history, builds, one)]
        first = next((turn.place for turn in list(turns(found))[-TURNS:]), 0)
        found = [one for one in found if (one.end is None or one.end >= first) and not history.was_flaky(phase, one)]
        for turn in turns(found):
            if turn.place >= first:
                yield from _changes(history, builds, turn)


def _is_flaky(history: History, builds: Sequence[Summary], subject: Subject) -> bool:
    """Return whether a subject is a test that is flaky in the phase of these builds."""
    return subject.kind == "test" and subject.name in history.flaky_in[builds[0].phase]


def _is_flake(history: History, builds: Sequence[Summary], one: Breakage) -> bool:
    """Return whether a breakage is a short failure of a test that is flaky now."""
    return (one.end is None or one.count <= SHORT) and _is_flaky(history, builds, one.subject)


def _changes(history: History, builds: Sequence[Summary], turn: Turn) -> Iterator[TransitionPart]:
    build = builds[turn.place]
    # A test that does not run any more is not fixed.
    gone = [one for one in turn.ended if one.is_gone and build.result != "good"]
    unproved = [one for one in turn.ended if one.is_unproved and one not in gone]
    if proved := [one for one in turn.ended if one not in gone and not one.is_unproved]:
        yield _change(history, builds, turn, "mended", proved)
    if unproved:
        yield _change(history, builds, turn, "passes without", unproved)
    if gone:
        yield _change(history, builds, turn, "no longer run", gone)
    if broke := turn.broke:
        is_new = any(one.good is not None for one in broke)
        yield _change(history, builds, turn, "broke" if is_new else "never passed", broke)


def _change(
    history: History, builds: Sequence[Summary], turn: Turn, change: Change, subjects: Sequence[Breakage]
) -> TransitionPart:
    build = builds[turn.place]
    first = min(subjects, key=lambda one: (one.good is None, one.subject.kind != "test", one.subject))
    # Whether it ever passed changes with the builds on record, and is no other change.
    what = "broke" if change == "never passed" else change
    return TransitionPart(
        id=uuid.uuid5(uuid.NAMESPACE_URL, f"qalab:{build.id}:{what}").urn,
        change=change,
        component=history.component,
        track=history.track,
        phase=build.phase,
        build=build.ref,
        good=builds[first.good].ref if change == "broke" and first.good is not None else None,
        kind=first.subject.kind,
        name=first.subject.name,
        test=history.test(first.subject.name) if first.subject.kind == "test" else None,
        count=len(subjects),
        standing=turn.standing,
    )


def newest_first(changes: Sequence[TransitionPart]) -> tuple[TransitionPart, ...]:
    return tuple(
        sorted(changes, key=lambda change: (change.build.finished, change.build.number, change.id), reverse=True)
    )
