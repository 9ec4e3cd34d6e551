"""A site whose state is damaged is built again from its bundles."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from reports.site import Identity, build
from tests.reports.site.crawl import tree_of
from tests.reports.site.worlds import World, write_bundles

WORLD = World(8, components=1, tracks=1, tests=6, lines=3)


@pytest.mark.integration
@pytest.mark.parametrize("first, last", [(0, 3_000), (0, 16), (100, 2_000), (4_096, 40_000), (8_192, 400_000)])
def test_damaged_state_is_made_again(tmp_path: Path, first: int, last: int) -> None:
    paths = list(WORLD)
    build(paths[:6], tmp_path, Identity("lab"), read=WORLD.read)
    state = tmp_path / "state.sqlite"
    data = state.read_bytes()
    noise = Random(1).randbytes(max(0, min(last, len(data)) - first))
    state.write_bytes(data[:first] + noise + data[first + len(noise) :])
    report = build(paths, tmp_path, Identity("lab"), read=WORLD.read)
    assert (report.left_out, report.stale) == ({}, {})
    other = tmp_path / "other"
    build(paths, other, Identity("lab"), read=WORLD.read)
    assert tree_of(tmp_path / "current") == tree_of(other / "current")


@pytest.mark.integration
def test_rebuild_leaves_no_second_link(tmp_path: Path) -> None:
    paths = write_bundles(WORLD, tmp_path / "bundles")
    for rebuild in (False, True, True):
        build(paths, tmp_path / "site", Identity("lab"), rebuild=rebuild)
    assert [path for path in (tmp_path / "site").rglob(".*") if path.name.endswith(".new")] == []
    assert {path.stat().st_nlink for path in paths} == {2}
