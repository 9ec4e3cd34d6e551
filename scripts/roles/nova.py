"""nova: servers; its API, metadata, conductor and scheduler.  Where they run is the role ``nova-compute``."""

from __future__ import annotations

from scripts.roles import keystone, mariadb, rabbitmq
from scripts.roles.filling import fill
from scripts.targets.deployed import Service
from scripts.targets.seams import Node
from scripts.targets.site import Site
from scripts.targets.topology import Application

NAME = "nova"
PACKAGES = ("nova-api", "nova-conductor", "nova-scheduler")
SUPPORTING = False
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


def set_up(site: Site, application: Application) -> Service:
    node = site.node_of(application)
    url = f"http://{node.address}:8774"
    databases = {
        "database": mariadb.database(site, NAME, "nova_cell0"),
        "api_database": mariadb.database(site, "nova_api"),
    }
    configure(site, node, **databases)
    for name in ("nova-api", "nova-api-metadata"):
        site.lay_over(node, f"/etc/nova/{name}-uwsgi.ini", fill("uwsgi.ini.j2", threads=1))
    site.enter_into_catalog(application, "compute", f"{url}/v2.1")
    for command in MANAGE:
        site.must(node, application, ["runuser", "-u", NAME, "--", "nova-manage", *command])
    for unit in UNITS:
        site.restart(node, application, unit)
    for unit, where in ((API, url), (METADATA, f"http://{node.address}:8775")):
        site.wait_for_answer(node, application, unit, where)
    site.wait_until_alive(application, "compute", {daemon: [node] for daemon in DAEMONS})
    return site.service(application, UNITS, {"node": node.name, "url": url, "address": node.address})


def configure(site: Site, node: Node, database: str = "", api_database: str = "") -> None:
    """Lay over nova.conf, on a node of the role ``nova-compute`` without databases."""
    text = fill(
        "nova.conf.j2",
        address=node.address,
        database=database,
        api_database=api_database,
        queue=rabbitmq.url(site),
        metadata_secret=site.password("metadata"),
        **keystone.client(site, NAME),
    )
    site.lay_over(node, "/etc/nova/nova.conf", text)
