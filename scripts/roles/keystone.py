"""keystone: identity; when it runs, all services of the deployment are entered into its catalog."""

from __future__ import annotations

from functools import partial

from scripts.drivers.topology import Application
from scripts.roles import mariadb, memcached
from scripts.roles.config_files import fill, uwsgi
from scripts.services import catalog, serving
from scripts.services.api_server import ApiServer
from scripts.services.concurrency import side_by_side
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "keystone"
PACKAGES = ("keystone", "python3-pymemcache")  # which its cache needs, and the package does not depend on
SUPPORTING = False
ENDPOINT = None
PORT = 5000
REGION = "RegionOne"
ADMIN = "admin"
# The command reads the password, because every user can see a command line.
BOOTSTRAP = 'read -r OS_BOOTSTRAP_PASSWORD; export OS_BOOTSTRAP_PASSWORD; exec keystone-manage bootstrap "$@"'
OWNERS = ("--keystone-user", "keystone", "--keystone-group", "keystone")
PREPARE = (["db_sync"], ["fernet_setup", *OWNERS], ["credential_setup", *OWNERS])


def describe(site: Site, application: Application) -> Service:
    node = site.node_of(application)
    settings = {"node": node.name, "auth_url": f"http://{node.address}:{PORT}/v3", "region": REGION}
    units = [_server(site, application).unit]
    return site.service(application, units, settings | {"user": ADMIN, "password": site.passwords.of(ADMIN)})


def configure(site: Site, application: Application) -> None:
    node = site.node_of(application)
    uwsgi(site, application, _server(site, application), threads=4)
    values = {"database": mariadb.database(site, NAME), "memcached": memcached.address(site)}
    site.files.set_options(node, "/etc/keystone/keystone.conf", fill("keystone.conf.j2", **values))
    side_by_side(*(partial(site.must, node, application, ["keystone-manage", *each]) for each in PREPARE))
    node.run(["chown", "--recursive", "keystone:keystone", "/var/log/keystone"])


def start(site: Site, application: Application) -> None:
    node, settings = site.node_of(application), site.provider(NAME).settings
    serving.start(site, application, _server(site, application))  # it takes as long to begin as this:
    bootstrap = ["sh", "-euc", BOOTSTRAP, "sh", *places(settings["auth_url"])]
    site.must(node, application, bootstrap, stdin=f"{settings['password']}\n".encode())
    serving.until_answers(site, application, _server(site, application), settings["auth_url"])
    catalog.enter(site, application)


def _server(site: Site, application: Application) -> ApiServer:
    return site.server(application, PORT, NAME)


def client(site: Site, name: str) -> dict[str, str]:
    """Return the values with which a service authenticates itself and its users against keystone."""
    settings = site.provider(NAME).settings
    return {
        "auth_url": settings["auth_url"],
        "region": settings["region"],
        "user": name,
        "password": site.passwords.of(name),
        "memcached": memcached.address(site),
    }


def places(url: str) -> list[str]:
    """Return the endpoints that keystone enters into its catalog for itself."""
    return [
        f"--bootstrap-region-id={REGION}",
        *(f"--bootstrap-{each}-url={url}/" for each in ("admin", "internal", "public")),
    ]
