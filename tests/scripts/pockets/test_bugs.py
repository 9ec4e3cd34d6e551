"""The bugs that an update closes, in the forms that dpkg and Launchpad know."""

from __future__ import annotations

import pytest
from debian.changelog import Changelog

from scripts.pockets.bugs import closed

ENTRY = "greet ({}) stable; urgency=medium\n\n  * {}\n\n -- Lab <lab@lab.example>  Thu, 01 Jan 2026 00:00:00 +0000\n\n"


@pytest.mark.parametrize(
    ("change", "bugs"),
    [
        ("Fix. LP: #12", ["LP: #12"]),
        ("Fix (LP: #12, #13)", ["LP: #12", "LP: #13"]),
        ("Fix. (Closes: #12, 13) Closes: bug#14", ["#12", "#13", "#14"]),
        ("Fix. closes: #12\n    (LP: #13)", ["LP: #13", "#12"]),
        ("See #12 and LP 13.", []),
        ("Fix (Closes: #12,\n    #13)", ["#12", "#13"]),
        (
            "CVE-2026-32316: stop. Fixes cve-2026-1234 (Closes: #9), CVE-2026-32316",
            ["CVE-2026-32316", "CVE-2026-1234", "#9"],
        ),
        ("See CVE-2026-12 and XCVE-2026-1234", []),
    ],
)
def test_bugs_of_an_entry(change: str, bugs: list[str]) -> None:
    assert closed(Changelog(ENTRY.format("1.0-2", change)), "1.0-1") == bugs


@pytest.mark.parametrize(
    ("replaces", "bugs"), [("1.0-1", ["#3", "#2"]), ("1.0-2", ["#3"]), ("1.0-2+b1", ["#3"]), ("", ["#3"])]
)
def test_bugs_since_the_released_version(replaces: str, bugs: list[str]) -> None:
    text = "".join(ENTRY.format(f"1.0-{number}", f"Closes: #{number}") for number in (3, 2, 1))
    assert closed(Changelog(text), replaces) == bugs
