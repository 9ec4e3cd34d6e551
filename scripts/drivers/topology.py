"""The topology of a deployment: applications on nodes, in the order of their start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lab.base.errors import Failed, InfrastructureError, LabError


@dataclass(frozen=True)
class Endpoint:
    """The address of a service in the catalog: its type, and the port and path that follow its node's address."""

    kind: str
    port: int
    path: str = ""


class RoleFacts(Protocol):
    """The constants of a role."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """The name that ``role`` has in lab.yaml."""

    @property
    def PACKAGES(self) -> tuple[str, ...]:  # noqa: N802 - a module's constant
        """The packages to install where lab.yaml names none."""

    @property
    def SUPPORTING(self) -> bool:  # noqa: N802 - a module's constant
        """Whether it only supports others: the pristine state can contain its packages; its faults are the lab's."""

    @property
    def ENDPOINT(self) -> Endpoint | None:  # noqa: N802 - a module's constant
        """Its entry in the catalog; None for no entry."""


@dataclass(frozen=True)
class CharmRole:
    """A role that a charm plays: the lab knows no more of it than this."""

    NAME: str
    SUPPORTING: bool
    PACKAGES: tuple[str, ...] = ()
    ENDPOINT: Endpoint | None = None


@dataclass(frozen=True)
class Charm:
    """The charm of an application; ``origin``: its option for the lab's archive.

    ``units``: their number where a bundle file names it.  ``resting``: another workload status than ``active`` in which
    they are well.
    """

    name: str
    channel: str | None = None
    origin: str | None = None
    units: int = 0
    resting: str = ""


@dataclass(frozen=True)
class Application:
    """A service: its role, the packages that it is, the nodes that it runs on, and answers for debconf.

    ``machine``: whether it needs a machine, and not a container; ``reboot``: whether its nodes reboot once it is installed;
    ``minutes``: the limit of each start of a unit, and of each program that sets it up.
    """

    name: str
    role: RoleFacts
    packages: tuple[str, ...]
    nodes: tuple[str, ...]
    options: Mapping[str, str | int | float | bool]
    charm: Charm | None = None
    answers: tuple[str, ...] = ()
    supports: bool | None = None
    machine: bool = False
    reboot: bool = False
    minutes: float = 30.0

    @property
    def supporting(self) -> bool:
        """Whether it supports other applications and is not tested itself."""
        return self.role.SUPPORTING if self.supports is None else self.supports

    def fault(self, message: str) -> LabError:
        """Return a message as an error: the lab's fault for an application that only supports others."""
        return (InfrastructureError if self.supporting else Failed)(f"{self.name}: {message}")


@dataclass(frozen=True)
class Topology:
    """Applications in the order that they start, and all nodes.

    ``settle_seconds``: how long services must keep running after their start; ``minutes``: the limit of an installation;
    ``recommends``: whether recommended packages are installed.
    """

    applications: tuple[Application, ...]
    relations: tuple[tuple[str, str], ...] = ()
    settle_seconds: float = 0.0
    minutes: float = 30.0
    recommends: bool = False

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(sorted({node for application in self.applications for node in application.nodes}))

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(sorted({name for application in self.applications for name in application.packages}))

    @property
    def answers(self) -> tuple[str, ...]:
        return tuple(sorted({answer for application in self.applications for answer in application.answers}))

    def before(self, application: Application) -> tuple[Application, ...]:
        """Return the applications to set up first: its relations, theirs, and all that only support others."""
        names = self._reached(application.name)
        if not application.supporting:
            for each in self.applications:
                reached = self._reached(each.name)
                if each.supporting and application.name not in reached:
                    names |= {each.name, *reached}
        return tuple(each for each in self.applications if each.name in names)

    def _reached(self, name: str) -> set[str]:
        found: set[str] = set()
        wanted = [name]
        while wanted:
            at = wanted.pop()
            ends = [tuple(end.partition(":")[0] for end in pair) for pair in self.relations]
            new = {provider for requirer, provider in ends if requirer == at} - found
            found |= new
            wanted += new
        return found

    def on(self, node: str) -> tuple[Application, ...]:
        return tuple(application for application in self.applications if node in application.nodes)
