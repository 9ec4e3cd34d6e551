"""exercise without containers: refused runs, and the verdict of cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.config.description import Lab
from lab.store.runs import Store
from scripts import exercise
from scripts.exercises.cases import made
from scripts.exercises.judgement import counts, describe, verdict_of
from tests.conftest import Bench

ALL = {"phases": ["build", "deploy", "exercise"]}
TARGET = {"applications": {"greet": {"role": "package", "packages": ["greet"]}}}


@pytest.mark.parametrize(
    ("deployment", "message"),
    [
        (TARGET, "trunk: nothing is deployed (qalab run trunk greet, or the job trunk-deploy)"),
        (TARGET | {"exercises": ["lunch"]}, "lab.yaml: deployment.exercises.0: no exercise lunch; known: installed, "),
    ],
)
def test_exercise_needs_a_deployment(lab_factory: Callable[..., Lab], deployment: dict[str, Any], message: str) -> None:
    lab = lab_factory(track=ALL, lab={"deployment": deployment})
    record = Bench(lab, Store.of(lab).new_run(lab, "trunk", "greet", phase="exercise")).execute(exercise)
    assert (record.verdict, record.exit_code) == ("error", 2)
    assert record.message.removeprefix(f"{lab.file.parent}/").startswith(message)


@pytest.mark.parametrize(
    ("outcomes", "verdict", "message"),
    [
        ("p", "passed", "1 of 1 passed"),
        ("pf", "unstable", "1 of 2 passed; x: 1: why"),
        ("f", "failed", "0 of 1 passed; x: 0: why"),
        ("pfe", "error", "1 of 3 passed; x: 2: why"),
    ],
)
def test_exercise_verdict_and_message(outcomes: str, verdict: str, message: str) -> None:
    known = {"p": "passed", "f": "failed", "e": "error"}
    found = [made("x", str(number), known[each], "why") for number, each in enumerate(outcomes)]  # type: ignore[arg-type]
    assert (verdict_of(found), describe(found)) == (verdict, message)


def test_exercise_counts_cases_of_inner_classes() -> None:
    found = [
        made("smoke", "exit code", "failed"),
        made("smoke.s.host", "a", "passed"),
        made("smoke.s.host", "b", "passed"),
        made("smoke-2", "c", "passed"),
    ]
    assert counts(["installed", "smoke", "smoke-2"], found) == {
        "installed": {}, "smoke": {"failed": 1, "passed": 2}, "smoke-2": {"passed": 1}}  # fmt: skip
