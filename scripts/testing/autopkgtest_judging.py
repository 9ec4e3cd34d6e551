"""The tests of one source package with the candidate: run, tried again where they fail, compared with the baseline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from lab.base.text import first_of
from lab.results.cases import Case, Nuance, Outcome
from lab.store.step import StepContext
from scripts.archives import series_index
from scripts.testing import autopkgtest_baseline, former_packages
from scripts.testing.autopkgtest_run import PACKAGE, AptSuite, Autopkgtest, FinishedRun, execute, result_of
from scripts.testing.candidate import Candidate
from scripts.testing.regression import FAILING, TestResult, TestStatus, combined, judged_all

UNNAMED: Final = re.compile(r"command\d+")  # a Test-Command without a test-name
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
    """The runs of the tests of one source package; ``source`` is the component, or what depends on it."""

    context: StepContext
    found: Candidate
    archive: str
    source: str
    home: Path
    done: dict[str, FinishedRun] = field(default_factory=dict)

    def of_state(self, name: str, *, whole: bool) -> FinishedRun:
        """Run the tests with the component of the candidate; ``whole``: with everything from the state.

        The tests are those of the state for the component, and those of the baseline for others.
        """
        found, component = self.found, self.context.component_name
        versions = {each["Package"]: each["Version"] for each in found.packages(component)}
        base = [AptSuite(found.baseline.name)] if found.baseline and not whole else []
        tested = self._dsc(found.state.name) if self.source == component else self._of_baseline()
        tests = Autopkgtest(
            tested,
            [*base, AptSuite(found.state.name, None if whole else tuple(sorted(versions)))],
            found.reader.key(),
            f"{component}/{found.version(component)}",
            versions,
        )
        done = self._execute(name, tests)
        cases = former_packages.marked(done.cases, done.directory, versions, lambda: self._former)
        return replace(done, cases=list(cases))

    @cached_property
    def _former(self) -> frozenset[str]:
        return former_packages.former(self.context, self.found)

    def of_baseline(self) -> Mapping[str, TestResult]:
        """Return the results in the baseline: the kept ones, or those of a run, and of a second one where tests fail."""
        found, version = self.found, self._version
        if not version:
            self.context.say(f"{found.baseline_name} has no {self.source}")
            return {}
        results = autopkgtest_baseline.kept(self.context, found, self.source, version)
        if results is None:
            suites = [AptSuite(found.baseline.name)] if found.baseline else []
            tests = Autopkgtest(self._of_baseline(), suites, found.reader.key())
            results = results_of(tried(lambda again: self._execute("baseline-retry" if again else "baseline", tests)))
            autopkgtest_baseline.keep(self.context, found, self.source, version, results)
        return results

    @cached_property
    def _version(self) -> str:
        """The version of the source package in the baseline, "" for a missing one."""
        if ours := self.found.baseline_version(self.source):
            return ours
        context = self.context
        return series_index.known_version(context.series_name, context.series, self.source, context.log)

    def _of_baseline(self) -> Path | str:
        """Return the .dsc of the baseline, or the name of a source package of the series."""
        found = self.found
        is_ours = found.baseline and found.baseline_version(self.source)
        return self._dsc(found.baseline.name) if found.baseline and is_ours else self.source

    def _dsc(self, suite: str) -> Path:
        return self.found.dsc(suite, self.source, self.context.run.work / "sources" / suite)

    def _execute(self, name: str, tests: Autopkgtest) -> FinishedRun:
        options = [] if isinstance(tests.tested, Path) else ["--deb-src"]
        self.done[name] = execute(self.context, self.home / name, tests, self.archive, *options)
        return self.done[name]


@dataclass(frozen=True)
class Judgement:
    """The status of each test, and the cases of all tries: the last one first.

    ``whole``: the tests that ran with everything from the state.  ``unlike``: what is different in the baseline about
    tests whose failure there is not theirs.
    """

    statuses: Mapping[str, TestStatus]
    tries: Mapping[str, Sequence[Case]]
    whole: Sequence[str]
    baseline: str
    unlike: Mapping[str, str] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """The part of a message on tests with other packages than those of the candidate and the baseline, "" without one."""
        some = f" for {first_of(self.whole)}" if set(self.whole) < set(self.statuses) else ""
        whole = [f"everything is from the state{some}"] if self.whole else []
        last = {name: found[0] for name, found in self.tries.items() if found[0].nuance == "superficial"}
        return "; ".join([*whole, *(f"{name} {case.message}" for name, case in last.items() if case.message)])

    @property
    def proves_nothing(self) -> bool:
        """Whether no test counts: there are none, or all of them are skipped or superficial."""
        return all(
            status == "neutral" or self.tries[name][0].nuance == "superficial" for name, status in self.statuses.items()
        )

    def of(self, status: TestStatus) -> list[str]:
        return sorted(name for name, each in self.statuses.items() if each == status)


def judge(runs: AutopkgtestRuns) -> Judgement:
    """Run the tests, again where some fail, and in the baseline where they fail again."""
    tries = tried(lambda again: runs.of_state("retry" if again else "candidate", whole=False), whole_follows=True)
    unmet = {name: found for name, found in tries.items() if all(case.nuance == "bad-package" for case in found)}
    whole: list[str] = []
    if unmet:
        runs.context.say(
            "the packages cannot be installed with the rest of the baseline: everything comes from the state"
        )
        found = tried(lambda again: runs.of_state("whole-retry" if again else "whole", whole=True))
        # What could be installed with the rest of the baseline has its result.
        ran = {name: cases for name, cases in tries.items() if name not in unmet}
        whole = [name for name in found if name not in ran]
        unmet.pop(PACKAGE, None)
        tries = {**unmet, **found, **ran}
    results = results_of(tries)
    baseline = {} if FAILING.isdisjoint(results.values()) else runs.of_baseline()
    known = {name: result for name, result in baseline.items() if name in results}
    unlike = {name: "fails otherwise" for name, result in known.items() if {result, results[name]} == FAILING}
    for name in renumbered(results, baseline) if baseline else ():
        unlike[name] = "can be another test"
        known.pop(name, None)
    return Judgement(judged_all(results, known), tries, whole, runs.found.baseline_name, unlike)


def renumbered(one: Mapping[str, TestResult], other: Mapping[str, TestResult]) -> frozenset[str]:
    """Return the unnamed tests that cannot be compared: autopkgtest numbers them, and one side has more of them."""
    first, second = ({name for name in each if UNNAMED.fullmatch(name)} for each in (one, other))
    return frozenset(first | second) if first != second else frozenset()


def tried(execute: Callable[[bool], FinishedRun], *, whole_follows: bool = False) -> dict[str, list[Case]]:
    """Run tests, and all of them again if one fails; return the cases of each test: the last one first.

    The second result of a test that passed at first counts only if it is a failure: the test is flaky then.
    ``execute`` is told whether it is the second time.  ``whole_follows``: packages that cannot be installed are tried in
    another way, not again.
    """

    def fails(case: Case) -> bool:
        return case.outcome == "failed" and not (whole_follows and case.nuance == "bad-package")

    tries = {case.name: [case] for case in execute(False).cases}
    if any(fails(found[0]) for found in tries.values()):
        for case in execute(True).cases:
            if case.name not in tries or fails(tries[case.name][0]) or fails(case):
                tries.setdefault(case.name, []).insert(0, case)
    return tries


def results_of(tries: Mapping[str, Sequence[Case]]) -> dict[str, TestResult]:
    """Return the result of each test, by the cases of its tries: the last one first."""
    return {name: combined([result_of(case) for case in reversed(found)]) for name, found in tries.items()}


def native(found: Judgement) -> Iterator[Case]:
    """Yield a case for each test with its status, and the failures of a flaky one after it."""
    for name, status in found.statuses.items():
        last, *earlier = sorted(found.tries[name], key=lambda case: status == "flaky" and case.outcome != "passed")
        outcome, nuance = SHOWN[status]
        words = {
            "regression": f"{found.unlike.get(name, 'does not fail')} in {found.baseline}",
            "known": f"fails in {found.baseline} too",
        }
        again = f"{last.outcome} when tried again" if status in words and last.outcome != "failed" else ""
        if again:  # what has failed is shown
            last = next(case for case in earlier if case.outcome == "failed")
        said = "; ".join(filter(None, [last.message, again, words.get(status, "")]))
        yield last.model_copy(update={"outcome": outcome, "nuance": nuance or last.nuance, "message": said})
        if status == "flaky":
            yield from (case.model_copy(update={"nuance": "rerun"}) for case in earlier)
