"""The one machine that publishes a lab: its journal knows what was delivered, and another one would deliver it again.

``publisher.json`` in the lab's state names the machine: a copy of the state on another machine is refused.  A machine with
an empty journal asks the lab's Jenkins where the job lab-publish ran before.
"""

from __future__ import annotations

from typing import Final

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError
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
    if not take_over and journal.builds.is_empty and connection:
        try:
            node = _last_node(lab, connection)
        except InfrastructureError:  # the next pass asks again
            return
        if node is not None and node != _this_node():
            raise ConfigurationError(f"this machine has never published, and the agent {node} has", hint=HINT)
    PublishingMachine(machine=here).write(path)


def _this_node() -> str:
    """Return the name of the agent that this process runs on; "" outside of Jenkins."""
    name = environment.variable("NODE_NAME") or ""
    return "built-in" if name == "master" else name


def _last_node(lab: Lab, connection: Connection) -> str | None:
    """Return the agent of the last successful build of lab-publish; None without one.

    Raises InfrastructureError if Jenkins lists the job, and does not answer for it.
    """
    job = f"{lab.jenkins.inside if lab.jenkins else ''}{JOB}"
    place = f"{job_path(job)}api/json?tree=allBuilds[result,builtOn]{{0,{NEWEST}}}"
    try:
        builds = answered(PublisherBuilds, connection.json(place), f"{connection.url}{place}").builds
    except JenkinsMissing:
        if connection.lists(job):
            raise
        return None
    names = (agent_name(build.agent) for build in builds if build.result == "SUCCESS")
    return next(filter(None, names), None)
