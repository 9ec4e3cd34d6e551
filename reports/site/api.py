"""What each page says, as data: the models of ``/api/v1/``, from which the pages are made and the schemas come.

``kind`` names the schema.  Paths are relative to the site's root; times are UTC, RFC 3339; seconds are seconds.
"""

from __future__ import annotations

from typing import Literal

from lab.base.errors import Verdict
from lab.results.cases import Nuance, Outcome
from lab.results.history import Change, Result, State
from reports.model import Commit, File, FrozenModel


class Ref(FrozenModel):
    """A build, as lists tell of it."""

    id: str
    path: str
    phase: str
    number: int
    verdict: Verdict
    started: str
    finished: str
    seconds: float
    commit: str
    commit_path: str
    subject: str
    """Of the commit, where the build is the first to have it."""
    version: str
    step: str
    message: str


class TestRef(FrozenModel):
    """A test that has failed at least once, and the page of its history."""

    id: str
    path: str
    component: str
    track: str


class StandingPart(FrozenModel):
    """How a component stands on a track in one phase: ``since`` when, and what the first bad range is.

    ``good`` is the last build that passed before; ``suspects`` are the newest commits of those after it up to
    ``since``, ``suspect_count`` is how many there are in all.  ``failing`` is the newest bad build.
    """

    component: str
    track: str
    series: str
    phase: str
    path: str
    state: State
    since: Ref | None
    good: Ref | None
    suspects: tuple[Commit, ...]
    suspect_count: int
    failing: Ref | None
    test: TestRef | None
    failed_tests: int
    latest: Ref


class TransitionPart(FrozenModel):
    """Something changed: it broke, was mended, or was bad from the start."""

    id: str
    change: Change
    component: str
    track: str
    phase: str
    build: Ref
    good: Ref | None
    test: TestRef | None


class Flaky(FrozenModel):
    """A test that passes and fails; ``results`` are its last, newest first."""

    test: TestRef
    results: tuple[Result, ...]
    flips: int
    newest: Ref


class Slow(FrozenModel):
    """What takes long: the median of the newest builds, and of those before them."""

    what: str
    component: str
    track: str
    path: str
    seconds: float
    before: float | None


class Lane(FrozenModel):
    """A component on a track: what other pages need to know of it."""

    component: str
    track: str
    series: str
    path: str
    state: State
    phases: tuple[StandingPart, ...]
    latest: Ref
    builds: int
    flaky: tuple[Flaky, ...]
    failed: tuple[TestRef, ...]
    transitions: tuple[TransitionPart, ...]
    slow_builds: tuple[Slow, ...]
    slow_steps: tuple[Slow, ...]
    slow_tests: tuple[Slow, ...]
    first: str


class Cell(FrozenModel):
    track: str
    path: str
    state: State
    since: str


class Row(FrozenModel):
    """A component across the tracks; None where it is not tested."""

    component: str
    path: str
    cells: tuple[Cell | None, ...]


class Home(FrozenModel):
    kind: Literal["home"] = "home"
    lab: str
    description: str
    newest: str
    lanes: int
    builds: int
    broken: tuple[StandingPart, ...]
    broken_count: int
    tracks: tuple[str, ...]
    rows: tuple[Row, ...]
    lately: tuple[TransitionPart, ...]


class PlotPoint(FrozenModel):
    """A point of a plot: what it is of, its value, and the page that tells more."""

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


class StepCell(FrozenModel):
    step: str
    verdict: Verdict
    seconds: float
    path: str


class CommitRow(FrozenModel):
    """What came of a commit: the newest try of each step."""

    commit: str
    path: str
    subject: str
    version: str
    started: str
    tries: int
    cells: tuple[StepCell | None, ...]


class MatrixRow(FrozenModel):
    """A test over the runs, newest first: one result a run, None where it was not run."""

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


class StepPart(FrozenModel):
    step: str
    verdict: Verdict
    seconds: float
    message: str
    log_path: str
    """Where its log begins, "" when it left none."""


class CasePart(FrozenModel):
    id: str
    classname: str
    name: str
    outcome: Outcome
    nuance: Nuance
    seconds: float
    message: str
    evidence: str
    """Why it failed, as much of it as a page holds; the bundle has it all."""
    path: str
    """The page of its history, "" when it did not fail."""


class LogPart(FrozenModel):
    name: str
    path: str
    lines: int
    size: int
    cut: bool


class BuildPage(FrozenModel):
    kind: Literal["build"] = "build"
    id: str
    path: str
    bundle: str
    """The SHA-256 of the bundle that this was made from."""
    download: str
    lab: str
    origin: str
    job: str
    number: int
    component: str
    track: str
    series: str
    architecture: str
    phase: str
    branch: str
    commit: str
    commit_path: str
    lane_path: str
    version: str
    verdict: Verdict
    step: str
    message: str
    started: str
    finished: str
    seconds: float
    counts: dict[str, int]
    commits: tuple[Commit, ...]
    steps: tuple[StepPart, ...]
    cases: tuple[CasePart, ...]
    logs: tuple[LogPart, ...]
    files: tuple[File, ...]
    notes: tuple[str, ...]


class StreakPart(FrozenModel):
    """Results that agree.  The last streak is open: it has no ``last`` and no ``runs``."""

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
    streaks: tuple[StreakPart, ...]
    """Newest first."""
    older: int


class FlakyPage(FrozenModel):
    kind: Literal["flaky"] = "flaky"
    tests: tuple[Flaky, ...]


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


class StalePage(FrozenModel):
    """What had no verdict for ``days`` before the newest build of the site."""

    kind: Literal["stale"] = "stale"
    days: int
    lanes: tuple[StaleLane, ...]


class SearchComponent(FrozenModel):
    component: str
    path: str
    tracks: tuple[tuple[str, str], ...]
    """Name and path."""


class SearchPage(FrozenModel):
    kind: Literal["search"] = "search"
    components: tuple[SearchComponent, ...]
    tests: tuple[TestRef, ...]


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


class Badge(FrozenModel):
    kind: Literal["badge"] = "badge"
    label: str
    state: State


Page = (
    Home | ComponentPage | TrackPage | MonthPage | CommitPage | BuildPage | TestPage
    | FlakyPage | SlowPage | StalePage | SearchPage | AboutPage
)  # fmt: skip
KINDS: dict[str, type[FrozenModel]] = {
    "home": Home, "component": ComponentPage, "track": TrackPage, "month": MonthPage, "commit": CommitPage,
    "build": BuildPage, "test": TestPage, "flaky": FlakyPage, "slow": SlowPage, "stale": StalePage,
    "search": SearchPage, "about": AboutPage,
}  # fmt: skip
