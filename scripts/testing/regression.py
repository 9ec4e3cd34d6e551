"""The rule for regressions: the results of a test with the candidate and with the baseline.

A test that fails with the candidate and does not fail in the baseline is a regression; one that fails in both is not.
This is the rule of britney (policies/autopkgtest.py), for each test instead of each package.  It is stricter in two
points.  A test without a result in the baseline counts as good there: it is new, and new tests must pass.  A failure in
the baseline counts only if the test fails twice there: what is flaky there can hide a regression.  A result of the
testbed is no result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

TestResult = Literal[
    "passed",
    "failed",
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
# Of a test that fails with the candidate, by its result in the baseline.
OF_FAILURE: Final[Mapping[TestResult, TestStatus]] = {
    "passed": "regression",
    "flaky": "regression",
    "neutral": "regression",
    "none": "regression",
    "failed": "known",
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
    if "failed" in done:
        return "flaky" if "passed" in done else "failed"
    return done[-1]


def judged(candidate: TestResult, baseline: TestResult) -> TestStatus:
    """Return the status of a test by its results with the candidate and in the baseline."""
    return OF_FAILURE[baseline] if candidate == "failed" else SIMPLE[candidate]


def judged_all(candidate: Mapping[str, TestResult], baseline: Mapping[str, TestResult]) -> dict[str, TestStatus]:
    """Return the status of each test of either side, by its name."""
    return {name: judged(candidate.get(name, "none"), baseline.get(name, "none")) for name in {**candidate, **baseline}}
