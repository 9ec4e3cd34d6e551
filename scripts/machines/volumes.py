"""The names of LVM volumes on a bare machine: the lab server, the restorer and the files for installers share them.

::

    GROUP/pool               the thin pool
    GROUP/pristine-SERIES-*  a pristine system, read-only
    GROUP/root               the snapshot of one of them that the machine runs
    GROUP/installer          the volume that an installer of a distribution works on; nothing uses it afterwards
"""

from __future__ import annotations

from typing import Final

GROUP: Final = "qalab"
POOL: Final = "pool"
ROOT: Final = "root"
NEW: Final = "pristine.new"
"""A pristine system that is not whole."""
INSTALLER: Final = "installer"
ROOT_DEVICE: Final = f"/dev/{GROUP}/{ROOT}"
ROOT_BYTES: Final = 20 * 2**30
# For lvcreate: the pool, within what is free.
POOL_OPTIONS: Final = "--type thin-pool -c 128k --poolmetadatasize 64m -l 90%FREE"
# For lvm without udev and daemons.
ACTIVATION: Final = "udev_sync = 0 udev_rules = 0 verify_udev_operations = 0 monitoring = 0"


def prefix(series: str) -> str:
    """Return the beginning of the names of a series' pristine systems."""
    return f"pristine-{series}-"


def pristine(series: str, key: str) -> str:
    """Return the name of a pristine system; ``key``: that of its image."""
    return f"{prefix(series)}{key}"


def by_installer(series: str) -> str:
    """Return the name of the pristine system that an installer of a distribution makes."""
    return pristine(series, "installer")


def accepted(disk: str) -> str:
    """Return the filter of lvm.conf(5) for the devices of a disk: itself, and its partitions."""
    partition = "p[0-9]+" if disk[-1].isdigit() else "[0-9]+"
    return f"a|^{disk}({partition})?$|"
