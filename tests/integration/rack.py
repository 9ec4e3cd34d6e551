"""A rack: emulated machines with empty disks on a network of their own, behind power boxes that run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.drivers.metal.driver import NOTE, MetalTarget
from scripts.machines.netboot import Way
from tests.integration.power_boxes import PowerBoxes, boxes
from tests.processes import wait_for
from tests.scripts.machines.outlets import Outlets

HOUSE = Path(__file__).parents[2]
BRIDGE = "rack"
DISK_BYTES = 8 * 2**30
UEFI = Path("/usr/share/ovmf/OVMF.fd")


@dataclass
class Rack:
    """The machines node0, node1 ... in a directory; ``namespace``: that of their network.

    ``boot``: ``bios`` or ``uefi``.  A BIOS has iPXE on its network card, UEFI loads it by TFTP, or with ``by_http`` by HTTP.
    """

    home: Path
    names: tuple[str, ...]
    namespace: str
    outlets: Outlets
    boxes: PowerBoxes
    boot: str = "bios"
    by_http: bool = False
    server: subprocess.Popen[bytes] | None = None

    def mac(self, name: str) -> str:
        return f"52:54:00:77:00:{self.names.index(name):02x}"

    def settings(self) -> dict[str, Any]:
        """Return lab_server and machines for lab.yaml."""
        server = {"interface": BRIDGE, "network": "10.77.0.0/24", "address": "10.77.0.1", "namespace": self.namespace,
                  "kernel": "linux-image-cloud-amd64"}  # fmt: skip
        machines = {
            name: {
                "power": self.boxes.power[name],
                "mac": self.mac(name),
                "boot": self.boot,
                "address": f"10.77.0.{number}",
                "disk": {"path": "/dev/vda", "serial": f"DISK-{name}", "size": DISK_BYTES},
                "console": str(self.home / f"{name}.console"),
            }
            for number, name in enumerate(self.names, 10)
        }
        return {"lab_server": server, "machines": machines}

    def disk(self, name: str) -> Path:
        return self.home / f"{name}.disk"

    def command(self, name: str) -> list[str]:
        """Return the command that is a machine with power."""
        tap = f"tap{self.names.index(name)}"
        rom, firmware = (",romfile=", ["-bios", str(UEFI)]) if self.boot == "uefi" else ("", [])
        for version in (4, 6) if self.by_http else ():
            firmware += ["-fw_cfg", f"name=opt/org.tianocore/IPv{version}PXESupport,string=n"]
        return [
            "ip", "netns", "exec", self.namespace, "nice", "-n", "1", "qemu-system-x86_64",
            "-name", name, "-machine", "pc,accel=tcg", "-cpu", "qemu64,+rdrand,-svm", "-m", "1024",
            "-nodefaults", "-display", "none",
            "-drive", f"file={self.disk(name)},if=none,id=disk,format=raw,cache=unsafe,discard=unmap",
            "-device", f"virtio-blk-pci,drive=disk,serial=DISK-{name},bootindex=2",
            "-netdev", f"tap,id=net,ifname={tap},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=net,mac={self.mac(name)},bootindex=1{rom}",
            "-device", "virtio-rng-pci",
            "-chardev", f"file,id=console,path={self.home / name}.console,append=on", "-serial", "chardev:console",
            *firmware,
        ]  # fmt: skip

    def credentials(self) -> dict[str, str]:
        """Return the variables of the environment with which the lab logs in at the boxes."""
        login = self.boxes.login
        return {"QALAB_POWER_USER": login.user, "QALAB_POWER_PASSWORD": login.password}

    def serve(self, lab_file: Path) -> None:
        """Start the lab server."""
        argv = [
            "ip",
            "netns",
            "exec",
            self.namespace,
            sys.executable,
            "-m",
            "cli",
            "machine",
            "serve",
            "--lab",
            str(lab_file),
        ]
        with (self.home / "server.log").open("ab") as log:
            mark = (self.home / "server.log").stat().st_size
            self.server = subprocess.Popen(argv, cwd=HOUSE, stdout=log, stderr=log, start_new_session=True)
        assert wait_for(lambda: b"started" in (self.home / "server.log").read_bytes()[mark:], 60)

    def end_server(self, how: int = signal.SIGTERM) -> None:
        if self.server:
            with suppress(ProcessLookupError):
                os.kill(self.server.pid, how)
            self.server.wait()
            self.server = None


def start_by(target: MetalTarget, way: Way | None) -> None:
    """Have the machines of an environment start their system in one way at its next resets, whatever its kernel."""
    noted = target.noted()
    assert noted
    task = noted.task.model_copy(update={"way": way})
    noted.model_copy(update={"task": task}).write(target.home / NOTE)


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)


@contextmanager
def rack(home: Path, number: int, boot: str = "bios", kind: str = "cdu") -> Iterator[Rack]:
    """Provide a rack of machines without power, behind boxes of a kind, and end all of it."""
    names = tuple(f"node{each}" for each in range(number))
    namespace = f"qalab-rack-{os.getpid()}"
    _ip("netns", "add", namespace)
    try:
        inside = ["netns", "exec", namespace, "ip"]
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "link", "add", BRIDGE, "type", "bridge")
        _ip(*inside, "address", "add", "10.77.0.1/24", "dev", BRIDGE)
        _ip(*inside, "address", "add", "fd77::1/64", "dev", BRIDGE, "nodad")
        _ip(*inside, "link", "set", BRIDGE, "up")
        for each in range(number):
            _ip(*inside, "tuntap", "add", "dev", f"tap{each}", "mode", "tap")
            _ip(*inside, "link", "set", "dev", f"tap{each}", "master", BRIDGE, "up")
        outlets = Outlets(names)
        with boxes(kind, home, outlets) as power:
            made = Rack(home, names, namespace, outlets, power, boot)
            outlets.command = made.command
            for name in names:
                with made.disk(name).open("wb") as disk:
                    disk.truncate(DISK_BYTES)
            try:
                yield made
            finally:
                made.end_server()
    finally:
        _ip("netns", "delete", namespace)
