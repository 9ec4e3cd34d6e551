"""nova-compute: the hypervisor for servers: libvirt, and emulation by qemu, because containers cannot use KVM."""

from __future__ import annotations

from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.roles import neutron, nova, openvswitch
from scripts.roles.config_files import fill
from scripts.services import systemd, waiting
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "nova-compute"
# genisoimage creates the config drive; nova-compute does not depend on it.
PACKAGES = ("genisoimage", "nova-compute", "nova-compute-kvm", *openvswitch.PACKAGES)
SUPPORTING = False
ENDPOINT = None
UNIT, LIBVIRT = "nova-compute.service", "libvirtd.service"


def describe(site: Site, application: Application) -> Service:
    return site.service(application, [UNIT, LIBVIRT, *openvswitch.UNITS])


def configure(site: Site, application: Application) -> None:
    for node in site.nodes_of(application):
        nova.write(site, node)
        site.files.set_options(node, "/etc/nova/nova-compute.conf", fill("nova-compute.conf.j2"))
        site.files.set_options(node, "/etc/libvirt/qemu.conf", fill("qemu.conf.j2"))
    for node in bare(site, application):
        openvswitch.write(site, node)


def start(site: Site, application: Application) -> None:
    agents = {openvswitch.DAEMON: bare(site, application)}
    for node in agents[openvswitch.DAEMON]:
        openvswitch.start(site, node, application)
        systemd.restart(node, application, openvswitch.UNIT)
    for node in site.nodes_of(application):
        # dbus has read its policy for polkit, which libvirt queries, before the user polkitd existed.
        site.must(node, application, ["systemctl", "reload", "dbus.service"])
        systemd.restart(node, application, LIBVIRT)
        systemd.restart(node, application, UNIT)
    waiting.until_alive(site, application, "hypervisor", {NAME: site.nodes_of(application)})
    waiting.until_alive(site, application, "network", agents)


def bare(site: Site, application: Application) -> list[Node]:
    """Return the nodes without the role neutron, which already provides the agent."""
    network = site.provider(neutron.NAME)
    return [node for node in site.nodes_of(application) if node.name not in network.nodes]
