"""neutron: networks; its API and RPC server, and the agents for switching, routing, DHCP and metadata.

Options: ``external_cidr``, the network of floating addresses (default 172.24.4.0/24); its first address is the node's
own, on the bridge ``br-ex``.  Clients that reach the nodes reach this network too: it is routed to this node.
``mechanism``: ``openvswitch`` (default), the agents of neutron, or ``ovn``, which also routes and serves DHCP.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from lab.base.errors import ConfigurationError
from lab.config.application_options import Options, choice
from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application, Endpoint
from scripts.roles import mariadb, nova, openvswitch, ovn
from scripts.roles.config_files import fill, uwsgi
from scripts.services import serving, systemd, waiting
from scripts.services.api_server import ApiServer
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = openvswitch.NEUTRON
AGENTS = (openvswitch.DAEMON, "neutron-dhcp-agent", "neutron-l3-agent", "neutron-metadata-agent")
SERVERS = ("neutron-api", "neutron-rpc-server")
PACKAGES = (*SERVERS, *openvswitch.PACKAGES, *AGENTS[1:])  # see also `scripts.roles.role_packages`
SUPPORTING = False
ENDPOINT = Endpoint("network", 9696)
# Beside a server of the API alone; neutron-server, which some versions have instead, is all of them.
WORKERS = ("neutron-rpc-server.service", "neutron-periodic-workers.service", "neutron-ovn-maintenance-worker.service")
OVN = "ovn"
MECHANISMS = ("openvswitch", OVN)
PHYSICAL, _, BRIDGE = openvswitch.EXTERNAL.partition(":")
CIDR = "172.24.4.0/24"
LONGEST_PREFIX = 29
# $1: the bridge, $2: its address.
EXTERNAL = """
ovs-vsctl add-br "$1" -- set bridge "$1" datapath_type=netdev
ip address add "$2" dev "$1"
ip link set "$1" up
echo 1 > /proc/sys/net/ipv4/ip_forward
"""
MIGRATE = ["neutron-db-manage", "--config-file=/etc/neutron/neutron.conf",
           "--config-file=/etc/neutron/plugins/ml2/ml2_conf.ini", "upgrade", "head"]  # fmt: skip


def describe(site: Site, application: Application) -> Service:
    node, (network, gateway) = site.node_of(application), external(application)
    settings = {
        "node": node.name,
        "url": site.url(application),
        "physical_network": PHYSICAL,
        "external_cidr": str(network),
        "external_gateway": gateway,
    }
    units = [
        _server(site, application).unit,
        *_workers(site, application),
        *(ovn.CENTRAL_UNITS if is_ovn(application) else ()),
        openvswitch.SWITCH,
        *(f"{agent}.service" for agent in _agents(application)),
    ]
    return site.service(application, units, settings)


def configure(site: Site, application: Application) -> None:
    node = site.node_of(application)
    central = node.address if is_ovn(application) else ""
    openvswitch.write_neutron(site, node, database=mariadb.database(site, NAME), ovn=central)
    if central:
        ovn.write(site, node, central)
    else:
        _write_agents(site, node)
    uwsgi(site, application, _server(site, application), threads=1, start_time=bool(central))
    site.must(node, application, ["runuser", "-u", NAME, "--", *MIGRATE])


def start(site: Site, application: Application) -> None:
    node, (network, gateway) = site.node_of(application), external(application)
    if is_ovn(application):
        ovn.start_central(site, node, application)
        ovn.start(site, node, application, node.address)
    else:
        openvswitch.start(site, node, application)
    site.must(node, application, ["sh", "-euc", EXTERNAL, "sh", BRIDGE, f"{gateway}/{network.prefixlen}"])
    site.route(str(network), node.address)
    server = _server(site, application)
    serving.start(site, application, server)
    for unit in _workers(site, application):
        systemd.restart(node, application, unit)
    serving.until_answers(site, application, server, site.url(application))
    if not is_ovn(application):
        for agent in AGENTS:
            systemd.restart(node, application, f"{agent}.service")
    waiting.until_alive(site, application, ENDPOINT.kind, {agent: [node] for agent in _agents(application)})


def is_ovn(application: Application) -> bool:
    """Return whether OVN switches, and not Open vSwitch's agents.  Raises ConfigurationError for another word."""
    return bool(_option(application, "mechanism", MECHANISMS[0]) == OVN)


def _option(application: Application, name: str, default: str) -> Any:
    value = application.options.get(name, default)
    if fault := OPTIONS[name](value):
        raise ConfigurationError(f"deployment.applications.{application.name}.options.{name}: {fault}")
    return value


def _agents(application: Application) -> tuple[str, ...]:
    return ovn.DAEMONS if is_ovn(application) else AGENTS


def _write_agents(site: Site, node: Node) -> None:
    """Write the configuration of neutron's own agents."""
    openvswitch.write(site, node, is_router=True)
    for name in ("dhcp_agent", "l3_agent"):
        site.files.set_options(node, f"/etc/neutron/{name}.ini", fill("neutron-agent.ini.j2"))
    metadata = {"nova": site.provider(nova.NAME).settings["address"], "metadata_secret": site.passwords.of("metadata")}
    site.files.set_options(node, "/etc/neutron/metadata_agent.ini", fill("metadata_agent.ini.j2", **metadata))


def _server(site: Site, application: Application) -> ApiServer:
    return site.server(application, ENDPOINT.port, "neutron-api", "neutron-server")


def _workers(site: Site, application: Application) -> list[str]:
    """Return the units of the workers that the node has."""
    if _server(site, application).unit == "neutron-server.service":
        return []
    loaded = systemd.states(site.node_of(application), WORKERS)
    return [unit for unit, state in loaded.items() if state["LoadState"] not in {"not-found", "masked"}]


def external(application: Application) -> tuple[IPv4Network, str]:
    """Return the network of floating addresses and the node's address in it.  Raises ConfigurationError when invalid."""
    network = IPv4Network(_option(application, "external_cidr", CIDR))
    return network, str(next(network.hosts()))


def _network_fault(value: object) -> str:
    try:
        network = IPv4Network(str(value))
    except ValueError as error:
        return f"{error}; such as {CIDR}"
    return "" if network.prefixlen <= LONGEST_PREFIX else f"too small for floating addresses: {value}; such as {CIDR}"


OPTIONS: Options = {"external_cidr": _network_fault, "mechanism": choice(*MECHANISMS)}
