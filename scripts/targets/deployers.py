"""Which deployer a target has: Juju's targets their own, all others apt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from scripts.recipes import Repository
from scripts.targets import juju
from scripts.targets.charms.deployer import Charms
from scripts.targets.deployer import Deployer
from scripts.targets.packages import Packages
from scripts.targets.seams import Node, Provisioner


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
    if isinstance(target, juju.Target):
        noted = target.recorded()
        model = target.model(noted)
        return Charms(model, target.home, noted.base, noted.machines, nodes, repository, offered, say, target.minutes)
    return Packages(target.reaching(nodes, repository), target, repository, offered, say)
