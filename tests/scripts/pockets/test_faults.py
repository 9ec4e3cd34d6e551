"""Faults of tracks: pockets that are missing, and targets that have other packages than the series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from scripts.pockets.faults import faults

PROPOSED = {"trigger": "proposed", "phases": ["deploy"]}
BOTH = ["updates", "security"]
KEY = ("series", "bookworm", "pockets")
OTHERS = (
    "the role keystone (deployment.applications.db) knows Debian's packages, and not those of ubuntu: "
    "leave deploy out, or use deployment.target juju"
)
OUTDATED = "the track trunk would compare updates with outdated packages"


@pytest.mark.parametrize(
    ("track", "series", "role", "found"),
    [
        (PROPOSED, {"pockets": BOTH}, "package", []),
        ({}, {}, "package", []),
        (PROPOSED, {}, "package", [(KEY, f"no updates and no security: {OUTDATED}")]),
        (PROPOSED, {"pockets": ["updates"]}, "package", [(KEY, f"no security: {OUTDATED}")]),
        (PROPOSED, {"pockets": [*BOTH, "proposed-updates"]}, "package",
         [(KEY, "proposed-updates is what the track trunk tests: leave it out")]),
        (PROPOSED, {"pockets": BOTH, "distribution": "ubuntu"}, "rabbitmq", []),
        ({"phases": ["build"]}, {"distribution": "ubuntu"}, "keystone", []),
        ({"phases": ["build", "deploy"]}, {"distribution": "ubuntu"}, "keystone",
         [(("tracks", "trunk", "series"), OTHERS)]),
    ],
)  # fmt: skip
def test_faults_of_tracks(
    lab_factory: Callable[..., Lab], track: dict[str, Any], series: dict[str, Any], role: str, found: list[Any]
) -> None:
    deployment = {"applications": {"db": {"role": role, "to": [0]}}}
    lab = lab_factory(track=track, lab={"series": {"bookworm": series}, "deployment": deployment})
    assert [*faults(lab)] == found


def test_what_a_track_waits_for_needs_no_component(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track={**PROPOSED, "waits_for": ["libvirt", "greet"]})
    assert lab.components_of("trunk") == ("greet", "libvirt")
    assert lab.component("libvirt", "trunk").upstream.git == ""
    with pytest.raises(ConfigurationError, match="waits_for: only a track with the trigger proposed"):
        lab_factory(track={"waits_for": ["libvirt"]})
