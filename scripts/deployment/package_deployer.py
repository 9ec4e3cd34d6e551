"""The deployer of packages: it installs the packages of each node, then sets up the applications in parallel."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scripts.chroots.bootstrap import Repository
from scripts.deployment import installation, package_proof, rebooting, startup
from scripts.deployment.deployer import DeployResult
from scripts.drivers.interfaces import Node, Provisioner
from scripts.drivers.topology import Topology
from scripts.services import node_health, settling
from scripts.services.deployed_state import Installed, Service
from scripts.services.site import Site


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
        before = {node.name: node_health.baseline(node) for node in self.nodes}
        with ThreadPoolExecutor(len(self.nodes) or 1) as pool:
            list(pool.map(lambda node: self._install(node, topology), self.nodes))
        packages = self._proven()
        installed = round(time.monotonic() - began, 2)
        rebooted = rebooting.reboot(self.nodes, topology, self.say)
        site = self._site(topology, {})
        took = startup.set_up(site, topology, self.say)
        settling.check_started(site)
        began = time.monotonic()
        settled = settling.settle(site, before, topology.settle_seconds, self.say)
        took["settle"] = round(time.monotonic() - began, 2)
        took = {"install": installed, **rebooted, **took}
        return DeployResult(site.services, packages, took, settled.baselines, errors=settled.errors)

    def upgrade(self, topology: Topology, made: DeployResult, sources: Collection[str]) -> DeployResult:
        """Upgrade what is deployed of some source packages, in place; services must keep running, or run again.

        Raises Failed for packages that the upgrade removes, and all that `deploy` raises.
        """
        began = time.monotonic()
        for node in self.nodes:
            names = sorted({each.name for each in made.packages if each.node == node.name and each.source in sources})
            if names:
                self.say(f"upgrade {', '.join(names)} on {node.name}")
                installation.upgrade(node, names, self.repository, topology.minutes)
        packages = self._proven()
        took = {"upgrade": round(time.monotonic() - began, 2)}
        site = self._site(topology, made.services)
        settled = settling.settle(site, made.baselines, topology.settle_seconds, self.say)
        return DeployResult(site.services, packages, took, settled.baselines, errors=settled.errors)

    def _proven(self) -> list[Installed]:
        packages = [each for node in self.nodes for each in installation.installed(node, self.repository, self.archive)]
        for node in self.nodes:
            package_proof.check(node, packages)
        return packages

    def _site(self, topology: Topology, services: Mapping[str, Service]) -> Site:
        nodes = {node.name: node for node in self.nodes}
        known = dict(services)
        return Site(
            nodes,
            self.target.beside,
            self.target.route,
            topology.applications,
            topology.relations,
            known,
            say=self.say,
            recommends=topology.recommends,
        )

    def _install(self, node: Node, topology: Topology) -> None:
        names = sorted({name for application in topology.on(node.name) for name in application.packages})
        installation.install(
            node, names, self.repository, topology.answers, topology.minutes, recommends=topology.recommends
        )
