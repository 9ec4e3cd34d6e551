"""The results of a build: which tests and which steps are bad, apart from each other."""

from __future__ import annotations

from typing import Any

import pytest

from lab.base.errors import Verdict
from lab.results.build_environment import BuildEnvironment
from lab.results.cases import Case, Outcome
from reports.model import StepSummary
from reports.outcomes import decisive, failing, results
from reports.outputs.commit_status import describe
from reports.site import builds as build_pages
from reports.site.summary import summarise
from tests.reports.publications import a_build
from tests.reports.site.worlds import InMemory

OUTCOMES: dict[Verdict, Outcome] = {"passed": "passed", "failed": "failed", "unstable": "failed", "error": "error"}


def step(name: str, verdict: Verdict = "passed") -> tuple[StepSummary, Case]:
    case = Case(suite="trunk.greet", classname="trunk.greet", name=name, outcome=OUTCOMES[verdict])
    return StepSummary(step=name, verdict=verdict), case


def some(letters: str, suite: str = "unit") -> list[Case]:
    """Return a test for each letter; a capital letter fails."""
    return [
        Case(suite=suite, classname="c", name=letter.lower(), outcome="failed" if letter.isupper() else "passed")
        for letter in letters
    ]


def found(verdict: Verdict, *parts: Any, **fields: Any) -> tuple[str, str, str]:
    """Return the failed tests, the faults and the roster of a build of steps, each followed by its tests."""
    steps = [part[0] for part in parts if isinstance(part, tuple)]
    cases = [case for part in parts for case in ([part[1]] if isinstance(part, tuple) else part)]
    build = a_build(verdict=verdict, steps=tuple(steps), cases=tuple(cases), **fields)
    summary, names = results(build)
    assert summary.ran == len(names) or summary.outage
    marks = "".join(mark.test[-1] for mark in summary.marks)
    return marks, " ".join(summary.faults), "".join(name[-1] for name in names)


@pytest.mark.parametrize(
    "verdict, parts, expected",
    [
        ("passed", [step("source"), step("sbuild"), some("ab")], ("", "", "ab")),
        ("failed", [step("source"), step("sbuild", "failed"), some("aB")], ("b", "", "ab")),
        ("failed", [step("source"), step("sbuild", "failed")], ("", "sbuild", "")),
        # The tests of one step do not explain another one.
        ("failed", [step("sbuild"), some("aB"), step("lintian", "unstable")], ("b", "lintian", "ab")),
        ("failed", [step("sbuild", "failed"), some("ab"), step("lintian", "unstable"), some("T", "l")],
         ("t", "sbuild", "tab")),
        # Nobody knows the step of a test: it can explain any of them.
        ("failed", [some("aB"), step("sbuild", "failed")], ("b", "", "ab")),
        ("failed", [], ("", "build", "")),
        ("unstable", [step("sbuild")], ("", "build", "")),
        ("passed", [step("sbuild"), some("aB")], ("b", "", "ab")),
        # No verdict, no results.
        ("error", [step("sbuild", "error"), some("aB")], ("", "", "")),
        ("aborted", [step("sbuild", "failed"), some("aB")], ("", "", "")),
        # An outage says nothing about a single test.
        ("failed", [step("sbuild", "failed"), some("ABCDEFGHIJKm")], ("", "", "")),
        ("failed", [step("sbuild", "failed"), some("ABCDm")], ("abcd", "", "abcdm")),
    ],
)  # fmt: skip
def test_results(verdict: Verdict, parts: list[Any], expected: tuple[str, str, str]) -> None:
    assert found(verdict, *parts) == expected


def test_build_of_an_older_commit_says_nothing_about_the_track() -> None:
    build = a_build(verdict="failed", cases=tuple(some("aB")), older=True)
    found, names = results(build)
    assert (found.outcome("failed", frozenset(names)).result, found.marks, names) == ("neither", (), [])
    assert results(build.model_copy(update={"older": False}))[0].outcome("failed", frozenset()).result == "bad"


ENVIRONMENT = BuildEnvironment(packages={"libc6": "1", "gcc": "1"}, packaging="f" * 40, packaging_content="c")


