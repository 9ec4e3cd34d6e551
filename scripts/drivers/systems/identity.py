"""The identity of a node: its name, its addresses, the keys of OpenSSH, and the way to the mirrors for apt.

It is a tar file that the machine unpacks at its first boot (see `scripts.drivers.qemu.image`).  The lab makes the host
key, so that it knows the machine from its first answer.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lab.base import files
from lab.base.run import run

SSHD: Final = "HostKey /etc/ssh/qalab_host_key\nUseDNS no\n"
SOCKS_PORT: Final = 1080
PROXY_PORT: Final = 1081
SECRET: Final = 0o600


@dataclass(frozen=True)
class WayOut:
    """How apt on a node reaches mirrors: ports of its own loopback that are forwarded while it runs.

    ``forwards``: for the option -R of ssh(1); a port alone is a SOCKS proxy.
    """

    forwards: tuple[str, ...]
    apt_conf: str


def way_out(proxies: Mapping[str, str]) -> WayOut:
    """Return the way to mirrors of a machine with some HTTP proxies, by scheme."""
    socks = f"socks5h://127.0.0.1:{SOCKS_PORT}"
    forwards, urls = [str(SOCKS_PORT)], {"http": socks, "https": socks, "http::Proxy::127.0.0.1": socks}
    for port, (scheme, url) in enumerate(sorted(proxies.items()), PROXY_PORT):
        parts = urlsplit(url)
        login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        forwards.append(f"{port}:{parts.hostname}:{parts.port or 80}")
        urls[scheme] = f"{parts.scheme}://{login}127.0.0.1:{port}"
    names = {scheme: scheme if "::" in scheme else f"{scheme}::Proxy" for scheme in urls}
    return WayOut(tuple(forwards), "".join(f'Acquire::{names[scheme]} "{url}";\n' for scheme, url in urls.items()))


def make_key(path: Path) -> str:
    """Make a key of OpenSSH; return its public part."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "qalab", "-f", path], cwd=Path("/"))
    return " ".join(path.with_name(f"{path.name}.pub").read_text().split()[:2])


@dataclass(frozen=True)
class NodeIdentity:
    """What makes an image a node; ``host_key``: its private key, ``login``: the public key that may log in.

    ``mac``: that of the network card; "" for the first one.
    """

    name: str
    address: str
    gateway: str
    hosts: str
    host_key: str
    login: str
    prefix: int = 24
    mac: str = ""

    def contents(self, way: WayOut) -> dict[str, str]:
        """Return its files, by path."""
        return {
            "etc/hostname": f"{self.name}\n",
            "etc/hosts": self.hosts,
            "etc/resolv.conf": "",
            "etc/qalab/node": f"ADDRESS={self.address}/{self.prefix}\nGATEWAY={self.gateway}\nMAC={self.mac}\n",
            "etc/ssh/qalab_host_key": self.host_key,
            "etc/ssh/sshd_config.d/qalab.conf": SSHD,
            "root/.ssh/authorized_keys": f"{self.login}\n",
            "etc/apt/apt.conf.d/99zz-qalab": way.apt_conf,
        }


def write_tar(path: Path, texts: Mapping[str, str]) -> None:
    """Write files as a tar file; keys are only for root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in texts.items():
            data = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = SECRET if "key" in name else 0o644
            tar.addfile(member, io.BytesIO(data))
    files.write_atomic(path, packed.getvalue())


def mac(home: Path, name: str) -> str:
    """Return the address of a node's network card: one that is locally administered."""
    digits = hashlib.sha256(f"{home}/{name}".encode()).hexdigest()[:6]
    return f"52:54:00:{digits[:2]}:{digits[2:4]}:{digits[4:]}"
