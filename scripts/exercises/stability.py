"""stability: since the settle time of the deployment, no service died, was restarted, crashed or logged an error.

It runs after all other exercises.  The option ``accept_errors`` of an application is a regular expression of errors that
its exercises cause on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from lab.base.errors import Failed, InfrastructureError, LabError
from lab.base.text import plural
from scripts.drivers.interfaces import Node
from scripts.exercises.cases import Cases, Over
from scripts.exercises.scene import Scene
from scripts.services import node_health, systemd
from scripts.services.deployed_state import NodeBaseline, Service
from scripts.services.node_health import NodeHealth

NAME = "stability"
NEEDS: tuple[str, ...] = ()
CASES: tuple[str, ...] = ()


def exercise(scene: Scene, cases: Cases) -> None:
    look(scene, cases, scene.deployed.baselines)


def look(scene: Scene, cases: Cases, baselines: Mapping[str, NodeBaseline], *, errors: bool = True) -> None:
    """Make a case for each service and each node: what happened there since a baseline.

    ``errors``: whether errors that services log count.
    """
    health = {name: node_health.since(node, baselines[name]) for name, node in scene.nodes.items() if name in baselines}
    for name, service, node in scene.places():
        for unit in service.units_on(node.name) if node.name in health else ():
            _kept_running(cases, name, service, node, unit, health[node.name])
            if errors:
                _logged_no_error(cases, name, service, node, unit, health[node.name])
    for name, found in health.items():
        units = {unit for _, service, node in scene.places() if node.name == name for unit in service.units_on(name)}
        with suppress(Over), cases.case(f"{name}: nothing else failed or crashed") as case:
            failed = {*found.failed, *found.ended} - units
            journals = {unit: systemd.journal(scene.nodes[name], unit) for unit in sorted(failed)}
            troubles = others(found, units, journals)
            case.output = "\n".join(troubles)
            if troubles:
                raise Failed(troubles[0])


def _kept_running(cases: Cases, name: str, service: Service, node: Node, unit: str, health: NodeHealth) -> None:  # noqa: PLR0913, PLR0917 - a case has these parts
    with suppress(Over), cases.case(f"{name}: {unit} kept running on {node.name}") as case:
        state = systemd.states(node, [unit])[unit]
        crashes = [line for where, line in health.crashes if where == unit]
        trouble = decline(state, health.restarted.get(unit, 0), crashes, health.ended.get(unit, ""))
        if trouble := trouble or ("none of its programs runs any more" if unit in health.emptied else ""):
            case.output = systemd.tail(node, unit)
            explained = "" if crashes else f": {systemd.journal(node, unit)}"
            raise _fault(service, trouble + explained)


def _logged_no_error(cases: Cases, name: str, service: Service, node: Node, unit: str, health: NodeHealth) -> None:  # noqa: PLR0913, PLR0917 - a case has these parts
    with suppress(Over), cases.case(f"{name}: {unit} logged no error on {node.name}") as case:
        if errors := health.errors(unit, str(service.options.get("accept_errors", ""))):
            case.output = "\n".join([*errors, "", systemd.tail(node, unit)])
            raise _fault(service, systemd.first_error(node, unit, errors))


def _fault(service: Service, message: str) -> LabError:
    return (InfrastructureError if service.supporting else Failed)(message)


def decline(state: dict[str, str], restarted: int, crashes: Sequence[str], ended: str = "") -> str:
    """Return what is wrong with a unit that ran at the end of the deployment; "" for nothing.

    ``ended``: systemd's result of a failure, also when the unit was started again by hand.
    """
    if crashes:
        return f"it crashed: {crashes[0]}"
    if not systemd.is_well(state):
        return f"it is {state['ActiveState']} ({systemd.result_of(state)})"
    if restarted:
        return f"it was restarted {plural(restarted, 'time')}"
    return f"it failed ({ended}), and was started again" if ended else ""


def others(health: NodeHealth, units: set[str], journals: Mapping[str, str]) -> list[str]:
    """Return what happened on a node apart from the units of applications.

    ``journals``: for each other unit that failed, the line that explains the failure.
    """
    crashed = [f"{unit or 'a program'} crashed: {line}" for unit, line in health.crashes if unit not in units]
    failed = [f"{unit} failed: {journals[unit]}" for unit in health.failed if unit not in units]
    counts = {unit: count for unit, count in health.restarted.items() if unit not in units}
    restarted = [f"{unit} was restarted {plural(count, 'time')}" for unit, count in counts.items()]
    emptied = [f"no program of {unit} runs any more" for unit in health.emptied if unit not in units]
    told = {*(unit for unit, _ in health.crashes), *health.failed, *counts, *units}
    passing = [
        f"{unit} failed ({why}), and is not failed any more: {journals[unit]}"
        for unit, why in health.ended.items()
        if unit not in told
    ]
    rebooted = ["it was rebooted"] * health.rebooted
    return [*rebooted, *crashed, *failed, *restarted, *emptied, *passing]
