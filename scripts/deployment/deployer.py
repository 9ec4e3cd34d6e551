"""The interface of deployers, and the result of a deployment.

A deployer installs the lab's packages on the nodes of one environment: with apt (see
`scripts.deployment.package_deployer`), or with Juju (see `scripts.deployment.charm_deployer`).
`scripts.deployment.deployer_choice` selects the deployer of a target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lab.base.errors import LabError
from scripts.drivers.topology import Topology
from scripts.services.deployed_state import Installed, NodeBaseline, Service


@dataclass(frozen=True)
class DeployResult:
    """Services by application, the packages that are installed, how many seconds each part took, and the nodes' health."""

    services: Mapping[str, Service]
    packages: Sequence[Installed]
    seconds: Mapping[str, float]
    baselines: Mapping[str, NodeBaseline] = field(default_factory=dict)
    retried: Sequence[LabError] = ()
    """Failures that passed when they were tried again."""
    errors: Sequence[str] = ()
    """The first error that each service logged while it was deployed, with its unit and node."""


class Deployer(Protocol):
    """Brings applications onto the nodes of one environment."""

    def deploy(self, topology: Topology) -> DeployResult:
        """Install, set up, wait until all is well.

        Raises Failed and InfrastructureError, which name the application or the package.
        """
