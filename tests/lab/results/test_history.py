"""The definitions, as tables: P passed, F failed, - no result; oldest first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.results import history
from lab.results.cases import Case
from lab.results.history import Result, Standing, Streak

LETTERS: dict[str, Result] = {"P": "good", "F": "bad", "-": "neither"}


def results(text: str) -> list[Result]:
    return [LETTERS[letter] for letter in text]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", Standing("no verdict")),
        ("--", Standing("no verdict")),
        ("P", Standing("passing", 0)),
        ("-P--", Standing("passing", 1)),
        ("FPP", Standing("passing", 1)),
        ("PF", Standing("broken", 1, 0)),
        ("PPFF", Standing("broken", 2, 1)),
        ("P-F", Standing("broken", 2, 0)),  # an error of the lab does not break
        ("PF-F", Standing("broken", 1, 0)),  # nor end a streak
        ("PF-", Standing("broken", 1, 0)),
        ("PFPF", Standing("broken", 3, 2)),
        ("F", Standing("never passed", 0)),
        ("-F-F", Standing("never passed", 1)),
        ("FP", Standing("passing", 1)),
    ],
)
def test_standing_of_history(text: str, expected: Standing) -> None:
    assert history.standing(results(text)) == expected


def test_streaks_ignore_builds_without_result() -> None:
    assert history.streaks(results("P-PFF-P")) == [
        Streak("good", 0, 2, 2),
        Streak("bad", 3, 4, 2),
        Streak("good", 6, 6, 1),
    ]


@pytest.mark.parametrize(
    "points, expected",
    [
        ("aP bP cP", False),
        ("aF bF cF dF", False),  # what always fails is broken
        ("aP bF", False),  # one flip is a break
        ("aP bF cF", False),
        ("aP bF cP", False),  # broken and fixed
        ("aF bP cF", False),
        ("aP bP bP cF dF eF fF gF hP iP jP", False),  # a long breakage, fixed
        ("aF bF cF dP eF fF gF hP", False),
        ("aP bF cP dF eP", True),  # two short streaks
        ("aP bF cF dP eF fP", True),
        ("aP bF cP dF", False),  # the second one can last
        ("aP bF cP dF eP fF gF", True),
        ("aP bF cP dP eP fF gP hP iP jP kP lP mF nF oF pF", False),  # three in a row now: broken
        ("aP bF cP dF eP fF gP hF iP jF kF lF mF", True),  # five of nine: four in a row are chance
        ("aP bF cP dF eP fF gP hF iP jF kF lF mF nF oF pF qF rF sF tF uF vF", False),
        ("aP aF", True),  # both at one commit
        ("aP aF bF", True),
        ("aP aF bF cF dF", False),  # broken, by something else than a commit
        ("?P ?F", False),  # it is unknown whether that is one commit
        ("aP b- bF c- dF", False),
        ("aP aF" + " bP" * 50, False),  # long ago
        ("aP aF" + " bP" * 49, False),
        ("aP aF" + " bP" * 48, True),
        ("aP bF! cP dF! eP", False),  # most tests of both runs failed
        ("aP bF! cP dF eP", False),
        ("aP bF! cP dF eP fF gP", True),
        ("aP aF!", False),
        ("aP bF! cP dF! eF!", False),
        ("aP aF" + " aP" * 20 + " bF! cF! dF!", False),  # broken now, whatever fails beside it
    ],
)
def test_flaky_test_of_commits(points: str, *, expected: bool) -> None:
    found = [history.TestedResult(one[0].strip("?"), LETTERS[one[1]], one.endswith("!")) for one in points.split()]
    assert history.is_flaky(found) is expected


@pytest.mark.parametrize(
    "outcome, nuance, expected",
    [
        ("passed", "", "good"),
        ("passed", "superficial", "good"),
        ("passed", "flaky", "good"),
        ("failed", "", "bad"),
        ("failed", "timeout", "bad"),
        ("failed", "unexpected-success", "bad"),
        ("failed", "expected-failure", "neither"),
        ("error", "", "bad"),
        ("error", "testbed", "neither"),  # the lab's fault
        ("failed", "bad-package", "bad"),
        ("skipped", "", "neither"),
    ],
)
def test_case_result_of_outcome(outcome: str, nuance: str, expected: str) -> None:
    case = Case.model_validate({"suite": "s", "classname": "c", "name": "n", "outcome": outcome, "nuance": nuance})
    assert history.of_case(case) == expected


@given(st.text("PF-", max_size=40))
def test_standing_agrees_with_history(text: str) -> None:
    now = history.standing(results(text))
    if now.state == "broken":
        assert text[now.since] == "F"
        assert text[now.good] == "P"
        assert set(text[now.good + 1 : now.since]) <= {"-"}
        assert "P" not in text[now.since :]
    if now.state == "never passed":
        assert "P" not in text
