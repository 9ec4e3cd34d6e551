"""Errors that daemons log in their routine, when a server, a router or a DHCP service of a cloud ends.

neutron names the device of a port after the port, and removes it while Open vSwitch, OVN, libvirt and dnsmasq may still
use it.  A device of the node itself (``eth0``, a bridge, the tunnel) does not match, nor does an error for another reason.
A message without a device is routine in the units of its program only.
"""

from __future__ import annotations

import re

# A prefix of neutron's and the first 11 characters of the port's UUID.
PORT = r"\b(?:tap|qvo|qvb|qr-|qg-|sg-|rfp-|fpr-|fg-|ha-)[0-9a-f]{8}-[0-9a-f]{2}\b"
# ENODEV, ENXIO, ENETDOWN, EBADFD, and what libvirt says without a number.
GONE = r"(?:No such device(?: or address)?|Network is down|File descriptor in bad state|/proc/net/dev: Interface not found)"
# Most programs put the reason last, some in parentheses; libvirt names the device last.
OF_PORTS = re.compile(rf"{PORT}.*{GONE}\W*$|{GONE}.*{PORT}\W*$")
# Units with the messages of their programs.
OF_UNITS = (
    # dnsmasq answers a server that has just ended; only a gone device has these reasons.
    (re.compile(r"(?:neutron-dhcp-agent|dnsmasq)\b"),
     re.compile(r"failed to send packet: (?:No such device(?: or address)?|Network is down)")),
    # libvirt: the process of a server ended; a client closed its connection.
    (re.compile(r"(?:libvirtd|virt[a-z]+d)\b"),
     re.compile(r"(?:internal error: )?End of file from qemu monitor(?: \(vm='instance-[0-9a-f]{8}'\))?|"
                r"End of file while reading data: Input/output error")),
    # Open vSwitch and OVN: the message whose repetition was dropped comes next, and counts by itself.
    (re.compile(r"(?:ovs|ovn)[a-z-]*\b"),
     re.compile(r"ovs\|\d+\|.*\|ERR\|Dropped \d+ log messages in last \d+ seconds \(.*\) due to excessive rate")),
)  # fmt: skip


def is_routine(unit: str, text: str) -> bool:
    """Return whether an error of a unit is about a device or a process that has ended as it should, or none by itself."""
    return bool(OF_PORTS.search(text)) or any(units.match(unit) and said.fullmatch(text) for units, said in OF_UNITS)
