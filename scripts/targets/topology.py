"""What is deployed where: applications on nodes, in the order that they start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from lab.errors import Failed, InfrastructureError, LabError


@dataclass(frozen=True)
class Application:
    """A service: its role, the packages that it is, the nodes that it runs on."""

    name: str
    role: ModuleType
    packages: tuple[str, ...]
    nodes: tuple[str, ...]
    options: Mapping[str, str | int | bool]

    @property
    def supporting(self) -> bool:
        """Whether it is there for others, and is not what is tested."""
        return bool(self.role.SUPPORTING)

    def fault(self, message: str) -> LabError:
        """What is wrong with it as an error: the lab's fault when it is there for others only."""
        return (InfrastructureError if self.supporting else Failed)(f"{self.name}: {message}")


@dataclass(frozen=True)
class Topology:
    """Applications in the order that they start, and all nodes."""

    applications: tuple[Application, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(sorted({node for application in self.applications for node in application.nodes}))

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(sorted({name for application in self.applications for name in application.packages}))

    @property
    def supporting(self) -> tuple[str, ...]:
        return tuple(sorted({name for each in self.applications if each.supporting for name in each.packages}))

    def on(self, node: str) -> tuple[Application, ...]:
        return tuple(application for application in self.applications if node in application.nodes)
