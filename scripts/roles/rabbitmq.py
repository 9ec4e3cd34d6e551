"""rabbitmq: the message queue of the others."""

from __future__ import annotations

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
    site.wait_until_well(node, application, ["rabbitmqctl", "--quiet", "await_startup", "--timeout", "60"])
    node.run(["rabbitmqctl", "--quiet", "add_user", USER], stdin=password.encode())
    node.run(["rabbitmqctl", "--quiet", "set_permissions", USER, ".*", ".*", ".*"])
    url = f"rabbit://{USER}:{password}@{node.address}:5672/"
    return site.service(application, [UNIT], {"node": node.name, "url": url})
