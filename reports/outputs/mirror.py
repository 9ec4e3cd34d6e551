"""The public Jenkins: each build is mirrored in the receiver job of its track and component, in the same order.

Before a build is sent, the receiver job is asked for its builds by SOURCE_ID, a build's short name.  Each job receives
one build at a time; a delivery is complete when the mirrored build (the twin) ended and has its name and description.
A build that has left Jenkins' queue is not at once among the builds of its job, so its item in the queue is followed
until it names the build.
An error of one job, or of the answer to one build, delays that job or that build only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from lab.base.errors import InfrastructureError
from lab.base.failures import Bug, caught
from lab.config import access
from lab.config.description import job_name
from lab.config.jenkins import Connection
from lab.config.jenkins_failures import BadAnswer, JenkinsForbidden, JenkinsMissing, JenkinsRefused, JenkinsUnsure
from lab.config.servers import PublicJenkinsSettings
from reports.bundle import BadBundle
from reports.outputs import external, freestyle
from reports.outputs.delivery import (
    MOST_IN_A_ROW,
    DeliveryOutcome,
    Output,
    OutputContext,
    PendingDelivery,
    Tombstone,
    one_line,
    parked,
)
from reports.outputs.receiver_job import MirroredBuild, Receiver

PAGE: Final = 100
MOST_BUILDS: Final = 100_000  # of a receiver job
MOST_TWINS: Final = 10  # of one build
RECENT: Final = 10  # enough to find a build that was just sent
TRIES: Final = 3
LOST_SECONDS: Final = 15.0  # longer than a build takes from the queue to the builds of its job
POLL_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
PATIENCE_SECONDS: Final = 120.0  # without a finished twin; then the other builds wait for the next pass


RECEIVERS: Final[Mapping[str, Receiver]] = {"freestyle": freestyle, "external": external}


@dataclass
class ReceiverQueue:
    """A receiver job and the builds that wait for it, oldest first."""

    job: str
    items: list[PendingDelivery]
    starts: Mapping[str, float]
    """The start of each build of the job, by name."""
    twins: dict[str, MirroredBuild] = field(default_factory=dict)
    queue_item: str = ""
    """The path of the item in the queue of the build that was sent last, until it is among the builds."""
    unanswered: int = 0
    """How often Jenkins has answered 404 for this item."""
    repeated: dict[str, int] = field(default_factory=dict)
    """The number of a second twin of a build, by name."""
    is_busy: bool = False
    is_known: bool = False
    tries: int = 0
    failure: JenkinsUnsure | None = None
    """The reason why this pass gave the job up."""


@dataclass(frozen=True)
class PublicMirror:
    """The receiver jobs of a lab."""

    context: OutputContext
    connection: Connection
    public: PublicJenkinsSettings
    is_ordered: ClassVar[bool] = True
    is_news: ClassVar[bool] = False
    is_live: ClassVar[bool] = False

    @property
    def receiver(self) -> Receiver:
        return RECEIVERS[self.public.receiver]

    def deliver(self, items: Sequence[PendingDelivery]) -> Iterator[DeliveryOutcome]:
        todo, idle, waited, failures = self._lanes(items), 0, 0.0, 0
        while todo and waited < PATIENCE_SECONDS:
            outcomes = 0
            for lane in todo:
                for outcome in self._advance(lane):
                    yield outcome
                    outcomes += 1
                failures = failures + 1 if lane.failure else 0
                if lane.failure and failures >= MOST_IN_A_ROW:
                    raise lane.failure
            todo = [lane for lane in todo if lane.items]
            idle, waited = (0, 0.0) if outcomes else (idle, waited)
            if todo and not outcomes and all(lane.is_busy for lane in todo):
                pause = POLL_SECONDS[min(idle, len(POLL_SECONDS) - 1)]
                self.context.clock.sleep(pause)
                idle, waited = idle + 1, waited + pause

    def _lanes(self, items: Sequence[PendingDelivery]) -> list[ReceiverQueue]:
        jobs: dict[str, list[PendingDelivery]] = {}
        for item in items:
            jobs.setdefault(self.job(*item.lane), []).append(item)
        history = self.context.history
        return [
            ReceiverQueue(
                job,
                builds,
                {point.name: point.started for lane in {item.lane for item in builds} for point in history(*lane)},
            )
            for job, builds in jobs.items()
        ]

    def job(self, component: str, track: str, phase: str) -> str:
        return f"{self.public.folder or ''}/{job_name(track, component, phase)}".lstrip("/")

    def _advance(self, lane: ReceiverQueue) -> Iterator[DeliveryOutcome]:
        """Query a receiver job, settle the finished twins, and send the next build."""
        try:
            with caught():
                self._look(lane)
        except JenkinsMissing:
            note = f"no job {lane.job} at {self.connection.url}: create it with: qalab jenkins apply jobs/public"
            yield from self._give_up(lane, note)
            return
        except (BadAnswer, Bug) as error:  # caused by the answer
            yield from self._give_up(lane, f"{lane.job}: {one_line(error)}", is_bug=isinstance(error, Bug))
            return
        yield from self._skip_outdated(lane)
        while lane.items and (twin := lane.twins.get(lane.items[0].name)) and twin.result:
            yield self._settle(lane, lane.items.pop(0), twin)
        if lane.items and lane.items[0].name in lane.twins:
            yield from self._stop(lane, lane.items[0])
        elif lane.items and not lane.is_busy:
            yield from self._send(lane)

    def _stop(self, lane: ReceiverQueue, item: PendingDelivery) -> Iterator[DeliveryOutcome]:
        """Stop a running twin that waits for it."""
        try:
            with caught():
                self.receiver.stop(self.connection, lane.job, item, lane.twins[item.name])
        except (BadBundle, Bug) as error:
            yield parked(lane.items.pop(0), error)

    def _give_up(self, lane: ReceiverQueue, note: str, *, is_bug: bool = False) -> Iterator[DeliveryOutcome]:
        """Postpone all builds of a job to the next pass."""
        yield from (DeliveryOutcome(item.name, "later", note, is_bug=is_bug) for item in lane.items)
        lane.items.clear()

    def _settle(self, lane: ReceiverQueue, item: PendingDelivery, twin: MirroredBuild) -> DeliveryOutcome:
        try:
            with caught():
                outcome = self.receiver.settle(self.connection, lane.job, item, twin, self.context)
            if again := lane.repeated.get(item.name):
                note = f"{lane.job} {again}: is the same build as {twin.number}; delete it"
                outcome = replace(outcome, note="; ".join(filter(None, (outcome.note, note))))
            return outcome
        except (JenkinsRefused, BadBundle, Bug) as error:
            return parked(item, error)

    def _send(self, lane: ReceiverQueue) -> Iterator[DeliveryOutcome]:
        try:
            lane.tries += 1
            with caught():
                lane.queue_item = self.receiver.send(self.connection, lane.job, lane.items[0], self.context)
            lane.tries, lane.unanswered, lane.is_busy = 0, 0, True
        except (JenkinsRefused, BadBundle, Bug) as error:
            lane.tries = 0
            yield parked(lane.items.pop(0), error)
        except JenkinsUnsure as error:
            if lane.tries < TRIES:
                self.context.clock.sleep(LOST_SECONDS)  # then look for it again
                return
            lane.failure = error
            yield DeliveryOutcome(lane.items[0].name, "later", one_line(error), is_own=True)
            lane.items.clear()

    def _look(self, lane: ReceiverQueue) -> None:
        """Read the builds of a receiver job: the first time, as many as decide which of the waiting builds it has."""
        waiting = {item.name for item in lane.items}
        is_starting = self._is_starting(lane)  # before the builds: what has started since is among them
        for start in range(0, MOST_BUILDS, PAGE):
            span = f"{{{start},{start + PAGE}}}" if not lane.is_known else f"{{0,{RECENT}}}"
            tree = f"inQueue,allBuilds[number,result,building,displayName,description{self.receiver.TREE}]{span}"
            job = self.connection.json(f"{freestyle.path(lane.job)}api/json?tree={tree}")
            page = self._twins(lane, job)
            self._note(lane, page)
            if start == 0:
                lane.is_busy = is_starting or bool(job.get("inQueue")) or any(twin.result is None for twin in page)
            if lane.is_known or len(page) < PAGE or any(twin.name not in waiting for twin in page):
                break
        lane.is_known = True

    def _is_starting(self, lane: ReceiverQueue) -> bool:
        """Return whether the build that was sent last is not yet among the builds of its job."""
        if not lane.queue_item:
            return False
        try:
            item = self.connection.json(f"{lane.queue_item}api/json?tree=cancelled,executable[number]")
        except JenkinsMissing:  # forgotten, some minutes after it left the queue; one answer alone proves nothing
            lane.unanswered += 1
            item = {"cancelled": lane.unanswered >= TRIES}
        if item.get("cancelled") or item.get("executable"):
            lane.queue_item = ""
        return bool(lane.queue_item)

    @staticmethod
    def _note(lane: ReceiverQueue, page: Sequence[MirroredBuild]) -> None:
        """Remember the twins of a page, newest first; of two twins of one build, the older one counts."""
        for twin in page:
            known = lane.twins.get(twin.name)
            if known and known.number != twin.number:
                lane.repeated[twin.name] = max(known.number, twin.number)
            if not known or twin.number <= known.number:
                lane.twins[twin.name] = twin

    def _twins(self, lane: ReceiverQueue, job: Mapping[str, Any]) -> list[MirroredBuild]:
        """Return the builds of a page.  Raises BadAnswer for an answer of another shape."""
        try:
            return [self._twin(build) for build in job["allBuilds"]]
        except (KeyError, TypeError, AttributeError) as error:
            where = f"{self.connection.url}{freestyle.path(lane.job)}api/json"
            raise BadAnswer(f"{where}: has no builds: {type(error).__name__}: {error}") from None

    def _twin(self, build: Mapping[str, Any]) -> MirroredBuild:
        result = None if build.get("building") else build["result"]
        name = self.receiver.name(build) or f"#{build['number']}"
        return MirroredBuild(name, build["number"], result, build["displayName"] or "", build["description"] or "")

    def _skip_outdated(self, lane: ReceiverQueue) -> Iterator[DeliveryOutcome]:
        """Skip the builds that are older than a twin: they would come out of order."""
        newest = max((lane.starts.get(name, 0.0) for name in lane.twins), default=0.0)
        for item in tuple(lane.items):
            if item.name not in lane.twins and lane.starts.get(item.name, 0.0) < newest:
                lane.items.remove(item)
                yield DeliveryOutcome(item.name, "nothing", "its job has newer builds already")

    def withdraw(self, gone: Sequence[Tombstone]) -> None:
        for tombstone in gone:
            if not tombstone.track:
                continue
            job = self.job(tombstone.component, tombstone.track, tombstone.phase)
            try:
                self._delete_twins(job, tombstone.name)
            except JenkinsMissing:
                if self.connection.lists(job):
                    raise
            except JenkinsForbidden as error:
                where = f"{self.connection.url}{freestyle.path(job)}"
                hint = f"{where}: delete the build with SOURCE_ID {tombstone.name} manually"
                raise JenkinsForbidden(error.args[0], hint=hint) from None

    def _delete_twins(self, job: str, name: str) -> None:
        """Delete all twins of a build, until the job has none: the status of an answer proves nothing."""
        for _ in range(MOST_TWINS):
            lane = ReceiverQueue(job, [], {})
            self._look_for(lane, name)
            if not (twin := lane.twins.get(name)):
                return
            with suppress(JenkinsMissing):
                self.connection.send("POST", f"{freestyle.path(job)}{twin.number}/doDelete")
        raise InfrastructureError(f"{job}: Jenkins answers that it deletes the build {name}, and it is still there")

    def _look_for(self, lane: ReceiverQueue, name: str) -> None:
        for start in range(0, MOST_BUILDS, PAGE):
            tree = f"allBuilds[number,result,displayName,description{self.receiver.TREE}]{{{start},{start + PAGE}}}"
            page = self._twins(lane, self.connection.json(f"{freestyle.path(lane.job)}api/json?tree={tree}"))
            lane.twins |= {twin.name: twin for twin in page}
            if name in lane.twins or len(page) < PAGE:
                return


def open_output(context: OutputContext) -> Output | None:
    public = context.lab.public.jenkins if context.lab.public else None
    if public is None:
        return None
    return PublicMirror(context, Connection(access.for_lab(public, context.base, "public.jenkins")), public)
