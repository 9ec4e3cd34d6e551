"""neutron: networks; its API and RPC server, and the agents that bridge, route, lease and tell metadata.

Options: ``external_cidr``, the network of floating addresses (172.24.4.0/24 when not said); its first address is
the node's own, on the bridge ``br-ex``.  Whoever reaches the nodes reaches them too: they are routed to this node.
"""

from __future__ import annotations

from ipaddress import ip_network

from scripts.roles import linuxbridge, mariadb, nova
from scripts.roles.filling import fill
from scripts.targets.deployed import Service
from scripts.targets.site import Site
from scripts.targets.topology import Application

NAME = linuxbridge.NEUTRON
AGENTS = ("neutron-dhcp-agent", "neutron-l3-agent", "neutron-metadata-agent")
PACKAGES = ("neutron-api", "neutron-rpc-server", *AGENTS, *linuxbridge.PACKAGES)
SUPPORTING = False
API, RPC = "neutron-api.service", "neutron-rpc-server.service"
PHYSICAL = "external"
BRIDGE = "br-ex"
CIDR = "172.24.4.0/24"
# $1: the bridge, $2: its address.
EXTERNAL = """
ip link show "$1" > /dev/null 2>&1 || ip link add "$1" type bridge
ip address replace "$2" dev "$1"
ip link set "$1" up
echo 1 > /proc/sys/net/ipv4/ip_forward
"""
MIGRATE = ["neutron-db-manage", "--config-file=/etc/neutron/neutron.conf",
           "--config-file=/etc/neutron/plugins/ml2/ml2_conf.ini", "upgrade", "head"]  # fmt: skip


def set_up(site: Site, application: Application) -> Service:
    node = site.node_of(application)
    url = f"http://{node.address}:9696"
    external = ip_network(str(application.options.get("external_cidr", CIDR)))
    gateway = str(next(external.hosts()))
    linuxbridge.configure(site, node, mappings=f"{PHYSICAL}:{BRIDGE}", database=mariadb.database(site, NAME))
    for name in ("dhcp_agent", "l3_agent"):
        site.lay_over(node, f"/etc/neutron/{name}.ini", fill("neutron-agent.ini.j2"))
    metadata = {"nova": site.provider(nova.NAME).settings["address"], "metadata_secret": site.password("metadata")}
    site.lay_over(node, "/etc/neutron/metadata_agent.ini", fill("metadata_agent.ini.j2", **metadata))
    site.lay_over(node, "/etc/neutron/neutron-api-uwsgi.ini", fill("uwsgi.ini.j2", threads=1))
    site.enter_into_catalog(application, "network", url)
    site.must(node, application, ["runuser", "-u", NAME, "--", *MIGRATE])
    node.run(["sh", "-euc", EXTERNAL, "sh", BRIDGE, f"{gateway}/{external.prefixlen}"])
    site.route(str(external), node.address)
    for unit in (API, RPC):
        site.restart(node, application, unit)
    site.wait_for_answer(node, application, API, url)
    agents = [linuxbridge.DAEMON, *AGENTS]
    for agent in agents:
        site.restart(node, application, f"{agent}.service")
    site.wait_until_alive(application, "network", {agent: [node] for agent in agents})
    return site.service(
        application,
        [API, RPC, *(f"{agent}.service" for agent in agents)],
        {
            "node": node.name,
            "url": url,
            "physical_network": PHYSICAL,
            "external_cidr": str(external),
            "external_gateway": gateway,
        },
    )
