"""Open vSwitch and neutron's agent for it, on every node with servers, routers or DHCP.

It is not a role: the roles neutron and nova-compute use it on their nodes.  Its datapath runs in user space
(``netdev``) and needs no kernel module.  Networks of projects are VLANs on a physical network, which is one VXLAN of
the kernel between the nodes: they are therefore the same on one node and on several.
"""

from __future__ import annotations

from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.roles import keystone, rabbitmq
from scripts.roles.config_files import fill
from scripts.services import systemd
from scripts.services.site import Site

PACKAGES = ("neutron-openvswitch-agent", "openvswitch-switch")
DAEMON = "neutron-openvswitch-agent"
SWITCH, UNIT = "ovs-vswitchd.service", f"{DAEMON}.service"
UNITS = (SWITCH, UNIT)
NEUTRON = "neutron"
PROJECTS, EXTERNAL = "projects:br-projects", "external:br-ex"
"""Physical networks, and the bridges that are these on a node."""
# Its start script wants the kernel's datapath, used or not: see modprobe.d(5).
NO_MODULE = "install openvswitch /bin/true\n"
# $1: the address of this node; the rest: the addresses of the other nodes.
BRIDGE = """
ip link add overlay type vxlan id 1 dstport 4789 local "$1"
shift
for other; do bridge fdb append 00:00:00:00:00:00 dev overlay dst "$other"; done
ip link set overlay up
ovs-vsctl add-br br-projects -- set bridge br-projects datapath_type=netdev -- add-port br-projects overlay
"""


def write(site: Site, node: Node, *, is_router: bool = False) -> None:
    """Write the configuration of the agent on a node."""
    agent = fill("openvswitch_agent.ini.j2", mappings=[PROJECTS, *([EXTERNAL] if is_router else [])])
    site.files.set_options(node, "/etc/neutron/plugins/ml2/openvswitch_agent.ini", agent)
    write_module(node)


def write_neutron(site: Site, node: Node, *, database: str = "", ovn: str = "") -> None:
    """Write the configuration that neutron's services and agents share.

    ``database`` is for the API, ``ovn`` the address of OVN's databases where it switches.
    """
    values = {"queue": rabbitmq.url(site), "database": database, **keystone.client(site, NEUTRON)}
    site.files.set_options(node, "/etc/neutron/neutron.conf", fill("neutron.conf.j2", central=ovn, **values))
    site.files.set_options(node, "/etc/neutron/plugins/ml2/ml2_conf.ini", fill("ml2_conf.ini.j2", central=ovn))


def write_module(node: Node) -> None:
    node.write("/etc/modprobe.d/openvswitch.conf", NO_MODULE)


def start(site: Site, node: Node, application: Application) -> None:
    """Start the switch, with a bridge to the other nodes that have one."""
    having = {name for each in site.applications if SWITCH in site.services[each.name].units for name in each.nodes}
    others = [site.nodes[name].address for name in sorted(having - {node.name})]
    systemd.restart(node, application, SWITCH)
    site.must(node, application, ["sh", "-euc", BRIDGE, "sh", node.address, *others])
