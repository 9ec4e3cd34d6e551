"""The interface of a source of builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.base.errors import InfrastructureError, LabError
from reports.activity import LabActivity
from reports.journal_entries import SourceBuild
from reports.model import Build

Marks = Mapping[str, tuple[int, int]]
"""By job: the number and the start (milliseconds) of the build up to which all builds are known."""


Seen = tuple[list[SourceBuild], SourceBuild | None]
"""The finished builds of a job that can be new, oldest first; and the build up to which all are known."""


class Gone(InfrastructureError):
    """The source has lost a build."""


@dataclass(frozen=True)
class Trouble:
    """An error of a job or a run."""

    where: str
    error: LabError


class Source(Protocol):
    """A source of builds."""

    def look(self, marks: Marks) -> Iterator[Seen | Trouble]:
        """Yield new builds, job by job.  Raises a LabError if the source cannot be used now."""

    def activity(self) -> LabActivity | None:
        """Return what waits and runs now, after `look`; None for a source that does not know."""

    def has(self, build: SourceBuild) -> bool:
        """Return whether a build is from this source."""

    def fetch(self, build: SourceBuild, spool: Path) -> tuple[Build, Mapping[str, Path]]:
        """Return a build with its files; files that are in ``spool`` already are not fetched again.

        Raises Gone if the build is lost, InfrastructureError if the source cannot be used now.
        """
