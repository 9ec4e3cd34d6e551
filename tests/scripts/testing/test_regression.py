"""The rule for regressions, as a truth table."""

from __future__ import annotations

import pytest

from scripts.testing.regression import TestResult as Result
from scripts.testing.regression import TestStatus as Status
from scripts.testing.regression import combined, judged, judged_all

TABLE: list[tuple[Result, Result, Status]] = [
    # candidate, baseline, status
    ("passed", "passed", "passed"),
    ("passed", "failed", "passed"),
    ("passed", "flaky", "passed"),
    ("passed", "neutral", "passed"),
    ("passed", "error", "passed"),
    ("passed", "running", "passed"),
    ("passed", "none", "passed"),
    ("failed", "passed", "regression"),
    ("failed", "failed", "known"),
    ("failed", "flaky", "regression"),
    ("failed", "neutral", "regression"),
    ("failed", "none", "regression"),
    ("failed", "running", "waiting"),
    ("failed", "error", "error"),
    ("failed", "uninstallable", "regression"),
    ("uninstallable", "uninstallable", "known"),
    ("uninstallable", "failed", "regression"),
    ("uninstallable", "passed", "regression"),
    ("uninstallable", "flaky", "regression"),
    ("uninstallable", "neutral", "regression"),
    ("uninstallable", "none", "regression"),
    ("uninstallable", "running", "waiting"),
    ("uninstallable", "error", "error"),
    ("passed", "uninstallable", "passed"),
    ("neutral", "uninstallable", "neutral"),
    ("flaky", "uninstallable", "flaky"),
    ("flaky", "passed", "flaky"),
    ("flaky", "failed", "flaky"),
    ("flaky", "none", "flaky"),
    ("neutral", "passed", "neutral"),
    ("neutral", "failed", "neutral"),
    ("neutral", "none", "neutral"),
    ("error", "passed", "error"),
    ("error", "failed", "error"),
    ("error", "none", "error"),
    ("running", "passed", "waiting"),
    ("running", "failed", "waiting"),
    ("none", "passed", "removed"),
    ("none", "failed", "removed"),
    ("none", "none", "removed"),
]


@pytest.mark.parametrize(("candidate", "baseline", "status"), TABLE, ids=["-".join(row[:2]) for row in TABLE])
def test_judged(candidate: Result, baseline: Result, status: Status) -> None:
    assert judged(candidate, baseline) == status


@pytest.mark.parametrize(
    ("tries", "result"),
    [
        ([], "none"),
        (["passed"], "passed"),
        (["failed"], "failed"),
        (["failed", "failed"], "failed"),
        (["failed", "passed"], "flaky"),
        (["passed", "failed"], "flaky"),
        (["failed", "passed", "passed"], "flaky"),
        (["error", "passed"], "passed"),
        (["failed", "error"], "failed"),
        (["failed", "none"], "failed"),
        (["failed", "neutral"], "failed"),
        (["neutral", "failed"], "failed"),
        (["neutral", "passed"], "passed"),
        (["failed", "neutral", "passed"], "flaky"),
        (["error", "error"], "error"),
        (["error", "running"], "running"),
        (["neutral"], "neutral"),
        (["uninstallable", "uninstallable"], "uninstallable"),
        (["uninstallable", "failed"], "uninstallable"),
        (["failed", "uninstallable"], "uninstallable"),
        (["uninstallable", "passed"], "flaky"),
    ],
    ids=lambda value: "-".join(value) or "never" if isinstance(value, list) else None,
)
def test_combined_tries(tries: list[Result], result: Result) -> None:
    assert combined(tries) == result


def test_judged_all_has_tests_of_both_sides() -> None:
    candidate: dict[str, Result] = {"smoke": "passed", "new": "failed", "old": "failed"}
    baseline: dict[str, Result] = {"smoke": "passed", "old": "failed", "gone": "passed"}
    expected = {"smoke": "passed", "new": "regression", "old": "known", "gone": "removed"}
    assert judged_all(candidate, baseline) == expected
