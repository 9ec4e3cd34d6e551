"""The topology of a deployment, from its description in lab.yaml.

An application starts after those that it relates to.  A component that belongs to no application gets its own, with
the role ``package``: so any component of any lab can be deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from graphlib import CycleError, TopologicalSorter
from operator import attrgetter
from pathlib import Path

from lab.base.errors import ConfigurationError
from lab.config import application_options
from lab.config.application_options import DEPLOYMENT, EXERCISES, like
from lab.config.deployment import ApplicationSettings, Deployment
from lab.config.description import Lab
from lab.config.juju import Juju
from lab.config.loading import Key, known_names
from lab.config.roles import RoleDescription
from lab.store.run_directory import WHOLE
from scripts.chroots.bootstrap import Repository
from scripts.deployment import charm_applications, conflicts
from scripts.drivers.interfaces import Pristine
from scripts.drivers.topology import Application, Topology
from scripts.roles import neutron
from scripts.roles.own import OwnRole
from scripts.roles.registry import OPTIONS, Role, roles_of
from scripts.roles.role_packages import packages_of
from scripts.roles.role_values import RoleValues

DEFAULT_ROLE = "package"


def topology(lab: Lab, track: str, component: str, built: Mapping[str, Iterable[str]]) -> Topology:
    """Return what a track deploys for a component, or for all of them (`WHOLE`).

    ``built``: the binary packages of each source package in the lab's archive, or waiting in -proposed.  In the
    latter case, only packages that wait are deployed for their own sake.
    Raises ConfigurationError for unknown roles, circular relations, and nothing to deploy.
    Juju knows more roles than qalab: see `scripts.deployment.charm_applications`.
    """
    deployment = lab.deployment_of(track)
    units = dict(deployment.applications)
    if deployment.target == "juju":
        juju = deployment.juju or Juju()
        charm_applications.check(lab.file, units, component, archive_everywhere=bool(juju.bundle))
        if juju.bundle:
            found = charm_applications.of_bundle(lab.file, juju, units, built)
            return replace(found, settle_seconds=deployment.settle_seconds)
        charms = [
            charm_applications.application(lab.file, name, deployment, built.get(name, ()))
            for name in _ordered(lab.file, units, deployment)
        ]
        return Topology(tuple(charms), deployment.relations, deployment.settle_seconds)
    tested = lab.components_of(track) if component == WHOLE else (component,)
    covered = {name for application, unit in units.items() for name in (application, unit.role)}
    is_proposed = lab.tracks[track].trigger == "proposed"
    if is_proposed and units:  # what else the track waits for is in the deployment already
        covered |= {*lab.tracks[track].waits_for} - lab.components.keys()
    if component != WHOLE or is_proposed or not units:
        units |= {name: ApplicationSettings(role=DEFAULT_ROLE) for name in tested if name not in covered}
    roles, of_role = roles_of(deployment), _role_packages(lab, track)
    if is_proposed:
        units = {
            name: unit
            for name, unit in units.items()
            if unit.role not in roles or _packages(roles, name, unit, built, of_role)
        }
    elif component == WHOLE:  # a state of the archive does not need to have each component
        there = {
            name: unit
            for name, unit in units.items()
            if unit.role != DEFAULT_ROLE or _packages(roles, name, unit, built, of_role)
        }
        units = there or units
    minutes = deployment.limits.minutes
    made = [
        replace(
            _application(lab.file, roles, name, units[name], _packages(roles, name, units[name], built, of_role)),
            minutes=minutes,
        )
        for name in _ordered(lab.file, units, deployment)
    ]
    return Topology(
        tuple(made),
        deployment.relations,
        deployment.settle_seconds,
        minutes,
        recommends=deployment.recommends,
    )


def pristine(lab: Lab, track: str, wanted: Topology, repository: Repository | None) -> Pristine:
    """Return the pristine system from which a topology's nodes start."""
    series = lab.tracks[track].series
    return Pristine(
        series,
        lab.series[series],
        packages=wanted.packages,
        sources=(*lab.components_of(track), *(repository.only if repository else ())),
        repository=repository,
        answers=wanted.answers,
        recommends=wanted.recommends,
    )


