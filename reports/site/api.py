"""The pages as data: the models of ``/api/v1/``, the input of the templates and the source of the JSON Schemas.

``kind`` names the schema.  Paths are relative to the site's root; times are UTC, RFC 3339; durations are in seconds.
"""

from __future__ import annotations

from typing import Literal

from lab.base.errors import Verdict
from lab.results.history import Result, State
from reports.model import FrozenModel
from reports.site.bisection_models import BisectionList, BisectionPage
from reports.site.build_models import BuildPage
from reports.site.comparison_models import ComparisonPage
from reports.site.lab_models import BrokenPage, ChangesPage, HealthPage, Home
from reports.site.lane_models import Flaky, Ref, Slow, StandingPart, TestRef, TransitionPart
from reports.site.order_page import OrderPage
from reports.site.promotion_models import PromotionList, PromotionPage


class PlotPoint(FrozenModel):
    """A point of a plot: its label, its value, and the page with the details."""

    label: str
    value: float
    path: str
    result: Result


class ComponentPage(FrozenModel):
    kind: Literal["component"] = "component"
    component: str
    path: str
    state: State
    phases: tuple[StandingPart, ...]
    recent: tuple[Ref, ...]
    tracks: tuple[str, ...]
    lately: tuple[TransitionPart, ...]
    flaky: tuple[Flaky, ...]
    flaky_count: int


class StepCell(FrozenModel):
    step: str
    verdict: Verdict
    seconds: float
    path: str


class CommitRow(FrozenModel):
    """The newest result of each step for a commit."""

    commit: str
    path: str
    subject: str
    version: str
    started: str
    tries: int
    cells: tuple[StepCell | None, ...]


class MatrixRow(FrozenModel):
    """The results of a test, one for each run, newest first; None for a run without the test."""

    test: TestRef
    flaky: bool
    results: tuple[Result | None, ...]


class TrackPage(FrozenModel):
    kind: Literal["track"] = "track"
    component: str
    track: str
    series: str
    path: str
    state: State
    phases: tuple[StandingPart, ...]
    steps: tuple[str, ...]
    commits: tuple[CommitRow, ...]
    runs: tuple[Ref, ...]
    tests: tuple[MatrixRow, ...]
    more_tests: int
    months: tuple[str, ...]
    durations: tuple[PlotPoint, ...]
    pass_rate: tuple[PlotPoint, ...]
    verdict_time: tuple[PlotPoint, ...]


class MonthPage(FrozenModel):
    kind: Literal["month"] = "month"
    component: str
    track: str
    path: str
    month: str
    builds: tuple[Ref, ...]


class CommitBuild(FrozenModel):
    track: str
    series: str
    build: Ref


class CommitPage(FrozenModel):
    kind: Literal["commit"] = "commit"
    component: str
    commit: str
    path: str
    subject: str
    author: str
    builds: tuple[CommitBuild, ...]


class StreakPart(FrozenModel):
    """Consecutive equal results.  The newest streak is open: it has no ``last`` and no ``runs``."""

    result: Result
    first: Ref
    last: Ref | None
    runs: int | None
    message: str


class TestPage(FrozenModel):
    kind: Literal["test"] = "test"
    id: str
    component: str
    track: str
    path: str
    lane_path: str
    state: State
    flaky: bool
    removed: bool
    """Whether the newest builds did not run the test any more."""
    streaks: tuple[StreakPart, ...]
    """Newest first."""
    older: int


class FlakyPage(FrozenModel):
    kind: Literal["flaky"] = "flaky"
    tests: tuple[Flaky, ...]
    count: int
    """The number of all flaky tests, on ``pages`` pages of which this is the one with this ``number``."""
    number: int
    pages: int


class SlowPage(FrozenModel):
    kind: Literal["slow"] = "slow"
    builds: tuple[Slow, ...]
    steps: tuple[Slow, ...]
    tests: tuple[Slow, ...]


class StaleLane(FrozenModel):
    component: str
    track: str
    path: str
    last: str
    is_dropped: bool
    """Whether lab.yaml has no phase of it any more."""


class StalePage(FrozenModel):
    """The lanes without a build in the ``days`` before the newest build of the site."""

    kind: Literal["stale"] = "stale"
    days: int
    lanes: tuple[StaleLane, ...]


class ComponentLinks(FrozenModel):
    component: str
    path: str
    tracks: tuple[tuple[str, str], ...]
    """Name and path."""


class SearchPage(FrozenModel):
    kind: Literal["search"] = "search"
    indexed_builds: int
    """The number of builds of each component on each track whose commits and messages the index has."""
    components: tuple[ComponentLinks, ...]
    tests: tuple[TestRef, ...]


class ComparePage(FrozenModel):
    """The page that compares any two builds by a script; without one, it leads to the tracks."""

    kind: Literal["compare"] = "compare"
    components: tuple[ComponentLinks, ...]


class AboutPage(FrozenModel):
    kind: Literal["about"] = "about"
    lab: str
    description: str
    kinds: tuple[str, ...]


class Feed(FrozenModel):
    kind: Literal["feed"] = "feed"
    title: str
    path: str
    home: str
    updated: str
    entries: tuple[TransitionPart, ...]


class NewestBuild(FrozenModel):
    """The end of the newest build of the lab, "" without one."""

    kind: Literal["newest"] = "newest"
    finished: str


class Badge(FrozenModel):
    kind: Literal["badge"] = "badge"
    label: str
    state: State


Page = (
    Home | BrokenPage | ComponentPage | TrackPage | MonthPage | CommitPage | BuildPage | TestPage
    | FlakyPage | SlowPage | StalePage | HealthPage | ChangesPage | ComparisonPage | ComparePage | SearchPage | AboutPage
    | PromotionList | PromotionPage | BisectionList | BisectionPage
)  # fmt: skip
KINDS: dict[str, type[FrozenModel]] = {
    "home": Home, "broken": BrokenPage, "component": ComponentPage, "track": TrackPage, "month": MonthPage, "commit": CommitPage,
    "build": BuildPage, "test": TestPage, "flaky": FlakyPage, "slow": SlowPage, "stale": StalePage,
    "health": HealthPage, "order": OrderPage, "changes": ChangesPage,
    "comparison": ComparisonPage, "compare": ComparePage, "search": SearchPage, "about": AboutPage,
    "promotions": PromotionList, "promotion": PromotionPage,
    "bisections": BisectionList, "bisection": BisectionPage,
}  # fmt: skip
