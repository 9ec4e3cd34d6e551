#!/bin/busybox sh
# What udhcpc says of a lease, done; see its README on the names.  Routes of their own replace the router: RFC 3442.
# shellcheck disable=SC2154 # they come from the environment
[ "$1" = bound ] || exit 0
[ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
ip address add "$ip/$mask" dev "$interface"
[ -n "$staticroutes" ] || staticroutes=${router:+0.0.0.0/0 ${router%% *}}
# shellcheck disable=SC2086 # pairs of words
set -- $staticroutes
while [ $# -ge 2 ]; do
    if [ "$2" = 0.0.0.0 ]; then ip route add "$1" dev "$interface"; else ip route add "$1" via "$2"; fi
    shift 2
done
exit 0
