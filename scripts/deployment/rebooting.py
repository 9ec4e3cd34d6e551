"""Reboots of nodes after an installation, for applications that ask for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from lab.base.clock import Clock
from lab.base.errors import InfrastructureError
from lab.base.run import TimedOut
from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Topology

BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
PATIENCE_SECONDS: Final = 1200.0
LOOK_SECONDS: Final = 0.5
# The journal is kept: what happens during the boot counts.  The reboot begins when this command has ended.
BEGIN: Final = (
    "mkdir -p /var/log/journal; systemd-tmpfiles --create --prefix /var/log/journal; journalctl --flush; sync; "
    "systemd-run --quiet --on-active=1 systemctl reboot"
)


def reboot(nodes: Sequence[Node], topology: Topology, say: Callable[[str], None]) -> dict[str, float]:
    """Reboot the nodes of applications that ask for it; return the seconds that it took, if there are any.

    Raises the fault of the application whose node does not come back: it did before the installation.
    """
    wanting = {
        name: application for application in topology.applications if application.reboot for name in application.nodes
    }
    rebooted = [node for node in nodes if node.name in wanting]
    if not rebooted:
        return {}
    clock, boots = Clock(), {}
    began = clock.monotonic()
    for node in rebooted:
        say(f"reboot {node.name}")
        boots[node.name] = node.read(BOOT_ID)
        node.run(["sh", "-euc", BEGIN])
    for node in rebooted:
        while why := _missing(node, boots[node.name]):
            if clock.monotonic() > began + PATIENCE_SECONDS:
                raise wanting[node.name].fault(f"{node.name} does not come back from its reboot: {why}")
            clock.sleep(LOOK_SECONDS)
    return {"reboot": round(clock.monotonic() - began, 2)}


def _missing(node: Node, boot: str) -> str:
    """Return why a node is not back yet; "" when it is."""
    try:
        if node.read(BOOT_ID) == boot:
            return "it has not rebooted"
        _, lines = node.attempt(["systemctl", "is-system-running", "--wait"], timeout=PATIENCE_SECONDS)
    except (InfrastructureError, TimedOut) as error:
        return str(error)
    state = lines[-1].strip() if lines else ""
    return "" if state in {"running", "degraded"} else f"its system is {state}"
