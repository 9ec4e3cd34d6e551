"""The program that boots a node: its control groups, the file systems below it, and systemd-nspawn."""

from __future__ import annotations

from scripts.drivers.nspawn.keeper import BRIDGE

# $1: the node's directory, $2: the layers below it, $3: its name, $4: its memory in bytes, $5: its disk in GiB, 0 for no
# limit of either; the rest: its control groups.  A file on a loop device is gone with the last mount of it.
# systemd and nspawn see no systemd of this machine; /sys may be written, so that network agents work.  With --keep-unit,
# nspawn leaves a reboot to its caller, by the exit status 133.  The clock is that of this machine: no node sets it.
BOOT = f"""
node=$1 lower=$2 name=$3 memory=$4 disk=$5 limited=
trap 'echo "$?" > "$node/ended"' EXIT
shift 5
for group; do
    mkdir -p "$group"
    if [ "$memory" != 0 ]; then
        [ -e "$group/memory.max" ] || echo +memory > "${{group%/*}}/cgroup.subtree_control" 2> /dev/null || true
        for limit in memory.limit_in_bytes memory.memsw.limit_in_bytes memory.max memory.swap.max; do
            [ -e "$group/$limit" ] || continue
            value=$memory
            [ "$limit" != memory.swap.max ] || value=0
            echo "$value" > "$group/$limit"
            limited=1
        done
    fi
    echo 0 > "$group/cgroup.procs"
done
if [ "$memory" != 0 ] && [ -z "$limited" ]; then echo "no control group of this machine limits memory"; exit 1; fi
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
changes=$node
if [ "$disk" != 0 ]; then
    changes=$node/space
    truncate --size="${{disk}}G" "$node/disk"
    mkfs.ext4 -q -m 0 "$node/disk"
    mkdir "$changes"
    mount -o loop "$node/disk" "$changes"
    cp -a "$node/upper" "$node/work" "$changes"
fi
mount -t overlay -o "lowerdir=$lower,upperdir=$changes/upper,workdir=$changes/work" qalab "$node/root"
tun=
[ ! -e /dev/net/tun ] || tun=--bind=/dev/net/tun
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network SYSTEMD_SECCOMP=0
status=133
while [ "$status" = 133 ]; do
    status=0
    systemd-nspawn --directory="$node/root" --machine="$name" --boot --keep-unit --register=no --capability=all --drop-capability=CAP_SYS_TIME \\
        --network-bridge={BRIDGE} --resolv-conf=off --timezone=off --link-journal=no --console=pipe $tun || status=$?
done
exit "$status"
"""
