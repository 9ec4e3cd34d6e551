"""The rule for regressions: the results of a test with the candidate and with the baseline.

A test that fails with the candidate and does not fail in the baseline is a regression; one that fails in both is not.
This is the rule of britney (policies/autopkgtest.py), for each test instead of each package.  It is stricter in three
points.  A test without a result in the baseline counts as good there: it is new, and new tests must pass.  A failure in
the baseline counts only if the test fails twice there: what is flaky there can hide a regression.  A test that could not
run on one side, because its packages could not be installed, and fails when it runs on the other, is no failure that was
known: nobody knows whether it would have passed.  A result of the testbed is no result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

TestResult = Literal[
    "passed",
    "failed",
    "uninstallable",  # the packages that it needs cannot be installed
    "flaky",  # failed, and passed when it was tried again
    "neutral",  # skipped, or a failure that the test itself declares as flaky
    "error",  # of the testbed
    "running",
    "none",  # no such test, or never run
]
TestStatus = Literal["passed", "flaky", "neutral", "regression", "known", "error", "waiting", "removed"]
SIMPLE: Final[Mapping[TestResult, TestStatus]] = {
    "passed": "passed",
    "flaky": "flaky",
    "neutral": "neutral",
    "error": "error",
    "running": "waiting",
    "none": "removed",
}
FAILING: Final = frozenset[TestResult]({"failed", "uninstallable"})
# Of a test that fails with the candidate, by another result in the baseline.
OF_FAILURE: Final[Mapping[TestResult, TestStatus]] = {
    "passed": "regression",
    "flaky": "regression",
    "neutral": "regression",
    "none": "regression",
    "failed": "regression",
    "uninstallable": "regression",
    "running": "waiting",
    "error": "error",
}


def combined(tries: Sequence[TestResult]) -> TestResult:
    """Return the result of a test that was tried several times, the first one first.

    A retry gives a label, not a pass: what failed and passed is flaky, and what failed and was skipped then has failed.
    A try without a result does not count.
    """
    done = [each for each in tries if each not in {"error", "none", "running"}]
    if not done:
        return tries[-1] if tries else "none"
    if FAILING.isdisjoint(done):
        return done[-1]
    return "flaky" if "passed" in done else "uninstallable" if "uninstallable" in done else "failed"


def judged(candidate: TestResult, baseline: TestResult) -> TestStatus:
    """Return the status of a test by its results with the candidate and in the baseline."""
    if candidate not in FAILING:
        return SIMPLE[candidate]
    return "known" if candidate == baseline else OF_FAILURE[baseline]


def judged_all(candidate: Mapping[str, TestResult], baseline: Mapping[str, TestResult]) -> dict[str, TestStatus]:
    """Return the status of each test of either side, by its name."""
    return {name: judged(candidate.get(name, "none"), baseline.get(name, "none")) for name in {**candidate, **baseline}}
