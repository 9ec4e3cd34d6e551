"""`qalab machine doctor`: each fault of a machine or of the lab server is one line with what mends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import cli
from lab.base import files
from lab.config.description import Lab
from lab.config.machines import LabServer
from lab.store.runs import Store
from scripts.drivers.metal.image import FILES
from scripts.host import machine_prerequisites
from scripts.host.prerequisites import Finding
from scripts.machines import dnsmasq
from tests.lab.config.test_machines import SERVER, described, machine
from tests.scripts.machines.doubles import programs

IP = """\
#!/bin/sh
echo "$@" > {home}/asked
cat {home}/answer
exit $(cat {home}/status)
"""


def address(local: str, *flags: str) -> str:
    info = [{"family": "inet6", "local": "fe80::1", "prefixlen": 64}]
    info += [{"family": "inet", "local": local, "prefixlen": 24}] if local else []
    return json.dumps([{"ifname": "rack", "flags": flags, "addr_info": info}])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with programs, whose answers can be set; all is well there."""
    home = tmp_path / "rack"
    programs(home, monkeypatch)
    (home / "power").mkdir()
    for name in ("dnsmasq", "setpriv", "ip"):
        (home / "bin" / name).write_text(IP.format(home=home))
        (home / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setattr(dnsmasq, "LOADERS", {"ipxe.efi": home / "ipxe.efi"})
    (home / "ipxe.efi").touch()
    (home / "answer").write_text(address("10.77.0.1", "UP"))
    (home / "status").write_text("0")
    return home


def server(**values: Any) -> LabServer:
    return LabServer.model_validate_json(json.dumps(SERVER | values))


def lines(findings: list[Finding]) -> list[str]:
    return [f"{each.what}: {each.detail}; {each.fix}" for each in findings if not each.good]


def faults(lab: Lab, *names: str) -> list[str]:
    with files.locked(Store.of(lab).lock_path("lab-server")):
        return lines(list(machine_prerequisites.doctor(lab, names)))


def test_lab_server_that_has_read_another_lab_yaml(lab_factory: Callable[..., Lab], home: Path) -> None:
    lab = lab_factory(lab=described())
    assert lab.lab_server
    machines = {"node0": machine(0), "node1": machine(1, mac="52:54:00:77:00:09")}
    now = lab_factory(lab=described(machines=machines))
    dnsmasq.prepare(lab, lab.lab_server, Store.of(lab).lab_server)
    why = "the lab server began before lab.yaml had 52:54:00:77:00:09 at 10.77.0.11: begin it anew"
    assert faults(now) == [f"node1: network boot: {why}; {machine_prerequisites.SERVE}"]
    assert faults(lab) == []


def test_all_is_well(lab_factory: Callable[..., Lab], home: Path) -> None:
    lab = lab_factory(lab=described())
    (home / "power/n1").touch()
    with files.locked(Store.of(lab).lock_path("lab-server")):
        found = list(machine_prerequisites.doctor(lab))
    assert all(each.good for each in found)
    assert [each.detail for each in found if each.what.endswith("power")] == ["fence_cdu: off", "fence_cdu: on"]
    assert [each.detail for each in found if each.what == "images"] == ["none yet: the first restoration makes one"]
    assert {call.split()[0] for call in (home / "calls").read_text().splitlines()} == {"status"}, "it switches nothing"


SEE = "see: fence_cdu -o metadata"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"power": {"agent": "fence_none"}}, "node0: power: the fence agent fence_none is not on this machine; apt-get install fence-agents-none, before Debian 13: fence-agents"),
        ({"power": {"agent": "fence_cdu", "options": {"ip": "x"}}}, f"node0: power: machines.node0.power.options: fence_cdu requires plug; {SEE}"),
        ({"power": {"agent": "fence_cdu", "options": {"ip": "x", "plug": "n0", "plg": 1}}}, f"node0: power: machines.node0.power.options.plg: fence_cdu has no such option; did you mean plug?; {SEE}"),
        ({"disk": {"path": "/dev/sda"}}, "node0: disk: /dev/sda: whatever disk is there is written to; name its serial number or its size: machines.node0.disk.serial"),
        ({"disk": {"path": "/dev/sda", "serial": "DISK1"}}, "node0: disk: node1 has the same serial number DISK1; correct machines.node0.disk.serial, or that of the other"),
    ],
    ids=["agent", "missing option", "unknown option", "any disk", "same disk"],
)  # fmt: skip
@pytest.mark.usefixtures("home")
def test_settings(lab_factory: Callable[..., Lab], values: dict[str, Any], line: str) -> None:
    machines = {"node0": machine(0, **values), "node1": machine(1)}
    assert faults(lab_factory(lab=described(machines=machines)), "node0") == [line]


