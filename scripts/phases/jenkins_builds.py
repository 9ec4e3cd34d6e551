"""Builds of a lab in Jenkins, as a watch sees them: what they were started for, their outcome; to start and to stop them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from pydantic import ValidationError

from lab.base.errors import ConfigurationError, LabError
from lab.config.description import Lab, job_name
from lab.config.jenkins import Connection, job_path
from lab.config.jenkins_failures import JenkinsMissing, JenkinsUnsure, reading
from lab.results.ownership_mark import of_description
from lab.store.records import RunInputs
from scripts.phases.news import Outcome

NEWEST: Final = 200
"""How many builds of a job are read."""
YEAR_10000: Final = 253_402_300_800
"""Unix time."""
PARAMETERS: Final = "actions[parameters[name,value]]"
CUT_SHORT: Final = frozenset({"ABORTED", "NOT_BUILT"})


@dataclass(frozen=True)
class WatchedBuild:
    """A build of a job, or a waiting one: its parameters and its outcome."""

    parameters: Mapping[str, str]
    outcome: Outcome = "verdict"
    result: str = ""
    """Jenkins' word; empty for a build that waits or runs."""
    started: float = 0.0
    """Unix time; 0 for one that waits."""
    stop: str = ""
    """The path whose call ends it."""
    number: int = 0
    """0 for one that waits."""
    path: str = ""
    """Its path in Jenkins; empty for one that waits."""
    url: str = ""
    """Its URL, as Jenkins tells it to the build itself."""
    ended: float = 0.0
    """Unix time; 0 for one that waits, and the start of one that runs."""

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
class OutdatedBuild:
    """A build of a job that waits or runs for a head that nobody needs; ``stop``: the path whose call ends it."""

    about: str
    job: str
    stop: str


@dataclass(frozen=True)
class TriggerRound:
    """The builds to start for a track, in order; why others are not started yet; and the sources that gave no answer."""

    builds: tuple[NewBuild, ...]
    delays: Mapping[str, str]
    troubles: tuple[LabError, ...]
    outdated: tuple[OutdatedBuild, ...] = ()


def folder(lab: Lab) -> str:
    """Return what the names of jobs begin with in Jenkins."""
    return lab.jenkins.inside if lab.jenkins else ""


def build_job(lab: Lab, track: str, component: str) -> str:
    return folder(lab) + job_name(track, component, "build")


def is_busy(builds: Sequence[WatchedBuild]) -> bool:
    return any(not build.result for build in builds)


def builds_of(connection: Connection, job: str) -> list[WatchedBuild]:
    """Return the newest builds of a job, oldest first, and then the waiting ones."""
    with reading(connection.url + job_path(job)):
        # The queue first: what leaves it meanwhile is among the builds then.
        queue = connection.json(f"queue/api/json?tree=items[id,task[url],{PARAMETERS}]")["items"]
        waiting = [item for item in queue if (item["task"].get("url") or "").endswith(f"/{job_path(job)}")]
        tree = f"allBuilds[number,url,result,building,timestamp,duration,{PARAMETERS}]{{0,{NEWEST}}}"
        done = _of_job(connection, f"{job_path(job)}api/json?tree={tree}")["allBuilds"]
        return [
            *(_watched(job, build) for build in reversed(done)),
            *(WatchedBuild(_parameters(item), stop=f"queue/cancelItem?id={item['id']}") for item in waiting),
        ]


def _of_job(connection: Connection, where: str) -> dict[str, Any]:
    try:
        return connection.json(where)
    except JenkinsMissing as error:
        raise JenkinsMissing(str(error), hint="qalab jenkins apply creates the jobs of a lab") from None


def _watched(job: str, build: Mapping[str, Any]) -> WatchedBuild:
    path, started = f"{job_path(job)}{int(build['number'])}/", _unix_time(build["timestamp"])
    return WatchedBuild(
        _parameters(build),
        _outcome(build),
        _result(build),
        started,
        f"{path}stop",
        build["number"],
        path,
        str(build.get("url") or ""),
        _unix_time(build["timestamp"] + build["duration"]),
    )


