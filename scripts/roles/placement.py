"""placement: the inventory of resources and their allocation."""

from __future__ import annotations

from scripts.drivers.topology import Application, Endpoint
from scripts.roles import keystone, mariadb
from scripts.roles.config_files import fill, uwsgi
from scripts.services import serving
from scripts.services.api_server import ApiServer
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "placement"
PACKAGES = ("placement-api",)
SUPPORTING = False
ENDPOINT = Endpoint("placement", 8778)


def describe(site: Site, application: Application) -> Service:
    settings = {"node": site.node_of(application).name, "url": site.url(application)}
    return site.service(application, [_server(site, application).unit], settings)


def configure(site: Site, application: Application) -> None:
    node = site.node_of(application)
    values = {"database": mariadb.database(site, NAME), **keystone.client(site, NAME)}
    site.files.set_options(node, "/etc/placement/placement.conf", fill("placement.conf.j2", **values))
    uwsgi(site, application, _server(site, application), threads=4)
    site.must(node, application, ["runuser", "-u", NAME, "--", "placement-manage", "db", "sync"])


def start(site: Site, application: Application) -> None:
    server = _server(site, application)
    serving.start(site, application, server)
    serving.until_answers(site, application, server, site.url(application))


def _server(site: Site, application: Application) -> ApiServer:
    return site.server(application, ENDPOINT.port, "placement-api")
