"""The packages of roles, which differ between distributions, and with the release of OpenStack that a series has.

Only the names of packages are a matter of tables: how they serve an API is asked of a node that has them.
"""

from __future__ import annotations

from typing import Final

from lab.base.errors import ConfigurationError
from lab.config.description import Series
from lab.config.openstack_releases import has_reached, release_of
from scripts.drivers.topology import RoleFacts
from scripts.roles import neutron, nova, nova_compute, openvswitch, ovn, placement

# The releases from which on Ubuntu has no monolithic daemons, and Debian has the package of periodic workers.
SPLIT: Final = "flamingo"
DEBIAN_WORKERS: Final = "epoxy"
# Zed registers for OVN's events (neutron_lib's PROCESS, AFTER_INIT) in its own server only; 2025.1 also behind uWSGI:
# neutron/server/api.py, and post_fork_initialize in neutron/plugins/ml2/drivers/ovn/mech_driver/mech_driver.py.
DEBIAN_OVN: Final = "epoxy"


def packages_of(role: RoleFacts, name: str, series: Series, *, with_ovn: bool = False) -> tuple[str, ...]:
    """Return the packages of a role in a series; ``with_ovn``: the mechanism of the deployment's neutron.

    Raises ConfigurationError for OVN where no release of neutron has it behind uWSGI.
    """
    release, is_ubuntu = release_of(name, series), series.distribution == "ubuntu"
    if with_ovn and not is_ubuntu and not has_reached(release, DEBIAN_OVN):
        why = f"neutron of {release}, which uWSGI serves in Debian, drops all events of OVN"
        raise ConfigurationError(f"the option mechanism of neutron: {why}", hint="openvswitch, or a newer series")
    switching = ovn.PACKAGES if with_ovn else openvswitch.PACKAGES
    if role.NAME == neutron.NAME:
        agents = ovn.CENTRAL_PACKAGES if with_ovn else neutron.AGENTS[1:]
        return (*_neutron_servers(release, is_ubuntu=is_ubuntu), *switching, *agents)
    if role.NAME == nova_compute.NAME:
        return (*nova_compute.PACKAGES, *switching)
    if is_ubuntu and role.NAME == placement.NAME:
        return (*placement.PACKAGES, "python3-pymysql")
    if is_ubuntu and role.NAME == nova.NAME and has_reached(release, SPLIT):
        return (*nova.PACKAGES, "nova-api-metadata")  # before, nova-api served metadata, and the two clash
    return role.PACKAGES


def _neutron_servers(release: str, *, is_ubuntu: bool) -> tuple[str, ...]:
    if is_ubuntu and not has_reached(release, SPLIT):
        return "neutron-server", "neutron-plugin-ml2"
    workers = ("neutron-periodic-workers",) if is_ubuntu or has_reached(release, DEBIAN_WORKERS) else ()
    return (*neutron.SERVERS, *workers, *(("neutron-plugin-ml2",) if is_ubuntu else ()))
