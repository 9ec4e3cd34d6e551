"""Faults of tracks in lab.yaml that only show once an update waits: missing pockets."""

from __future__ import annotations

from collections.abc import Iterator

from lab.config import apt
from lab.config.description import Lab, Track
from lab.config.loading import Key

RELEASED = ("updates", "security")


def faults(lab: Lab) -> Iterator[tuple[Key, str]]:
    """Yield what is wrong with the tracks of a lab, each with its key."""
    for name, track in lab.tracks.items():
        if track.series not in lab.series:
            continue
        if track.trigger == "proposed":
            yield from _pocket_faults(lab, name, track)


def _pocket_faults(lab: Lab, name: str, track: Track) -> Iterator[tuple[Key, str]]:
    """Yield missing pockets: an update replaces the newest released version, and is deployed beside released ones."""
    series = lab.series[track.series]
    key = ("series", track.series, "pockets")
    if missing := [each for each in RELEASED if each not in series.pockets]:
        yield key, f"no {' and no '.join(missing)}: the track {name} would compare updates with outdated packages"
    if (waiting := apt.PROPOSED[series.distribution][0]) in series.pockets:
        yield key, f"{waiting} is what the track {name} tests: leave it out"
