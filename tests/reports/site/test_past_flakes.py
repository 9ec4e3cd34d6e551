"""The changes of a test that was flaky: they do not come back as breakages when it is flaky no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lab.results.cases import Case, Outcome
from lab.store.records import rfc3339
from reports.model import Commit
from reports.outcomes import digest
from reports.site.lane_history import History
from reports.site.lanes import lane
from reports.site.summary import summarise
from tests.reports.publications import a_build

OUTCOMES: dict[str, Outcome] = {".": "passed", "F": "failed"}
FLAKES = "..F..F..F.."


def changes(results: str) -> list[tuple[str, int]]:
    """Return what changed in builds in which a test failed (F), passed (.) or did not run (-), beside one that passes."""
    summaries, rosters = [], {digest([]): frozenset[str]()}
    for number, letter in enumerate(results, 1):
        cases = [Case(suite="s", classname="c", name="other", outcome="passed")]
        if letter in OUTCOMES:
            cases.append(Case(suite="s", classname="c", name="test", outcome=OUTCOMES[letter]))
        started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        commit = f"{number:040x}"
        build = a_build(
            number=number, verdict="unstable" if letter == "F" else "passed", started=rfc3339(started), commit=commit,
            finished=rfc3339(started), commits=(Commit(id=commit, subject="s"),), cases=tuple(cases),
        )  # fmt: skip
        summary, names = summarise(build)
        rosters[summary.results.roster] = frozenset(names)
        summaries.append(summary)
    found = lane(History(tuple(summaries), rosters.__getitem__)).transitions
    return [(one.change, one.build.number) for one in reversed(found)]


@pytest.mark.parametrize(
    "results, expected",
    [
        (FLAKES, []),
        (f"{FLAKES}----", []),  # removed
        (f"{FLAKES}{'.' * 70}", []),  # quiet for long
        (f"{FLAKES}{'F' * 20}", [("broke", 12)]),
        (f"{FLAKES}{'.' * 70}{'F' * 5}", [("broke", 82)]),
        (f"{FLAKES}{'F' * 20}..", [("broke", 12), ("mended", 32)]),
        (f"{FLAKES}{'F' * 20}..----", [("broke", 12), ("mended", 32)]),
        ("..F..", [("broke", 3), ("mended", 4)]),
        (f"..F..{'.' * 70}F..", [("broke", 3), ("mended", 4), ("broke", 76), ("mended", 77)]),
        (f"..{'F' * 9}..", [("broke", 3), ("mended", 12)]),
    ],
)
def test_changes_of_a_flaky_test(results: str, expected: list[tuple[str, int]]) -> None:
    assert changes(results) == expected


@pytest.mark.integration
@pytest.mark.parametrize("then", [".", "-", "F"])
def test_flakes_never_come_back_as_breakages(then: str) -> None:
    for count in range(4, 64):
        assert [number for _, number in changes(f"{FLAKES}{then * count}") if number < len(FLAKES)] == []
