"""What the site shows of the lab besides its builds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lab.results.component_graph import ComponentGraph
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
