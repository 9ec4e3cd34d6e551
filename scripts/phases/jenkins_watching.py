"""The watch of a lab in Jenkins: start a build for each thing that is new for a track.

What was tested is read from Jenkins: each build that a watch starts has its commit, its cause and its inputs as
parameters.  A waiting and a running build count as tested.  One that was aborted is no verdict: its commit gets another
build, at most `scripts.phases.news.TRIES` in all.

A component waits for those that it build-depends on, as in `scripts.phases.watching`: its builds are started by a later
call, once what it needs has neither a build in the queue nor one that runs.

On a track of proposed packages, each content of the pocket gets a build (see `scripts.pockets.planning`), one after the
other: the next one is started once the last one is deployed and exercised, because all share the track's environment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from lab.base.errors import ConfigurationError, Failed, InfrastructureError, LabError
from lab.config.agents import archive_job
from lab.config.description import Lab, job_name
from lab.config.jenkins import Connection, job_path
from lab.config.jenkins_failures import reading
from lab.forges.proposals import ProposalId, proposal_of
from lab.store.archive_place import is_apart
from lab.store.records import RunInputs, rfc3339
from lab.store.run_directory import WHOLE
from scripts.ordering.scheduling import Situation
from scripts.ordering.track_components import TrackComponents, packaging_control
from scripts.phases.news import Outcome, judged, packaging_heads, untested, upstream_tip, watch_log
from scripts.pockets import planning, proposed
from scripts.reviews import watching
from scripts.reviews.watching import TestedHead, WantedBuild

NEWEST: Final = 200
"""How many builds of a job are read."""
PARAMETERS: Final = "actions[parameters[name,value]]"
VERDICTS: Final[Mapping[str, str]] = {"SUCCESS": "passed", "UNSTABLE": "unstable", "FAILURE": "failed"}
CUT_SHORT: Final = frozenset({"ABORTED", "NOT_BUILT"})
IMPORTED: Final = ("RUN", "RUN_URL", "COMMIT")
"""The parameters of the job that imports a build."""


@dataclass(frozen=True)
class WatchedBuild:
    """A build of a job, or a waiting one: its parameters and its outcome."""

    parameters: Mapping[str, str]
    outcome: Outcome = "verdict"
    result: str = ""
    """Jenkins' word; empty for a build that waits or runs."""
    started: float = 0.0
    """Unix time; 0 for one that waits."""

    def parameter(self, name: str) -> str:
        return self.parameters.get(name, "")

    @property
    def inputs(self) -> RunInputs | None:
        try:
            return RunInputs.model_validate_json(self.parameter("INPUTS"))
        except ValidationError:  # by hand, or of an older release
            return None


@dataclass(frozen=True)
class NewBuild:
    """A build to start."""

    component: str
    job: str
    parameters: Mapping[str, str]

    @property
    def about(self) -> str:
        if run := self.parameters.get("RUN"):
            return f"{self.component}: build {run} is imported again"
        reason = f": {self.parameters['REASON']}" if self.parameters.get("REASON") else ""
        commit = self.parameters.get("COMMIT")
        what = f"commit {commit[:7]}" if commit else f"content {self.parameters['ARCHIVE']}"
        return f"{self.component}: {self.parameters['CAUSE']}, {what}{reason}"


@dataclass(frozen=True)
class TriggerRound:
    """The builds to start for a track, in order; why others are not started yet; and the sources that gave no answer."""

    builds: tuple[NewBuild, ...]
    delays: Mapping[str, str]
    troubles: tuple[LabError, ...]


