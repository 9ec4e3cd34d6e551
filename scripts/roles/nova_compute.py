"""nova-compute: where servers run: libvirt, and qemu by emulation, as nobody lends a container a processor's help."""

from __future__ import annotations

from scripts.roles import linuxbridge, neutron, nova
from scripts.roles.filling import fill
from scripts.targets.deployed import Service
from scripts.targets.site import Site
from scripts.targets.topology import Application

NAME = "nova-compute"
# genisoimage makes the disk with metadata, which nova-compute does not depend on.
PACKAGES = ("genisoimage", *linuxbridge.PACKAGES, "nova-compute", "nova-compute-kvm")
SUPPORTING = False
UNIT = "nova-compute.service"


def set_up(site: Site, application: Application) -> Service:
    nodes = site.nodes_of(application)
    network = site.provider(neutron.NAME)
    bare = [node for node in nodes if node.name not in network.nodes]
    for node in nodes:
        nova.configure(site, node)
        site.lay_over(node, "/etc/nova/nova-compute.conf", fill("nova-compute.conf.j2"))
        site.lay_over(node, "/etc/libvirt/qemu.conf", fill("qemu.conf.j2"))
        site.restart(node, application, "libvirtd.service")
    for node in bare:
        linuxbridge.configure(site, node)
        site.restart(node, application, linuxbridge.UNIT)
    for node in nodes:
        site.restart(node, application, UNIT)
    site.wait_until_alive(application, "compute", {NAME: nodes})
    if bare:
        site.wait_until_alive(application, "network", {linuxbridge.DAEMON: bare})
    return site.service(application, [UNIT, "libvirtd.service"])
