"""The verdict and the line of a step of the phase test, by its cases."""

from __future__ import annotations

import pytest

from lab.base.errors import InfrastructureError
from lab.results.cases import Case, Nuance, Outcome
from lab.results.known_failures import Excused
from scripts.testing.conclusion import Findings, summed_up


def case(name: str, outcome: Outcome, nuance: Nuance = "", message: str = "") -> Case:
    return Case(suite="reverse", classname="greet", name=name, outcome=outcome, nuance=nuance, message=message)


LOST = case("testbed", "error", "testbed", "it does not boot")


@pytest.mark.parametrize(
    ("cases", "verdict", "message"),
    [
        ([case("a", "passed")], "passed", "all"),
        ([case("a", "failed", message="why")], "failed", "a: why"),
        ([case("a", "failed", message="why"), LOST], "failed", "a: why; no result of testbed: it does not boot"),
        (
            [case("a", "passed", "flaky"), case("a", "failed", "rerun")],
            "unstable",
            "flaky: a failed once, and passed once",
        ),
        ([case("a", "passed", "superficial"), case("b", "skipped")], "skipped", "all"),
        ([case("a", "skipped", "expected-failure")], "passed", "all"),
        ([], "skipped", "all"),
    ],
    ids=["passed", "failed", "failed, and no result", "flaky", "superficial", "known", "nothing"],
)
def test_verdict_of_cases(cases: list[Case], verdict: str, message: str) -> None:
    assert summed_up(Findings(cases, "all"), Excused(cases)) == (verdict, message)


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        (
            [case("a", "failed", message="why"), LOST],
            "a of greet: why; no result of testbed of greet: it does not boot",
        ),
        ([case("a", "passed", "flaky")], "flaky: a of greet failed once, and passed once"),
    ],
    ids=["failed", "flaky"],
)
def test_message_has_the_names_of_a_step(cases: list[Case], message: str) -> None:
    findings = Findings(cases, "all", named=lambda case: f"{case.name} of {case.classname}")
    assert summed_up(findings, Excused(cases))[1] == message


@pytest.mark.parametrize("others", [[], [case("a", "passed")], [case("a", "passed", "flaky")]])
def test_no_verdict_where_a_result_is_lost(others: list[Case]) -> None:
    with pytest.raises(InfrastructureError, match="no result of testbed: it does not boot"):
        summed_up(Findings([*others, LOST], "all"), Excused([*others, LOST]))
