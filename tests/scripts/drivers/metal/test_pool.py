"""Choosing machines: by labels, with leases, and no faulty ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lab.base import environment
from lab.base.errors import InfrastructureError
from lab.store import leases
from scripts.drivers.metal.pool import MachinePool
from scripts.machines import dnsmasq
from tests.scripts.drivers.metal.conftest import Room


def owners(room: Room) -> list[str]:
    found = [leases.current(room.store, name) for name in room.lab.machines]
    return [lease.owner if lease else "" for lease in found]


def with_labels(room: Room, *labels: str) -> MachinePool:
    assert room.lab.deployment
    metal = room.lab.deployment.metal.model_copy(update={"labels": labels})
    deployment = room.lab.deployment.model_copy(update={"metal": metal})
    return MachinePool(room.lab.model_copy(update={"deployment": deployment}), "trunk")


def hold(room: Room, name: str, owner: str) -> None:
    leases.hold(room.store, name, owner, environment.now() + timedelta(hours=1), "a bug")


def test_choice(room: Room) -> None:
    hold(room, "node0", "ann")
    pool = MachinePool(room.lab, "trunk")
    assert pool.choose(1) == ["node1"]
    assert pool.choose(2, ["node2"]) == ["node2", "node1"], "those of the lab serve all its tracks"
    assert owners(room) == ["ann", "qalab:testlab", "qalab:testlab"]
    pool.give_back("node0", pool.owner)
    pool.give_back("node1", pool.owner)
    assert owners(room) == ["ann", "", "qalab:testlab"]


def test_machine_that_the_lab_server_does_not_know(room: Room) -> None:
    """It would be waited for twice."""
    (room.store.lab_server).mkdir()
    (room.store.lab_server / dnsmasq.CONFIGURATION).write_text("dhcp-host=52:54:00:77:00:01,10.77.0.11\n")
    pool = room.target().pool
    assert pool.choose(1) == ["node1"]
    with pytest.raises(
        InfrastructureError, match=r"node0: the lab server began before lab.yaml had 52:54:00:77:00:00 at "
    ):
        pool.choose(2)


def test_labels(room: Room) -> None:
    assert with_labels(room, "ssd").choose(1) == ["node2"]
    with pytest.raises(
        InfrastructureError, match=r"^1 machines are needed, and 0 can be used: none has the labels gpu, ssd$"
    ):
        with_labels(room, "ssd", "gpu").choose(1)


def test_no_lease_remains_of_a_vain_choice(room: Room) -> None:
    hold(room, "node0", "ann")
    with pytest.raises(InfrastructureError, match=r"^3 machines are needed, and 2 can be used: node0 is held by ann"):
        MachinePool(room.lab, "trunk").choose(3)
    assert owners(room) == ["ann", "", ""]


def test_machine_set_aside(room: Room) -> None:
    pool = MachinePool(room.lab, "trunk")
    assert pool.choose(1) == ["node0"]
    pool.set_aside("node0", "its disk is dead")
    assert pool.choose(1) == ["node1"]
    with pytest.raises(InfrastructureError, match="node0 is set aside: its disk is dead"):
        pool.choose(3)


def test_machine_of_a_person(room: Room) -> None:
    pool = MachinePool(room.lab, "node1", by_hand="node1")
    assert pool.choose(1) == ["node1"]
    assert owners(room) == ["", environment.user(), ""]
    with pytest.raises(InfrastructureError, match=r"^its disk is dead$"):
        pool.set_aside("node1", "its disk is dead")
