"""What waits and runs in a lab now, as far as its Jenkins says: for the page of the lab's health."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from reports.model import FrozenModel

MOST: Final = 100
FRESH: Final = timedelta(hours=1)


class WaitingBuild(FrozenModel):
    """A build in the queue: its job, since when it waits, and why; ``stuck``: no agent can take it."""

    job: str
    since: str
    why: str
    stuck: bool


class RunningBuild(FrozenModel):
    """A build that runs: its job, its number, its start and its agent."""

    job: str
    number: int
    started: str
    agent: str


class LabActivity(FrozenModel):
    """The builds that waited and ran at the time ``asked``, and the number of all."""

    asked: str
    waiting: tuple[WaitingBuild, ...]
    running: tuple[RunningBuild, ...]
    waiting_count: int
    running_count: int

    def replaces(self, before: LabActivity | None) -> bool:
        """Return whether this is news: something else waits or runs, or the answer before is an hour old."""
        if before is None or before.model_copy(update={"asked": self.asked}) != self:
            return True
        return datetime.fromisoformat(self.asked) - datetime.fromisoformat(before.asked) >= FRESH


def activity(asked: str, waiting: Sequence[WaitingBuild], running: Sequence[RunningBuild]) -> LabActivity:
    """Return the activity with the builds that wait and run longest, at most `MOST` of each."""
    return LabActivity(
        asked=asked,
        waiting=tuple(sorted(waiting, key=lambda one: (one.since, one.job))[:MOST]),
        running=tuple(sorted(running, key=lambda one: (one.started, one.job))[:MOST]),
        waiting_count=len(waiting),
        running_count=len(running),
    )
