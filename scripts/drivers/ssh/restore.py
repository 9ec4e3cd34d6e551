"""Restoring machines to pristine with a command of lab.yaml, with proof, and preparing them as nodes.

A machine in use has a mark, which disappears only when the machine is restored: while the mark exists, the machine is
not pristine, whatever the command reports.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from lab.base.clock import Clock
from lab.base.errors import InfrastructureError, LabError
from lab.base.run import TimedOut, attempt, complaint
from lab.config.deployment import Machines
from scripts.chroots.bootstrap import APT_OPTIONS, NO_DAEMONS
from scripts.drivers.ssh.connection import SshMachine

MARK = "/var/lib/qalab/environment"
LOOK_SECONDS = 0.5
LAST_LOOK_SECONDS = 10.0  # a machine that is back at the last moment may take a while to say so
# A machine in installation can refuse the login for a while; permanent refusal is an error.
REFUSED_SECONDS = 120.0
REFUSALS = ("host key", "Permission denied", "sudo: ")
STALE = "it still is what it was before: it was not restored"
BACK = f"""
if [ -e {MARK} ]; then echo '{STALE}' >&2; exit 1; fi
state=$(systemctl is-system-running --wait || true)
case "$state" in running|degraded) ;; *) echo "its system is $state" >&2; exit 1 ;; esac
"""
# $1: the node's name, the rest: lines of hosts(5).  What would wake up in the middle of a test is not to.
NODE = """
hostname "$1"
echo "$1" > /etc/hostname
shift
printf '%s\\n' "$@" >> /etc/hosts
for name in apt-daily apt-daily-upgrade unattended-upgrades; do
    for kind in timer service; do
        systemctl --quiet mask --now "$name.$kind" || true
    done
done
"""
APT_CONF = "".join(f"{option};\n" for option in (*APT_OPTIONS, 'DPkg::Lock::Timeout "300"'))


def restore(nodes: Sequence[SshMachine], machines: Machines, log: IO[str] | None, whose: str) -> None:
    """Restore machines: run the commands one after the other, then wait for all machines.

    Raises InfrastructureError for a command that fails, and a machine that is not back in time.
    """
    for node in nodes:
        with suppress(LabError):  # it does not answer, so it cannot be confused with its old state
            node.write(MARK, f"{whose}\n")
        node.hang_up()
    for node in nodes:
        _command(node, machines, log)
    clock = Clock()
    last = clock.monotonic() + machines.boot_minutes * 60
    for node in nodes:
        _come_back(node, last, machines.boot_minutes, clock)


def prepare(nodes: Sequence[SshMachine], whose: str) -> None:
    """Make machines that are back nodes of one deployment, as the other drivers make them."""
    hosts = [f"{node.address} {node.name}" for node in nodes]
    for node in nodes:
        node.write(MARK, f"{whose}\n")
        node.write("/usr/sbin/policy-rc.d", NO_DAEMONS, 0o755)
        node.write("/etc/apt/apt.conf.d/99qalab", APT_CONF)
        node.run(["sh", "-euc", NODE, "sh", node.name, *hosts])


def _command(node: SshMachine, machines: Machines, log: IO[str] | None) -> None:
    argv = [word.replace("{host}", node.host).replace("{node}", node.name) for word in machines.restore]
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as passing:
        try:
            result, lines = attempt(argv, log or passing, timeout=machines.boot_minutes * 60)
        except TimedOut as error:
            raise InfrastructureError(f"{node}: restoring it: {error}") from None
    if not result:
        telling = complaint(lines) or "it said nothing"
        raise InfrastructureError(f"{node}: {shlex.join(argv)} ended with status {result.returncode}: {telling}")


def _come_back(node: SshMachine, last: float, minutes: int, clock: Clock) -> None:
    """Wait until a machine is restored and booted."""
    refused = 0.0
    while why := _missing(node, last - clock.monotonic()):
        node.hang_up()
        now = clock.monotonic()
        refused = (refused or now) if any(word in why for word in REFUSALS) else 0.0
        if now > last:
            raise InfrastructureError(f"{node}: does not come back within {minutes} min: {why}")
        if refused and now - refused > REFUSED_SECONDS:
            raise InfrastructureError(f"{node}: does not come back: {why}")
        clock.sleep(LOOK_SECONDS)


def _missing(node: SshMachine, seconds: float) -> str:
    """Return the reason why a machine is not back yet; "" when it is back."""
    try:
        result, lines = node.attempt(["sh", "-euc", BACK], timeout=max(LAST_LOOK_SECONDS, seconds))
    except TimedOut:
        return "it does not finish booting"
    except InfrastructureError as error:
        return str(error).removeprefix(f"{node}: ")
    return "" if result else lines[-1].strip() if lines else f"status {result.returncode}"
