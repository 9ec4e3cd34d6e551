"""The target metal on machines without hardware: what it writes where, what it tries again, and what it leaves."""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from lab.base import environment
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config.machines import Disk
from lab.store import leases, restorations
from lab.store.records import rfc3339
from scripts.drivers.metal import driver
from scripts.drivers.metal.driver import NOTE, MetalTarget
from scripts.machines.netboot import MachineBoots
from tests.scripts.drivers.metal.conftest import Room, made_image

pytestmark = pytest.mark.integration  # the processor time of ssh-keygen and other programs
INSTALLED = ["asked", "task", "volumes", "unpacked", "installed", "restored", "switch_root", "ssh"]
RESTORED = ["asked", "task", "restored", "switch_root", "ssh"]
BUSY = r"1 machines are needed, and 0 can be used: "


def stages(target: MetalTarget, node: str = "node0") -> list[str]:
    noted = target.noted()
    assert noted
    return [*noted.stages[node]]


def stages_told(room: Room, name: str) -> list[str]:
    return room.rack.machines[name].told


def lease(room: Room, name: str) -> str:
    found = leases.current(room.store, name)
    return found.owner if found else ""


def test_create_reset_destroy(room: Room) -> None:
    target = room.target()
    nodes = target.create(room.image, ["node0", "node1"])
    assert [(node.name, node.address) for node in nodes] == [("node0", "10.77.0.10"), ("node1", "10.77.0.11")]
    assert room.image.facts["stages"]["node1"].keys() == {*INSTALLED}
    assert [call for call in room.rack.calls if call.endswith("n0")] == ["off n0", "status n0", "on n0", "status n0"]
    assert [lease(room, f"node{number}") for number in range(3)] == ["qalab:testlab", "qalab:testlab", ""]
    assert stages(target) == INSTALLED
    first = room.rack.machines["node0"].root
    assert "OPENSSH PRIVATE KEY" in first
    assert not (MachineBoots(room.store, "node0").home / "node.tar").exists(), "its key is given once"

    again = target.reset()
    assert [node.address for node in again] == ["10.77.0.10", "10.77.0.11"]
    assert stages(target) == RESTORED
    assert room.rack.machines["node0"].root != first, "with another host key"
    assert [node.name for node in target.nodes()] == ["node0", "node1"]
    target.collect_logs(room.rack.home / "logs")
    assert [*json.loads((room.rack.home / "logs/node1/stages.json").read_text())] == ["node1"]

    assert target.destroy()
    assert not target.destroy()
    assert not any(room.rack.on(name) for name in room.rack.machines)
    assert not target.home.exists()
    assert lease(room, "node0") == ""


def test_each_restoration_is_another_machine_for_systemd(room: Room) -> None:
    target = room.target()
    target.create(room.image, ["node0", "node1"])
    found = []
    for _ in range(2):
        for name in ("node0", "node1"):
            with tarfile.open(target.home / f"nodes/{name}/node.tar") as tar:
                stream = tar.extractfile("etc/machine-id")
                assert stream
                found.append(stream.read())
        target.reset()
    assert len({*found}) == 4
    assert all(re.fullmatch(rb"[0-9a-f]{32}\n", each) for each in found), "see machine-id(5)"


