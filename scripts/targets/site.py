"""What a role works with: the nodes, what was set up before it, and how services are started and asked after.

A service is well when it says so.  One that starts and dies is found by its state while it is looked at, and
told with the line of its journal that says most.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lab.run import COMPLAINT, LONGEST, TimedOut
from scripts.targets.deployed import Service
from scripts.targets.seams import Node
from scripts.targets.topology import Application

UNIT_DIRECTORY = "/lib/systemd/system/"
# How long a service that has started is looked at before it is believed.
WATCH_SECONDS = 1.5
LOOK_SECONDS = 0.25
# What systemd says of a unit, which is not what the unit says.
SYSTEMD_SAYS = ("Main process exited", "Failed with result", "Scheduled restart job", "Stopped ", "Failed to start ",
                "Starting ", "Started ", "Start request repeated", "Consumed ", "Control process exited",
                "Deactivated successfully")  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A deployment while it is made."""

    nodes: Mapping[str, Node]
    services: dict[str, Service] = field(default_factory=dict)

    def nodes_of(self, application: Application) -> list[Node]:
        return [self.nodes[name] for name in application.nodes]

    def service(
        self, application: Application, units: Iterable[str] = (), settings: Mapping[str, str] | None = None
    ) -> Service:
        """An application as others will see it."""
        return Service(
            role=application.role.NAME,
            nodes=application.nodes,
            packages=application.packages,
            units=tuple(units),
            options=dict(application.options),
            settings=dict(settings or {}),
        )

    def enabled_units(self, node: Node, application: Application) -> list[str]:
        """The services that an application's packages bring and enable."""
        shown = node.run(["dpkg-query", "--listfiles", *application.packages], capture=True).stdout
        names = sorted({
            line.rpartition("/")[2]
            for line in shown.splitlines()
            if UNIT_DIRECTORY in line and line.endswith(".service") and "@" not in line
        })  # fmt: skip
        return [name for name in names if node.run(["systemctl", "--quiet", "is-enabled", name], check=False)]

    def start(self, node: Node, application: Application, *units: str) -> None:
        """Start services, and see that they stay.  Raises the application's fault."""
        for unit in units:
            node.run(["systemctl", "start", unit], check=False)
        last = time.monotonic() + WATCH_SECONDS
        restarts = {unit: self.state(node, unit)["NRestarts"] for unit in units}
        while units:
            for unit in units:
                state = self.state(node, unit)
                if not _is_well(state) or state["NRestarts"] != restarts[unit]:
                    ended = f"{unit} starts and dies" if state["ExecMainStartTimestamp"] else f"{unit} does not start"
                    raise application.fault(f"{ended} on {node.name} ({state['Result']}): {self.journal(node, unit)}")
            if time.monotonic() > last:
                return
            time.sleep(LOOK_SECONDS)

    def state(self, node: Node, unit: str) -> dict[str, str]:
        """Some properties of a unit: see systemctl(1), show."""
        names = "ActiveState,ExecMainStartTimestamp,NRestarts,Result,Type"
        shown = node.run(["systemctl", "show", f"--property={names}", unit], capture=True).stdout
        return dict(line.split("=", 1) for line in shown.splitlines())

    def journal(self, node: Node, unit: str) -> str:
        """The line of a unit's journal that says most of why it is not well."""
        shown = node.run(["journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=50", f"--unit={unit}"],
                         capture=True, check=False).stdout  # fmt: skip
        own = [line.strip() for line in shown.splitlines() if line.strip() and not _is_of_systemd(line, unit)]
        complaints = [line for line in own if COMPLAINT.search(line)]
        return (complaints or own or ["its journal says nothing"])[-1][:LONGEST]

    def wait_until_well(self, node: Node, application: Application, asked: list[str], patience: float) -> None:
        """Ask until a command succeeds.  Raises the application's fault when it does not in time."""
        last = time.monotonic() + patience
        while True:
            try:
                result, lines = node.attempt(asked, timeout=max(1.0, last - time.monotonic()))
            except TimedOut:
                lines = ["no answer"]
            else:
                if result:
                    return
            if time.monotonic() > last:
                said = lines[-1].strip()[:LONGEST] if lines else f"status {result.returncode}"
                what = shlex.join(asked)
                raise application.fault(f"is not well on {node.name} after {patience:g} s: {what}: {said}")
            time.sleep(LOOK_SECONDS)


def _is_well(state: Mapping[str, str]) -> bool:
    done = state["Type"] == "oneshot" and state["ActiveState"] == "inactive" and state["Result"] == "success"
    return state["ActiveState"] == "active" or done


def _is_of_systemd(line: str, unit: str) -> bool:
    said = line.removeprefix(f"{unit}: ")
    return said != line or said.startswith(SYSTEMD_SAYS)
