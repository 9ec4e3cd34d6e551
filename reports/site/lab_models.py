"""The pages of the whole lab as data: home, changes, health."""

from __future__ import annotations

from typing import Literal

from lab.results.history import State
from reports.activity import LabActivity
from reports.machines import PublicMachine
from reports.model import FrozenModel
from reports.site.lane_models import BreakagePart, Ref, SeriesAge, StandingPart, TransitionPart


class Cell(FrozenModel):
    track: str
    path: str
    state: State
    since: str


class Row(FrozenModel):
    """A component on each track; None for a track that does not test it."""

    component: str
    path: str
    cells: tuple[Cell | None, ...]


class TrackLink(FrozenModel):
    """A track on which something is broken, and since when."""

    track: str
    path: str
    since: Ref


class BreakageRow(FrozenModel):
    """A test or a step of a component that is broken on some tracks; the range is that of the oldest breakage."""

    component: str
    path: str
    phase: str
    state: State
    part: BreakagePart
    tracks: tuple[TrackLink, ...]
    last_failed: str
    """The end of the newest bad build if it is long ago: the phase was given up, or is no longer reached; else ""."""
    authors: tuple[str, ...]
    """The authors of the newest suspect commits."""


class Home(FrozenModel):
    kind: Literal["home"] = "home"
    lab: str
    description: str
    newest: str
    lanes: int
    dropped: int
    """The number of components on tracks that lab.yaml has no more; ``lanes`` are the others."""
    builds: int
    broken: tuple[BreakageRow, ...]
    pages: int
    breakage_count: int
    """The number of all breakages, on ``pages`` pages of which this is the first."""
    broken_count: int
    """The number of broken phases; ``never_passed_count`` of them have no good build on record."""
    never_passed_count: int
    unknown: tuple[StandingPart, ...]
    """The phases that passed, and about which nothing is known any more."""
    cut: tuple[StandingPart, ...]
    """The phases with more breakages than ``broken`` lists."""
    tracks: tuple[str, ...]
    rows: tuple[Row, ...]
    lately: tuple[TransitionPart, ...]


class BrokenPage(FrozenModel):
    """Further breakages of the home page: the page with this ``number``."""

    kind: Literal["broken"] = "broken"
    number: int
    pages: int
    count: int
    broken: tuple[BreakageRow, ...]


class DayChanges(FrozenModel):
    """The changes of a day, newest first."""

    day: str
    changes: tuple[TransitionPart, ...]


class ChangesPage(FrozenModel):
    """The changes in the ``days`` before the newest build of the lab."""

    kind: Literal["changes"] = "changes"
    days: int
    by_day: tuple[DayChanges, ...]
    bisections: int = 0
    """The number of published bisections."""


class ErrorRate(FrozenModel):
    """The number of errors among all runs of a step, or of the builds of an origin."""

    name: str
    runs: int
    errors: int


class IllLane(FrozenModel):
    """A phase whose newest builds are errors."""

    component: str
    track: str
    phase: str
    path: str
    errors: int
    last_verdict: str
    latest: Ref


class HealthPage(FrozenModel):
    """The errors of the lab in the ``days`` before the newest build of the site, and what waits and runs now.

    ``agents``: the nodes of the lab's Jenkins.  ``machines``: the bare ones.  ``activity`` is None without a Jenkins.
    """

    kind: Literal["health"] = "health"
    newest: str
    days: int
    steps: tuple[ErrorRate, ...]
    origins: tuple[ErrorRate, ...]
    agents: tuple[ErrorRate, ...]
    lanes: tuple[IllLane, ...]
    chroots: tuple[SeriesAge, ...]
    mirrors: tuple[SeriesAge, ...]
    machines: tuple[PublicMachine, ...]
    activity: LabActivity | None
