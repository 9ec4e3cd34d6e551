"""`qalab machine`, each verb from the command line, on machines without hardware."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from cli.check import machine_faults
from cli.main import cli
from lab.base import environment
from lab.config import loading
from lab.store import leases
from scripts.deployment import environments
from scripts.drivers.metal import bring_up, by_hand, driver, image
from scripts.drivers.metal.image import MetalImage
from scripts.machines.netboot import MachineBoots
from tests.scripts.drivers.metal.conftest import Room

pytestmark = pytest.mark.integration  # the processor time of ssh-keygen and other programs


@pytest.fixture
def commands(room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Room]:
    @contextmanager
    def prepared(*_: object) -> Iterator[MetalImage]:
        yield room.image

    monkeypatch.setattr(image, "prepared", prepared)
    monkeypatch.setattr(driver, "missing_prerequisite", lambda: "")
    monkeypatch.setattr(bring_up, "LOOK_SECONDS", 0.01)
    described = yaml.safe_load(room.lab.file.read_text())
    described["machines"]["node0"]["console"] = str(tmp_path / "console")
    room.lab.file.write_text(yaml.safe_dump(described))
    with room.rack.running():
        yield room


def said(room: Room, *argv: str) -> str:
    """Return what a command prints, or its error."""
    result = CliRunner().invoke(cli, ["machine", argv[0], "--lab", str(room.lab.file), *argv[1:]])
    if result.exception and not isinstance(result.exception, SystemExit):
        return str(result.exception)
    return result.output


def test_list_status_and_power(commands: Room) -> None:
    assert said(commands, "list") == "node0: fence_cdu; free\nnode1: fence_cdu; free\nnode2: fence_cdu; free\n"
    assert json.loads(said(commands, "list", "--json"))[2] == {
        "name": "node2",
        "agent": "fence_cdu",
        "lease": None,
        "kexec_failure": None,
        "restorations": [],
    }
    assert said(commands, "power", "node1", "on") == "node1: on\n"
    assert said(commands, "status") == "node0: off\nnode1: on\nnode2: off\n"
    assert said(commands, "power", "node1", "cycle") == "node1: on\n"
    assert said(commands, "power", "node1", "off") == "node1: off\n"
    (commands.rack.home / "says").write_text("no route")
    assert said(commands, "status", "node2") == "node2: fence_cdu: status: no route\n"
    assert said(commands, "status", "node7").startswith("no machine node7")


def test_agent_without_metadata_hides_no_fault(commands: Room) -> None:
    described = yaml.safe_load(commands.lab.file.read_text())
    del described["machines"]["node0"]["power"]["options"]["ip"]
    described["machines"]["node1"]["power"]["agent"] = "fence_manual"
    commands.lab.file.write_text(yaml.safe_dump(described))
    agent = commands.rack.home / "bin/fence_manual"
    agent.write_text("#!/bin/sh\nexit 1\n")
    agent.chmod(0o755)
    assert [fault.partition("machines.")[2] for fault in machine_faults(loading.load(commands.lab.file))] == [
        "node0.power.options: fence_cdu requires ip",
        "node1.power.agent: fence_manual -o metadata ended with status 1",
    ]


def test_restore_and_install(commands: Room) -> None:
    names = [
        part.split()[0] for part in said(commands, "restore", "node0").splitlines()[-1].partition(": ")[2].split(", ")
    ]
    assert names == ["asked", "task", "volumes", "unpacked", "installed", "restored", "switch_root", "ssh"]
    assert f"node0: fence_cdu; held by {environment.user()} until " in said(commands, "list")
    assert "volumes" not in said(commands, "restore", "node0", "--series", "bookworm")
    assert "volumes" in said(commands, "install", "node0")
    assert re.search(r"; installed in \d+ s by switch_root 20\S+Z\nnode1: fence_cdu; free\n", said(commands, "list"))
    newest = json.loads(said(commands, "list", "--json"))[0]["restorations"]
    assert [one["installed"] for one in newest] == [True, False, True]
    assert said(commands, "restore", "node0", "--series", "sid").startswith("no series sid")
    assert said(commands, "release", "node0").startswith("node0: free; it was held by ")


def test_machine_that_reboots_instead_of_kexec(commands: Room) -> None:
    boots = MachineBoots(commands.store, "node1")
    boots.avoid_kexec("kexec -l: no")
    failure = boots.kexec_failure()
    assert failure
    line = f"reboots instead of kexec since {failure.since}: kexec -l: no"
    assert said(commands, "list") == f"node0: fence_cdu; free\nnode1: fence_cdu; free; {line}\nnode2: fence_cdu; free\n"
    assert json.loads(said(commands, "list", "--json"))[1]["kexec_failure"]["why"] == "kexec -l: no"
    assert said(commands, "status", "node1", "node2") == f"node1: off; {line}\nnode2: off\n"
    said(commands, "restore", "node1")
    assert boots.kexec_failure() == failure
    said(commands, "install", "node1")
    assert boots.kexec_failure() is None, "it is tried again"


def test_machine_without_credentials_does_not_stop_the_others(commands: Room) -> None:
    described = yaml.safe_load(commands.lab.file.read_text())
    described["machines"]["node1"]["power"]["credentials"] = "ini:missing.ini"
    commands.lab.file.write_text(yaml.safe_dump(described))
    result = CliRunner().invoke(cli, ["machine", "status", "--lab", str(commands.lab.file)])
    lines = result.output.splitlines()
    assert (lines[0], lines[2], result.exit_code) == ("node0: off", "node2: off", 2)
    assert lines[1].startswith("node1: ")
    assert "missing.ini: there is no such file" in lines[1]


def env(room: Room, *argv: str) -> str:
    result = CliRunner().invoke(cli, ["env", argv[0], "--lab", str(room.lab.file), *argv[1:]])
    if result.exception and not isinstance(result.exception, SystemExit):
        return str(result.exception)
    return result.output


@pytest.mark.parametrize("target", ["nspawn", "metal"])
def test_machine_of_a_person_is_an_environment(commands: Room, target: str) -> None:
    """Whatever the target of the lab's deployment is."""
    described = yaml.safe_load(commands.lab.file.read_text())
    described["deployment"] = {"target": target, "applications": {}}
    commands.lab.file.write_text(yaml.safe_dump(described))
    said(commands, "restore", "node1")
    assert env(commands, "list") == "node1: node0 10.77.0.11; nothing deployed\n"
    assert env(commands, "reset", "node1").startswith("node1: node0 10.77.0.11; ")
    assert [call for call in commands.rack.calls if call.endswith(("n0", "n2"))] == []
    lab = loading.load(commands.lab.file)
    assert environments.current_holder(lab, "trunk") == "", "a deployment has machines of its own"
    assert env(commands, "destroy", "node1", "--yes") == "node1: destroyed\n"
    assert commands.rack.calls[-2:] == ["off n1", "status n1"]
    assert said(commands, "list").splitlines()[1].startswith("node1: fence_cdu; free; restored in ")


