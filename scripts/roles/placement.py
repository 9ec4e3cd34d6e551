"""placement: the inventory of resources and their allocation."""

from __future__ import annotations

from scripts.drivers.topology import Application, Endpoint
from scripts.roles import keystone, mariadb
from scripts.roles.config_files import fill
from scripts.services import systemd, waiting
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "placement"
PACKAGES = ("placement-api",)
SUPPORTING = False
ENDPOINT = Endpoint("placement", 8778)
UNIT = "placement-api.service"


def describe(site: Site, application: Application) -> Service:
    settings = {"node": site.node_of(application).name, "url": site.url(application)}
    return site.service(application, [UNIT], settings)


def configure(site: Site, application: Application) -> None:
    node = site.node_of(application)
    values = {"database": mariadb.database(site, NAME), **keystone.client(site, NAME)}
    site.files.set_options(node, "/etc/placement/placement.conf", fill("placement.conf.j2", **values))
    site.files.set_options(node, "/etc/placement/placement-api-uwsgi.ini", fill("uwsgi.ini.j2", threads=4))
    site.must(node, application, ["runuser", "-u", NAME, "--", "placement-manage", "db", "sync"])


def start(site: Site, application: Application) -> None:
    node = site.node_of(application)
    systemd.restart(node, application, UNIT)
    waiting.until_answers(site, node, application, UNIT, site.url(application))
