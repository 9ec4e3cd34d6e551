"""autopkgtest: run the package's own tests against the state.

The tests in debian/tests run in containers with the packages of the component from the state, and everything else from
the baseline: the state of the first label of the track, or the series alone until this label exists.  Where the packages
cannot be installed that way, everything comes from the state, and the message says so.

A test that fails is tried again: if it passes then, it is ``flaky``, and both results are kept.  A test that fails
again is compared with the baseline, whose tests run once for each version and baseline.  A regression (it fails with
the candidate and not in the baseline) gives the verdict ``failed``, a flaky test ``unstable``.  A test that fails in
the baseline too does not change the verdict.  Without tests, or if all are skipped or superficial, the step is
``skipped``.  A testbed that does not work is an error of the lab.  Tests that need the Internet are skipped: testbeds
reach mirrors alone.

``results/native/autopkgtest`` has the output of all runs, ``results/native/autopkgtest.jsonl`` a case for each test.

Facts: ``state``, ``baseline``, ``whole`` (whether everything came from the state), ``tests`` (the status of each test),
``runs`` (by name, the exit code of autopkgtest).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from debian.deb822 import Packages, Sources

from lab.base.errors import InfrastructureError
from lab.results.cases import Case, Nuance, Outcome
from lab.store import step_command
from lab.store.step import StepContext, StepOutcome, architecture
from scripts.archives import series_index
from scripts.archives.serving import served
from scripts.testing import autopkgtest_baseline
from scripts.testing.autopkgtest_run import AptSuite, Autopkgtest, FinishedRun, execute
from scripts.testing.candidate import Candidate, hand_over, tested
from scripts.testing.conclusion import Findings, conclude
from scripts.testing.regression import TestResult, TestStatus, combined, judged_all

NAME = "autopkgtest"
SHOWN: Mapping[TestStatus, tuple[Outcome, Nuance]] = {
    "passed": ("passed", ""),
    "flaky": ("passed", "flaky"),
    "neutral": ("skipped", ""),
    "regression": ("failed", ""),
    "known": ("skipped", "expected-failure"),
    "error": ("error", "testbed"),
    "waiting": ("error", "testbed"),
}


@dataclass
class AutopkgtestRuns:
    """The runs of one step against one candidate."""

    context: StepContext
    found: Candidate
    archive: str
    done: dict[str, FinishedRun] = field(default_factory=dict)

    def of_state(self, name: str, *, whole: bool) -> FinishedRun:
        """Run the tests of the candidate; ``whole``: with everything from the state."""
        found, source = self.found, self.context.component_name
        only = () if whole else binaries(found, source)
        base = [AptSuite(found.baseline.name)] if found.baseline and not whole else []
        trigger = f"{source}/{found.version(source)}"
        tests = Autopkgtest(
            dsc(found, found.state.name, source), [*base, AptSuite(found.state.name, only)], found.reader.key(), trigger
        )
        return self._execute(name, tests)

    def of_baseline(self) -> Mapping[str, TestResult]:
        """Return the results in the baseline: the kept ones, or those of a run."""
        context, found, source = self.context, self.found, self.context.component_name
        version = found.baseline_version(source)
        theirs = (
            ""
            if version
            else series_index.newest_version(context.series_name, context.series, source, context.log).version
        )
        if not (version or theirs):
            context.say(f"{found.baseline_name} has no {source}")
            return {}
        results = autopkgtest_baseline.kept(context, found, version or theirs)
        if results is None:
            name = found.baseline.name if found.baseline else ""
            tested_package = dsc(found, name, source) if version else source
            suites = [AptSuite(name)] if name else []
            tests = Autopkgtest(tested_package, suites, found.reader.key())
            results = self._execute("baseline", tests, *([] if version else ["--deb-src"])).results
            autopkgtest_baseline.keep(context, found, version or theirs, results)
        return results

    def _execute(self, name: str, tests: Autopkgtest, *options: str) -> FinishedRun:
        self.done[name] = execute(self.context, name, tests, self.archive, *options)
        return self.done[name]


@dataclass(frozen=True)
class Judgement:
    """The status of each test, and the cases of all tries: the last one first."""

    statuses: Mapping[str, TestStatus]
    tries: Mapping[str, Sequence[Case]]
    whole: bool
    baseline: str

    def of(self, status: TestStatus) -> list[str]:
        return sorted(name for name, each in self.statuses.items() if each == status)


def dsc(found: Candidate, suite: str, source: str) -> Path:
    """Return the path of a source package in the lab's archive."""
    text = found.reader.index(suite, "main/source/Sources")
    for item in Sources.iter_paragraphs(text, use_apt_pkg=False):
        if item["Package"] == source:
            name = next(row["name"] for row in item["Files"] if row["name"].endswith(".dsc"))
            return found.reader.root / str(item["Directory"]) / str(name)
    raise InfrastructureError(f"{suite} has no source package {source}")


