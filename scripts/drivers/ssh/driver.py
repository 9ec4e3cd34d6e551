"""ssh: nodes are existing machines, which a command of lab.yaml restores to pristine.

All tracks of a lab share the machines, and one environment at a time uses them (see
`scripts.deployment.environments`).  The driver records an environment before it touches a machine: the next
environment ends whatever a killed process leaves.

::

    ENVIRONMENT/machines.json     its machines and their addresses, once it is complete
    ENVIRONMENT/NODE.socket       the connection, see `scripts.drivers.ssh.connection`
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Unpack
from urllib.parse import urlsplit

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import Result, RunOptions, Word, missing_program, run
from lab.config.deployment import Deployment, Machines
from lab.config.description import Lab
from lab.store.records import Stored, rfc3339
from scripts.archives.serving import served
from scripts.chroots.bootstrap import Repository
from scripts.drivers import node_logs
from scripts.drivers.interfaces import Node, Pristine, PristineSnapshot
from scripts.drivers.ssh import restore
from scripts.drivers.ssh.connection import SshMachine

NAME = "ssh"
SHARED = True
NOTE = "machines.json"


class SshEnvironment(Stored):
    """The recorded state of an environment."""

    created: str
    machines: Mapping[str, str]
    """Logins by name of all that are to be restored, what another environment had of them too."""
    addresses: Mapping[str, str] = {}
    """Of its nodes, by name; none while it is not whole."""
    identity: str | None = None
    known_hosts: str | None = None
    routes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RestoredPristine:
    """The state that the command of lab.yaml restores."""

    machines: Machines

    @property
    def facts(self) -> dict[str, Any]:
        return {"hosts": list(self.machines.hosts)}


@dataclass(frozen=True)
class SshTarget:
    """One environment; ``home`` is its directory, next to those of the lab's other tracks."""

    home: Path
    log: IO[str] | None = None
    settings: Deployment | None = None

    @property
    def machines(self) -> Machines:
        """Raises ConfigurationError where lab.yaml names none."""
        if self.settings is None or self.settings.ssh is None:
            raise ConfigurationError("deployment.ssh: missing", hint="the hosts, and what restores them")
        return self.settings.ssh

    def archive(self, lab: Lab, suite: str) -> AbstractContextManager[Repository | None]:
        return served(lab, suite)

    @contextmanager
    def prepare(self, pristine: Pristine) -> Iterator[RestoredPristine]:  # noqa: ARG002 - machines bring their own system
        if not environment.find_program("ssh"):
            raise missing_program("ssh")
        yield RestoredPristine(self.machines)

    def create(self, snapshot: PristineSnapshot, names: Sequence[str]) -> list[Node]:
        assert isinstance(snapshot, RestoredPristine)  # noqa: S101 - it is one of ours
        how = snapshot.machines
        others = [replace(self, home=path.parent) for path in self.home.parent.glob(f"*/{NOTE}")]
        had = [noted for other in others if (noted := other.noted())]
        self.forget(keep=NOTE)
        noted = SshEnvironment(
            created=rfc3339(environment.now()),
            machines={name: login for noted in had for name, login in noted.machines.items()}
            | {name: how.hosts[int(name.removeprefix("node"))] for name in names},
            identity=how.identity,
            known_hosts=how.known_hosts,
        )
        self._note(noted)
        for other in others:
            if other.home != self.home:
                other.forget()
        return self._made(noted, names)

    def nodes(self) -> list[Node]:
        noted = self.noted()
        return [*self._machines(noted, noted.addresses)] if noted else []

    def reaching(self, nodes: Sequence[Node], repository: Repository | None) -> Sequence[Node]:
        port = served_at(repository.url) if repository else 0
        forwards = (f"{port}:127.0.0.1:{port}",) if port else ()
        return [replace(node, forwards=forwards) if isinstance(node, SshMachine) else node for node in nodes]

    def collect_logs(self, into: Path) -> None:
        node_logs.collect(self.nodes(), into)

    def beside(self, argv: Sequence[Word], **options: Unpack[RunOptions]) -> Result:
        own: RunOptions = {"log": self.log, **options}
        return run(argv, **own)

    def route(self, network: str, via: str) -> None:
        if noted := self.noted():
            self._note(noted.model_copy(update={"routes": (*noted.routes, network)}))
        self.beside(["ip", "route", "replace", network, "via", via])

    def reset(self) -> list[Node]:
        noted = self.noted()
        if noted is None or not noted.addresses:
            raise InfrastructureError(f"{self.home.name}: there is no such environment, or it is not whole")
        self._note(noted.model_copy(update={"addresses": {}}))
        return self._made(noted, [*noted.addresses])

    def destroy(self) -> bool:
        exists = self.home.exists()
        if noted := self.noted():
            self._note(noted := noted.model_copy(update={"addresses": {}}))
            self._restore(noted)
        self.forget()
        return exists

    def noted(self) -> SshEnvironment | None:
        """Return the recorded state of this environment; None when it does not exist."""
        path = self.home / NOTE
        return SshEnvironment.read(path) if path.exists() else None

    def forget(self, keep: str = "") -> None:
        """Leave nothing of this environment on this machine, but one file perhaps."""
        if noted := self.noted():
            for node in self._machines(noted, noted.machines):
                node.hang_up()
            for network in noted.routes:
                self.beside(["ip", "route", "delete", network], check=False)
        for path in [*self.home.iterdir()] if self.home.exists() else []:
            if path.name != keep:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if self.home.exists() and not keep:
            self.home.rmdir()

    def _note(self, noted: SshEnvironment) -> None:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)  # the deployment has passwords
        noted.write(self.home / NOTE)

    @property
    def _whose(self) -> str:
        return f"{self.home.parent.parent.name}/{self.home.name}"

    def _machines(self, noted: SshEnvironment, names: Iterable[str]) -> list[SshMachine]:
        return [
            SshMachine(
                self.home,
                name,
                noted.machines[name],
                noted.addresses.get(name, ""),
                noted.identity,
                noted.known_hosts,
                self.log,
            )
            for name in names
        ]

    def _restore(self, noted: SshEnvironment) -> None:
        restore.restore(self._machines(noted, noted.machines), self.machines, self.log, self._whose)

    def _made(self, noted: SshEnvironment, names: Sequence[str]) -> list[Node]:
        """Restore all that is noted, and make nodes of some."""
        self._restore(noted)
        found = {node.name: address_of(node.real_host) for node in self._machines(noted, names)}
        whole = noted.model_copy(
            update={"machines": {name: noted.machines[name] for name in names}, "addresses": found}
        )
        nodes = self._machines(whole, names)
        restore.prepare(nodes, self._whose)
        self._note(whole)
        return [*nodes]


def served_at(url: str) -> int:
    """Return the port of a URL on this machine's loopback interface; 0 for any other host."""
    parts = urlsplit(url)
    return parts.port or 0 if parts.hostname == "127.0.0.1" else 0


def address_of(host: str) -> str:
    """Return the IPv4 address of a host.  Raises InfrastructureError when it has none."""
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET)[0][4][0])
    except socket.gaierror as error:
        raise InfrastructureError(f"{host}: no address of it is known: {error.strerror}") from None


def target(home: Path, log: IO[str] | None = None, lab: Lab | None = None) -> SshTarget:
    """Return the environment whose directory is ``home``, whether it exists or not."""
    return SshTarget(home, log, lab.deployment if lab else None)
