"""The real fence_cdu against a device that starts and kills processes: what it says is what is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner

from cli.check import machine_faults
from cli.main import cli
from lab.base.clock import Clock
from lab.base.errors import InfrastructureError
from lab.config.access import Login
from lab.config.description import Lab
from lab.config.machines import Power
from scripts.machines import fence_agent
from scripts.machines.power import PowerSwitch
from tests.scripts.machines.outlets import Outlets
from tests.scripts.machines.sentry import Sentry, sentry

AGENT = "fence_cdu"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not (shutil.which(AGENT) and shutil.which("telnet")), reason=f"{AGENT} or telnet is not here"),
]
LOGIN = Login("admn", "secret")


@pytest.fixture
def device() -> Iterator[Sentry]:
    with sentry(Outlets(["node0", "node1"])) as made:
        yield made


def switch(device: Sentry, machine: str = "node0", login: Login = LOGIN, **options: str | int) -> PowerSwitch:
    power = Power(agent=AGENT, options={"ip": "127.0.0.1", "ipport": device.port, "plug": machine, **options})
    now = [0.0]
    clock = Clock(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds * 100))
    return PowerSwitch(machine, power, login, clock)


def test_power_of_one_machine(device: Sentry) -> None:
    node = switch(device)
    assert node.status() == "off"
    node.switch("on")
    first = device.outlets.processes["node0"]
    assert first is not None
    assert (node.status(), device.outlets.is_on("node0"), device.outlets.is_on("node1")) == ("on", True, False)
    node.cycle()
    assert first.poll() is not None, "the process has been killed"
    assert device.outlets.is_on("node0")
    node.switch("off")
    assert not device.outlets.is_on("node0")


def test_faults_are_one_line(device: Sentry) -> None:
    switch(device).switch("on")
    device.lies = True
    with pytest.raises(InfrastructureError, match=r"^node0: fence_cdu: off: .*|off was accepted, and the status is on"):
        switch(device).cycle()
    refused = Login("admn", "wrong")
    for node in (switch(device, login=refused), switch(device, ipport=9)):
        with pytest.raises(InfrastructureError, match=r"^node0: fence_cdu: status: \S.*") as caught:
            node.status()
        assert "\n" not in str(caught.value)
        assert "wrong" not in str(caught.value)
    with pytest.raises(InfrastructureError, match=r"^node7: fence_cdu: status: "):
        switch(device, "node7").status()


@pytest.mark.parametrize("password", ["ends with a space ", " begins with one", '"quoted"', '"', "#a=b", "ä€"])
def test_odd_passwords_reach_the_device(device: Sentry, password: str) -> None:
    """The agents take white space and quotes around a value away: see fencing.py."""
    device.password = password
    assert switch(device, login=Login("admn", password)).status() == "off"


def test_commands_and_check(device: Sentry, lab_factory: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QALAB_POWER_USER", "admn")
    monkeypatch.setenv("QALAB_POWER_PASSWORD", "secret")
    options = {"ip": "127.0.0.1", "ipport": device.port, "plug": "node1"}
    lab = lab_factory(lab={"machines": {"node1": {"power": {"agent": AGENT, "options": options}}}})
    for words, said in (
        (["power", "node1", "on"], "node1: on\n"),
        (["status"], "node1: on\n"),
        (["power", "node1", "cycle"], "node1: on\n"),
    ):
        assert CliRunner().invoke(cli, ["machine", words[0], "--lab", str(lab.file), *words[1:]]).output == said
    assert machine_faults(lab) == ()
    wrong = lab_factory(lab={"machines": {"node1": {"power": {"agent": AGENT, "options": {"ipprt": 1}}}}})
    assert [fault.partition("machines.")[2] for fault in machine_faults(wrong)] == [
        "node1.power.options: fence_cdu requires ip",
        "node1.power.options: fence_cdu requires plug",
        "node1.power.options.ipprt: fence_cdu has no such option; did you mean ipport?",
    ]


@pytest.mark.parametrize("agent", ["fence_cdu", "fence_ipmilan", "fence_redfish", "fence_apc_snmp"])
def test_metadata_of_agents(agent: str) -> None:
    if fence_agent.missing(agent):
        pytest.skip(f"{agent} is not here")
    known = fence_agent.options(agent)
    assert {"action", "ip", "ipport", "password", "plug"} <= known.keys()
    assert known["ipport"].kind == "integer"