@pytest.mark.parametrize("fault", ["silent", "at task", "at unpacked", "at restored", "deaf", "not its own"])
def test_machine_is_tried_again(room: Room, fault: str) -> None:
    room.rack.machines["node0"].faults = [fault]
    target = room.target()
    assert [node.address for node in target.create(room.image, ["node0"])] == ["10.77.0.10"]
    assert room.rack.calls.count("off n0") == 2
    assert stages(target)[-1] == "ssh"


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("silent", "node0: has power and asked the lab server for nothing: the last words"),
        ("at task", "node0: stopped after task: the last words"),
        ("at unpacked", "node0: stopped after unpacked: the last words"),
        ("at switch_root", "node0: does not boot after switch_root: node0 (root@10.77.0.10): connect to host 10.77.0.10 port 22: No route to host"),
        ("not its own", "node0: wrong disk: /dev/vda; nothing was written"),
    ],
)  # fmt: skip
def test_faulty_machine_is_set_aside(room: Room, fault: str, why: str, tmp_path: Path) -> None:
    room.rack.machines["node0"].faults = [fault] * 2
    (tmp_path / "console").write_text("\n\x1b[1mthe last words\n")
    node0 = room.lab.machines["node0"].model_copy(update={"console": tmp_path / "console"})
    room.lab = room.lab.model_copy(update={"machines": {**room.lab.machines, "node0": node0}})
    target = room.target()
    assert [node.address for node in target.create(room.image, ["node0"])] == ["10.77.0.11"]
    aside = leases.current(room.store, "node0")
    assert aside
    assert aside.owner == "qalab:testlab:aside"
    assert aside.reason.startswith(why)
    assert aside.reason.endswith("tried 2 times")
    assert MachineBoots(room.store, "node0").task() is None, "it keeps no task for a later boot"
    assert target.destroy()
    assert lease(room, "node0"), "until a person releases it"


@pytest.mark.parametrize(
    ("fault", "why"),
    [("no kexec", "kexec -l: Function not implemented"), ("deaf", "kexec: its system does not answer")],
)
def test_machine_whose_kexec_fails_reboots_from_then_on(room: Room, fault: str, why: str) -> None:
    boots, machine = MachineBoots(room.store, "node0"), room.rack.machines["node0"]
    machine.other_kernel, machine.faults = True, [fault]
    target = room.target()
    assert [node.address for node in target.create(room.image, ["node0"])] == ["10.77.0.10"]
    assert stages(target) == ["asked", "task", "restored", "reboot", "ssh"]
    assert machine.told[-2:] == ["its kernel", "its initrd"], "it boots those of its own root"
    failure = boots.kexec_failure()
    assert failure
    assert failure.why == why
    assert room.rack.calls.count("off n0") == 2

    target.reset()
    assert stages(target)[-2:] == ["reboot", "ssh"]
    assert room.rack.calls.count("off n0") == 3, "kexec is not tried again"
    assert boots.kexec_failure() == failure
    assert MachineBoots(room.store, "node1").kexec_failure() is None, "another machine"


def test_machine_that_boots_neither_way(room: Room) -> None:
    room.rack.machines["node0"].other_kernel = True
    room.rack.machines["node0"].faults = ["deaf", "deaf"]
    room.target().create(room.image, ["node0"])
    aside = leases.current(room.store, "node0")
    assert aside
    assert aside.reason.startswith("node0: does not boot after reboot: ")
    assert MachineBoots(room.store, "node0").kexec_failure() is None, "kexec is not to blame"


def test_machine_with_the_same_kernel_needs_neither(room: Room) -> None:
    MachineBoots(room.store, "node0").avoid_kexec("kexec -l: no")
    target = room.target()
    target.create(room.image, ["node0"])
    assert stages(target) == INSTALLED


def test_too_few_machines(room: Room) -> None:
    for name in room.rack.machines:
        room.rack.machines[name].faults = ["silent"] * 2
    with pytest.raises(InfrastructureError, match=BUSY) as caught:
        room.target().create(room.image, ["node0"])
    assert str(caught.value).count("is set aside: ") == 3
    with pytest.raises(InfrastructureError, match=f"{BUSY}node0 is held by qalab:testlab:aside"):
        room.target("other").create(room.image, ["node0"])


