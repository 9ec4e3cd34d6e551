"""The choice of a target's deployer: charms for Juju's targets, apt for all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from scripts.chroots.bootstrap import Repository
from scripts.deployment.charm_deployer import Charms
from scripts.deployment.deployer import Deployer
from scripts.deployment.package_deployer import Packages
from scripts.drivers.interfaces import Node, Provisioner
from scripts.drivers.juju import driver


def deployer(
    target: Provisioner,
    nodes: Sequence[Node],
    repository: Repository | None,
    offered: Mapping[str, tuple[str, str]],
    say: Callable[[str], None],
) -> Deployer:
    """Return the deployer for nodes that a target has made.

    ``offered``: the version and the source package of each binary package that the repository has.
    """
    if isinstance(target, driver.JujuTarget):
        noted = target.recorded()
        model = target.model(noted)
        return Charms(
            model=model, home=target.home, base=noted.base, machines=noted.machines, nodes=nodes, adopt=target.adopt,
            settings=target.juju, repository=repository, archive=offered, say=say,
        )  # fmt: skip
    return Packages(target.reaching(nodes, repository), target, repository, offered, say)
