"""Services of applications as systemd units: start them, and see that they stay.

A service that starts and dies is found by its state while it is watched, and reported with the line of its journal
that explains most.
"""

from __future__ import annotations

from collections.abc import Mapping

from scripts.targets import journals
from scripts.targets.seams import Node
from scripts.targets.site import Site
from scripts.targets.topology import Application

UNIT_DIRECTORY = "/lib/systemd/system/"
# How long a service that cannot be asked is watched before it is believed.
WATCH_SECONDS = 1.5
LOOK_SECONDS = 0.25


def enabled(node: Node, application: Application) -> list[str]:
    """List the services that an application's packages install and enable."""
    shown = node.run(["dpkg-query", "--listfiles", *application.packages], capture=True).stdout
    names = sorted({
        line.rpartition("/")[2]
        for line in shown.splitlines()
        if UNIT_DIRECTORY in line and line.endswith(".service") and "@" not in line
    })  # fmt: skip
    return [name for name in names if node.run(["systemctl", "--quiet", "is-enabled", name], check=False)]


def restart(node: Node, application: Application, unit: str) -> None:
    """Start or restart a service, whose health is then to be asked.  Raises the application's fault."""
    if not node.run(["systemctl", "restart", unit], check=False):
        raise application.fault(f"{unit} does not start on {node.name}: {journal(node, unit)}")


def start(site: Site, node: Node, application: Application, *units: str) -> None:
    """Start services that cannot be asked, and see that they stay.  Raises the application's fault."""
    for unit in units:
        restart(node, application, unit)
    last = site.clock.monotonic() + WATCH_SECONDS
    before = {unit: restarts(node, unit) for unit in units}
    while units:
        site.cancellation.check()
        for unit in units:
            must_run(node, application, unit, before[unit])
        if site.clock.monotonic() > last:
            return
        site.clock.sleep(LOOK_SECONDS)


def must_run(node: Node, application: Application, unit: str, before: str) -> None:
    """See that a service runs and was not restarted since.  Raises the application's fault.

    ``before``: how often it had been restarted then.
    """
    state = _state(node, unit)
    if not _is_well(state) or state["NRestarts"] != before:
        ended = "starts and dies" if state["ExecMainStartTimestamp"] else "does not start"
        raise application.fault(f"{unit} {ended} on {node.name} ({state['Result']}): {journal(node, unit)}")


def restarts(node: Node, unit: str) -> str:
    """Return how often systemd has restarted a unit."""
    return _state(node, unit)["NRestarts"]


def journal(node: Node, unit: str) -> str:
    """Return the line of a unit's journal, or of a log of the same name, that explains most why it is not well."""
    words = ["sh", "-c", journals.SHOW, "sh", unit, f"{unit.removesuffix('.service')}.log"]
    return journals.telling(node.run(words, capture=True, check=False).stdout, unit)


def _state(node: Node, unit: str) -> dict[str, str]:
    """Return some properties of a unit: see systemctl(1), show."""
    names = "ActiveState,ExecMainStartTimestamp,NRestarts,Result,Type"
    shown = node.run(["systemctl", "show", f"--property={names}", unit], capture=True).stdout
    return dict(line.split("=", 1) for line in shown.splitlines())


def _is_well(state: Mapping[str, str]) -> bool:
    done = state["Type"] == "oneshot" and state["ActiveState"] == "inactive" and state["Result"] == "success"
    return state["ActiveState"] == "active" or done