def faults(lab: Lab, roles: Mapping[str, Role]) -> Iterator[tuple[Key, str]]:
    """Yield what is wrong with the applications of lab.yaml, each with its key: unknown roles and options, bad values."""
    deployment = lab.deployment
    if deployment and deployment.target == "juju":
        yield from charm_applications.option_faults(deployment)
        yield from charm_applications.origin_faults(lab, deployment)
        if deployment.juju and deployment.juju.bundle:
            yield from charm_applications.faults(deployment.juju, deployment.applications)
        else:
            yield from charm_applications.name_faults(deployment)
            yield from charm_applications.setting_faults(deployment.juju or Juju(), deployment.applications)
        yield from charm_applications.step_faults(deployment.juju or Juju(), lab.file.parent)
        yield from charm_applications.component_faults(lab, deployment)
    if deployment and deployment.target != "juju" and (circle := _circle(deployment.applications, deployment)):
        yield ("deployment", "relations"), circle
    for name, unit in deployment.applications.items() if deployment and deployment.target != "juju" else ():
        key = ("deployment", "applications", name)
        if not unit.to:
            yield (*key, "to"), "names no node"
        if not (role := roles.get(unit.role)):
            yield (*key, "role"), f"no {unit.role}; {known_names(unit.role, roles)}"
        else:
            own = OPTIONS.get(unit.role, {})
            if isinstance(role, OwnRole):
                own = {option: like(default) for option, default in role.described.options.items()}
            for option, fault in application_options.faults(unit.options, {**own, **EXERCISES, **DEPLOYMENT}).items():
                yield (*key, "options", option), fault


def own_role_faults(lab: Lab, roles: Mapping[str, Role]) -> Iterator[tuple[Key, str]]:
    """Yield what is wrong with the templates of the lab's own roles, as its applications use them."""
    deployment = lab.deployment or Deployment(applications={})
    built = {name: [name] for name in lab.components}
    made = tuple(
        _application(lab.file, roles, name, unit, _packages(roles, name, unit, built))
        for name, unit in deployment.applications.items()
        if unit.role in roles and _packages(roles, name, unit, built)
    )
    addresses = {
        f"node{number}": f"10.0.0.{number + 1}" for unit in deployment.applications.values() for number in unit.to
    }
    values = RoleValues(made, deployment.relations, addresses, str)
    found = [
        (application.name, fault)
        for application in made
        if isinstance(application.role, OwnRole)
        for fault in dict.fromkeys(application.role.faults(values, application))
    ]
    for name, fault in found or conflicts.faults(made, values):
        yield ("deployment", "applications", name), fault


def _ordered(lab_file: Path, units: Mapping[str, ApplicationSettings], deployment: Deployment) -> list[str]:
    """Return applications after their relations, otherwise in the order of the file."""
    if not (circle := _circle(units, deployment)):
        return list(TopologicalSorter(_graph(units, deployment)).static_order())
    if deployment.target == "juju":  # undirected relations: the order only decides which one is reported first
        return list(units)
    raise ConfigurationError(f"{lab_file}: deployment.relations: {circle}")


def _graph(units: Mapping[str, ApplicationSettings], deployment: Deployment) -> dict[str, list[str]]:
    ends = [tuple(end.partition(":")[0] for end in pair) for pair in deployment.relations]
    return {name: [to for requirer, to in ends if requirer == name and to in units] for name in units}


def _circle(units: Mapping[str, ApplicationSettings], deployment: Deployment) -> str:
    """Return a circle of relations, in which each application would wait for the others; "" for none."""
    try:
        TopologicalSorter(_graph(units, deployment)).prepare()
    except CycleError as error:
        return f"a circle: {' -> '.join(error.args[1])}"
    return ""


def _packages(
    roles: Mapping[str, Role],
    name: str,
    unit: ApplicationSettings,
    built: Mapping[str, Iterable[str]],
    of_role: Callable[[Role], tuple[str, ...]] = attrgetter("PACKAGES"),
) -> tuple[str, ...]:
    role = roles.get(unit.role)
    return tuple(unit.packages or (of_role(role) if role else ()) or built.get(name, ()))


def _role_packages(lab: Lab, track: str) -> Callable[[Role], tuple[str, ...]]:
    """Return a function that returns the packages of a role in the series of a track."""
    name = lab.tracks[track].series
    units = lab.deployment_of(track).applications.values()
    with_ovn = any(unit.role == neutron.NAME and unit.options.get("mechanism") == neutron.OVN for unit in units)
    return partial(packages_of, name=name, series=lab.series[name], with_ovn=with_ovn)


def _application(
    lab_file: Path,
    roles: Mapping[str, Role],
    name: str,
    unit: ApplicationSettings,
    packages: tuple[str, ...],
) -> Application:
    if unit.role not in roles:
        known = ", ".join(roles)
        raise ConfigurationError(f"{lab_file}: deployment.applications.{name}.role: no {unit.role}; known: {known}")
    role = roles[unit.role]
    if not packages:
        hint = f"build it first, or name deployment.applications.{name}.packages"
        raise ConfigurationError(f"{name}: the lab's archive has no packages of it", hint=hint)
    described = role.described if isinstance(role, OwnRole) else RoleDescription()
    return Application(
        name,
        role,
        packages,
        tuple(f"node{number}" for number in unit.to),
        {**described.options, **unit.options},
        answers=described.debconf,
        supports=unit.supporting,
        machine=unit.isolation == "machine",
        reboot=unit.reboot,
    )
