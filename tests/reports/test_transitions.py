"""Notifications: tables of histories, and properties of all histories."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.base.errors import Verdict
from reports.outcomes import BadTest, RunResults
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
        ("P", {}),  # good news about nothing
        ("F", {0: "first"}),
        ("EEP", {}),
        ("PPFFP", {2: "broken", 4: "fixed"}),
        ("PFEFAP", {1: "broken", 5: "fixed"}),
        ("PFEPF", {1: "broken", 3: "fixed", 4: "broken"}),
        ("FFP", {0: "first", 2: "fixed"}),
        ("PUFP", {1: "broken", 3: "fixed"}),
        ("PFFFFFFFFF", {1: "broken", 8: "still broken"}),
        ("PFEEEEEEEEF", {1: "broken", 10: "still broken"}),
        ("F" * 16, {0: "first", 7: "still broken", 14: "still broken"}),
    ],
)
def test_transitions_of_verdicts(letters: str, expected: dict[int, str]) -> None:
    found = {int(one.point.name[:-1]): one.kind for one in transitions(points(letters), 7)}
    assert found == expected


def test_first_bad_range() -> None:
    (broken,) = transitions(points("PPEAF"), 7)
    assert broken.good is not None
    assert (broken.good.name, broken.since.name) == ("1P", "4F")
    assert [point.name for point in broken.suspects] == ["2E", "3A", "4F"]


def test_days_of_streak() -> None:
    (*_, reminded, fixed) = transitions(points("PFFFFFFFFP"), 7)
    assert (reminded.days, reminded.since.name, [point.name for point in reminded.suspects]) == (7, "1F", ["1F"])
    assert (fixed.kind, fixed.days, fixed.since.name) == ("fixed", 8, "1F")


def of_tests(words: str) -> list[HistoryPoint]:
    """Return builds by their tests: a capital letter fails."""
    made = []
    for place, word in enumerate(words.split()):
        marks = tuple(BadTest(test=letter.lower(), result="bad") for letter in word if letter.isupper())
        ran = frozenset(word.lower())
        verdict: Verdict = "failed" if marks else "passed"
        found = RunResults(roster="", marks=marks, failed=len(marks), ran=len(ran))
        made.append(HistoryPoint(str(place), place * DAY_SECONDS, verdict, found, ran, str(place)))
    return made


FLAKY = "ab Ab ab Ab ab ab ab ab ab ab ab ab"
FLAKES = ["1 broken a +0", "2 fixed a +0", "3 broken a +0", "4 fixed a +0"]


@pytest.mark.parametrize(
    "words, expected",
    [
        ("ab Ab AB", ["1 broken a +0", "2 broken b +1"]),
        ("ab Ab aB ab", ["1 broken a +0", "2 broken b +0", "3 fixed b +0"]),
        ("ab AB Ab ab", ["1 broken ab +0", "2 fixed b +1", "3 fixed a +0"]),
        ("ab Ab Cb cb", ["1 broken a +0", "2 broken c +1", "3 fixed ca +0 without a"]),  # renamed
        ("ab Ab b", ["1 broken a +0", "2 fixed a +0 without a"]),  # skipped
        ("ab Ab bC bc", ["1 broken a +0", "2 broken c +1", "3 fixed ca +0 without a"]),
        ("ab Ab B B B", ["1 broken a +0", "2 broken b +1"]),  # a is gone, and not fixed
        ("ab Ab ab Ab ab Ab ab", ["1 broken a +0", "2 fixed a +0", "3 broken a +0", "4 fixed a +0"]),  # flaky by now
        (f"{FLAKY} Ab Ab Ab ab", FLAKES),  # still flaky
        (
            f"{FLAKY} Ab Ab Ab Ab Ab ab",
            [*FLAKES, "15 broken a +0 since 12", "17 fixed a +0 since 12"],
        ),  # broken for good
        (
            f"{FLAKY} Ab Ab Ab AB Ab ab",
            [*FLAKES, "15 broken ab +0 since 12", "16 fixed b +1", "17 fixed a +0 since 12"],
        ),
        (
            f"{FLAKY} Ab AB AB Ab Ab ab",
            [*FLAKES, "13 broken b +0", "15 broken a +0 since 12 fixed b", "17 fixed a +0 since 12"],
        ),
        (f"{FLAKY} Ab Ab Ab B B B Ab", [*FLAKES, "15 broken b +0", "18 broken a +0"]),  # removed, and back
    ],
)
def test_transitions_of_tests(words: str, expected: list[str]) -> None:
    found = [
        f"{one.point.name} {one.kind} {''.join(subject.name for subject in one.subjects)} +{one.standing}"
        + f" since {one.since.name}" * one.was_flaky
        + "".join(f" fixed {subject.name}" for subject in one.fixed if one.was_flaky)
        + "".join(f" without {subject.name}" for subject in sorted(one.without))
        for one in transitions(of_tests(words), 100)
    ]
    assert found == expected


def test_range_is_that_of_the_test() -> None:
    (_, broken) = transitions(of_tests("ab Ab AB"), 100)
    assert broken.good is not None
    assert (broken.good.name, broken.since.name, [one.name for one in broken.suspects]) == ("1", "2", ["2"])


@given(st.text("PFUEAS", max_size=30))
def test_transitions_match_verdicts(letters: str) -> None:
    found = {int(one.point.name[:-1]): one.kind for one in transitions(points(letters), 10_000)}
    expected, state = {}, ""
    for place, letter in enumerate(letters):
        if letter in "PFU":
            now = "good" if letter == "P" else "bad"
            if now != state and (state or now == "bad"):
                expected[place] = "fixed" if now == "good" else "broken" if state else "first"
            state = now
    assert found == expected


@given(st.text("PFE", max_size=30), st.text("PFE", max_size=5))
def test_later_results_change_nothing(letters: str, more: str) -> None:
    before = list(transitions(points(letters), 3))
    assert list(transitions(points(letters + more), 3))[: len(before)] == before


@pytest.mark.integration
@given(st.lists(st.sampled_from(["ab", "Ab", "aB", "AB", "a", "B"]), max_size=20), st.sampled_from(["ab", "AB", "b"]))
def test_later_tests_change_nothing(words: list[str], more: str) -> None:
    before = list(transitions(of_tests(" ".join(words)), 3))
    assert list(transitions(of_tests(" ".join([*words, more])), 3))[: len(before)] == before
