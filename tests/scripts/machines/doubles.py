"""Doubles of bare machines for real code: a fence agent, ssh, and what a machine with power does at the lab server.

All of them share a directory.

::

    power/PLUG      the plug has power
    up/ADDRESS      the machine of that address answers by ssh
    metadata        of the agent
    calls           ACTION PLUG, of the agent
    hangs           the agent does not end
    says            what the agent says instead, and fails; `lies` instead: it accepts `off` and does nothing
"""

from __future__ import annotations

import http.client
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from lab.config.description import Lab
from scripts.machines.lab_server import BootServer
from scripts.machines.netboot import BootRefused

AGENT = """\
#!/bin/sh
cd {home}
[ "$1" != -o ] || exec cat metadata
while IFS='=' read -r name value; do
    case "$name" in action) action=$value ;; plug) plug=$value ;; esac
done
echo "$action $plug" >> calls
while [ -e hangs ]; do sleep 0.05; done
if [ -s says ]; then echo "ERROR: $(cat says)" >&2; exit 1; fi
case "$action" in
on) [ -e "power/$plug" ] || : > "power/$plug" ;;
off) [ -e lies ] || rm -f "power/$plug" ;;
status) [ -e "power/$plug" ] || exit 2 ;;
esac
"""
METADATA = """\
<resource-agent name="double"><parameters>
<parameter name="action" required="1"><content type="string"/></parameter>
<parameter name="ip" required="1"><content type="string"/></parameter>
<parameter name="plug" required="1"><content type="string"/></parameter>
</parameters></resource-agent>
"""
SSH = """\
#!/bin/sh
for word; do case "$word" in ssh://root@*) host=${{word#ssh://root@}} ;; esac; done
[ -e "{home}/up/$host" ] || {{ echo "ssh: connect to host $host port 22: No route to host" >&2; exit 255; }}
echo running
"""


class Refused(Exception):
    """The lab server does not answer, or refuses a request."""


class Way(Protocol):
    """The way to the lab server, for a machine of an address."""

    def get(self, address: str, what: str, token: str = "") -> str: ...

    def post(self, address: str, what: str, token: str, text: str) -> None: ...

    def put(self, address: str, what: str, token: str, text: str) -> None: ...


@dataclass(frozen=True)
class Direct:
    """The decisions of the lab server, without HTTP."""

    server: BootServer

    def get(self, address: str, what: str, token: str = "") -> str:
        try:
            found = self.server.get(address, what, token)
        except BootRefused as error:
            raise Refused(str(error)) from None
        return found if isinstance(found, str) else found.read_text()

    def post(self, address: str, what: str, token: str, text: str) -> None:
        with suppress(BootRefused):  # the restorer only says so
            self.server.post(address, what, token, text)

    def put(self, address: str, what: str, token: str, text: str) -> None:
        self.server.put(address, what, token, text.encode())


@dataclass(frozen=True)
class Network:
    """The lab server on a loopback address; a machine asks from its own one."""

    host: str
    port: int

    def get(self, address: str, what: str, token: str = "") -> str:
        return self._ask(address, "GET", f"/{what}/{token}".rstrip("/"))

    def post(self, address: str, what: str, token: str, text: str) -> None:
        with suppress(Refused):
            self._ask(address, "POST", f"/{what}/{token}", text)

    def put(self, address: str, what: str, token: str, text: str) -> None:
        self._ask(address, "PUT", f"/{what}/{token}", text)

    def _ask(self, address: str, method: str, path: str, text: str | None = None) -> str:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10, source_address=(address, 0))
        try:
            connection.request(method, path, text)
            answer = connection.getresponse()
            body = answer.read().decode()
        except OSError as error:
            raise Refused(str(error)) from None
        finally:
            connection.close()
        if answer.status != 200:
            raise Refused(body.strip())
        return body