@pytest.mark.parametrize(
    "before, after, same",
    [
        ({"environment": ENVIRONMENT}, {"environment": ENVIRONMENT}, True),
        (
            {"environment": ENVIRONMENT},
            {"environment": {"packages": {"gcc": "1", "libc6": "1"}}},
            True,
        ),  # another order
        ({"environment": ENVIRONMENT}, {"environment": {"packages": {"gcc": "1", "libc6": "2"}}}, False),
        ({"environment": ENVIRONMENT}, {"environment": {"packaging": "e" * 40}}, True),  # with the same content
        ({"environment": ENVIRONMENT}, {"environment": {"packaging_content": "d"}}, False),
        ({"environment": ENVIRONMENT}, {"environment": {"lab_commit": "e" * 40}}, False),
        ({"environment": ENVIRONMENT}, {"environment": ENVIRONMENT, "version": "2", "packages": {"greet": "2"}}, True),
        ({}, {}, True),  # not recorded: only the commit counts
        ({"phase": "deploy", "packages": {"greet": "1"}}, {"phase": "deploy", "packages": {"greet": "1"}}, True),
        ({"phase": "deploy", "packages": {"greet": "1"}}, {"phase": "deploy", "packages": {"greet": "2"}}, False),
        ({"phase": "exercise", "archive": "one"}, {"phase": "exercise", "archive": "two"}, False),
    ],
)
def test_same_commit_is_tested_again_only_in_the_same_environment(
    before: dict[str, Any], after: dict[str, Any], *, same: bool
) -> None:
    changed = after.get("environment")
    if isinstance(changed, dict):
        after = after | {"environment": ENVIRONMENT.model_copy(update=changed)}
    first, second = (results(a_build(**fields))[0].state("c") for fields in (before, after))
    assert (first == second) is same
    assert results(a_build(**before))[0].state("") == ""


def test_steps_are_not_tests() -> None:
    _, sbuild = step("sbuild", "failed")
    _, unknown = step("mystery", "failed")
    other = sbuild.model_copy(update={"suite": "unit"})
    build = a_build(verdict="failed", cases=(sbuild, unknown, other, *some("a")))
    assert [case.name for case in build.tests] == ["mystery", "sbuild", "a"]


def test_stage_of_sbuild_is_no_test_but_a_finding() -> None:
    """A build that fails in sbuild has a case for the stage, with the compiler's error."""
    stage = Case(suite="sbuild", classname="greet", name="build", outcome="failed")
    assert found("failed", step("sbuild", "failed"), [stage]) == ("", "sbuild", "")
    build = a_build(verdict="failed", cases=(step("sbuild", "failed")[1], stage, *some("a")))
    assert ([case.name for case in build.tests], [case.name for case in build.findings]) == (["a"], ["build", "a"])


def test_outage_is_a_subject_of_its_own() -> None:
    cases = (*some("ABCDEFGHIJKL"), *some("mno"))
    summary, names = results(a_build(verdict="failed", cases=cases))
    assert (summary.outage, summary.failed, summary.ran, names) == (True, 12, 15, [])
    outcome = summary.outcome("failed", frozenset(names))
    assert [subject.name for subject in outcome.bad] == ["most tests"]


def test_retried_test_is_marked() -> None:
    tried = Case(suite="s", classname="c", name="t", outcome="failed", nuance="rerun")
    summary, names = results(a_build(cases=(tried, tried.model_copy(update={"outcome": "passed", "nuance": ""}))))
    assert [(mark.test, mark.result, mark.flaky) for mark in summary.marks] == [("s/c/t", "good", True)]
    assert (summary.failed, names) == (0, ["s/c/t"])


@pytest.mark.parametrize(
    "tries, expected, counts",
    [
        ("a:passed", (0, 1), {"passed": 1}),
        ("a:failed:rerun a:failed:rerun a:passed:flaky", (0, 1), {"passed": 1}),
        ("a:failed:rerun a:passed", (0, 1), {"passed": 1}),
        ("a:failed:rerun a:failed", (1, 1), {"failed": 1}),
        ("a:failed:rerun", (1, 1), {"failed": 1}),  # the only try
        ("a:failed:rerun a:skipped", (1, 1), {"failed": 1}),  # a skip says nothing
        ("a:passed a:failed a:failed", (1, 1), {"failed": 1}),  # a name that is there more than once
        ("a:skipped a:passed b:skipped", (0, 1), {"passed": 1, "skipped": 1}),
        ("a:error b:failed:testbed c:failed", (2, 2), {"error": 1, "failed": 2}),
    ],
)
def test_all_places_count_the_same_tests(tries: str, expected: tuple[int, int], counts: dict[str, int]) -> None:
    cases = []
    for name, outcome, *nuance in (one.split(":") for one in tries.split()):
        cases.append(Case(suite="s", classname="c", name=name, outcome=outcome, nuance="".join(nuance)))
    build = a_build(verdict="unstable", step="sbuild", cases=tuple(cases))
    summary, _ = results(build)
    assert (summary.failed, summary.ran) == expected
    assert {case.id for case in failing(build.tests)} == {mark.test for mark in summary.marks if mark.result == "bad"}
    assert len(decisive(build.tests)) == len({case.id for case in cases})
    page = build_pages.make(InMemory(build, {}), "0" * 64, summarise(build)[0], has_bundle=False).page
    assert page.counts == counts
    failed, ran = expected
    assert describe(build).startswith(f"{failed} of {ran} test" if failed else "Unstable at sbuild")
