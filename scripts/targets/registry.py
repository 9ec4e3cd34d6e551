"""The drivers: add a module and name it here, and in `lab.description.Deployment.target`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from lab.deployment import Deployment
from scripts.targets import juju, nspawn, ssh
from scripts.targets.seams import Provisioner


class Driver(Protocol):
    """A module for one kind of target."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """The name that ``deployment.target`` has in lab.yaml."""

    @property
    def SHARED(self) -> bool:  # noqa: N802 - a module's constant
        """Whether all tracks share its machines, so that one environment at a time has them."""

    def Target(  # noqa: N802 - a module's class
        self, home: Path, log: IO[str] | None = None, settings: Deployment | None = None
    ) -> Provisioner:
        """Return the environment whose directory is ``home``, whether it exists or not."""


MODULES: Sequence[Driver] = [nspawn, ssh, juju]
TARGETS: Mapping[str, Driver] = {module.NAME: module for module in MODULES}
