"""What waits and runs in a Jenkins: its queue, and the newest build of each job."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from lab.base import environment
from lab.base.text import one_line
from lab.config.jenkins_failures import BadAnswer
from lab.store.records import rfc3339
from reports.activity import LabActivity, RunningBuild, WaitingBuild
from reports.sources.jenkins_answers import QueueAnswer, QueueTask, StartedBuild, agent_name, answered

NEWEST: Final = "number,timestamp,building,builtOn"
QUEUE: Final = "queue/api/json?tree=items[inQueueSince,why,stuck,task[name,url]]"


def activity(queue: Any, where: str, jobs: Container[str], running: Sequence[RunningBuild]) -> LabActivity:
    """Return the activity of some jobs, from the answer for `QUEUE`.  Raises BadAnswer."""
    waiting = tuple(
        WaitingBuild(job=job, since=_moment(item.since), why=one_line(item.why), stuck=item.stuck)
        for item in answered(QueueAnswer, queue, where).items
        if (job := _job_of(item.task)) in jobs
    )
    return LabActivity(
        asked=rfc3339(environment.now()),
        waiting=waiting,
        running=tuple(running),
        waiting_count=len(waiting),
        running_count=len(running),
    )


def running(job: str, newest: Any) -> Iterator[RunningBuild]:
    """Yield the newest build of a job if it runs; nothing for an odd answer, which decides about nothing else."""
    with suppress(BadAnswer):
        build = answered(StartedBuild, newest or {}, job)
        if build.building:
            started = _moment(build.timestamp)
            yield RunningBuild(job=job, number=build.number, started=started, agent=agent_name(build.agent))


def _job_of(task: QueueTask) -> str:
    """Return the full name of a job in the queue: its URL has the folders."""
    parts = urlsplit(task.url).path.split("/job/")[1:]
    return "/".join(unquote(part.strip("/")) for part in parts) or task.name


def _moment(milliseconds: int) -> str:
    return rfc3339(datetime.fromtimestamp(milliseconds / 1000, UTC))
