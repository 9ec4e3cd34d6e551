"""The drivers there are: add a module and name it here, and in `lab.description.Deployment.target`."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from scripts.targets import nspawn

TARGETS: Mapping[str, ModuleType] = {module.NAME: module for module in (nspawn,)}
