"""glance: images, in files of its node."""

from __future__ import annotations

from scripts.roles import keystone, mariadb
from scripts.roles.filling import fill
from scripts.targets.deployed import Service
from scripts.targets.site import Site
from scripts.targets.topology import Application

NAME = "glance"
PACKAGES = ("glance",)
SUPPORTING = False
UNIT = "glance-api.service"
# glance-manage reads one of its own.
FILES = ("/etc/glance/glance-api.conf", "/etc/glance/glance-manage.conf")


def set_up(site: Site, application: Application) -> Service:
    node, url = site.node_of(application), f"http://{site.node_of(application).address}:9292"
    text = fill("glance-api.conf.j2", database=mariadb.database(site, NAME), **keystone.client(site, NAME))
    for path in FILES:
        site.lay_over(node, path, text)
    site.enter_into_catalog(application, "image", url)
    site.must(node, application, ["runuser", "-u", "glance", "--", "glance-manage", "db_sync"])
    site.restart(node, application, UNIT)
    site.wait_for_answer(node, application, UNIT, url)
    return site.service(application, [UNIT], {"node": node.name, "url": url})
