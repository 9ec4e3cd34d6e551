"""Machines with a network of their own on this machine: network namespaces on one bridge, without a way out."""

from __future__ import annotations

import ctypes
import os
import pickle
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tests.controller import Killed

CLONE_NEWNET = 0x40000000
T = TypeVar("T")


def missing_prerequisite() -> str:
    """Return why this machine has no namespaces for tests; empty: it has."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    if not shutil.which("ip"):
        return "needs the program ip"
    made = _ip("netns", "add", probe := f"qalab{os.getpid()}probe", check=False)
    _ip("netns", "delete", probe, check=False)
    return made.stderr.strip()


def _ip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True, timeout=60)


class Network:
    """Machines by name; each has an address that only the other machines reach."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._addresses: dict[str, str] = {}
        self._made: list[str] = []
        self._switch = self._namespace("switch")
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")

    def _namespace(self, machine: str) -> str:
        name = f"{self._prefix}{machine}"
        _ip("netns", "add", name)
        self._made.append(name)
        _ip("-n", name, "link", "set", "lo", "up")
        return name

    def add(self, machine: str) -> str:
        """Make a machine; return its address."""
        name = self._namespace(machine)
        number = len(self._addresses) + 1
        address = self._addresses[machine] = f"10.77.0.{number}"
        port = f"port{number}"
        _ip("-n", self._switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("-n", self._switch, "link", "set", port, "master", "bridge", "up")
        _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        return address

    def remove(self, machine: str) -> None:
        """Take a machine off the network for good."""
        name = f"{self._prefix}{machine}"
        _ip("netns", "delete", name)
        self._made.remove(name)

    def close(self) -> None:
        for name in self._made:
            _ip("netns", "delete", name, check=False)

    def start(self, machine: str, action: Callable[[], object]) -> int:
        """Start a process on a machine, with its network; return its id.  It is the leader of a process group."""
        if child := os.fork():
            return child
        code = 1
        try:
            os.setsid()
            _enter(os.open(f"/run/netns/{self._prefix}{machine}", os.O_RDONLY))
            action()
            code = 0
        finally:
            os._exit(code)

    def entry(self, machine: str) -> list[str]:
        """Return the words before a command that run it on a machine."""
        return ["ip", "netns", "exec", f"{self._prefix}{machine}"]

    def serve(self, machine: str, make: Callable[[], Callable[[], object]]) -> int:
        """Start a process whose server has its socket on a machine, and that has this machine's own network else."""
        own = os.open("/proc/self/ns/net", os.O_RDONLY)

        def action() -> None:
            started = make()
            _enter(own)
            started()

        try:
            return self.start(machine, action)
        finally:
            os.close(own)

    def call(self, machine: str, action: Callable[[], T]) -> T:
        """Return what a function returns in a process on a machine.  Raises Killed where it does not return."""
        reading, writing = os.pipe()

        def answer() -> None:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(action(), pipe)

        child = self.start(machine, answer)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            data = pipe.read()
        os.waitpid(child, 0)
        if not data:
            raise Killed(machine)
        answered: T = pickle.loads(data)
        return answered


def _enter(descriptor: int) -> None:
    """Give this process the network of an open namespace."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def network() -> Iterator[Network]:
    made = Network(f"qalab{os.getpid()}")
    try:
        yield made
    finally:
        made.close()


def wait_for_server(made: Network, machine: str, url: str) -> None:
    """Return once a machine reaches a server."""
    ready = [
        "curl",
        "--silent",
        "--output",
        "/dev/null",
        "--retry",
        "50",
        "--retry-connrefused",
        "--retry-delay",
        "1",
        url,
    ]
    made.call(machine, lambda: subprocess.run(ready, check=True, timeout=100).returncode)