@dataclass
class MachineDouble:
    """A machine: what is on its disk, and how its next boots go wrong.

    ``faults``: one for each boot, "" for a good one: ``silent`` (it asks for nothing), ``at STAGE`` (it stops after a
    stage), ``deaf`` (no ssh), ``not its own`` (another disk than described), ``no kexec`` (it is refused).
    """

    plug: str
    address: str
    faults: list[str] = field(default_factory=list)
    pristine: set[str] = field(default_factory=set)
    other_kernel: bool = False
    """The system on its disk has another kernel than the restorer."""
    root: str = ""
    """The identity of its root."""
    told: list[str] = field(default_factory=list)
    """What its boots did: the tasks and the stages."""
    refused: list[str] = field(default_factory=list)
    tasks: list[dict[str, str]] = field(default_factory=list)
    """The variables that its boots got."""
    boot: Iterator[None] | None = None
    since: int = 0
    """The time at which it got power."""

    def boots(self, way: Way, up: Path) -> Iterator[None]:
        fault = self.faults.pop(0) if self.faults else ""
        while fault == "silent":
            yield
        script = way.get(self.address, "boot.ipxe")
        if "/kernel/" in script:
            yield from self._own_kernel(script, way, fault, up)
        token = next(word.partition("=")[2] for word in script.split() if word.startswith("qalab.token="))
        yield
        task = dict(line.split("=", 1) for line in way.get(self.address, "task", token).splitlines())
        self.tasks.append(task)
        for name in self._done(task, token, way, fault):
            self.told.append(name)
            way.post(self.address, "stage", token, f"{name} 1.0")
            yield
            while fault == f"at {name}":
                yield
            if name == "reboot":
                self.faults.insert(0, fault)
                yield from self.boots(way, up)
        if fault != "deaf":
            up.touch()
        while True:
            yield

    def _own_kernel(self, script: str, way: Way, fault: str, up: Path) -> Iterator[None]:
        for name in ("kernel", "initrd"):
            (token,) = re.findall(rf"/{name}/(\S+)", script)
            self.told.append(way.get(self.address, name, token))
        if fault != "deaf":
            up.touch()
        while True:
            yield

    def _done(self, task: dict[str, str], token: str, way: Way, fault: str) -> Iterator[str]:
        yield "task"
        if fault == "not its own":
            way.post(self.address, "failed", token, f"wrong disk: {task['DISK']}; nothing was written")
            raise Refused(fault)
        if task["TASK"] == "restore":
            (pristine,) = shlex.split(task["PRISTINE"])
            if pristine not in self.pristine or task["INSTALL"] == "1":
                yield "volumes"
                way.get(self.address, "image", token)
                yield "unpacked"
                self.pristine.add(pristine)
                yield "installed"
            self.root = way.get(self.address, "identity", token)
            yield "restored"
        on = task["WAY"] if self.other_kernel or task["ALWAYS"] == "1" else "switch_root"
        if on == "kexec" and fault == "no kexec":
            way.post(self.address, "failed", token, "kexec -l: Function not implemented")
            raise Refused(fault)
        if on == "reboot":
            for name in ("kernel", "initrd"):
                way.put(self.address, name, token, f"its {name}")
        yield on


@dataclass
class RackDouble:
    """Machines, and the directory that their agent and ssh read; `tick` is a moment of them all."""

    home: Path
    way: Way
    machines: dict[str, MachineDouble]
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, home: Path, lab: Lab, way: Way) -> RackDouble:
        for name in ("power", "up"):
            (home / name).mkdir(parents=True)
        (home / "calls").touch()
        machines = {
            name: MachineDouble(str(each.power.options["plug"]), str(each.address))
            for name, each in lab.machines.items()
        }
        return cls(home, way, machines)

    @property
    def calls(self) -> list[str]:
        return (self.home / "calls").read_text().splitlines()

    def on(self, name: str) -> bool:
        return (self.home / "power" / self.machines[name].plug).exists()

    def tick(self) -> None:
        with self.lock:
            for name, machine in self.machines.items():
                self._tick(name, machine)

    def _tick(self, name: str, machine: MachineDouble) -> None:
        up, power = self.home / "up" / machine.address, self.home / "power" / machine.plug
        since = power.stat().st_mtime_ns if power.exists() else 0
        if since != machine.since:
            machine.since, machine.boot = since, machine.boots(self.way, up)
            up.unlink(missing_ok=True)
        if not since:
            return
        assert machine.boot
        try:
            next(machine.boot, None)
        except Refused as error:
            machine.refused.append(str(error))  # its boot ended: it does nothing more

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the machines run by themselves, for programs with their own clock."""
        ended = threading.Event()

        def run() -> None:
            while not ended.wait(0.01):
                self.tick()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def programs(home: Path, monkeypatch: pytest.MonkeyPatch, agents: tuple[str, ...] = ("fence_cdu",)) -> None:
    """Put the agent and ssh first on PATH."""
    directory = home / "bin"
    directory.mkdir(parents=True)
    (home / "metadata").write_text(METADATA)
    for name, text in {**dict.fromkeys(agents, AGENT), "ssh": SSH}.items():
        (directory / name).write_text(text.format(home=home))
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/sbin:/usr/bin:/sbin:/bin")
