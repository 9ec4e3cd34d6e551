"""qemu: nodes are virtual machines on this machine, by KVM or by emulation, on copy-on-write disks.

An environment is a directory of the lab's state and a keeper, as that of containers is (see
`scripts.drivers.nspawn.keeper`): its network is a bridge in the keeper's namespace, and nothing outlives the keeper.
OpenSSH reaches the nodes through that namespace.  Each node's state is saved when it has booted; a reset restores that.

::

    ENVIRONMENT/virtual-machines.json    its image and nodes, once it is complete
    ENVIRONMENT/client_key               the key for its nodes
    ENVIRONMENT/known_hosts              the host keys of its nodes
    ENVIRONMENT/nodes/NAME               see `scripts.drivers.qemu.virtual_machine`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Unpack

from lab.base import environment, files
from lab.base.clock import Clock
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import Result, RunOptions, Word, run
from lab.config.deployment import Deployment, Limits
from lab.config.description import Lab
from lab.store.records import Stored, rfc3339
from scripts.archives.serving import served
from scripts.chroots.bootstrap import Repository
from scripts.drivers import layers, node_logs
from scripts.drivers.interfaces import Node, Pristine, PristineSnapshot
from scripts.drivers.nspawn.driver import FIRST_ADDRESS
from scripts.drivers.nspawn.keeper import GATEWAY, NETWORK, Group, Keeper, group_prefix
from scripts.drivers.qemu import image
from scripts.drivers.qemu.image import DiskImage
from scripts.drivers.qemu.virtual_machine import PRISTINE, PROGRAM, VirtualMachine, has_kvm
from scripts.drivers.ssh.connection import SshMachine
from scripts.drivers.systems import identity, login
from scripts.drivers.systems.login import BOOT_SECONDS

NAME = "qemu"
SHARED = False
PROGRAMS = ("ip", "nsenter", PROGRAM, "qemu-img", "sfdisk", "mke2fs", "ssh", "ssh-keygen")
MEMORY = 1024
DISK = 20
LOOK_SECONDS = 0.3


def missing_prerequisite() -> str:
    """Return why this machine does not support such environments; "" when it does."""
    return layers.missing_prerequisite(NAME, PROGRAMS)


class VirtualMachines(Stored):
    """The image and the nodes of an environment."""

    created: str
    image: str
    memory: int
    kvm: bool
    nodes: Mapping[str, str]
    """Addresses by name."""


@dataclass(frozen=True)
class QemuTarget:
    """One environment; ``home`` is its directory."""

    home: Path
    log: IO[str] | None = None
    settings: Deployment | None = None
    clock: Clock = field(default_factory=Clock)

    @property
    def keeper(self) -> Keeper:
        return Keeper(self.home)

    @property
    def limits(self) -> Limits:
        return self.settings.limits if self.settings else Limits()

    @property
    def _note(self) -> Path:
        return self.home / "virtual-machines.json"

    def archive(self, lab: Lab, suite: str) -> AbstractContextManager[Repository | None]:
        return served(lab, suite)

    @contextmanager
    def prepare(self, pristine: Pristine) -> Iterator[DiskImage]:
        if why := missing_prerequisite():
            raise ConfigurationError(why, hint="or choose another deployment.target")
        with image.prepared(
            layers.local_layers(environment.cache_home() / "targets", self.log), pristine, self.limits.disk or DISK
        ) as snapshot:
            yield snapshot

    def create(self, snapshot: PristineSnapshot, names: Sequence[str]) -> list[Node]:
        assert isinstance(snapshot, DiskImage)  # noqa: S101 - it is one of ours
        self.destroy()
        self.home.mkdir(parents=True, mode=0o700)  # the deployment has passwords
        self.keeper.start(snapshot.locks)
        made = VirtualMachines(
            created=rfc3339(environment.now()),
            image=str(snapshot.path),
            memory=self.limits.memory or MEMORY,
            kvm=has_kvm(),
            nodes={name: f"{NETWORK}{number}" for number, name in enumerate(names, FIRST_ADDRESS)},
        )
        snapshot.facts["accelerator"] = "kvm" if made.kvm else "tcg"
        self._write_identities(made)
        machines = self._machines(made)
        for machine in machines:
            machine.start(self.keeper, kvm=made.kvm)
        nodes = self._booted(made)
        for machine, node in zip(machines, nodes, strict=True):
            node.hang_up()  # the state that is saved has no connection
            machine.save()
        made.write(self._note)
        return [*nodes]

    def nodes(self) -> list[Node]:
        if not (self.keeper.pid and self._note.exists()):
            return []
        return [*self._logins(VirtualMachines.read(self._note))]

    def reaching(self, nodes: Sequence[Node], repository: Repository | None) -> Sequence[Node]:  # noqa: ARG002 - all do
        return nodes

    def collect_logs(self, into: Path) -> None:
        node_logs.collect(self.nodes(), into)
        for console in self.home.glob("nodes/*/console"):  # also of a node that does not boot
            files.write_atomic(
                into / console.parent.name / "console.log", console.read_bytes()[-node_logs.MOST_BYTES :]
            )

    def beside(self, argv: Sequence[Word], **options: Unpack[RunOptions]) -> Result:
        own: RunOptions = {"log": self.log, **options}
        return run(self.keeper.inside(argv, "net"), **own)

    def route(self, network: str, via: str) -> None:
        self.beside(["ip", "route", "replace", network, "via", via])

    def reset(self) -> list[Node]:
        if not self.nodes():
            raise InfrastructureError(f"{self.home.name}: there is no such environment, or it is not whole")
        made = VirtualMachines.read(self._note)
        self._note.unlink()
        for machine, node in zip(self._machines(made), self._logins(made), strict=True):
            node.hang_up()
            machine.end()
            machine.start(self.keeper, kvm=made.kvm, snapshot=PRISTINE)
        nodes = self._booted(made)
        for node in nodes:  # it goes on where it was
            node.run(["date", "--utc", f"--set=@{environment.now().timestamp():.3f}"], capture=True)
        made.write(self._note)
        return [*nodes]

    def destroy(self) -> bool:
        exists = self.home.exists()
        self._note.unlink(missing_ok=True)
        for path in self.home.glob("*.socket"):
            self._login(path.stem, "", ()).hang_up()
        self.keeper.end()
        for hierarchy in Group("").paths:
            for path in hierarchy.glob(f"{group_prefix(self.home)}*"):
                Group(path.name).end()
        run(["rm", "-rf", "--", self.home], log=self.log)
        return exists

    def _machines(self, made: VirtualMachines) -> list[VirtualMachine]:
        return [VirtualMachine(self.home, name, number, made.memory) for number, name in enumerate(made.nodes)]

    def _logins(self, made: VirtualMachines) -> list[SshMachine]:
        forwards = login.way_out().forwards
        return [self._login(name, address, forwards) for name, address in made.nodes.items()]

    def _login(self, name: str, address: str, forwards: tuple[str, ...]) -> SshMachine:
        connect = self.keeper.inside(login.connector(address), "net")
        return login.login(self.home, name, address, forwards=forwards, connect=connect, log=self.log)

    def _write_identities(self, made: VirtualMachines) -> None:
        hosts = "".join(f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **made.nodes}.items())
        user, way, known = identity.make_key(self.home / login.CLIENT_KEY), login.way_out(), ""
        for machine in self._machines(made):
            machine.make_disk(Path(made.image))
            key, address = machine.path / "host_key", made.nodes[machine.name]
            known += f"{address} {identity.make_key(key)}\n"
            node = identity.NodeIdentity(machine.name, address, GATEWAY, hosts, key.read_text(), user)
            identity.write_tar(machine.path / "node.tar", node.contents(way))
        files.write_atomic(self.home / login.KNOWN_HOSTS, known)

    def _booted(self, made: VirtualMachines) -> list[SshMachine]:
        """Wait for all nodes.

        Raises InfrastructureError for one that ends, or takes too long; then it ends all, which would work on.
        """
        nodes = self._logins(made)
        last = self.clock.monotonic() + BOOT_SECONDS
        try:
            for machine, node in zip(self._machines(made), nodes, strict=True):
                self._wait(machine, node, last)
        except InfrastructureError:
            self.keeper.end()
            raise
        return nodes

    def _wait(self, machine: VirtualMachine, node: SshMachine, last: float) -> None:
        while why := login.missing(node):
            if not machine.runs:
                raise InfrastructureError(f"the node {node.name} does not start: {machine.last_words()}")
            if self.clock.monotonic() > last:
                raise InfrastructureError(f"the node {node.name} does not boot: {why}: {machine.last_words()}")
            self.clock.sleep(LOOK_SECONDS)


def target(home: Path, log: IO[str] | None = None, lab: Lab | None = None) -> QemuTarget:
    """Return the environment whose directory is ``home``, whether it exists or not."""
    return QemuTarget(home, log, lab.deployment if lab else None)
