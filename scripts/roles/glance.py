"""glance: images, in files of its node."""

from __future__ import annotations

from scripts.drivers.topology import Application, Endpoint
from scripts.roles import keystone, mariadb
from scripts.roles.config_files import fill
from scripts.services import systemd, waiting
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "glance"
PACKAGES = ("glance",)
SUPPORTING = False
ENDPOINT = Endpoint("image", 9292)
UNIT = "glance-api.service"
CONFIGURATION = "/etc/glance/glance-api.conf"
# Debian's glance-manage reads a separate configuration file.
MANAGE = "/etc/glance/glance-manage.conf"


def describe(site: Site, application: Application) -> Service:
    settings = {"node": site.node_of(application).name, "url": site.url(application)}
    return site.service(application, [UNIT], settings)


def configure(site: Site, application: Application) -> None:
    node = site.node_of(application)
    text = fill("glance-api.conf.j2", database=mariadb.database(site, NAME), **keystone.client(site, NAME))
    for path in (CONFIGURATION, MANAGE):
        if path == CONFIGURATION or node.run(["test", "-e", path], check=False):
            site.files.set_options(node, path, text)
    site.must(node, application, ["runuser", "-u", NAME, "--", "glance-manage", "db_sync"])


def start(site: Site, application: Application) -> None:
    node = site.node_of(application)
    systemd.restart(node, application, UNIT)
    waiting.until_answers(site, node, application, UNIT, site.url(application))
