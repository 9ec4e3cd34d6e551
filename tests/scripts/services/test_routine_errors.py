"""Errors that daemons log when servers, routers and DHCP services end, and errors of the same programs that are real."""

from __future__ import annotations

import pytest

from scripts.services.node_health import LoggedEntry, NodeHealth

UNIT = "ovs-vswitchd.service"
ROUTINE = {
    "Open vSwitch: a server's port": "ovs|00153|dpif_netdev|ERR|error receiving data from tap5b979021-d4: Network is down",
    "Open vSwitch, in a thread": "ovs|00007|dpif_netdev(pmd-c01/id:8)|ERR|error receiving data from tap5b979021-d4: No such device",
    "Open vSwitch: a router's port": "ovs|00201|dpif_netdev|ERR|error receiving data from qr-0aa1b2c3-4d: File descriptor in bad state",
    "Open vSwitch: a gateway's port": "ovs|00202|netdev_linux|ERR|qg-0aa1b2c3-4d: failed to bind raw socket (No such device)",
    "Open vSwitch: an address": "ovs|00203|netdev_linux|ERR|ioctl(SIOCSIFHWADDR) on tap5b979021-d4 device failed: No such device",
    "dnsmasq: a network's port": "interface tap5b979021-d4 failed to join DHCPv6 multicast group: No such device",
    "dnsmasq: an answer": "failed to send packet: Network is down",
    "libvirt: statistics": "internal error: /proc/net/dev: Interface not found: tap5b979021-d4",
    "libvirt: a device": "Cannot get interface MTU on 'tap5b979021-d4': No such device",
    "libvirt: a server": "internal error: End of file from qemu monitor",
    "libvirt 9: a server": "internal error: End of file from qemu monitor (vm='instance-0000000a')",
    "libvirt: a client": "End of file while reading data: Input/output error",
    "Open vSwitch: repetitions": "ovs|00229|dpif_netdev|ERR|Dropped 1 log messages in last 15 seconds (most recently, 15 seconds ago)"
    " due to excessive rate",
    "Open vSwitch: repetitions in a thread": "ovs|00009|netdev_linux(handler3)|ERR|Dropped 12 log messages in last 11 seconds (most"
    " recently, 0 seconds ago) due to excessive rate",
    "OVN: repetitions": "ovs|00031|reconnect|ERR|Dropped 3 log messages in last 60 seconds (most recently, 9 seconds ago) due to"
    " excessive rate",
}
REAL = {
    "the node's interface": "ovs|00153|dpif_netdev|ERR|error receiving data from eth0: Network is down",
    "the tunnel": "ovs|00153|dpif_netdev|ERR|error receiving data from overlay: No such device",
    "another reason": "ovs|00153|dpif_netdev|ERR|error receiving data from tap5b979021-d4: Cannot allocate memory",
    "a port that is not taken": "ovs|00154|dpif_netdev|ERR|tap5b979021-d4: cannot set promisc flag",
    "a bridge": "ovs|00021|bridge|ERR|failed to create bridge br-int: No such device",
    "OVN": "ovs|00012|patch|ERR|bridge not found for localnet port 'provnet-1' with network name 'external'",
    "dnsmasq: an answer": "failed to send packet: Operation not permitted",
    "dnsmasq: a range": "no address range available for DHCP request via tap5b979021-d4",
    "libvirt: a server that does not start": "internal error: process exited while connecting to monitor: No such device",
    "libvirt: a device": "Unable to create tap device tap5b979021-d4: Operation not permitted",
    "a message that follows dropped ones": "ovs|00230|dpif_netdev|ERR|error receiving data from eth0: Network is down",
    "dropped packets": "ovs|00012|dpif_netdev|ERR|Dropped 12 packets due to excessive rate",
    "a traceback": "Traceback (most recent call last):",
}


UNITS = {
    "OVN": "ovn-controller.service",
    "dnsmasq": "neutron-dhcp-agent.service",
    "libvirt": "libvirtd.service",
    "libvirt 9": "virtqemud.service",
}


def errors(text: str, unit: str = UNIT) -> list[str]:
    return NodeHealth(entries=(LoggedEntry(unit, text, is_error=True),)).errors(unit)


def unit_of(what: str) -> str:
    return UNITS.get(what.partition(":")[0], UNIT)


@pytest.mark.parametrize("what", ROUTINE)
def test_end_of_a_port_is_no_error(what: str) -> None:
    assert errors(ROUTINE[what], unit_of(what)) == []


@pytest.mark.parametrize(
    "what", ["dnsmasq: an answer", "libvirt: a server", "libvirt 9: a server", "libvirt: a client", "OVN: repetitions"]
)
@pytest.mark.parametrize("unit", ["keystone.service", "rabbitmq-server.service", "my-libvirtd.service"])
def test_message_without_a_device_is_routine_in_its_unit_only(what: str, unit: str) -> None:
    assert errors(ROUTINE[what], unit) == [ROUTINE[what]]


@pytest.mark.parametrize("what", REAL)
def test_real_error_is_an_error(what: str) -> None:
    assert errors(REAL[what], unit_of(what)) == [REAL[what]]


def test_crash_is_not_routine() -> None:
    text = "error receiving data from tap5b979021-d4: Segmentation fault: Network is down"
    assert NodeHealth(entries=(LoggedEntry(UNIT, text, is_error=True),)).crashes == [(UNIT, text)]
