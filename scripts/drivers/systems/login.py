"""The login to a node that boots: OpenSSH with the key of its environment, through a network namespace where it has one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from lab.base.errors import InfrastructureError
from lab.base.run import TimedOut, Word
from scripts.archives import mirror_cache
from scripts.chroots.bootstrap import proxies
from scripts.drivers.ssh.connection import SshMachine
from scripts.drivers.systems import connecting, identity

CLIENT_KEY: Final = "client_key"
KNOWN_HOSTS: Final = "known_hosts"
BOOT_SECONDS = 1200.0  # by emulation on a busy machine
CONNECT_SECONDS = 60  # an emulated processor takes seconds for the exchange of keys
PATIENCE_SECONDS: Final = "5"  # in which the node that boots can begin to listen


def way_out() -> identity.WayOut:
    """Return the way to mirrors of a node of this machine: its own proxy, or the one that keeps packages."""
    found = (line.partition('::Proxy "') for line in proxies())
    own = {scheme.rpartition("::")[2]: url.rstrip('";') for scheme, mark, url in found if mark and "://" in url}
    return identity.way_out({"http": mirror_cache.url(), **own} if mirror_cache.url() else own)


def connector(address: str) -> list[Word]:
    """Return the program that connects to a node for ssh, to be run in its network namespace: the node can be one that boots."""
    return [sys.executable, "-IS", connecting.__file__, address, "22", PATIENCE_SECONDS]


def login(  # noqa: PLR0913 - a node, by name
    home: Path,
    name: str,
    address: str,
    *,
    forwards: tuple[str, ...] = (),
    connect: Sequence[Word] = (),
    log: IO[str] | None = None,
) -> SshMachine:
    """Return the login to a node as root; ``connect``: see `connector`; without it, ssh connects itself."""
    through = (f"ProxyCommand={shlex.join(map(str, connect))}", "ProxyUseFdpass=yes") if connect else ()
    return SshMachine(
        home, name, f"root@{address}", address, CLIENT_KEY, KNOWN_HOSTS, log,
        forwards=forwards, options=(*through, f"ConnectTimeout={CONNECT_SECONDS}"),
    )  # fmt: skip


def missing(node: SshMachine) -> str:
    """Return why a node cannot be used yet; "" when it can."""
    try:
        _, lines = replace(node, log=None).attempt(["systemctl", "is-system-running", "--wait"], timeout=BOOT_SECONDS)
    except (InfrastructureError, TimedOut) as error:
        return str(error)
    state = lines[-1].strip() if lines else ""
    return "" if state in {"running", "degraded"} else f"its system is {state}"
