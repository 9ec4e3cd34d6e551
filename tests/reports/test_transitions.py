"""Notifications: tables of histories, and properties of all histories."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.base.errors import Verdict
from lab.results import history
from reports.transitions import DAY_SECONDS, HistoryPoint, transitions

WORDS: dict[str, Verdict] = {
    "P": "passed",
    "F": "failed",
    "U": "unstable",
    "E": "error",
    "A": "aborted",
    "S": "skipped",
}


def points(letters: str, days: float = 1.0) -> list[HistoryPoint]:
    return [
        HistoryPoint(f"{place}{letter}", place * days * DAY_SECONDS, WORDS[letter])
        for place, letter in enumerate(letters)
    ]


@pytest.mark.parametrize(
    "letters, expected",
    [
        ("", {}),
        ("EAS", {}),
        ("P", {0: "first"}),
        ("F", {0: "first"}),
        ("EEP", {2: "first"}),
        ("PPFFP", {0: "first", 2: "broken", 4: "fixed"}),
        ("PFEFAP", {0: "first", 1: "broken", 5: "fixed"}),
        ("PFEPF", {0: "first", 1: "broken", 3: "fixed", 4: "broken"}),
        ("FFP", {0: "first", 2: "fixed"}),
        ("PUFP", {0: "first", 1: "broken", 3: "fixed"}),
        ("PFFFFFFFFF", {0: "first", 1: "broken", 8: "still broken"}),
        ("PFEEEEEEEEF", {0: "first", 1: "broken", 10: "still broken"}),
        ("F" * 16, {0: "first", 7: "still broken", 14: "still broken"}),
    ],
)
def test_transitions_of_history(letters: str, expected: dict[int, str]) -> None:
    found = {int(one.point.name[:-1]): one.kind for one in transitions(points(letters), 7)}
    assert found == expected


def test_first_bad_range() -> None:
    (_, broken) = transitions(points("PPEAF"), 7)
    assert broken.good is not None
    assert (broken.good.name, broken.since.name) == ("1P", "4F")
    assert [point.name for point in broken.suspects] == ["2E", "3A", "4F"]


def test_days_of_streak() -> None:
    (*_, reminded, fixed) = transitions(points("PFFFFFFFFP"), 7)
    assert (reminded.days, reminded.since.name, [point.name for point in reminded.suspects]) == (7, "1F", ["1F"])
    assert (fixed.kind, fixed.days, fixed.since.name) == ("fixed", 8, "1F")


@given(st.text("PFUEAS", max_size=30))
def test_transitions_match_site(letters: str) -> None:
    found = {int(one.point.name[:-1]): one.kind for one in transitions(points(letters), 10_000)}
    shown = dict(history.transitions([point.result for point in points(letters)]))
    assert {place: kind for place, kind in found.items() if kind != "first"} == {
        place: {"broke": "broken", "mended": "fixed"}[change]
        for place, change in shown.items()
        if change != "never passed"
    }


@given(st.text("PFE", max_size=30), st.text("PFE", max_size=5))
def test_later_results_change_nothing(letters: str, more: str) -> None:
    before = list(transitions(points(letters), 3))
    assert list(transitions(points(letters + more), 3))[: len(before)] == before
