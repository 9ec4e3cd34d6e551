"""The watch of a lab in Jenkins: start a build for each thing that is new for a track.

What was tested is read from Jenkins: each build that a watch starts has its commit, its cause and what the packaging
branches were at as parameters.  A waiting and a running build count as tested.  One that was aborted is no verdict: its
commit gets another build, at most `scripts.phases.watching.TRIES` in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.base.errors import ConfigurationError, Failed, InfrastructureError, LabError
from lab.config.description import Lab, job_name
from lab.config.jenkins import Connection, job_path
from lab.store.records import Cause
from scripts.phases.watching import Heads, Outcome, judged, packaging_heads, untested, upstream_tip

NEWEST: Final = 200
"""How many builds of a job are read."""
PARAMETERS: Final = "actions[parameters[name,value]]"
CUT_SHORT: Final = frozenset({"ABORTED", "NOT_BUILT"})


@dataclass(frozen=True)
class WatchedBuild:
    """A build of a job, or a waiting one: its parameters and its outcome."""

    parameters: Mapping[str, str]
    outcome: Outcome = "verdict"

    def parameter(self, name: str) -> str:
        return self.parameters.get(name, "")


@dataclass(frozen=True)
class NewBuild:
    """A build to start."""

    component: str
    job: str
    parameters: Mapping[str, str]

    @property
    def about(self) -> str:
        return f"{self.component}: {self.parameters['CAUSE']}, commit {self.parameters['COMMIT'][:7]}"


def new_builds(lab: Lab, track: str, connection: Connection, troubles: list[LabError]) -> Iterator[NewBuild]:
    """Yield the builds to start for a track, in order; what cannot be asked is in ``troubles``, and stops nothing else.

    Raises ConfigurationError for a track whose builds another trigger starts.
    """
    if lab.tracks[track].trigger != "commit":
        raise ConfigurationError(f"{track}: its trigger is {lab.tracks[track].trigger}: Jenkins starts its jobs itself")
    folder = f"{lab.jenkins.folder}/" if lab.jenkins and lab.jenkins.folder else ""
    for component in lab.components_of(track):
        try:
            yield from _of_component(lab, track, component, connection, folder + job_name(track, component, "build"))
        except (ConfigurationError, Failed, InfrastructureError) as error:
            troubles.append(error)


def _of_component(lab: Lab, track: str, component: str, connection: Connection, job: str) -> Iterator[NewBuild]:
    builds = builds_of(connection, job)
    mirror, tip = upstream_tip(lab, track, component)
    heads = packaging_heads(lab, track, component)
    tested, again = judged((build.parameter("COMMIT"), build.outcome) for build in builds)
    commits = untested(mirror, tip, tested, again)
    for commit in commits:
        yield _new(component, job, commit, "upstream commit", heads)
    if not commits and (cause := heads.news(*last_heads(builds))):
        yield _new(component, job, tip, cause, heads)


def _new(component: str, job: str, commit: str, cause: Cause, heads: Heads) -> NewBuild:
    values = {"COMMIT": commit, "CAUSE": cause, "PACKAGING": heads.packaging, "TESTING": heads.testing}
    return NewBuild(component, job, values)


def last_heads(builds: list[WatchedBuild]) -> tuple[tuple[str, ...], str]:
    """Return what the packaging and the testing branch were at for the newest build that a watch started."""
    for build in reversed(builds):
        if packaging := build.parameter("PACKAGING"):
            return (packaging,), build.parameter("TESTING")
    return (), ""


def builds_of(connection: Connection, job: str) -> list[WatchedBuild]:
    """Return the newest builds of a job, oldest first, and then the waiting ones."""
    # The queue first: what leaves it meanwhile is among the builds then.
    queue = connection.json(f"queue/api/json?tree=items[task[url],{PARAMETERS}]")["items"]
    waiting = [item for item in queue if (item["task"].get("url") or "").endswith(f"/{job_path(job)}")]
    tree = f"allBuilds[result,building,{PARAMETERS}]{{0,{NEWEST}}}"
    done = connection.json(f"{job_path(job)}api/json?tree={tree}")["allBuilds"]
    finished = [WatchedBuild(_parameters(build), _outcome(build)) for build in reversed(done)]
    return [*finished, *(WatchedBuild(_parameters(item)) for item in waiting)]


def _outcome(build: Mapping[str, Any]) -> Outcome:
    return "error" if build["result"] in CUT_SHORT and not build["building"] else "verdict"


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
