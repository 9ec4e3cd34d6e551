"""The content of a node's system: the base that containers have, with a kernel, OpenSSH and a service for its identity."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from scripts.chroots.bootstrap import APT_GET
from scripts.drivers.layers import HARDWARE, install_script

ARGUMENTS: Final = "console=tty0 console=ttyS0,115200 no_timer_check net.ifnames=0"
# A setting of update-grub, which would leave the kernel out of the console: that is evidence.
NOT_QUIET: Final = "GRUB_CMDLINE_LINUX_DEFAULT="
# For a root that has just been made anew.
UNCHECKED: Final = "fsck.mode=skip"
# What any GRUB and any e2fsprogs of a supported series know: see ext4(5).
FEATURES: Final = (
    "none,64bit,dir_index,dir_nlink,ext_attr,extent,extra_isize,filetype,flex_bg,has_journal,huge_file,large_file,"
    "metadata_csum,resize_inode,sparse_super"
)
# The node's identity (see `scripts.drivers.systems.identity`) at the first boot, and its address at each.
NODE: Final = """\
#!/bin/sh
set -eu
given=/sys/firmware/qemu_fw_cfg/by_name/opt/qalab/node/raw
if [ ! -e /etc/qalab/node ]; then
    cat "$given" | tar --extract --directory=/ --no-same-owner
    hostname --file /etc/hostname
fi
MAC=
. /etc/qalab/node
# Nothing waits for all hardware: the kernel can still be loading the driver of the card, or its firmware.
card() {
    for address in /sys/class/net/*/address; do
        [ ! -e "$address" ] || [ "$(cat "$address")" != "$MAC" ] || device=$(basename "$(dirname "$address")")
    done
    [ -n "$device" ] || [ -n "$MAC" ] || [ ! -e /sys/class/net/eth0 ] || device=eth0
    [ -n "$device" ]
}
device= waited=0
until card; do
    waited=$((waited + 1))
    [ "$waited" -lt 300 ] || device=eth0
    sleep 0.2
done
ip link set "$device" up
ip address replace "$ADDRESS" dev "$device"
ip route replace default via "$GATEWAY"
"""
UNIT: Final = """\
[Unit]
Description=Identity and network of a node of qalab
DefaultDependencies=no
After=local-fs.target systemd-sysctl.service
Before=sysinit.target network-pre.target ssh.service
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/qalab/node
[Install]
WantedBy=sysinit.target
"""
# A boot is waited for until ssh answers, which then is the first that gets the processor.  Without the end of
# systemd-user-sessions.service, pam_nologin(8) tells each login of root that the system is booting.
SSH_FIRST: Final = """\
[Unit]
After=systemd-user-sessions.service
Before=systemd-logind.service
"""
# The unit starts fsck even where fsck is to do nothing.
NO_CHECK: Final = """\
[Unit]
ConditionKernelCommandLine=!fsck.mode=skip
"""
NETWORK: Final = "networking.service"  # masked as in containers: it waits for all hardware, and NODE sets the network
DEFAULT_KERNEL: Final = """\
. /etc/os-release
[ "$ID" = ubuntu ] && kernel=linux-image-virtual || kernel=linux-image-$(dpkg --print-architecture)
"""
# The last line: systemd need not do what the packages have done (ConditionNeedsUpdate, see systemd.unit(5)).
CLEAN: Final = """\
rm -rf /etc/ssh/ssh_host_* /etc/resolv.conf /tmp/*
: > /etc/machine-id
touch --reference=/usr /etc/.updated /var/.updated
"""


def script(  # noqa: PLR0913 - the parts of a system, by name
    wanted: Sequence[str],
    answers: Sequence[str],
    *,
    root: str,
    kernel: str = DEFAULT_KERNEL,
    before_kernel: str = "",
    boot_loader: str = "",
    last: str = "",
) -> str:
    """Return the shell script that makes a base a system with its own kernel and some packages; it leaves nothing else.

    ``root``: the device in fstab(5); the others are shell scripts.  ``kernel`` sets the variable of that name to a
    package.
    """
    return (
        f"cd /etc/systemd/system\nrm -f {shlex.join(unit for unit in HARDWARE if unit != NETWORK)}\ncd /\n"
        f"apt-get --quiet update\n{APT_GET} install initramfs-tools kmod openssh-server\n"
        "mkdir -p /etc/initramfs-tools/conf.d /usr/lib/qalab\n"
        f'{before_kernel}{kernel}{APT_GET} install "$kernel"\n{boot_loader}'
        f"printf %s {shlex.quote(NODE)} > /usr/lib/qalab/node\n"
        "chmod 0755 /usr/lib/qalab/node\n"
        f"printf %s {shlex.quote(UNIT)} > /etc/systemd/system/qalab-node.service\n"
        "systemctl --quiet enable qalab-node.service\n"
        f"{_drop_in('ssh.service', SSH_FIRST)}{_drop_in('systemd-fsck-root.service', NO_CHECK)}"
        f"echo '{root} / ext4 errors=remount-ro 0 1' > /etc/fstab\n"
        f"{install_script(wanted, answers) if wanted else ''}{last}{CLEAN}"
    )


def _drop_in(unit: str, text: str) -> str:
    directory = f"/etc/systemd/system/{unit}.d"
    return f"mkdir -p {directory}\nprintf %s {shlex.quote(text)} > {directory}/qalab.conf\n"
