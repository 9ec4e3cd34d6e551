"""What these tests share: a machine with enough space."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from lab.base import environment


@pytest.fixture(autouse=True)
def spacious(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk of this machine decides nothing: Debian 13 has /tmp in memory."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=2**40))


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "is_root", lambda: True)