def test_power_switch(room: Room) -> None:
    (room.rack.home / "says").write_text("Unable to connect/login to fencing device")
    with pytest.raises(
        InfrastructureError, match=r"^node0: fence_cdu: off: Unable to connect/login to fencing device$"
    ):
        room.target().create(room.image, ["node0"])
    assert lease(room, "node0") == "qalab:testlab", "it is not set aside"
    (room.rack.home / "says").unlink()
    (room.rack.home / "lies").touch()
    (room.rack.home / "power/n0").touch()
    task = MachineBoots(room.store, "node0")
    with pytest.raises(InfrastructureError, match=r"^node0: fence_cdu: off was accepted, and the status is on$"):
        room.target().create(room.image, ["node0"])
    assert task.task() is None
    assert room.rack.machines["node0"].told == [], "nothing was written"
    (room.rack.home / "lies").unlink()
    assert room.target().create(room.image, ["node0"])


def test_image_is_verified_before_power(room: Room) -> None:
    (room.image.path / "root.tar").write_text("another")
    with pytest.raises(InfrastructureError, match=r"wrong digest of root\.tar$"):
        room.target().create(room.image, ["node0"])
    assert room.rack.calls == []


def test_no_lab_server(room: Room) -> None:
    room.serving.__exit__(None, None, None)
    with pytest.raises(InfrastructureError, match="the lab server does not run: see qalab machine serve"):
        room.target().create(room.image, ["node0"])
    assert room.rack.calls == []


def test_lab_server_ends_in_the_middle(room: Room) -> None:
    room.rack.machines["node0"].faults = ["at task"]
    room.events[30.0] = lambda: room.serving.__exit__(None, None, None)
    with pytest.raises(InfrastructureError, match=r"^node0: the lab server ended$"):
        room.target().create(room.image, ["node0"])
    assert room.now < 100, "before the time of the machine is over"
    assert lease(room, "node0") == "qalab:testlab", "it is not set aside"


def test_environments_take_turns(room: Room) -> None:
    first, second = room.target("first"), room.target("second")
    first.create(room.image, ["node0", "node1"])
    second.create(room.image, ["node0", "node1", "node2"])
    assert not first.home.exists()
    assert (stages(second, "node0"), stages(second, "node2")) == (RESTORED, INSTALLED)


@pytest.mark.parametrize("fault", ["the lab server ends", "the power switch fails", "its record is damaged"])
def test_machine_that_nobody_waits_for_has_no_task(room: Room, fault: str) -> None:
    """Its next boot, such as by a person, would be restored."""
    room.rack.machines["node0"].faults = ["at task"]
    if fault == "the lab server ends":
        room.events[30.0] = lambda: room.serving.__exit__(None, None, None)
    elif fault == "its record is damaged":
        room.events[30.0] = lambda: (MachineBoots(room.store, "node0").home / "boot.json").write_text("{")
    else:
        agent = room.rack.home / "bin/fence_cdu"
        agent.write_text(agent.read_text().replace("\non) ", "\non) echo no >&2; exit 1 ;;\non) "))
    with pytest.raises(LabError):
        room.target().create(room.image, ["node0"])
    assert MachineBoots(room.store, "node0").task() is None


def test_released_machine_is_not_restored(room: Room) -> None:
    """The person that has it next believes it their own."""

    def released() -> None:
        leases.release(room.store, "node0", "", force=True)

    room.rack.machines["node0"].faults = ["at task"]
    room.events[30.0] = released
    with pytest.raises(InfrastructureError, match=r"^node0 is released$"):
        room.target("node0", by_hand="node0").create(room.image, ["node0"])
    assert room.rack.calls.count("off n0") == 1


def test_machine_that_somebody_takes_while_it_boots_is_not_ours(room: Room) -> None:
    room.events[1.0] = lambda: leases.release(room.store, "node0", "", force=True)
    with pytest.raises(InfrastructureError, match=r"^node0 is released$"):
        room.target("node0", by_hand="node0").create(room.image, ["node0"])
    assert stages_told(room, "node0")[-1] == "switch_root", "it was restored"


