"""What is told of a build, to whomever: cases, steps, commits, logs, artifacts.  Frozen, JSON on disk, schema 1.

A bundle (see `reports.bundle`) holds one `Build` as ``build.json`` beside the files that it names; every output
(the site, mirrors, mail) reads that and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lab.base.errors import Verdict
from lab.results.cases import Case

SCHEMA: Literal[1] = 1


class FrozenModel(BaseModel):
    """A part of what is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Commit(FrozenModel):
    """An upstream commit that a build is the first to have."""

    id: str
    subject: str
    author: str = ""


class StepSummary(FrozenModel):
    """A step of the phase: its record's verdict, time and message, and the name of its log among `Build.logs`."""

    step: str
    verdict: Verdict
    seconds: float = 0.0
    message: str = ""
    log: str = ""


class Log(FrozenModel):
    """A log file of the bundle: ``lines`` and ``size`` (bytes) of what is published; ``cut`` when that is not all."""

    name: str
    path: str
    size: int
    lines: int
    cut: bool = False


class File(FrozenModel):
    """A file that the build made: its digest and size; ``path`` is "" when only that is published."""

    name: str
    sha256: str
    size: int
    kind: str
    path: str = ""


class Build(FrozenModel):
    """A finished run of a phase for a component at a commit."""

    schema_version: Literal[1] = Field(SCHEMA, alias="schema")
    origin: str
    """Where it ran: ``local``, or the name that lab.yaml gives a Jenkins; never a URL."""
    job: str
    """``TRACK/COMPONENT/PHASE`` locally, the job's full name in a Jenkins."""
    number: int
    started: str
    finished: str
    seconds: float
    lab: str
    track: str
    component: str
    series: str
    architecture: str
    phase: str
    branch: str = ""
    commit: str = ""
    version: str = ""
    verdict: Verdict
    step: str = ""
    """The step that explains the verdict; "" when all went well."""
    message: str = ""
    commits: tuple[Commit, ...] = ()
    steps: tuple[StepSummary, ...] = ()
    cases: tuple[Case, ...] = ()
    logs: tuple[Log, ...] = ()
    files: tuple[File, ...] = ()
    parameters: Mapping[str, str] = {}
    """What it was started with, as far as lab.yaml allows it to be told."""
    notes: tuple[str, ...] = ()
    """What was left out or replaced on the way here, in words."""

    @property
    def id(self) -> str:
        """``ORIGIN/JOB/NUMBER@STARTED_MS``: the identity of a build, the same for ever."""
        return f"{self.origin}/{self.job}/{self.number}@{started_ms(self.started)}"


def started_ms(started: str) -> int:
    """A moment (RFC 3339) in milliseconds of Unix time."""
    return round(datetime.fromisoformat(started).timestamp() * 1000)
