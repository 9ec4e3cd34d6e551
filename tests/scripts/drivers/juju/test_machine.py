"""A machine of a model, entered by ``juju ssh``, while the controller is busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.base.run import ProgramFailed
from scripts.drivers.juju.client import JujuModel, JujuRefused
from scripts.drivers.juju.machine import JujuMachine
from scripts.drivers.juju.patience import JujuPatience
from tests.clocks import Moved
from tests.jujufake import Juju

ELECTION = "ERROR not master and slaveOk=false\n"
CALLS: dict[str, Callable[[JujuMachine], object]] = {
    "a program": lambda machine: machine.run(["greet"], capture=True).stdout,
    "a program without a log": lambda machine: machine.run(["greet"], capture=True, log=None).stdout,
    "a program that may fail": lambda machine: machine.run(["greet"], capture=True, check=False).stdout,
    "an attempt": lambda machine: machine.attempt(["greet"], capture=True)[0].stdout,
}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def machine(juju: Juju, tmp_path: Path, said: list[str]) -> Iterator[JujuMachine]:
    with (tmp_path / "log").open("a+") as log:
        yield JujuMachine(
            JujuModel("lab", "admin", "x", log, JujuPatience(said.append, Moved().clock)), "0", "node0", "10.0.0.1"
        )


@pytest.mark.parametrize("name", CALLS)
def test_machine_is_entered_after_an_election(juju: Juju, machine: JujuMachine, said: list[str], name: str) -> None:
    juju.write("ssh.busy", ELECTION * 12)
    assert CALLS[name](machine) == "hello\n"
    assert len(juju.calls("ssh")) == 13
    assert said == ["juju ssh: not master and slaveOk=false; asking again for 5 minutes"]


def test_machine_keeps_what_it_writes_after_an_election(juju: Juju, machine: JujuMachine) -> None:
    juju.write("ssh.busy", ELECTION)
    machine.write("/etc/apt/preferences.d/qalab", "Pin: x\n")
    assert (juju.home / "written/qalab").read_text() == "Pin: x\n"


@pytest.mark.integration
@pytest.mark.parametrize("name", CALLS)
def test_controller_that_stays_busy_is_the_labs_fault(juju: Juju, machine: JujuMachine, name: str) -> None:
    juju.write("ssh.busy", ELECTION * 200)
    for calls in (61, 62):  # once it stayed away, nothing waits for it again
        with pytest.raises(JujuRefused, match=r"^juju ssh: not master"):
            CALLS[name](machine)
        assert len(juju.calls("ssh")) == calls


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("echo begun; echo 'ERROR no reachable servers' >&2; exit 1", id="after output"),
        pytest.param("echo 'ERROR no such database' >&2; exit 1", id="of the program's own"),
        pytest.param("echo 'no reachable servers' >&2; exit 1", id="that is not Juju's"),
    ],
)
def test_failure_of_a_program_is_not_repeated(juju: Juju, machine: JujuMachine, text: str) -> None:
    juju.write("machine/greet", f"#!/bin/sh\n{text}\n")
    with pytest.raises(ProgramFailed):
        machine.run(["greet"])
    assert not machine.attempt(["greet"])[0]
    assert len(juju.calls("ssh")) == 2