def test_power_switch(lab_factory: Callable[..., Lab], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = lab_factory(lab=described())
    (home / "says").write_text("Unable to connect/login to fencing device")
    answer = "fence_cdu: status: Unable to connect/login to fencing device"
    assert faults(lab) == [
        f"{name}: power: {answer}; compare machines.{name}.power with the device, and the way to it" for name in lab.machines
    ]  # fmt: skip
    monkeypatch.setenv("QALAB_POWER_USER", "admn")
    wrong = "only one of QALAB_POWER_USER and QALAB_POWER_PASSWORD is set; set both, or none for no login"
    assert faults(lab, "node1") == [f"node1: power: {wrong}"]


def test_machine_with_power_alone(lab_factory: Callable[..., Lab], home: Path) -> None:
    lab = lab_factory(lab=described(lab_server=None, machines={"node0": {"power": machine(0)["power"]}}))
    assert faults(lab) == []
    assert not (home / "asked").exists(), "without a lab server, nothing of it is needed"


@pytest.mark.parametrize(
    ("answer", "status", "line"),
    [
        ('Device "rack" does not exist.', 1, 'rack: Device "rack" does not exist.; correct lab_server.interface, or create it'),
        (address(""), 0, "rack has no address, not 10.77.0.1/24; ip address add 10.77.0.1/24 dev rack"),
        (address("10.77.0.2"), 0, "rack has 10.77.0.2/24, not 10.77.0.1/24; ip address add 10.77.0.1/24 dev rack"),
        (address("10.77.0.1"), 0, "rack has 10.77.0.1/24, and is down; ip link set rack up"),
    ],
    ids=["absent", "bare", "other", "down"],
)  # fmt: skip
def test_network(home: Path, answer: str, status: int, line: str) -> None:
    (home / "answer").write_text(answer)
    (home / "status").write_text(str(status))
    found = machine_prerequisites.network(server())
    assert lines([found]) == [f"network: {line}"]


def test_network_in_a_namespace(home: Path) -> None:
    (home / "answer").write_text(address(""))
    found = machine_prerequisites.network(server(namespace="rack7"))
    assert found.fix == "ip -netns rack7 address add 10.77.0.1/24 dev rack"
    assert (home / "asked").read_text() == "-netns rack7 -json address show dev rack\n"


def test_lab_server(lab_factory: Callable[..., Lab], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_prerequisites, "PROGRAMS", ("ip", "no-dnsmasq"))
    (home / "ipxe.efi").unlink()
    lab = lab_factory(lab=described(machines={}))
    assert lines(list(machine_prerequisites.doctor(lab))) == [
        "lab server: the program no-dnsmasq is not on this machine; ",
        f"boot loaders: {home}/ipxe.efi: not on this machine; apt-get install ipxe",
        "lab server: does not run; run as root: qalab setup --lab-server, or qalab machine serve",
    ]


def test_images(tmp_path: Path) -> None:
    for name in ("image-1-1", "image-2-2", "image-3-3"):
        place = tmp_path / name
        place.mkdir()
        for part in FILES:
            (place / part).write_text(part)
        (place / "SHA256SUMS").write_text("".join(f"{files.sha256(place / part)}  {part}\n" for part in FILES))
    (tmp_path / "image-2-2/root.tar").write_text("another")
    (tmp_path / "image-3-3/vmlinuz").unlink()
    (tmp_path / "image-4-4").mkdir()  # the disk of a virtual machine
    found = list(machine_prerequisites.images(tmp_path))
    assert [each.good for each in found] == [True, False, False]
    second, third = tmp_path / "image-2-2", tmp_path / "image-3-3"
    assert lines(found) == [
        f"images: {second}: missing or wrong: root.tar; rm -r {second} {second}.json",
        f"images: {third}: missing or wrong: vmlinuz; rm -r {third} {third}.json",
    ]


def test_command(lab_factory: Callable[..., Lab], home: Path) -> None:
    lab = lab_factory(lab=described())
    runner = CliRunner()

    def asked(*words: str) -> tuple[int, str]:
        result = runner.invoke(cli, ["machine", "doctor", "--lab", str(lab.file), *words])
        return result.exit_code, result.stdout

    with files.locked(Store.of(lab).lock_path("lab-server")):
        code, text = asked("node0")
        assert (code, "✔ node0: power: fence_cdu: off\n" in text, "node1" in text) == (0, True, False)
        (home / "says").write_text("no route")
        code, text = asked()
        assert code == 3
        assert "✘ node1: power: fence_cdu: status: no route; fix: compare machines.node1.power" in text
        code, text = asked("--json")
        assert (code, [each["good"] for each in json.loads(text)].count(False)) == (3, 2)
