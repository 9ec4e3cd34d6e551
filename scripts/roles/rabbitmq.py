"""rabbitmq: the message queue of the others."""

from __future__ import annotations

import json

from scripts.drivers.topology import Application
from scripts.services import systemd
from scripts.services.deployed_state import Service
from scripts.services.site import Site

NAME = "rabbitmq"
PACKAGES = ("rabbitmq-server",)
SUPPORTING = True
ENDPOINT = None
UNIT = "rabbitmq-server.service"
USER = "openstack"
DEFINITIONS = "/etc/rabbitmq/definitions.json"


def describe(site: Site, application: Application) -> Service:
    node = site.node_of(application)
    address = f"rabbit://{USER}:{site.passwords.of(NAME)}@{node.address}:5672/"
    return site.service(application, [UNIT], {"node": node.name, "url": address})


def configure(site: Site, application: Application) -> None:
    node = site.node_of(application)
    node.write(DEFINITIONS, definitions(site.passwords.of(NAME)))
    node.write("/etc/rabbitmq/rabbitmq.conf", f"load_definitions = {DEFINITIONS}\n")


def start(site: Site, application: Application) -> None:
    systemd.restart(site.node_of(application), application, UNIT)  # the unit reports when it is ready


def definitions(password: str) -> str:
    """Return the definition of a user with all permissions: see "definitions" in RabbitMQ's documentation."""
    may = {"configure": ".*", "write": ".*", "read": ".*"}
    made = {
        "vhosts": [{"name": "/"}],
        "users": [{"name": USER, "password": password, "tags": ""}],
        "permissions": [{"user": USER, "vhost": "/", **may}],
    }
    return json.dumps(made)


def url(site: Site) -> str:
    """Return its URL, with the user and the password."""
    return site.provider(NAME).settings["url"]
