"""The deployer of packages: onto each node what its applications need, then the applications, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scripts.recipes import Repository
from scripts.targets import installing, setting_up
from scripts.targets.deployer import DeployResult
from scripts.targets.seams import Node, Provisioner
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

    def deploy(self, topology: Topology) -> DeployResult:
        """Install, set up, record.  Raises Failed and InfrastructureError, which name the application or the package."""
        began = time.monotonic()
        with ThreadPoolExecutor(len(self.nodes) or 1) as pool:
            list(pool.map(lambda node: self._install(node, topology), self.nodes))
        there = [each for node in self.nodes for each in installing.installed(node, self.repository, self.archive)]
        installed = round(time.monotonic() - began, 2)
        nodes = {node.name: node for node in self.nodes}
        site = Site(nodes, self.target.beside, self.target.route, topology.applications)
        took = setting_up.set_up(site, topology, self.say)
        return DeployResult(site.services, there, {"install": installed, **took})

    def _install(self, node: Node, topology: Topology) -> None:
        names = sorted({name for application in topology.on(node.name) for name in application.packages})
        installing.install(node, names, self.repository)
