"""The output of ``juju status --format json``, and its interpretation.

Names follow Juju's reference, "Status": a unit has a workload status (set by its charm) and an agent status; a
machine has an agent status and an instance status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Field

from lab.base.errors import Failed, InfrastructureError, LabError
from scripts.drivers.juju.status_info import Info, StatusPart
from scripts.drivers.juju.storage_status import StorageParts
from scripts.drivers.topology import Application as Wanted
from scripts.drivers.topology import Topology

WELL = {"active", "unknown"}  # unknown: a charm that never sets a status
READY = "started"
GONE = {"stopped", "shutting-down", "terminated", "unknown", "failed", "error"}  # instances
NO_UNITS = "it has no units, or not all"
UNKNOWN = "its status is not known: {}"
MOST = 3  # the maximum number of units in one message


class UnitStatus(StatusPart):
    status_error: str = Field("", alias="status-error")
    workload: Info = Field(Info(), alias="workload-status")
    agent: Info = Field(Info(), alias="juju-status")
    machine: str = ""
    address: str = Field("", alias="public-address")
    leader: bool = False
    subordinates: Mapping[str, UnitStatus] = {}

    def is_well(self, resting: str = "") -> bool:
        """Return whether the unit is idle in a good workload status; ``resting``: a further one that is good."""
        return self.workload.current in {*WELL, resting} and self.idle

    def fault(self, name: str) -> Blame | None:
        """Return a permanent fault of the unit."""
        if why := self.status_error or self.workload.status_error or self.agent.status_error:
            return Blame(name, UNKNOWN.format(why))
        if self.workload.current == "error":
            return Blame(name, self.workload.message or "is in error", log=True, failed_at=self.workload.since)
        if self.agent.current in {"error", "failed"}:
            return Blame(name, f"its agent is in error: {self.agent.message}", log=True)
        return None

    @property
    def idle(self) -> bool:
        """Return whether the unit is idle; the regular update-status hook counts as idle."""
        return self.agent.current == "idle" or "update-status" in self.agent.message

    def __str__(self) -> str:
        return f"{self.workload} ({'idle' if self.idle else self.agent})"


class MachineStatus(StatusPart):
    status_error: str = Field("", alias="status-error")
    agent: Info = Field(Info(), alias="juju-status")
    instance: Info = Field(Info(), alias="machine-status")
    address: str = Field("", alias="dns-name")
    containers: Mapping[str, MachineStatus] = {}

    @property
    def fault(self) -> str:
        """Return why the machine will never be up, "" for no known reason."""
        if why := self.status_error or self.agent.status_error or self.instance.status_error:
            return UNKNOWN.format(why)
        if self.instance.current in {"provisioning error", "error"}:
            return f"cannot be had: {self.instance.message or self.instance.current}"
        if (self.instance.current, self.instance.message) == ("unknown", "missing"):
            return "its instance is gone from the cloud"
        return f"its agent is in error: {self.agent.message}" if self.agent.current == "error" else ""


def _other_end(end: object) -> object:
    """Return the name of a related application: Juju 3.1 and later describe it."""
    return end.get("related-application", "") if isinstance(end, dict) else end


RelatedName = Annotated[str, BeforeValidator(_other_end)]


class ApplicationStatus(StatusPart):
    status_error: str = Field("", alias="status-error")
    status: Info = Field(Info(), alias="application-status")
    units: Mapping[str, UnitStatus] = {}
    relations: Mapping[str, tuple[RelatedName, ...]] = {}
    """The names of the applications at the other ends, by endpoint."""
    principals: tuple[str, ...] = Field((), alias="subordinate-to")
    """Of a subordinate: the applications each of whose units is to have a unit of it."""

    @property
    def fault(self) -> str:
        """Return why an application without units will never have any, "" for no known reason."""
        return (self.status.message or "is in error") if self.status.current == "error" else ""


class ModelStatus(StatusPart):
    name: str = ""
    status: Info = Field(Info(), alias="model-status")


@dataclass(frozen=True)
class Blame:
    """A fault of a machine or a unit; ``log``: whether the unit's log has the details; ``failed_at``: of a hook, when."""

    entity: str
    message: str
    log: bool = False
    failed_at: str | None = None

    def error(self, topology: Topology, evidence: str = "") -> LabError:
        """Return the fault as an error: the package's for a tested application, else the lab's."""
        name = application_of(self.entity)
        tested = any(each.name == name and not each.supporting for each in topology.applications)
        text = f"{self.entity}: {self.message}{': ' * bool(evidence)}{evidence}"
        return Failed(text) if tested else InfrastructureError(text)


