"""The disk of a virtual machine: the base that containers have, with a kernel, a boot loader, OpenSSH and packages.

The image is made in a session above the base, without a loop device, and kept next to the layers of containers.  Its key
consists of the base, the exact packages, the size and the way to make it.  Each node has a copy-on-write disk above it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import ProgramFailed
from lab.results.apt_log import complaint
from lab.store.step import architecture
from scripts.chroots.backends import MOUNT_OVERLAY
from scripts.chroots.bootstrap import APT_GET
from scripts.chroots.chroots import Chroot, Chroots
from scripts.chroots.sessions import Session, opened
from scripts.drivers.interfaces import Pristine
from scripts.drivers.layers import closure, target_argv
from scripts.drivers.qemu import boot_sectors
from scripts.drivers.systems import content
from scripts.drivers.systems.content import ARGUMENTS, FEATURES, NOT_QUIET

ARCHITECTURE: Final = "amd64"  # the only one with a BIOS
BOOT_AT, BOOT_SECTORS, ROOT_AT = 2048, 2048, 4096
BLOCK: Final = 4096
# What the disk and the network need before the root file system is there.
MODULES: Final = ("ext4", "virtio_pci", "virtio_blk", "virtio_net", "virtio_rng", "qemu_fw_cfg")
# MODULES=list: an initramfs without the drivers of all hardware, which is read in a tenth of the time.
BEFORE_KERNEL: Final = f"""\
mkdir -p /etc/default/grub.d
echo MODULES=list > /etc/initramfs-tools/conf.d/qalab
printf '%s\\n' {shlex.join(MODULES)} >> /etc/initramfs-tools/modules
printf '%s\\n' 'GRUB_TIMEOUT=0' 'GRUB_CMDLINE_LINUX="{ARGUMENTS}"' '{NOT_QUIET}' > /etc/default/grub.d/qalab.cfg
"""
GRUB: Final = f"""\
echo grub-pc grub-pc/install_devices_empty boolean true | debconf-set-selections
{APT_GET} install grub-pc
printf '%s\\n' 'grub-pc grub-pc/install_devices_empty boolean false' \\
    'grub-pc grub-pc/install_devices multiselect /dev/vda' | debconf-set-selections
"""
GRUB_CFG: Final = """\
set root=(hd0,gpt2)
linux $kernel root=LABEL=qalab ro {arguments}
initrd $initrd
boot
"""
BOOT: Final = f"""\
kernel=$(ls -v /boot/vmlinuz-* | tail -n 1)
initrd=/boot/initrd.img-${{kernel#/boot/vmlinuz-}}
[ -e "$initrd" ]
mkdir -p /boot/grub
cp -r /usr/lib/grub/i386-pc /boot/grub/
grub-mkimage --format=i386-pc --prefix='(hd0,gpt2)/boot/grub' --output=/boot/grub/i386-pc/core.img biosdisk part_gpt ext2
cat > /boot/grub/grub.cfg <<END
{GRUB_CFG.format(arguments=ARGUMENTS)}END
"""
# $1: nothing, $2: the directories below, $3: the session, $4: bytes of the disk, $5: blocks of its file system.
# For mke2fs, the session is mounted again: without /proc, /sys and /dev.
DISK: Final = f"""\
{MOUNT_OVERLAY}
truncate --size="$4" "$3/disk"
printf '%s\\n' 'label: gpt' \\
    'start={BOOT_AT},size={BOOT_SECTORS},type=21686148-6449-6E6F-744E-656564454649' \\
    'start={ROOT_AT},type=linux' | sfdisk --quiet "$3/disk"
mke2fs -q -F -t ext4 -b {BLOCK} -O {FEATURES} -L qalab -d "$3/root" \\
    -E offset={ROOT_AT * boot_sectors.SECTOR} "$3/disk" "$5"
"""


@dataclass(frozen=True)
class DiskImage:
    """A kept image, locked while this object is in use."""

    path: Path
    locks: tuple[int, ...]
    facts: dict[str, Any]


@contextmanager
def prepared(chroots: Chroots, pristine: Pristine, gigabytes: int) -> Iterator[DiskImage]:
    """Provide the image of a series with the dependencies of some packages.

    Raises InfrastructureError when it cannot be made.
    """
    if architecture() != ARCHITECTURE:
        raise ConfigurationError(f"a target of qemu needs {ARCHITECTURE}, and this machine is {architecture()}")
    with chroots.base(pristine.series_name, pristine.series, target_argv) as base:
        wanted = closure(chroots, base, pristine) if pristine.packages else []
        script = content_script(wanted, pristine.answers)

        def make(into: Path) -> None:
            with opened(chroots.way, "image", [base.path], log=chroots.log, keep=[base.lock]) as session:
                _make(session, pristine.series_name, script, gigabytes)
                (session.path / "disk").rename(into)

        with chroots.image(base, f"{gigabytes}\n{DISK}{script}", make) as image:
            yield DiskImage(image.path, (base.lock, image.lock), facts(base, image, wanted))


def content_script(wanted: Sequence[str], answers: Sequence[str] = ()) -> str:
    """Return the shell script that makes a base bootable, with some packages; it leaves nothing else."""
    return content.script(wanted, answers, root="LABEL=qalab", before_kernel=BEFORE_KERNEL, boot_loader=GRUB, last=BOOT)


def facts(base: Chroot, image: Chroot, wanted: Sequence[str]) -> dict[str, Any]:
    return {
        "base": {"key": base.key, "reused": base.reused, "age_days": base.age_days},
        "image": {"key": image.key, "reused": image.reused, "packages": len(wanted)},
    }


def _make(session: Session, series: str, script: str, gigabytes: int) -> None:
    mark = session.log.tell() if session.log else 0
    size = gigabytes * 2**30
    blocks = size // BLOCK - 2 * ROOT_AT * boot_sectors.SECTOR // BLOCK  # the table is also at the end of the disk
    try:
        session.shell(script)
        session.run(["sh", "-euc", DISK, "sh", "", session.lower, session.path, str(size), str(blocks)])
    except ProgramFailed:
        why = complaint(session.said(mark).splitlines())
        raise InfrastructureError(f"series {series}: no image of a disk could be made: {why}") from None
    grub = session.upper / "boot/grub/i386-pc"
    boot, core = (grub / "boot.img").read_bytes(), (grub / "core.img").read_bytes()
    boot_sectors.embed(session.path / "disk", boot, core, BOOT_AT, BOOT_SECTORS)
