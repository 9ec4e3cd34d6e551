"""What exercises of a cloud share: how states are waited for, and how servers are reached, with programs that pretend."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.base.errors import ConfigurationError, Failed
from lab.base.run import Result
from scripts.exercises import reachability, servers
from scripts.exercises.reachability import answers, no_route, ssh
from scripts.exercises.scene import Scene
from scripts.exercises.servers import Project
from scripts.services.cloud_settings import Configured
from scripts.services.deployed_state import Deployed, Service

GIVEN = Configured(user="u", password="p", project="q", access="a", secret="s", router="r", network="n", key="/key")


@dataclass(frozen=True)
class Machine:
    """A node with units in given states."""

    states: dict[str, str]
    name: str = "node0"
    asked: list[str] = field(default_factory=list)

    def run(self, argv: list[str], **_: Any) -> Result:
        units = argv[2:]
        self.asked.extend(units)
        return Result(tuple(argv), 3, "".join(f"{self.states[unit]}\n" for unit in units))


def scene(**states: str) -> Scene:
    """A deployment with the roles ``nova`` and ``cinder``, each with two units."""
    services = {
        role: Service(role=role, nodes=("node0",), packages=(), units=(f"{role}-api", f"{role}-other"))
        for role in ("nova", "cinder")
    }
    deployed = Deployed(
        track="t", component="c", version="1", commit="", finished="", nodes={}, services=services, packages=()
    )
    units = {unit: states.get(unit.replace("-", "_"), "active") for each in services.values() for unit in each.units}
    return Scene(deployed, {"node0": Machine(units)}, GIVEN)  # type: ignore[dict-item]


def project(of: Scene, network: Any = None) -> Project:
    return Project(of, SimpleNamespace(network=network), ("nova",))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("roles", "states", "found"),
    [
        (("nova", "cinder"), {}, ""),
        (("nova",), {"cinder_api": "failed"}, ""),
        (("nova", "cinder"), {"cinder_api": "failed"}, "cinder-api on node0 is failed"),
        (("nova",), {"nova_other": "inactive"}, "nova-other on node0 is inactive"),
    ],
)
def test_ailing_services_of_roles(roles: tuple[str, ...], states: dict[str, str], found: str) -> None:
    assert scene(**states).ailing(*roles) == found


def test_scene_without_configuration_is_refused() -> None:
    full = scene()
    assert full.given is GIVEN
    with pytest.raises(ConfigurationError, match="needs what the step configure makes"):
        _ = Scene(full.deployed, full.nodes).given


@pytest.mark.parametrize(
    ("name", "role", "found"),
    [
        ("nova-compute", "nova", "nova-compute"),  # of Juju: its packages are nova's
        ("api", "nova-compute", "api"),
        ("nova-compute", "package", ""),
        ("nova", "nova", ""),
    ],
)
def test_scene_has_a_role(name: str, role: str, found: str) -> None:
    service = Service(role=role, nodes=("node0",), packages=())
    services = {"nova-cloud-controller": Service(role="nova", nodes=(), packages=()), name: service}
    at = replace(scene(), deployed=scene().deployed.model_copy(update={"services": services}))
    if found:
        assert at.role("nova-compute") is service
    else:
        with pytest.raises(ConfigurationError, match="needs a nova-compute, and the deployment has none"):
            at.role("nova-compute")


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time flies: two seconds a look."""
    clock = itertools.count(step=2)
    for module in (servers, reachability):
        monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
        monkeypatch.setattr(module.time, "sleep", lambda _: None)


@pytest.mark.usefixtures("hours")
@pytest.mark.parametrize(
    ("looks", "states", "message"),
    [
        (["BUILD", "ACTIVE"], {}, ""),
        (["ACTIVE"], {"nova_api": "failed"}, ""),
        (
            ["BUILD", "ERROR (no host)"],
            {},
            "the server is ERROR (no host) and not ACTIVE: see the logs of its services",
        ),
        (["BUILD", "error"], {"nova_api": "failed"}, "the server is error and not ACTIVE: nova-api on node0 is failed"),
        (["BUILD"], {"nova_api": "failed"}, "the server is BUILD and not ACTIVE: nova-api on node0 is failed"),
        (["BUILD"], {}, "the server is BUILD and not ACTIVE: after 120 s"),
    ],
)
def test_wait_for_server_state(looks: list[str], states: dict[str, str], message: str) -> None:
    left = iter(looks)
    at, last = project(scene(**states)), looks[-1]
    if not message:
        at.wait("the server", lambda: next(left, last), "ACTIVE")
        return
    with pytest.raises(Failed) as raised:
        at.wait("the server", lambda: next(left, last), "ACTIVE")
    assert str(raised.value) == message


