"""What a role works with: the nodes, what there is beside it, and how services are started and asked after.

A service is well when it says so.  One that starts and dies is found by its state while it is looked at, and
told with the line of its journal that says most.
"""

from __future__ import annotations

import json
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

from lab.errors import Aborted, ConfigurationError
from lab.run import COMPLAINT, LONGEST, Result, TimedOut, Word
from scripts.roles.filling import lay_over
from scripts.targets import journals, units
from scripts.targets.deployed import Service
from scripts.targets.seams import Node
from scripts.targets.topology import Application, Endpoint
from scripts.targets.units import Units

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
    found: dict[tuple[str, str], Units] = field(default_factory=dict)
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
        last = time.monotonic() + CROWDED_SECONDS
        before = [self.state(node, unit)["NRestarts"] for node, unit in units]
        while why := ask():
            self.go_on()
            for (node, unit), restarts in zip(units, before, strict=True):
                self._see(node, application, unit, restarts)
            if time.monotonic() > last:
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

    def units(self, node: Node, application: Application) -> Units:
        """The units of an application's packages on a node; asked for once."""
        key = node.name, application.name
        if key not in self.found:
            others = [name for each in self.applications if each != application and node.name in each.nodes
                      for name in each.packages]  # fmt: skip
            self.found[key] = units.enabled(node, application.packages, set(others) - {*application.packages})
        return self.found[key]

    def restart(self, node: Node, application: Application, unit: str, verb: str = "restart") -> None:
        """Start a unit, or start it anew; it is to be asked whether it is well.  Raises the application's fault."""
        if not node.run(["systemctl", verb, unit], check=False):
            raise application.fault(f"{unit} does not start on {node.name}: {self.journal(node, unit)}")

    def start(self, node: Node, application: Application, *names: str, needed: Sequence[str] = ()) -> dict[str, str]:
        """Start units that cannot be asked, and see that they stay; those that do not run, and why that is right.

        What is ``needed`` may run already, and others may use it.  Raises the application's fault.
        """
        for unit in needed:
            self.restart(node, application, unit, verb="start")
        for unit in names:
            self.restart(node, application, unit)
        every = (*needed, *names)
        last = time.monotonic() + WATCH_SECONDS
        before = {unit: self.state(node, unit) for unit in every}
        idle = {unit: why for unit, state in before.items() if (why := _idle(state))}
        while watched := [unit for unit in every if unit not in idle]:
            self.go_on()
            for unit in watched:
                self._see(node, application, unit, before[unit].get("NRestarts"))
            if time.monotonic() > last:
                break
            time.sleep(LOOK_SECONDS)
        return idle

    def _see(self, node: Node, application: Application, unit: str, restarts: str | None) -> None:
        """See that a unit that was started runs, and still does.  Raises the application's fault."""
        state = self.state(node, unit)
        if not _is_well(state) or state.get("NRestarts") != restarts:
            ended = "starts and dies" if state.get("ExecMainStartTimestamp") else "does not start"
            why = state.get("Result", state["ActiveState"])
            raise application.fault(f"{unit} {ended} on {node.name} ({why}): {self.journal(node, unit)}")

    def state(self, node: Node, unit: str) -> dict[str, str]:
        """Some properties of a unit: see systemctl(1), show."""
        names = "ActiveState,ConditionResult,ConditionTimestamp,ExecMainStartTimestamp,NRestarts,Result,Type"
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
        last = time.monotonic() + patience
        while True:
            self.go_on()
            try:
                result, lines = node.attempt(asked, timeout=max(1.0, last - time.monotonic()))
            except TimedOut:
                lines = ["no answer"]
            else:
                if result:
                    return
            if time.monotonic() > last:
                said = lines[-1].strip()[:LONGEST] if lines else f"status {result.returncode}"
                what = shlex.join(asked)
                raise application.fault(f"is not well on {node.name} after {patience:g} s: {what}: {said}")
            time.sleep(LOOK_SECONDS)


def _is_done(state: Mapping[str, str]) -> bool:
    """Whether it is one that does something and ends, and did so."""
    return state.get("Type") == "oneshot" and state["ActiveState"] == "inactive" and state["Result"] == "success"


def _is_well(state: Mapping[str, str]) -> bool:
    return state["ActiveState"] == "active" or _is_done(state)


def _idle(state: Mapping[str, str]) -> str:
    """Why a unit that was started does not run, and is right not to; "" when it is to run."""
    if state["ActiveState"] != "inactive":
        return ""
    if state.get("ConditionTimestamp") and state.get("ConditionResult") == "no":
        return "its condition is not met"
    return "it has done its work" if _is_done(state) else ""
