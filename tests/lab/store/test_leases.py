"""Leases of machines: one owner at a time, until an end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store import leases
from lab.store.runs import Store

HOUSE = Path(__file__).parents[3]
MACHINES = {"node0": {"power": {"agent": "fence_cdu", "options": {"ip": "pdu.example", "plug": "n0"}}}}


@pytest.fixture
def lab(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory(lab={"machines": MACHINES})


def take(lab: Lab, owner: str, hours: float = 1) -> leases.Lease:
    return leases.hold(Store.of(lab), "node0", owner, environment.now() + timedelta(hours=hours), "a bug")


def test_machine_has_one_owner(lab: Lab) -> None:
    store = Store.of(lab)
    assert leases.current(store, "node0") is None
    first = take(lab, "ann")
    assert str(first) == f"held by ann until {first.until}: a bug"
    with pytest.raises(ConfigurationError, match=r"node0 is held by ann until .*: a bug"):
        take(lab, "bob")
    with pytest.raises(ConfigurationError, match="held by ann"):
        leases.release(store, "node0", "bob", force=False)
    assert take(lab, "ann", 2).until > first.until
    assert leases.release(store, "node0", "ann", force=False)
    assert leases.release(store, "node0", "ann", force=False) is None
    take(lab, "bob")
    assert leases.release(store, "node0", "ann", force=True)
    leases.check_free(store, "node0", "ann")


def test_lease_ends_by_itself(lab: Lab) -> None:
    take(lab, "ann", -1)
    assert leases.current(Store.of(lab), "node0") is None
    assert take(lab, "bob").owner == "bob"


def called(lab: Lab, *argv: str) -> str:
    result = CliRunner().invoke(cli, ["machine", argv[0], "--lab", str(lab.file), *argv[1:]])
    if result.exception and not isinstance(result.exception, SystemExit):
        return str(result.exception)
    return result.output


def test_commands(lab: Lab) -> None:
    assert called(lab, "list") == "node0: fence_cdu; free\n"
    me = environment.user()
    assert called(lab, "hold", "node0", "--hours", "2", "--reason", "a\nbug").startswith(f"node0: held by {me} until ")
    assert called(lab, "list").endswith(": a bug\n")
    assert f'"owner": "{me}"' in called(lab, "list", "--json")
    assert called(lab, "release", "node0").startswith("node0: free; it was held by ")
    assert called(lab, "release", "node0") == "node0: free already\n"
    assert called(lab, "hold", "nod0").startswith("no machine nod0 (")
    take(lab, "somebody")
    assert called(lab, "power", "node0", "off").startswith("node0 is held by somebody until ")


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", '{"owner": "ann"}', '{"owner": "ann", "since": "x", "until": "soon"}',
     '{"owner": "ann", "since": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:00:00"}', '{"schema": 99}'],
    ids=["empty", "cut", "no object", "no end", "no time", "no zone", "of a newer release"],
)  # fmt: skip
def test_machine_with_a_damaged_lease_is_nobodys_to_take(lab: Lab, damage: str) -> None:
    place = Store.of(lab).machine_lease("node0")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(damage)
    assert called(lab, "list").startswith(
        f"node0: fence_cdu; held by ? until {leases.NEVER}: its lease is damaged: {place}"
    )
    for argv in (["hold", "node0"], ["power", "node0", "off"], ["release", "node0"]):
        said = called(lab, *argv)
        assert said.startswith("node0 is held by ?")
        assert said.endswith("(qalab machine release node0 --force)")
    assert called(lab, "release", "node0", "--force").startswith("node0: free; it was held by ?")
    assert called(lab, "hold", "node0").startswith(f"node0: held by {environment.user()}")


def test_hold_is_refused_while_somebody_switches_the_power(lab: Lab) -> None:
    store = Store.of(lab)
    with leases.switching(store, "node0"):
        with pytest.raises(ConfigurationError, match=r"^node0: somebody else switches its power now$"):
            take(lab, "bob")
        assert leases.current(store, "node0") is None
        assert "somebody else switches its power now" in called(lab, "power", "node0", "on")
    take(lab, "bob")
    with leases.switching(store, "node0"):
        assert take(lab, "bob", 9), "who has it prolongs the lease"


@pytest.mark.parametrize("hours", ["nan", "inf", "-1", "0", "1e9"])
def test_hours_that_are_none(lab: Lab, hours: str) -> None:
    result = CliRunner().invoke(cli, ["machine", "hold", "--lab", str(lab.file), "node0", "--hours", hours])
    assert (result.exit_code, type(result.exception)) in {(2, SystemExit), (1, ConfigurationError)}
    assert leases.current(Store.of(lab), "node0") is None


def test_reason_controls_no_terminal(lab: Lab) -> None:
    assert called(lab, "hold", "node0", "--reason", "a\x1b[31m\x07\nbug").endswith(": a bug\n")


@pytest.mark.integration
def test_many_processes_want_one_machine(lab: Lab) -> None:
    def hold(user: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, HOUSE / "qalab.py", "machine", "hold", "node0", "--lab", lab.file]
        return subprocess.Popen(
            argv, env={**os.environ, "SUDO_USER": user}, cwd=HOUSE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    processes = {user: hold(user) for user in ("ann", "bob", "cat", "dan")}
    said = {user: process.communicate() for user, process in processes.items()}
    (winner,) = (user for user, process in processes.items() if process.returncode == 0)
    held = leases.current(Store.of(lab), "node0")
    assert held
    assert held.owner == winner
    for user, process in processes.items():
        if user != winner:
            assert (process.returncode, said[user][1].startswith(b"qalab: node0")) == (2, True)


def test_lab_without_machines(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    assert called(lab_factory(), "list") == "no machines\n"
