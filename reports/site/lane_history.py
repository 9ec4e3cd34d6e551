"""The history of a component on a track: its builds, and what its tests and steps did in them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, groupby, islice, takewhile
from typing import Final

from lab.config.description import PHASES
from lab.results import addresses
from lab.results.breakages import GONE_RUNS, Breakage, RunOutcome, Subject, breakages, broke_at_once
from lab.results.build_environment import BuildEnvironment
from lab.results.cases import is_complaint
from lab.results.history import WINDOW, Result, State, is_chance, standing_after, streaks
from reports.outcomes import BadTest
from reports.site.identity import NO_LAB, Identity
from reports.site.lane_models import TestRef
from reports.site.phase_states import PhaseState, phase_state
from reports.site.summary import Summary
from reports.site.tries import Try, is_flaky_in

ORDER: Final = tuple(PHASES)


@dataclass(frozen=True)
class History:
    """All builds of a component on a track, oldest first; ``roster`` gives the tests that ran, by digest.

    ``bundles`` are the names of their bundles; without them, the identities of the builds stand for them.  ``environment``
    gives the environment of a build, by digest.  ``newest`` is the end of the newest build of the lab.  ``site`` is the
    lab: its known failures, the answers of its searches, and the phases that it still has.
    """

    builds: tuple[Summary, ...]
    roster: Callable[[str], frozenset[str]]
    bundles: tuple[str, ...] = ()
    environment: Callable[[str], BuildEnvironment | None] = lambda _: None
    newest: str = ""
    site: Identity = NO_LAB

    @property
    def component(self) -> str:
        return self.builds[-1].component

    @property
    def track(self) -> str:
        return self.builds[-1].track

    @property
    def path(self) -> str:
        return addresses.lane_path(self.component, self.track)

    @cached_property
    def bundle_of(self) -> dict[str, str]:
        """The name of the bundle of each build, by the identity of the build."""
        ids = [build.id for build in self.builds]
        return dict(zip(ids, self.bundles or ids, strict=True))

    @cached_property
    def keys(self) -> list[str]:
        """A digest of the builds up to each one."""
        bundles = self.bundle_of.values()
        return list(accumulate(bundles, chained, initial=""))[1:]

    @cached_property
    def phases(self) -> dict[str, tuple[Summary, ...]]:
        """The builds of each phase, in the order of the phases."""
        names = sorted({build.phase for build in self.builds}, key=lambda name: (_phase_order(name), name))
        return {name: tuple(build for build in self.builds if build.phase == name) for name in names}

    @cached_property
    def breakages(self) -> dict[str, list[Breakage]]:
        """The breakages of each phase."""
        return {phase: breakages([self._outcomes[one] for one in self._indexes[phase]]) for phase in self.phases}

    @cached_property
    def _outcomes(self) -> list[RunOutcome]:
        return [build.results.outcome(build.verdict, self.roster(build.results.roster)) for build in self.builds]

    @cached_property
    def states_of(self) -> dict[str, PhaseState]:
        """The state of each phase."""
        newest = self.newest or self.builds[-1].finished
        place = (self.component, self.track)
        return {
            phase: phase_state(builds, newest, is_dropped=not self.site.has(*place, phase))
            for phase, builds in self.phases.items()
        }

    # Tests

    @cached_property
    def marks(self) -> dict[str, dict[int, BadTest]]:
        """The marks of each test, by the index of the build, oldest first."""
        marks: dict[str, dict[int, BadTest]] = {}
        for place, build in enumerate(self.builds):
            for mark in build.results.marks:
                marks.setdefault(mark.test, {})[place] = mark
        return dict(sorted(marks.items()))

    @cached_property
    def _rosters(self) -> list[frozenset[str]]:
        return [self.roster(build.results.roster) for build in self.builds]

    @cached_property
    def running(self) -> list[int]:
        """The indexes of the builds that ran tests, newest first."""
        return [place for place in range(len(self.builds) - 1, -1, -1) if self._rosters[place]]

    @cached_property
    def _spans(self) -> list[tuple[frozenset[str], list[int]]]:
        """The indexes of the builds that ran tests, newest first, in spans of builds that ran the same tests."""
        spans = groupby(self.running, lambda place: self.builds[place].results.roster)
        return [(self.roster(roster), list(places)) for roster, places in spans]

    def _places(self, test: str, phase: str = "") -> Iterator[int]:
        """Yield the indexes of the builds that ran a test, newest first; "" for all phases."""
        found: Iterator[int] = chain.from_iterable(places for roster, places in self._spans if test in roster)
        if is_complaint(test):
            found = (place for place in range(len(self.builds) - 1, -1, -1) if self._ran(test, place))
        return (place for place in found if self.builds[place].phase == phase) if phase else found

    def _ran(self, test: str, place: int) -> bool:
        return test in self._rosters[place] or (
            is_complaint(test) and self._outcomes[place].of(Subject("test", test)) != "neither"
        )

    @cached_property
    def current(self) -> frozenset[str]:
        """The tests that still run in a phase: all others are removed."""
        return frozenset().union(*self.current_in.values())

    @cached_property
    def current_in(self) -> dict[str, frozenset[str]]:
        """The tests that ran in one of the newest builds of each phase."""
        newest: dict[str, list[frozenset[str]]] = {phase: [] for phase in self.phases}
        for place in self.running:
            rosters = newest[self.builds[place].phase]
            if len(rosters) < GONE_RUNS:
                rosters.append(self._rosters[place])
        return {
            phase: frozenset[str]().union(*rosters) if self.states_of[phase].state != "dropped" else frozenset()
            for phase, rosters in newest.items()
        }

    def results(self, test: str) -> tuple[list[int], list[Result]]:
        """Return the indexes of the builds that ran a test, oldest first, and its results in them."""
        marks, places = self.marks[test], [*self._places(test)][::-1]
        return places, [marks[place].result if place in marks else "good" for place in places]

    def newest_tries(self, test: str, most: int = WINDOW, phase: str = "") -> list[Try]:
        """Return the newest results of a test, oldest first; "" for all phases."""
        return self._tries(test, islice(self._places(test, phase), most))[::-1]

    @cached_property
    def flaky(self) -> dict[str, list[Try]]:
        """The newest results of each test that is flaky in a phase; those of the first such phase."""
        merged: dict[str, list[Try]] = {}
        for found in reversed(self.flaky_in.values()):
            merged |= found
        return dict(sorted(merged.items()))

    @cached_property
    def flaky_in(self) -> dict[str, dict[str, list[Try]]]:
        """The newest results of each flaky test, by phase: another outcome in another phase explains nothing."""
        return {phase: dict(self._flaky_tests(phase)) for phase in self.phases}

    def _flaky_tests(self, phase: str) -> Iterator[tuple[str, list[Try]]]:
        for test in self.marks:
            if test in self.current_in[phase] and self._failed_lately(test, phase):
                tries = self.newest_tries(test, phase=phase)
                if is_flaky_in(tries):
                    yield test, tries

    def _failed_lately(self, test: str, phase: str) -> bool:
        """Return whether the newest results of a test in a phase have one that is bad or retried."""
        last = next((place for place in reversed(self.marks[test]) if self.builds[place].phase == phase), None)
        return last is not None and last in islice(self._places(test, phase), WINDOW)

    def was_flaky(self, phase: str, one: Breakage) -> bool:
        """Return whether chance explains a breakage of a test that has ended, from the results around it.

        This answer stays when the test is flaky no more: removed, fixed, or broken.
        """
        if one.subject.kind != "test" or one.end is None:
            return False
        since, last, end = (self._indexes[phase][place] for place in (one.since, one.last, one.end))
        test = one.subject.name
        marks, around = self.marks[test], self._around(test, phase, since)
        until = [place for place in around if place <= end][-WINDOW:]
        streak = self._tries(test, [place for place in until if place <= last])
        if not is_chance(streaks([item.result for item in streak])):
            return False
        later = around[max(0, around.index(since) - 1) :][:WINDOW]
        later = later if len(later) == WINDOW else around[-WINDOW:]
        while later[-1] > end and later[-1] in marks and marks[later[-1]].result == "bad":
            later.pop()  # it is bad now: that says nothing of before
        return is_flaky_in(self._tries(test, until)) or is_flaky_in(self._tries(test, later))

    def broke_at_once(self, phase: str, one: Breakage) -> bool:
        """Return whether a breakage began as in an outage."""
        return broke_at_once(self.breakages[phase], one, self._outcomes[self._indexes[phase][one.since]])

    def began_flaky(self, phase: str, one: Breakage) -> bool:
        """Return whether a test was flaky, by what was known then, when it broke."""
        if one.subject.kind != "test":
            return False
        test, since = one.subject.name, self._indexes[phase][one.since]
        until = [place for place in self._around(test, phase, since) if place <= since]
        return is_flaky_in(self._tries(test, until[-WINDOW:]))

    def _tries(self, test: str, places: Iterable[int]) -> list[Try]:
        """Return the results of a test in builds that ran it."""
        found = ((self.builds[place], self.marks[test].get(place)) for place in places)
        return [Try(build, mark.result, mark.flaky) if mark else Try(build, "good") for build, mark in found]

    def _around(self, test: str, phase: str, since: int) -> list[int]:
        """Return the indexes of the builds that ran a test, oldest first: some before one of them, and all after it."""
        places: list[int] = []
        before = 0
        for place in self._places(test, phase):
            places.append(place)
            before += place < since
            if before == WINDOW:
                break
        return places[::-1]

    @cached_property
    def _indexes(self) -> dict[str, list[int]]:
        """The indexes of the builds of each phase among all builds."""
        places: dict[str, list[int]] = {phase: [] for phase in self.phases}
        for place, build in enumerate(self.builds):
            places[build.phase].append(place)
        return places

    def key(self, test: str) -> str:
        """Return a digest that changes with the history of a test, except for further results that are the same."""
        marks = self.marks[test]
        last = next(reversed(marks))
        # Of a test that is bad now, the page shows only when that began.
        bad = takewhile(lambda place: place in marks and marks[place].result == "bad", self._places(test))
        later = (place for place in range(last + 1, len(self.builds)) if self._ran(test, place))
        ended = next(later, None) if marks[last].result == "bad" else None
        parts = (
            self.keys[min(bad, default=last)],
            self.builds[ended].id if ended is not None else "",
            str(test in self.flaky),
            str(test in self.current),
            *(self.states(test) if test in self._shared else self._unknown_in(test)),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @cached_property
    def _shared(self) -> frozenset[str]:
        """The tests that more than one phase ran."""
        seen, shared = frozenset[str](), frozenset[str]()
        for builds in self.phases.values():
            rosters = {build.results.roster for build in builds}
            ran = frozenset[str]().union(*(self.roster(roster) for roster in rosters))
            seen, shared = seen | ran, shared | (seen & ran)
        return shared

    def states(self, test: str) -> list[State]:
        """Return the state of a test in each phase that runs it; in all phases that did, if none does any more."""
        of_phase = defaultdict[str, list[Result]](list)
        for place, result in zip(*self.results(test), strict=True):
            of_phase[self.builds[place].phase].append(result)
        phases = [phase for phase in of_phase if test in self.current_in[phase]] or [*of_phase]
        unknown = self._unknown_in(test)
        states = ((phase, standing_after(streaks(of_phase[phase])).state) for phase in sorted(phases))
        return ["unknown" if state == "passing" and phase in unknown else state for phase, state in states]

    def _unknown_in(self, test: str) -> list[str]:
        """Return the phases that run a test, and about which nothing is known any more."""
        unknown = (phase for phase, now in self.states_of.items() if now.state == "unknown")
        return [phase for phase in unknown if test in self.current_in[phase]]

    def test(self, test: str) -> TestRef:
        path = addresses.test_path(self.component, self.track, test)
        return TestRef(id=test, path=path, component=self.component, track=self.track)


def chained(key: str, bundle: str) -> str:
    """Return the digest of a further bundle after those with the digest ``key``."""
    return hashlib.sha256(f"{key} {bundle}".encode()).hexdigest()[:16]


def _phase_order(phase: str) -> int:
    return next((place for place, name in enumerate(ORDER) if name == phase), len(ORDER))
