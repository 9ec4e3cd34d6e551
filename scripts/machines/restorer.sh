#!/bin/sh
# The first process of the restorer: it boots by network, asks the lab server for its task, does it, and hands over to
# the system on the disk.  It runs in busybox; see scripts/machines/restorer.py.
set -u
# shellcheck disable=SC3040
set -o pipefail
export PATH=/usr/sbin:/sbin:/bin HOME=/root
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /mnt /root /sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec < /dev/console > /dev/console 2>&1
server='' token='' address='' mac='' TASK=''
read -r words < /proc/cmdline
for word in $words; do
    case "$word" in
    qalab.server=*) server=${word#*=} ;;
    qalab.token=*) token=${word#*=} ;;
    qalab.address=*) address=${word#*=} ;;
    qalab.mac=*) mac=${word#*=} ;;
    esac
done

post() { timeout 10 wget -q -O /dev/null --post-data "$2" "$server/$1/$token"; }

stage() {
    read -r up _ < /proc/uptime
    echo "qalab: $1 at $up s"
    post stage "$1 $up" || echo "qalab: the lab server did not take the stage $1"
}

fail() {
    echo "qalab: failed: $1"
    sync
    # Without a task nobody waits, and the server knows another way for its next boot.
    post failed "$1" && [ "${1%% *}-$TASK" = kexec-local ] && restart
    while :; do sleep 3600; done
}

# Run a program; fail with its last line, but for where there is help.
try() {
    "$@" > /tmp/said 2>&1 || fail "$1 ${2-}: $(grep -v -e '--help' /tmp/said | tail -n 1)"
}

upload() {
    host=${server#http://}
    {
        printf 'PUT /%s/%s HTTP/1.0\r\nContent-Length: %s\r\n\r\n' "$1" "$token" "$(stat -c %s "$2")"
        cat "$2"
    } | timeout 120 nc "${host%:*}" "${host#*:}" > /tmp/said 2>&1
    head -n 1 /tmp/said | grep -q ' 200 ' || fail "the lab server did not take the $1: $(head -n 1 /tmp/said)"
}

restart() {
    sync
    echo b > /proc/sysrq-trigger
}

load_modules() {
    # A bus that a module serves can have further devices: the second time.
    for _ in 1 2; do
        find /sys/devices -name modalias -exec cat {} + 2> /dev/null | sort -u | xargs /usr/sbin/modprobe -a -b -q 2> /dev/null
    done
    # lvcreate wants the target snapshot for thin ones, too.
    /usr/sbin/modprobe -a -q dm-thin-pool dm-snapshot ext4
}

network() {
    for _ in $(seq 150); do
        for path in /sys/class/net/*; do
            if [ "$(cat "$path/address")" = "$mac" ]; then
                ip link set "${path##*/}" up
                ip address add "$address" dev "${path##*/}"
                return
            fi
        done
        sleep 0.2
    done
    echo "qalab: no network card has the address $mac"
}

ask() {
    for _ in $(seq 60); do
        timeout 10 wget -q -O /tmp/task "$server/task/$token" 2> /tmp/said && return
        ! grep -q 'HTTP/1' /tmp/said || fail "no task: $(cat /tmp/said)"
        sleep 0.5
    done
    fail "the lab server $server does not answer: $(cat /tmp/said)"
}

# Print the forms of a disk's serial numbers, one a line: without what is no letter or digit, and the last word, before which
# a wwid has the maker and the model, and a page of SCSI its header. Without [:alnum:], which busybox of Ubuntu 22.04 has not.
serial_numbers() {
    for file in serial device/serial device/vpd_pg80 wwid device/wwid; do
        [ -r "/sys/block/$1/$file" ] || continue
        tr -cd 'A-Za-z0-9_.-' < "/sys/block/$1/$file"
        echo
        word=''
        for word in $(tr -cs 'A-Za-z0-9_.-' ' ' < "/sys/block/$1/$file"); do :; done
        echo "$word"
        echo "${word#naa.}"
        echo "${word#eui.}"
    done
}

# A disk that is not the one described is never written to.
check_disk() {
    name=${DISK#/dev/}
    for _ in $(seq 150); do  # a controller can search for its disks for long
        [ ! -b "$DISK" ] || break
        sleep 0.2
    done
    [ -b "$DISK" ] || fail "the disk $DISK is not there; there are: $(cd /sys/block && echo *)"
    [ -e "/sys/block/$name/size" ] || fail "$DISK is no whole disk; nothing was written"
    size=$(($(cat "/sys/block/$name/size") * 512))
    [ -z "$DISK_SIZE" ] || [ "$size" = "$DISK_SIZE" ] || fail "wrong disk: $DISK has $size bytes, not $DISK_SIZE; nothing was written"
    if [ -n "$SERIAL" ]; then
        serial_numbers "$name" > /tmp/serials
        grep -qxF -- "$SERIAL" /tmp/serials ||
            fail "wrong disk: the serial number of $DISK is $(grep . /tmp/serials | head -n 1), not $SERIAL; nothing was written"
    fi
    mkdir -p /etc/lvm
    cat > /etc/lvm/lvm.conf <<END
devices { filter = [ "$DEVICES", "r|.*|" ] use_devicesfile = 0 }
activation { $ACTIVATION }
backup { backup = 0 archive = 0 }
global { use_lvmpolld = 0 }
END
}

# Read the names of the group's volumes; return whether the group is there. A list that cannot be read is not an empty one: what
# is there would be installed again. Each call of lvm takes a noticeable time.
read_group() {
    lvm lvs --noheadings -o lv_name "$VG" > /tmp/volumes 2> /tmp/why && return
    try lvm vgs --noheadings -o vg_name
    ! grep -q "^ *$VG *\$" /tmp/said || fail "lvm lvs: $(tail -n 1 /tmp/why)"
    return 1
}

volumes() { tr -d ' ' < /tmp/volumes; }

# Not by grep -q: it ends before its input does, and the signal for that is a failure of the pipe.
has_volume() {
    case "$(volumes)" in
    "$1" | "$1
"* | *"
$1" | *"
$1
"*) return 0 ;;
    *) return 1 ;;
    esac
}

remove() { try lvm lvremove -q -f "$VG/$1"; }

# A disk with the data of another use is overwritten only where a person has asked for the installation.
check_use() {
    [ "$INSTALL" = 1 ] && return
    used=$(dd if="$DISK" bs=1M count=8 2> /dev/null | tr -d '\0' | wc -c) || fail "the disk $DISK cannot be read; nothing was written"
    [ "$used" = 0 ] && return
    # An installation that ended here has made a physical volume without a group.
    lvm pvs --noheadings -o vg_name "$DISK" > /tmp/said 2>&1 && ! grep -q '[^ ]' /tmp/said && return
    fail "the disk $DISK has no volume group $VG and is not empty; nothing was written: qalab machine install overwrites it"
}

install() {
    if ! read_group; then
        check_use
        try dd if=/dev/zero of="$DISK" bs=1M count=8
        try lvm pvcreate -q -ff -y "$DISK"
        try lvm vgcreate -q "$VG" "$DISK"
        read_group || fail "lvm vgcreate: there is no group $VG"
    fi
    if ! has_volume "$POOL"; then
        # shellcheck disable=SC2086
        try lvm lvcreate -q -y -Zy $POOL_OPTIONS -n "$POOL" "$VG"
    fi
    for name in $(volumes); do
        case "$name" in
        "$OLD"*-*) ;;  # of another series, whose name begins with that of this one
        "$ROOT" | "$NEW" | "$OLD"*) remove "$name" ;;
        esac
    done
    # An inactive pool does not say how much of it is used.
    try lvm lvchange -q -ay "$VG/$POOL"
    whole=$(lvm lvs --noheadings --nosuffix --units b -o lv_size "$VG/$POOL" | tr -d ' ')
    used=$(lvm lvs --noheadings -o data_percent "$VG/$POOL" | tr -d ' ')
    if [ -z "$whole" ] || [ -z "$used" ]; then fail "the size of $VG/$POOL cannot be read"; fi
    [ $((whole * (99 - ${used%.*}) / 100)) -gt "$IMAGE_SIZE" ] ||
        fail "the volume group $VG is full: $used % of $whole bytes are used, and the system has $IMAGE_SIZE bytes"
    size=$ROOT_SIZE
    [ "$size" -le "$whole" ] || size=$((whole / 4194304 * 4194304))
    try lvm lvcreate -q -y -V "${size}b" --thinpool "$VG/$POOL" -n "$NEW"
    stage volumes
    try /usr/sbin/mke2fs -q -F -t ext4 -O "$FEATURES" -L qalab -E nodiscard "/dev/$VG/$NEW"
    mount -t ext4 -o noatime "/dev/$VG/$NEW" /mnt || fail "the new file system cannot be mounted"
    # The server has verified its digest; here that takes longer than all the rest.  A cut stream fails in wget and in tar.
    # In large parts: a change of the process for each 4 kB takes most of the time of an emulated processor.
    wget -q -O - "$server/image/$token" 2> /tmp/fetching |
        /usr/sbin/nice -n 19 /usr/sbin/tar -b 128 -x -f - -C /mnt 2> /tmp/unpacking ||
        fail "the image: $(cat /tmp/fetching /tmp/unpacking | head -n 1)"
    stage unpacked
    try umount /mnt
    # A disk or a pool that did not take all of it: neither umount nor sync of busybox tells.
    ! dmesg | grep -E '(dm-[0-9]+.* I/O error|(I/O error|Aborting journal) on dev[a-z]* dm-[0-9])' > /tmp/said ||
        fail "not all was written: $(head -n 1 /tmp/said)"
    # Under this name, it is whole.
    try lvm lvrename -q "$VG" "$NEW" "$PRISTINE"
    try lvm lvchange -q -ky -pr "$VG/$PRISTINE"
    stage installed
}

