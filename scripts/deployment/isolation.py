"""The isolation that a deployment needs: a machine with a kernel of its own, where a target has only containers.

The word is autopkgtest's: a test with the restriction isolation-machine is skipped in a container.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from lab.base.errors import LabError
from scripts.drivers.topology import Topology
from scripts.services.journals import OF_MACHINE

CONTAINERS: Final = frozenset({"nspawn"})
NEEDED: Final = "needs isolation-machine"
KERNEL: Final = "linux-image-"
# What modprobe(8), insmod(8) and mount(8) print in a container, which has the kernel of another system.
OF_KERNEL: Final = re.compile(
    r"modprobe: FATAL: Module \S+ not found in directory /lib/modules/|(?:modprobe|insmod): ERROR: could not insert "
    r"|mount: \S+: unknown filesystem type '"
)


def missing_for(driver: str, topology: Topology) -> str:
    """Return why a driver's target is not enough for a topology; "" when it is."""
    if driver not in CONTAINERS:
        return ""
    for application in topology.applications:
        if application.machine or application.reboot:
            why = "reboots its nodes" if application.reboot else "isolation: machine"
            return f"{NEEDED}: {application.name}: {why}; the target {driver} has containers"
    return missing_for_packages(driver, topology.packages)


def missing_for_packages(driver: str, packages: Iterable[str]) -> str:
    """Return why a driver's target is not enough for packages; "" when it is."""
    kernel = next((name for name in packages if name.startswith(KERNEL)), "") if driver in CONTAINERS else ""
    return f"{NEEDED}: {kernel}: the containers of the target {driver} run the kernel of this machine" if kernel else ""


def missing_after(driver: str, error: LabError) -> str:
    """Return why a deployment failed for want of a machine; "" for any other error."""
    message = str(error.args[0])
    wants = driver in CONTAINERS and (OF_MACHINE.search(message) or OF_KERNEL.search(message))
    return f"{NEEDED}: {message}" if wants else ""
