"""Known failures applied to results."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from lab.config.known_failures import KnownFailure
from lab.results.cases import Case, Outcome
from lab.results.known_failures import ResultPlace, bug_of, excused

BUG = "https://bugs.lab.example/1"
PLACE = ResultPlace("greet", "trunk", "2.0-1", "2026-01-02")


def known_failure(test: str, **fields: Any) -> KnownFailure:
    fields.setdefault("until", date(2026, 1, 31))
    return KnownFailure(test=test, reason="it rains", bug=BUG, **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"test": "s/c/test_expiry"}, True),
        ({"test": "s/*"}, True),
        ({"test": "test_expiry"}, False),
        ({"test": "*", "message": r"^\d+ != 200"}, True),
        ({"test": "*", "message": "500"}, False),
        ({"test": "*", "components": ("nova", "gr*")}, True),
        ({"test": "*", "components": ("nova",)}, False),
        ({"test": "*", "tracks": ("stable",)}, False),
        ({"test": "*", "until": date(2026, 1, 2)}, True),
        ({"test": "*", "until": date(2026, 1, 1)}, False),
        ({"test": "*", "until": None, "fixed_in": "2.0-2"}, True),
        ({"test": "*", "until": None, "fixed_in": "2.0-1"}, False),
        ({"test": "*", "fixed_in": "2.0~rc1"}, False),
    ],
)
def test_known_failure_explains(fields: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - a table
    assert bool(bug_of([known_failure(**fields)], PLACE, "s/c/test_expiry", "401 != 200")) is expected


@pytest.mark.parametrize("name", ["test_sum[1-2]", "[package]", "what? *", "test[!a]"])
def test_known_failure_has_the_name_of_a_test_as_it_is(name: str) -> None:
    assert bug_of([known_failure(f"s/c/{name}")], PLACE, f"s/c/{name}", "")


def case(name: str, outcome: Outcome, **fields: Any) -> Case:
    return Case(suite="s", classname="c", name=name, outcome=outcome, **fields)


@pytest.mark.parametrize(
    ("cases", "known", "results", "notes"),
    [
        ("aF", [known_failure("s/c/a")], "a:skipped:expected-failure", ["known failures: s/c/a (BUG)"]),
        ("aF bF", [known_failure("s/c/a")], "a:skipped:expected-failure b:failed:", ["known failures: s/c/a (BUG)"]),
        ("aP", [known_failure("s/c/a")], "a:passed:unexpected-success", ["passes again: s/c/a (BUG)"]),
        ("aP bF", [known_failure("s/c/*")], "a:passed: b:skipped:expected-failure", ["known failures: s/c/b (BUG)"]),
        ("aP bP", [known_failure("s/c/*")], "a:passed:unexpected-success b:passed:unexpected-success",
         ["passes again: s/c/* (BUG)"]),
        ("aE", [known_failure("s/c/a")], "a:error:", []),
        ("aS", [known_failure("s/c/a")], "a:skipped:", []),
        ("aF", [known_failure("s/c/a", until=date(2026, 1, 1))], "a:failed:", []),
        ("aP", [known_failure("s/c/a", until=date(2026, 1, 1))], "a:passed:unexpected-success",
         ["passes again: s/c/a (BUG)"]),
        ("aF", [known_failure("s/c/a", until=date(2026, 1, 1)), known_failure("s/*")], "a:skipped:expected-failure",
         ["known failures: s/c/a (BUG)"]),
    ],
)  # fmt: skip
def test_known_failures_are_excused(cases: str, known: list[KnownFailure], results: str, notes: list[str]) -> None:
    outcomes: dict[str, Outcome] = {"P": "passed", "F": "failed", "E": "error", "S": "skipped"}
    found = excused([case(name, outcomes[letter]) for name, letter in cases.split()], known, PLACE)
    assert " ".join(f"{each.name}:{each.outcome}:{each.nuance}" for each in found.cases) == results
    assert found.notes == [note.replace("BUG", BUG) for note in notes]


def test_known_failure_with_past_end_is_reported() -> None:
    ended = known_failure("s/c/a", until=date(2026, 1, 1), fixed_in="3.0")
    (found,) = excused([case("a", "failed", message="boom")], [ended], PLACE).cases
    assert found.message == f"boom; was known until 2026-01-01 or before 3.0: it rains ({BUG})"


def test_known_failure_excuses_no_other_failure_of_the_same_name() -> None:
    known, other = case("a", "failed", message="timed out"), case("a", "failed", message="it crashed")
    ended = known_failure("s/c/a", until=date(2026, 1, 1), message="crashed")
    found = excused([known, other], [known_failure("s/c/a", message="timed out"), ended], PLACE)
    assert [(each.outcome, each.message.partition(";")[0]) for each in found.cases] == [
        ("skipped", f"known failure: it rains ({BUG})"),
        ("failed", "it crashed"),
    ]
    assert found.cases[1].message.endswith(f"was known until 2026-01-01: it rains ({BUG})")


def test_earlier_tries_stay_as_they_are() -> None:
    first = case("a", "failed", nuance="rerun")
    found = excused([case("a", "passed", nuance="flaky"), first], [known_failure("s/c/a")], PLACE)
    assert (found.cases[0].nuance, found.cases[1], found.notes) == ("flaky", first, [])