def test_disk_of_lab_yaml_now_is_written_to(room: Room) -> None:
    """The lab server has read the lab file once, before the disk was corrected."""
    other = room.lab.machines["node0"].model_copy(update={"disk": Disk(path="/dev/sdb", size=4711)})
    corrected = room.lab.model_copy(update={"machines": {**room.lab.machines, "node0": other}})
    room.target(described=corrected).create(room.image, ["node0"])
    assert {"DISK": "/dev/sdb", "SERIAL": "''", "DISK_SIZE": "4711", "DEVICES": "'a|^/dev/sdb([0-9]+)?$|'"}.items() <= (
        room.rack.machines["node0"].tasks[0].items()
    )


def test_machine_that_lab_yaml_has_no_more(room: Room) -> None:
    room.target().create(room.image, ["node0", "node1"])
    described = {name: each for name, each in room.lab.machines.items() if name != "node1"}
    target = room.target(described=room.lab.model_copy(update={"machines": described}))
    assert [node.address for node in target.reset()] == ["10.77.0.10", "10.77.0.12"]
    assert lease(room, "node1") == ""
    gone = room.target(described=room.lab.model_copy(update={"machines": {"node0": described["node0"]}}))
    gone.collect_logs(room.rack.home / "logs")
    with pytest.raises(InfrastructureError, match="2 machines are needed, and 1 can be used"):
        gone.reset()
    assert gone.destroy()


def test_killed_environment(room: Room) -> None:
    target = room.target()
    target.create(room.image, ["node0"])
    noted = target.noted()
    assert noted
    noted.model_copy(update={"whole": False}).write(target.home / NOTE)
    assert target.nodes() == []
    with pytest.raises(InfrastructureError, match="trunk: there is no such environment, or it is not whole"):
        target.reset()
    assert target.create(room.image, ["node0"])


def test_image_of_another_day_is_installed(room: Room, tmp_path: Path) -> None:
    target = room.target()
    target.create(room.image, ["node0"])
    target.create(made_image(tmp_path / "next", "2"), ["node0"])
    assert stages(target) == INSTALLED
    assert room.rack.machines["node0"].pristine >= {"pristine-bookworm-2"}
    room.target(install=True).create(room.image, ["node0"])
    assert stages(target) == INSTALLED


def test_machine_of_a_person(room: Room) -> None:
    room.target().create(room.image, ["node0", "node1"])
    own = room.target("node0", by_hand="node0")
    own.create(room.image, ["node0"])
    assert lease(room, "node0") == environment.user()
    assert not room.target().home.exists(), "the environment that had it"
    with pytest.raises(InfrastructureError, match=r"3 machines are needed.* node0 is held by "):
        room.target().create(room.image, ["node0", "node1", "node2"])
    assert room.target().create(room.image, ["node0"])[0].address == "10.77.0.11"
    assert [node.address for node in own.nodes()] == ["10.77.0.10"], "a deployment leaves it alone"
    room.target("node0").destroy()
    assert lease(room, "node0") == ""


