"""The one machine that publishes a lab: its journal knows what was delivered, and another one would deliver it again.

``publisher.json`` in the lab's state names the machine: a copy of the state on another machine is refused.  A machine with
an empty journal asks the lab's Jenkins where the job lab-publish ran before, and publishes nothing until Jenkins has
answered: all builds would be mailed and reported once more.
"""

from __future__ import annotations

from typing import Final

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config.description import Lab
from lab.config.jenkins import Connection, job_path
from lab.config.jenkins_failures import JenkinsMissing
from lab.store.records import Stored
from reports.home import PublicationHome
from reports.journal import Journal
from reports.sources.jenkins_answers import PublisherBuilds, agent_name, answered

FILE: Final = "publisher.json"
JOB: Final = "lab-publish"
NEWEST: Final = 100
UNKNOWN: Final = "this machine has never published, and Jenkins does not say whether another one has"
HINT: Final = "publish there, see jenkins.lab_agent; or move the work to this machine: qalab publish --take-over"


class PublishingMachine(Stored):
    """publisher.json: the machine that publishes, as `lab.base.environment.machine` returns it."""

    machine: str


def check(
    lab: Lab, place: PublicationHome, journal: Journal, connection: Connection | None, *, take_over: bool = False
) -> None:
    """Make sure that this machine publishes the lab; the first time, or with ``take_over``, make it so.

    Raises ConfigurationError where another machine does.
    """
    path, here = place.store.root / FILE, environment.machine()
    if path.exists() and not take_over:
        known = PublishingMachine.read(path).machine
        if here and known and known != here:
            raise ConfigurationError(f"{place.store.root}: another machine publishes with this state", hint=HINT)
        return
    if not take_over and journal.builds.is_empty and lab.jenkins:
        node = _last_node(lab, connection)
        if node is not None and node != _this_node():
            raise ConfigurationError(f"this machine has never published, and the agent {node} has", hint=HINT)
    PublishingMachine(machine=here).write(path)


def _this_node() -> str:
    """Return the name of the agent that this process runs on; "" outside of Jenkins."""
    name = environment.variable("NODE_NAME") or ""
    return "built-in" if name == "master" else name


def _last_node(lab: Lab, connection: Connection | None) -> str | None:
    """Return the agent of the last successful build of lab-publish; None without one.

    Raises ConfigurationError or InfrastructureError if Jenkins does not say.
    """
    if connection is None:
        raise ConfigurationError(f"{UNKNOWN}: there is no login for Jenkins", hint=HINT)
    job = f"{lab.jenkins.inside if lab.jenkins else ''}{JOB}"
    try:
        return _answered_node(connection, job)
    except LabError as error:
        kind = InfrastructureError if isinstance(error, InfrastructureError) else ConfigurationError
        raise kind(f"{UNKNOWN}: {error}", hint=HINT) from error


def _answered_node(connection: Connection, job: str) -> str | None:
    # Jenkins keeps the last successful build longer than others; failures can be those of refused machines.
    part = "[result,builtOn]"
    place = f"{job_path(job)}api/json?tree=lastSuccessfulBuild{part},allBuilds{part}{{0,{NEWEST}}}"
    try:
        found = answered(PublisherBuilds, connection.json(place), f"{connection.url}{place}")
    except JenkinsMissing:
        if connection.lists(job):
            raise
        return None
    good = [build for build in found.builds if build.result == "SUCCESS"]
    names = (agent_name(build.agent) for build in (*good, found.good) if build)
    return next(filter(None, names), None)
