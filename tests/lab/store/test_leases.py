"""Leases of machines: one owner at a time, until an end."""

from __future__ import annotations

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


def test_lab_without_machines(lab_factory: Callable[..., Lab], tmp_path: Path) -> None:
    assert called(lab_factory(), "list") == "no machines\n"
