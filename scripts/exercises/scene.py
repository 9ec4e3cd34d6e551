"""The input of an exercise: the deployment, its configuration, and the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lab.base.errors import ConfigurationError
from scripts.drivers.interfaces import Node
from scripts.openstack.cloud import Cloud, connect
from scripts.roles import package
from scripts.services.cloud_settings import Configured
from scripts.services.deployed_state import Deployed, Service


@dataclass(frozen=True)
class Scene:
    deployed: Deployed
    nodes: Mapping[str, Node]
    configured: Configured | None = None

    def role(self, name: str) -> Service:
        """Return the service of a role; with charms, an application of that name can have another role.

        Raises ConfigurationError when the deployment has none.
        """
        called = self.deployed.services.get(name)
        others = [called] if called and called.role != package.NAME else []
        for service in [*(each for each in self.deployed.services.values() if each.role == name), *others]:
            return service
        raise ConfigurationError(f"this exercise needs a {name}, and the deployment has none")

    @property
    def given(self) -> Configured:
        """The configuration of the cloud.  Raises ConfigurationError when it was not configured."""
        if self.configured is None:
            raise ConfigurationError("this exercise needs what the step configure makes", hint="qalab step configure")
        return self.configured

    def cloud(self) -> Cloud:
        """Return the cloud, connected as the user of the exercises."""
        given, settings = self.given, self.role("keystone").settings
        return connect(settings, user=given.user, password=given.password, project=given.project)

    def places(self) -> Iterator[tuple[str, Service, Node]]:
        """Each application on each of its nodes."""
        for name, service in self.deployed.services.items():
            for node in service.nodes:
                yield name, service, self.nodes[node]

    def ailing(self, *roles: str) -> str:
        """Return the first unit of some roles that does not run, with its node; "" when all run."""
        for _, service, node in self.places():
            if service.role in roles and (units := service.units_on(node.name)):
                result = node.run(["systemctl", "is-active", *units], capture=True, check=False)
                for unit, state in zip(units, result.stdout.split(), strict=False):
                    if state != "active":
                        return f"{unit} on {node.name} is {state}"
        return ""
