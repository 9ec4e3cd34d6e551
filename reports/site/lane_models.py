"""The state of a component on a track as data: the parts that several pages share."""

from __future__ import annotations

from lab.base.errors import Verdict
from lab.results.breakages import Kind
from lab.results.build_environment import EnvironmentChange
from lab.results.history import Change, Result, State
from reports.model import Commit, FrozenModel


class Ref(FrozenModel):
    """A build in a list."""

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
    """The subject of the commit, if this build is the first to have it."""
    version: str
    step: str
    message: str


class TestRef(FrozenModel):
    """A test that failed at least once, and the page of its history."""

    id: str
    path: str
    component: str
    track: str


class AlsoBroken(FrozenModel):
    """A test that broke together with another one."""

    name: str
    test: TestRef | None
    message: str


class BreakagePart(FrozenModel):
    """A test or a step that is broken, ``since`` which build, and the first bad range.

    ``good`` is the last good build before; ``suspects`` are the newest of the commits after it up to ``since``,
    ``suspect_count`` is the number of all of them.  A flaky test has no range: no commit explains it.  ``last`` is the
    newest build in which it is bad.  ``changes`` are the first of what else changed from ``good`` to ``since``,
    ``change_count`` is the number of all; 0: only the commits.  ``also`` are the first of the other tests that broke in
    the same build and after the same good one, ``also_count`` is the number of all.
    """

    kind: Kind
    name: str
    test: TestRef | None
    flaky: bool
    message: str
    bug: str
    """The page of the known bug that explains the failure, "" if none is known."""
    since: Ref
    last: Ref
    good: Ref | None
    suspects: tuple[Commit, ...]
    suspect_count: int
    merge_count: int = 0
    """The merges beside the suspects that can have broken it, too."""
    changes: tuple[EnvironmentChange, ...] = ()
    change_count: int = 0
    also: tuple[AlsoBroken, ...] = ()
    also_count: int = 0
    proof: str = ""
    """The answer of a bisection; "" without one."""
    proof_path: str = ""


class StandingPart(FrozenModel):
    """The state of one phase of a component on a track, and since when.

    ``breakages`` begins with the one that explains most, and ``since`` is its beginning; ``breakage_count`` is the
    number of all; tests that broke together are one.  ``failing`` is the newest bad build: ``failed`` of its ``ran`` tests failed.  ``errors`` is the number
    of errors since the last verdict.
    """

    component: str
    track: str
    series: str
    phase: str
    path: str
    state: State
    since: Ref | None
    failing: Ref | None
    failed: int
    ran: int
    breakages: tuple[BreakagePart, ...]
    breakage_count: int
    errors: int
    latest: Ref
    last_verdict: str
    """The end of the newest build with a verdict, "" without one."""


class TransitionPart(FrozenModel):
    """A change by one build: ``count`` tests and steps broke or were fixed; ``standing`` others were broken before.

    ``kind``, ``name`` and ``test`` are of the first of them; ``good`` is the last build in which it was good.
    """

    id: str
    change: Change
    component: str
    track: str
    phase: str
    build: Ref
    good: Ref | None
    kind: Kind
    name: str
    test: TestRef | None
    count: int
    standing: int


class Flaky(FrozenModel):
    """A test that both passes and fails; ``results`` are its newest results, newest first."""

    test: TestRef
    results: tuple[Result, ...]
    flips: int
    newest: Ref


class Slow(FrozenModel):
    """The duration of a slow phase, step or test: the median of the newest builds, and of the builds before them."""

    what: str
    component: str
    track: str
    path: str
    seconds: float
    before: float | None


class HealthCount(FrozenModel):
    """The runs of a step, or of the builds of an origin, on one day; ``errors`` of them are the lab's fault."""

    day: str
    kind: str
    name: str
    runs: int
    errors: int


class SeriesAge(FrozenModel):
    """The age in days of the chroot or the mirror of a series, when the build that finished ``at`` used it."""

    series: str
    days: float
    at: str


class Lane(FrozenModel):
    """The summary of a component on a track for the pages of the component and of the lab."""

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
    health: tuple[HealthCount, ...]
    chroot: SeriesAge | None = None
    mirror: SeriesAge | None = None
