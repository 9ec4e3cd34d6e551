"""Reboots after an installation: only the nodes that are asked for, and a node that does not come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.base.clock import Clock
from lab.base.errors import Failed, InfrastructureError, LabError
from lab.base.run import Result
from scripts.deployment import rebooting
from scripts.drivers.topology import Application, CharmRole, Topology

AWAY = InfrastructureError("node0: connection refused")


@dataclass
class Node:
    """A node that answers a list of boot ids, or errors, one at a time; the last one for ever."""

    name: str
    boots: list[str | LabError]
    state: str = "running"
    ran: list[str] = field(default_factory=list)

    def read(self, path: str) -> str:
        assert path == "/proc/sys/kernel/random/boot_id"
        answer = self.boots.pop(0) if len(self.boots) > 1 else self.boots[0]
        if isinstance(answer, LabError):
            raise answer
        return answer

    def run(self, argv: Sequence[str]) -> None:
        self.ran.append(argv[-1])

    def attempt(self, argv: Sequence[str], **_: Any) -> tuple[Result, list[str]]:
        return Result(tuple(argv), 0, ""), [f"{self.state}\n"]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time passes only while somebody sleeps."""
    now = [0.0]
    monkeypatch.setattr(
        rebooting, "Clock", lambda: Clock(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    )
    return now


def wanted(*, supporting: bool = False, reboot: bool = True) -> Topology:
    role = CharmRole("package", SUPPORTING=supporting)
    return Topology((Application("kernel", role, ("kernel",), ("node0",), {}, reboot=reboot),))


def test_only_nodes_that_ask_for_it_reboot() -> None:
    first, second = Node("node0", ["a", AWAY, "a", AWAY, "b"]), Node("node1", ["x"])
    said: list[str] = []
    assert rebooting.reboot([first, second], wanted(), said.append) == {"reboot": 1.5}  # type: ignore[list-item]
    assert said == ["reboot node0"]
    assert "systemctl reboot" in first.ran[0]
    assert second.ran == []
    assert rebooting.reboot([first], wanted(reboot=False), said.append) == {}  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("node", "why"),
    [
        pytest.param(Node("node0", ["a"]), "it has not rebooted", id="same"),
        pytest.param(Node("node0", ["a", AWAY]), "node0: connection refused", id="away"),
        pytest.param(Node("node0", ["a", "b"], state="maintenance"), "its system is maintenance", id="rescue"),
    ],
)
@pytest.mark.parametrize(("supporting", "kind"), [(False, Failed), (True, InfrastructureError)])
def test_node_that_does_not_come_back(node: Node, why: str, *, supporting: bool, kind: type[LabError]) -> None:
    node = Node(node.name, [*node.boots], node.state)
    with pytest.raises(kind, match=f"kernel: node0 does not come back from its reboot: {why}"):
        rebooting.reboot([node], wanted(supporting=supporting), str)  # type: ignore[list-item]
