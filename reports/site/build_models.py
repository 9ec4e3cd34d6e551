"""The page of a build as data."""

from __future__ import annotations

from typing import Literal

from lab.base.errors import Verdict
from lab.forges.proposals import ProposalId
from lab.results.cases import Nuance, Outcome
from reports.model import Commit, File, FrozenModel


class StepPart(FrozenModel):
    step: str
    verdict: Verdict
    seconds: float
    message: str
    log_path: str
    """The beginning of the step's log; "" for a step without a log."""


class CasePart(FrozenModel):
    id: str
    classname: str
    name: str
    outcome: Outcome
    nuance: Nuance
    seconds: float
    message: str
    evidence: str
    """The output of a failed test, shortened to what fits on the page; the bundle has all of it."""
    path: str
    """The page of the test's history; "" for a test that did not fail."""


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
    """The SHA-256 of the bundle that this page shows."""
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
    comparison_path: str
    """The page that compares this build with the last good one and the previous one."""
    version: str
    verdict: Verdict
    step: str
    message: str
    started: str
    finished: str
    seconds: float
    counts: dict[str, int]
    """The number of tests by outcome."""
    proposal: ProposalId | None
    """The change under review that was tested; then it says nothing about the state of the track."""
    older: bool
    """Whether it tests an older commit on purpose, and says nothing about the state of the track."""
    outage: bool
    """Whether so many tests failed that the build says nothing about a single one."""
    packages: dict[str, str]
    """The versions of the lab's packages that the build made, or that a deployment installed."""
    archive: str
    """The state of the lab's archive that has these versions; "" if the run made or deployed none."""
    commits: tuple[Commit, ...]
    commit_count: int
    steps: tuple[StepPart, ...]
    cases: tuple[CasePart, ...]
    """The results that did not only pass, failures first."""
    passed_count: int
    """The number of the other results: ``junit.xml`` in the bundle has them."""
    logs: tuple[LogPart, ...]
    files: tuple[File, ...]
    file_count: int
    notes: tuple[str, ...]
    note_count: int
    """The numbers of all commits, files and notes: the bundle has those that are missing here."""
