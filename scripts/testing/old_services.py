"""Services that an upgrade leaves running as they were: what they have loaded is the old version.

A maintainer script restarts the services of its package, unless it was built not to, or has lost its part that does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application, Topology
from scripts.services import systemd
from scripts.services.deployed_state import Service


def started(node: Node, services: Mapping[str, Service]) -> dict[str, str]:
    """Return when the main program of each service of a node was started, of those that run."""
    units = sorted({unit for each in services.values() if node.name in each.nodes for unit in each.units_on(node.name)})
    return {
        unit: began
        for unit, state in systemd.states(node, units).items()
        if (began := state.get("ExecMainStartTimestamp")) and state["SubState"] == "running"
    }


def restart(
    node: Node, where: Topology, services: Mapping[str, Service], before: Mapping[str, str], upgraded: Collection[str]
) -> list[str]:
    """Restart the services of upgraded packages that run since before the upgrade, as the next boot does; return them.

    ``before``: those of `started`.  Raises the application's fault.
    """
    now = started(node, services)
    found = {
        unit: application
        for application, unit in _of_packages(node, where, services, upgraded)
        if unit in before and now.get(unit) == before[unit]
    }
    if found:
        node.run(["systemctl", "daemon-reload"])
    for unit, application in found.items():
        systemd.restart(node, application, unit)
    return [*found]


def _of_packages(
    node: Node, where: Topology, services: Mapping[str, Service], upgraded: Collection[str]
) -> Iterator[tuple[Application, str]]:
    for application in where.on(node.name):
        service = services.get(application.name)
        if service and not frozenset(upgraded).isdisjoint(service.packages):
            yield from ((application, unit) for unit in service.units_on(node.name))
