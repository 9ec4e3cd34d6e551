"""Builds of changes that are private on their forge: they are not published.

A change can become private after its build began, so the forge is asked when the build is about to be published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab.config.description import Lab
from lab.forges.proposals import Forge, ProposalId
from lab.forges.registry import open_forge
from reports.model import Build


@dataclass(frozen=True)
class PrivateProposals:
    """The changes under review of a lab; ``base``: the directory of lab.yaml; ``forges``: those that were asked before."""

    lab: Lab
    base: Path
    now: Callable[[], float]
    forges: dict[str, Forge] = field(default_factory=dict)

    def withheld(self, build: Build) -> str:
        """Return why a build is not published, for what was tested or what it was tested with; "" for one that is.

        Raises InfrastructureError where the forge cannot be asked, ConfigurationError without its credentials.
        """
        about = (*((build.proposal,) if build.proposal else ()), *build.depends_on)
        return next(filter(None, map(self._private, about)), "")

    def _private(self, one: ProposalId) -> str:
        if one.forge not in self.lab.reviews:
            return f"{one}: lab.yaml names no server {one.forge} that says whether the change is private"
        if one.forge not in self.forges:
            self.forges[one.forge] = open_forge(self.lab, self.base, one.forge, self.now)
        found = self.forges[one.forge].now(one.project, one.number)
        if found is None:
            return f"{one}: the server has no such change, or does not show it to the lab"
        return f"{one}: the change is private" if found.is_private else ""
