"""keystone: identity; it is set up first, and the others are entered into its catalog."""

from __future__ import annotations

from scripts.roles import mariadb, memcached
from scripts.roles.filling import fill
from scripts.targets.deployed import Service
from scripts.targets.site import Site
from scripts.targets.topology import Application

NAME = "keystone"
PACKAGES = ("keystone", "python3-pymemcache")  # which its cache needs, and the package does not depend on
SUPPORTING = False
UNIT = "keystone.service"
REGION = "RegionOne"
ADMIN = "admin"
# The password is read: a command line is for everybody to see.
BOOTSTRAP = 'read -r OS_BOOTSTRAP_PASSWORD; export OS_BOOTSTRAP_PASSWORD; exec keystone-manage bootstrap "$@"'
OWNERS = ("--keystone-user", "keystone", "--keystone-group", "keystone")


def set_up(site: Site, application: Application) -> Service:
    node, password = site.node_of(application), site.password("admin")
    url = f"http://{node.address}:5000/v3"
    site.lay_over(node, "/etc/keystone/keystone-uwsgi.ini", fill("uwsgi.ini.j2", threads=4))
    values = {"database": mariadb.database(site, NAME), "memcached": memcached.address(site)}
    site.lay_over(node, "/etc/keystone/keystone.conf", fill("keystone.conf.j2", **values))
    for command in (["db_sync"], ["fernet_setup", *OWNERS], ["credential_setup", *OWNERS]):
        site.must(node, application, ["keystone-manage", *command])
    site.must(node, application, ["sh", "-euc", BOOTSTRAP, "sh", *places(url)], stdin=f"{password}\n".encode())
    node.run(["chown", "--recursive", "keystone:keystone", "/var/log/keystone"])
    site.restart(node, application, UNIT)
    site.wait_for_answer(node, application, UNIT, url)
    return site.service(
        application, [UNIT], {"node": node.name, "auth_url": url, "user": ADMIN, "password": password, "region": REGION}
    )


def client(site: Site, name: str) -> dict[str, str]:
    """What the templates of a service need, so that it can ask keystone who somebody is, and say who it is itself."""
    settings = site.provider(NAME).settings
    return {
        "auth_url": settings["auth_url"],
        "region": settings["region"],
        "user": name,
        "password": site.password(name),
        "memcached": memcached.address(site),
    }


def places(url: str) -> list[str]:
    """Where keystone enters itself into its catalog."""
    return [
        f"--bootstrap-region-id={REGION}",
        *(f"--bootstrap-{each}-url={url}/" for each in ("admin", "internal", "public")),
    ]
