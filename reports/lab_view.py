"""What the site shows of the lab besides its builds, and which builds a lab can have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from lab.config.description import Lab
from lab.results.component_graph import ComponentGraph
from lab.store.run_directory import WHOLE
from reports.activity import LabActivity
from reports.machines import Machines
from reports.promotions import Promotions


@dataclass(frozen=True)
class LabView:
    """What waits and runs, the order of builds on each track with an archive here, what is not promoted, bare machines.

    ``activity`` is None where no Jenkins was asked.
    """

    activity: LabActivity | None = None
    graphs: Mapping[str, ComponentGraph] = field(default_factory=dict)
    promotions: Promotions = ()
    machines: Machines = ()

    @property
    def fingerprint(self) -> str:
        """Return a digest that changes with the view."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


NOTHING_KNOWN: Final = LabView()


def phases_of(lab: Lab) -> Iterator[tuple[str, str, str]]:
    """Yield the components, tracks and phases that lab.yaml has."""
    for name, track in lab.tracks.items():
        for component in (*lab.components_of(name), WHOLE):
            yield from ((component, name, phase) for phase in track.phases)
