"""The roles there are: add a module and name it here.

A role has a ``NAME``; ``PACKAGES``, where lab.yaml names none; ``SUPPORTING``, whether it is there for others
(its packages may be in the pristine state, its faults are the lab's); an ``ENDPOINT``, if it is to be found in the
catalog; and, called in this order,

- ``describe(site, application)`` says what others need to know of it, which nothing needs to run for;
- ``configure(site, application)`` has it ready to start: files, and what there is to be in databases;
- ``start(site, application)`` starts it, and waits until it says that it is well.

See `scripts.targets.setting_up` on what is there when.
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
