"""The date of a mirror from what apt has of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.base.run import run
from scripts.chroots import release_dates

RELEASES = """\
Inst a (1 Release:12 [all])
/var/lib/apt/lists/m_debian_dists_trixie_InRelease:Origin: Debian
/var/lib/apt/lists/m_debian_dists_trixie_InRelease:Date: Sat, 05 Sep 2026 09:10:11 UTC
/var/lib/apt/lists/m_debian_dists_trixie-updates_Release:Origin: Debian
/var/lib/apt/lists/m_debian_dists_trixie-updates_Release:Date: Sat, 28 Nov 2026 20:17:18 UTC
/var/lib/apt/lists/127_dists_trunk_InRelease:Origin: testlab
/var/lib/apt/lists/127_dists_trunk_InRelease:Date: Sun, 29 Nov 2026 01:02:03 +0000
/var/lib/apt/lists/other_dists_x_InRelease:Date: the day before
/var/lib/apt/lists/other_dists_y_InRelease:Date: Sat, 28 Nov 99999999999999999999 20:17:18 UTC
"""


@pytest.mark.parametrize(
    "printed, ours, expected",
    [
        (RELEASES, "testlab", "2026-11-28T20:17:18.000Z"),
        (RELEASES, "", "2026-11-29T01:02:03.000Z"),
        ("Inst a (1 Debian:12/stable [all])\n", "testlab", ""),
        ("", "testlab", ""),
    ],
)
def test_date_of_mirror_is_that_of_its_newest_index(printed: str, ours: str, expected: str) -> None:
    assert release_dates.newest(printed, ours) == expected


def test_script_names_the_file_of_each_line(tmp_path: Path) -> None:
    script = release_dates.script().replace("/var/lib/apt/lists", str(tmp_path))
    assert run(["sh", "-euc", script], capture=True).stdout == ""
    (tmp_path / "a_InRelease").write_text("Origin: Debian\nLabel: Debian\nDate: Sat, 28 Nov 2026 20:17:18 UTC\n")
    printed = run(["sh", "-euc", script], capture=True).stdout
    assert printed.startswith(f"{tmp_path}/a_InRelease:Origin: Debian\n")
    assert release_dates.newest(printed, "testlab") == "2026-11-28T20:17:18.000Z"
