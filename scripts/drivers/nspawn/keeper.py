"""The keeper of an environment: one process whose namespaces contain everything in the environment.

It is the first process of a PID namespace, and has its own mount namespace and network namespace with a bridge.  All
nodes run inside these namespaces.  No link, mount or namespace is therefore visible on this machine, two environments
can use the same addresses, and when the keeper ends, the kernel ends everything else.  The keeper survives the
process that started it; it runs while its lock is held, which it holds itself.

::

    HOME/lock       held by the keeper
    HOME/pid        the keeper
    HOME/keeper.log
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.base import files
from lab.base.errors import InfrastructureError
from lab.base.run import Word, run

BRIDGE = "qalab"
NETWORK = "10.20.0."  # visible inside only
GATEWAY = f"{NETWORK}1"
CGROUPS = Path("/sys/fs/cgroup")
PATIENCE_SECONDS = 20.0
# /proc is still that of this machine when the process id is read.  Orphans are reaped by the kernel: signal(7).
KEEP = f"""
read -r pid rest < /proc/self/stat
mount -t proc proc /proc
ip link set lo up
ip link add {BRIDGE} type bridge
ip address add {GATEWAY}/24 dev {BRIDGE}
ip link set {BRIDGE} up
echo "$pid" > "$1/pid.new"
mv "$1/pid.new" "$1/pid"
exec env --ignore-signal=CHLD sleep infinity
"""


@dataclass(frozen=True)
class Keeper:
    """The keeper of the environment whose directory is ``home``."""

    home: Path

    @property
    def pid(self) -> int:
        """Its process id, 0 when it does not live."""
        if not files.is_locked(self.home / "lock"):
            return 0
        with suppress(FileNotFoundError, ValueError):
            return int((self.home / "pid").read_text())
        return 0

    def start(self, keep: Sequence[int]) -> None:
        """Begin, in a directory where nothing lives; ``keep``: locks that it holds for as long as it lives."""
        with files.locked(self.home / "lock", wait=False) as lock, (self.home / "keeper.log").open("w") as log:
            # --fork: not a child of this process, otherwise it would end with it.
            argv: list[Word] = ["setsid", "--fork", "unshare", "--pid", "--mount", "--net", "--propagation", "slave", "--fork",
                    "--kill-child", "sh", "-euc", KEEP, "sh", self.home]  # fmt: skip
            run(argv, log=log, cwd=Path("/"), keep=[*keep, lock])
            if not wait_until((self.home / "pid").exists):
                raise InfrastructureError(f"no environment could be started: see {log.name}")

    def inside(self, argv: Sequence[Word], *namespaces: str) -> list[Word]:
        """Return a command that runs in namespaces of the keeper (``net``, ``mount``, ``pid``)."""
        return ["nsenter", "--target", str(self.pid), *(f"--{name}" for name in namespaces), "--", *argv]

    def end(self) -> None:
        """End it and all that lives in it; nothing when it does not live."""
        if pid := self.pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not wait_until(lambda: not files.is_locked(self.home / "lock")):
            raise InfrastructureError(f"{self.home}: the processes of this environment do not end")


def wait_until(what: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> bool:
    """Return whether a condition becomes true within the time limit."""
    last = time.monotonic() + seconds
    while not what():
        if time.monotonic() > last:
            return False
        time.sleep(0.02)
    return True


def group_prefix(home: Path) -> str:
    """Return the prefix of an environment's control groups; it is unique on this machine."""
    return f"qalab+{hashlib.sha256(str(home.parent).encode()).hexdigest()[:10]}+{home.name}+"


@dataclass(frozen=True)
class Group:
    """A control group of a node, the same in each hierarchy that systemd in it needs; see cgroups(7)."""

    name: str

    @property
    def paths(self) -> list[Path]:
        # A host with cgroup version 1 also has systemd's own hierarchy; the node needs no other one.
        return [path / self.name for path in _hierarchies("systemd", "unified") or [CGROUPS]]

    @property
    def memory(self) -> list[Path]:
        """Its directory in a hierarchy of its own for memory, which version 1 has, where the node's memory is limited."""
        return [path / self.name for path in _hierarchies("memory")]

    def processes(self) -> Iterator[int]:
        """Return all its processes, also those in control groups that systemd has made below it."""
        for path in self.paths[0].rglob("cgroup.procs"):
            with suppress(OSError):
                yield from map(int, path.read_text().split())

    def first_process(self) -> int:
        """Return the process id of a node's systemd, the first process of its namespace; 0 before it has started.

        Before that, the first process is nspawn's own, which is still setting up the namespaces.
        """
        for pid in self.processes():
            with suppress(OSError):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
                if fields["NSpid"].split()[-1] == "1" and fields["Name"] == "systemd":
                    return pid
        return 0

    def end(self) -> None:
        """End all processes in it, and remove it."""
        for pid in list(self.processes()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not wait_until(lambda: not list(self.processes())):
            raise InfrastructureError(f"control group {self.name}: its processes do not end")
        for path in (*self.paths, *self.memory):
            for directory in sorted(path.rglob("*/"), reverse=True):
                directory.rmdir()
            with suppress(FileNotFoundError):
                path.rmdir()


def _hierarchies(*names: str) -> list[Path]:
    return [CGROUPS / name for name in names if (CGROUPS / name / "cgroup.procs").exists()]
