"""What a role works with: the nodes, what there is beside it, and how services are started and asked after.

A service is well when it says so.  One that starts and dies is found by its state while it is looked at, and
told with the line of its journal that says most.
"""

from __future__ import annotations

import json
import secrets
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

from lab.clock import Clock
from lab.errors import Aborted, ConfigurationError
from lab.run import COMPLAINT, LONGEST, Result, TimedOut, Word
from scripts.roles.filling import lay_over
from scripts.targets import journals
from scripts.targets.deployed import Service
from scripts.targets.seams import Node
from scripts.targets.topology import Application, Endpoint

UNIT_DIRECTORY = "/lib/systemd/system/"
# How long a service that has started is looked at before it is believed.
WATCH_SECONDS = 1.5
PATIENCE_SECONDS = 60
# That of those who start side by side with all of a cloud, on a machine with other work.
CROWDED_SECONDS = 180
HOUSE = Path(__file__).parent.parent.parent
PROGRAM = (sys.executable, "-m", "scripts.roles")
LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Site:
    """A deployment while it is made; ``beside`` runs a program from where the nodes can be reached."""

    nodes: Mapping[str, Node]
    beside: Callable[..., Result]
    route: Callable[[str, str], None]
    applications: tuple[Application, ...] = ()
    services: dict[str, Service] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    locks: dict[tuple[str, str], Lock] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    stopping: Event = field(default_factory=Event)
    """Set when somebody else has failed: nothing more is to be begun, and nobody to be waited for."""

    def nodes_of(self, application: Application) -> list[Node]:
        return [self.nodes[name] for name in application.nodes]

    def node_of(self, application: Application) -> Node:
        """The node of an application that runs on one.  Raises ConfigurationError when lab.yaml names several."""
        if len(application.nodes) != 1:
            where = f"lab.yaml: deployment.applications.{application.name}.to"
            raise ConfigurationError(f"{where}: {application.role.NAME} runs on one node, not on several")
        return self.nodes[application.nodes[0]]

    def provider(self, role: str) -> Service:
        """The service of a role.  Raises ConfigurationError when the deployment has none."""
        for service in self.services.values():
            if service.role == role:
                return service
        hint = f"such as {role}: {{role: {role}}}"
        raise ConfigurationError(f"lab.yaml: deployment.applications: no {role}, which others need", hint=hint)

    def password(self, of: str) -> str:
        """A password, the same for the same use."""
        return self.passwords.setdefault(of, secrets.token_hex(16))

    def lay_over(self, node: Node, path: str, text: str) -> None:
        """Set options in an INI file that a package has brought; who shares it with others waits for them."""
        with self.locks.setdefault((node.name, path), Lock()):
            node.write(path, lay_over(node.read(path), text))

    def must(self, node: Node, application: Application, argv: Sequence[Word], **options: Any) -> None:
        """Run a program of an application.  Raises the application's fault when it fails."""
        self.go_on()
        result, lines = node.attempt(argv, **options)
        if not result:
            telling = [line.strip() for line in lines if COMPLAINT.search(line)] or lines or ["it said nothing"]
            what = shlex.join(map(str, argv[:2]))
            raise application.fault(f"{what} ended with status {result.returncode}: {telling[-1][:LONGEST]}")

    def side_by_side(self, *parts: Callable[[], object]) -> None:
        """Do what does not depend on each other.  Raises what the first of them raises that fails."""
        with ThreadPoolExecutor(len(parts)) as pool:
            for future in [pool.submit(part) for part in parts]:
                future.result()

    def go_on(self) -> None:
        """Raise Aborted when somebody else has failed."""
        if self.stopping.is_set():
            raise Aborted("somebody else has failed")

    def enter_into_catalog(self, application: Application) -> None:
        """Have keystone know all services of the deployment.  Raises keystone's fault when it does not want to."""
        services = [
            {
                "name": each.role.NAME,
                "kind": endpoint.kind,
                "url": f"{self.url(each)}{endpoint.path}",
                "password": self.password(each.role.NAME),
            }
            for each in self.applications
            if (endpoint := getattr(each.role, "ENDPOINT", None))
        ]
        if why := self._asked("enter", services=services):
            raise application.fault(f"does not enter services into its catalog: {why}")

    def url(self, application: Application) -> str:
        """Where an application with an endpoint is."""
        endpoint: Endpoint = vars(application.role)["ENDPOINT"]
        return f"http://{self.node_of(application).address}:{endpoint.port}"

    def wait_until_alive(self, application: Application, kind: str, daemons: Mapping[str, Sequence[Node]]) -> None:
        """Wait until an API (of a ``kind``, see `scripts.roles.__main__.LISTED`) lists daemons as alive on nodes.

        Raises the application's fault when one dies, or is not in time.
        """
        units = [(node, f"{daemon}.service") for daemon, nodes in daemons.items() for node in nodes]
        wanted = {daemon: [node.name for node in nodes] for daemon, nodes in daemons.items()}
        self._wait(application, units, lambda: self._asked("alive", kind=kind, wanted=wanted))

    def _asked(self, verb: str, **what: Any) -> str:
        """Ask something of the cloud; "" when all is well, else why not."""
        settings = dict(self.provider("keystone").settings)
        told = json.dumps({"settings": settings, **what}).encode()
        result = self.beside([*PROGRAM, verb], cwd=HOUSE, stdin=told, capture=True, check=False)
        return "" if result else result.stdout.strip() or f"status {result.returncode}"

    def wait_for_answer(self, node: Node, application: Application, unit: str, url: str) -> None:
        """Wait until a service answers.  Raises the application's fault when it dies, or does not in time."""

        def ask() -> str:
            result = self.beside([*PROGRAM, "answer", url, "5"], cwd=HOUSE, capture=True, check=False)
            return "" if result else f"{url}: {result.stdout.strip()}"

        self._wait(application, [(node, unit)], ask)

    def _wait(self, application: Application, units: Sequence[tuple[Node, str]], ask: Callable[[], str]) -> None:
        """Ask until there is nothing to complain of, and see that units stay meanwhile."""
        last = self.clock.monotonic() + CROWDED_SECONDS
        before = [self.state(node, unit)["NRestarts"] for node, unit in units]
        while why := ask():
            self.go_on()
            for (node, unit), restarts in zip(units, before, strict=True):
                self._see(node, application, unit, restarts)
            if self.clock.monotonic() > last:
                raise application.fault(f"is not well on {units[0][0].name} after {CROWDED_SECONDS} s: {why}")

    def service(
        self, application: Application, units: Iterable[str] = (), settings: Mapping[str, str] | None = None
    ) -> Service:
        """An application as others will see it."""
        return Service(
            role=application.role.NAME,
            nodes=application.nodes,
            packages=application.packages,
            units=tuple(units),
            options=dict(application.options),
            settings=dict(settings or {}),
        )

    def enabled_units(self, node: Node, application: Application) -> list[str]:
        """The services that an application's packages bring and enable."""
        shown = node.run(["dpkg-query", "--listfiles", *application.packages], capture=True).stdout
        names = sorted({
            line.rpartition("/")[2]
            for line in shown.splitlines()
            if UNIT_DIRECTORY in line and line.endswith(".service") and "@" not in line
        })  # fmt: skip
        return [name for name in names if node.run(["systemctl", "--quiet", "is-enabled", name], check=False)]

    def restart(self, node: Node, application: Application, unit: str) -> None:
        """Start a service, or start it anew; it is to be asked whether it is well.  Raises the application's fault."""
        if not node.run(["systemctl", "restart", unit], check=False):
            raise application.fault(f"{unit} does not start on {node.name}: {self.journal(node, unit)}")

    def start(self, node: Node, application: Application, *units: str) -> None:
        """Start services that cannot be asked, and see that they stay.  Raises the application's fault."""
        for unit in units:
            self.restart(node, application, unit)
        last = self.clock.monotonic() + WATCH_SECONDS
        restarts = {unit: self.state(node, unit)["NRestarts"] for unit in units}
        while units:
            self.go_on()
            for unit in units:
                self._see(node, application, unit, restarts[unit])
            if self.clock.monotonic() > last:
                return
            self.clock.sleep(LOOK_SECONDS)

    def _see(self, node: Node, application: Application, unit: str, restarts: str) -> None:
        """See that a service that was started runs, and still does.  Raises the application's fault."""
        state = self.state(node, unit)
        if not _is_well(state) or state["NRestarts"] != restarts:
            ended = "starts and dies" if state["ExecMainStartTimestamp"] else "does not start"
            raise application.fault(f"{unit} {ended} on {node.name} ({state['Result']}): {self.journal(node, unit)}")

    def state(self, node: Node, unit: str) -> dict[str, str]:
        """Some properties of a unit: see systemctl(1), show."""
        names = "ActiveState,ExecMainStartTimestamp,NRestarts,Result,Type"
        shown = node.run(["systemctl", "show", f"--property={names}", unit], capture=True).stdout
        return dict(line.split("=", 1) for line in shown.splitlines())

    def journal(self, node: Node, unit: str) -> str:
        """The line of a unit's journal, or of a log that is called as it is, that says most of why it is not well."""
        words = ["sh", "-c", journals.SHOW, "sh", unit, f"{unit.removesuffix('.service')}.log"]
        return journals.telling(node.run(words, capture=True, check=False).stdout, unit)

    def wait_until_well(
        self, node: Node, application: Application, asked: list[str], patience: float = PATIENCE_SECONDS
    ) -> None:
        """Ask until a command succeeds.  Raises the application's fault when it does not in time."""
        last = self.clock.monotonic() + patience
        while True:
            self.go_on()
            try:
                result, lines = node.attempt(asked, timeout=max(1.0, last - self.clock.monotonic()))
            except TimedOut:
                lines = ["no answer"]
            else:
                if result:
                    return
            if self.clock.monotonic() > last:
                said = lines[-1].strip()[:LONGEST] if lines else f"status {result.returncode}"
                what = shlex.join(asked)
                raise application.fault(f"is not well on {node.name} after {patience:g} s: {what}: {said}")
            self.clock.sleep(LOOK_SECONDS)


def _is_well(state: Mapping[str, str]) -> bool:
    done = state["Type"] == "oneshot" and state["ActiveState"] == "inactive" and state["Result"] == "success"
    return state["ActiveState"] == "active" or done
