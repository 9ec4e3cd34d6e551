"""What an exercise is given: what is deployed, and the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lab.errors import ConfigurationError
from scripts.targets.deployed import Deployed, Service
from scripts.targets.seams import Node


@dataclass(frozen=True)
class Scene:
    deployed: Deployed
    nodes: Mapping[str, Node]

    def role(self, name: str) -> Service:
        """The service of a role.  Raises ConfigurationError when the deployment has none."""
        for service in self.deployed.services.values():
            if service.role == name:
                return service
        raise ConfigurationError(f"this exercise needs a {name}, and the deployment has none")

    def places(self) -> Iterator[tuple[str, Service, Node]]:
        """Each application on each of its nodes."""
        for name, service in self.deployed.services.items():
            for node in service.nodes:
                yield name, service, self.nodes[node]
