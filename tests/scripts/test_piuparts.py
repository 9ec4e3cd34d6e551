"""The cases of one run of piuparts: what its log and its status say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.piuparts import PiupartsLog, PiupartsTests, cases_of
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


UNMET = "  The following packages have unmet dependencies:\n   {0} : Depends: {1}\n"


class Excluding(PiupartsTests):
    """Tests whose piuparts installs no package named in ``apart`` together with another such, and none that is ``broken``."""

    apart: frozenset[str]
    broken: frozenset[str]

    def _run(self, name: str, group: Sequence[Mapping[str, str]], origin: str) -> PiupartsLog:
        names = [each["Package"] for each in group]
        bad = [each for each in names if each in self.broken]
        if len(self.apart & {*names}) > 1 or bad:
            text = UNMET.format((bad or names)[0], "nosuch but it is not installable")
            return PiupartsLog(text + BROKEN, ENDED)
        return PiupartsLog(PASS + UNKNOWN)


@pytest.mark.parametrize(
    ("apart", "broken", "outcomes"),
    [
        ("", "", {"a b c d": "passed"}),
        ("bc", "", {"a b": "passed", "c d": "passed"}),
        ("ab", "", {"a": "passed", "b": "passed", "c d": "passed"}),
        ("abcd", "", dict.fromkeys("abcd", "passed")),
        ("", "d", {"a b": "passed", "c": "passed", "d": "failed"}),
        ("ab", "d", {"a": "passed", "b": "passed", "c": "passed", "d": "failed"}),
    ],
    ids=["all together", "two halves", "in one half", "none together", "one is broken", "both"],
)
def test_piuparts_packages_whose_dependencies_exclude_each_other(
    apart: str, broken: str, outcomes: dict[str, str]
) -> None:
    said = list[str]()
    context: Any = SimpleNamespace(say=said.append)
    found: Any = SimpleNamespace(series="bookworm")
    tests = Excluding(context, found, "", {"bookworm": {}})
    object.__setattr__(tests, "apart", frozenset(apart))
    object.__setattr__(tests, "broken", frozenset(broken))
    tests.of_group("", [{"Package": name} for name in "abcd"])
    assert {case.classname: case.outcome for case in tests.cases if case.name == "install and purge"} == outcomes
    failed = [case.message for case in tests.cases if case.outcome == "failed"]
    assert failed == [f"{name} : Depends: nosuch but it is not installable" for name in broken]
    assert len(said) == len(outcomes) - 1
