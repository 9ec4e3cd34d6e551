"""The newest restorations of each bare machine: what they took, and why they failed.

::

    STATE/LAB/machines/NAME/restorations.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.base.errors import ConfigurationError
from lab.store.records import Moment, Stored, changed
from lab.store.runs import Store

KEPT: Final = 20


class Restoration(Stored):
    """One that has ended; ``way``: how the system was started, ``installed``: from the image."""

    finished: Moment
    seconds: float = 0.0
    """From the power on to the answer by ssh; 0 for one that failed."""
    way: str = ""
    installed: bool = False
    failed: str = ""

    def __str__(self) -> str:
        if self.failed:
            return f"restoration failed {self.finished}: {self.failed}"
        return f"{'installed' if self.installed else 'restored'} in {self.seconds:.0f} s by {self.way} {self.finished}"


class Restorations(Stored):
    """Those of a machine, the newest first."""

    newest: tuple[Restoration, ...] = ()


def newest(store: Store, machine: str) -> tuple[Restoration, ...]:
    """Return the newest restorations of a machine, the newest first; a damaged record is a failed one."""
    path = _path(store, machine)
    try:
        return Restorations.read(path).newest
    except ConfigurationError as error:
        if not path.exists():
            return ()
        lost = f"the record of the former restorations is damaged: {error.args[0]}"
        return (Restoration(finished=changed(path), failed=lost),)


def note(store: Store, machine: str, one: Restoration) -> None:
    """Add a restoration; the caller is the only one who restores the machine."""
    Restorations(newest=(one, *newest(store, machine))[:KEPT]).write(_path(store, machine))


def _path(store: Store, machine: str) -> Path:
    return store.machine_boots(machine) / "restorations.json"
