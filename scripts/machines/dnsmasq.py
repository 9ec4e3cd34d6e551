"""dnsmasq for a lab server: DHCP, TFTP and router advertisements for the machines of lab.yaml alone; see dnsmasq(8)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.base import files
from lab.base.errors import InfrastructureError
from lab.base.run import Word
from lab.config.description import Lab
from lab.config.machines import BareMachine, LabServer

# For firmware without iPXE: Debian's package ipxe.
LOADERS: Final = {"undionly.kpxe": Path("/usr/lib/ipxe/undionly.kpxe"), "ipxe.efi": Path("/boot/ipxe.efi")}
SCRIPT: Final = "boot.ipxe"
CONFIGURATION: Final = "dnsmasq.conf"


def configuration(lab: Lab, server: LabServer, tftp: Path) -> str:
    """Return the configuration; ``tftp``: the directory of the loaders."""
    url = f"http://{server.address}:{server.port}"
    lines = [
        "port=0",  # no DNS
        "bind-interfaces",
        f"interface={server.interface}",
        "except-interface=lo",
        "dhcp-authoritative",
        f"dhcp-range={server.network.network_address},static,{server.network.netmask},1h",
        "dhcp-ignore=tag:!known",
        f"dhcp-leasefile={_quoted(tftp.parent / 'leases')}",
        "enable-tftp",
        f"tftp-root={_quoted(tftp)}",
        "dhcp-match=set:ipxe,175",
        "dhcp-match=set:efi,option:client-arch,7",
        "dhcp-match=set:efi,option:client-arch,9",
        "dhcp-match=set:efihttp,option:client-arch,16",
        f"dhcp-boot=tag:ipxe,{url}/{SCRIPT}",
        "dhcp-boot=tag:!ipxe,tag:efi,ipxe.efi",
        f"dhcp-boot=tag:!ipxe,tag:efihttp,{url}/ipxe.efi",
        "dhcp-option-force=tag:efihttp,60,HTTPClient",
        "dhcp-boot=tag:!ipxe,tag:!efi,tag:!efihttp,undionly.kpxe",
        "dhcp-option=encap:175,176,1b",  # iPXE does not wait for a proxy DHCP server
        "enable-ra",  # without an advertisement, iPXE waits 13 s for one
        "dhcp-range=fd77::,ra-only",
        "user=root",  # the signal at the death of its parent is lost with a change of the user: prctl(2)
        "log-dhcp",
    ]
    for name, machine in lab.machines.items():
        if machine.installable:  # without its name: "ignore", "24h" and others mean something else there
            lines += [f"# {name}", _host(machine)]
    return "".join(f"{line}\n" for line in lines)


def _host(machine: BareMachine) -> str:
    return f"dhcp-host={machine.mac},{machine.address}"


def unknown(machine: BareMachine, home: Path) -> str:
    """Return why the lab server whose directory is ``home`` does not answer a machine; "" when it does."""
    path = home / CONFIGURATION
    if not path.exists() or _host(machine) in path.read_text().splitlines():
        return ""
    return f"the lab server began before lab.yaml had {machine.mac} at {machine.address}: begin it anew"


def _quoted(path: Path) -> str:
    """Return a path as dnsmasq reads it: without quotes, a comma in it begins the next word."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def prepare(lab: Lab, server: LabServer, home: Path) -> Sequence[Word]:
    """Write the configuration below a directory; return the command, which ends with its parent."""
    tftp = home / "tftp"
    tftp.mkdir(parents=True, exist_ok=True)
    for name, path in LOADERS.items():
        if not path.exists():
            raise InfrastructureError(f"{path} is not on this machine: apt-get install ipxe")
        shutil.copyfile(path, tftp / name)
    files.write_atomic(home / CONFIGURATION, configuration(lab, server, tftp))
    return ["setpriv", "--pdeathsig", "TERM", "dnsmasq", "--keep-in-foreground", "--log-facility=-",
            f"--conf-file={home / CONFIGURATION}"]  # fmt: skip
