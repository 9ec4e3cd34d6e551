"""The verdict on the cases of a proposed update, by comparison with the release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.config.description import Lab
from lab.results.cases import Case, Outcome
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts.exercises import judgement
from scripts.pockets import baseline, proposed
from scripts.services.deployed_state import Deployed

PROPOSED = {"trigger": "proposed", "phases": ["deploy", "exercise"]}


def case(name: str, outcome: Outcome = "passed") -> Case:
    return Case(suite="exercise", classname="command", name=name, outcome=outcome, message="")


ROWS: list[tuple[str, list[Case], str, str, bool]] = [
    # name, cases of the update, verdict, part of the message, whether the update counts as tested
    ("all ran", [case("a"), case("b")], "passed", "2 of 2 passed", True),
    ("one vanished", [case("a")], "passed", "1 passed in the release and did not run (exercise/command/b)", True),
    ("one is skipped", [case("a"), case("b", "skipped")], "passed", "1 passed in the release and did not run", True),
    ("all vanished", [], "error", "no case that passes in the release ran", False),
    ("all are skipped", [case("a", "skipped"), case("b", "skipped")], "error", "no case that passes in the release ran", False),
    ("only a new one", [case("c")], "passed", "2 passed in the release and did not run", True),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_case_that_ran_in_the_release_alone_is_told(lab_factory: Callable[..., Lab], row: tuple[Any, ...]) -> None:
    _, found, verdict, message, counts = row
    lab = lab_factory(track=PROPOSED)
    run = Store.of(lab).new_run(lab, "trunk", "greet", phase="exercise", version="1.0-2")
    context = StepContext(lab, run, None)  # type: ignore[arg-type]
    baseline.keep(context, "released-1", "exercise", {}, [case("a").id, case("b").id])
    deployed = Deployed(
        track="trunk", component="greet", version="1.0-2", commit="", finished="", nodes={}, services={}, packages=(),
        state="content", waiting={"greet": "1.0-2"}, baseline="released-1",
    )  # fmt: skip
    judged = judgement.judge(context, deployed, found, "exercise")
    assert (judged.verdict, message in judged.message) == (verdict, True), judged.message
    assert proposed.is_new(lab, "trunk", "content") is not counts


def test_counts_of_exercises_whose_names_have_dots() -> None:
    found = [
        case("a").model_copy(update={"classname": name}) for name in ("smoke", "smoke.v2", "smoke.v2.inner", "smoker")
    ]
    assert judgement.counts(["smoker", "smoke", "smoke.v2"], found) == {
        "smoker": {"passed": 1},
        "smoke": {"passed": 1},
        "smoke.v2": {"passed": 2},
    }


def made(classname: str, name: str, outcome: Outcome, message: str = "") -> Case:
    return Case(suite="exercise", classname=classname, name=name, outcome=outcome, message=message)


LIMIT = "it did not end within 5 minutes"
TOLD = {
    "nothing": ([case("a")], "1 of 1 passed"),
    "the first failure": ([made("one", "a", "failed", "3"), made("two", "b", "failed", "4")], "0 of 2 passed; one: a: 3"),
    "a failure without a message": ([case("a"), made("one", "b", "failed")], "1 of 2 passed; one: b"),
    "an error before a failure": ([made("one", "a", "failed", "3"), made("two", "b", "error", "4")], "0 of 2 passed; two: b: 4"),
    "the end of a program before its incomplete result": (
        [made("one", "[plan]", "failed", "2 planned, 1 run"), made("one", "exit code", "failed", LIMIT)],
        f"0 of 2 passed; one: exit code: {LIMIT}",
    ),
    "the end of another program": (
        [made("one.in", "a", "failed", "3"), made("one", "exit code", "passed"), made("two", "exit code", "failed", LIMIT)],
        "1 of 3 passed; one.in: a: 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TOLD)
def test_message_names_the_failure_that_explains_most(what: str) -> None:
    found, message = TOLD[what]
    assert judgement.describe(found) == message