def test_machine_of_another_person_is_not_destroyed(commands: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """With sudo, several people share a state."""
    said(commands, "restore", "node1")
    monkeypatch.setattr(environment, "user", lambda: "somebody")
    owner = leases.current(commands.store, "node1")
    for verb in (("destroy", "node1", "--yes"), ("reset", "node1")):
        assert f"node1 is {owner}" in env(commands, *verb)
    assert commands.rack.on("node1")
    said(commands, "release", "node1", "--force")
    assert env(commands, "destroy", "node1", "--yes") == "node1: destroyed\n"
    assert not commands.rack.on("node1")


def test_refusal_comes_before_an_image_is_made(commands: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepared(*_: object) -> MetalImage:
        raise AssertionError("minutes later")

    monkeypatch.setattr(image, "prepared", prepared)
    leases.hold(commands.store, "node0", "somebody", environment.now() + timedelta(hours=1), "a bug")
    assert said(commands, "restore", "node0").startswith("node0 is held by somebody until ")
    monkeypatch.setattr(by_hand, "lab_server_runs", lambda _: False)
    assert said(commands, "install", "node1").startswith("the lab server does not run: see qalab machine serve")


def test_hold(commands: Room) -> None:
    assert said(commands, "hold", "node0", "--hours", "1").startswith("node0: held by ")
    assert said(commands, "release", "node0", "--force").startswith("node0: free; it was ")


def test_released_machine_has_no_task(commands: Room) -> None:
    """Of a restoration that was killed, or that runs: the machine is that of somebody else at its next boot."""
    said(commands, "restore", "node0")
    target = commands.target("node0")
    noted = target.noted()
    assert noted
    task = noted.task.model_copy(update={"id": "1", "until": "2099-01-01T00:00:00Z"})
    boots = MachineBoots(commands.store, "node0")
    boots.give(task, commands.image.path, target.home / "nodes/node0/node.tar")
    said(commands, "release", "node0")
    assert boots.task() is None


def test_console(commands: Room, tmp_path: Path) -> None:
    assert said(commands, "console", "node1").startswith("machines.node1.console: missing")
    assert (
        said(commands, "console", "node0")
        == f"{tmp_path / 'console'} is no file: nothing writes the console of node0 there"
    )
    (tmp_path / "console").write_text("one\n\x1b[1mtwo\x1b[0m\nthree\n")
    assert said(commands, "console", "node0", "--lines", "2") == "two\nthree\n"


def test_second_server_is_refused(commands: Room) -> None:
    assert said(commands, "serve") in {"another lab server runs", "dnsmasq is not here (apt-get install dnsmasq-base)"}
