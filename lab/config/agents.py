"""The agents of a lab's Jenkins: the labels by phase and architecture, and contradictions between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from lab.config.description import PHASES, Lab
from lab.config.servers import LabJenkinsSettings

FIRST_STEP: Final = "archive"
"""The first step of a build that runs on the machine of the archive."""
Role = Literal["build", "test", "deploy", "archive", "lab"]


def label(jenkins: LabJenkinsSettings, role: Role) -> str:
    """Return the label of the agents of a role."""
    named = {
        "build": jenkins.build_agent,
        "deploy": jenkins.deploy_agent,
        "archive": jenkins.archive_agent,
        "lab": jenkins.lab_agent,
    }
    return named.get(role) or jenkins.agent


def label_of_track(lab: Lab, jenkins: LabJenkinsSettings, track: str, role: Role) -> str:
    """Return the label expression of the agents that build, test or deploy a track: of its architecture too."""
    wanted = label(jenkins, role)
    for architecture in lab.series[lab.tracks[track].series].architectures:
        if more := jenkins.architecture_agents.get(architecture):
            return f"({wanted}) && {more}" if any(sign in wanted for sign in "&|") else f"{wanted} && {more}"
    return wanted


def contradictions(lab: Lab) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield contradictions in the settings of the agents, each with its key."""
    jenkins = lab.jenkins
    if jenkins is None:
        return
    for architecture in jenkins.architecture_agents:
        if not any(architecture in series.architectures for series in lab.series.values()):
            yield ("jenkins", "architecture_agents", architecture), "no series has this architecture"
    if jenkins.archive_agent is None:
        return
    if not lab.archive.url:
        yield ("archive", "url"), "missing; where all agents read the archive of jenkins.archive_agent, on a web server"
    for role in ("build", "deploy"):
        if label(jenkins, role) == jenkins.archive_agent:
            shared = f"{jenkins.archive_agent} is also the label of the agents that {role}"
            reason = "they run the code of others, and must not have the keys of the archive"
            yield ("jenkins", "archive_agent"), f"{shared}: {reason}"
    if label(jenkins, "build") == label(jenkins, "lab"):
        shared = f"{label(jenkins, 'lab')} is also the label of the agents that build"
        reason = "they run upstream's code, and must not have the login of Jenkins"
        yield ("jenkins", "lab_agent"), f"{shared}: {reason}"


def archive_job(track: str, component: str) -> str:
    """Return the name of the job that adds the builds of a component to the archive, in its folder."""
    return f"{track}-{component}-{FIRST_STEP}"


def agent_steps() -> tuple[str, ...]:
    """Return the steps of a build that run on the agent that builds where another machine has the archive."""
    steps = PHASES["build"]
    return steps[: steps.index(FIRST_STEP)]
