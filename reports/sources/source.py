"""What a source of builds is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.base.errors import InfrastructureError, LabError
from reports.journal_entries import SourceBuild
from reports.model import Build

Marks = Mapping[str, tuple[int, int]]
"""By job, the number and the start (milliseconds) of the build up to which all are known."""


Seen = tuple[list[SourceBuild], SourceBuild | None]
"""Finished builds of a job that may be new, oldest first; and up to which all of that job are known."""


class Gone(InfrastructureError):
    """The source has lost a build."""


@dataclass(frozen=True)
class Trouble:
    """A job or a run that cannot be looked at."""

    where: str
    error: LabError


class Source(Protocol):
    """Where builds come from."""

    def look(self, marks: Marks) -> Iterator[Seen | Trouble]:
        """Look for new builds, job by job.  Raises a LabError when nothing can be had from here now."""

    def has(self, found: SourceBuild) -> bool:
        """Whether a build is one of this source's."""

    def fetch(self, found: SourceBuild, spool: Path) -> tuple[Build, Mapping[str, Path]]:
        """All there is of a build, with its files; what is in ``spool`` already is not fetched again.

        Raises Gone where it is lost, InfrastructureError when nothing can be had from here now.
        """
