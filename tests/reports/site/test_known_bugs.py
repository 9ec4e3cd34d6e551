"""Known bugs of lab.yaml next to the failures that they explain."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from lab.config.servers import KnownBug
from lab.results.cases import Case
from reports.site import Identity, build, identity
from reports.site.identity import FailureFacts, bug_of
from tests.reports.publications import a_build
from tests.reports.publishing import a_lab
from tests.reports.site.worlds import InMemory

BUG = "https://bugs.lab.example/1"
FAILURE = FailureFacts("greet", "trunk", "s/c/test_expiry", "401 != 200", "2026-01-02")


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"test": "s/c/test_expiry"}, True),
        ({"test": "s/*"}, True),
        ({"test": "test_expiry"}, False),
        ({"test": "*", "message": r"^\d+ != 200"}, True),
        ({"test": "*", "message": "500"}, False),
        ({"test": "*", "components": ("nova", "gr*")}, True),
        ({"test": "*", "components": ("nova",)}, False),
        ({"test": "*", "tracks": ("stable",)}, False),
        ({"test": "*", "until": date(2026, 1, 2)}, True),
        ({"test": "*", "until": date(2026, 1, 1)}, False),
    ],
)
def test_bug_explains(fields: dict[str, object], expected: bool) -> None:  # noqa: FBT001 - a table
    assert bool(bug_of([KnownBug(bug=BUG, **fields)], FAILURE)) is expected


@pytest.mark.integration
def test_site_shows_known_bugs_and_follows_their_changes(tmp_path: Path) -> None:
    made = {}
    for number, outcome in ((1, "passed"), (2, "failed")):
        case = Case(suite="s", classname="c", name="t", outcome=outcome)
        one = a_build(number=number, verdict=outcome, cases=(case,), started=f"2026-01-0{number}T00:00:00.000Z",
                      finished=f"2026-01-0{number}T00:01:00.000Z")  # fmt: skip
        made[Path("/nowhere", f"{number}.tar.gz")] = InMemory(one, {})
    known = (KnownBug(test="s/c/*", bug=BUG),)
    shown = []
    for bugs in ((), known, known, ()):
        report = build(made, tmp_path, Identity("lab", known=bugs), read=made.__getitem__)
        page = json.loads((tmp_path / "current/api/v1/index.json").read_text())
        shown.append((report.rebuilt, bool(report.written), page["broken"][0]["part"]["bug"]))
        assert (BUG in (tmp_path / "current/index.html").read_text()) == bool(bugs)
        assert (BUG in (tmp_path / "current/p/greet/trunk/index.html").read_text()) == bool(bugs)
    assert shown == [(True, True, ""), (False, True, BUG), (False, False, BUG), (False, True, "")]


def test_lab_yaml_has_known_bugs(tmp_path: Path) -> None:
    lab = a_lab(tmp_path, public={"known_bugs": [{"test": "*", "bug": BUG, "until": "2027-01-31"}]})
    (bug,) = identity(lab).known
    assert (bug.bug, bug.until) == (BUG, date(2027, 1, 31))
