"""Known failures next to the failures that they explain."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from lab.base.errors import ConfigurationError
from lab.config.known_failures import KnownFailure
from lab.results.cases import Case
from reports.site import Identity, build, identity
from tests.reports.publications import a_build
from tests.reports.publishing import a_lab
from tests.reports.site.worlds import InMemory

BUG = "https://bugs.lab.example/1"


@pytest.mark.integration
def test_site_shows_bugs_of_known_failures_and_follows_their_changes(tmp_path: Path) -> None:
    made = {}
    for number, outcome in ((1, "passed"), (2, "failed")):
        case = Case(suite="s", classname="c", name="t", outcome=outcome)
        one = a_build(number=number, verdict=outcome, cases=(case,), started=f"2026-01-0{number}T00:00:00.000Z",
                      finished=f"2026-01-0{number}T00:01:00.000Z")  # fmt: skip
        made[Path("/nowhere", f"{number}.tar.gz")] = InMemory(one, {})
    known = (KnownFailure(test="s/c/*", reason="it rains", bug=BUG, until=date(2026, 1, 31)),)
    shown = []
    for bugs in ((), known, known, ()):
        report = build(made, tmp_path, Identity("lab", known=bugs), read=made.__getitem__)
        page = json.loads((tmp_path / "current/api/v1/index.json").read_text())
        shown.append((report.rebuilt, bool(report.written), page["broken"][0]["part"]["bug"]))
        assert (BUG in (tmp_path / "current/index.html").read_text()) == bool(bugs)
        assert (BUG in (tmp_path / "current/p/greet/trunk/index.html").read_text()) == bool(bugs)
    assert shown == [(True, True, ""), (False, True, BUG), (False, False, BUG), (False, True, "")]


FILE = """known_failures:
- test: "*"
  reason: it rains
  bug: https://bugs.lab.example/1
"""


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("  until: 2027-01-31\n", ""),
        ("  fixed_in: 2.0-1\n", ""),
        ("  fixed_in: 2:30.0~rc1+dfsg-0ubuntu1\n", ""),
        ("  fixed_in: v2.0\n", "5: known_failures.0.fixed_in: not a version, such as 2:30.0-1"),
        ("  fixed_in: the next release\n", "5: known_failures.0.fixed_in: not a version, such as 2:30.0-1"),
        ("  fixed_in: 2.0-1_1\n", "5: known_failures.0.fixed_in: not a version, such as 2:30.0-1"),
        ("", "2: known_failures.0: has no end: add until (a day), fixed_in (a version), or both"),
        ("  fixed_on: 2.0-1\n", "5: known_failures.0.fixed_on: unknown key"),
    ],
)
def test_lab_names_file_of_known_failures(tmp_path: Path, end: str, error: str) -> None:
    lab = a_lab(tmp_path, lab={"name": "lab", "maintainer": "Lab <lab@lab.example>", "known_failures": "known.yaml"})
    path = lab.file.parent / "known.yaml"
    path.write_text(FILE + end)
    if error:
        with pytest.raises(ConfigurationError, match=re.escape(f"{path}:{error}")):
            identity(lab)
    else:
        (known,) = identity(lab).known
        assert known.bug == BUG
