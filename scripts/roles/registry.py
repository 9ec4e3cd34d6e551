"""The roles there are: add a module and name it here.

A role has a ``NAME``; ``PACKAGES``, where lab.yaml names none; ``SUPPORTING``, whether it is there for others
(its packages may be in the pristine state, its faults are the lab's); and a ``set_up(site, application)`` that
configures, starts and waits until the application says that it is well, and returns what others need to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

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

ROLES: Mapping[str, ModuleType] = {
    module.NAME: module
    for module in (
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
    )
}
