"""The results of a build for the history of its lane: the tests and steps that are bad, apart from each other.

`lab.results.breakages` computes breakages from them; the site and the journal store them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from lab.base.errors import Verdict
from lab.base.text import shortened
from lab.results.breakages import CLOSED, MOST_TESTS, RunOutcome, Subject, are_most, is_outage
from lab.results.cases import Case, Nuance, is_complaint
from lab.results.history import Result, of_case, of_verdict
from reports.model import Build, FrozenModel


class BadTest(NamedTuple):
    """A test that failed, or passed only when it was retried (``flaky``).

    A list in JSON, an object as an older release wrote it: a lane can have many, and a model of each takes twice the time.
    """

    test: str
    result: Result
    flaky: bool = False
    message: str = ""


class RunResults(FrozenModel):
    """The results of a build; ``roster`` is the digest of the names of the tests that ran, all without a mark passed.

    ``faults`` are the steps that failed for themselves, not because of their tests; without any reason, the phase.
    ``sound_steps`` passed, or failed because of their tests alone; ``skipped_steps`` had nothing to do.
    ``failed`` of ``ran`` tests failed.  After an outage, and without a verdict, there are no marks and no names.
    """

    roster: str
    marks: tuple[BadTest, ...] = ()
    faults: tuple[str, ...] = ()
    sound_steps: tuple[str, ...] = ()
    skipped_steps: tuple[str, ...] = ()
    failed: int = 0
    ran: int = 0
    outage: bool = False
    closes: bool = False
    """Whether the build ends the history: see `lab.results.breakages`."""
    older: bool = False
    """Whether it tests something else than the newest commit, see `Build.is_aside`, and says nothing about the state of the track."""
    environment: str = ""
    """A digest of what it depended on besides the commit; "" if that is not known."""

    @property
    def bad_tests(self) -> Iterator[BadTest]:
        return (mark for mark in self.marks if mark.result == "bad")

    @property
    def is_of_most(self) -> bool:
        """Whether most of the tests failed; complaints are none."""
        if not are_most(self.failed, self.ran):  # with the complaints, there are more of both
            return False
        complaints = sum(is_complaint(mark.test) for mark in self.bad_tests)
        return are_most(self.failed - complaints, self.ran - complaints)

    def outcome(self, verdict: Verdict, ran: frozenset[str]) -> RunOutcome:
        """Return the results for `lab.results.breakages`; ``ran`` are the names of the roster."""
        bad = {_test(mark.test) for mark in self.bad_tests}
        bad |= {Subject("step", step) for step in self.faults}
        bad |= {MOST_TESTS} if self.outage else set()
        return RunOutcome(self.of(verdict), bad, self.sound_steps, ran, self.closes, self.skipped_steps)

    def of(self, verdict: Verdict) -> Result:
        """Return what the verdict of the build says about the track."""
        return "neither" if self.older else of_verdict(verdict)

    def state(self, commit: str) -> str:
        """Return what the build tested, for `lab.results.history.is_flaky`; "" for an unknown commit."""
        return f"{commit} {self.environment}" if commit else ""


@lru_cache(maxsize=50_000)
def _test(name: str) -> Subject:
    """Return a test as a subject; a test that fails in many builds is one object."""
    return Subject("test", name)


def results(build: Build) -> tuple[RunResults, list[str]]:
    """Return the results of a build, and its roster: the names of the tests that ran."""
    if build.is_aside or of_verdict(build.verdict) == "neither":
        closes = build.verdict == "skipped" and any(step.message.startswith(CLOSED) for step in build.steps)
        return RunResults(roster=digest([]), closes=closes, older=build.is_aside), []
    ran = [case for case in build.tests if of_case(case) != "neither"]
    marks = sorted(_marks(ran), key=lambda mark: mark.test)
    names = sorted({case.id for case in ran})
    failed = [mark for mark in marks if mark.result == "bad"]
    # What is only there when it is bad says nothing about the rate of failures.
    outage = is_outage(
        sum(not is_complaint(mark.test) for mark in failed), sum(not is_complaint(name) for name in names)
    )
    faults, sound = _steps(build, {mark.test for mark in failed})
    found = RunResults(
        roster=digest([] if outage else names),
        marks=() if outage else tuple(marks),
        faults=tuple(faults),
        sound_steps=tuple(sound),
        skipped_steps=tuple(step.step for step in build.steps if step.verdict == "skipped"),
        failed=len(failed),
        ran=len(names),
        outage=outage,
        environment=_environment(build),
    )
    return found, [] if outage else names


def _environment(build: Build) -> str:
    """Return a digest of what a build depended on: its environment, or the packages or the state that a later phase tests."""
    if one := build.environment:
        # The content of debian/ counts, if it is known.
        same = one.model_copy(update={"packaging": ""}) if one.packaging_content else one
        packages = sorted((one.packages or {}).items())
        return digest([same.model_dump_json(exclude={"packages"}), json.dumps(packages)])
    if build.phase == "build":
        return ""
    tested = [f"{name}={version}" for name, version in sorted(build.packages.items())] or [build.archive]
    return digest(tested) if any(tested) else ""


def digest(roster: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(list(roster)).encode()).hexdigest()[:16]


def _steps(build: Build, failed: set[str]) -> tuple[list[str], list[str]]:
    """Return the steps that no failing test explains, and those that passed or whose tests explain the failure.

    A test follows the case of its step, see `reports.formats.runs`; one without a step can explain any.
    """
    owners, step, is_step = set[str](), "", build.is_step
    for case in build.cases:
        if is_step(case):
            step = case.name
        elif case.id in failed:
            owners.add(step)
    bad = [one.step for one in build.steps if of_verdict(one.verdict) == "bad"]
    faults = [one for one in bad if one not in owners and "" not in owners]
    sound = [one.step for one in build.steps if one.verdict == "passed" or one.step in owners]
    is_unexplained = of_verdict(build.verdict) == "bad" and not faults and not failed
    return ([build.step or build.phase] if is_unexplained else faults), sound


def decisive(cases: Iterable[Case]) -> list[Case]:
    """Return one case for each test, which decides about it: the worst of its last tries that say something."""
    return [_worst(each) for each in _tries(cases).values()]


def failing(cases: Iterable[Case]) -> list[Case]:
    """Return one case for each test that failed; an earlier try of one that then passed is none."""
    return [case for case in decisive(cases) if of_case(case) == "bad"]


def _tries(cases: Iterable[Case]) -> dict[str, list[Case]]:
    tries: dict[str, list[Case]] = {}
    for case in cases:
        tries.setdefault(case.id, []).append(case)
    return tries


def _worst(tries: Sequence[Case]) -> Case:
    known = [case for case in tries if of_case(case) != "neither"] or tries
    # An earlier try does not decide, unless it is the only one.
    final = [case for case in known if case.nuance != "rerun"] or known
    return next((case for case in final if of_case(case) == "bad"), final[0])


def _marks(ran: Iterable[Case]) -> Iterator[BadTest]:
    again: set[Nuance] = {"flaky", "rerun"}
    for test, cases in _tries(ran).items():
        worst = _worst(cases)
        is_bad = of_case(worst) == "bad"
        flaky = not is_bad and any(case.nuance in again for case in cases)
        if is_bad or flaky:
            told = worst if is_bad else cases[0]
            yield BadTest(
                test=test,
                result="bad" if is_bad else "good",
                flaky=flaky,
                message=shortened(told.message or told.evidence, 160),
            )