def test_machine_of_somebody_else_is_left_alone(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    own = room.target("node0", by_hand="node0")
    own.create(room.image, ["node0"])
    monkeypatch.setattr(environment, "user", lambda: "somebody")
    with pytest.raises(InfrastructureError, match="node0 is held by "):
        own.create(room.image, ["node0"])
    assert own.nodes()


def test_destruction_leaves_the_machine_of_somebody_else_alone(room: Room) -> None:
    target = room.target()
    target.create(room.image, ["node0", "node1"])
    leases.release(room.store, "node1", "", force=True)
    leases.hold(room.store, "node1", "somebody", environment.now() + timedelta(hours=1), "a bug")
    (MachineBoots(room.store, "node1").home / "node.tar").write_text("of somebody's restoration")
    assert target.destroy()
    assert (room.rack.on("node0"), room.rack.on("node1")) == (False, True)
    assert (MachineBoots(room.store, "node1").home / "node.tar").exists()
    assert (lease(room, "node0"), lease(room, "node1")) == ("", "somebody")


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_damaged_record_of_an_environment_is_in_nobodys_way(room: Room, damage: str) -> None:
    room.target("first").create(room.image, ["node0"])
    (room.target("first").home / NOTE).write_text(damage)
    assert room.target("second").create(room.image, ["node0"]), "the lab still has its machines"
    assert room.target("node1", by_hand="node1").create(room.image, ["node0"])
    assert room.target("first").destroy()
    assert not room.target("first").home.exists()


def test_person_keeps_a_longer_lease(room: Room) -> None:
    until = environment.now() + timedelta(days=30)
    leases.hold(room.store, "node0", environment.user(), until, "bug 4711")
    room.target("node0", by_hand="node0").create(room.image, ["node0"])
    held = leases.current(room.store, "node0")
    assert held
    assert (held.until, held.reason) == (rfc3339(until), "bug 4711")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_console_that_cannot_be_read_hides_no_fault(room: Room, tmp_path: Path, make: Callable[[Path], None]) -> None:
    machines, console = {**room.lab.machines}, tmp_path / "console"
    make(console)
    machines["node0"] = machines["node0"].model_copy(update={"console": str(console)})
    room.lab = room.lab.model_copy(update={"machines": machines})
    room.rack.machines["node0"].faults = ["silent"] * 2
    assert room.target().create(room.image, ["node0"])[0].address == "10.77.0.11", "it is set aside"
    aside = leases.current(room.store, "node0")
    assert aside
    assert "asked the lab server for nothing: its console is no file" in aside.reason


@pytest.mark.parametrize("by_hand", ["", "node0"])
def test_machine_that_somebody_takes_meanwhile_is_left_alone(room: Room, by_hand: str) -> None:
    def taken() -> None:
        leases.release(room.store, "node0", "", force=True)
        leases.hold(room.store, "node0", "somebody", environment.now() + timedelta(hours=1), "a bug")

    room.rack.machines["node0"].faults = ["silent"]
    room.events[30.0] = taken
    with pytest.raises(InfrastructureError, match=r"^node0 is held by somebody until .*: a bug$"):
        room.target("node0", by_hand=by_hand).create(room.image, ["node0"])
    assert room.rack.calls.count("off n0") == 1
    assert lease(room, "node0") == "somebody"
    noted = restorations.newest(room.store, "node0")
    assert not [one for one in noted if "somebody" in one.failed], "the site does not say who has a machine"


def test_faulty_machine_of_a_person_is_not_set_aside(room: Room) -> None:
    room.rack.machines["node0"].faults = ["silent"] * 2
    with pytest.raises(InfrastructureError, match="node0: has power and asked the lab server for nothing"):
        room.target("node0", by_hand="node0").create(room.image, ["node0"])
    assert lease(room, "node0") == environment.user()


def test_routes(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    ip = room.rack.home / "bin/ip"
    ip.write_text(f'#!/bin/sh\necho "$@" >> {room.rack.home}/routes\n')
    ip.chmod(0o755)
    target = room.target()
    target.create(room.image, ["node0"])
    target.route("10.1.0.0/16", "10.77.0.10")
    target.reset()
    target.destroy()
    assert (room.rack.home / "routes").read_text().splitlines() == [
        "route replace 10.1.0.0/16 via 10.77.0.10",
        "route delete 10.1.0.0/16",
    ]


def test_image_is_there_no_more(room: Room) -> None:
    target = room.target()
    target.create(room.image, ["node0"])
    (room.image.path / "vmlinuz").unlink()
    with pytest.raises(InfrastructureError, match=r"^node0: the image .* is there no more: deploy again$"):
        target.reset()
    assert not room.rack.on("node0")


def test_lab_without_server(room: Room) -> None:
    room.lab = room.lab.model_copy(update={"lab_server": None})
    with pytest.raises(ConfigurationError, match="lab_server: missing"):
        assert room.target().lab
    assert driver.target(Path("/nowhere")).nodes() == []
