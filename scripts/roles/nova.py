"""nova: servers; its API, metadata, conductor and scheduler.  Where they run is the role ``nova-compute``."""

from __future__ import annotations

from functools import partial

from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application, Endpoint
from scripts.roles import keystone, mariadb, rabbitmq
from scripts.roles.config_files import fill, uwsgi
from scripts.services import serving, systemd, waiting
from scripts.services.api_server import ApiServer
from scripts.services.concurrency import side_by_side
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "nova"
PACKAGES = ("nova-api", "nova-conductor", "nova-scheduler")
SUPPORTING = False
ENDPOINT = Endpoint("compute", 8774, "/v2.1")
METADATA_PORT = 8775
DAEMONS = ("nova-conductor", "nova-scheduler")
UNITS = tuple(f"{daemon}.service" for daemon in DAEMONS)
# The databases' addresses are read from the configuration.
MANAGE = (
    ["api_db", "sync"],
    ["cell_v2", "map_cell0"],
    ["cell_v2", "create_cell", "--name=cell1"],
    ["db", "sync"],
)  # fmt: skip


def describe(site: Site, application: Application) -> Service:
    node = site.node_of(application)
    units = dict.fromkeys([*(server.unit for server in _servers(site, application)), *UNITS])
    return site.service(application, units, {"node": node.name, "url": site.url(application), "address": node.address})


def configure(site: Site, application: Application) -> None:
    node = site.node_of(application)
    databases = {
        "database": mariadb.database(site, NAME, "nova_cell0"),
        "api_database": mariadb.database(site, "nova_api"),
    }
    write(site, node, **databases)
    for server in _servers(site, application):
        uwsgi(site, application, server, threads=1)
    for command in MANAGE:
        site.must(node, application, ["runuser", "-u", NAME, "--", "nova-manage", *command])


def start(site: Site, application: Application) -> None:
    node = site.node_of(application)
    servers = _servers(site, application)
    side_by_side(
        *(partial(serving.start, site, application, server) for server in dict.fromkeys(servers)),
        *(partial(systemd.restart, node, application, unit) for unit in UNITS),
    )
    for server, port in zip(servers, (ENDPOINT.port, METADATA_PORT), strict=True):
        serving.until_answers(site, application, server, f"http://{node.address}:{port}")
    waiting.until_alive(site, application, ENDPOINT.kind, {daemon: [node] for daemon in DAEMONS})


def _servers(site: Site, application: Application) -> tuple[ApiServer, ApiServer]:
    """Return the servers of the API and of metadata, which can be one daemon."""
    api = site.server(application, ENDPOINT.port, "nova-api")
    return api, site.server(application, METADATA_PORT, "nova-api-metadata", "nova-api")


def write(site: Site, node: Node, database: str = "", api_database: str = "") -> None:
    """Lay over nova.conf; on a node of the role ``nova-compute`` alone, without any database."""
    here = {each.role.NAME for each in site.applications if node.name in each.nodes}
    text = fill(
        "nova.conf.j2",
        address=node.address,
        database=database,
        is_alone=NAME not in here,
        api_database=api_database,
        queue=rabbitmq.url(site),
        metadata_secret=site.passwords.of("metadata"),
        **keystone.client(site, NAME),
    )
    site.files.set_options(node, "/etc/nova/nova.conf", text)