@pytest.mark.usefixtures("hours")
@pytest.mark.parametrize(
    ("consoles", "expected"),
    [
        (["", "Linux\r\n", "Linux\r\nguest: address 10.0.0.2/24\r\nguest: ready\r\n"], "guest: address 10.0.0.2/24\nguest: ready\n"),
        (["guest: ready\n"], "guest: ready\n"),
        ([""], "the guest is booting (its console is empty) and not ready: after 120 s"),
        (["Linux\r\nguest: no lease\r\n\r\n"], "the guest is booting (guest: no lease) and not ready: after 120 s"),
        (["guest: ready or not\n"], "the guest is booting (guest: ready or not) and not ready: after 120 s"),
    ],
)  # fmt: skip
def test_guest_boots(consoles: list[str], expected: str) -> None:
    left, last = iter(consoles), consoles[-1]
    compute = SimpleNamespace(get_server_console_output=lambda _server: {"output": next(left, last)})
    network = SimpleNamespace(ports=lambda **_: [])
    at = replace(project(scene()), cloud=SimpleNamespace(compute=compute, network=network))
    if expected.endswith("\n"):
        assert at.booted(SimpleNamespace(id="1")) == expected
        return
    with pytest.raises(Failed) as raised:
        at.booted(SimpleNamespace(id="1"))
    assert str(raised.value) == expected


def test_guest_has_its_address_before_it_is_ready() -> None:
    console = "Linux\r\nguest: no lease\r\nguest: address 10.0.0.2/24\r\n"
    compute = SimpleNamespace(get_server_console_output=lambda _server: {"output": console})
    at = replace(project(scene()), cloud=SimpleNamespace(compute=compute))
    assert at.booted(SimpleNamespace(id="1"), servers.ADDRESS) == "guest: no lease\nguest: address 10.0.0.2/24\n"


def programs(monkeypatch: pytest.MonkeyPatch, at: Path, **scripts: str) -> None:
    """Programs of this machine's, as they are wanted."""
    for name, script in scripts.items():
        (at / name).write_text(f"#!/bin/sh\n{script}\n")
        (at / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{at}:/usr/bin:/bin")


UNREACHABLE = "From 10.0.0.1 icmp_seq=1 Destination Host Unreachable"
SILENT = "1 packets transmitted, 0 received, 100% packet loss, time 0ms"


@pytest.mark.usefixtures("hours")
@pytest.mark.parametrize(
    ("output", "states", "why"),
    [
        (UNREACHABLE, {}, UNREACHABLE),
        (SILENT, {}, SILENT),
        (SILENT, {"nova_api": "failed"}, "nova-api on node0 is failed"),
    ],
)
def test_ping_without_answer_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, states: dict[str, str], why: str
) -> None:
    programs(monkeypatch, tmp_path, ping=f"echo '{output}'; exit 1")
    monkeypatch.setattr(reachability, "ANSWER_SECONDS", 8)
    network = routers()
    with pytest.raises(Failed) as raised:
        answers(project(scene(**states), network), "1.2.3.4")
    assert str(raised.value) == f"no answer to ping at 1.2.3.4 in 8 s: {why}"


@pytest.mark.usefixtures("hours")
def test_ping_is_repeated_until_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = "64 bytes from 1.2.3.4: icmp_seq=1 ttl=62 time=1 ms"
    programs(monkeypatch, tmp_path, ping=f'echo >> "$0.calls"; [ "$(wc -l < "$0.calls")" = 3 ] && echo "{reply}"')
    assert answers(project(scene()), "1.2.3.4") == reply


