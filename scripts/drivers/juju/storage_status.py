"""The storage in the output of ``juju status``: disks and file systems of a cloud, which units wait for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import Field

from scripts.drivers.juju.status_info import Info, StatusPart

# Those of a storage that a unit waits for, and not of one that is left from a unit that is gone.
WAITED_FOR: Final = frozenset({"pending", "attaching", "error"})


class StorageAttachments(StatusPart):
    """The units that have a storage."""

    units: Mapping[str, Any] = {}


class StorageInstance(StatusPart):
    """A storage; while a cloud cannot make it, its message has the reason and the attempt is repeated."""

    status: Info = Info()
    attachments: StorageAttachments = StorageAttachments()

    @property
    def is_waited_for(self) -> bool:
        return self.status.current in WAITED_FOR


class StorageParts(StatusPart):
    """All storage, by its name."""

    instances: Mapping[str, StorageInstance] = Field({}, alias="storage")

    def parts(self) -> Iterator[tuple[str, StorageInstance]]:
        """Yield each storage with a name that has its units."""
        for name, each in self.instances.items():
            of = ", ".join(each.attachments.units)
            yield f"storage {name}{f' of {of}' if of else ''}", each
