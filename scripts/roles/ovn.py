"""OVN, and neutron's agent for metadata, on every node with servers or routers, where neutron switches with OVN.

It is not a role: the roles neutron and nova-compute use it on their nodes, instead of Open vSwitch's own agents.  The
databases are on the node of neutron.  Networks are the same as with Open vSwitch's agents: VLANs on the bridge
``br-projects``, which needs no kernel module.
"""

from __future__ import annotations

from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.roles import nova, openvswitch
from scripts.roles.config_files import fill
from scripts.services import systemd
from scripts.services.site import Site

PACKAGES = ("neutron-ovn-metadata-agent", "openvswitch-switch", "ovn-host")
CENTRAL_PACKAGES = ("ovn-central",)
DAEMONS = ("ovn-controller", "neutron-ovn-metadata-agent")
UNIT = "ovn-controller.service"
UNITS = (openvswitch.SWITCH, *(f"{daemon}.service" for daemon in DAEMONS))
# ovn-central.service only pulls these in.
CENTRAL_UNITS = ("ovn-ovsdb-server-nb.service", "ovn-ovsdb-server-sb.service", "ovn-northd.service")
NORTHBOUND, SOUTHBOUND = 6641, 6642
CONFIGURATION = "/etc/neutron/neutron_ovn_metadata_agent.ini"
# The databases begin with local sockets only.  neutron and the other nodes ask them over the network.
OPEN = f"""
ovn-nbctl --timeout=60 set-connection ptcp:{NORTHBOUND}:0.0.0.0 -- set connection . inactivity_probe=60000
ovn-sbctl --timeout=60 set-connection ptcp:{SOUTHBOUND}:0.0.0.0 -- set connection . inactivity_probe=60000
"""
# $1: the address of this node, $2: that of the southbound database, $3: mappings of bridges, $4: further options.
# The name of the host is nova's; the agent and nova-compute ask the local database at a port.
CHASSIS = """
ovs-vsctl --timeout=60 set open_vswitch . \
    external-ids:ovn-remote="tcp:$2" external-ids:ovn-encap-type=geneve external-ids:ovn-encap-ip="$1" \
    external-ids:ovn-bridge-datapath-type=netdev external-ids:ovn-bridge-mappings="$3" \
    external-ids:hostname="$(hostname)" external-ids:system-id="$(hostname)" $4
ovs-vsctl --timeout=60 set-manager ptcp:6640:127.0.0.1
"""
GATEWAY = "external-ids:ovn-cms-options=enable-chassis-as-gw"


def write(site: Site, node: Node, central: str) -> None:
    """Write the configuration of the agent on a node; ``central``: the address of the databases."""
    values = {"nova": site.provider(nova.NAME).settings["address"], "metadata_secret": site.passwords.of("metadata")}
    text = fill("ovn_metadata_agent.ini.j2", southbound=f"tcp:{central}:{SOUTHBOUND}", **values)
    site.files.set_options(node, CONFIGURATION, text)
    openvswitch.write_module(node)


def start_central(site: Site, node: Node, application: Application) -> None:
    """Start the databases and the daemon between them."""
    for unit in CENTRAL_UNITS:
        systemd.restart(node, application, unit)
    site.must(node, application, ["sh", "-euc", OPEN])


def start(site: Site, node: Node, application: Application, central: str) -> None:
    """Start the switch and OVN's controller on a node, which is a gateway where the databases are."""
    openvswitch.start(site, node, application)
    is_central = node.address == central
    mappings = ",".join([openvswitch.PROJECTS, *([openvswitch.EXTERNAL] if is_central else [])])
    options = [node.address, f"{central}:{SOUTHBOUND}", mappings, GATEWAY if is_central else ""]
    site.must(node, application, ["sh", "-euc", CHASSIS, "sh", *options])
    for unit in (UNIT, "neutron-ovn-metadata-agent.service"):
        systemd.restart(node, application, unit)
