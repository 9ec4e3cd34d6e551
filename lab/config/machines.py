"""The settings of bare machines: their power, their disk, and the network that they boot from."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Final, Literal

from pydantic import Field

from lab.config.types import Label, PlainPath, SettingsModel, Text, matching

OptionName = Annotated[str, matching(r"[a-z][a-z0-9_-]*", "not an option: lower-case letters, digits, - and _")]
Mac = Annotated[
    str,
    matching(
        r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}", "not the MAC of a card: six pairs of lower-case hexadecimal digits"
    ),
]
Serial = Annotated[str, matching(r"[A-Za-z0-9_.-]+", "not a serial number: letters, digits, and _ . -")]
# A partition, such as sda1 and nvme0n1p1, is no disk.
Device = Annotated[
    str,
    matching(
        r"/dev/(?!([shv]|xv)d[a-z]+[0-9]|[a-z]+[0-9]+(n[0-9]+)?p[0-9]+$)[a-z0-9]+",
        "not a whole disk: the path of one is /dev/NAME, such as /dev/sda",
    ),
]
# Of fence agents: older names of options, and those that say how a switch is reached, and not which one it is.
OTHER_NAMES: Final = {"ipaddr": "ip", "port": "plug"}
HOW: Final = re.compile(
    r"timeout|wait|delay|retry|sleep|verbose|debug|quiet|auth|cipher|lanplus|method|privlvl|secure|ssl|tls|prompt|version|_path$"
)
Package = Annotated[str, matching(r"[a-z0-9][a-z0-9+.-]+", "not a package name")]


class Power(SettingsModel):
    """A machine's power switch, driven by a fence agent."""

    agent: Annotated[str, matching(r"fence_[a-z0-9_]+", "not a fence agent: the name of one begins with fence_")] = (
        Field(description="The fence agent, a program of Debian's fence-agents.", examples=["fence_cdu"])
    )
    options: Mapping[OptionName, str | int | bool] = Field(
        {},
        description="The agent's options as its metadata (`-o metadata`) names them, except for the user and the password.",
        examples=[{"ip": "pdu.example.org", "plug": "rack1_node0"}],
    )
    credentials: Text = Field(
        "env",
        description="The source of the user and the password: `env` (QALAB_POWER_USER, QALAB_POWER_PASSWORD; if unset, no "
        "login), `ini:PATH` (section `power`) or `keyring:SERVICE`. A relative path starts at the directory of the lab file.",
    )


class Disk(SettingsModel):
    """The disk of a machine. A disk that is not as described here is never written to."""

    path: Device = Field(description="The device, as the kernel names it.", examples=["/dev/sda"])
    serial: Serial | None = Field(None, description="Its serial number. Default: not compared.")
    size: int | None = Field(
        None, ge=1, description="Its size in bytes. Default: not compared.", examples=[480103981056]
    )


class BareMachine(SettingsModel):
    """A machine of the lab: people hold it and release it, and switch its power, with `qalab machine`.

    With `mac`, `address` and `disk` it can be installed by the lab server: a machine for the target `metal`.
    """

    power: Power = Field(description="The power switch.")
    mac: Mac | None = Field(
        None, description="The MAC of the card that it boots from. Default: none.", examples=["52:54:00:77:00:01"]
    )
    address: IPv4Address | None = Field(
        None, description="Its address in `lab_server.network`. Default: none.", examples=["10.77.0.11"]
    )
    architecture: Literal["amd64"] = Field("amd64", description="Its architecture.")
    disk: Disk | None = Field(None, description="The disk for its system. Default: none.")
    boot: Literal["bios", "uefi"] = Field("bios", description="Its firmware, which loads iPXE.")
    labels: tuple[Label, ...] = Field((), description="Labels, by which deployments choose it.", examples=[["ssd"]])
    console: PlainPath | None = Field(
        None, description="A file on this machine to which something appends the output of its console. Default: none."
    )

    @property
    def installable(self) -> bool:
        """Whether the lab server can install it."""
        return bool(self.mac and self.address and self.disk)


class LabServer(SettingsModel):
    """The server that bare machines boot from, on a network with no other DHCP server: `qalab machine serve`."""

    interface: Annotated[str, matching(r"[A-Za-z0-9_.-]{1,15}", "not the name of a network interface")] = Field(
        description="The network interface of this machine on that network.", examples=["eth1"]
    )
    network: IPv4Network = Field(description="The network.", examples=["10.77.0.0/24"])
    address: IPv4Address = Field(description="The address of the interface.", examples=["10.77.0.1"])
    port: int = Field(8070, ge=1, le=65535, description="The port of its HTTP server.")
    namespace: Label | None = Field(
        None, description="The network namespace of the interface, see ip-netns(8). Default: that of the system."
    )
    kernel: Package | None = Field(
        None,
        description="The package of the kernel for bare machines. Default: linux-image-amd64 (Ubuntu: linux-image-virtual).",
        examples=["linux-image-cloud-amd64"],
    )


class MetalChoice(SettingsModel):
    """The choice of bare machines for a deployment."""

    labels: tuple[Label, ...] = Field((), description="The labels that a machine must have. Default: any machine.")
    boot_minutes: int = Field(
        20, ge=1, le=600, description="The maximum time to restore and boot a machine, in minutes."
    )


def _is_host(network: IPv4Network, address: IPv4Address) -> bool:
    ends = {network.network_address, network.broadcast_address} if network.prefixlen < 31 else set()  # noqa: PLR2004 - RFC 3021
    return address in network and address not in ends


def _plug(power: Power) -> str:
    """Return what a power switch is, whatever way its options are written; "" for one that they do not tell."""
    names = {name: name.replace("-", "_") for name in power.options}
    which = {OTHER_NAMES.get(names[name], names[name]): str(value) for name, value in power.options.items()}
    told = sorted(option for option in which.items() if not HOW.search(option[0]))
    return f"{power.agent} {told}" if told else ""


def contradictions(
    machines: Mapping[str, BareMachine], server: LabServer | None, tracks: Container[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what cannot be true of machines and their server, each with its key."""
    seen: dict[str, str] = {}
    if server and not _is_host(server.network, server.address):
        yield ("lab_server", "address"), f"not the address of a machine in the network {server.network}"
    for name, machine in machines.items():
        if name in tracks:
            yield ("machines", name), "is a track: qalab env would not tell one from the other"
        given = [key for key in ("mac", "address", "disk") if getattr(machine, key)]
        if given and not machine.installable:
            yield ("machines", name), f"mac, address and disk belong together; found: {', '.join(given)}"
        for key in ("mac", "address", "console"):
            value = str(getattr(machine, key) or "")
            if value and (other := seen.setdefault(value, name)) != name:
                yield ("machines", name, key), f"{value} is that of {other}"
        plug = _plug(machine.power)
        if plug and (other := seen.setdefault(plug, name)) != name:
            yield ("machines", name, "power"), f"it is the power switch of {other}"
        if (
            machine.address
            and server
            and (not _is_host(server.network, machine.address) or machine.address == server.address)
        ):
            yield ("machines", name, "address"), f"not an address for a machine in {server.network}"
    if not server and any(machine.mac for machine in machines.values()):
        yield ("lab_server",), "missing; machines with a mac boot from it"
