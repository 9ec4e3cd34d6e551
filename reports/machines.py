"""The bare machines of a lab, as its state on this machine has them: for the page of the lab's health."""

from __future__ import annotations

from typing import Literal

from lab.config.description import Lab
from lab.store import leases, restorations
from lab.store.runs import Store
from reports.model import FrozenModel

MachineUse = Literal["free", "in use", "held", "set aside"]


class PublicMachine(FrozenModel):
    """A machine: a deployment uses it, a person holds it, or it is set aside for a ``reason``; ``until`` then."""

    name: str
    use: MachineUse
    until: str
    reason: str
    restorations: int
    """The number of the newest restorations, of which ``failures`` failed."""
    failures: int
    finished: str
    """The end of the newest one that did not fail; "" without one."""
    seconds: float
    way: str
    """How its system was started then: ``switch_root``, ``kexec`` or ``reboot``."""
    failed_at: str
    failed: str
    """Why the newest one that failed did; "" without one."""


Machines = tuple[PublicMachine, ...]


def of_lab(lab: Lab) -> Machines:
    """Return the machines; unredacted."""
    store = Store.of(lab)
    return tuple(_public(lab, store, name) for name in lab.machines)


def _public(lab: Lab, store: Store, name: str) -> PublicMachine:
    newest = restorations.newest(store, name)
    good = next((one for one in newest if not one.failed), None)
    bad = next((one for one in newest if one.failed), None)
    lease = leases.current(store, name)
    use = _use(lab, lease)
    return PublicMachine(
        name=name,
        use=use,
        until=lease.until if lease else "",
        reason=lease.reason if lease and use == "set aside" else "",  # that of a person is nobody else's business
        restorations=len(newest),
        failures=sum(bool(one.failed) for one in newest),
        finished=good.finished if good else "",
        seconds=good.seconds if good else 0.0,
        way=good.way if good else "",
        failed_at=bad.finished if bad else "",
        failed=bad.failed if bad else "",
    )


def _use(lab: Lab, lease: leases.Lease | None) -> MachineUse:
    owner = lease.owner if lease else ""
    uses: dict[str, MachineUse] = {
        "": "free",
        leases.of_lab(lab.lab.name): "in use",
        leases.of_lab(lab.lab.name, aside=True): "set aside",
    }
    return uses.get(owner, "held")
