"""The output of ``juju status --format json``, and its interpretation.

Names follow Juju's reference, "Status": a unit has a workload status (set by its charm) and an agent status; a
machine has an agent status and an instance status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.base.errors import Failed, InfrastructureError, LabError
from scripts.drivers.topology import Application as Wanted
from scripts.drivers.topology import Topology

WELL = {"active", "unknown"}  # unknown: a charm that never sets a status
READY = "started"
MOST = 3  # the maximum number of units in one message


class StatusPart(BaseModel):
    """A part of the status; keys that newer versions of Juju add are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Info(StatusPart):
    current: str = ""
    message: str = ""

    def __str__(self) -> str:
        return f"{self.current}: {self.message}" if self.message else self.current


class UnitStatus(StatusPart):
    workload: Info = Field(Info(), alias="workload-status")
    agent: Info = Field(Info(), alias="juju-status")
    machine: str = ""
    address: str = Field("", alias="public-address")
    leader: bool = False
    subordinates: Mapping[str, UnitStatus] = {}

    @property
    def well(self) -> bool:
        return self.workload.current in WELL and self.idle

    @property
    def idle(self) -> bool:
        """Return whether the unit is idle; the regular update-status hook counts as idle."""
        return self.agent.current == "idle" or "update-status" in self.agent.message

    def __str__(self) -> str:
        return f"{self.workload} ({'idle' if self.idle else self.agent})"


class MachineStatus(StatusPart):
    agent: Info = Field(Info(), alias="juju-status")
    instance: Info = Field(Info(), alias="machine-status")
    address: str = Field("", alias="dns-name")


class ApplicationStatus(StatusPart):
    units: Mapping[str, UnitStatus] = {}


@dataclass(frozen=True)
class Blame:
    """A fault of a machine or a unit; ``log``: whether the unit's log has the details."""

    entity: str
    message: str
    log: bool = False

    def error(self, topology: Topology, evidence: str = "") -> LabError:
        """Return the fault as an error: the package's for a tested application, else the lab's."""
        name = application_of(self.entity)
        tested = any(each.name == name and not each.supporting for each in topology.applications)
        text = f"{self.entity}: {self.message}{': ' * bool(evidence)}{evidence}"
        return Failed(text) if tested else InfrastructureError(text)


class Status(StatusPart):
    machines: Mapping[str, MachineStatus] = {}
    applications: Mapping[str, ApplicationStatus] = {}

    @classmethod
    def parse(cls, text: str) -> Status:
        """Return a status.  Raises InfrastructureError when the text is not one."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InfrastructureError(f"juju status: not as it is documented: {where}: {first['msg']}") from None

    def units(self, topology: Topology | None = None) -> dict[str, UnitStatus]:
        """Return all units, subordinates included; those that others depend on first, where dependencies are known."""
        found = dict(_flat({name: unit for each in self.applications.values() for name, unit in each.units.items()}))
        order = [each.name for each in topology.applications] if topology else []

        def rank(name: str) -> int:
            return order.index(application_of(name)) if application_of(name) in order else len(order)

        return {name: found[name] for name in sorted(found, key=lambda name: (rank(name), name))}

    def lines(self) -> list[str]:
        """Return the state of each machine and unit."""
        machines = [f"machine {name}: {each.instance} ({each.agent})" for name, each in self.machines.items()]
        return [*machines, *(f"{name}: {unit}" for name, unit in self.units().items())]

    def broken(self, topology: Topology) -> Blame | None:
        """Return a permanent fault: a machine that cannot be provided, a failed hook, an agent in error."""
        for name, machine in self.machines.items():
            if machine.instance.current in {"provisioning error", "error"}:
                return Blame(
                    f"machine {name}", f"cannot be had: {machine.instance.message or machine.instance.current}"
                )
            if machine.agent.current == "error":
                return Blame(f"machine {name}", f"its agent is in error: {machine.agent.message}")
        for name, unit in self.units(topology).items():
            if unit.workload.current == "error":
                return Blame(name, unit.workload.message or "is in error", log=True)
            if unit.agent.current in {"error", "failed"}:
                return Blame(name, f"its agent is in error: {unit.agent.message}", log=True)
        return None

    def lost(self, topology: Topology) -> Blame | None:
        """Return an agent that its controller has lost contact with; it can come back."""
        for name, machine in self.machines.items():
            if machine.agent.current == "down":
                return Blame(f"machine {name}", f"its agent is lost: {machine.agent.message}")
        for name, unit in self.units(topology).items():
            if unit.agent.current == "lost":
                return Blame(f"machine {unit.machine}", f"the agent of {name} is lost: {unit.agent.message}")
        return None

    def blocked(self, topology: Topology) -> Blame | None:
        """Return a unit that waits for a person, once no unit is busy."""
        units = self.units(topology)
        if not all(unit.idle for unit in units.values()):
            return None
        for name, unit in units.items():
            if unit.workload.current == "blocked":
                return Blame(name, f"is blocked: {unit.workload.message}")
        return None

    def machines_up(self, count: int) -> bool:
        return len(self.machines) >= count and all(each.agent.current == READY for each in self.machines.values())

    def well(self, topology: Topology) -> bool:
        """Return whether all units exist and are well, on machines that are up."""
        complete = self.machines_up(0) and all(map(self._has_units_of, topology.applications))
        return complete and all(unit.well for unit in self.units().values())

    def _has_units_of(self, application: Wanted) -> bool:
        found = self.applications.get(application.name)
        return found is not None and len(found.units) >= len(application.nodes)

    def overdue(self, topology: Topology, minutes: float) -> Blame:
        """Return a machine that is not ready in time, else the first unit that others wait for, with the next ones."""
        late = f"is not ready after {minutes:g} minutes"
        for name, machine in self.machines.items():
            if machine.agent.current != READY:
                return Blame(f"machine {name}", f"{late}: {machine.instance} ({machine.agent})")
        waiting = [(name, f"{name}: {unit}") for name, unit in self.units(topology).items() if not unit.well]
        missing = [each.name for each in topology.applications if not self._has_units_of(each)]
        if not waiting:
            return Blame(f"{missing[0] if missing else 'model'}", f"{late}: it has no units")
        others = "".join(f"; {text}" for _, text in waiting[1:MOST])
        return Blame(waiting[0][0], f"{late}: {self.units()[waiting[0][0]]}{others}")


def application_of(unit: str) -> str:
    return unit.partition("/")[0]


def _flat(units: Mapping[str, UnitStatus]) -> Iterator[tuple[str, UnitStatus]]:
    for name, unit in units.items():
        yield name, unit
        yield from _flat(unit.subordinates)
