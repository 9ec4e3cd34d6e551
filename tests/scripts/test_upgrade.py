"""The exercises after an upgrade, compared with those before it."""

from __future__ import annotations

import pytest

from lab.results.cases import Case, Outcome
from scripts.upgrade import compared


def case(outcome: Outcome) -> Case:
    return Case(suite="stability", classname="stability", name="it runs", outcome=outcome, message="why")


@pytest.mark.parametrize(
    ("before", "after", "outcome", "message"),
    [
        ("passed", "passed", "passed", "why"),
        ("passed", "failed", "failed", "why"),
        (None, "failed", "failed", "why"),
        ("skipped", "failed", "failed", "why"),
        ("error", "failed", "failed", "why"),
        ("failed", "failed", "skipped", "why; fails in bookworm too"),
        ("failed", "passed", "passed", "why"),
        ("passed", "error", "error", "why"),
        ("error", "error", "skipped", "why; no result in bookworm either"),
        ("failed", "error", "error", "why"),
        ("passed", "skipped", "skipped", "why"),
    ],
)
def test_exercise_after_upgrade(before: Outcome | None, after: Outcome, outcome: str, message: str) -> None:
    (found,) = compared([case(after)], [case(before)] if before else [], "bookworm")
    assert (found.outcome, found.message, found.id) == (outcome, message, "upgrade/stability: stability/it runs")
