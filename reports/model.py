"""The model of a published build: cases, steps, commits, logs, artifacts.  Frozen, JSON on disk, schema 1.

A bundle (see `reports.bundle`) has one `Build` as ``build.json`` and the files that it names; every output (the site,
mirrors, mail) reads only bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from lab.base.errors import Verdict
from lab.config.description import PHASES
from lab.forges.proposals import ProposalId
from lab.results.build_environment import BuildEnvironment
from lab.results.cases import Case

SCHEMA: Literal[1] = 1


class FrozenModel(BaseModel):
    """The base class of the parts of a build."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Commit(FrozenModel):
    """An upstream commit that was not packaged before a build."""

    id: str
    subject: str
    author: str = ""
    """As git writes it: the name with anything in it, and the address in angle brackets, if it is known."""
    merge: bool = False
    """Whether it is a merge that can break something by itself."""

    @property
    def author_name(self) -> str:
        return self.author.rpartition("<")[0].strip() if self.author.endswith(">") else self.author

    @property
    def address(self) -> str:
        """The mail address of the author, "" if it is not known."""
        return self.author.rpartition("<")[2].removesuffix(">").strip() if self.author.endswith(">") else ""


def merges_apart(commits: Iterable[Commit]) -> tuple[list[Commit], list[Commit]]:
    """Return the suspects among commits, and the merges beside them; merges alone are the suspects."""
    found = [*commits]
    plain = [commit for commit in found if not commit.merge]
    return (plain, [commit for commit in found if commit.merge]) if plain else (found, [])


class StepSummary(FrozenModel):
    """A step of the phase: its record's verdict, time and message, and the name of its log among `Build.logs`."""

    step: str
    verdict: Verdict
    seconds: float = 0.0
    message: str = ""
    log: str = ""


class Log(FrozenModel):
    """A log file of the bundle: the published ``lines`` and ``size`` (bytes); ``cut`` if parts are left out."""

    name: str
    path: str
    size: int
    lines: int
    cut: bool = False


class File(FrozenModel):
    """An artifact of the build: its digest and size; ``path`` is "" if its content is not published."""

    name: str
    sha256: str
    size: int
    kind: str
    path: str = ""


class Build(FrozenModel):
    """A finished run of a phase for a component at a commit."""

    schema_version: Literal[1] = Field(SCHEMA, alias="schema")
    origin: str
    """The place of the run: ``local``, or the name of a Jenkins in lab.yaml; never a URL."""
    job: str
    """``TRACK/COMPONENT/PHASE`` locally, the job's full name in a Jenkins."""
    number: int
    started: str
    finished: str
    seconds: float
    agent: str = ""
    """The name of the Jenkins node that ran it; "" if that is not known, and for a run of this machine."""
    chroot_days: float | None = Field(None, ge=0, allow_inf_nan=False)
    """The age of the base chroot of a build in days; None if no chroot was used."""
    mirror_days: float | None = Field(None, ge=0, allow_inf_nan=False)
    """The age in days of the newest index of the mirror that the build used; None if that is not known."""
    lab: str
    track: str
    component: str
    series: str
    architecture: str
    phase: str
    branch: str = ""
    commit: str = ""
    proposal: ProposalId | None = None
    """The change under review that was tested; ``commit`` is its merge onto ``base``."""
    base: str = ""
    depends_on: tuple[ProposalId, ...] = ()
    """The other changes that it was tested with."""
    version: str = ""
    since: str = ""
    """The upstream commit after which ``commits`` begins; "" if that is not known."""
    rewritten: bool = False
    """Whether the branch was rewritten: it does not have the commit that was tested before any more."""
    older: bool = False
    """Whether it tests, on purpose, an older commit than the newest one: it says nothing about the state of the track."""
    unlisted: int = Field(0, ge=0)
    """The number of commits after ``since`` that ``commits`` lacks."""
    verdict: Verdict
    step: str = ""
    """The step that explains the verdict; "" if all steps passed."""
    message: str = ""
    commits: tuple[Commit, ...] = ()
    steps: tuple[StepSummary, ...] = ()
    cases: tuple[Case, ...] = ()
    logs: tuple[Log, ...] = ()
    files: tuple[File, ...] = ()
    parameters: Mapping[str, str] = {}
    """The parameters of the build that lab.yaml allows to publish."""
    packages: Mapping[str, str] = {}
    """The versions of the lab's binary packages that the build made, or that a deployment installed."""
    archive: str = ""
    """The state of the lab's archive: the one that a build made, or that a later phase deployed; "" without one."""
    environment: BuildEnvironment | None = None
    """What the build depended on besides the commit; None if that is not recorded, and for other phases."""
    notes: tuple[str, ...] = ()
    """The changes by the redaction, in words: content that was left out or replaced."""

    @property
    def id(self) -> str:
        """``ORIGIN/JOB/NUMBER@STARTED_MS``: the permanent identity of a build."""
        return f"{self.origin}/{self.job}/{self.number}@{started_ms(self.started)}"

    @property
    def commit_count(self) -> int:
        return len(self.commits)

    @property
    def is_aside(self) -> bool:
        """Whether it says nothing about the state of the track: it tests an older commit, or a change under review."""
        return self.older or self.proposal is not None

    @property
    def tests(self) -> tuple[Case, ...]:
        """The cases that are tests: not a step, and not a stage of sbuild, which is a part of a step."""
        return tuple(case for case in self.findings if case.suite != _STAGES)

    @property
    def findings(self) -> tuple[Case, ...]:
        """The cases of the results of steps: a run has a case for each step, too."""
        is_step = self.is_step
        return tuple(case for case in self.cases if not is_step(case))

    @property
    def is_step(self) -> Callable[[Case], bool]:
        """Whether a case is that of a step; see `reports.formats.record`."""
        suite = f"{self.track}.{self.component}"
        steps = {*(step.step for step in self.steps), *_STEPS}
        return lambda case: case.suite == case.classname == suite and case.name in steps


@dataclass(frozen=True)
class ReviewedBuild:
    """A published build of a head under review: its short name, its lane, its start (milliseconds), its verdict."""

    name: str
    lane: tuple[str, str, str]
    started: int
    verdict: Verdict


_STAGES: Final = "sbuild"  # the suite of `reports.formats.sbuild`
_STEPS: Final = frozenset(step for steps in PHASES.values() for step in steps)


def started_ms(started: str) -> int:
    """Return a moment (RFC 3339) in milliseconds of Unix time."""
    return round(datetime.fromisoformat(started).timestamp() * 1000)
