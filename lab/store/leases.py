"""Leases: who has a machine, why, and until when.  All tracks of a lab and all its users share them.

A lease is a file of the lab's state on the machine of the lab; one whose end has passed is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Final

from lab.base import environment, files
from lab.base.errors import ConfigurationError
from lab.store.records import Moment, Stored, changed, rfc3339
from lab.store.runs import Store

UNKNOWN: Final = "?"
NEVER: Final = "9999-12-31T00:00:00.000Z"


class Lease(Stored):
    """A machine that somebody has."""

    owner: str
    since: Moment
    until: Moment
    reason: str = ""

    def __str__(self) -> str:
        return f"held by {self.owner} until {self.until}" + (f": {self.reason}" if self.reason else "")


def of_lab(name: str, *, aside: bool = False) -> str:
    """Return the owner of the leases of a lab's deployments; ``aside``: of machines that they have set aside."""
    return f"qalab:{name}" + (":aside" if aside else "")


def current(store: Store, machine: str) -> Lease | None:
    """Return the lease of a machine; None when nobody has it.  With a damaged one, the machine is nobody's to take."""
    path = store.machine_lease(machine)
    try:
        lease = Lease.read(path)
    except ConfigurationError as error:
        if not path.exists():
            return None
        return Lease(owner=UNKNOWN, since=changed(path), until=NEVER, reason=f"its lease is damaged: {error.args[0]}")
    return lease if datetime.fromisoformat(lease.until) > environment.now() else None


def check_free(store: Store, machine: str, owner: str) -> None:
    """Raise ConfigurationError when somebody else has a machine."""
    lease = current(store, machine)
    if lease and lease.owner != owner:
        free = f"qalab machine release {machine}"
        hint = f"{lease.owner} can run: {free}; all others: {free} --force"
        raise ConfigurationError(f"{machine} is {lease}", hint=hint if lease.owner != UNKNOWN else f"{free} --force")


@contextmanager
def switching(store: Store, machine: str) -> Iterator[None]:
    """Keep the power of a machine to oneself.  Raises ConfigurationError while somebody else has it."""
    try:
        with files.locked(store.lock_path("power", machine), wait=False):
            yield
    except files.Busy:
        raise ConfigurationError(f"{machine}: somebody else switches its power now") from None


def hold(store: Store, machine: str, owner: str, until: datetime, reason: str) -> Lease:
    """Take a machine, or prolong an own lease.  Raises ConfigurationError when somebody else has it."""
    with files.locked(store.lock_path("machine", machine)):
        check_free(store, machine, owner)
        lease = Lease(owner=owner, since=rfc3339(environment.now()), until=rfc3339(until), reason=reason)
        # Taken from all, one of whom may be switching its power.
        with nullcontext() if current(store, machine) else switching(store, machine):
            lease.write(store.machine_lease(machine))
    return lease


def release(store: Store, machine: str, owner: str, *, force: bool) -> Lease | None:
    """End a lease; return it, None when there was none.  ``force``: also that of somebody else.

    Raises ConfigurationError when somebody else has the machine.
    """
    with files.locked(store.lock_path("machine", machine)):
        if not force:
            check_free(store, machine, owner)
        lease = current(store, machine)
        store.machine_lease(machine).unlink(missing_ok=True)
    return lease
