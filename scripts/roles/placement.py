"""placement: how much of what there is where, and who has it."""

from __future__ import annotations

from scripts.roles import keystone, mariadb
from scripts.roles.filling import fill
from scripts.targets.deployed import Service
from scripts.targets.site import Site
from scripts.targets.topology import Application

NAME = "placement"
PACKAGES = ("placement-api",)
SUPPORTING = False
UNIT = "placement-api.service"


def set_up(site: Site, application: Application) -> Service:
    node = site.node_of(application)
    url = f"http://{node.address}:8778"
    values = {"database": mariadb.database(site, NAME), **keystone.client(site, NAME)}
    site.lay_over(node, "/etc/placement/placement.conf", fill("placement.conf.j2", **values))
    site.lay_over(node, "/etc/placement/placement-api-uwsgi.ini", fill("uwsgi.ini.j2", threads=4))
    site.enter_into_catalog(application, "placement", url)
    site.must(node, application, ["runuser", "-u", NAME, "--", "placement-manage", "db", "sync"])
    site.restart(node, application, UNIT)
    site.wait_for_answer(node, application, UNIT, url)
    return site.service(application, [UNIT], {"node": node.name, "url": url})
