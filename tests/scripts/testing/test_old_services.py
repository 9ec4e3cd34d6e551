"""Services that still run the old version after an upgrade."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scripts.services import systemd
from scripts.services.deployed_state import Service
from scripts.testing import old_services

SERVICE = Service(role="package", nodes=("node0",), packages=("greet", "libgreet1"), units=("greet.service",))
APPLICATION = SimpleNamespace(name="greet")
WHERE: Any = SimpleNamespace(on=lambda _: [APPLICATION, SimpleNamespace(name="unknown")])


@pytest.mark.parametrize(
    ("before", "after", "upgraded", "restarted"),
    [
        ("running 9:00", "running 9:00", {"greet"}, True),
        ("running 9:00", "running 9:00", {"libgreet1", "other"}, True),
        ("running 9:00", "running 9:30", {"greet"}, False),
        ("running 9:00", "running 9:00", {"other"}, False),
        ("running 9:00", "failed 9:00", {"greet"}, False),
        ("dead ", "running 9:30", {"greet"}, False),
        ("exited 9:00", "exited 9:00", {"greet"}, False),
    ],
    ids=["old", "by a library", "new", "another's", "died", "started", "does its work once"],
)
def test_old_services_are_restarted(
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str,
    upgraded: set[str],
    restarted: bool,  # noqa: FBT001 - a table
) -> None:
    texts, done = [before, after], list[str]()

    def states(_: object, units: list[str]) -> dict[str, dict[str, str]]:
        assert units == ["greet.service"]
        state, _, began = texts.pop(0).partition(" ")
        return {units[0]: {"SubState": state, "ExecMainStartTimestamp": began}}

    monkeypatch.setattr(systemd, "states", states)
    monkeypatch.setattr(systemd, "restart", lambda _, application, unit: done.append(f"{application.name} {unit}"))
    node: Any = SimpleNamespace(name="node0", run=lambda argv: done.append(" ".join(argv)))
    services = {"greet": SERVICE}
    began = old_services.started(node, services)
    found = old_services.restart(node, WHERE, services, began, upgraded)
    assert found == (["greet.service"] if restarted else [])
    assert done == (["systemctl daemon-reload", "greet greet.service"] if restarted else [])
