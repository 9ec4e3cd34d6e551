"""The ssh driver without machines: arguments, errors, locks, leftovers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.env import command as env
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.base.run import run
from lab.config.description import Lab
from lab.store.runs import Store
from scripts import configure, deploy, exercise
from scripts.deployment import environments
from scripts.drivers.ssh import restore
from scripts.drivers.ssh.connection import OWN, SshMachine, parse_ssh_error
from scripts.drivers.ssh.driver import NOTE, SshEnvironment, SshTarget, address_of, served_at
from tests.clocks import Moved
from tests.conftest import Bench

NOBODY = "root@127.0.0.1:9"  # discard(9): a closed port
REFUSED = f"node0 ({NOBODY}): connect to host 127.0.0.1 port 9: Connection refused"
HOSTILE = ["a b", "", "$HOME", "it's", '"', "\\", "a\nb", "-n", "*", "`id`", "ü", "#x", "!", "~", "a;b|c&d<e>f"]
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Offending ED25519 key in /lab/known_hosts:3
Host key for machine has changed and you have requested strict checking.
Host key verification failed.
"""


@pytest.fixture
def node(tmp_path: Path) -> SshMachine:
    return SshMachine(tmp_path, "node0", NOBODY)


@pytest.mark.parametrize(("login", "root"), [("root@m", []), ("qa@m", ["sudo", "--non-interactive"])])
def test_remote_shell_restores_quoted_arguments(node: SshMachine, login: str, root: list[str]) -> None:
    argv = replace(node, login=login).enter(["printf", r"%s\0", *HOSTILE])
    assert argv[-2] == f"ssh://{login}"
    words = str(argv[-1]).removeprefix(" ".join([*root, ""]))
    assert words.startswith("env -i HOME=/root ")
    assert run(["sh", "-c", words], capture=True).stdout.split("\0")[:-1] == HOSTILE


def test_remote_command_may_exit_with_255(node: SshMachine, tmp_path: Path) -> None:
    words = str(node.enter(["sh", "-c", "exit 255"])[-1])
    with (tmp_path / "log").open("w") as log:
        assert run(["sh", "-c", words], log=log, check=False).returncode == 255
    assert (tmp_path / "log").read_text().endswith(f"{OWN}\n")


def test_ssh_options(node: SshMachine) -> None:
    given = replace(node, identity="/k", known_hosts="/h", forwards=("4711:127.0.0.1:4711",))
    shared, alone = given.enter(["true"]), given.enter(["true"], online=True)
    for each in (shared, alone):
        assert {"BatchMode=yes", "IdentityFile=/k", "IdentitiesOnly=yes", "UserKnownHostsFile=/h"} < set(each)
    assert "ControlPath=node0.socket" in shared
    assert "-R" not in shared
    assert alone[alone.index("-R") + 1] == "4711:127.0.0.1:4711"
    assert "ControlPath=none" in alone
    assert "-R" not in node.enter(["true"], online=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CHANGED, "its host key has changed: /lab/known_hosts:3 has another ED25519 key"),
        ("Host key verification failed.", "its host key is not known"),
        ("qa@m: Permission denied (publickey).", "Permission denied (publickey)"),
        ("ssh: connect to host m port 22: No route to host", "connect to host m port 22: No route to host"),
        ("ssh: Could not resolve hostname m: Name or service not known", "Could not resolve hostname m: Name or service not known"),
        ("Error: remote port forwarding failed for listen port 1\n", "remote port forwarding failed for listen port 1"),
        ("half a line\nclient_loop: send disconnect: Broken pipe\n\n", "client_loop: send disconnect: Broken pipe"),
        ("", "ssh ended without a word"),
    ],
)  # fmt: skip
def test_ssh_error_line(text: str, message: str) -> None:
    assert parse_ssh_error(text.splitlines()) == message


def test_unreachable_machine_is_an_error(node: SshMachine) -> None:
    with pytest.raises(InfrastructureError) as error:
        node.run(["true"], check=False)
    assert str(error.value) == REFUSED
    assert address_of(node.real_host) == "127.0.0.1"
    node.hang_up()
    assert not node.socket.exists()


def test_host_addresses() -> None:
    with pytest.raises(InfrastructureError, match=r"no-such-host\.invalid: no address of it is known: "):
        address_of("no-such-host.invalid")
    assert served_at("http://127.0.0.1:4711") == 4711
    assert served_at("http://deb.example:80/debian") == 0


@pytest.fixture
def described(lab_factory: Callable[..., Lab]) -> Callable[..., Lab]:
    """Return a lab with two tracks and unreachable machines; the arguments are the restore command."""

    def make(*restore: str, **more: Any) -> Lab:
        phases = ["build", "deploy", "exercise"]
        deployment = {
            "target": "ssh",
            "applications": {"greet": {"role": "package", "packages": ["greet"]}},
            "ssh": {"hosts": [NOBODY, NOBODY], "restore": list(restore), **more},
        }
        tracks = {"other": {"series": "bookworm", "branch": "main", "phases": phases}}
        return lab_factory(track={"phases": phases}, lab={"tracks": tracks, "deployment": deployment})

    return make


