"""The working environment of a role: the nodes, the other applications, and their shared values.

Operations on services are in `scripts.services.systemd`, `scripts.services.waiting` and `scripts.services.catalog`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Unpack

from lab.base.clock import Clock
from lab.base.errors import ConfigurationError
from lab.base.run import COMPLAINT, AttemptOptions, Runner, TimedOut, Word, last_words
from scripts.drivers.interfaces import Node
from scripts.drivers.topology import Application
from scripts.services import api_server, units
from scripts.services.api_server import ApiServer
from scripts.services.concurrency import Cancellation
from scripts.services.deployed_state import Service
from scripts.services.node_files import NodeFiles
from scripts.services.passwords import Passwords
from scripts.services.units import Units


@dataclass(frozen=True)
class Site:
    """A deployment in progress; ``beside`` runs a program where it can reach the nodes, ``say`` writes to the log.

    ``recommends``: whether recommended packages belong to applications.
    """

    nodes: Mapping[str, Node]
    beside: Runner
    route: Callable[[str, str], None]
    applications: tuple[Application, ...] = ()
    relations: tuple[tuple[str, str], ...] = ()
    services: dict[str, Service] = field(default_factory=dict)
    passwords: Passwords = field(default_factory=Passwords)
    files: NodeFiles = field(default_factory=NodeFiles)
    cancellation: Cancellation = field(default_factory=Cancellation)
    clock: Clock = field(default_factory=Clock)
    say: Callable[[str], None] = lambda _: None
    recommends: bool = False
    found: dict[tuple[str, str], Units] = field(default_factory=dict)
    servers: dict[tuple[str, int], ApiServer] = field(default_factory=dict)

    def nodes_of(self, application: Application) -> list[Node]:
        return [self.nodes[name] for name in application.nodes]

    def node_of(self, application: Application) -> Node:
        """Return the node of an application that runs on one.

        Raises ConfigurationError when lab.yaml names several.
        """
        if len(application.nodes) != 1:
            where = f"deployment.applications.{application.name}.to"
            raise ConfigurationError(f"{where}: {application.role.NAME} runs on one node, not on several")
        return self.nodes[application.nodes[0]]

    def provider(self, role: str) -> Service:
        """Return the service of a role.  Raises ConfigurationError when the deployment has none."""
        for service in self.services.values():
            if service.role == role:
                return service
        hint = f"such as {role}: {{role: {role}}}"
        raise ConfigurationError(f"deployment.applications: no {role}, which others need", hint=hint)

    def url(self, application: Application) -> str:
        """Return the URL of an application that has an endpoint."""
        endpoint = application.role.ENDPOINT
        assert endpoint  # noqa: S101 - only roles with an endpoint ask
        return f"http://{self.node_of(application).address}:{endpoint.port}"

    def service(
        self, application: Application, units: Iterable[str] = (), settings: Mapping[str, str] | None = None
    ) -> Service:
        """Describe an application for the others."""
        return Service(
            role=application.role.NAME,
            supporting=application.supporting,
            nodes=application.nodes,
            packages=application.packages,
            units=tuple(units),
            options=dict(application.options),
            settings=dict(settings or {}),
        )

    def units(self, node: Node, application: Application) -> Units:
        """Return the units of an application's packages on a node; the first call queries the node."""
        key = node.name, application.name
        if key not in self.found:
            others = {
                name
                for other in self.applications
                if other != application and node.name in other.nodes
                for name in other.packages
            }
            apart = others - {*application.packages}
            self.found[key] = units.enabled(node, application.packages, apart, recommends=self.recommends)
        return self.found[key]

    def forget_units(self, node: Node, application: Application) -> None:
        """Have `units` query the node again: a script can have enabled others."""
        self.found.pop((node.name, application.name), None)

    def server(self, application: Application, port: int, *names: str) -> ApiServer:
        """Return what serves a port of an application; the first call queries the node.  See `api_server.ask`."""
        node = self.node_of(application)
        key = node.name, port
        if key not in self.servers:
            self.servers[key] = api_server.ask(node, application, port, names)
        return self.servers[key]

    def must(
        self, node: Node, application: Application, argv: Sequence[Word], **options: Unpack[AttemptOptions]
    ) -> None:
        """Run a program of an application.  Raises the application's fault when it fails."""
        self.cancellation.check()
        what = shlex.join(map(str, argv[:2]))
        options = {"timeout": application.minutes * 60, **options}
        try:
            result, lines = node.attempt(argv, **options)
        except TimedOut:
            raise application.fault(f"{what} has not ended within {application.minutes:g} min on {node.name}") from None
        if not result:
            why = last_words([*filter(COMPLAINT.search, lines)] or lines) or "it said nothing"
            raise application.fault(f"{what} ended with status {result.returncode}: {why}")
