"""The watch of a lab in Jenkins: start a build for each thing that is new for a track.

What was tested is read from Jenkins: each build that a watch starts has its commit, its cause and its inputs as
parameters.  A waiting and a running build count as tested.  One that was aborted, that was lost, or whose failure is the
lab's fault is no verdict: its commit gets another build, at most `scripts.phases.news.TRIES` in all.  A build that has
passed and was never imported, because Jenkins has lost that from its queue, is imported.

A component waits for those that it build-depends on, as in `scripts.phases.watching`: its builds are started by a later
call, once what it needs has neither a build in the queue nor one that runs.

On a track of proposed packages, each content of the pocket gets a build (see `scripts.pockets.planning`), one after the
other: the next one is started once the last one is deployed and exercised, because all share the track's environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lab.base import environment
from lab.base.errors import ConfigurationError, Failed, InfrastructureError, LabError
from lab.config.agents import archive_job
from lab.config.description import Lab, job_name
from lab.config.jenkins import Connection
from lab.store.archive_place import is_apart
from lab.store.run_directory import WHOLE
from scripts.ordering.scheduling import Situation
from scripts.ordering.track_components import TrackComponents, packaging_control
from scripts.phases import jenkins_reviews
from scripts.phases.jenkins_builds import (
    CUT_SHORT,
    NewBuild,
    TriggerRound,
    WatchedBuild,
    build_job,
    builds_of,
    folder,
    is_busy,
)
from scripts.phases.jenkins_faults import NEW_SECONDS, watched_builds
from scripts.phases.news import WATCHED, Outcome, judged, packaging_heads, untested, upstream_tip, watch_log
from scripts.pockets import planning, proposed

START_SECONDS: Final = 600.0
"""The time in which Jenkins starts the import of a build that has passed."""
IMPORTED: Final = ("RUN", "RUN_URL", "COMMIT")
"""The parameters of the job that imports a build."""


def new_builds(lab: Lab, track: str, connection: Connection) -> TriggerRound:
    """Return the builds to start for a track; what cannot be asked stops nothing else.

    Raises ConfigurationError for a track whose builds another trigger starts.
    """
    if lab.tracks[track].trigger == "proposed":
        return _of_pocket(lab, track, connection)
    if lab.tracks[track].trigger == "review":
        return jenkins_reviews.of_changes(lab, track, connection)
    components = TrackComponents(lab, track, packaging_control(lab, track))
    troubles: list[LabError] = []
    known: dict[str, list[WatchedBuild]] = {}
    imports: dict[str, list[WatchedBuild]] = {}
    due: dict[str, list[NewBuild]] = {}
    again: list[NewBuild] = []
    for component in lab.components_of(track):
        job = build_job(lab, track, component)
        try:
            known[component] = watched_builds(connection, job)
            if is_apart(lab):  # after its builds: one that ends meanwhile has its import in the queue
                importer = folder(lab) + archive_job(track, component)
                imports[component] = builds_of(connection, importer)
                again += _imported_again(component, imports[component], importer)
                again += _not_imported(component, known[component], imports[component], importer)
            if new := [*_of_component(components, component, known[component], job)]:
                due[component] = new
        except (ConfigurationError, Failed, InfrastructureError) as error:
            troubles.append(error)
    # Jenkins runs the builds of a job one after the other: a component that is busy can have more of them queued.
    all_builds = [*known.items(), *imports.items()]
    busy = {name for name, builds in all_builds if is_busy(builds)} | {one.component for one in again}
    failed = {name for name, builds in all_builds if builds and builds[-1].result == "FAILURE"}
    situation = Situation(components.graph.order, due.keys(), busy - due.keys(), failed)
    started = situation.ready(len(due))
    return TriggerRound(
        (*again, *(each for name in started for each in due[name])), situation.reasons(), tuple(troubles)
    )


def _imported_again(component: str, imports: Sequence[WatchedBuild], job: str) -> Iterator[NewBuild]:
    """Yield the builds whose imports have failed: the lab's fault, because the builds have passed."""
    outcomes: dict[str, Outcome] = {"FAILURE": "error", **dict.fromkeys(CUT_SHORT, "error")}
    last_of = {run: one for one in imports if (run := one.parameter("RUN")).isdecimal()}
    _, again = judged((one.parameter("RUN"), outcomes.get(one.result, "verdict")) for one in imports)
    for run, last in last_of.items():
        if run in again:
            yield NewBuild(component, job, {name: last.parameter(name) for name in IMPORTED})


def _not_imported(
    component: str,
    builds: Sequence[WatchedBuild],
    imports: Sequence[WatchedBuild],
    job: str,
) -> Iterator[NewBuild]:
    """Yield the new builds that have passed, and that no import was started for: a restart of Jenkins loses its queue."""
    now, known = environment.now().timestamp(), {one.parameter("RUN") for one in imports}
    for build in builds:
        is_new = START_SECONDS <= now - build.ended < NEW_SECONDS
        if build.result in {"SUCCESS", "UNSTABLE"} and is_new and str(build.number) not in known:
            values = (str(build.number), build.url, build.parameter("COMMIT"))
            yield NewBuild(component, job, dict(zip(IMPORTED, values, strict=True)))


def _of_pocket(lab: Lab, track: str, connection: Connection) -> TriggerRound:
    """Return the build of the first content of a track's pocket that none has tested, once no other one is busy.

    Raises InfrastructureError when the mirror cannot be asked.
    """
    jobs = [folder(lab) + job_name(track, "", phase) for phase in lab.tracks[track].phases]
    known = {job: watched_builds(connection, job) for job in jobs}
    with watch_log(lab) as log:
        pocket = proposed.asked(lab, track, log)
    tested, _ = judged((build.parameter("ARCHIVE"), build.outcome) for build in known[jobs[0]])
    found = planning.plan(lab, track, pocket, lambda content: content not in tested)
    delays = dict(found.delays)
    if busy := next((job for job in jobs if is_busy(known[job])), ""):
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


def _of_component(
    components: TrackComponents, component: str, builds: Sequence[WatchedBuild], job: str
) -> Iterator[NewBuild]:
    lab, track = components.lab, components.track
    mirror, tip = upstream_tip(lab, track, component)
    heads = packaging_heads(lab, track, component)
    tested, again = judged((build.parameter("COMMIT"), build.outcome) for build in builds)
    watched, _ = judged(
        (build.parameter("COMMIT"), build.outcome) for build in builds if build.parameter("CAUSE") in WATCHED
    )
    commits = untested(mirror, tip, tested, again, watched)
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
