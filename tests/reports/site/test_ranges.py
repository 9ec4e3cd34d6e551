"""What the card of a phase says of the range that broke it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lab.results.build_environment import BuildEnvironment
from lab.results.cases import Case
from reports.model import Commit
from reports.outcomes import digest
from reports.site.lane_history import History
from reports.site.lane_models import StandingPart
from reports.site.lanes import lane
from reports.site.summary import environment_digest, summarise
from tests.reports.publications import a_build, a_proposal

ENVIRONMENTS = {
    mark: BuildEnvironment(packages={"libc6": version}, packaging="f" * 40)
    for mark, version in {"": "2.36-9", "'": "2.37-1"}.items()
}
FLAKY = "a B c D e f g h i j k l"


def card(words: str, before: Mapping[str, Any] | None = None, **last: Any) -> StandingPart:
    """Return the card of a phase after a build for each word, in which its only test passed, or failed (a capital letter).

    The letter is the commit, ``'`` at the end of a word means that libc6 was another one, ``<`` that an older commit was
    built on purpose, and ``?`` that a change under review was.  ``last`` are fields of the last build, ``before`` of the one before it.
    """
    summaries, rosters = [], {digest([]): frozenset[str]()}
    for number, word in enumerate(words.split(), 1):
        letter, is_bad = word[0].lower(), word[0].isupper()
        is_new = letter not in [one[0].lower() for one in words.split()[: number - 1]]
        outcome = "failed" if is_bad else "passed"
        fields = {
            "number": number, "verdict": "unstable" if is_bad else "passed", "commit": letter * 40,
            "started": f"2026-01-{number:02}T00:00:00.000Z", "finished": f"2026-01-{number:02}T00:05:00.000Z",
            "commits": (Commit(id=letter * 40, subject=letter, author="Ada"),) * is_new,
            "cases": (Case(suite="s", classname="c", name="test", outcome=outcome),),
            "environment": ENVIRONMENTS["'" if word.endswith("'") else ""], "older": word.endswith("<"),
            "proposal": a_proposal(number) if word.endswith("?") else None,
        }  # fmt: skip
        more = last if number == len(words.split()) else before or {} if number == len(words.split()) - 1 else {}
        summary, names = summarise(a_build(**fields | more))
        rosters[summary.results.roster] = frozenset(names)
        summaries.append(summary)
    known = {environment_digest(one): one for one in ENVIRONMENTS.values()}
    (found,) = lane(History(tuple(summaries), rosters.__getitem__, environment=known.get)).phases
    return found


@pytest.mark.parametrize(
    "words, expected",
    [
        ("a b B", ("flaky", "", [])),  # the same twice: nothing explains it
        ("a b B'", ("b", "", ["libc6 2.36-9 -> 2.37-1"])),  # a dependency does
        ("a b B' B'", ("b", "", ["libc6 2.36-9 -> 2.37-1"])),
        ("a b' B", ("b", "", ["libc6 2.37-1 -> 2.36-9"])),
        ("a b B' b' B'", ("flaky", "", [])),
        ("a B", ("a", "b", [])),
        (f"{FLAKY} M N O P", ("l", "m", ["the test was flaky before: its first failures in a row can be chance"])),
        ("a B c d e F G H", ("e", "f", [])),  # one failure before is no flake
    ],
)
def test_range_of_a_test(words: str, expected: tuple[str, str, list[str]]) -> None:
    (part,) = card(words).breakages
    good = "flaky" if part.flaky else part.good.commit[0] if part.good else ""
    assert (good, "".join(one.subject for one in part.suspects), [*map(str, part.changes)]) == expected


@pytest.mark.parametrize(
    "words, expected",
    [
        ("a B a<", ("broken", 2)),  # what passes is older than what broke it
        ("a B a< C", ("broken", 2)),
        ("a B c B<", ("passing", 3)),
        ("a b B<", ("passing", 1)),
        ("a< a<", ("no verdict", None)),
        ("a? B? c? D?", ("no verdict", None)),  # each is another change
        ("a B? c", ("passing", 1)),
        ("A b? C", ("never passed", 1)),
    ],
)
def test_build_of_something_else_says_nothing_about_the_track(words: str, expected: tuple[str, int | None]) -> None:
    found = card(words)
    assert (found.state, found.since.number if found.since else None) == expected


@pytest.mark.parametrize(
    "failing, ran, is_outage",
    [
        (10, 12, True),
        (9, 12, True),
        (7, 12, True),
        (6, 12, False),
        (3, 3, True),
        (3, 5, True),
        (3, 6, False),
        (2, 2, True),
        (2, 3, True),
        (2, 4, False),
        (1, 1, False),
    ],
)
def test_outage_accuses_no_commit(failing: int, ran: int, *, is_outage: bool) -> None:
    cases = tuple(
        Case(suite="s", classname="c", name=f"test {number}", outcome="failed" if number < failing else "passed")
        for number in range(ran)
    )
    (part,) = card("a B", cases=cases).breakages
    assert [*map(str, part.changes)] == ["most tests failed at once, as in an outage of the lab"] * is_outage


def test_tests_that_broke_one_after_another_are_no_outage() -> None:
    cases = [
        Case(suite="s", classname="c", name=name, outcome=outcome)
        for name, outcome in (("a", "failed"), ("b", "failed"), ("c", "passed"), ("d", "passed"), ("e", "passed"))
    ]
    later = tuple(case.model_copy(update={"outcome": "failed"}) if case.name == "c" else case for case in cases)
    found = card("a B C", {"cases": tuple(cases), "verdict": "failed"}, cases=later)
    assert [[*map(str, part.changes)] for part in found.breakages] == [[], []]


@pytest.mark.parametrize(
    "unlisted, changes", [(0, []), (1, ["1 commit that no list names"]), (60, ["60 commits that no list names"])]
)
def test_commits_that_no_list_names_are_counted(unlisted: int, changes: list[str]) -> None:
    (part,) = card("a B", unlisted=unlisted).breakages
    assert (part.suspect_count, [*map(str, part.changes)]) == (1 + unlisted, changes)


def test_list_that_begins_before_the_good_build_accuses_no_older_commit() -> None:
    """The build of b fails for another reason, so it is not packaged, and the list of c has b too."""
    kept, fields = [], {"since": "a" * 40, "verdict": "failed"}
    for letters, is_bad in (("b", False), ("cb", True)):
        commits = tuple(Commit(id=letter * 40, subject=letter, author="Ada") for letter in letters)
        other = Case(suite="s", classname="c", name="other", outcome="failed")
        test = Case(suite="s", classname="c", name="test", outcome="failed" if is_bad else "passed")
        good = [Case(suite="s", classname="c", name=f"good {number}", outcome="passed") for number in range(2)]
        kept.append(fields | {"commit": letters[0] * 40, "commits": commits, "cases": (other, test, *good)})
    (part, _) = sorted(card("a b c", kept[0], **kept[1]).breakages, key=lambda one: one.name, reverse=True)
    assert (part.name, [one.subject for one in part.suspects], part.suspect_count) == ("s/c/test", ["c"], 1)
    assert part.changes == ()


def test_many_tags_of_lintian_are_no_outage() -> None:
    """There are tags only where something is wrong: their share says nothing."""
    tags = tuple(
        Case(suite="lintian", classname="greet", name=f"tag-{number}", outcome="failed") for number in range(12)
    )
    tests = tuple(Case(suite="s", classname="c", name=f"test {number}", outcome="passed") for number in range(3))
    found = card("a B", cases=(*tests, *tags))
    assert [(part.kind, part.also_count) for part in found.breakages] == [("test", 11)]


@pytest.mark.parametrize(
    "subjects, expected",
    [
        ("c", (["c"], 1, 0)),
        ("Mc", (["c"], 1, 1)),
        ("MNcd", (["c", "d"], 2, 2)),
        ("M", (["M"], 1, 0)),  # nothing else can have broken it
        ("MN", (["M", "N"], 2, 0)),
    ],
)
def test_merges_are_suspects_beside_the_commits(subjects: str, expected: tuple[list[str], int, int]) -> None:
    commits = tuple(Commit(id=f"{letter * 40}", subject=letter, merge=letter.isupper()) for letter in subjects)
    (part,) = card("a B", commits=commits).breakages
    assert ([one.subject for one in part.suspects], part.suspect_count, part.merge_count) == expected
