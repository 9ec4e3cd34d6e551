"""nova: servers; its API, metadata, conductor and scheduler.  Where they run is the role ``nova-compute``."""

from __future__ import annotations

from functools import partial

from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application, Endpoint
from scripts.roles import keystone, mariadb, rabbitmq
from scripts.roles.config_files import fill
from scripts.services import systemd, waiting
from scripts.services.concurrency import side_by_side
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "nova"
PACKAGES = ("nova-api", "nova-conductor", "nova-scheduler")
SUPPORTING = False
ENDPOINT = Endpoint("compute", 8774, "/v2.1")
METADATA_PORT = 8775
API, METADATA = "nova-api.service", "nova-api-metadata.service"
DAEMONS = ("nova-conductor", "nova-scheduler")
UNITS = (API, METADATA, *(f"{daemon}.service" for daemon in DAEMONS))
# The databases' addresses are read from the configuration.
MANAGE = (
    ["api_db", "sync"],
    ["cell_v2", "map_cell0"],
    ["cell_v2", "create_cell", "--name=cell1"],
    ["db", "sync"],
)  # fmt: skip


def describe(site: Site, application: Application) -> Service:
    node = site.node_of(application)
    return site.service(application, UNITS, {"node": node.name, "url": site.url(application), "address": node.address})


def configure(site: Site, application: Application) -> None:
    node = site.node_of(application)
    databases = {
        "database": mariadb.database(site, NAME, "nova_cell0"),
        "api_database": mariadb.database(site, "nova_api"),
    }
    write(site, node, **databases)
    for name in ("nova-api", "nova-api-metadata"):
        site.files.set_options(node, f"/etc/nova/{name}-uwsgi.ini", fill("uwsgi.ini.j2", threads=1))
    for command in MANAGE:
        site.must(node, application, ["runuser", "-u", NAME, "--", "nova-manage", *command])


def start(site: Site, application: Application) -> None:
    node = site.node_of(application)
    side_by_side(*(partial(systemd.restart, node, application, unit) for unit in UNITS))
    for unit, port in ((API, ENDPOINT.port), (METADATA, METADATA_PORT)):
        waiting.until_answers(site, node, application, unit, f"http://{node.address}:{port}")
    waiting.until_alive(site, application, ENDPOINT.kind, {daemon: [node] for daemon in DAEMONS})


def write(site: Site, node: Node, database: str = "", api_database: str = "") -> None:
    """Lay over nova.conf, on a node of the role ``nova-compute`` without databases."""
    text = fill(
        "nova.conf.j2",
        address=node.address,
        database=database,
        api_database=api_database,
        queue=rabbitmq.url(site),
        metadata_secret=site.passwords.of("metadata"),
        **keystone.client(site, NAME),
    )
    site.files.set_options(node, "/etc/nova/nova.conf", text)
