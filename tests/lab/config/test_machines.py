"""Bare machines and their server: what cannot be true is refused, with its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.config.description import Lab
from lab.config.loading import DescriptionError

SERVER = {"interface": "rack", "network": "10.77.0.0/24", "address": "10.77.0.1"}


def machine(number: int, **values: Any) -> dict[str, Any]:
    return {
        "power": {"agent": "fence_cdu", "options": {"ip": "pdu.example", "plug": f"n{number}"}},
        "mac": f"52:54:00:77:00:0{number}",
        "address": f"10.77.0.1{number}",
        "disk": {"path": "/dev/vda", "serial": f"DISK{number}"},
        **values,
    }


def described(**values: Any) -> dict[str, Any]:
    return {"lab_server": SERVER, "machines": {"node0": machine(0), "node1": machine(1)}, **values}


def test_machines(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory(lab=described())
    assert [each.installable for each in lab.machines.values()] == [True, True]
    assert str(lab.machines["node1"].address) == "10.77.0.11"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        pytest.param({"node1": machine(1, mac="52:54:00:77:00:00")}, "node1.mac: 52:54:00:77:00:00 is that of node0", id="mac"),
        pytest.param({"node1": machine(1, mac="525400770001")}, "node1.mac: not the MAC of a card", id="no-mac"),
        pytest.param({"node1": machine(1, mac="01:00:5e:00:00:01")}, "node1.mac: not the MAC of a card", id="multicast"),
        pytest.param({"node1": machine(1, address="10.77.0.10")}, "node1.address: 10.77.0.10 is that of node0", id="address"),
        pytest.param({"node1": machine(1, address="10.78.0.1")}, "not an address for a machine in 10.77.0.0/24", id="outside"),
        pytest.param({"node1": machine(1, address="10.77.0.1")}, "not an address for a machine in 10.77.0.0/24", id="server"),
        pytest.param({"node1": machine(1, disk=None)}, "node1: mac, address and disk belong together; found: mac, address", id="disk"),
        pytest.param({"node1": machine(1, disk={"path": "vda"})}, "node1.disk.path: not a whole disk", id="path"),
        pytest.param({"node1": machine(1, disk={"path": "/dev/sda1"})}, "node1.disk.path: not a whole disk", id="partition"),
        pytest.param({"node1": machine(1, disk={"path": "/dev/nvme0n1p2"})}, "node1.disk.path: not a whole disk", id="p"),
        pytest.param({"node1": machine(1, disk={"path": "/dev/mmcblk0p2"})}, "node1.disk.path: not a whole disk", id="mmc"),
        pytest.param({"node1": machine(1, power=machine(0)["power"])}, "node1.power: it is the power switch of node0", id="plug"),
        pytest.param(
            {"node1": machine(1, power={"agent": "fence_cdu", "options": {"ipaddr": "pdu.example", "port": "n0", "login-timeout": 9}})},
            "node1.power: it is the power switch of node0", id="plug by other names",
        ),
        pytest.param({"node1": machine(1, address="10.77.0.0")}, "not an address for a machine in 10.77.0.0/24", id="the network"),
        pytest.param({"node1": machine(1, address="10.77.0.255")}, "not an address for a machine in 10.77.0.0/24", id="all machines"),
        pytest.param({"node1": machine(1, boot="floppy")}, "node1.boot: ", id="boot"),
        pytest.param({"node1": machine(1, architecture="m68k")}, "node1.architecture: ", id="architecture"),
    ],
)  # fmt: skip
def test_contradictions(lab_factory: Callable[..., Lab], values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DescriptionError) as caught:
        lab_factory(lab=described(machines={"node0": machine(0), **values}))
    assert complaint in str(caught.value.complaints)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"ip": "a", "plug": 1}, {"ip": "a", "plug": 2}),
        ({"ip": "a", "ipport": 1}, {"ip": "a", "ipport": 2}),
        ({"ip": "a", "systems_uri": "/1"}, {"ip": "a", "systems_uri": "/2"}),
        ({}, {}),
        ({"lanplus": True}, {"lanplus": True}),
    ],
    ids=["plug", "port", "system", "nothing told", "only how"],
)
def test_different_switches(lab_factory: Callable[..., Lab], one: dict[str, Any], other: dict[str, Any]) -> None:
    powers = ({"agent": "fence_ipmilan", "options": options} for options in (one, other))
    machines = {f"node{number}": machine(number, power=power) for number, power in enumerate(powers)}
    assert len(lab_factory(lab=described(machines=machines)).machines) == 2


@pytest.mark.parametrize(("one", "other"), [(1, "1"), (True, "True")], ids=["a number or a text", "whatever that is"])
def test_one_switch_written_differently(lab_factory: Callable[..., Lab], one: Any, other: Any) -> None:
    powers = (
        {"agent": "fence_ipmilan", "options": {"ip": "a", "plug": plug, "power-wait": 3 + number}}
        for number, plug in enumerate((one, other))
    )
    machines = {f"node{number}": machine(number, power=power) for number, power in enumerate(powers)}
    with pytest.raises(DescriptionError) as caught:
        lab_factory(lab=described(machines=machines))
    assert "node1.power: it is the power switch of node0" in str(caught.value.complaints)


def test_server_without_an_address_of_its_own(lab_factory: Callable[..., Lab]) -> None:
    with pytest.raises(DescriptionError) as caught:
        lab_factory(lab=described(lab_server={**SERVER, "address": "10.77.0.255"}))
    assert "lab_server.address: not the address of a machine in the network 10.77.0.0/24" in str(
        caught.value.complaints
    )


@pytest.mark.parametrize("name", ["sda", "sdaa", "vdb", "xvda", "hda", "nvme0n1", "nvme10n2", "mmcblk0", "pmem0"])
def test_disks(lab_factory: Callable[..., Lab], name: str) -> None:
    lab = lab_factory(lab=described(machines={"node0": machine(0, disk={"path": f"/dev/{name}"})}))
    assert lab.machines["node0"].disk


def test_machines_without_server(lab_factory: Callable[..., Lab]) -> None:
    with pytest.raises(DescriptionError) as caught:
        lab_factory(lab=described(lab_server=None))
    assert "lab_server: missing; machines with a mac boot from it" in str(caught.value.complaints)


def test_machine_with_the_name_of_a_track(lab_factory: Callable[..., Lab]) -> None:
    with pytest.raises(DescriptionError, match=r"machines\.trunk: is a track"):
        lab_factory(lab=described(machines={"trunk": machine(0)}))


def test_deployment_on_too_few_machines(lab_factory: Callable[..., Lab]) -> None:
    deployment = {"target": "metal", "metal": {"labels": ["ssd"]}, "applications": {"greet": {"role": "package"}}}
    with pytest.raises(DescriptionError) as caught:
        lab_factory(lab=described(deployment=deployment))
    assert "metal: 1 machines with mac, address and disk with the labels ssd are needed; machines has 0" in str(
        caught.value.complaints
    )
