"""floating-ip: an address is allocated, associated, answers to ping and lets in by ssh; released, it is silent."""

from __future__ import annotations

import time

from lab.errors import Failed
from lab.run import run
from scripts.exercises.cases import Cases
from scripts.exercises.scene import Scene
from scripts.exercises.servers import Project, project

NAME = "floating-ip"
ANSWER_SECONDS = 60
SILENCE_SECONDS = 20


def exercise(scene: Scene, cases: Cases) -> None:
    with project(scene, cases, "glance", "nova", "neutron") as at:
        with cases.case("a server is launched") as case:
            server = at.launch(NAME)
            case.output = server.id
        with cases.case("an address is allocated and associated") as case:
            floating = at.address(server)
            address = floating.floating_ip_address
            case.output = f"{address} for {floating.fixed_ip_address}"
        with cases.case("it answers to ping") as case:
            case.output = answers(at, address)
        with cases.case("it lets in by ssh, with the key of the key pair") as case:
            case.output = at.ssh(address, "uname -a; ip -o -4 address show eth0")
            assert f" {floating.fixed_ip_address}/" in case.output, "it is another one's"  # noqa: S101 - a case is an assertion
        with cases.case("released, it no longer answers"):
            at.cloud.network.delete_ip(floating)
            last = time.monotonic() + SILENCE_SECONDS
            while ping(address, count=1, seconds=2)[0]:
                if time.monotonic() > last:
                    raise Failed(f"{address} still answers after {SILENCE_SECONDS} s")


def answers(at: Project, address: str) -> str:
    """What ping says of an address that answers.  Raises Failed, with why it may not."""
    answered, said = ping(address, count=3, seconds=ANSWER_SECONDS)
    if not answered:
        why = at.scene.ailing(*at.roles) or no_route(at) or said
        raise Failed(f"no answer to ping at {address} in {ANSWER_SECONDS} s: {why}")
    return said


def ping(address: str, count: int, seconds: int) -> tuple[bool, str]:
    """Whether so many pings are answered in time; what was counted."""
    result = run(["ping", "-n", "-c", str(count), "-w", str(seconds), address], capture=True, check=False)
    return bool(result), next((line for line in result.stdout.splitlines() if "packets transmitted" in line), "")


def no_route(at: Project) -> str:
    """What the router lacks to reach the network; "" when it is as it should be."""
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
