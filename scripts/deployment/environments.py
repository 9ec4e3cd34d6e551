"""Environments: the deployment of a track, its directory, and the turns of tracks that share machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config import deployments
from lab.config.description import Lab
from lab.store.runs import Store
from lab.store.step import StepContext
from scripts.drivers.interfaces import Node, Provisioner
from scripts.drivers.metal import driver as metal
from scripts.drivers.registry import TARGETS, Driver
from scripts.services import cloud_settings as configuration
from scripts.services import deployed_state as deployment
from scripts.services.deployed_state import Deployed


def is_by_hand(lab: Lab, name: str) -> bool:
    """Return whether an environment is the bare machine of a person: see `qalab machine restore`."""
    return name not in lab.tracks and (Store.of(lab).environments / name / metal.NOTE).exists()


def driver_of(lab: Lab, name: str) -> Driver:
    """Return the driver of an environment."""
    if is_by_hand(lab, name):
        return TARGETS[metal.NAME]
    chosen = deployments.of_track(lab, name).deployment
    return TARGETS[chosen.target if chosen else "nspawn"]


def target(lab: Lab, name: str, log: IO[str] | None = None) -> Provisioner:
    """Return the environment of a name, deployed or not."""
    return driver_of(lab, name).target(Store.of(lab).environments / name, log, deployments.of_track(lab, name))


def reset(lab: Lab, name: str, log: IO[str] | None = None) -> list[Node]:
    """Bring the nodes of an environment back to pristine.

    The record of the previous deployment is removed first, so that nothing exercises it after an interruption.
    """
    for record in (deployment.FILE, configuration.FILE):
        (Store.of(lab).environments / name / record).unlink(missing_ok=True)
    return target(lab, name, log).reset()


@contextmanager
def exclusive_turn(lab: Lab, name: str, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of an environment, and of all environments that share its machines.

    Raises InfrastructureError when another holds it and the caller does not wait.
    """
    driver = driver_of(lab, name)
    whose = ("machines", driver.NAME) if driver.SHARED else ("environment", name)
    try:
        with files.locked(Store.of(lab).lock_path(*whose), wait=wait):
            yield
    except files.Busy:
        raise InfrastructureError(f"{name}: somebody else works on this environment") from None


def current_holder(lab: Lab, name: str) -> str:
    """Return the other environment that holds the machines that both share; "" for none."""
    driver = driver_of(lab, name)
    shared = [other for other in names(lab) if other != name and not is_by_hand(lab, other)]
    others = [other for other in shared if driver_of(lab, other) is driver]
    return next((other for other in others if driver.SHARED and target(lab, other).nodes()), "")


def in_use_error(context: StepContext) -> str:
    """Return why a run cannot continue whose track has lost its machines to another; "" when it has not."""
    other = current_holder(context.lab, context.track_name)
    return f"its machines have what {other} has deployed by now: the next deployment is exercised" if other else ""


def deployed(context: StepContext, target: Provisioner) -> Deployed:
    """Return the deployment of a run's track.  Raises ConfigurationError when nothing is deployed."""
    found = Deployed.of(context.store.environments / context.track_name)
    if found is None or not target.nodes():
        hint = f"qalab run {context.track_name} {context.component_name}, or the job {context.track_name}-deploy"
        raise ConfigurationError(f"{context.track_name}: nothing is deployed", hint=hint)
    return found


def names(lab: Lab) -> list[str]:
    """Return the names of the environments that have any state on this machine."""
    home = Store.of(lab).environments
    return sorted(path.name for path in home.iterdir()) if home.exists() else []