restore() {
    read_group && lvm vgchange -q -ay "$VG" > /dev/null 2>&1
    if [ "$INSTALL" = 1 ] && has_volume "$PRISTINE"; then
        remove "$PRISTINE"
        read_group
    fi
    # What an installer has made stays until the machine is installed from here.
    if [ "$INSTALL" = 0 ] && has_volume "$BY_INSTALLER"; then
        PRISTINE=$BY_INSTALLER
        stage by_installer
    fi
    if ! has_volume "$PRISTINE"; then
        echo "qalab: no volume $PRISTINE; there are: $(volumes | tr '\n' ' ')"
        install
        read_group
    fi
    ! has_volume "$ROOT" || remove "$ROOT"
    try lvm lvcreate -q -y -s -kn -prw -n "$ROOT" "$VG/$PRISTINE"
    [ -e "/dev/$VG/$ROOT" ] || try lvm lvchange -q -ay "$VG/$ROOT"
    mount -t ext4 "/dev/$VG/$ROOT" /mnt || fail "the new root cannot be mounted"
    wget -q -O - "$server/identity/$token" | tar -x -f - -C /mnt || fail "the identity of the node"
    stage restored
}

local_root() {
    lvm vgchange -q -ay "$VG" > /dev/null 2>&1
    [ -e "/dev/$VG/$ROOT" ] || fail "no root on the disk, and no task"
    mount -t ext4 -o ro "/dev/$VG/$ROOT" /mnt || fail "the root on the disk cannot be mounted"
}

