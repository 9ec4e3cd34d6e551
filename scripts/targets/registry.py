"""The drivers there are: add a module and name it here, and in `lab.description.Deployment.target`."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from scripts.targets import juju, nspawn, ssh

TARGETS: Mapping[str, ModuleType] = {module.NAME: module for module in (nspawn, ssh, juju)}
# Those whose machines all tracks share: one environment at a time has them.
SHARED = frozenset({ssh.NAME})
