"""Applications deployed as charms: Juju knows any role that has a charm.

Applications that install from the lab's archive are tested; all others support them, and their faults are the lab's.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from lab.base.errors import ConfigurationError
from lab.config import application_options
from lab.config.application_options import DEPLOYMENT, EXERCISES
from lab.config.deployment import ApplicationSettings, Deployment
from lab.config.description import Lab
from lab.config.juju import Juju, JujuStep
from lab.config.loading import Key, known_names
from lab.store.run_directory import WHOLE
from scripts.drivers.juju import bundle, bundle_file, vault
from scripts.drivers.topology import Application, Charm, CharmRole, Topology
from scripts.roles import package

# Where a charm is called otherwise than the role that packages play.
CHARMS = {"rabbitmq": "rabbitmq-server"}
NONE_SUCH = {"package", "mariadb"}
UNITS = "deployment.applications"
NO_PLACE = "no node, and no relation to an application that has one"


def application(lab_file: Path, name: str, deployment: Deployment, built: Iterable[str]) -> Application:
    """Return an application.  Raises ConfigurationError when neither lab.yaml nor qalab names its charm."""
    unit, juju = deployment.applications[name], deployment.juju or Juju()
    if not unit.charm and unit.role in NONE_SUCH:
        raise ConfigurationError(f"{lab_file}: {UNITS}.{name}.charm: missing: no charm is called {unit.role}")
    name_of_charm = unit.charm or CHARMS.get(unit.role, unit.role)
    charm = Charm(name_of_charm, unit.channel, unit.origin, resting=juju.resting.get(name, ""))
    nodes = tuple(f"node{number}" for number in deployment.places[name])
    role = CharmRole(unit.role, SUPPORTING=not unit.origin)
    return Application(name, role, tuple(unit.packages or built), nodes, unit.options, charm)


def of_bundle(
    lab_file: Path, settings: Juju, units: Mapping[str, ApplicationSettings], built: Mapping[str, Iterable[str]]
) -> Topology:
    """Return the topology of a bundle file, whose applications in lab.yaml are tested and whose others support them.

    Raises ConfigurationError for what `faults` finds.
    """
    for key, fault in faults(settings, units):
        raise ConfigurationError(f"{lab_file}: {'.'.join(map(str, key))}: {fault}")
    described = bundle_file.read([str(settings.bundle), *settings.overlays])
    made = []
    for name, charm in described.charms.items():
        unit = units.get(name)
        role = CharmRole(unit.role if unit else name, SUPPORTING=unit is None or bool(unit.supporting))
        packages = tuple(unit.packages or built.get(name, ())) if unit else ()
        options = unit.options if unit else {}
        origin = unit.origin if unit else None
        of = Charm(charm, origin=origin, units=described.units[name], resting=settings.resting.get(name, ""))
        made.append(Application(name, role, packages, (), options, of))
    return Topology(tuple(made), described.relations)


def faults(settings: Juju, units: Mapping[str, ApplicationSettings]) -> Iterator[tuple[Key, str]]:
    """Yield the applications of lab.yaml that have no unit with a bundle file, each with its key, or why it is no bundle."""
    try:
        described = bundle_file.read([str(settings.bundle), *settings.overlays])
    except ConfigurationError as error:
        yield ("deployment", "juju", "bundle"), str(error)
        return
    for field in sorted(settings.model_fields_set & {"base", "constraints"}):
        yield ("deployment", "juju", field), f"{settings.bundle} has its own"
    yield from setting_faults(settings, described.charms)
    for name, unit in units.items():
        key = ("deployment", "applications", name)
        for field in sorted(unit.model_fields_set & {"channel", "charm", "to"}):
            yield (*key, field), f"{settings.bundle} has its own"
        others = {*EXERCISES, *DEPLOYMENT, *package.OPTIONS, bundle.UPGRADE}
        for option in sorted(unit.options.keys() - others):
            yield (*key, "options", option), "an option of the charm: set it in an overlay of the bundle"
        lacking = {*bundle.options_of(unit.origin)} - {*described.options.get(name, ())} if unit.origin else set()
        if lacking and name in described.options:
            yield (*key, "origin"), f"{described.charms[name]} has no option {min(lacking)}"
        if name not in described.charms:
            yield key, f"not in {settings.bundle}; {known_names(name, described.charms)}"
        elif not (unit.supporting or _has_place(name, described.units, described.relations)):
            yield key, f"{NO_PLACE}: {settings.bundle}"


def setting_faults(settings: Juju, names: Collection[str]) -> Iterator[tuple[Key, str]]:
    """Yield the settings that name applications which the deployment does not have."""
    for name in settings.resting:
        if name not in names:
            yield ("deployment", "juju", "resting", name), f"no application {name}; {known_names(name, names)}"
    for number, step in enumerate(settings.steps):
        if step == vault.CHARM and vault.CHARM not in names:
            yield ("deployment", "juju", "steps", number), f"vault: no application is called {vault.CHARM}"


def step_faults(settings: Juju, base: Path) -> Iterator[tuple[Key, str]]:
    """Yield the steps whose program is to be in the lab's directory ``base``, and is not there."""
    for number, step in enumerate(settings.steps):
        program = Path(step.run[0] if isinstance(step, JujuStep) else "juju")
        if program.is_relative_to(base) and not (program.is_file() and os.access(program, os.X_OK)):
            yield ("deployment", "juju", "steps", number, "run"), f"{program}: not an executable file"


