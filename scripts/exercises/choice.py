"""Faults of the exercises and roles that lab.yaml chooses, found before anything is built."""

from __future__ import annotations

from collections.abc import Iterator

from lab.base.errors import ConfigurationError
from lab.config.deployment import BESIDE, Deployment, OwnExercise
from lab.config.description import Lab
from lab.config.loading import Key, known_names
from scripts.drivers.juju import bundle_file
from scripts.exercises import own
from scripts.exercises.registry import EXERCISES


def faults(lab: Lab, track: str) -> Iterator[tuple[Key, str]]:
    """Yield what is wrong with the exercises of a track, each with its key in lab.yaml."""
    deployment = lab.deployment_of(track)
    nodes = {f"node{number}" for to in deployment.places.values() for number in to} | {"node0"}
    known = [BESIDE, *sorted(nodes), *(deployment.applications or lab.components_of(track))]
    there = _roles(deployment)
    names: set[str] = set()
    home = ("deployment", "exercises") if lab.tracks[track].exercises is None else ("tracks", track, "exercises")
    for index, each in enumerate(deployment.exercises):
        name = each.name if isinstance(each, OwnExercise) else each
        if name in names or (isinstance(each, OwnExercise) and name in EXERCISES):
            yield (*home, index), f"{name}: is there twice"
        elif isinstance(each, OwnExercise):
            yield from (((*home, index, key), fault) for key, fault in own.faults(each, lab.file.parent, known))
        elif name not in EXERCISES:
            yield (*home, index), f"no exercise {name}; {known_names(name, EXERCISES)}"
        elif lacking := [] if there is None else [need for need in EXERCISES[name].NEEDS if need not in there]:
            yield (*home, index), f"{name}: needs the role {lacking[0]}, which no application has"
        names.add(name)


def _roles(deployment: Deployment) -> set[str] | None:
    """Return the roles of a deployment; with charms, also the names of applications.  None where its bundle is none."""
    roles = {unit.role for unit in deployment.applications.values()}
    if deployment.target != "juju":
        return roles
    roles |= deployment.applications.keys()
    if deployment.juju and deployment.juju.bundle:
        try:
            roles |= bundle_file.read([deployment.juju.bundle, *deployment.juju.overlays]).charms.keys()
        except ConfigurationError:  # which is a fault of its own
            return None
    return roles
