"""Servers from outside: ping and ssh at their floating addresses, and why there may be no answer."""

from __future__ import annotations

import tempfile
import time

from lab.base.errors import Failed
from lab.base.run import attempt, run
from scripts.exercises.servers import LOOK_SECONDS, Project

ANSWER_SECONDS = 60
SSH_SECONDS = 60
NO_CONNECTION = 255  # of ssh itself; any other status is that of the command
SSH = (
    "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR",
    "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=5",
    # A guest has a new host key at each start.
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
)  # fmt: skip


def answers(at: Project, address: str) -> str:
    """Return ping's output for an address that answers.  Raises Failed, with the probable reason, otherwise."""
    last = time.monotonic() + ANSWER_SECONDS
    while True:
        answered, reply = ping(address)
        if answered:
            return reply
        if time.monotonic() > last:
            why = at.scene.ailing(*at.roles) or no_route(at) or reply
            raise Failed(f"no answer to ping at {address} in {ANSWER_SECONDS} s: {why}")
        time.sleep(LOOK_SECONDS)


def ping(address: str) -> tuple[bool, str]:
    """Return whether an address answers now, and ping's output."""
    result = run(["ping", "-n", "-c", "1", "-W", "2", address], capture=True, check=False)
    lines = [line for line in result.stdout.splitlines() if "from" in line.lower() or "packet loss" in line]
    return bool(result), lines[0] if lines else f"ping ended with status {result.returncode}"


def ssh(at: Project, address: str, command: str) -> str:
    """Return the output of a command on a guest.  Raises Failed, with the output of ssh or the command."""
    argv = [*SSH, "-i", at.scene.given.key, f"root@{address}", command]
    last = time.monotonic() + SSH_SECONDS
    while True:
        with tempfile.NamedTemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as log:
            result, lines = attempt(argv, log)
        if result:
            return "\n".join(lines)
        if result.returncode != NO_CONNECTION or time.monotonic() > last:
            raise Failed(f"ssh root@{address}: {lines[-1] if lines else f'status {result.returncode}'}")
        time.sleep(LOOK_SECONDS)


def no_route(at: Project) -> str:
    """Return the reason why the router does not reach the network; "" when it is set up correctly."""
    given, network = at.scene.given, at.cloud.network
    router = next((each for each in network.routers() if each.id == given.router), None)
    if router is None:
        return "the router is gone"
    if not router.external_gateway_info:
        return f"the router {router.name} has no gateway"
    if not router.is_admin_state_up:
        return f"the router {router.name} is down"
    if not any(network.ports(device_id=router.id, network_id=given.network)):
        return f"the router {router.name} is not on the network"
    return ""
