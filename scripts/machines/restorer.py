"""The restorer: what a bare machine boots by network.  A kernel of the series, and an initramfs with busybox, LVM and kexec.

It is made in the session in which the image of a machine is made, from the same packages: its kernel is that of the
image, so that a machine goes on with switch_root.  Its first process is restorer.sh.
"""

from __future__ import annotations

import shlex
from typing import Final

from lab.base import resources
from scripts.chroots.bootstrap import APT_GET

ARCHIVE: Final = "restorer.cpio"
KERNEL: Final = "vmlinuz"
INIT: Final = "scripts/machines/restorer.sh"
PACKAGES: Final = ("busybox-static", "cpio", "e2fsprogs", "kexec-tools", "kmod", "lvm2", "thin-provisioning-tools")
PROGRAMS: Final = ("kexec", "lvm", "mke2fs", "nice", "tar", "thin_check", "thin_repair")
# Of a kernel's modules: what disks and network cards need.
MODULES: Final = (
    "drivers/ata", "drivers/block", "drivers/md", "drivers/message", "drivers/net/ethernet", "drivers/net/mdio",
    "drivers/net/phy", "drivers/net/virtio_net", "drivers/nvme", "drivers/scsi", "drivers/virtio", "fs/ext4",
)  # fmt: skip
# What no disk of a machine needs, and takes a fifth of the restorer with what it needs itself, such as RDMA and Ceph.
NO_DISKS: Final = (
    "block/drbd", "block/null_blk", "block/rbd", "block/zram", "md/bcache", "nvme/host/nvme-fc", "nvme/host/nvme-rdma",
    "nvme/target", "scsi/scsi_debug",
)  # fmt: skip
# $restorer: the directory; the result is /restorer.cpio.
BUILD: Final = """\
restorer=/restorer
release=$(ls /lib/modules | sort -V | tail -n 1)
mkdir -p "$restorer/bin" "$restorer/usr/sbin" "$restorer/lib/modules/$release"
cp /bin/busybox "$restorer/bin/"
ln -s busybox "$restorer/bin/sh"
cp "$(command -v kmod)" "$restorer/usr/sbin/modprobe"
for program in $PROGRAMS; do cp -L "$(command -v "$program")" "$restorer/usr/sbin/$program"; done
! cmp -s "$restorer/usr/sbin/thin_check" "$restorer/usr/sbin/thin_repair" || ln -sf thin_check "$restorer/usr/sbin/thin_repair"
for program in "$restorer"/usr/sbin/*; do
    ldd "$program" | sed -n 's/^[^/]*\\(\\/[^ ]*\\) (0x[0-9a-f]*)$/\\1/p'
done | sort -u | xargs -I{} cp -L --parents {} "$restorer"
cd "/lib/modules/$release"
for part in $MODULES; do find "kernel/$part"* -name '*.ko*' 2>/dev/null || true; done |
    grep -vE "/drivers/($NO_DISKS)" > /tmp/chosen
awk 'NR == FNR { chosen[$1]; next } { name = substr($1, 1, length($1) - 1) }
    name in chosen { print name; for (i = 2; i <= NF; i++) print $i }' /tmp/chosen modules.dep | sort -u |
    xargs cp --parents --target-directory="$restorer/lib/modules/$release"
cp modules.builtin modules.order "$restorer/lib/modules/$release/"
depmod -b "$restorer" "$release"
cd "$restorer"
find . -exec touch --no-dereference --date=@0 {} +
find . -print0 | sort -z | cpio --null --create --quiet --format=newc --owner=0:0 --reproducible > /restorer.cpio
rm -r "$restorer"
"""


def build_script() -> str:
    """Return the shell script that makes /restorer.cpio in a session with a system."""
    init = resources.path(INIT).read_text()
    return (
        f"apt-get --quiet update\n{APT_GET} install {shlex.join(PACKAGES)}\n"
        f"PROGRAMS={shlex.quote(' '.join(PROGRAMS))}\nMODULES={shlex.quote(' '.join(MODULES))}\n"
        f"NO_DISKS={shlex.quote('|'.join(NO_DISKS))}\n"
        f"mkdir -p /restorer\nprintf %s {shlex.quote(init)} > /restorer/init\nchmod 0755 /restorer/init\n{BUILD}"
    )
