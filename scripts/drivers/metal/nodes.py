"""The record of the nodes of an environment: which machine each of them is."""

from __future__ import annotations

from collections.abc import Mapping

from lab.store.records import Stored
from scripts.machines.netboot import BootTask


class MetalNodes(Stored):
    """The nodes of an environment."""

    created: str
    owner: str
    """Of the leases of its machines."""
    machines: Mapping[str, str]
    """The machine of each node."""
    addresses: Mapping[str, str]
    """Of its nodes, by name."""
    task: BootTask
    namespace: str = ""
    whole: bool = False
    stages: Mapping[str, Mapping[str, float]] = {}
    """Of the last restoration: seconds since the power on, by node and stage."""
    routes: tuple[str, ...] = ()
