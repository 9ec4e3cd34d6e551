"""A site that several tests read and none changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.site import Identity, build
from tests.reports.site.worlds import World

SITE = Identity("openstack", "Every upstream commit", "https://qa.lab.example/")
WORLD = World(300, components=4, tracks=3)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory OUT of a site of 300 builds."""
    out = tmp_path_factory.mktemp("site")
    report = build(WORLD, out, SITE, read=WORLD.read)
    assert (report.added, report.rebuilt, report.refused) == (300, True, ())
    return out
