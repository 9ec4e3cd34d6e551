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
    applications = lab.deployment.applications if lab.deployment else {}
    places = lab.deployment.places if lab.deployment else {}
    nodes = {f"node{number}" for to in places.values() for number in to} | {"node0"}
    known = [BESIDE, *sorted(nodes), *(applications or lab.components_of(track))]
    there = _roles(lab)
    names: set[str] = set()
    home = ("deployment", "exercises") if lab.tracks[track].exercises is None else ("tracks", track, "exercises")
    for index, each in enumerate(lab.exercises_of(track)):
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


def _roles(lab: Lab) -> set[str] | None:
    """Return the roles of a deployment; with charms, also the names of applications.  None where its bundle is none."""
    deployment = lab.deployment or Deployment(applications={})
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
