"""The roles: add a module and name it here.

`scripts.deployment.startup` says which part of which application is called when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

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
from scripts.services.deployed_state import Service
from scripts.services.site import Site


class Role(RoleFacts, Protocol):
    """A module that deploys one kind of application.  Its functions are called in this order."""

    def describe(self, site: Site, application: Application) -> Service:
        """Return what other applications need to know; nothing has to run for it."""

    def configure(self, site: Site, application: Application) -> None:
        """Make an application ready to start: its files, and what databases have to hold."""

    def start(self, site: Site, application: Application) -> None:
        """Start an application, and wait until it says that it is well."""


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
