"""The record of the nodes of an environment: which machine each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import Field

from lab.base.errors import ConfigurationError
from lab.store.records import Stored
from scripts.machines.netboot import BootTask


class MetalNodes(Stored):
    """The nodes of an environment."""

    migrations = dict.fromkeys((1,), lambda data: data)  # the new field of a task has a default
    schema_version: int = Field(2, alias="schema")
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

    @classmethod
    def known(cls, path: Path) -> MetalNodes | None:
        """Read a record; None for none, and for a damaged one: its machines are free, or have a lease of the lab."""
        with suppress(ConfigurationError):
            return cls.read(path)
        return None
