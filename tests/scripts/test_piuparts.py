"""The cases of one run of piuparts: what its log and its status say together."""

from __future__ import annotations

import pytest

from scripts.piuparts import PiupartsLog, cases_of
from tests.scripts.testing.test_piuparts_run import BROKEN, KNOWN, PASS, UNKNOWN, UPDATE

UPGRADED = "0m9s INFO: PASS: Installation, upgrade and purging tests.\n"
NOT_UPGRADED = "0m9s ERROR: FAIL: Installation, upgrade and purging tests.\n"
NOT_PURGED = "0m1s ERROR: FAIL: Installation and purging test.\n"
ENDED = "piuparts ended with status 1"


@pytest.mark.parametrize(
    ("log", "ended", "old", "outcomes"),
    [
        (PASS + KNOWN + UPGRADED, "", True, ["passed", "passed"]),
        (PASS + KNOWN + NOT_UPGRADED, ENDED, True, ["passed", "failed"]),
        (PASS + KNOWN + BROKEN, ENDED, True, ["passed", "failed"]),
        (PASS + UNKNOWN, "", True, ["passed", "error: the test did not take place"]),
        (PASS + UNKNOWN, "", False, ["passed", "skipped: bookworm has no older version"]),
        (NOT_PURGED, ENDED, True, ["failed", "skipped: not reached"]),
        (NOT_PURGED, ENDED, False, ["failed", "skipped: bookworm has no older version"]),
        (PASS + KNOWN + NOT_UPGRADED, ENDED, False, ["passed", "failed"]),
        (PASS + KNOWN + UPGRADED, "", False, ["passed", "passed"]),
        (PASS + UPDATE, ENDED, False, ["passed", "skipped: bookworm has no older version", f"error: {ENDED}"]),
        (PASS + UPDATE, ENDED, True, ["passed", "error: the test did not take place"]),
        (PASS + KNOWN + UPGRADED, "it took longer than 60 seconds", True,
         ["passed", "passed", "error: it took longer than 60 seconds"]),
        ("", ENDED, False, ["error", "skipped: bookworm has no older version"]),
    ],
    ids=[
        "good", "fails", "breaks", "left out", "new", "purge fails", "purge of a new one fails", "known to apt alone, fails",
        "known to apt alone", "ends before the upgrade of a new one", "ends before the upgrade", "ends after its tests", "no log",
    ],
)  # fmt: skip
def test_piuparts_log_and_status(log: str, ended: str, old: bool, outcomes: list[str]) -> None:  # noqa: FBT001 - a table
    found = cases_of("bookworm", [{"Package": "greet"}], PiupartsLog(log, ended), old=old, is_first=True)
    assert [case.name for case in found[:2]] == ["install and purge", "upgrade from bookworm"]
    told = [
        case.outcome
        if case.outcome == "failed" or case.name == "install and purge"
        else f"{case.outcome}: {case.message}"
        for case in found
    ]
    assert [each.removesuffix(": ") for each in told] == outcomes


@pytest.mark.parametrize(
    ("log", "ended", "old", "outcome"),
    [
        (KNOWN + UPGRADED, "", True, "passed"),
        (UNKNOWN, "", True, "error"),
        (BROKEN, ENDED, True, "error"),
        ("", "", False, "skipped"),
    ],
    ids=["good", "left out", "ends before the upgrade", "no run"],
)
def test_piuparts_upgrade_from_baseline_needs_no_other_run(log: str, ended: str, old: bool, outcome: str) -> None:  # noqa: FBT001 - a table
    (found,) = cases_of("trunk-tested", [{"Package": "greet"}], PiupartsLog(log, ended), old=old, is_first=False)
    assert (found.name, found.outcome) == ("upgrade from trunk-tested", outcome)
