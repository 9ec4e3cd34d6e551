"""The settle time: services that were started must keep running for a while, and nothing on their nodes may crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lab.base.errors import Failed, InfrastructureError, LabError
from lab.base.run import LONGEST
from lab.base.text import without_middle
from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.services import journals, node_health, systemd
from scripts.services.deployed_state import NodeBaseline
from scripts.services.node_health import NodeHealth
from scripts.services.site import Site

LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Settled:
    """What a settle time came to.

    ``baselines``: the health of each node at its beginning, so that exercises report the errors that were logged in it;
    ``errors``: those that services logged in the whole deployment, each with its unit and node.
    """

    baselines: Mapping[str, NodeBaseline]
    errors: tuple[str, ...] = ()


def check_started(site: Site) -> None:
    """Raise the fault of an application that starts nothing, unless its option ``starts_nothing`` expects that.

    Services that packaging does not enable are a fault only where no tested application runs any.
    """
    tested = [each for each in site.applications if not each.supporting]
    runs = any(site.services[each.name].units for each in tested)
    for application, node in ((each, node) for each in tested for node in each.nodes):
        service = site.services[application.name]
        if service.units_on(node) or application.options.get("starts_nothing"):
            continue
        where = f" on {node}" if service.units else ""
        for unit, why in (dict(service.idle) | dict(service.absent.get(node, {}))).items():
            message = f"none of its services runs{where}: {unit}: {why}"
            if journals.OF_MACHINE.search(why):
                hint = "the target cannot run it; use another deployment.target"
                raise InfrastructureError(f"{application.name}: {message}", hint=hint)
            if why.startswith(systemd.UNMET) or not runs:
                raise application.fault(message)


def settle(site: Site, before: Mapping[str, NodeBaseline], seconds: float, say: Callable[[str], None]) -> Settled:
    """See for some seconds that all services keep running.

    ``before``: the nodes' health before the installation.  Raises the fault of the application whose service died,
    was restarted or crashed, Failed for any other unit.
    """
    baselines = {name: node_health.baseline(node) for name, node in site.nodes.items()}
    started = dict(_units(site))
    if started and seconds:
        say(f"settle: services must keep running for {seconds:g} s")
    restarts = {place: state.get("NRestarts") for place, state in _states(site, started).items()}
    last = site.clock.monotonic() + (seconds if started else 0)
    while True:
        for (node, unit), state in _states(site, started).items():
            systemd.check(site.nodes[node], started[node, unit], unit, state, restarts[node, unit])
        if site.clock.monotonic() >= last:
            break
        site.clock.sleep(min(LOOK_SECONDS, last - site.clock.monotonic()))
    errors: list[str] = []
    for name, machine in site.nodes.items():
        owners = {unit: application for (place, unit), application in started.items() if place == name}
        health = node_health.since(machine, before[name])
        journals = {unit: systemd.journal(machine, unit) for unit in health.failed}
        for error in faults(name, health, owners, journals):
            raise error
        errors += logged(machine, health, owners)
        # At the end: what a start leaves running for some seconds only is no daemon.
        baselines[name] = baselines[name].model_copy(update={"left": health.left})
    return Settled(baselines, tuple(errors))


def logged(node: Node, health: NodeHealth, owners: Mapping[str, Application]) -> Iterator[str]:
    """Yield the first error of each service that logged any on a node, without those that its application accepts."""
    for unit, application in owners.items():
        if errors := health.errors(unit, str(application.options.get("accept_errors", ""))):
            yield f"{unit} on {node.name}: {without_middle(systemd.first_error(node, unit, errors), LONGEST)}"


def faults(
    node: str, health: NodeHealth, owners: Mapping[str, Application], journals: Mapping[str, str]
) -> Iterator[LabError]:
    """Yield what happened on a node while it was deployed that no good service does.

    ``owners``: applications by unit; ``journals``: for failed units, the line that explains the failure.
    """
    for unit, line in health.crashes:
        yield _fault(owners.get(unit), f"{unit or 'a program'} crashed on {node}: {without_middle(line, LONGEST)}")
    for unit in health.failed:
        yield _fault(owners.get(unit), f"{unit} failed on {node}: {journals[unit]}")


def _fault(owner: Application | None, message: str) -> LabError:
    return owner.fault(message) if owner else Failed(message)


def _units(site: Site) -> Iterator[tuple[tuple[str, str], Application]]:
    """Yield node, unit and application of each service that runs."""
    for application in site.applications:
        for node in application.nodes:
            for unit in site.services[application.name].units_on(node):
                yield (node, unit), application


def _states(site: Site, places: Mapping[tuple[str, str], Application]) -> dict[tuple[str, str], dict[str, str]]:
    """Return the state of each unit, with one call per node."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name, node in site.nodes.items():
        units = [unit for place, unit in places if place == name]
        found |= {(name, unit): state for unit, state in systemd.states(node, units).items()}
    return found
