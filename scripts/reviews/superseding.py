"""Runs whose head is replaced, or whose change is closed: nobody needs their results any more."""

from __future__ import annotations

from lab.base import environment
from lab.base.errors import LabError
from lab.config.description import Lab
from lab.config.review_projects import server_of
from lab.forges.proposals import Forge, ProposalId
from lab.forges.registry import open_forge
from lab.store.run_directory import Run


def why_outdated(forge: Forge, one: ProposalId) -> str:
    """Ask the server why a head needs no more tests; "" for the head of an open proposal, and for an unknown one."""
    now = forge.now(one.project, one.number)
    return now.why_outdated(one) if now else ""


def why_to_stop(lab: Lab, run: Run) -> str:
    """Return why the later phases of a run are not needed; "" where they are, and where the server does not answer."""
    if run.info.proposal is None:
        return ""
    try:
        name, _ = server_of(lab, run.info.track)
        forge = open_forge(lab, lab.file.parent, name, lambda: environment.now().timestamp())
        return why_outdated(forge, run.info.proposal)
    except LabError:
        return ""
