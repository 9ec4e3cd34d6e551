"""Machines that are reached by a real ssh: commands arrive as they are, deployments land, machines are restored."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import InfrastructureError
from lab.base.run import TimedOut, run
from lab.config.deployment import Machines
from lab.config.description import Lab
from lab.store.runs import Store
from scripts import archive, deploy, exercise, reset
from scripts.deployment import environments
from scripts.drivers.nspawn import leftovers
from scripts.drivers.ssh import restore
from scripts.drivers.ssh.connection import SshMachine
from scripts.exercises import cases
from tests.conftest import Bench
from tests.integration.test_deploy import service
from tests.machines import RESTORE, USER, Played, playing
from tests.packages import pretend_built, start
from tests.processes import wait_for
from tests.samples import sampled

pytestmark = pytest.mark.integration
HOSTILE = ["a b", "", "$HOME", "it's", '"', "\\", "a\nb", "-n", "*", "`id`", "ü\udcff", "#x", "!", "~", "a;b|c&d<e>f"]


@pytest.fixture
def played(shared_cache: Path, tmp_path: Path) -> Iterator[list[Played]]:
    """Two machines, and their keys; nothing is left of them."""
    home = tmp_path / "machines"
    with playing(home, 2) as machines:
        (tmp_path / "known_hosts").write_text("".join(each.known_hosts() for each in machines))
        yield machines
    assert [line for line in leftovers.left_by(home) if not line.startswith("file ")] == []


def keys(tmp_path: Path) -> dict[str, str]:
    return {"identity": str(tmp_path / "machines/client"), "known_hosts": str(tmp_path / "known_hosts")}


@pytest.fixture
def machine(played: list[Played], tmp_path: Path) -> Iterator[SshMachine]:
    """Provide a machine with a log of its commands."""
    home = tmp_path / "environment"
    home.mkdir()
    with (tmp_path / "log").open("w", errors="surrogateescape") as log:
        node = SshMachine(home, "node0", played[0].login, "127.0.0.1", log=log, **keys(tmp_path))
        yield node
        node.hang_up()


def printed(node: SshMachine, *argv: str) -> str:
    return node.run(argv, capture=True).stdout


def as_user(node: SshMachine) -> SshMachine:
    return replace(node, name="other", login=node.login.replace("root", USER))


def test_command_arguments_arrive_unchanged(machine: SshMachine) -> None:
    for node in (machine, as_user(machine)):
        assert printed(node, "id", "-un") == "root\n"
        assert printed(node, "printf", r"%s\0", *HOSTILE).split("\0")[:-1] == HOSTILE
        node.write("/etc/some/where/file", "a $text with 'quotes'\n\udcff", mode=0o640)
        assert node.read("/etc/some/where/file") == "a $text with 'quotes'\n\udcff"
        assert printed(node, "stat", "-c", "%a %U", "/etc/some/where/file") == "640 root\n"
        for code in (0, 1, 127, 254, 255):
            result, lines = node.attempt(["sh", "-c", f"printf half; exit {code}"])
            assert (result.returncode, lines) == (code, ["half"])
        assert node.run(["sh", "-c", "kill -TERM $$"], check=False).returncode == 128 + signal.SIGTERM
        assert "SSH_" not in printed(node, "env")
        node.hang_up()


def test_commands_share_one_connection(machine: SshMachine) -> None:
    for _ in range(100):
        machine.run(["true"])
    assert printed(machine, "pgrep", "--count", "--full", "^sshd: root@notty") == "1\n"
    machine.hang_up()
    assert not list(machine.home.iterdir())


@pytest.mark.full
def test_commands_beyond_session_limit_run(machine: SshMachine) -> None:
    def ask(number: int) -> tuple[int, list[str]]:
        result, lines = replace(machine, log=None).attempt(["sh", "-c", f"sleep 0.5; echo {number}; exit {number}"])
        return result.returncode, lines

    with ThreadPoolExecutor(15) as pool:  # sshd_config(5): MaxSessions is 10
        assert list(pool.map(ask, range(15))) == [(number, [str(number)]) for number in range(15)]


@pytest.mark.full
def test_command_timeout_ends_remote_program(machine: SshMachine) -> None:
    with pytest.raises(TimedOut, match="sleep did not end within 1 seconds on node0"):
        machine.run(["sleep", "4711"], timeout=1)
    assert wait_for(lambda: not machine.run(["pgrep", "--full", "^sleep 4711"], check=False))


def test_ssh_error_is_one_line(machine: SshMachine, played: list[Played], tmp_path: Path) -> None:
    other = tmp_path / "machines/other"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other])
    (tmp_path / "none").write_text("")
    (tmp_path / "wrong").write_text(played[0].known_hosts("other"))
    broken = {
        "its host key is not known": {"known_hosts": str(tmp_path / "none")},
        f"its host key has changed: {tmp_path}/wrong:1 has another ED25519 key": {
            "known_hosts": str(tmp_path / "wrong")
        },
        "Permission denied (publickey,password)": {"identity": str(other)},
        "connect to host 127.0.0.1 port 9: Connection refused": {"login": "root@127.0.0.1:9"},
    }
    for message, how in broken.items():
        node = replace(machine, home=tmp_path, **how)
        with pytest.raises(InfrastructureError) as error:
            node.run(["true"], check=False)
        assert str(error.value) == f"{node}: {message}"
    machine.write("/etc/sudoers.d/qa", "")
    assert as_user(machine).attempt(["true"])[1] == ["sudo: a password is required"]
    as_user(machine).hang_up()
    machine.run(["systemctl", "start", "ssh.service"])  # what has the port that is to be forwarded
    with pytest.raises(InfrastructureError, match="remote port forwarding failed for listen port 22"):
        replace(machine, forwards=("22:127.0.0.1:22",)).run(["true"], online=True)


@pytest.mark.full
def test_restore_is_verified(machine: SshMachine) -> None:
    def restored(*command: str) -> None:
        how = Machines(hosts=(machine.login,), restore=command).model_copy(update={"boot_minutes": 0.05})
        restore.restore([machine], how, machine.log, "testlab/trunk")

    boot = printed(machine, "cat", "/proc/sys/kernel/random/boot_id")
    machine.write("/root/garbage", "x")
    for command, message in {
        "true": "does not come back within 0.05 min: it still is what it was before: it was not restored",
        "echo no power >&2; exit 3": "ended with status 3: no power",
        "sleep 60": "restoring it: sh did not end within 3 seconds",
    }.items():
        with pytest.raises(InfrastructureError) as error:
            restored("sh", "-c", command, "{host}", "{node}")
        assert str(error.value).startswith(f"{machine}: ")
        assert message in str(error.value)
    assert machine.read("/root/garbage") == "x"
    home = machine.identity.removesuffix("client")  # type: ignore[union-attr]
    restore.restore(
        [machine],
        Machines(hosts=(machine.login,), restore=(sys.executable, "-c", RESTORE, f"{home}{{node}}")),
        machine.log,
        "testlab/trunk",
    )
    assert printed(machine, "cat", "/proc/sys/kernel/random/boot_id") != boot
    assert not machine.run(["test", "-e", "/root/garbage"], check=False)


@dataclass
class Place:
    """A lab with these machines and two tracks, ``trunk`` and ``other``."""

    lab: Lab

    def run(self, module: Any, phase: str, version: str = "", track: str = "trunk") -> Any:
        return self.begin(phase, version, track).execute(module)

    def begin(self, phase: str, version: str = "", track: str = "trunk") -> Bench:
        return Bench(self.lab, Store.of(self.lab).new_run(self.lab, track, "greet", "", phase=phase, version=version))  # type: ignore[arg-type]

    @property
    def home(self) -> Path:
        return Store.of(self.lab).environments


@pytest.fixture
def place(
    played: list[Played], lab_factory: Callable[..., Lab], bench: Callable[..., Bench], tmp_path: Path
) -> Iterator[Place]:
    phases = ["build", "deploy", "exercise"]
    greet = {"role": "package", "to": [0, 1], "options": {"command": "greet", "prints": "hello"}}
    deployment = {
        "target": "ssh",
        "applications": {"greet": greet},
        "ssh": {
            "hosts": [each.login for each in played],
            "restore": [sys.executable, "-c", RESTORE, f"{tmp_path}/machines/{{node}}"],
            **keys(tmp_path),
        },
    }
    tracks = {"other": {"series": "bookworm", "branch": "main", "phases": phases, "settle_seconds": 0}}
    lab = lab_factory(track={"phases": phases}, lab={"tracks": tracks, "deployment": deployment})
    for track, version in {"trunk": "1.0-1", "other": "2.0-1"}.items():
        at = bench(lab, track=track)
        pretend_built(at, version, files=service("exec sleep infinity"))
        assert at.execute(archive).verdict == "passed"
    made = Place(lab)
    yield made
    for name in environments.names(lab):
        environments.target(lab, name).destroy()
    assert leftovers.left_by(made.home) == []


def test_deploy_exercise_and_restore_of_machines(place: Place, played: list[Played]) -> None:
    at = place.begin("deploy", "1.0-1")
    record = at.execute(deploy)
    assert record.verdict == "passed", record.message
    assert record.message.startswith("greet 1.0-1 on 2 nodes, 2 packages from the lab's archive; booted in ")
    assert record.facts["packages"] == ["greet=1.0-1"]
    assert record.facts["snapshot"] == {"hosts": [each.login for each in played]}
    assert "install greet" in (at.run.results / "nodes/node1/dpkg.log").read_text()
    assert played[1].node.read("/var/lib/qalab/environment") == "testlab/trunk\n"
    assert played[1].node.read("/etc/hostname") == "node1\n"

    at = place.begin("exercise", "1.0-1")
    record = at.execute(exercise)
    assert (record.verdict, record.message) == ("passed", "14 of 14 passed")
    found = cases.read(at.run.path / record.native[0].path)
    assert [case.name for case in found if case.classname == "command"] == ["greet: $ greet"] * 2
    assert at.execute(reset).message == "pristine again"
    assert not played[1].node.run(["test", "-e", "/usr/bin/greet"], check=False)
    assert leftovers.left_by(place.home) == []


@pytest.mark.full
def test_deployments_of_two_tracks_take_turns(place: Place, played: list[Played]) -> None:
    runs = [place.begin("deploy", track=track) for track in ("trunk", "other")]
    both = [start(deploy, at) for at in runs]
    assert [process.wait(120) for process in both] == [0, 0]
    last, first = sorted(("trunk", "other"), key=lambda name: environments.names(place.lab) != [name])
    record = place.run(exercise, "exercise", track=first)
    assert (record.verdict, record.message) == (
        "skipped",
        f"its machines have what {last} has deployed by now: the next deployment is exercised",
    )
    assert place.run(reset, "exercise", track=first).message == "there was nothing"
    record = place.run(exercise, "exercise", track=last)
    assert (record.verdict, record.version) == ("passed", {"trunk": "1.0-1", "other": "2.0-1"}[last]), record.message
    assert played[0].node.read("/var/lib/qalab/environment") == f"testlab/{last}\n"


@pytest.mark.parametrize("delay", sampled([1.0, 3.0, 5.0], 3.0))
def test_deploy_recovers_after_kill(place: Place, delay: float) -> None:
    process = start(deploy, place.begin("deploy"))
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    record = place.run(deploy, "deploy", track="other")
    assert (record.verdict, record.version) == ("passed", "2.0-1"), record.message
    assert environments.names(place.lab) == ["other"]
    process = start(reset, place.begin("exercise", track="other"))
    time.sleep(delay / 2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert place.run(reset, "exercise", track="other").verdict == "passed"
    assert leftovers.left_by(place.home) == []