def step(lab: Lab, module: Any, track: str = "trunk") -> Any:
    phase = "exercise" if module is exercise else "deploy"
    return Bench(lab, Store.of(lab).new_run(lab, track, "greet", phase=phase)).execute(module)  # type: ignore[arg-type]


def hold(lab: Lab, track: str, **more: Any) -> SshTarget:
    """Say that a track's environment has the machines."""
    target = environments.target(lab, track)
    assert isinstance(target, SshTarget)
    target.home.mkdir(parents=True)
    SshEnvironment(created="", machines={"node1": NOBODY}, **({"addresses": {"node1": "127.0.0.1"}} | more)).write(
        target.home / NOTE
    )
    return target


def test_restore_command_failure_is_an_error(described: Callable[..., Lab]) -> None:
    lab = described("sh", "-c", "echo cannot power on $0 $1; exit 3", "{host}", "{node}")
    record = step(lab, deploy)
    assert (record.verdict, record.exit_code) == ("error", 3)
    assert record.message.startswith(f"node0 ({NOBODY}): sh -c ")
    assert record.message.endswith(" 127.0.0.1 node0 ended with status 3: cannot power on 127.0.0.1 node0")
    # The environment can be destroyed only after a correction of the command.
    target = environments.target(lab, "trunk")
    assert target.nodes() == []
    with pytest.raises(InfrastructureError, match="ended with status 3"):
        target.destroy()
    assert environments.names(lab) == ["trunk"]


@pytest.mark.parametrize(
    ("why", "within"),
    [("connect to host 127.0.0.1 port 9: Connection refused", " within 7 min"), ("Permission denied (publickey)", "")],
)
def test_restore_timeout_is_an_error(
    node: SshMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str, within: str
) -> None:
    """An unreachable machine uses the whole timeout; a refused login fails at once."""
    ssh, moved = tmp_path / "bin/ssh", Moved()
    ssh.parent.mkdir()
    ssh.write_text(f"#!/bin/sh\necho 'ssh: {why}' >&2\nexit 255\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:/usr/bin:/bin")
    minutely = replace(moved.clock, sleep=lambda _: moved.sleep(60))
    with pytest.raises(InfrastructureError) as error:
        restore._come_back(node, 420, 7, minutely)
    assert str(error.value) == f"node0 ({NOBODY}): does not come back{within}: {why}"
    assert (moved.now > 420) == bool(within)


def test_machines_are_locked_by_one_track(described: Callable[..., Lab], tmp_path: Path) -> None:
    lab = described("false")
    with (
        environments.exclusive_turn(lab, "trunk"),
        pytest.raises(InfrastructureError, match="other: somebody else works on"),
        environments.exclusive_turn(lab, "other", wait=False),
    ):
        pass
    hold(lab, "other")
    for module in (configure, exercise):
        record = step(lab, module)
        assert (record.verdict, record.message) == (
            "skipped",
            "its machines have what other has deployed by now: the next deployment is exercised",
        )
    with pytest.raises(ConfigurationError, match=r"trunk: its machines are in use by other \(qalab env destroy other"):
        CliRunner().invoke(env, ["create", "trunk", "--lab", str(tmp_path / "lab.yaml")], catch_exceptions=False)
    # The next deployment takes over the machines and everything to restore on them.
    assert step(lab, deploy).verdict == "error"
    assert environments.names(lab) == ["trunk"]
    noted = SshEnvironment.read(Store.of(lab).environments / "trunk" / NOTE)
    assert (noted.machines, noted.addresses) == ({"node0": NOBODY, "node1": NOBODY}, {})


def test_routes_of_host_are_removed(
    described: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin/ip"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "$@" >> "$0.calls"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    target = hold(described("true"), "trunk")
    target.route("192.0.2.0/24", "10.1.2.3")
    (target.home / "sub").mkdir()
    target.forget()
    assert (tmp_path / "bin/ip.calls").read_text().splitlines() == [
        "route replace 192.0.2.0/24 via 10.1.2.3",
        "route delete 192.0.2.0/24",
    ]
    assert not target.home.exists()


def test_reset_needs_an_environment(described: Callable[..., Lab]) -> None:
    target = environments.target(described("true"), "trunk")
    assert target.destroy() is False
    with pytest.raises(InfrastructureError, match="trunk: there is no such environment"):
        target.reset()
    with pytest.raises(ConfigurationError, match=r"deployment\.ssh: missing"):
        _ = SshTarget(Path("/nowhere")).machines
