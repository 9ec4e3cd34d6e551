"""Notifications: tables of histories, and properties of all histories."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.base.errors import Verdict
from lab.results.commit_ranges import OUTAGE, WAS_FLAKY
from reports.outcomes import BadTest, RunResults
from reports.transitions import DAY_SECONDS, HistoryPoint, Transition, transitions

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
    """Return builds by their tests: a capital letter fails, E alone is an error of the lab, one in brackets is retracted."""
    made = []
    for place, written in enumerate(words.split()):
        word = written.strip("()")
        letters = "" if word == "E" else word
        marks = tuple(BadTest(test=letter.lower(), result="bad") for letter in letters if letter.isupper())
        ran = frozenset(letters.lower())
        verdict: Verdict = "error" if word == "E" else "failed" if marks else "passed"
        found = RunResults(roster="", marks=marks, failed=len(marks), ran=len(ran))
        point = HistoryPoint(str(place), place * DAY_SECONDS, verdict, found, ran, str(place))
        is_retracted = written != word
        made.append(replace(point, results=None, ran=frozenset(), is_retracted=True) if is_retracted else point)
    return made


def arriving(words: str, order: str) -> list[HistoryPoint]:
    """Return builds by their tests, and the order in which they are published."""
    arrivals = [*map(int, order.split())]
    return [replace(point, arrival=arrivals.index(place) + 1) for place, point in enumerate(of_tests(words))]


@pytest.mark.parametrize(
    "words, order, expected",
    [
        ("ab Ab ab", "0 1 2", ["1 broken a", "2 fixed a"]),
        ("ab Ab ab", "0 2 1", []),  # it is fixed already
        ("ab Ab Ab", "0 2 1", ["2 broken a"]),  # once
        ("ab Ab ab Ab ab", "0 1 3 2 4", ["1 broken a", "4 fixed a"]),  # it is broken again already
        ("ab Ab ab ab", "0 1 3 2", ["1 broken a", "3 fixed a"]),  # once
        ("ab Ab aB ab", "0 2 1 3", ["2 broken b", "3 fixed b"]),
        ("ab Ab AB Ab", "0 1 3 2", ["1 broken a"]),
        ("ab Ab E ab", "0 2 1 3", ["1 broken a", "3 fixed a"]),  # an error overtakes nothing
        ("ab Ab bC AbC", "0 2 1 3", ["2 broken c", "3 broken a"]),  # the next one that agrees tells
        ("Ab ab Ab", "2 0 1", ["2 broken a"]),
        ("ab Ab (ab) Ab", "0 2 1 3", ["3 broken a"]),  # the retracted one kept 1 from being told
        ("ab Ab (E) Ab", "0 2 1 3", ["1 broken a"]),
        ("ab Ab (ab) Ab Ab", "0 1 2 3 4", ["1 broken a", "3 still broken a"]),  # people were told that it is fixed
        ("ab Ab (aB) E Ab Ab", "0 1 2 3 4 5", ["1 broken a", "4 still broken a"]),
        ("ab Ab (ab) AB Ab", "0 1 2 3 4", ["1 broken a", "3 broken b", "4 fixed b"]),  # a is among its "still broken"
        ("ab Ab (ab) ab Ab", "0 1 2 3 4", ["1 broken a", "3 fixed a", "4 broken a"]),
        ("ab Ab (E) Ab", "0 1 2 3", ["1 broken a"]),
        ("ab (Ab) Ab ab", "0 1 2 3", ["2 broken a", "3 fixed a"]),
        ("ab Ab ab Ab", "3 2 1 0", ["3 broken a"]),
    ],
)
def test_build_that_a_newer_one_overtook_is_no_news(words: str, order: str, expected: list[str]) -> None:
    points = arriving(words, order)
    found = [
        f"{one.point.name} {one.kind} {''.join(it.name for it in one.subjects)}" for one in transitions(points, 99)
    ]
    assert found == expected


def test_news_count_what_an_overtaken_build_says() -> None:
    (broken, fixed) = transitions(arriving("ab Ab ab Ab Ab ab", "0 1 3 2 4 5"), 99)
    assert (broken.since.name, fixed.since.name, fixed.told.name) == ("1", "3", "1")
    (*_, reminder) = transitions(arriving("ab Ab ab Ab Ab", "0 1 3 2 4"), 2)
    assert reminder.good is not None
    assert (reminder.kind, reminder.good.name, reminder.since.name) == ("still broken", "2", "3")
    (broken,) = transitions(arriving("ab ab Ab", "0 2 1"), 99)
    assert broken.good is not None
    assert (broken.good.name, [one.name for one in broken.suspects]) == ("1", ["2"])


@pytest.mark.parametrize(
    "words, is_outage",
    [
        ("abc ABC", True),
        ("abcd ABCd", True),
        ("abcdef ABCdef", False),
        ("ab AB", True),
        ("abc ABc", True),
        ("abcd ABcd", False),
        ("a A", False),
        ("ab Ab AB", True),  # the only one that was good
        ("abcd ABcd ABCd", True),
        ("abcde ABcde ABCde", False),
        ("abcd Abcd ABCd", True),
        ("abcdef ABcdef ABCDef", True),
        ("abcdefg ABCdefg ABCDefg", False),
    ],  # half of those that were good, or more
)
def test_most_tests_at_once_can_be_an_outage(words: str, *, is_outage: bool) -> None:
    *_, last = transitions(of_tests(words), 99)
    assert (OUTAGE in last.doubts) == is_outage


@pytest.mark.parametrize(
    "words, expected",
    [
        ("abc ABC abc ABC abc Abc", ["1 broken abc", "2 fixed abc", "3 broken abc", "4 fixed abc", "5 broken a"]),
        ("abc Abc abc Abc abc Abc", ["1 broken a", "2 fixed a", "3 broken a", "4 fixed a"]),  # flaky
    ],
)
def test_outages_of_a_small_suite_make_no_test_flaky(words: str, expected: list[str]) -> None:
    found = transitions(of_tests(words), 99)
    assert [f"{one.point.name} {one.kind} {''.join(it.name for it in one.subjects)}" for one in found] == expected


@pytest.mark.parametrize(
    "words, order, expected",
    [
        ("B B a ab", "1 0 3 2", ["first", "fixed"]),
        ("E AB B Ab a", "0 2 4 1 3", ["first", "fixed"]),
        ("AB a AB B Ab ab", "3 0 5 1 4 2", ["broken", "fixed"]),
    ],
)
def test_news_of_a_breakage_that_later_builds_know_otherwise(words: str, order: str, expected: list[str]) -> None:
    """A build that was published late ended, by what is known now, what a newer one had told of."""
    assert [one.kind for one in transitions(arriving(words, order), 99)] == expected


def test_reminder_names_first_what_the_build_came_to() -> None:
    good, bad, *_ = of_tests("ab Ab")
    fault = RunResults(roster="", faults=("sbuild",))
    later = [HistoryPoint(f"{day}", day * DAY_SECONDS, "failed", fault) for day in (2, 3)]
    (*_, reminder) = transitions([good, bad, *later], 2)
    assert (reminder.kind, [one.name for one in reminder.subjects]) == ("still broken", ["sbuild", "a"])
    assert reminder.since.name == "2"


def test_days_are_none_where_a_clock_was_ahead() -> None:
    good, bad, later, fixed = points("PFFP")
    ahead = [good, replace(bad, started=later.started + 0.5 * DAY_SECONDS), later, fixed]
    assert [(one.kind, one.days) for one in transitions(ahead, 1)] == [("broken", 0), ("fixed", 0)]


def _told(one: Transition) -> tuple[object, ...]:
    # Whether it ever passed, and since when it is broken, can become known later.
    return one.kind.replace("first", "broken"), {*one.subjects}, {*one.fixed}


@pytest.mark.integration
@given(
    st.lists(st.sampled_from(["ab", "Ab", "aB", "AB", "a", "B", "E"]), max_size=9), st.randoms(use_true_random=False)
)
def test_news_of_a_build_are_those_at_its_publication(words: list[str], random: Random) -> None:
    order = random.sample(range(len(words)), len(words))
    points = arriving(" ".join(words), " ".join(map(str, order)))
    standing = set[str]()
    for count, place in enumerate(order, 1):
        name = str(place)
        known = [point for point in points if point.arrival <= count]
        then = [one for one in transitions(known, 99) if one.point.name == name]
        now = [one for one in transitions(points, 99) if one.point.name == name]
        assert [_told(one) for one in then] == [_told(one) for one in now]
        for one in now:
            ended = {it.name for it in (one.subjects if one.kind == "fixed" else one.fixed)}
            new = {it.name for it in one.subjects} if one.kind in {"broken", "first"} else set()
            assert ended <= standing
            assert not new & standing
            standing = standing - ended | new


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
        ("ab Ab B B B", ["1 broken a +0", "2 broken b +1", "4 fixed a +1 without a"]),  # a is gone
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
        + f" since {one.since.name}" * (WAS_FLAKY in one.doubts)
        + "".join(f" fixed {subject.name}" for subject in one.fixed if WAS_FLAKY in one.doubts)
        + "".join(f" without {subject.name}" for subject in sorted(one.without))
        for one in transitions(of_tests(words), 100)
    ]
    assert found == expected


def test_range_is_that_of_the_test() -> None:
    (_, broken) = transitions(of_tests("ab Ab AB"), 100)
    assert broken.good is not None
    assert (broken.good.name, broken.since.name, [one.name for one in broken.suspects]) == ("1", "2", ["2"])


@pytest.mark.parametrize(
    "late, expected",
    [
        ((), ["1 broken", "3 still broken", "5 fixed"]),
        ((3,), ["1 broken", "4 still broken", "5 fixed"]),  # the reminder is not lost
        ((1, 2), ["3 broken", "5 fixed"]),
        ((1, 2, 3, 4), []),
        ((5,), ["1 broken", "3 still broken", "5 fixed"]),  # an end is no history
    ],
)
def test_what_a_late_build_breaks_is_told_with_the_next(late: tuple[int, ...], expected: list[str]) -> None:
    found = [
        replace(point, delay=9 * DAY_SECONDS) if place in late else point
        for place, point in enumerate(of_tests("abcd Abcd Abcd Abcd Abcd abcd"))
    ]
    assert [f"{one.point.name} {one.kind}" for one in transitions(found, 2, 1)] == expected


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
