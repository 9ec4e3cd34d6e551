"""Nodes in containers: the process whose namespaces a command enters."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.base.errors import InfrastructureError
from scripts.drivers.nspawn import driver
from scripts.drivers.nspawn.driver import Container

GONE = 2**22 + 1  # beyond the last process: see proc(5), pid_max


def container(home: Path, monkeypatch: pytest.MonkeyPatch, *processes: int) -> Container:
    left = iter(processes)
    monkeypatch.setattr(driver, "Group", lambda _: SimpleNamespace(first_process=lambda: next(left)))
    (home / "nodes/node0").mkdir(parents=True)
    return Container(home, "node0", "10.20.0.11")


def test_command_enters_the_node_that_was_rebooted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = container(tmp_path, monkeypatch, GONE, os.getpid())
    assert [node.enter(["true"])[3] for _ in range(2)] == [str(os.getpid())] * 2


@pytest.mark.parametrize(
    ("status", "state"),
    [("0\n", "was shut down"), ("1\n", "does not run"), (None, "does not run")],
    ids=["shut down", "failed", "killed"],
)
def test_node_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str | None, state: str
) -> None:
    node = container(tmp_path, monkeypatch, GONE, 0)
    if status:
        (node.path / "ended").write_text(status)
    with pytest.raises(InfrastructureError, match=f"^the node node0 {state} "):
        node.enter(["true"])
