"""rabbitmq: the message queue of the others."""

from __future__ import annotations

import json

from scripts.targets.deployed import Service
from scripts.targets.site import Site
from scripts.targets.topology import Application

NAME = "rabbitmq"
PACKAGES = ("rabbitmq-server",)
SUPPORTING = True
UNIT = "rabbitmq-server.service"
USER = "openstack"


def set_up(site: Site, application: Application) -> Service:
    node, password = site.node_of(application), site.password("message queue")
    site.ensure(node, application, UNIT)
    # One call: each is a virtual machine of its own that has to begin.
    site.must(node, application, ["rabbitmqctl", "--quiet", "import_definitions"], stdin=definitions(password).encode())
    address = f"rabbit://{USER}:{password}@{node.address}:5672/"
    return site.service(application, [UNIT], {"node": node.name, "url": address})


def definitions(password: str) -> str:
    """A user who may do everything, as rabbitmqctl(8) imports it."""
    may = {"configure": ".*", "write": ".*", "read": ".*"}
    made = {
        "users": [{"name": USER, "password": password, "tags": ""}],
        "permissions": [{"user": USER, "vhost": "/", **may}],
    }
    return json.dumps(made)


def url(site: Site) -> str:
    """Where it is, and as whom one is let in."""
    return site.provider(NAME).settings["url"]
