"""The topology of a deployment, from its description in lab.yaml.

An application starts after those that it relates to.  A component that belongs to no application gets its own, with
the role ``package``: so any component of any lab can be deployed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from lab.base.errors import ConfigurationError
from lab.config.deployment import ApplicationSettings, Deployment
from lab.config.description import Lab
from lab.store.run_directory import WHOLE
from scripts.chroots.bootstrap import Repository
from scripts.deployment import charm_applications
from scripts.drivers.interfaces import Pristine
from scripts.drivers.topology import Application, Topology
from scripts.roles.registry import ROLES

DEFAULT_ROLE = "package"


def _command_fault(value: object) -> str:
    try:
        return "" if shlex.split(str(value)) else "is empty"
    except ValueError as error:
        return f"not a command: {error}"


def _pattern_fault(value: object) -> str:
    try:
        re.compile(str(value))
    except re.error as error:
        return f"not a regular expression: {error}"
    return ""


def _seconds_fault(value: object) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) and value > 0 else "not a number of seconds"


# The options of the role package, and of the exercise command, each with a function that finds its fault.
OPTIONS: Mapping[str, Callable[[object], str]] = {
    "health": _command_fault,
    "patience": _seconds_fault,
    "command": _command_fault,
    "prints": _pattern_fault,
}


def topology(lab: Lab, track: str, component: str, built: Mapping[str, Iterable[str]]) -> Topology:
    """Return what a track deploys for a component, or for all of them (`WHOLE`).

    ``built``: the binary packages of each source package in the lab's archive, or waiting in -proposed.  In the
    latter case, only packages that wait are deployed for their own sake.
    Raises ConfigurationError for unknown roles, circular relations, and nothing to deploy.
    Juju knows more roles than qalab: see `scripts.deployment.charm_applications`.
    """
    deployment = lab.deployment or Deployment(applications={})
    units = dict(deployment.applications)
    if deployment.target == "juju":
        charm_applications.check(lab.file, units, component)
        charms = [
            charm_applications.application(lab.file, name, units[name], built.get(name, ()))
            for name in _ordered(lab.file, units, deployment)
        ]
        return Topology(tuple(charms), deployment.relations)
    tested = lab.components_of(track) if component == WHOLE else (component,)
    covered = {name for application, unit in units.items() for name in (application, unit.role)}
    if component != WHOLE or not units:
        units |= {name: ApplicationSettings(role=DEFAULT_ROLE) for name in tested if name not in covered}
    if lab.tracks[track].trigger == "proposed":
        units = {name: unit for name, unit in units.items() if unit.role not in ROLES or _packages(name, unit, built)}
    elif component == WHOLE:  # a state of the archive does not need to have each component
        there = {
            name: unit for name, unit in units.items() if unit.role != DEFAULT_ROLE or _packages(name, unit, built)
        }
        units = there or units
    made = [_application(lab.file, name, units[name], built) for name in _ordered(lab.file, units, deployment)]
    return Topology(tuple(made), deployment.relations)


def pristine(lab: Lab, track: str, wanted: Topology, repository: Repository | None) -> Pristine:
    """Return the pristine system from which a topology's nodes start."""
    series = lab.tracks[track].series
    return Pristine(
        series,
        lab.series[series],
        packages=wanted.packages,
        sources=(*lab.components_of(track), *(repository.only if repository else ())),
        repository=repository,
    )


def faults(lab: Lab) -> Iterator[str]:
    """Yield what is wrong with the applications of lab.yaml: unknown roles and options, commands that are none."""
    deployment = lab.deployment
    for name, unit in deployment.applications.items() if deployment and deployment.target != "juju" else ():
        key = f"deployment.applications.{name}"
        if not unit.to:
            yield f"{key}.to: names no node"
        if unit.role not in ROLES:
            yield f"{key}.role: no {unit.role}; {_known(unit.role, ROLES)}"
        elif unit.role == DEFAULT_ROLE:
            for option, value in unit.options.items():
                if option not in OPTIONS:
                    yield f"{key}.options: no {option}; {_known(option, OPTIONS)}"
                elif fault := OPTIONS[option](value):
                    yield f"{key}.options.{option}: {fault}"


def _known(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, 1)
    return (f"did you mean {close[0]}? " if close else "") + f"known: {', '.join(known)}"


def _ordered(lab_file: Path, units: Mapping[str, ApplicationSettings], deployment: Deployment) -> list[str]:
    """Return applications after their relations, otherwise in the order of the file."""
    ends = [tuple(end.partition(":")[0] for end in pair) for pair in deployment.relations]
    graph = {name: [to for requirer, to in ends if requirer == name and to in units] for name in units}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        if deployment.target == "juju":  # undirected relations: the order only decides which one is reported first
            return list(units)
        circle = " -> ".join(error.args[1])
        raise ConfigurationError(f"{lab_file}: deployment.relations: a circle: {circle}") from None


def _packages(name: str, unit: ApplicationSettings, built: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    role = ROLES.get(unit.role)
    return tuple(unit.packages or (role.PACKAGES if role else ()) or built.get(name, ()))


def _application(
    lab_file: Path, name: str, unit: ApplicationSettings, built: Mapping[str, Iterable[str]]
) -> Application:
    if unit.role not in ROLES:
        known = ", ".join(ROLES)
        raise ConfigurationError(f"{lab_file}: deployment.applications.{name}.role: no {unit.role}; known: {known}")
    role = ROLES[unit.role]
    packages = _packages(name, unit, built)
    if not packages:
        hint = f"build it first, or name deployment.applications.{name}.packages"
        raise ConfigurationError(f"{name}: the lab's archive has no packages of it", hint=hint)
    return Application(name, role, packages, tuple(f"node{number}" for number in unit.to), unit.options)
