"""The state of a deployment for exercises: one JSON file in the environment's directory.

It contains passwords of the deployment, which are useless outside the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lab.store.records import Stored

FILE = "deployment.json"


class DeployedPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Installed(DeployedPart):
    """A binary package on a node; ``ours``: verified to come from the lab's archive."""

    node: str
    name: str
    version: str
    source: str
    source_version: str
    ours: bool


class Service(DeployedPart):
    """A deployed application."""

    role: str
    nodes: tuple[str, ...]
    packages: tuple[str, ...]
    units: tuple[str, ...] = ()
    """The running units."""
    idle: Mapping[str, str] = {}
    """The units that do not run, and why; failed units are not included."""
    options: Mapping[str, str | int | bool] = {}
    settings: Mapping[str, str] = {}
    """The settings that clients need: URLs, names, passwords."""


class Deployed(Stored):
    """A deployment: its component, its nodes (addresses by name), and its services."""

    track: str
    component: str
    version: str
    commit: str
    finished: str
    nodes: Mapping[str, str]
    services: Mapping[str, Service]
    packages: tuple[Installed, ...]
    waiting: Mapping[str, str] = {}
    """The versions by source package of the packages in a -proposed pocket, if the pocket is under test."""

    @classmethod
    def of(cls, home: Path) -> Deployed | None:
        """Return the deployment in an environment; None if nothing is deployed."""
        path = home / FILE
        return cls.read(path) if path.exists() else None
