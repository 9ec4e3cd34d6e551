"""Machines that are reached by ssh alone: containers with no network but the real sshd's, one for each connection.

A port of this machine's loopback is where they are reached.  A machine is restored by this file as a program: HOME,
which resets the container and lets the client in again.
"""

from __future__ import annotations

import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base.errors import InfrastructureError
from lab.base.run import run
from lab.config.description import Series
from scripts.drivers.interfaces import Node, Pristine
from scripts.drivers.nspawn.driver import NspawnTarget

HOUSE = Path(__file__).parent.parent
PACKAGES = ("openssh-server", "procps", "sudo")
PRISTINE = Pristine("bookworm", Series(), packages=PACKAGES)
RESTORE = f"import sys; sys.path.insert(0, {str(HOUSE)!r}); from tests.machines import main; main(sys.argv[1])"
USER = "qa"
SSHD = ("/usr/sbin/sshd", "-i", "-o", "UsePAM=no", "-o", "HostKey=/etc/ssh/key")


@dataclass
class Played:
    """A machine: ``home`` is the container's environment, beside the keys ``client`` and ``host``."""

    home: Path
    port: int = 0

    @property
    def login(self) -> str:
        return f"root@127.0.0.1:{self.port}"

    @property
    def node(self) -> Node:
        nodes = NspawnTarget(self.home).nodes()
        if not nodes:
            raise InfrastructureError("it is off")
        return nodes[0]

    def known_hosts(self, key: str = "host") -> str:
        kind, public = (self.home.parent / f"{key}.pub").read_text().split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {public}\n"

    def let_in(self) -> None:
        """Have the client's key be that of root, and of one who may sudo; and no mirror be asked."""
        node, keys = self.node, self.home.parent
        node.write("/etc/ssh/key", (keys / "host").read_text(), 0o600)
        node.run(["useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", USER])
        node.write(f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
        for user, path in {"root": "/root", USER: f"/home/{USER}"}.items():
            node.write(f"{path}/.ssh/authorized_keys", (keys / "client.pub").read_text(), 0o600)
            node.run(["chown", "--recursive", f"{user}:", f"{path}/.ssh"])
        node.run(["mkdir", "-p", "/run/sshd"])
        node.run(["sh", "-c", "rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*"])


@contextmanager
def playing(home: Path, count: int) -> Iterator[list[Played]]:
    """Machines in directories of ``home``, called node0 and so on."""
    home.mkdir()
    for name in ("client", "host"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", home / name])
    machines = [Played(home / f"node{number}") for number in range(count)]
    servers = [_Server(("127.0.0.1", 0), _connection(machine)) for machine in machines]
    try:
        for machine, server in zip(machines, servers, strict=True):
            machine.port = server.server_address[1]
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            _install(machine)
        yield machines
    finally:
        for machine, server in zip(machines, servers, strict=True):
            server.shutdown()
            NspawnTarget(machine.home).destroy()
            server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


def _connection(machine: Played) -> type[socketserver.BaseRequestHandler]:
    class Connection(socketserver.BaseRequestHandler):
        request: Any

        def handle(self) -> None:
            with suppress(InfrastructureError):  # it is off, or just restored
                argv = [str(word) for word in machine.node.enter(SSHD)]
                subprocess.run(argv, stdin=self.request, stdout=self.request, stderr=subprocess.DEVNULL, check=False)

    return Connection


def _install(machine: Played) -> None:
    target = NspawnTarget(machine.home)
    with target.prepare(PRISTINE) as snapshot:
        target.create(snapshot, ["machine"])
    machine.let_in()


def main(home: str) -> None:
    """Restore a machine, in whatever state it is."""
    machine = Played(Path(home))
    try:
        NspawnTarget(machine.home).reset()
    except InfrastructureError:  # whoever restored it was killed
        _install(machine)
    else:
        machine.let_in()
