"""The health of the lab, as tables: P passed, F failed, E an error, A aborted, S skipped; oldest first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.base.errors import Verdict
from lab.results.lab_health import episodes, errors_in_a_row, is_silent

WORDS: dict[str, Verdict] = {"P": "passed", "F": "failed", "E": "error", "A": "aborted", "S": "skipped"}


@pytest.mark.parametrize(
    "letters, expected",
    [("", 0), ("P", 0), ("EEP", 0), ("PE", 1), ("PEAE", 3), ("FESSE", 2), ("SS", 0), ("EE", 2), ("EFE", 1)],
)
def test_errors_in_a_row(letters: str, expected: int) -> None:
    assert errors_in_a_row([WORDS[letter] for letter in letters]) == expected


@pytest.mark.parametrize(
    "errors, days, expected",
    [(0, 400, False), (4, 6.9, False), (5, 0, True), (1, 7, True), (30, 30, True)],
)
def test_lab_is_silent(errors: int, days: float, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_silent(errors, days) is expected


@pytest.mark.parametrize(
    "builds, expected",
    [
        ("aP aE aE", []),
        ("aP aE aE aE", [3]),
        ("aE aE aE aE aE aE", [2]),  # once
        ("aE aE aP aE aE aE", [5]),
        ("aE aE aE aF aE aA aE", [2, 6]),  # two episodes
        ("aE bE aE bE aE bE", [4]),  # b makes no second one
        ("aE aE aE bE bE bE aP bE cE cE cE", [2]),  # it lasts until no lane is ill
        ("aE aE aE bE bE bE aP bP cE cE cE", [2, 10]),
        ("aE aS aE aS aE", [4]),
    ],
)
def test_alert_episodes(builds: str, expected: list[int]) -> None:
    assert list(episodes([(word[0], WORDS[word[1]]) for word in builds.split()], 3)) == expected


@pytest.mark.integration
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("PE")), max_size=40))
def test_alert_needs_errors_in_a_row(builds: list[tuple[str, str]]) -> None:
    found = list(episodes([(lane, WORDS[letter]) for lane, letter in builds], 3))
    for place in found:
        lane = builds[place][0]
        mine = [letter for name, letter in builds[: place + 1] if name == lane]
        assert mine[-3:] == ["E"] * 3
    assert bool(found) == any("EEE" in "".join(letter for name, letter in builds if name == lane) for lane in "ab")
