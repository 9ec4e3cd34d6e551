"""mariadb: the database of the other applications, with a separate user for each."""

from __future__ import annotations

from scripts.drivers.topology import Application
from scripts.roles.config_files import fill
from scripts.services import systemd, waiting
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "mariadb"
PACKAGES = ("mariadb-server",)
SUPPORTING = True
ENDPOINT = None
UNIT = "mariadb.service"
ASK = ["mariadb", "--execute=select 1"]


def describe(site: Site, application: Application) -> Service:
    node = site.node_of(application)
    return site.service(application, [UNIT], {"node": node.name, "address": node.address})


def configure(site: Site, application: Application) -> None:
    site.node_of(application).write("/etc/mysql/mariadb.conf.d/99-lab.cnf", fill("mariadb.cnf.j2"))


def start(site: Site, application: Application) -> None:
    node = site.node_of(application)
    systemd.restart(node, application, UNIT)
    waiting.until_succeeds(site, node, application, ASK)


def database(site: Site, name: str, *more: str) -> str:
    """Create an empty database and return its URL; ``more``: further databases for the same user."""
    server, password = site.provider(NAME), site.passwords.of(f"database {name}")
    made = "".join(
        f"create database {each} character set utf8mb4; grant all on {each}.* to '{name}'@'%';"
        for each in (name, *more)
    )
    statements = f"create user '{name}'@'%' identified by '{password}'; {made}"
    site.nodes[server.settings["node"]].run(["mariadb"], stdin=statements.encode())
    return f"mysql+pymysql://{name}:{password}@{server.settings['address']}/{name}?charset=utf8mb4"
