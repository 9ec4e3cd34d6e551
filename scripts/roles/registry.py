"""The registry of roles: to add a role, add a module and name it here.

`scripts.deployment.startup` defines the order of calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from lab.config import roles
from lab.config.application_options import Options
from lab.config.deployment import Deployment
from scripts.drivers.topology import Application, RoleFacts
from scripts.roles import (
    cinder,
    glance,
    keystone,
    mariadb,
    memcached,
    neutron,
    nova,
    nova_compute,
    package,
    placement,
    rabbitmq,
)  # fmt: skip
from scripts.roles.own import OwnRole
from scripts.services.deployed_state import Service
from scripts.services.site import Site


class Role(RoleFacts, Protocol):
    """A module that deploys one kind of application.  Its functions are called in this order."""

    def describe(self, site: Site, application: Application) -> Service:
        """Return the values that other applications need; works before anything runs."""

    def configure(self, site: Site, application: Application) -> None:
        """Prepare an application for its start: its files, and the content of its databases."""

    def start(self, site: Site, application: Application) -> None:
        """Start an application, and wait until it reports that it is well."""


MODULES: Sequence[Role] = [
    package,
    mariadb,
    rabbitmq,
    memcached,
    keystone,
    glance,
    placement,
    nova,
    neutron,
    nova_compute,
    cinder,
]
ROLES: Mapping[str, Role] = {module.NAME: module for module in MODULES}
# The options of those that have some.
OPTIONS: Mapping[str, Options] = {package.NAME: package.OPTIONS, neutron.NAME: neutron.OPTIONS}


def own_roles(deployment: Deployment) -> dict[str, OwnRole]:
    """Return the roles of a lab's own by name.  Raises DescriptionError."""
    if not deployment.roles:
        return {}
    directory = Path(deployment.roles)
    return {name: OwnRole(name, described, directory / name) for name, described in roles.load(directory).items()}


def roles_of(deployment: Deployment) -> dict[str, Role]:
    """Return all roles that applications can have; one of the lab's own replaces a built-in one."""
    return {**ROLES, **own_roles(deployment)}


def role_of(application: Application) -> Role:
    """Return the role that deploys an application."""
    return application.role if isinstance(application.role, OwnRole) else ROLES[application.role.NAME]
