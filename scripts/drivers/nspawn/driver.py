"""nspawn: nodes are containers on this machine that boot systemd, on overlays over pristine layers.

An environment is a directory of the lab's state, and a keeper (see `scripts.drivers.nspawn.keeper`).  This
isolates against accidents, not against hostile code: see systemd-nspawn(1) on ``--capability=all``.

::

    ENVIRONMENT/environment.json    its layers and nodes, once it is complete
    ENVIRONMENT/nodes/NAME/upper    the changes of a node; those before its boot where its disk is limited
    ENVIRONMENT/nodes/NAME/disk     the file system of its changes, where its disk is limited
    ENVIRONMENT/nodes/NAME/console  the console output of its boot
    ENVIRONMENT/nodes/NAME/ended    the status of its boot program, once it has ended
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Unpack

from lab.base import environment, files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import AttemptOptions, Result, RunOptions, Word, last_words, run
from lab.config.deployment import Deployment, Limits
from lab.config.description import Lab
from lab.store.records import Stored, rfc3339
from scripts.archives import mirror_cache
from scripts.archives.serving import served
from scripts.chroots.bootstrap import Repository
from scripts.drivers import layers, node_logs
from scripts.drivers.commands import SETTINGS, attempted, writing
from scripts.drivers.interfaces import Node, Pristine, PristineSnapshot
from scripts.drivers.layers import Layers
from scripts.drivers.nspawn.boot_program import BOOT
from scripts.drivers.nspawn.keeper import GATEWAY, NETWORK, Group, Keeper, group_prefix, wait_until

NAME = "nspawn"
SHARED = False
PROGRAMS = ("ip", "nsenter", "systemd-nspawn")
BOOT_SECONDS = 120.0
FIRST_ADDRESS = 11
# $1: where this machine finds names, which the node does not.
ONLINE = """
printf '%s' "$1" > /run/qalab.resolv.conf
mount --bind /run/qalab.resolv.conf /etc/resolv.conf
shift
exec "$@"
"""
# A shell outside of the node's processes waits for the command in it.  nsenter(1) would stop itself for ever when a node that
# shuts down stops all of its processes before it kills them.
WAIT = '"$@"; exit "$?"'


def missing_prerequisite() -> str:
    """Return why this machine does not support such environments; "" when it does."""
    return layers.missing_prerequisite(NAME, PROGRAMS)


class EnvironmentManifest(Stored):
    """The layers and nodes of an environment."""

    created: str
    stack: tuple[str, ...]
    nodes: Mapping[str, str]
    """Addresses by name."""
    memory: int = 0
    """The limit of each node in MiB; 0 for none."""
    disk: int = 0
    """The limit of each node in GiB; 0 for none."""


@dataclass(frozen=True)
class Container:
    """A node."""

    home: Path
    name: str
    address: str
    log: IO[str] | None = None

    @property
    def path(self) -> Path:
        return self.home / "nodes" / self.name

    @property
    def group(self) -> Group:
        return Group(f"{group_prefix(self.home)}{self.name}")

    @cached_property
    def init(self) -> int:
        """Its first process."""
        pid = self.group.first_process()
        if not pid:
            ended = self.path / "ended"
            state = "was shut down" if ended.exists() and ended.read_text().strip() == "0" else "does not run"
            raise InfrastructureError(f"the node {self.name} {state}", hint=f"see {self.path / 'console'}")
        return pid

    def enter(self, argv: Sequence[Word], *, online: bool = False) -> list[Word]:
        """Return the local command that runs a command in the node."""
        if not Path(f"/proc/{self.init}").exists():
            del vars(self)["init"]  # a reboot begins another one
        namespaces = ["--mount", "--uts", "--ipc", "--pid", "--cgroup", *([] if online else ["--net"])]
        words: list[Word] = ["nsenter", "--no-fork", "--target", str(self.init), *namespaces, "--root", "--wd", "--"]
        words += ["sh", "-c", WAIT, "sh"]
        if online:
            words += ["unshare", "--mount", "sh", "-euc", ONLINE, "sh", Path("/etc/resolv.conf").read_text()]
        return [*words, "env", "-i", *SETTINGS, *argv]

    def run(self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[RunOptions]) -> Result:
        own: RunOptions = {"log": self.log, "cwd": Path("/"), **options}
        return run(self.enter([*_way_out(online=online), *argv], online=online), **own)

    def attempt(
        self, argv: Sequence[Word], *, online: bool = False, **options: Unpack[AttemptOptions]
    ) -> tuple[Result, list[str]]:
        return attempted(self.enter([*_way_out(online=online), *argv], online=online), self.log, **options)

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        self.run(writing(path, mode), stdin=text.encode("utf-8", "surrogateescape"))

    def read(self, path: str) -> str:
        return self.run(["cat", path], capture=True).stdout

    def boot(self, made: EnvironmentManifest, keeper: Keeper, hosts: str) -> None:
        """Begin, with nothing changed."""
        for name in ("upper", "work", "root"):
            (self.path / name).mkdir(parents=True)
            (self.path / name).chmod(0o755)
        machine_id = hashlib.md5(str(self.path).encode(), usedforsecurity=False).hexdigest()  # machine-id(5): 128 bits
        for name, text in {"hostname": f"{self.name}\n", "hosts": hosts, "resolv.conf": "",
                           "machine-id": f"{machine_id}\n"}.items():  # fmt: skip
            files.write_atomic(self.path / "upper/etc" / name, text)
        (self.path / "upper/etc").chmod(0o755)
        groups = [*self.group.paths, *(self.group.memory if made.memory else ())]
        argv: list[Word] = ["unshare", "--mount", "--propagation", "slave", "sh", "-euc", BOOT, "sh", self.path,
                ":".join(made.stack), self.name, str(made.memory * 2**20), str(made.disk), *groups]  # fmt: skip
        with (self.path / "console").open("w") as console:
            run(["setsid", "--fork", *keeper.inside(argv, "pid", "mount", "net")], log=console, cwd=Path("/"))

    def come_up(self) -> None:
        """Wait until it has booted.  Raises InfrastructureError when it does not."""
        ended = self.path / "ended"
        if not wait_until(lambda: self.group.first_process() or ended.exists(), BOOT_SECONDS) or ended.exists():
            raise InfrastructureError(f"the node {self.name} does not start: {self._last_words()}")
        network = (
            f"ip address add {self.address}/24 dev host0; ip link set host0 up; ip route add default via {GATEWAY}"
        )
        # In the node's network alone, by this machine's tools.
        run(["nsenter", "--target", str(self.init), "--net", "--", "sh", "-euc", network], log=self.log)
        if not wait_until(lambda: self._says("running", "degraded"), BOOT_SECONDS):
            raise InfrastructureError(f"the node {self.name} does not boot: {self._last_words()}")

    def _says(self, *states: str) -> bool:
        argv = ["systemctl", "is-system-running", "--wait"]
        state = self.run(argv, capture=True, check=False, log=None, timeout=BOOT_SECONDS).stdout.strip()
        return state in states

    def _last_words(self) -> str:
        return last_words((self.path / "console").read_text(errors="replace").split("\n")) or "it said nothing"


def _way_out(*, online: bool) -> list[Word]:
    """Return the beginning of a command whose apt reaches mirrors through this process."""
    return ["env", *(f"{name}={value}" for name, value in mirror_cache.variables().items())] if online else []


@dataclass(frozen=True)
class NspawnTarget:
    """One environment; ``home`` is its directory."""

    home: Path
    log: IO[str] | None = None
    settings: Deployment | None = None

    @property
    def keeper(self) -> Keeper:
        return Keeper(self.home)

    @property
    def _note(self) -> Path:
        return self.home / "environment.json"

    def archive(self, lab: Lab, suite: str) -> AbstractContextManager[Repository | None]:
        return served(lab, suite)

    @contextmanager
    def prepare(self, pristine: Pristine) -> Iterator[Layers]:
        if why := missing_prerequisite():
            raise ConfigurationError(why, hint="or choose another deployment.target")
        with layers.prepared(layers.local_layers(environment.cache_home() / "targets", self.log), pristine) as snapshot:
            yield snapshot

    def create(self, snapshot: PristineSnapshot, names: Sequence[str]) -> list[Node]:
        assert isinstance(snapshot, Layers)  # noqa: S101 - it is one of ours
        self.destroy()
        self.home.mkdir(parents=True, mode=0o700)  # the deployment has passwords
        self.keeper.start(snapshot.locks)
        addresses = {name: f"{NETWORK}{number}" for number, name in enumerate(names, FIRST_ADDRESS)}
        limits = self.settings.limits if self.settings else Limits()
        made = EnvironmentManifest(
            created=rfc3339(environment.now()),
            stack=tuple(map(str, snapshot.stack)),
            nodes=addresses,
            memory=limits.memory or 0,
            disk=limits.disk or 0,
        )
        nodes = self._boot(made)
        made.write(self._note)
        return nodes

    def nodes(self) -> list[Node]:
        if not (self.keeper.pid and self._note.exists()):
            return []
        return [*self._containers(EnvironmentManifest.read(self._note))]

    def reaching(self, nodes: Sequence[Node], repository: Repository | None) -> Sequence[Node]:  # noqa: ARG002 - all do
        return nodes

    def collect_logs(self, into: Path) -> None:
        node_logs.collect(self.nodes(), into)

    def beside(self, argv: Sequence[Word], **options: Unpack[RunOptions]) -> Result:
        own: RunOptions = {"log": self.log, **options}
        return run(self.keeper.inside(argv, "net"), **own)

    def route(self, network: str, via: str) -> None:
        self.beside(["ip", "route", "replace", network, "via", via])

    def reset(self) -> list[Node]:
        if not self.nodes():
            raise InfrastructureError(f"{self.home.name}: there is no such environment, or it is not whole")
        made = EnvironmentManifest.read(self._note)
        self._note.unlink()
        for node in self._containers(made):
            node.group.end()
            self._remove(node.path)
        nodes = self._boot(made)
        made.write(self._note)
        return nodes

    def destroy(self) -> bool:
        exists = self.home.exists()
        self._note.unlink(missing_ok=True)
        self.keeper.end()
        for path in self.keeper_groups():
            Group(path.name).end()
        self._remove(self.home)
        return exists

    def keeper_groups(self) -> list[Path]:
        """Return the control groups of its nodes, known and unknown."""
        return [path for hierarchy in Group("").paths for path in hierarchy.glob(f"{group_prefix(self.home)}*")]

    def _containers(self, made: EnvironmentManifest) -> list[Container]:
        return [Container(self.home, name, address, self.log) for name, address in made.nodes.items()]

    def _boot(self, made: EnvironmentManifest) -> list[Node]:
        hosts = "".join(f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **made.nodes}.items())
        containers = self._containers(made)
        for node in containers:
            node.boot(made, self.keeper, hosts)
        for node in containers:
            node.come_up()
        return [*containers]

    def _remove(self, path: Path) -> None:
        run(["rm", "-rf", "--", path], log=self.log)


def target(home: Path, log: IO[str] | None = None, lab: Lab | None = None) -> NspawnTarget:
    """Return the environment whose directory is ``home``, whether it exists or not."""
    return NspawnTarget(home, log, lab.deployment if lab else None)
