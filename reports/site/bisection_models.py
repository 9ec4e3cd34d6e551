"""The pages of bisections as data."""

from __future__ import annotations

from typing import Literal

from reports.bisections import PublicBisection
from reports.model import FrozenModel


class BisectionLink(FrozenModel):
    """A bisection in a list, or on the card of a breakage."""

    path: str
    component: str
    track: str
    message: str
    finished: str
    rejected: bool


class BisectionList(FrozenModel):
    """The bisections of a lab, newest first."""

    kind: Literal["bisections"] = "bisections"
    bisections: tuple[BisectionLink, ...]


class BisectionPage(FrozenModel):
    """A bisection with its evidence; ``has_component``: the component has a page."""

    kind: Literal["bisection"] = "bisection"
    bisection: PublicBisection
    has_component: bool
