"""The restoration of one machine by hand: an environment with the name of the machine, with one node."""

from __future__ import annotations

from typing import IO

from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.description import Lab
from lab.store import leases
from lab.store.runs import Store
from scripts.drivers.interfaces import Pristine
from scripts.drivers.metal.driver import NAME, MetalTarget
from scripts.machines.netboot import MachineBoots, lab_server_runs


def restore(lab: Lab, machine: str, series: str, log: IO[str], *, install: bool) -> MetalTarget:
    """Restore a machine to the base of a series, and take it for the user; return its environment.

    ``install``: even if it has the snapshot; and kexec is tried again.  Raises InfrastructureError when it does not come up.
    """
    if not lab.machines[machine].installable:
        raise ConfigurationError(f"machines.{machine}: it has no mac, address and disk")
    store = Store.of(lab)
    # Before an image is made, which takes minutes.  An environment of the lab that nothing works on is forgotten.
    lease = leases.current(store, machine)
    leases.check_free(
        store, machine, lease.owner if lease and lease.owner == leases.of_lab(lab.lab.name) else environment.user()
    )
    if not lab_server_runs(store):
        raise InfrastructureError("the lab server does not run: see qalab machine serve")
    if install:
        MachineBoots(store, machine).allow_kexec()
    target = MetalTarget(store.environments / machine, log, lab, by_hand=machine, install=install)
    try:
        with (
            files.locked(store.lock_path("machines", NAME), wait=False),
            target.prepare(Pristine(series, lab.series[series])) as snapshot,
        ):
            target.create(snapshot, ["node0"])
    except files.Busy:
        raise InfrastructureError(f"{machine}: a deployment works on the machines now") from None
    return target
