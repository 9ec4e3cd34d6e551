"""Programs in the background: real ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.base import environment
from lab.base.background import BackgroundPrograms


def start(programs: BackgroundPrograms, tmp_path: Path, name: str, script: str) -> None:
    programs.start(name, ["sh", "-c", script], tmp_path / name, environment.own(), tmp_path)


def test_background_programs_run_at_the_same_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with BackgroundPrograms() as programs:
        start(programs, tmp_path, "reader", "cat pipe; exit 3")  # ends only if the writer runs as well
        start(programs, tmp_path, "writer", "echo hello > pipe; echo oops >&2")
        assert sorted([programs.wait(), programs.wait()]) == [("reader", 3), ("writer", 0)]
    assert [(tmp_path / name).read_text() for name in ("reader", "writer")] == ["hello\n", "oops\n"]


def interrupted(tmp_path: Path) -> None:
    with BackgroundPrograms() as programs:
        start(programs, tmp_path, "one", "trap 'echo ended; exit 0' TERM; echo ready > pipe; sleep 60 & wait")
        assert (tmp_path / "pipe").read_text() == "ready\n"
        raise KeyboardInterrupt


def test_background_programs_end_with_their_owner(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path)
    assert (tmp_path / "one").read_text() == "ended\n"
