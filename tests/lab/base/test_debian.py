"""Versions and changelogs, with dpkg's own programs as the judges."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.base import debian
from lab.base.run import output
from tests.conftest import EPOCH

CHANGELOG = """\
greet (2:1.0-1) unstable; urgency=medium

  * Initial release.

 -- Zoë Łab <zoe@lab.example>  Thu, 01 Jan 2026 00:00:00 +0000
"""


@pytest.mark.parametrize(
    "architectures, machine, here",
    [
        ("any", "amd64", True),
        ("all", "amd64", True),
        ("amd64", "amd64", True),
        ("s390x arm64", "arm64", True),
        ("linux-any", "amd64", True),
        ("any-amd64", "amd64", True),
        ("all s390x", "amd64", True),
        ("s390x", "amd64", False),
        ("kfreebsd-any", "amd64", False),
        ("arm64 any-arm", "amd64", False),
        ("amd64", "arm64", False),
    ],
)
def test_architecture_is_covered(architectures: str, machine: str, *, here: bool) -> None:
    assert debian.covers(architectures, machine) is here


@pytest.mark.parametrize(
    "left, relation, right, holds",
    [
        ("1.0~rc1", "lt", "1.0", True),
        ("1.0+git1", "gt", "1.0", True),
        ("1:0.1", "gt", "2.0", True),
        ("1.0", "eq", "1.00", True),
        ("1.10", "le", "1.9", False),
        ("1.0-1", "ge", "1.0-1", True),
    ],
)
def test_versions_are_compared_as_dpkg_does(left: str, relation: debian.Relation, right: str, *, holds: bool) -> None:
    assert debian.compare(left, relation, right) == holds


def test_changelog_newest_entry() -> None:
    entry = debian.newest_entry(CHANGELOG.replace("1.0-1", "1.1-1") + "\n" + CHANGELOG)
    assert entry == debian.ChangelogEntry("greet", "2:1.1-1", "2", "1.1", EPOCH)
    assert debian.newest_entry(CHANGELOG.replace("2:1.0-1", "3")) == debian.ChangelogEntry("greet", "3", "", "3", EPOCH)


@pytest.mark.parametrize(
    "trailer",
    [
        "Zoë Łab <zoe@lab.example>  Thu, 99 Jan 2026 00:00:00 +0000",
        "",
    ],
)
def test_changelog_unfinished_entry_has_no_date(trailer: str) -> None:
    assert debian.newest_entry(CHANGELOG.partition(" -- ")[0] + f" -- {trailer}\n").date == 0


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "hello\n", CHANGELOG.replace("2:1.0-1", "1_0"), CHANGELOG.replace("greet (", "greet "),
     CHANGELOG.replace("  * ", "* "), CHANGELOG.partition("\n --")[0], "<<<<<<< HEAD\n" + CHANGELOG],
)  # fmt: skip
def test_changelog_error_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        debian.newest_entry(text)


def test_changelog_entry_after_the_last_date() -> None:
    """Dates beyond the year 9999 are in repositories: of a wrong clock, and of jokes."""
    last = CHANGELOG.replace("Thu, 01 Jan 2026 00:00:00", "Fri, 31 Dec 9999 23:59:59")
    assert last != CHANGELOG
    for below, date in ((last, EPOCH), (CHANGELOG, 2**50)):
        top = debian.newest_entry(below)
        entry = debian.entry_above(
            top, "2:1.1-1", "trunk", bullets=["x"], maintainer="Zoë <zoe@lab.example>", date=date
        )
        assert entry.endswith("  Fri, 31 Dec 9999 23:59:59 +0000\n\n")


@pytest.mark.parametrize("date, written", [(EPOCH + 86_400, EPOCH + 86_400), (0, EPOCH + 1), (EPOCH, EPOCH + 1)])
def test_changelog_entry_above_another(tmp_path: Path, date: int, written: int) -> None:
    url = "https://upstream.example/" + "x" * 80
    entry = debian.entry_above(
        debian.newest_entry(CHANGELOG),
        "2:1.1-0qalab1~bookworm1",
        "trunk",
        bullets=["New upstream snapshot: " + "a word or two, " * 12, f"See {url}"],
        maintainer="Zoë Łab <zoe@lab.example>",
        date=date,
    )
    path = tmp_path / "changelog"
    path.write_text(debian.add_bullet(entry + CHANGELOG, "Drop a.patch: merged upstream."))
    told = dict(
        line.split(": ", 1)
        for line in output(["dpkg-parsechangelog", "--file", path]).splitlines()
        if not line.startswith((" ", "Changes:"))
    )
    assert (told["Version"], told["Source"], told["Distribution"]) == ("2:1.1-0qalab1~bookworm1", "greet", "trunk")
    assert (told["Timestamp"], told["Maintainer"]) == (str(written), "Zoë Łab <zoe@lab.example>")
    lines = path.read_text().splitlines()
    assert path.read_text().endswith(f"\n\n{CHANGELOG}")
    assert [line[:9] for line in lines if line.startswith("  * ")][:3] == ["  * New u", "  * See", "  * Drop "]
    assert [line for line in lines if len(line) > debian.CHANGELOG_WIDTH] == [f"    {url}"]
    assert debian.newest_entry(path.read_text()).date == written


@pytest.mark.integration
@settings(max_examples=50)
@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=40)).map(" ".join))
def test_changelog_bullet_keeps_all_words(text: str) -> None:
    lines = debian.bullet(text)
    assert " ".join(lines).split()[1:] == text.split() or not lines
    assert all(line.startswith("  * " if number == 0 else "    ") for number, line in enumerate(lines))
    assert all(len(line) <= debian.CHANGELOG_WIDTH or len(line.split()) <= 2 for line in lines)
