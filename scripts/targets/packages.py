"""The deployer of packages: onto each node what its applications need, then the applications one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scripts.recipes import Repository
from scripts.targets import installing
from scripts.targets.seams import Made, Node, Provisioner
from scripts.targets.site import Site
from scripts.targets.topology import Topology


@dataclass(frozen=True)
class Packages:
    """Deploys a topology from the lab's archive, and the distribution's where that has nothing."""

    nodes: Sequence[Node]
    target: Provisioner
    repository: Repository | None
    archive: Mapping[str, tuple[str, str]]
    say: Callable[[str], None]

    def deploy(self, topology: Topology) -> Made:
        """Install, set up, record.  Raises Failed and InfrastructureError, which name the application or the package."""
        site, took = Site({node.name: node for node in self.nodes}, self.target.beside, self.target.route), {}
        began = time.monotonic()
        for node in self.nodes:
            names = sorted({name for application in topology.on(node.name) for name in application.packages})
            installing.install(node, names, self.repository)
        there = [each for node in self.nodes for each in installing.installed(node, self.repository, self.archive)]
        took["install"] = round(time.monotonic() - began, 2)
        for application in topology.applications:
            began = time.monotonic()
            self.say(f"setting up {application.name}")
            site.services[application.name] = application.role.set_up(site, application)
            took[application.name] = round(time.monotonic() - began, 2)
        return Made(site.services, there, took)
