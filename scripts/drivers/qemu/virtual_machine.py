"""The process of a virtual machine: qemu in the namespaces of an environment's keeper.

::

    ENVIRONMENT/nodes/NAME/disk       its changes to the image, and the snapshot of its pristine state
    ENVIRONMENT/nodes/NAME/node.tar   its identity, see `scripts.drivers.systems.identity`
    ENVIRONMENT/nodes/NAME/console    the output of its serial console
    ENVIRONMENT/nodes/NAME/monitor    see `scripts.drivers.qemu.monitor`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.base.errors import InfrastructureError
from lab.base.run import LONGEST, Word, run
from lab.base.text import plain, without_middle
from scripts.drivers.nspawn.keeper import BRIDGE, Group, Keeper, group_prefix
from scripts.drivers.qemu import monitor
from scripts.drivers.systems import identity

PROGRAM: Final = "qemu-system-x86_64"
PRISTINE: Final = "pristine"
# $1: the directory, $2: the network device, then control groups, "--", and the words of qemu.
START: Final = f"""
cd "$1"
tap=$2
shift 2
while [ "$1" != -- ]; do mkdir -p "$1"; echo 0 > "$1/cgroup.procs"; shift; done
shift
[ -e "/proc/sys/net/ipv4/conf/$tap" ] || ip tuntap add dev "$tap" mode tap
ip link set dev "$tap" master {BRIDGE} up
exec {PROGRAM} "$@"
"""
SUPPORT: Final = re.compile(r"^flags\s*:.* (?:vmx|svm)\b", re.MULTILINE)


def has_kvm() -> bool:
    """Return whether qemu can use this machine's processor.

    KVM without the processor's own support (in a virtual machine of some kinds) emulates, more slowly than qemu does.
    """
    if not SUPPORT.search(Path("/proc/cpuinfo").read_text()):
        return False
    argv = [PROGRAM, "-machine", "none", "-accel", "kvm", "-nodefaults", "-display", "none", "-monitor", "stdio"]
    return run(argv, stdin=b"quit\n", check=False, capture=True).returncode == 0


@dataclass(frozen=True)
class VirtualMachine:
    """A machine; ``number``: its position among those of its environment, ``memory``: MiB."""

    home: Path
    name: str
    number: int
    memory: int

    @property
    def path(self) -> Path:
        return self.home / "nodes" / self.name

    @property
    def group(self) -> Group:
        return Group(f"{group_prefix(self.home)}{self.name}")

    @property
    def runs(self) -> bool:
        return any(True for _ in self.group.processes())

    def make_disk(self, image: Path) -> None:
        """Give it a disk with nothing changed."""
        self.path.mkdir(parents=True)
        options: list[Word] = ["-q", "-f", "qcow2", "-F", "raw", "-b", image]
        run(["qemu-img", "create", *options, self.path / "disk"])

    def start(self, keeper: Keeper, *, kvm: bool, snapshot: str = "") -> None:
        """Start it, from its disk or from a snapshot of its state; it survives this process."""
        resume = ["-loadvm", snapshot] if snapshot else []
        argv: list[Word] = ["sh", "-euc", START, "sh", self.path, f"tap{self.number}", *self.group.paths,
                            "--", *self._words(kvm=kvm), *resume]  # fmt: skip
        with (self.path / "qemu.log").open("a") as log:
            run(["setsid", "--fork", *keeper.inside(argv, "pid", "mount", "net")], log=log, cwd=Path("/"))

    def _words(self, *, kvm: bool) -> list[Word]:
        # -cpu max emulates more than anything here needs, slowly; without rdrand, guests wait for entropy.
        processor = ["-accel", "kvm", "-cpu", "max"] if kvm else ["-accel", "tcg", "-cpu", "qemu64,+rdrand,-svm"]
        card = f"virtio-net-pci,netdev=net,mac={identity.mac(self.home, self.name)},romfile="
        return [
            "-name", self.name, "-machine", "pc", *processor, "-m", str(self.memory), "-nodefaults", "-display", "none",
            "-drive", "file=disk,if=virtio,format=qcow2,cache=unsafe,discard=unmap",
            "-netdev", f"tap,id=net,ifname=tap{self.number},script=no,downscript=no", "-device", card,
            "-device", "virtio-rng-pci",
            "-fw_cfg", "name=opt/qalab/node,file=node.tar",
            "-chardev", "file,id=console,path=console,append=on", "-serial", "chardev:console",
            "-qmp", f"unix:{monitor.SOCKET},server=on,wait=off",
        ]  # fmt: skip

    def save(self) -> None:
        """Save its state, memory included, as pristine.  Raises InfrastructureError when qemu cannot."""
        if said := monitor.command(self.path, f"savevm {PRISTINE}"):
            raise InfrastructureError(f"the node {self.name}: its state cannot be saved: {said}")

    def end(self) -> None:
        """End its process, at once."""
        self.group.end()

    def last_words(self) -> str:
        """Return the last line of its console, or else what qemu says."""
        for path in (self.path / "console", self.path / "qemu.log"):
            text = plain(path.read_bytes()) if path.exists() else ""
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            if lines:
                return without_middle(lines[-1], LONGEST)
        return "it said nothing"
