"""Environments: a track's deployment, where it lies, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from lab import files
from lab.description import Lab
from lab.errors import ConfigurationError, InfrastructureError
from lab.store import Store
from scripts.targets.registry import TARGETS
from scripts.targets.seams import Provisioner


def target(lab: Lab, name: str, log: IO[str] | None = None) -> Provisioner:
    """The environment of a name, whether it is there or not.  Raises ConfigurationError for an unknown driver."""
    driver = lab.deployment.target if lab.deployment else "nspawn"
    if driver not in TARGETS:
        known = ", ".join(TARGETS)
        raise ConfigurationError(f"lab.yaml: deployment.target: there is no driver {driver} yet; known: {known}")
    made: Provisioner = TARGETS[driver].Target(Store.of(lab).environments / name, log, lab.deployment)
    return made


@contextmanager
def turn(lab: Lab, name: str, *, wait: bool = True) -> Iterator[None]:
    """One at a time works on an environment.  Raises InfrastructureError when not to wait."""
    try:
        with files.locked(Store.of(lab).lock_path("environment", name), wait=wait):
            yield
    except files.Busy:
        raise InfrastructureError(f"{name}: somebody else works on this environment") from None


def names(lab: Lab) -> list[str]:
    """The environments that there is anything of."""
    home = Store.of(lab).environments
    return sorted(path.name for path in home.iterdir()) if home.exists() else []