def _outcome(build: Mapping[str, Any]) -> Outcome:
    return "error" if build["result"] in CUT_SHORT and not build["building"] else "verdict"


def _result(build: Mapping[str, Any]) -> str:
    return "" if build["building"] else str(build["result"] or "")


def _unix_time(milliseconds: float) -> float:
    """Return Unix time.  Raises ValueError for one that no calendar has."""
    if not 0 <= milliseconds < YEAR_10000 * 1000:
        raise ValueError(f"timestamp {milliseconds}")
    return milliseconds / 1000


def _parameters(build: Mapping[str, Any]) -> dict[str, str]:
    found = (one for action in build["actions"] if action for one in action.get("parameters") or ())
    return {one["name"]: str(one.get("value") or "") for one in found}


def stop(connection: Connection, old: OutdatedBuild) -> None:
    """End a build.  Jenkins takes a while to end one that runs: only for a lost answer is it asked whether it has."""
    try:
        connection.send("POST", old.stop)
    except JenkinsMissing:  # it ended meanwhile
        return
    except JenkinsUnsure:
        if any(build.stop == old.stop and not build.result for build in builds_of(connection, old.job)):
            raise


def start(connection: Connection, new: NewBuild, owner: str) -> bool:
    """Start a build, once: when an answer was lost, Jenkins is asked whether it has the build already.

    Return False where another call has started it meanwhile, or where it was between the queue and the builds when they
    were read; a build by hand is started nevertheless.
    ``owner``: the lab.  Raises ConfigurationError for a job that would build something else, or nothing.
    """
    _refuse_job(connection, new, owner)
    before = _alike(connection, new)  # a build that has ended is started again with the same parameters
    if is_busy(before) and new.parameters.get("CAUSE") != "by hand":
        return False

    def done() -> bool:
        there = _alike(connection, new)
        waits = any(not one.number for one in (*before, *there))  # Jenkins takes an equal one for the one that waits
        return len(there) > len(before) or (waits and is_busy(there))

    where = f"{job_path(new.job)}buildWithParameters"
    connection.write(where, done=done, expected=HTTPStatus.CREATED, data=dict(new.parameters))
    return True


def _refuse_job(connection: Connection, new: NewBuild, owner: str) -> None:
    """Raise ConfigurationError for a job of another lab, one that is disabled, and one without a parameter of the build.

    Jenkins ignores a parameter that a job does not have: the build would be one of the tip, and not of the commit.
    """
    tree = "buildable,description,property[parameterDefinitions[name]]"
    with reading(connection.url + job_path(new.job)):
        found = _of_job(connection, f"{job_path(new.job)}api/json?tree={tree}")
        marked = of_description(str(found.get("description") or ""))
        definitions = (one for each in found["property"] if each for one in each.get("parameterDefinitions") or ())
        known = {str(one["name"]) for one in definitions}
    if marked and marked.lab != owner:
        raise ConfigurationError(f"{new.job}: is the lab {marked.lab}'s", hint="jenkins.folder keeps labs apart")
    if marked and marked.is_copied(new.job):
        raise ConfigurationError(f"{new.job}: is a copy of {marked.item}", hint="qalab jenkins apply restores the job")
    if missing := [name for name in new.parameters if name not in known]:
        hint = "qalab jenkins apply restores the job; was another configuration of it applied?"
        raise ConfigurationError(
            f"{new.job}: has no parameter {missing[0]}, so the build would be another one", hint=hint
        )
    if found.get("buildable") is False:
        raise ConfigurationError(f"{new.job}: is disabled", hint="Enable it in Jenkins to start builds")


def _alike(connection: Connection, new: NewBuild) -> list[WatchedBuild]:
    """Return the builds with the parameters of a new one."""
    return [
        build
        for build in builds_of(connection, new.job)
        if all(build.parameter(name) == value for name, value in new.parameters.items())
    ]