def name_faults(deployment: Deployment) -> Iterator[tuple[Key, str]]:
    """Yield the names that Juju refuses, options that the archive takes, and relations that are none."""
    for name, unit in deployment.applications.items():
        key: Key = ("deployment", "applications", name)
        if not bundle_file.APPLICATION.fullmatch(name):
            yield key, bundle_file.NO_NAME
        taken = bundle.options_of(unit.origin) if unit.origin else ()
        for option in sorted(unit.options.keys() & {*taken}):
            yield (*key, "options", option), "takes the lab's archive, as origin says; one of the two must go"
    seen = set[frozenset[str]]()
    for number, pair in enumerate(deployment.relations):
        if fault := bundle_file.relation_fault(pair, seen):
            yield ("deployment", "relations", number), fault


def component_faults(lab: Lab, deployment: Deployment) -> Iterator[tuple[Key, str]]:
    """Yield the components that a track deploys, but no application is of: `check` would refuse each of their runs."""
    everywhere = bool(deployment.juju and deployment.juju.bundle)
    for name, track in lab.tracks.items():
        if "deploy" not in track.phases or track.trigger == "proposed":
            continue
        for component in lab.components_of(name):
            if why := _not_deployed(deployment.applications, component, archive_everywhere=everywhere):
                yield ("tracks", name, "phases"), f"deploy: {component}: {why}"


def option_faults(deployment: Deployment) -> Iterator[tuple[Key, str]]:
    """Yield wrong values of options for exercises, and options that no charm has; all others are the charm's."""
    for name, unit in deployment.applications.items():
        key = ("deployment", "applications", name, "options")
        ours = {option: value for option, value in unit.options.items() if option in EXERCISES}
        for option, fault in application_options.faults(ours, EXERCISES).items():
            yield (*key, option), fault
        for option in sorted(unit.options.keys() & {*package.OPTIONS, *DEPLOYMENT}):
            yield (*key, option), "only for packages: a charm's own status says whether it is well"


def origin_faults(lab: Lab, deployment: Deployment) -> Iterator[tuple[Key, str]]:
    """Yield the applications to be tested that would have no unit, or could not derive a release from the lab's archive."""
    if not (deployment.juju and deployment.juju.bundle):
        counts = {name: len(to) for name, to in deployment.places.items()}
        for name, unit in deployment.applications.items():
            if unit.origin and not _has_place(name, counts, deployment.relations):
                yield ("deployment", "applications", name, "to"), NO_PLACE
    tracks = [name for name, track in lab.tracks.items() if "deploy" in track.phases]
    unknown = [track for track in tracks if not bundle.release_of(f"{lab.archive.url} {track}")]
    for name, unit in deployment.applications.items():
        if unit.origin == bundle.OPENSTACK and unknown:
            why = f"its charm takes the release from the source: neither archive.url nor {unknown[0]} has a code name"
            yield ("deployment", "applications", name, "origin"), f"{bundle.OPENSTACK}: {why} of OpenStack"


def _has_place(name: str, units: Mapping[str, int], relations: Iterable[Sequence[str]]) -> bool:
    """Return whether an application has units, or a relation to one that has: a subordinate has units beside those."""
    pairs = ([end.partition(":")[0] for end in pair] for pair in relations)
    beside = {end for pair in pairs if name in pair for end in pair}
    return any(units.get(each) for each in {name, *beside})


def check(
    lab_file: Path, units: Mapping[str, ApplicationSettings], component: str, *, archive_everywhere: bool
) -> None:
    """Raise ConfigurationError when the bundle would not deploy the component from the lab's archive.

    ``archive_everywhere``: all machines use the archive, so that no option of a charm is needed.
    """
    if why := _not_deployed(units, component, archive_everywhere=archive_everywhere):
        raise ConfigurationError(f"{lab_file}: {UNITS}: {why}")


def _not_deployed(units: Mapping[str, ApplicationSettings], component: str, *, archive_everywhere: bool) -> str:
    of_it = {name: unit for name, unit in units.items() if component in {WHOLE, name, unit.role}}
    if not of_it:
        known = ", ".join(units) or "none"
        cure = f"give those that have its packages the role {component}"
        return f"no application is of {component}, and Juju deploys charms: {cure}; there is: {known}"
    if not archive_everywhere and not any(unit.origin for unit in of_it.values()):
        cure = "name the charm's option for it (openstack-origin for most of OpenStack's, else source)"
        return f"{', '.join(of_it)}: no origin, so nothing would come from the lab's archive; {cure}"
    return ""
