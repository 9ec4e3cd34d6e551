"""The newest breakage of a component on a track, from the runs of this machine and of Jenkins, and the judgement of a bisection's tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lab.base.errors import ConfigurationError, Verdict
from lab.base.git import GitMirror
from lab.config.description import Lab, Phase
from lab.results.breakages import Breakage, RunOutcome, Subject, breakages, standing_first
from lab.results.build_environment import changes
from lab.results.history import WINDOW, Result, TestedResult, is_flaky
from lab.store.bisections import Bisection, Sought, TestResult
from lab.store.run_directory import Run
from lab.store.runs import Store
from reports import outcomes
from reports.model import Build
from reports.sources import local
from reports.sources.runs import PRIVATE_CAUSES

MOST_RUNS = 200
RESULTS: dict[Result, TestResult] = {"good": "good", "bad": "bad", "neither": "skip"}


@dataclass(frozen=True)
class RunWithResults:
    """A finished run with its results; ``tested``, and whether most of its tests failed: for `lab.results.history.is_flaky`."""

    run: Run
    build: Build
    outcome: RunOutcome
    tested: str
    is_of_most: bool


@dataclass(frozen=True)
class FirstBad:
    """A breakage that lasts: what is broken, the last good and the first bad run, and how often a flaky test failed before.

    ``known``: the results of runs between the two that had the environment of the first bad one, by commit.
    """

    sought: Sought
    good: Run | None
    bad: Run
    fails_good: float
    known: dict[str, TestResult]


def judged(lab: Lab, runs: Sequence[Run], sought: Sought) -> tuple[TestResult, str]:
    """Return what the runs of a probe say of what is sought, and why it fails or says nothing."""
    for run in runs:
        try:
            one = _finished(lab, run)
        except ConfigurationError as error:
            return "error", str(error)
        result = _of(one, sought) if run.info.phase == sought.phase else "neither"
        if result != "neither":
            return RESULTS[result], one.build.message if result == "bad" else ""
        if one.build.verdict in {"error", "aborted"}:
            return "error", f"{one.build.step}: {one.build.message}" if one.build.step else f"{run.id} has no end"
        if one.build.verdict == "failed":
            return "skip", f"{one.build.step}: {one.build.message}"
    return "skip", f"{sought} has no result"


def _of(one: RunWithResults, sought: Sought) -> Result:
    if sought.name:
        return one.outcome.of(Subject(sought.kind, sought.name))
    return one.outcome.result


def _finished(lab: Lab, run: Run) -> RunWithResults:
    build, _ = local.build(run, lab)
    # The older commits of a bisection are what it is about.
    build = build.model_copy(update={"verdict": _verdict(run, build), "older": build.older and not run.info.probe})
    found, ran = outcomes.results(build)
    outcome = found.outcome(build.verdict, frozenset(ran))
    return RunWithResults(run, build, outcome, found.state(build.commit), found.is_of_most)


def _verdict(run: Run, build: Build) -> Verdict:
    """Return the verdict of a run; that of a probe is the verdict of the steps that it was asked for."""
    until = run.info.until
    if build.verdict != "aborted" or not run.info.probe or until not in run.steps:
        return build.verdict
    records = [run.record(step) for step in run.steps[: run.steps.index(until) + 1]]
    if not all(record and record.finished_well for record in records):
        return build.verdict
    return "unstable" if any(record and record.verdict == "unstable" for record in records) else "passed"


def find(lab: Lab, track: str, component: str, test: str = "") -> FirstBad | None:
    """Return the breakage that lasts longest in the earliest phase with one; None where nothing is broken.

    ``test``: the identity of a test or the name of a step, or the end of one.
    """
    for phase in lab.tracks[track].phases:
        runs = [*_runs(lab, track, component, phase)]
        found = breakages([each.outcome for each in runs])
        newest = max((place for place, each in enumerate(runs) if each.outcome.result == "bad"), default=0)
        for one in standing_first(found, (), newest):
            if not test or one.subject.name == test or one.subject.name.endswith(f"/{test}"):
                return _first_bad(runs, one, phase)
    return None


def passes_now(lab: Lab, one: Bisection) -> bool:
    """Return whether what a bisection seeks is good in the newest run that has a result, and that began after its start.

    A run of a commit before the bad one says nothing.
    """
    sought, bad = one.sought, one.bad.commit
    mirror = GitMirror.of(lab.component(one.component, one.track).upstream.git)
    later = (each for each in _runs(lab, one.track, one.component, sought.phase) if each.run.info.started > one.started)
    runs = [each for each in later if each.build.commit == bad or not mirror.is_ancestor(each.build.commit, bad)]
    results = [result for each in runs if (result := _of(each, sought)) != "neither"]
    return bool(results) and results[-1] == "good"


def _runs(lab: Lab, track: str, component: str, phase: Phase) -> Iterator[RunWithResults]:
    runs = [run for run in Store.of(lab).history(track, component) if run.info.phase == phase]
    for run in runs[-MOST_RUNS:]:
        if run.info.cause not in PRIVATE_CAUSES:
            with suppress(ConfigurationError):  # not finished
                yield _finished(lab, run)


def _first_bad(runs: Sequence[RunWithResults], one: Breakage, phase: Phase) -> FirstBad:
    sought = Sought(phase=phase, kind=one.subject.kind, name="" if one.subject.kind == "run" else one.subject.name)
    bad = runs[one.since]
    good = runs[one.good] if one.good is not None else None
    between = runs[(one.good or 0) + 1 : one.since]
    before = [TestedResult(each.tested, _of(each, sought), each.is_of_most) for each in runs[: one.since]][-WINDOW:]
    known = {
        each.build.commit: RESULTS[_of(each, sought)]
        for each in between
        if (_of(each, sought) != "neither" or each.build.verdict == "failed")  # others can be tested
        and each.build.environment
        and not changes(each.build.environment, bad.build.environment)
    }
    return FirstBad(sought, good.run if good else None, bad.run, _flakiness(before), known)


def _flakiness(points: Sequence[TestedResult]) -> float:
    """Return how often a test failed that is flaky; 0 for another one."""
    known = [point.result for point in points if point.result != "neither"]
    return known.count("bad") / len(known) if known and is_flaky(points) else 0.0