class Status(StatusPart):
    model: ModelStatus = ModelStatus()
    machines: Mapping[str, MachineStatus] = {}
    applications: Mapping[str, ApplicationStatus] = {}
    storage: StorageParts = StorageParts()

    def units(self, topology: Topology | None = None) -> dict[str, UnitStatus]:
        """Return all units, subordinates included; those that others depend on first, where dependencies are known."""
        found = dict(_units({name: unit for each in self.applications.values() for name, unit in each.units.items()}))
        order = [each.name for each in topology.applications] if topology else []

        def rank(name: str) -> int:
            return order.index(application_of(name)) if application_of(name) in order else len(order)

        return {name: found[name] for name in sorted(found, key=lambda name: (rank(name), name))}

    def all_machines(self) -> dict[str, MachineStatus]:
        """Return all machines, with the containers on them."""
        return dict(_machines(self.machines))

    def lines(self) -> list[str]:
        """Return the state of each machine and unit."""
        machines = [f"machine {name}: {each.instance} ({each.agent})" for name, each in self.all_machines().items()]
        storage = (f"{name}: {each.status}" for name, each in self.storage.parts())
        return [*machines, *storage, *(f"{name}: {unit}" for name, unit in self.units().items())]

    def broken(self, topology: Topology, is_passing: Callable[[Blame], bool] = lambda _: False) -> Blame | None:
        """Return a permanent fault: a machine that cannot be provided, a failed hook, an agent in error."""
        return next((blame for blame in self._faults(topology) if not is_passing(blame)), None)

    def _faults(self, topology: Topology) -> Iterator[Blame]:
        if self.model.status.current == "suspended":
            yield Blame(f"model {self.model.name}", f"is {self.model.status}")
        if why := self.model.status.status_error:
            yield Blame(f"model {self.model.name}", UNKNOWN.format(why))
        for name, machine in self.all_machines().items():
            if machine.fault:
                yield Blame(f"machine {name}", machine.fault)
        for name, application in self.applications.items():
            if why := application.status_error or application.status.status_error:
                yield Blame(name, UNKNOWN.format(why))
        yield from (blame for name, unit in self.units(topology).items() if (blame := unit.fault(name)))
        for name, application in self._without_units():
            if application.fault:
                yield Blame(name, application.fault)

    def lost(self, topology: Topology) -> Blame | None:
        """Return an agent that its controller has lost contact with; it can come back."""
        for name, machine in self.all_machines().items():
            if machine.agent.current == "down":
                there = f"; its instance is {machine.instance}" if machine.instance.current in GONE else ""
                return Blame(f"machine {name}", f"its agent is lost: {machine.agent.message}{there}")
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
            if unit.workload.current == "blocked" != _resting(name, topology):
                return Blame(name, f"is blocked: {unit.workload.message}")
        for name, application in self._without_units():
            if application.status.current == "blocked":
                return Blame(name, f"is blocked: {application.status.message}")
        return None

    def _without_units(self) -> Iterator[tuple[str, ApplicationStatus]]:
        """Yield the applications without units; those of a subordinate are in the units of others."""
        having = {application_of(name) for name in self.units()}
        return ((name, each) for name, each in self.applications.items() if name not in having)

    def machines_up(self, count: int) -> bool:
        return len(self.machines) >= count and all(each.agent.current == READY for each in self.all_machines().values())

    def well(self, topology: Topology) -> bool:
        """Return whether all units exist and are well, on machines that are up."""
        return self.is_complete(topology) and not self.not_well(topology)

    def is_settled(self, topology: Topology) -> bool:
        """Return whether all units exist and are idle, whatever they wait for, on machines that are up."""
        return self.is_complete(topology) and all(unit.idle for unit in self.units().values())

    def is_complete(self, topology: Topology) -> bool:
        return self.machines_up(0) and all(self._has_units_of(each, topology) for each in topology.applications)

    def not_well(self, topology: Topology) -> dict[str, UnitStatus]:
        """Return the units that are not well."""
        units = self.units(topology).items()
        return {name: unit for name, unit in units if not unit.is_well(_resting(name, topology))}

    def _has_units_of(self, application: Wanted, topology: Topology) -> bool:
        """Return whether an application has all its units; a subordinate has one in each unit of a principal."""
        found = self.applications.get(application.name)
        expected = len(application.nodes) or (application.charm.units if application.charm else 0)
        if found is None or expected:
            return found is not None and len(found.units) >= expected
        names = found.principals or related(application.name, topology)
        principals = [each.units.values() for name in names if (each := self.applications.get(name)) and each.units]
        having = (all(_has(unit, application.name) for unit in units) for units in principals)
        return all(having) if found.principals else not principals or any(having)

    def overdue(self, topology: Topology, minutes: float, *, settling: bool = False) -> Blame:
        """Return a machine or a storage that is not ready in time, else what lacks units, else the first unit that others wait for.

        The next ones follow.  ``settling``: units need only be idle, whatever they wait for.
        """
        late = f"is not ready after {minutes:g} minutes"
        for name, machine in self.all_machines().items():
            if machine.agent.current != READY:
                return Blame(f"machine {name}", f"{late}: {machine.instance} ({machine.agent})")
        for name, storage in self.storage.parts():
            if storage.is_waited_for:  # the first hook of its units waits for it
                return Blame(name, f"{late}: {storage.status}")
        lacking = [each.name for each in topology.applications if not self._has_units_of(each, topology)]
        waiting = {name: unit for name, unit in self.not_well(topology).items() if not (settling and unit.idle)}
        first, *others = [*((name, NO_UNITS) for name in lacking), *waiting.items()] or [("model", NO_UNITS)]
        rest = "".join(f"; {name}: {unit}" for name, unit in others[: MOST - 1])
        return Blame(first[0], f"{late}: {first[1]}{rest}")


def application_of(unit: str) -> str:
    return unit.partition("/")[0]


def _resting(unit: str, topology: Topology) -> str:
    name = application_of(unit)
    return next((each.charm.resting for each in topology.applications if each.name == name and each.charm), "")


def _units(units: Mapping[str, UnitStatus], machine: str = "") -> Iterator[tuple[str, UnitStatus]]:
    """Yield units with their subordinates, whose machine is that of their principal."""
    for name, unit in units.items():
        yield name, unit if unit.machine else unit.model_copy(update={"machine": machine})
        yield from _units(unit.subordinates, unit.machine or machine)


def _machines(machines: Mapping[str, MachineStatus]) -> Iterator[tuple[str, MachineStatus]]:
    for name, machine in machines.items():
        yield name, machine
        yield from _machines(machine.containers)


def _has(unit: UnitStatus, subordinate: str) -> bool:
    return any(application_of(name) == subordinate for name in unit.subordinates)


def related(name: str, topology: Topology) -> Iterator[str]:
    """Yield the applications that one has a relation with."""
    for pair in topology.relations:
        ends = [application_of(end.partition(":")[0]) for end in pair]
        if name in ends:
            yield from (end for end in ends if end != name)
