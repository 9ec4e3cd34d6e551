"""Faults of tracks: pockets that are missing."""

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
OUTDATED = "the track trunk would compare updates with outdated packages"


@pytest.mark.parametrize(
    ("track", "series", "found"),
    [
        (PROPOSED, {"pockets": BOTH}, []),
        ({}, {}, []),
        (PROPOSED, {}, [(KEY, f"no updates and no security: {OUTDATED}")]),
        (PROPOSED, {"pockets": ["updates"]}, [(KEY, f"no security: {OUTDATED}")]),
        (PROPOSED, {"pockets": [*BOTH, "proposed-updates"]},
         [(KEY, "proposed-updates is what the track trunk tests: leave it out")]),
        (PROPOSED, {"pockets": BOTH, "distribution": "ubuntu"}, []),
    ],
)  # fmt: skip
def test_faults_of_tracks(
    lab_factory: Callable[..., Lab], track: dict[str, Any], series: dict[str, Any], found: list[Any]
) -> None:
    lab = lab_factory(track=track, lab={"series": {"bookworm": series}})
    assert [*faults(lab)] == found


def test_what_a_track_waits_for_needs_no_component(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(track={**PROPOSED, "waits_for": ["libvirt", "greet"]})
    assert lab.components_of("trunk") == ("greet", "libvirt")
    assert lab.component("libvirt", "trunk").upstream.git == ""
    for key, value in {"waits_for": ["libvirt"], "whole_pocket": True}.items():
        with pytest.raises(ConfigurationError, match=f"{key}: only a track with the trigger proposed"):
            lab_factory(track={key: value})
