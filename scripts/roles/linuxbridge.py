"""What neutron has on every node with servers, routers or DHCP: the agent that plugs them into bridges.

It is no role: the roles neutron and nova-compute have it on their nodes.  Networks of projects are VXLANs
between the nodes, so that they are the same on one node and on several.
"""

from __future__ import annotations

from scripts.roles import keystone, rabbitmq
from scripts.roles.filling import fill
from scripts.targets.seams import Node
from scripts.targets.site import Site

PACKAGES = ("neutron-linuxbridge-agent",)
DAEMON = "neutron-linuxbridge-agent"
UNIT = f"{DAEMON}.service"
NEUTRON = "neutron"
# ebtables-nft cannot delete what matches --among, and the agent would then plug nothing more.
EBTABLES = """\
#!/bin/sh
/usr/sbin/ebtables-nft "$@" && exit
status=$?
case " $* " in *" -D "*" --among-"*) exit 0 ;; esac
exit $status
"""


def write(site: Site, node: Node, *, mappings: str = "", database: str = "") -> None:
    """Lay over what neutron's services and agents read; ``mappings``: a physical network and its bridge here."""
    values = {"queue": rabbitmq.url(site), "database": database, **keystone.client(site, NEUTRON)}
    site.lay_over(node, "/etc/neutron/neutron.conf", fill("neutron.conf.j2", **values))
    site.lay_over(node, "/etc/neutron/plugins/ml2/ml2_conf.ini", fill("ml2_conf.ini.j2", physical_network="external"))
    agent = fill("linuxbridge_agent.ini.j2", address=node.address, bridge_mappings=mappings)
    site.lay_over(node, "/etc/neutron/plugins/ml2/linuxbridge_agent.ini", agent)
    node.write("/usr/local/sbin/ebtables", EBTABLES, 0o755)
