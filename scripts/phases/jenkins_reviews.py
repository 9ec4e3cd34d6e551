"""Changes under review in a lab in Jenkins: the builds to start for their heads, and those to stop."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final

from lab.base import environment
from lab.base.errors import ConfigurationError, Failed, InfrastructureError, LabError
from lab.config.description import Lab, job_name
from lab.config.jenkins import Connection
from lab.config.review_projects import server_of
from lab.forges.proposals import ProposalId, proposal_of, proposals_of
from lab.forges.registry import open_forge
from lab.store.records import rfc3339
from scripts.phases.jenkins_builds import NewBuild, OutdatedBuild, TriggerRound, build_job, builds_of, folder
from scripts.phases.jenkins_faults import watched_builds
from scripts.reviews import watching
from scripts.reviews.states import MadeStates
from scripts.reviews.superseding import why_outdated
from scripts.reviews.watching import GOOD, TestedHead, WantedBuild

VERDICTS: Final[Mapping[str, str]] = {"SUCCESS": "passed", "UNSTABLE": "unstable", "FAILURE": "failed"}


def of_changes(lab: Lab, track: str, connection: Connection) -> TriggerRound:
    """Return the builds of changes under review to start."""
    troubles: list[LabError] = []
    heads = partial(jenkins_heads, lab, track, connection, MadeStates(lab, track))
    wanted = [*watching.wanted_builds(lab, track, heads, troubles)]
    outdated = tuple(_outdated(lab, track, connection, troubles))
    return TriggerRound(tuple(_of_change(lab, track, one) for one in wanted), {}, tuple(troubles), outdated)


def _outdated(lab: Lab, track: str, connection: Connection, troubles: list[LabError]) -> Iterator[OutdatedBuild]:
    """Yield the builds, of all phases, whose head is replaced or whose change is closed."""
    pairs = [(component, phase) for phase in lab.tracks[track].phases for component in lab.components_of(track)]
    reasons: dict[ProposalId, str] = {}
    try:
        forge = open_forge(lab, lab.file.parent, server_of(lab, track)[0], lambda: environment.now().timestamp())
        for job in dict.fromkeys(folder(lab) + job_name(track, *pair) for pair in pairs):
            for build in builds_of(connection, job):
                if not build.result and (one := proposal_of(build.parameter("PROPOSAL"))):
                    if one not in reasons:
                        reasons[one] = why_outdated(forge, one)
                    if why := reasons[one]:
                        yield OutdatedBuild(f"{job}: {one}: {why}", job, build.stop)
    except (ConfigurationError, Failed, InfrastructureError) as error:
        troubles.append(error)


def _of_change(lab: Lab, track: str, wanted: WantedBuild) -> NewBuild:
    needed = [one.model_dump() for one in wanted.depends_on]
    parameters = {
        "COMMIT": wanted.proposal.head,
        "CAUSE": "change under review",
        "REASON": str(wanted.proposal),
        "PROPOSAL": wanted.proposal.model_dump_json(),
        "DEPENDS_ON": json.dumps(needed),
        "ONTO": wanted.onto,
    }
    return NewBuild(wanted.component, build_job(lab, track, wanted.component), parameters)


def jenkins_heads(lab: Lab, track: str, connection: Connection, made: MadeStates, component: str) -> list[TestedHead]:
    """Return the builds of changes under review on a Jenkins, with the states of the archive that they have made."""
    found = []
    for build in watched_builds(connection, build_job(lab, track, component)):
        proposal, needed = proposal_of(build.parameter("PROPOSAL")), proposals_of(build.parameter("DEPENDS_ON"))
        if proposal and needed is not None:  # somebody can have started one with other texts
            started = rfc3339(datetime.fromtimestamp(build.started, UTC))
            verdict = "aborted" if build.outcome == "error" else VERDICTS.get(build.result, "running")
            state, version = made.newest(proposal, component) if verdict in GOOD else ("", "")
            found.append(
                TestedHead(proposal.key, frozenset(one.key for one in needed), verdict, started, state, version)
            )
    return found
