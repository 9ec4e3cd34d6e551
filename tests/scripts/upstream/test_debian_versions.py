"""The revision of a lab's builds: releases in their order, builds in theirs, and above what older labs have."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import pytest

from scripts.upstream import debian_versions
from tests.scripts.histories import dpkg

DISTRO_INFO = Path("/usr/share/distro-info")


def built(codename: str, number: int = 1, distribution: str = "debian") -> str:
    release = debian_versions.release(distribution, codename)
    return f"2.10+git20260103.2.abc1234-{debian_versions.revision(release, number)}"


def test_version_form() -> None:
    assert built("trixie", 3) == "2.10+git20260103.2.abc1234-0qalab+deb13+3"
    assert built("noble", 1, "ubuntu").endswith("-0qalab+ubuntu24.04+1")
    assert built("sid").endswith("-0qalab+sid+1")


@pytest.mark.parametrize(
    "distribution, line",
    [
        ("debian", "buster bullseye bookworm trixie forky duke sid"),
        ("ubuntu", "focal jammy noble oracular plucky questing resolute"),
    ],
)
@pytest.mark.parametrize("lower, higher", [(1, 1), (9, 1), (12, 2)])
def test_version_rises_with_release_upgrade(distribution: str, line: str, lower: int, higher: int) -> None:
    """The number of rebuilds does not matter."""
    for before, after in pairwise(line.split()):
        assert dpkg(built(before, lower, distribution), "lt", built(after, higher, distribution))


def test_version_rises_with_rebuild() -> None:
    for before, after in pairwise([1, 2, 9, 10, 11, 100]):
        assert dpkg(built("trixie", before), "lt", built("trixie", after))


@pytest.mark.parametrize("codename", ["bookworm", "trixie", "forky", "sid", "noble"])
@pytest.mark.parametrize("number", [1, 2, 40])
def test_version_is_above_older_lab_and_below_distribution(codename: str, number: int) -> None:
    stem = "2.10+git20260103.2.abc1234"
    new = built(codename, 1, "ubuntu" if codename == "noble" else "debian")
    assert dpkg(f"{stem}-0qalab{number}~{codename}1", "lt", new)
    for revision in ("0ubuntu1", "1", "1~bpo12+1", "0.1"):
        assert dpkg(new, "lt", f"{stem}-{revision}")


@pytest.mark.parametrize("distribution", debian_versions.RELEASES)
def test_releases_match_distro_info(distribution: str) -> None:
    path = DISTRO_INFO / f"{distribution}.csv"
    if not path.exists():
        pytest.skip("distro-info-data is not installed")
    prefix = {"debian": "deb", "ubuntu": "ubuntu"}[distribution]
    with path.open(encoding="utf-8") as lines:
        known = {row["series"]: prefix + row["version"].removesuffix(" LTS") for row in csv.DictReader(lines)}
    ours = debian_versions.RELEASES[distribution]
    assert {codename: known.get(codename, release) for codename, release in ours.items()} == ours


@pytest.mark.parametrize(
    "version, ours",
    [
        ("1.0-1", False),
        ("1.0-0ubuntu1", False),
        ("1.0-0qalab+deb13+1", True),
        ("2:1.0-0qalab3~trixie1", True),
        ("1.0-1qalab1", False),
        ("1.0-0qalabs1", False),
    ],
)
def test_version_made_by_a_lab(version: str, *, ours: bool) -> None:
    assert debian_versions.made_by_a_lab(version) == ours


@pytest.mark.parametrize(
    "upstream, taken, number",
    [
        ("2.10", [], 1),
        ("2.10", ["2.10-0qalab+deb12+1"], 2),
        ("2.10", ["greet_2.10-0qalab+deb12+9.dsc", "1:2.10-0qalab+deb12+10", "2.10-0qalab+deb12+2"], 11),
        ("2.10", ["2.10-0qalab+deb13+3", "12.10-0qalab+deb12+4", "2.10-5", "2x10-0qalab+deb12+4"], 1),
        ("2.10", ["2.10-0qalab7~bookworm1"], 1),  # of an older lab: below all
        ("2.10+git1", ["2.10+git1-0qalab+deb12+4", "2.10+git11-0qalab+deb12+9"], 5),
    ],
)
def test_build_numbers(upstream: str, taken: list[str], number: int) -> None:
    assert debian_versions.build_number(upstream, "deb12", taken) == number
