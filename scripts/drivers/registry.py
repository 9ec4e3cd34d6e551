"""The drivers: add a module and name it here, and in `lab.config.deployment.Deployment.target`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from lab.config.description import Lab
from scripts.drivers.interfaces import Provisioner
from scripts.drivers.juju import driver as juju
from scripts.drivers.metal import driver as metal
from scripts.drivers.nspawn import driver as nspawn
from scripts.drivers.qemu import driver as qemu
from scripts.drivers.ssh import driver as ssh


class Driver(Protocol):
    """A module for one kind of target."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """The name that ``deployment.target`` has in lab.yaml."""

    @property
    def SHARED(self) -> bool:  # noqa: N802 - a module's constant
        """Whether all tracks share the driver's machines, so that only one environment at a time can use them."""

    def target(self, home: Path, log: IO[str] | None = None, lab: Lab | None = None) -> Provisioner:
        """Return the environment whose directory is ``home``, whether it exists or not."""


MODULES: Sequence[Driver] = [juju, metal, nspawn, qemu, ssh]
TARGETS: Mapping[str, Driver] = {module.NAME: module for module in MODULES}
