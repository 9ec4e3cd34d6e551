#!/bin/busybox sh
# The first program of a guest: finds its network, asks who it is, lets its owner in.  The console shows all of it.
export PATH=/bin:/sbin

say() {
    echo "guest: $*"
}

fetch() { # busybox' own time limit crashes on errors
    timeout 5 wget -q -O - "http://169.254.169.254/latest/$1" 2> /dev/null
}

/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /mnt
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts

for module in /modules/*; do
    case $module in # a switch that has no kernel's help completes no checksums
        *virtio_net.ko) insmod "$module" csum=0 gso=0 ;;
        *) insmod "$module" ;;
    esac
done
for event in /dev/input/event*; do # the power button; there is no other
    { head -c 1 "$event" > /dev/null && say "the power button" && poweroff -f; } &
done

ip link set lo up
until ip link set eth0 up 2> /dev/null; do sleep 0.1; done
until udhcpc -i eth0 -n -q -t 5 -T 1 -O staticroutes -s /bin/lease > /dev/null 2>&1; do say "no lease"; done
say "address $(ip -o -4 address show eth0 | awk '{ print $4 }')"

tries=30
until id=$(fetch meta-data/instance-id) || [ $((tries -= 1)) = 0 ]; do sleep 1; done
say "instance ${id:-without metadata}"
fetch meta-data/public-keys/0/openssh-key > /root/.ssh/authorized_keys
if fetch user-data > /tmp/user-data; then
    while read -r line || [ -n "$line" ]; do say "user data: $line"; done < /tmp/user-data
fi

dropbear -R -s # host keys are made when somebody comes
say "ready"
while sleep 3600; do :; done
