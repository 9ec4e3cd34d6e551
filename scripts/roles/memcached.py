"""memcached: a cache for tokens; those who find one use it."""

from __future__ import annotations

from scripts.drivers.topology import Application
from scripts.services import systemd, waiting
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "memcached"
PACKAGES = ("memcached",)
SUPPORTING = True
ENDPOINT = None
UNIT = "memcached.service"
CONFIGURATION = "-d\nlogfile /var/log/memcached.log\n-m 64\n-p 11211\n-u memcache\n-l 0.0.0.0\n"
ASK = "exec 3<>/dev/tcp/127.0.0.1/11211; echo version >&3; read -r -t 2 answer <&3; [[ $answer == VERSION* ]]"


def describe(site: Site, application: Application) -> Service:
    node = site.node_of(application)
    return site.service(application, [UNIT], {"node": node.name, "address": f"{node.address}:11211"})


def configure(site: Site, application: Application) -> None:
    site.node_of(application).write("/etc/memcached.conf", CONFIGURATION)


def start(site: Site, application: Application) -> None:
    node = site.node_of(application)
    systemd.restart(node, application, UNIT)
    waiting.until_succeeds(site, node, application, ["bash", "-c", ASK])


def address(site: Site) -> str:
    """Return its address; "" when none is deployed."""
    return next((each.settings["address"] for each in site.services.values() if each.role == NAME), "")
