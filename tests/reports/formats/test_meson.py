"""Meson's testlog.json: each result of a test, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reports.formats import registry


def cases(content: str, tmp_path: Path) -> list[tuple[str, str, str, str]]:
    path = tmp_path / "testlog.json"
    path.write_text(content)
    return [(case.classname, case.name, case.outcome, case.nuance) for case in registry.cases("meson", path)]


def a_test(name: str, result: str, **more: object) -> str:
    return json.dumps({"name": name, "stdout": "", "result": result, **more}) + "\n"


@pytest.mark.parametrize(
    ("result", "outcome", "nuance"),
    [
        ("OK", "passed", ""),
        ("EXPECTEDFAIL", "skipped", "expected-failure"),
        ("UNEXPECTEDPASS", "failed", "unexpected-success"),
        ("TIMEOUT", "failed", "timeout"),
        ("INTERRUPT", "error", ""),
        ("RUNNING", "error", ""),
        ("a new word", "error", ""),
    ],
)
def test_result(result: str, outcome: str, nuance: str, tmp_path: Path) -> None:
    assert cases(a_test("greet:unit / a / b", result), tmp_path) == [("greet:unit", "a / b", outcome, nuance)]


@pytest.mark.parametrize(
    "content",
    [a_test("a", "OK") + '{"name": "b', a_test("a", "OK") + "[1]\n", a_test("a", "OK") + '{"name": "b"}\n'],
    ids=["cut short", "no test", "no result"],
)
def test_damaged_file_keeps_its_tests_and_fails(content: str, tmp_path: Path) -> None:
    (first, damaged) = cases(content, tmp_path)
    assert first == ("meson", "a", "passed", "")
    assert damaged[1:3] == ("[damaged]", "error")


@pytest.mark.parametrize("started", [float("inf"), 1e300, "soon", None])
def test_time_that_is_none(started: object, tmp_path: Path) -> None:
    assert cases(a_test("a", "OK", starttime=started, duration="x"), tmp_path) == [("meson", "a", "passed", "")]
