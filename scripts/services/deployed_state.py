"""The deployment, for exercises: one JSON file in the environment's directory.

It contains passwords of the deployment, which are useless outside the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from lab.store.records import Stored

FILE = "deployment.json"


class DeployedPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Installed(DeployedPart):
    """A binary package on a node; ``ours``: proven to come from the lab's archive."""

    node: str
    name: str
    version: str
    source: str
    source_version: str
    ours: bool


class NodeBaseline(DeployedPart):
    """The health of a node at one moment, to compare a later one with: see `scripts.services.node_health`."""

    cursor: str
    """The last entry of the journal."""
    failed: tuple[str, ...] = ()
    restarts: Mapping[str, int] = {}
    """How often systemd has restarted a unit, for units that it has restarted."""
    killed: int = 0
    """How many processes the kernel has killed for lack of memory, in the node's control group."""
    sizes: Mapping[str, int] = {}
    """The size of each log file, in bytes."""
    left: tuple[str, ...] = ()
    """Units that systemd calls active although their own program has ended, and that have left others running."""


class Service(DeployedPart):
    """An application that was deployed; ``supporting``: its faults are the lab's."""

    role: str
    supporting: bool = False
    nodes: tuple[str, ...]
    packages: tuple[str, ...]
    units: tuple[str, ...] = ()
    """The units that run, on all of its nodes or on some."""
    idle: Mapping[str, str] = {}
    """Units that run nowhere, and why; a fault is none of it."""
    absent: Mapping[str, Mapping[str, str]] = {}
    """By node, those of ``units`` that do not run there, and why."""
    options: Mapping[str, str | int | float | bool] = {}
    settings: Mapping[str, str] = {}
    """What others need to know to use it: URLs, names, passwords."""

    def units_on(self, node: str) -> tuple[str, ...]:
        """Return the units that run on one of its nodes."""
        return tuple(unit for unit in self.units if unit not in self.absent.get(node, {}))


class Deployed(Stored):
    """A deployment: its component and version, its nodes (addresses by name), its applications."""

    migrations = dict.fromkeys((1, 2, 3, 4), lambda data: data)  # the new fields have defaults
    schema_version: int = Field(5, alias="schema")
    track: str
    component: str
    version: str
    commit: str
    finished: str
    nodes: Mapping[str, str]
    services: Mapping[str, Service]
    packages: tuple[Installed, ...]
    baselines: Mapping[str, NodeBaseline] = {}
    """The health of each node when all was started, and its settle time began."""
    state: str = ""
    """The archive's state that it was made from, or the name of the content that it took from a pocket."""
    waiting: Mapping[str, str] = {}
    """The versions by source package of what waits in a -proposed pocket, where that is what is tested."""
    baseline: str = ""
    """The name of a pocket's baseline: of the release at the time of the deployment."""

    @classmethod
    def of(cls, home: Path) -> Deployed | None:
        """Return the deployment in an environment; None when nothing is deployed."""
        path = home / FILE
        return cls.read(path) if path.exists() else None
