"""Breakages of single tests and steps, as tables and as properties of all histories.

A run is a word: P, F and E are the verdict, and C closes the history; ``a`` is a test that passed, ``A`` one that failed, ``s`` a step that passed,
``S`` one that failed for itself.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.results.breakages import (
    GONE_RUNS,
    MOST_TESTS,
    Breakage,
    RunOutcome,
    Subject,
    breakages,
    is_outage,
    standing_first,
    turns,
)
from lab.results.history import Result

VERDICTS: dict[str, Result] = {"P": "good", "F": "bad", "E": "neither", "C": "neither"}
ROSTERS: dict[str, frozenset[str]] = {}


def run(word: str) -> RunOutcome:
    tests = [letter for letter in word[1:] if letter.lower() != "s"]
    steps = [letter for letter in word[1:] if letter.lower() == "s"]
    bad = [Subject("test", letter.lower()) for letter in tests if letter.isupper()]
    bad += [Subject("step", "s") for letter in steps if letter.isupper()]
    names = "".join(sorted(word[1:].lower().replace("s", "")))
    ran = ROSTERS.setdefault(names, frozenset(names))
    return RunOutcome(
        VERDICTS[word[0]], frozenset(bad), [letter for letter in steps if letter.islower()], ran, word == "C"
    )


def found(text: str) -> list[str]:
    """Return the breakages as ``NAME GOOD..SINCE END``; ``x`` marks one that is gone, ``-`` one that lasts."""
    return [
        f"{one.subject.name} {'' if one.good is None else one.good}..{one.since} "
        f"{'-' if one.end is None else one.end}{'x' * one.is_gone}"
        for one in breakages([run(word) for word in text.split()])
    ]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Pab Pab", []),
        ("Pab FAb FAb", ["a 0..1 -"]),
        ("Pab FAb Pab", ["a 0..1 2"]),
        ("Pab FAb C", ["a 0..1 2x"]),  # withdrawn: nothing is broken any more
        ("Pab FAb C FAb", ["a 0..1 2x", "a ..3 -"]),  # a later version has a history of its own
        ("Pab C FaB FAB", ["b ..2 -", "a 2..3 -"]),  # the same tests run as before
        ("Ps FS C FS Ps", ["s 0..1 2x", "s ..3 4"]),
        ("Ps FS C Ps FS", ["s 0..1 2x", "s 3..4 -"]),
        ("Pab FAb FaB", ["a 0..1 2", "b 1..2 -"]),  # one replaces another
        ("Pab FAb FAB", ["a 0..1 -", "b 1..2 -"]),  # a second breakage next to a standing one
        ("Pab FAb EaB FAb Pab", ["a 0..1 4"]),  # an error has no result
        ("Pab Fs FAbs", ["a 0..2 -"]),  # the tests did not run in between
        ("Pabs FSabs FABs", ["s 0..1 2", "a 1..2 -", "b 1..2 -"]),
        ("Pabs FAbs FS FS FAbs", ["a 0..1 -", "s 1..2 4"]),  # a step next to a test that waits
        ("FAb FAb", ["a ..0 -"]),  # never passed
        ("FAb Pab FAb", ["a ..0 1", "a 1..2 -"]),
        ("Pab PabC", ["c 0..1 -"]),  # a new test that fails: its change is after the last good run
        ("Pab FAb FAbC", ["a 0..1 -", "c 0..2 -"]),
        ("Pab FAb Fcb Pcb", ["a 0..1 3x"]),  # renamed and fixed: gone with the good verdict
        ("Pab FAb FCb FCb FCb", ["a 0..1 4x", "c 0..2 -"]),  # renamed: gone after three runs
        ("Pab FAb FB FAb Pab", ["a 0..1 4", "b 1..2 3"]),  # absent once is not gone
        ("Pab FAb Pb PAb Pb FAb", ["a 0..1 2x", "a 0..3 4x", "a 0..5 -"]),  # skipped in between: the last own good counts
        ("", []),
        ("E E", []),
    ],
)  # fmt: skip
def test_breakages_of_history(text: str, expected: list[str]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "failed, ran, expected",
    [(9, 9, False), (10, 19, True), (10, 20, False), (600, 1_000, True), (500, 1_000, False), (0, 0, False)],
)
def test_outage_share_of_failed_tests(failed: int, ran: int, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_outage(failed, ran) is expected


def test_outage_is_no_breakage_of_a_test() -> None:
    outage = RunOutcome("bad", {MOST_TESTS})
    runs = [run("Pab"), run("FAb"), outage, outage, run("FAb")]
    assert [(one.subject, one.good, one.since, one.end) for one in breakages(runs)] == [
        (("test", "a"), 0, 1, None),
        (MOST_TESTS, 1, 2, 4),
    ]


@pytest.mark.parametrize(
    "text, flaky, first",
    [
        ("Pab FAb FAB", "", "a b"),  # the longest explains the streak
        ("Pab FAb FAB", "a", "b a"),  # a flaky test explains nothing
        ("Pabs FAbs FS", "", "s a"),  # the newest run did not reach the test
        ("Pabs FABSabs", "", "a b s"),
        ("Pab FAb Pab", "", ""),
    ],
)
def test_breakage_order_begins_with_best_explanation(text: str, flaky: str, first: str) -> None:
    runs = [run(word) for word in text.split()]
    newest = max((place for place, one in enumerate(runs) if one.bad), default=0)
    assert [one.subject.name for one in standing_first(breakages(runs), flaky, newest)] == first.split()


def test_turns_count_standing_breakages() -> None:
    found = list(turns(breakages([run(word) for word in ["Pab", "FAb", "FAB", "FaB", "Pab"]])))
    names = [
        (turn.place, *("".join(one.subject.name for one in part) for part in (turn.broke, turn.ended)), turn.standing)
        for turn in found
    ]
    assert names == [(1, "a", "", 0), (2, "b", "", 1), (3, "", "a", 1), (4, "", "b", 0)]


WORDS = st.lists(
    st.tuples(st.sampled_from("PFE"), st.lists(st.sampled_from("aAbBcCsS"), unique_by=str.lower)).map(
        lambda parts: parts[0] + "".join(parts[1] if parts[0] != "P" else map(str.lower, parts[1]))
    ),
    max_size=30,
)


@pytest.mark.integration
@given(WORDS)
def test_breakages_agree_with_each_result(words: list[str]) -> None:
    runs = [run(word) for word in words]
    all_found = breakages(runs)
    for one in all_found:
        streak = [runs[place].of(one.subject) for place in range(one.since, one.last + 1)]
        assert (streak[0], streak[-1], streak.count("bad")) == ("bad", "bad", one.count)
        assert "good" not in streak
        assert one.good is None or one.good < one.since
        if one.good is not None:
            between = {runs[place].of(one.subject) for place in range(one.good + 1, one.since)}
            assert "good" not in between
        if one.end is not None and not one.is_gone:
            assert runs[one.end].of(one.subject) == "good"
    bad = {(place, subject) for place, one in enumerate(runs) if one.result != "neither" for subject in one.bad}
    assert sum(one.count for one in all_found) == len(bad)  # each bad result belongs to one breakage
    if runs and runs[-1].result == "good":
        assert all(one.end is not None for one in all_found)


@pytest.mark.integration
@given(WORDS, WORDS)
def test_later_runs_only_continue_breakages(words: list[str], more: list[str]) -> None:
    def ended(text: list[str]) -> list[Breakage]:
        return [one for one in breakages([run(word) for word in text]) if one.end is not None]

    assert [one for one in ended(words + more) if (one.end or 0) < len(words)] == ended(words)


def test_removed_test_is_gone_after_some_runs() -> None:
    text = "Pab FAb" + " FB" * GONE_RUNS
    assert found(text)[0] == f"a 0..1 {1 + GONE_RUNS}x"
    assert found(text.removesuffix(" FB"))[0] == "a 0..1 -"


class Counted(RunOutcome):
    """A run that counts how often it is asked."""

    asked = 0

    def of(self, subject: Subject) -> Result:
        Counted.asked += 1
        return super().of(subject)


@pytest.mark.parametrize("last_pass", [True, False])
def test_test_that_is_never_good_costs_no_more_with_a_longer_history(last_pass: bool) -> None:  # noqa: FBT001 - a table
    """It fails in each fifth run, and is skipped in the others, so that each failure begins a breakage."""
    subject, others = Subject("test", "t"), frozenset({"u"})
    costs = []
    for count in (200, 400):
        runs = [
            Counted("bad", {subject}, (), others | {"t"}) if place % 5 == 0 else Counted("bad", (), (), others)
            for place in range(count)
        ]
        runs[0] = Counted("good" if last_pass else "bad", () if last_pass else {subject}, (), others)
        Counted.asked = 0
        found = breakages(runs)
        assert [one.good for one in found if one.subject == subject] == [0 if last_pass else None] * len(found)
        assert len(found) == count // 5 - last_pass
        costs.append(Counted.asked)
    assert costs[1] < 2.2 * costs[0]


TAG, COUNTS, DOCUMENT = "lintian/greet/no-copyright-file", "s/s/[counts]", "tap/a.t/[plan]"


def complaining(words: str) -> list[RunOutcome]:
    """Return runs with complaints: L of lintian, C of the suite s, D of the document a.t; X is another test that failed.

    A small letter is what would have made the complaint, without one.
    """
    names = {"l": TAG, "c": COUNTS, "d": DOCUMENT, "x": "u/c/x"}
    made = []
    for word in words.split():
        bad = {Subject("test", names[letter.lower()]) for letter in word if letter.isupper()}
        ran = {one.name for one in bad} | {"s/c/t" for letter in word if letter in "cC"}
        ran |= {"tap/a.t/1" for letter in word if letter in "dD"} | {"u/c/x" for letter in word if letter == "x"}
        steps = ["lintian"] if "l" in word.lower() else []
        made.append(RunOutcome("bad" if bad else "good", frozenset(bad), steps, frozenset(ran)))
    return made


@pytest.mark.parametrize(
    "words, subject, expected",
    [
        ("l L l", TAG, (0, 1, 2, False)),
        ("l L Xl", TAG, (0, 1, 2, False)),  # fixed, while another test is broken
        ("xl Xl XL", TAG, (1, 2, None, False)),  # not since the last run that passed
        ("xl Xl XL X X", TAG, (1, 2, None, False)),  # lintian did not run
        ("c Xc XC X", COUNTS, (1, 2, None, False)),
        ("c Xc XC Xc", COUNTS, (1, 2, 3, False)),
        ("d Xd XD Xc", DOCUMENT, (1, 2, None, False)),  # another document says nothing
        ("d Xd XD Xd", DOCUMENT, (1, 2, 3, False)),
    ],
)
def test_complaint_is_good_where_what_makes_it_is_silent(
    words: str, subject: str, expected: tuple[int, int, int | None, bool]
) -> None:
    (one,) = [each for each in breakages(complaining(words)) if each.subject.name == subject]
    assert (one.good, one.since, one.end, one.is_gone) == expected


def test_outage_says_nothing_about_a_complaint() -> None:
    good, bad = complaining("l L")
    outage = RunOutcome("bad", frozenset({MOST_TESTS}), ["lintian"])
    (one, _) = breakages([good, bad, outage])
    assert (one.subject.name, one.end) == (TAG, None)


@pytest.mark.parametrize("skips, end", [(GONE_RUNS - 1, None), (GONE_RUNS, GONE_RUNS)])
def test_step_that_runs_skip_is_removed_while_a_test_fails(skips: int, end: int | None) -> None:
    """A step that runs do not come to is not."""
    names, test = frozenset({"a"}), Subject("test", "a")
    broken = RunOutcome("bad", {Subject("step", "piuparts"), test}, (), names)
    skipped = RunOutcome("bad", {test}, (), names, skipped_steps=("piuparts",))
    missing = RunOutcome("bad", {test}, (), names)
    one = next(one for one in breakages([broken, *[skipped] * skips, missing]) if one.subject.kind == "step")
    assert (one.end, one.is_gone) == (end, end is not None)
