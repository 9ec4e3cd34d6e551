"""metal: nodes are bare machines of the lab, restored to a pristine snapshot by network boot.

All tracks of a lab share the machines, and one environment at a time uses them.  A lease of the lab keeps people off, and
the lab takes no machine that somebody else holds.  Whatever a killed process leaves, a restoration begins with the
power off.

::

    ENVIRONMENT/metal.json        its machines, from before the first is touched
    ENVIRONMENT/client_key        the key for its nodes
    ENVIRONMENT/known_hosts       the host keys of its nodes, new ones with each restoration
    ENVIRONMENT/nodes/NODE/       the host key and the identity of a node
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import IO, Unpack

from lab.base import environment, files
from lab.base.clock import Clock
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import Result, RunOptions, Word, run
from lab.config.deployment import Deployment
from lab.config.description import Lab
from lab.store import leases
from lab.store.records import rfc3339
from scripts.archives.serving import served
from scripts.chroots.bootstrap import Repository
from scripts.drivers import layers, node_logs
from scripts.drivers.interfaces import Node, Pristine, PristineSnapshot
from scripts.drivers.metal import image
from scripts.drivers.metal.bring_up import MachineNotUp, MachineRestoration
from scripts.drivers.metal.image import MetalImage
from scripts.drivers.metal.nodes import MetalNodes
from scripts.drivers.metal.pool import MachinePool
from scripts.drivers.ssh.connection import SshMachine
from scripts.drivers.systems import identity, login
from scripts.drivers.systems.content import ARGUMENTS, FEATURES, UNCHECKED
from scripts.machines import volumes
from scripts.machines.netboot import BootTask, MachineBoots, end_of, new_id
from scripts.machines.power import switch_of

NAME = "metal"
SHARED = True
NOTE = "metal.json"
PROGRAMS = ("ip", "ssh", "ssh-keygen", "tar")


def missing_prerequisite() -> str:
    """Return why this machine does not support such environments; "" when it does."""
    return layers.missing_prerequisite(NAME, PROGRAMS)


@dataclass(frozen=True)
class MetalTarget:
    """One environment; ``home`` is its directory.

    ``by_hand``: the machine that a person restores, ``install``: even if it has the pristine snapshot.
    """

    home: Path
    log: IO[str] | None = None
    described: Lab | None = None
    by_hand: str = ""
    install: bool = False
    clock: Clock = field(default_factory=Clock)

    @property
    def lab(self) -> Lab:
        if self.described is None or self.described.lab_server is None:
            raise ConfigurationError("lab_server: missing", hint="the network of the bare machines")
        return self.described

    @property
    def pool(self) -> MachinePool:
        return MachinePool(self.lab, self.home.name, self.by_hand)

    @property
    def settings(self) -> Deployment:
        return self.lab.deployment or Deployment(applications={})

    def archive(self, lab: Lab, suite: str) -> AbstractContextManager[Repository | None]:
        return served(lab, suite)

    @contextmanager
    def prepare(self, pristine: Pristine) -> Iterator[MetalImage]:
        if why := missing_prerequisite():
            raise ConfigurationError(why, hint="or choose another deployment.target")
        chroots = layers.local_layers(environment.cache_home() / "targets", self.log)
        server = self.lab.lab_server
        with image.prepared(chroots, pristine, server.kernel if server else None) as made:
            yield made

    def create(self, snapshot: PristineSnapshot, names: Sequence[str]) -> list[Node]:
        assert isinstance(snapshot, MetalImage)  # noqa: S101 - it is one of ours
        digests = image.digests(snapshot.path)
        if wrong := [name for name, digest in digests.items() if files.sha256(snapshot.path / name) != digest]:
            raise InfrastructureError(f"{snapshot.path}: wrong digest of {', '.join(wrong)}")
        for path in self.home.parent.glob(f"*/{NOTE}"):
            self._take_over(replace(self, home=path.parent))
        self.home.mkdir(parents=True, mode=0o700, exist_ok=True)  # the deployment has passwords
        task = BootTask(
            id="", until="", pristine=snapshot.pristine, series=snapshot.series,
            image=str(snapshot.path / image.ROOT), sha256=digests[image.ROOT],
            size=(snapshot.path / image.ROOT).stat().st_size, root_size=volumes.ROOT_BYTES,
            features=FEATURES, arguments=f"{ARGUMENTS} {UNCHECKED}", install=self.install,
        )  # fmt: skip
        nodes, made = self._made(task, names, ())
        snapshot.facts["stages"] = made.stages
        return nodes

    def nodes(self) -> list[Node]:
        noted = self.noted()
        return [self._login(noted, name) for name in noted.machines] if noted and noted.whole else []

    def reaching(self, nodes: Sequence[Node], repository: Repository | None) -> Sequence[Node]:  # noqa: ARG002 - all do
        return nodes

    def collect_logs(self, into: Path) -> None:
        node_logs.collect(self.nodes(), into)
        if not (noted := self.noted()):
            return
        for name, machine in noted.machines.items():
            files.write_atomic(into / name / "stages.json", json.dumps({machine: noted.stages.get(name)}) + "\n")
            described = self.lab.machines.get(machine)
            console = described.console if described else None
            if console and Path(console).is_file():  # also of a machine that does not boot
                files.write_atomic(into / name / "console.log", files.end_of(Path(console), node_logs.MOST_BYTES))

    def beside(self, argv: Sequence[Word], **options: Unpack[RunOptions]) -> Result:
        own: RunOptions = {"log": self.log, **options}
        noted = self.noted()
        return run([*_inside(noted.namespace if noted else ""), *argv], **own)

    def route(self, network: str, via: str) -> None:
        if noted := self.noted():
            self._note(noted.model_copy(update={"routes": (*noted.routes, network)}))
        self.beside(["ip", "route", "replace", network, "via", via])

    def reset(self) -> list[Node]:
        noted = self.noted()
        if noted is None or not noted.whole:
            raise InfrastructureError(f"{self.home.name}: there is no such environment, or it is not whole")
        self._hang_up(noted)
        return self._made(noted.task, [*noted.machines], [*noted.machines.values()])[0]

    def destroy(self) -> bool:
        exists = self.home.exists()
        if noted := MetalNodes.known(self.home / NOTE):
            if self.by_hand and noted.owner != self.pool.owner:
                leases.check_free(self.pool.store, self.by_hand, self.pool.owner)
            for machine in filter(partial(self.pool.is_left_to, noted.owner), noted.machines.values()):
                MachineBoots(self.pool.store, machine).withdraw()
                if machine in self.lab.machines:
                    switch_of(self.lab, machine).switch("off")
        self.forget()
        return exists

    def noted(self) -> MetalNodes | None:
        """Return the recorded state of this environment; None when it does not exist."""
        path = self.home / NOTE
        return MetalNodes.read(path) if path.exists() else None

    def forget(self) -> None:
        """Leave nothing of this environment on this machine, nor its leases."""
        if noted := MetalNodes.known(self.home / NOTE):
            self._hang_up(noted)
            for network in noted.routes:
                self.beside(["ip", "route", "delete", network], check=False)
            for machine in noted.machines.values():
                self.pool.give_back(machine, noted.owner)
        shutil.rmtree(self.home, ignore_errors=True)

    def _take_over(self, other: MetalTarget) -> None:
        """Forget an environment of the lab, of any track, or an own one of this machine."""
        noted, owners = MetalNodes.known(other.home / NOTE), {self.pool.owner, self.pool.lab_owner}
        if noted and noted.owner in owners and (not self.by_hand or self.by_hand in noted.machines.values()):
            other.forget()

    def _note(self, noted: MetalNodes) -> None:
        noted.write(self.home / NOTE)

    def _hang_up(self, noted: MetalNodes) -> None:
        for name in noted.machines:
            self._login(noted, name).hang_up()

    def _login(self, noted: MetalNodes, name: str) -> SshMachine:
        address = noted.addresses[name]
        connect = [*_inside(noted.namespace), *login.connector(address)]
        return login.login(self.home, name, address, forwards=login.way_out().forwards, connect=connect, log=self.log)

    def _made(self, task: BootTask, names: Sequence[str], first: Sequence[str]) -> tuple[list[Node], MetalNodes]:
        """Restore machines as nodes; a machine that does not come up is set aside, and another one is taken."""
        pool = self.pool
        chosen = pool.choose(len(names), first)
        while True:
            noted = self._begun(task, dict(zip(names, chosen, strict=True)))
            found = self._brought_up(noted)
            faults = {
                machine: error for machine, error in zip(chosen, found, strict=True) if isinstance(error, Exception)
            }
            if not faults:
                stages = {name: each for name, each in zip(names, found, strict=True) if isinstance(each, dict)}
                whole = noted.model_copy(update={"whole": True, "stages": stages})
                self._note(whole)
                return [self._login(whole, name) for name in names], whole
            broken = [error for error in faults.values() if not isinstance(error, MachineNotUp)]
            if broken:
                raise broken[0]
            for machine, error in faults.items():
                pool.set_aside(machine, str(error))
            chosen = pool.choose(len(names), [machine for machine in chosen if machine not in faults])

    def _begun(self, task: BootTask, machines: Mapping[str, str]) -> MetalNodes:
        """Note machines before the first is touched, with new keys for all."""
        server = self.lab.lab_server
        assert server  # noqa: S101 - see `lab`
        addresses = {name: str(self.lab.machines[machine].address) for name, machine in machines.items()}
        before = self.noted()
        noted = MetalNodes(
            created=rfc3339(environment.now()), owner=self.pool.owner, machines=machines, addresses=addresses, task=task,
            namespace=server.namespace or "", routes=before.routes if before else (),
        )  # fmt: skip
        self._note(noted)
        hosts = "".join(f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **addresses}.items())
        for name in (login.CLIENT_KEY, f"{login.CLIENT_KEY}.pub"):
            (self.home / name).unlink(missing_ok=True)
        shutil.rmtree(self.home / "nodes", ignore_errors=True)
        user, way, known = identity.make_key(self.home / login.CLIENT_KEY), login.way_out(), ""
        for name, machine in machines.items():
            place = self.home / "nodes" / name
            place.mkdir(parents=True)
            known += f"{addresses[name]} {identity.make_key(place / 'host_key')}\n"
            node = identity.NodeIdentity(
                name, addresses[name], str(server.address), hosts, (place / "host_key").read_text(), user,
                server.network.prefixlen, self.lab.machines[machine].mac or "",
            )  # fmt: skip
            number = f"{secrets.token_hex(16)}\n"  # systemd has more to do without one
            identity.write_tar(place / "node.tar", node.contents(way) | {"etc/machine-id": number})
        files.write_atomic(self.home / login.KNOWN_HOSTS, known)
        return noted

    def _brought_up(self, noted: MetalNodes) -> list[dict[str, float] | Exception]:
        restorations, ended = [], Event()
        for name, machine in noted.machines.items():
            described = self.lab.machines[machine]
            task = noted.task.model_copy(update={"disk": described.disk})
            restorations.append(
                MachineRestoration(
                    MachineBoots(self.pool.store, machine),
                    switch_of(self.lab, machine),
                    self._login(noted, name),
                    partial(_give, task, self.home / "nodes" / name / "node.tar", self.settings.metal.boot_minutes),
                    self.settings.metal.boot_minutes,
                    Path(described.console) if described.console else None,
                    self.clock,
                    ended,
                    noted.owner,
                )
            )
        with ThreadPoolExecutor(len(restorations)) as threads:
            try:
                return list(threads.map(_attempted, restorations))
            finally:
                ended.set()  # after an abort, the threads end too


def _give(task: BootTask, node: Path, minutes: float, boots: MachineBoots) -> BootTask:
    given = task.model_copy(update={"id": new_id(), "until": end_of(minutes)})
    boots.give(given, Path(task.image).parent, node)
    return given


def _attempted(restoration: MachineRestoration) -> dict[str, float] | Exception:
    try:
        return restoration.bring_up()
    except InfrastructureError as error:
        return error


def _inside(namespace: str) -> list[Word]:
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"] if namespace else []


def target(home: Path, log: IO[str] | None = None, lab: Lab | None = None) -> MetalTarget:
    """Return the environment whose directory is ``home``, whether it exists or not."""
    noted = MetalNodes.known(home / NOTE)
    by_hand = bool(noted and lab and noted.owner != leases.of_lab(lab.lab.name))
    return MetalTarget(home, log, lab, by_hand=home.name if by_hand else "")