SSH = 'echo >> "$0.calls"; printf "%s\\n" "$@" > "$0.argv"; echo Linux; echo no such disk >&2'


def test_ssh_prints_command_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, tmp_path, ssh=SSH)
    assert ssh(project(scene()), "1.2.3.4", "uname") == "Linux\nno such disk"
    assert (tmp_path / "ssh.argv").read_text().splitlines()[-4:] == ["-i", "/key", "root@1.2.3.4", "uname"]


@pytest.mark.usefixtures("hours")
@pytest.mark.parametrize(("status", "calls"), [(1, 1), (255, 5)])
def test_ssh_failure_and_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, calls: int) -> None:
    """A failed connection is retried; the exit status of the command is final."""
    programs(monkeypatch, tmp_path, ssh=f"{SSH}; exit {status}")
    monkeypatch.setattr(reachability, "SSH_SECONDS", 8)
    with pytest.raises(Failed, match=r"^ssh root@1\.2\.3\.4: no such disk$"):
        ssh(project(scene()), "1.2.3.4", "cat disk")
    assert len((tmp_path / "ssh.calls").read_text().splitlines()) == calls


def routers(**values: Any) -> Any:
    """Return a network with a correct router, except for some values."""
    router = {
        "id": "r",
        "name": "lab",
        "external_gateway_info": {"network_id": "e"},
        "is_admin_state_up": True,
    } | values
    ports = [object()] if values.get("ports", True) else []
    return SimpleNamespace(routers=lambda: [SimpleNamespace(**router)], ports=lambda **_: ports)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, ""),
        ({"id": "another"}, "the router is gone"),
        ({"external_gateway_info": None}, "the router lab has no gateway"),
        ({"is_admin_state_up": False}, "the router lab is down"),
        ({"ports": False}, "the router lab is not on the network"),
    ],
)
def test_router_without_route_is_reported(values: dict[str, Any], why: str) -> None:
    assert no_route(project(scene(), routers(**values))) == why


@pytest.mark.usefixtures("hours")
@pytest.mark.parametrize(
    ("journal", "told"),
    [
        ("DHCPDISCOVER(tap1) fa:16:3e:00:00:01\nDHCPACK(tap1) 10.0.0.9 fa:16:3e:00:00:01\n", ", dnsmasq: DHCPACK(tap1) 10.0.0.9 fa:16:3e:00:00:01"),
        ("DHCPDISCOVER(tap1) fa:16:3e:00:00:01 no address available\n", ", dnsmasq: DHCPDISCOVER(tap1) fa:16:3e:00:00:01 no address available"),
        ("DHCPDISCOVER(tap1) fa:16:3e:00:00:02\n", ", and dnsmasq heard nothing from it"),
        ("", ""),  # such as with OVN
    ],
)  # fmt: skip
def test_guest_without_a_lease_has_the_story_of_its_port(journal: str, told: str) -> None:
    class Neutron(Machine):
        def run(self, argv: list[str], **options: Any) -> Result:
            return Result(tuple(argv), 0, journal) if argv[0] == "journalctl" else super().run(argv, **options)

    of, node = scene(), Neutron({"neutron-dhcp-agent": "active"})
    service = Service(role="neutron", nodes=("node0",), packages=(), units=("neutron-dhcp-agent",))
    deployed = of.deployed.model_copy(update={"services": {"neutron": service}})
    port = SimpleNamespace(mac_address="fa:16:3e:00:00:01", status="ACTIVE")
    cloud = SimpleNamespace(
        compute=SimpleNamespace(get_server_console_output=lambda _: {"output": "guest: no lease\r\n"}),
        network=SimpleNamespace(ports=lambda **_: [port]),
    )
    at = Project(Scene(deployed, {"node0": node}, GIVEN), cloud, ("neutron",))  # type: ignore[dict-item, arg-type]
    with pytest.raises(Failed) as raised:
        at.booted(SimpleNamespace(id="1"))  # type: ignore[arg-type]
    assert str(raised.value) == (
        f"the guest is booting (guest: no lease) and not ready: after 120 s; its port fa:16:3e:00:00:01 is ACTIVE{told}"
    )
