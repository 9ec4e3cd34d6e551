"""The machines of a lab as deployments take them: by labels and number, with a lease; a faulty one is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.deployment import Deployment
from lab.config.description import Lab
from lab.store import leases
from lab.store.runs import Store
from scripts.machines import dnsmasq
from scripts.machines.netboot import lab_server_runs

LEASE: Final = timedelta(days=7)
ASIDE: Final = timedelta(days=365)


@dataclass
class MachinePool:
    """The machines, for a track; ``aside``: those that this deployment has set aside, with the reason.

    ``by_hand``: the machine that a person restores, who has the lease then.
    """

    lab: Lab
    track: str
    by_hand: str = ""
    aside: dict[str, str] = field(default_factory=dict)

    @property
    def lab_owner(self) -> str:
        return leases.of_lab(self.lab.lab.name)

    @property
    def owner(self) -> str:
        return environment.user() if self.by_hand else self.lab_owner

    @property
    def store(self) -> Store:
        return Store.of(self.lab)

    def choose(self, number: int, first: Sequence[str] = ()) -> list[str]:
        """Return free machines, some of them first, and take leases.  Raises InfrastructureError for too few."""
        if not lab_server_runs(self.store):
            raise InfrastructureError("the lab server does not run: see qalab machine serve")
        wanted = set((self.lab.deployment or Deployment(applications={})).metal.labels)
        possible = [name for name, each in self.lab.machines.items() if each.installable and wanted <= {*each.labels}]
        possible = [self.by_hand] if self.by_hand else possible
        for name in {*first} - {*possible}:  # lab.yaml has it no more, or otherwise
            self.give_back(name, self.owner)
        first = [name for name in first if name in possible]
        free: list[str] = []
        why: list[str] = []
        for name in dict.fromkeys([*first, *possible]):
            if len(free) < number:
                if lost := dnsmasq.unknown(self.lab.machines[name], self.store.lab_server):
                    why.append(f"{name}: {lost}")
                    continue
                try:
                    leases.hold(self.store, name, self.owner, *self._terms(name))
                    free.append(name)
                except ConfigurationError as error:
                    why.append(f"{name} is set aside: {self.aside[name]}" if name in self.aside else str(error))
        if len(free) < number:
            why += [] if possible else [f"none has the labels {', '.join(sorted(wanted))}" if wanted else "no more"]
            for name in free:
                self.give_back(name, self.owner)
            raise InfrastructureError(f"{number} machines are needed, and {len(free)} can be used: {'; '.join(why)}")
        return free

    def _terms(self, machine: str) -> tuple[datetime, str]:
        """Return the end and the reason of a lease; a person keeps what is longer."""
        until, reason = environment.now() + LEASE, f"the track {self.track}"
        now = leases.current(self.store, machine)
        if self.by_hand and now and now.owner == self.owner:
            return max(until, datetime.fromisoformat(now.until)), now.reason or reason
        return until, reason

    def is_left_to(self, owner: str, machine: str) -> bool:
        """Return whether nobody else than an owner has a machine by now, or this lab, which has set it aside."""
        lease = leases.current(self.store, machine)
        return lease is None or lease.owner in {owner, leases.of_lab(self.lab.lab.name, aside=True)}

    def give_back(self, machine: str, owner: str) -> None:
        """End the lease of a machine."""
        with suppress(ConfigurationError):  # somebody else has it by now
            leases.release(self.store, machine, owner, force=False)

    def set_aside(self, machine: str, why: str) -> None:
        """Hold a machine until a person releases it."""
        if self.by_hand:
            raise InfrastructureError(why)
        self.aside[machine] = why
        self.give_back(machine, self.owner)
        leases.hold(self.store, machine, leases.of_lab(self.lab.lab.name, aside=True), environment.now() + ASIDE, why)