def binaries(found: Candidate, source: str) -> tuple[str, ...]:
    """Return the binary packages of a source package in the state."""
    text = found.reader.index(found.state.name, f"main/binary-{architecture()}/Packages")
    items = Packages.iter_paragraphs(text, use_apt_pkg=False)
    return tuple(sorted(item["Package"] for item in items if item.source == source))


def judge(runs: AutopkgtestRuns) -> Judgement:
    """Run the tests, again where some fail, and in the baseline where they fail again."""
    run = runs.of_state("candidate", whole=False)
    whole = run.has_bad_package
    if whole:
        runs.context.say(
            "the packages cannot be installed with the rest of the baseline: everything comes from the state"
        )
        run = runs.of_state("whole", whole=True)
    tries = {name: [case] for name, case in by_name(run).items()}
    if "failed" in run.results.values():
        again = runs.of_state("retry", whole=whole)
        for name, case in by_name(again).items():
            if name not in tries or "failed" in {each.outcome for each in tries[name]}:
                tries.setdefault(name, []).insert(0, case)
    results: dict[str, TestResult] = {
        name: combined([result_of(case) for case in reversed(found)]) for name, found in tries.items()
    }
    baseline = runs.of_baseline() if "failed" in results.values() else {}
    known = {name: result for name, result in baseline.items() if name in results}
    return Judgement(judged_all(results, known), tries, whole, runs.found.baseline_name)


def by_name(run: FinishedRun) -> dict[str, Case]:
    return {case.name: case for case in run.cases if case.name in run.results}


def result_of(case: Case) -> TestResult:
    return {"passed": "passed", "failed": "failed", "error": "error", "skipped": "neutral"}[case.outcome]  # type: ignore[return-value]


def native(found: Judgement) -> Iterator[Case]:
    """Yield a case for each test with its status, and the earlier tries of a flaky one after it."""
    for name, status in found.statuses.items():
        last, *earlier = found.tries[name]
        outcome, nuance = SHOWN[status]
        words = {"regression": f"does not fail in {found.baseline}", "known": f"fails in {found.baseline} too"}
        said = "; ".join(filter(None, [last.message, words.get(status, "")]))
        yield last.model_copy(update={"outcome": outcome, "nuance": nuance or last.nuance, "message": said})
        if status == "flaky":
            yield from (case.model_copy(update={"nuance": "rerun"}) for case in earlier)


def action(context: StepContext) -> StepOutcome:
    with tested(context) as found, served(context.lab, found.state.name) as repository:
        if repository is None:
            raise InfrastructureError(f"{found.state.name} cannot be served")
        runs = AutopkgtestRuns(context, found, repository.url)
        judgement = judge(runs)
        hand_over(context, found)
    passed, every = judgement.of("passed"), judgement.statuses
    summary = f"{len(passed)} of {len(every)} tests passed"
    if set(every.values()) <= {"neutral"}:
        summary = f"all {len(every)} tests were skipped" if every else "no tests"
    also = [f"{name} fails in {judgement.baseline} too" for name in judgement.of("known")]
    also += ["everything is from the state"] if judgement.whole else []
    facts = {
        "whole": judgement.whole,
        "tests": dict(every),
        "runs": {name: run.code for name, run in runs.done.items()},
    }
    findings = Findings(list(native(judgement)), summary, also, prefix={"failed": "regression: "}, facts=facts)
    return conclude(context, NAME, found, findings)


def main(argv: Sequence[str] | None = None) -> int:
    return step_command.main(NAME, action, argv)