hand_over() {
    kernel=$(find /mnt/boot -name 'vmlinuz-*' | sort -V | tail -n 1)
    release=${kernel#*/vmlinuz-}
    [ -n "$kernel" ] || fail "no kernel in the root"
    if [ "$release" = "$(uname -r)" ] && [ "$ALWAYS" = 0 ]; then
        stage switch_root
        mount -o remount,ro /mnt
        for name in proc sys dev; do mount --move "/$name" "/mnt/$name"; done
        exec switch_root -c /dev/console /mnt /sbin/init
    fi
    if [ "$WAY" = reboot ]; then
        upload kernel "$kernel"
        upload initrd "/mnt/boot/initrd.img-$release"
        stage reboot
        umount /mnt
        lvm vgchange -q -an "$VG" > /dev/null 2>&1
        restart
        fail "no reboot for the kernel $release"
    fi
    try kexec -l "$kernel" --initrd="/mnt/boot/initrd.img-$release" --command-line="root=/dev/$VG/$ROOT ro $ARGUMENTS"
    stage kexec
    umount /mnt
    lvm vgchange -q -an "$VG" > /dev/null 2>&1
    sync
    kexec -e
    fail "kexec did not start the kernel $release"
}

load_modules
network
ask
# shellcheck disable=SC1091
. /tmp/task
stage task
check_disk
if [ "$TASK" = restore ]; then restore; else local_root; fi
hand_over