def new_builds(lab: Lab, track: str, connection: Connection) -> TriggerRound:
    """Return the builds to start for a track; what cannot be asked stops nothing else.

    Raises ConfigurationError for a track whose builds another trigger starts.
    """
    if lab.tracks[track].trigger == "proposed":
        return _of_pocket(lab, track, connection)
    if lab.tracks[track].trigger == "review":
        return _reviewed(lab, track, connection)
    components = TrackComponents(lab, track, packaging_control(lab, track))
    troubles: list[LabError] = []
    known: dict[str, list[WatchedBuild]] = {}
    imports: dict[str, list[WatchedBuild]] = {}
    due: dict[str, list[NewBuild]] = {}
    again: list[NewBuild] = []
    for component in lab.components_of(track):
        job = _job(lab, track, component)
        try:
            known[component] = builds_of(connection, job)
            if is_apart(lab):  # after its builds: one that ends meanwhile has its import in the queue
                importer = _folder(lab) + archive_job(track, component)
                imports[component] = builds_of(connection, importer)
                again += _imported_again(component, imports[component], importer)
            if new := [*_of_component(components, component, known[component], job)]:
                due[component] = new
        except (ConfigurationError, Failed, InfrastructureError) as error:
            troubles.append(error)
    # Jenkins runs the builds of a job one after the other: a component that is busy can have more of them queued.
    all_builds = [*known.items(), *imports.items()]
    busy = {name for name, builds in all_builds if _is_busy(builds)} | {one.component for one in again}
    failed = {name for name, builds in all_builds if builds and builds[-1].result == "FAILURE"}
    situation = Situation(components.graph.order, due.keys(), busy - due.keys(), failed)
    started = situation.ready(len(due))
    return TriggerRound(
        (*again, *(each for name in started for each in due[name])), situation.reasons(), tuple(troubles)
    )


def _folder(lab: Lab) -> str:
    return f"{lab.jenkins.folder}/" if lab.jenkins and lab.jenkins.folder else ""


def _imported_again(component: str, imports: Sequence[WatchedBuild], job: str) -> Iterator[NewBuild]:
    """Yield the builds whose imports have failed: the lab's fault, because the builds have passed."""
    outcomes: dict[str, Outcome] = {"FAILURE": "error", **dict.fromkeys(CUT_SHORT, "error")}
    last_of = {run: one for one in imports if (run := one.parameter("RUN")).isdecimal()}
    _, again = judged((one.parameter("RUN"), outcomes.get(one.result, "verdict")) for one in imports)
    for run, last in last_of.items():
        if run in again:
            yield NewBuild(component, job, {name: last.parameter(name) for name in IMPORTED})


def _of_pocket(lab: Lab, track: str, connection: Connection) -> TriggerRound:
    """Return the build of the first content of a track's pocket that none has tested, once no other one is busy.

    Raises InfrastructureError when the mirror cannot be asked.
    """
    jobs = [_folder(lab) + job_name(track, "", phase) for phase in lab.tracks[track].phases]
    known = {job: builds_of(connection, job) for job in jobs}
    with watch_log(lab) as log:
        pocket = proposed.asked(lab, track, log)
    tested, _ = judged((build.parameter("ARCHIVE"), build.outcome) for build in known[jobs[0]])
    found = planning.plan(lab, track, pocket, lambda content: content not in tested)
    delays = dict(found.delays)
    if busy := next((job for job in jobs if _is_busy(known[job])), ""):
        delays |= {content: f"waits for {busy}" for _, content in found.contents}
    builds = [
        NewBuild(
            component,
            jobs[0],
            {
                "COMPONENT": "" if component == WHOLE else component,
                "ARCHIVE": content,
                "CAUSE": "proposed packages",
            },
        )
        for component, content in found.contents
    ]
    return TriggerRound(() if busy else tuple(builds[:1]), delays, ())


def _reviewed(lab: Lab, track: str, connection: Connection) -> TriggerRound:
    """Return the builds of changes under review to start."""
    troubles: list[LabError] = []
    heads = partial(jenkins_heads, lab, track, connection)
    wanted = [*watching.wanted_builds(lab, track, heads, troubles)]
    return TriggerRound(tuple(_of_change(lab, track, one) for one in wanted), {}, tuple(troubles))


def _of_change(lab: Lab, track: str, wanted: WantedBuild) -> NewBuild:
    needed = [one.model_dump() for one in wanted.depends_on]
    parameters = {
        "COMMIT": wanted.proposal.head,
        "CAUSE": "change under review",
        "REASON": str(wanted.proposal),
        "PROPOSAL": wanted.proposal.model_dump_json(),
        "DEPENDS_ON": json.dumps(needed),
    }
    return NewBuild(wanted.component, _job(lab, track, wanted.component), parameters)


