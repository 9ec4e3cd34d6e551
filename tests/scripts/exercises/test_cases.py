"""Cases: what an exercise found, whatever went wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.base.errors import Failed, InfrastructureError
from lab.results import history
from reports.formats import registry
from reports.formats.excerpts import bounded
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
def test_case_is_recorded_for_every_outcome(
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
    assert (found.id, found.outcome, found.message) == ("exercise/token/it is issued", outcome, message)
    assert found.nuance == ("testbed" if outcome == "error" else "")
    assert [text[:9] for text in (found.evidence, found.output)] == (
        ["", "evidence "] if outcome == "passed" else ["evidence ", ""]
    )
    # The report reads the same case.
    assert registry.cases("auto", tmp_path / "cases.jsonl") == [bounded(found)]
    assert history.of_case(found) == {"passed": "good", "failed": "bad", "error": "neither"}[outcome]


def test_cases_with_torn_file_are_an_error(tmp_path: Path) -> None:
    with Cases("token", tmp_path / "cases.jsonl").case("it is issued"):
        pass
    text = (tmp_path / "cases.jsonl").read_text()
    (tmp_path / "cases.jsonl").write_text(text + text[:20])
    with pytest.raises(InfrastructureError, match=r"cases\.jsonl has no case on line 2"):
        read(tmp_path / "cases.jsonl")


def test_case_is_not_recorded_for_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Cases("x", tmp_path / "cases.jsonl").case("y"):
        raise ZeroDivisionError
    assert read(tmp_path / "cases.jsonl") == []


def test_exercise_failure_is_recorded_as_case(tmp_path: Path) -> None:
    assert main("token", "nspawn", tmp_path / "trunk", tmp_path / "cases.jsonl") == 0
    (found,) = read(tmp_path / "cases.jsonl")
    assert (found.name, found.outcome) == ("goes to its end", "error")
    assert found.message == f"{tmp_path / 'trunk'}: nothing is deployed there"
