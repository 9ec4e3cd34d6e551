"""Cases: what an exercise found, whatever went wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import Failed, InfrastructureError
from scripts.exercises.__main__ import main
from scripts.exercises.cases import Cases, Over, read


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (None, "passed", ""),
        (Failed("no answer"), "failed", "no answer"),
        (AssertionError(), "failed", "it is not so"),
        (InfrastructureError("no node"), "error", "no node"),
        (ConnectionResetError("reset"), "error", "reset"),
    ],
)
def test_a_case_is_written_down_whatever_it_comes_to(
    tmp_path: Path, error: Exception | None, outcome: str, message: str
) -> None:
    cases = Cases("token", tmp_path / "cases.jsonl")
    try:
        with cases.case("it is issued") as case:
            case.output = "evidence \udcff"
            if error:
                raise error
    except Over:
        assert outcome != "passed"
    else:
        assert outcome == "passed"
    (found,) = read(tmp_path / "cases.jsonl")
    assert (found.suite, found.name, found.outcome, found.message) == ("token", "it is issued", outcome, message)
    assert found.output.startswith("evidence ")


def test_a_bug_of_ours_is_no_case(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Cases("x", tmp_path / "cases.jsonl").case("y"):
        raise ZeroDivisionError
    assert read(tmp_path / "cases.jsonl") == []


def test_what_keeps_an_exercise_from_its_end_is_a_case(tmp_path: Path) -> None:
    assert main("token", "nspawn", tmp_path / "trunk", tmp_path / "cases.jsonl") == 0
    (found,) = read(tmp_path / "cases.jsonl")
    assert (found.name, found.outcome) == ("goes to its end", "error")
    assert found.message == f"{tmp_path / 'trunk'}: nothing is deployed there"
