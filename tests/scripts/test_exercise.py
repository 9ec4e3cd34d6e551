"""exercise without containers: refused runs, and the verdict of cases."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.base.run import Result, TimedOut
from lab.config.description import Lab
from lab.results import cases as results
from lab.results.cases import Outcome
from lab.store.runs import Store
from scripts import exercise
from scripts.exercises import token, volume
from scripts.exercises.cases import made
from scripts.exercises.judgement import counts, describe, verdict_of
from scripts.exercises.registry import EXERCISES, MODULES
from scripts.exercises.servers import CLEANED, EMPTIED
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


class Beside:
    """A target on which an exercise leaves some cases and ends, or is ended."""

    def __init__(self, path: Path, exercise: str, found: Sequence[tuple[str, Outcome]], end: int | None) -> None:
        self.path, self.exercise, self.found, self.end = path, exercise, found, end

    def beside(self, argv: Sequence[object], **_: object) -> Result:
        for name, outcome in self.found:
            results.append(self.path, made(self.exercise, name, outcome, "why"))
        if self.end is None:
            raise TimedOut("the exercise did not end within 900 s")
        return Result(tuple(map(str, argv)), self.end)


ENDED = ("goes to its end", "error")


@pytest.mark.parametrize(
    ("name", "found", "end", "ends", "reason"),
    [
        ("token", [(case, "passed") for case in token.CASES], 0, (), ""),
        ("token", [(token.ISSUED, "passed"), (token.VALID, "failed")], 0, (), "it is valid: it did not pass"),
        ("image-bundle", [("the aki is uploaded", "error")], 0, (), "the aki is uploaded: it did not pass"),
        ("volume", [(EMPTIED, "passed"), (volume.CREATED, "failed"), (CLEANED, "passed")], 0, (),
         "a volume is created: it did not pass"),
        ("volume", [(EMPTIED, "passed")], None, (ENDED,), "goes to its end: it did not pass"),
        ("ec2", [], 1, (ENDED,), "goes to its end: it did not pass"),
        ("instance", [], 0, (), "the exercise ended before"),
        ("stability", [("node0: nothing else failed or crashed", "passed")], 0, (), ""),
    ],
)  # fmt: skip
def test_case_that_is_not_reached_is_skipped(  # noqa: PLR0917 - a table
    tmp_path: Path,
    name: str,
    found: Sequence[tuple[str, Outcome]],
    end: int | None,
    ends: Sequence[tuple[str, Outcome]],
    reason: str,
) -> None:
    path = tmp_path / "cases.jsonl"
    target: Any = Beside(path, name, found, end)
    cases = exercise.Exercising(None, target, "nspawn", tmp_path, path).carry_out(name, None)  # type: ignore[arg-type]
    told = {case for case, _ in found}
    left = [case for case in EXERCISES[name].CASES if case not in told]
    assert [(case.name, case.outcome) for case in cases] == [*found, *ends, *((case, "skipped") for case in left)]
    assert {case.message for case in cases if case.outcome == "skipped"} == (
        {f"not reached: {reason}"} if left else set()
    )


@pytest.mark.parametrize("module", [each for each in MODULES if each.CASES], ids=lambda each: each.NAME)
def test_names_of_cases_are_those_of_the_exercise(module: Any) -> None:
    text = Path(module.__file__).read_text(encoding="utf-8")
    used = [getattr(module, name) for name in re.findall(r"cases\.case\((\w+)\)", text)]
    around = [EMPTIED, CLEANED] if "with project(" in text else []
    assert [case for case in module.CASES if case in {*used, *around}] == [*around[:1], *used, *around[1:]]
