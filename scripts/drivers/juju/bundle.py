"""A topology as Juju's bundle, and as an overlay that points charms at the lab's archive.

See "Bundle" in Juju's reference, and charmcraft's on the file ``bundle.yaml``.  The same topology gives the same bytes.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from lab.base.errors import ConfigurationError
from lab.config.application_options import EXERCISES
from lab.config.description import Series
from lab.config.openstack_releases import RELEASES
from scripts.chroots.bootstrap import Repository
from scripts.drivers.topology import Application, Charm, Topology

OPENSTACK: Final = "openstack-origin"
LAYERED: Final = "install_sources"
# Charms that would upgrade OpenStack by themselves while the release that they derive from a source is newer than that of
# the machine, unless this option leaves it to an action.  Juju refuses it of others, such as barbican and designate, whose
# layers do not have it; see the file config.yaml of each charm.
UPGRADE: Final = "action-managed-upgrade"
UPGRADING: Final = frozenset({
    "ceilometer", "cinder", "glance", "heat", "keystone", "neutron-api", "neutron-gateway",
    "nova-cloud-controller", "nova-compute", "openstack-dashboard", "swift-proxy", "swift-storage",
})  # fmt: skip
# Juju names releases of Ubuntu by their versions, and runs on its long-term ones.
BASES = {"focal": "20.04", "jammy": "22.04", "noble": "24.04", "resolute": "26.04"}


def base(name: str, series: Series, chosen: str | None) -> str:
    """Return a machine's base in Juju's notation (``ubuntu@24.04``).  Raises ConfigurationError when it is unknown."""
    codename = series.codename or name
    if chosen:
        return chosen
    if series.distribution != "ubuntu" or codename not in BASES:
        known = ", ".join(BASES)
        raise ConfigurationError(f"deployment.juju.base: missing: {codename} is none of Juju's; known: {known}")
    return f"ubuntu@{BASES[codename]}"


def bundle(topology: Topology, machines: Mapping[str, str], on: str) -> str:
    """Return the YAML of a bundle; ``machines``: the ids of the existing machines, by node."""
    document = {
        "default-base": on,
        "machines": {machines[node]: {} for node in topology.nodes},
        "applications": {each.name: _application(each, machines) for each in topology.applications},
        "relations": [list(ends) for ends in topology.relations],
    }
    return _text(document)


def overlay(applications: Iterable[Application], repository: Repository) -> str:
    """Return the YAML of an overlay that gives the lab's archive to the charms that install from it."""
    options = {
        each.name: {"options": {**sources(str(charm(each).origin), repository), **_no_upgrade(each)}}
        for each in applications
    }
    return _text({"applications": options})


def _no_upgrade(application: Application) -> dict[str, bool]:
    of = charm(application)
    can = of.origin == OPENSTACK and of.name.removeprefix("ch:") in UPGRADING
    return {UPGRADE: True} if can and UPGRADE not in application.options else {}


def on_machines(repository: Repository | None) -> dict[str, str]:
    """Return the configuration of a model whose machines and containers all use the lab's archive, with its pins.

    See "cloudinit-userdata" in Juju's reference: ``preruncmd`` comes before Juju's own commands.
    """
    if repository is None:
        return {}
    command = shlex.join(["sh", "-c", repository.setup])
    return {"cloudinit-userdata": yaml.safe_dump({"preruncmd": [command]}, width=sys.maxsize)}


def settings(config: Mapping[str, str | int | float | bool]) -> dict[str, str]:
    """Return configuration as Juju's command line takes it."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in config.items()}


def sources(option: str, repository: Repository) -> dict[str, str]:
    """Return an archive as options of a charm, whose notation depends on the name of the option.

    ``openstack-origin`` has the key after a bar, layered charms take lists in YAML, and all others have an option
    ``key``; see ``configure_installation_source`` and ``configure_sources`` in charmhelpers, and ``layer:apt``.
    """
    line, key = f"deb {repository.url} {repository.codename} main", repository.key.strip()
    if option == OPENSTACK:
        if release_of(line) != release_of(f"{line}|{key}"):
            why = f"charms would take the release {release_of(f'{line}|{key}')} from letters of the archive's key"
            raise ConfigurationError(f"{OPENSTACK}: {why}", hint="put the code name into archive.url")
        return {option: f"{line}|{key}"}
    values = [yaml.safe_dump([each]) for each in (line, key)] if option == LAYERED else [line, key]
    return dict(zip(options_of(option), values, strict=True))


def options_of(origin: str) -> tuple[str, ...]:
    """Return the options of a charm that take an archive, by the one that lab.yaml names."""
    return {OPENSTACK: (OPENSTACK,), LAYERED: (LAYERED, "install_keys")}.get(origin, (origin, "key"))


def release_of(source: str) -> str:
    """Return the release of OpenStack that charms derive from a source, "" for none.

    See ``get_os_codename_install_source`` in charmhelpers: the oldest release whose code name is anywhere in it.
    """
    return next((name for name in RELEASES if name in source), "")


def charm(application: Application) -> Charm:
    assert application.charm  # noqa: S101 - all that the driver juju is given are charms
    return application.charm


def _application(application: Application, machines: Mapping[str, str]) -> dict[str, Any]:
    of, units = charm(application), [machines[node] for node in application.nodes]
    options = {key: value for key, value in application.options.items() if key not in EXERCISES}
    described = {
        "charm": of.name,
        "channel": of.channel,
        "num_units": len(units),  # none of a subordinate: Juju makes them with the units that it is related to
        "to": units,
        "options": options,
    }
    return {key: value for key, value in described.items() if value}


def _text(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=True, default_flow_style=False, width=4096)
