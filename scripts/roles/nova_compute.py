"""nova-compute: where servers run: libvirt, and qemu by emulation, as nobody lends a container a processor's help."""

from __future__ import annotations

from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.roles import neutron, nova, openvswitch, ovn
from scripts.roles.config_files import fill
from scripts.services import systemd, waiting
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "nova-compute"
# genisoimage makes the disk with metadata, which nova-compute does not depend on.
PACKAGES = ("genisoimage", "nova-compute", "nova-compute-kvm")  # and those that switch
SUPPORTING = False
ENDPOINT = None
UNIT, LIBVIRT = "nova-compute.service", "libvirtd.service"


def describe(site: Site, application: Application) -> Service:
    return site.service(application, [UNIT, LIBVIRT, *(ovn if _central(site) else openvswitch).UNITS])


def configure(site: Site, application: Application) -> None:
    for node in site.nodes_of(application):
        nova.write(site, node)
        site.files.set_options(node, "/etc/nova/nova-compute.conf", fill("nova-compute.conf.j2"))
        site.files.set_options(node, "/etc/libvirt/qemu.conf", fill("qemu.conf.j2"))
    for node in bare(site, application):
        if central := _central(site):
            ovn.write(site, node, central)
        else:
            openvswitch.write_neutron(site, node)
            openvswitch.write(site, node)


def start(site: Site, application: Application) -> None:
    nodes, central = bare(site, application), _central(site)
    for node in nodes:
        if central:
            ovn.start(site, node, application, central)
        else:
            openvswitch.start(site, node, application)
            systemd.restart(node, application, openvswitch.UNIT)
    for node in site.nodes_of(application):
        # The bus read its policy for polkit, which libvirt needs, before the user polkitd existed.
        site.must(node, application, ["systemctl", "reload", "dbus.service"])
        systemd.restart(node, application, LIBVIRT)
        systemd.restart(node, application, UNIT)
    waiting.until_alive(site, application, "hypervisor", {NAME: site.nodes_of(application)})
    agents = ovn.DAEMONS if central else (openvswitch.DAEMON,)
    waiting.until_alive(site, application, "network", dict.fromkeys(agents, nodes))


def _central(site: Site) -> str:
    """Return the address of OVN's databases, "" where Open vSwitch's agents switch."""
    network = next((each for each in site.applications if each.role.NAME == neutron.NAME), None)
    return site.node_of(network).address if network and neutron.is_ovn(network) else ""


def bare(site: Site, application: Application) -> list[Node]:
    """Return the nodes without the role neutron, which already has the agent."""
    network = site.provider(neutron.NAME)
    return [node for node in site.nodes_of(application) if node.name not in network.nodes]