def jenkins_heads(lab: Lab, track: str, connection: Connection, component: str) -> list[TestedHead]:
    """Return the builds of changes under review on a Jenkins.

    They do not say whether a failure is the fault of the lab: those are tested again by ``recheck`` only.
    """
    found = []
    for build in builds_of(connection, _job(lab, track, component)):
        if proposal := proposal_of(build.parameter("PROPOSAL")):
            needed = json.loads(build.parameter("DEPENDS_ON") or "[]")
            keys = frozenset(ProposalId.model_validate(one).key for one in needed)
            started = rfc3339(datetime.fromtimestamp(build.started, UTC))
            verdict = "aborted" if build.outcome == "error" else VERDICTS.get(build.result, "running")
            found.append(TestedHead(proposal.key, keys, verdict, started))
    return found


def _job(lab: Lab, track: str, component: str) -> str:
    folder = f"{lab.jenkins.folder}/" if lab.jenkins and lab.jenkins.folder else ""
    return folder + job_name(track, component, "build")


def _is_busy(builds: Sequence[WatchedBuild]) -> bool:
    return any(not build.result for build in builds)


def _of_component(
    components: TrackComponents, component: str, builds: Sequence[WatchedBuild], job: str
) -> Iterator[NewBuild]:
    lab, track = components.lab, components.track
    mirror, tip = upstream_tip(lab, track, component)
    heads = packaging_heads(lab, track, component)
    tested, again = judged((build.parameter("COMMIT"), build.outcome) for build in builds)
    commits = untested(mirror, tip, tested, again)
    seen = {
        "PACKAGING": heads.packaging,
        "TESTING": heads.testing,
        "INPUTS": components.inputs(component).model_dump_json(exclude_defaults=True),
    }
    for commit in commits:
        yield NewBuild(component, job, {"COMMIT": commit, "CAUSE": "upstream commit", "REASON": "", **seen})
    if commits:
        return
    cause, reason = heads.news(*last_heads(builds)), ""
    if not cause:
        last = next((inputs for build in reversed(builds) if (inputs := build.inputs)), None)
        failed = bool(builds) and builds[-1].result == "FAILURE"
        cause, reason = components.cause(component, last, failed=failed)
    if cause:
        yield NewBuild(component, job, {"COMMIT": tip, "CAUSE": cause, "REASON": reason, **seen})


def last_heads(builds: Sequence[WatchedBuild]) -> tuple[tuple[str, ...], str]:
    """Return what the packaging and the testing branch were at for the newest build that a watch started."""
    for build in reversed(builds):
        if packaging := build.parameter("PACKAGING"):
            return (packaging,), build.parameter("TESTING")
    return (), ""


def builds_of(connection: Connection, job: str) -> list[WatchedBuild]:
    """Return the newest builds of a job, oldest first, and then the waiting ones."""
    with reading(connection.url + job_path(job)):
        # The queue first: what leaves it meanwhile is among the builds then.
        queue = connection.json(f"queue/api/json?tree=items[task[url],{PARAMETERS}]")["items"]
        waiting = [item for item in queue if (item["task"].get("url") or "").endswith(f"/{job_path(job)}")]
        tree = f"allBuilds[result,building,timestamp,{PARAMETERS}]{{0,{NEWEST}}}"
        done = connection.json(f"{job_path(job)}api/json?tree={tree}")["allBuilds"]
        finished = [
            WatchedBuild(_parameters(build), _outcome(build), _result(build), build["timestamp"] / 1000)
            for build in reversed(done)
        ]
        return [*finished, *(WatchedBuild(_parameters(item)) for item in waiting)]


def _outcome(build: Mapping[str, Any]) -> Outcome:
    return "error" if build["result"] in CUT_SHORT and not build["building"] else "verdict"


def _result(build: Mapping[str, Any]) -> str:
    return "" if build["building"] else str(build["result"] or "")


def _parameters(build: Mapping[str, Any]) -> dict[str, str]:
    found = (one for action in build["actions"] if action for one in action.get("parameters") or ())
    return {one["name"]: str(one.get("value") or "") for one in found}


def start(connection: Connection, new: NewBuild) -> None:
    """Start a build, once: when an answer was lost, Jenkins is asked whether it has the build already."""

    def done() -> bool:
        return any(
            all(build.parameter(name) == value for name, value in new.parameters.items())
            for build in builds_of(connection, new.job)
        )

    connection.write(f"{job_path(new.job)}buildWithParameters", done=done, data=dict(new.parameters))
