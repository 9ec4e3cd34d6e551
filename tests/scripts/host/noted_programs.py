"""Programs that note how they are called, with what input, and fail as they are told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = """\
#!/bin/sh
cd {home}
case "$*" in *"$(cat fails 2>/dev/null || echo nothing fails)"*) exit 9 ;; esac
echo "${{0##*/}} $*" >> called
cat >> input
"""


@dataclass(frozen=True)
class Noted:
    home: Path

    def fail(self, at: str) -> None:
        """Have the call fail whose arguments have a text."""
        (self.home / "fails").write_text(at)

    def called(self) -> list[str]:
        path = self.home / "called"
        return path.read_text().splitlines() if path.exists() else []

    def input(self) -> str:
        return (self.home / "input").read_text()


def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Noted:
    """Put programs of these names before the real ones."""
    home = tmp_path / "noted"
    (home / "bin").mkdir(parents=True)
    for name in names:
        (home / "bin" / name).write_text(SCRIPT.format(home=home))
        (home / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}/bin:{os.environ['PATH']}")
    return Noted(home)
