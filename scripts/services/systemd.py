"""Services of applications as systemd units: start them, and see that they stay.

A service that starts and dies is found by its state while it is watched, and reported with the line of its journal
that explains most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.services import journals
from scripts.services.site import Site

# How long a service that cannot be asked is watched before it is believed.
WATCH_SECONDS = 1.5
LOOK_SECONDS = 0.25


def restart(node: Node, application: Application, unit: str, verb: str = "restart") -> None:
    """Start or restart a unit that has its own health check.  Raises the application's fault."""
    if not node.run(["systemctl", verb, unit], check=False):
        raise application.fault(f"{unit} does not start on {node.name}: {journal(node, unit)}")


def start(site: Site, node: Node, application: Application, *names: str, needed: Sequence[str] = ()) -> dict[str, str]:
    """Start units without a health check, and check that they keep running.

    Returns the units that are idle by design, with the reason.  Units of ``needed`` packages can already be running for
    other applications.  Raises the application's fault.
    """
    for unit in needed:
        restart(node, application, unit, verb="start")
    for unit in names:
        restart(node, application, unit)
    every = (*needed, *names)
    last = site.clock.monotonic() + WATCH_SECONDS
    before = {unit: _state(node, unit) for unit in every}
    idle = {unit: why for unit, state in before.items() if (why := _idle(state))}
    while watched := [unit for unit in every if unit not in idle]:
        site.cancellation.check()
        for unit in watched:
            must_run(node, application, unit, before[unit].get("NRestarts"))
        if site.clock.monotonic() > last:
            break
        site.clock.sleep(LOOK_SECONDS)
    return idle


def must_run(node: Node, application: Application, unit: str, before: str | None) -> None:
    """See that a unit runs and was not restarted since.  Raises the application's fault.

    ``before``: how often it had been restarted then; None for a unit that systemd does not restart.
    """
    state = _state(node, unit)
    if not _is_well(state) or state.get("NRestarts") != before:
        ended = "starts and dies" if state.get("ExecMainStartTimestamp") else "does not start"
        why = state.get("Result", state["ActiveState"])
        raise application.fault(f"{unit} {ended} on {node.name} ({why}): {journal(node, unit)}")


def restarts(node: Node, unit: str) -> str | None:
    """Return how often systemd has restarted a unit."""
    return _state(node, unit).get("NRestarts")


def journal(node: Node, unit: str) -> str:
    """Return the line of a unit's journal, or of a log of the same name, that explains most why it is not well."""
    words = ["sh", "-c", journals.SHOW, "sh", unit, f"{unit.removesuffix('.service')}.log"]
    return journals.failure_line(node.run(words, capture=True, check=False).stdout, unit)


def _state(node: Node, unit: str) -> dict[str, str]:
    """Return some properties of a unit: see systemctl(1), show."""
    names = "ActiveState,ConditionResult,ConditionTimestamp,ExecMainStartTimestamp,NRestarts,Result,Type"
    output = node.run(["systemctl", "show", f"--property={names}", unit], capture=True).stdout
    return dict(line.split("=", 1) for line in output.splitlines())


def _is_done(state: Mapping[str, str]) -> bool:
    """Return whether a unit does something, ends, and did so."""
    return state.get("Type") == "oneshot" and state["ActiveState"] == "inactive" and state["Result"] == "success"


def _is_well(state: Mapping[str, str]) -> bool:
    return state["ActiveState"] == "active" or _is_done(state)


def _idle(state: Mapping[str, str]) -> str:
    """Return why a unit that was started rightly does not run; an empty string when it is to run."""
    if state["ActiveState"] != "inactive":
        return ""
    if state.get("ConditionTimestamp") and state.get("ConditionResult") == "no":
        return "its condition is not met"
    return "it has done its work" if _is_done(state) else ""
