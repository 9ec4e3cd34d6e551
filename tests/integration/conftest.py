"""Shared fixtures of the tests with real tools: chroots are created once per session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache home for the whole session, of one worker: tests look for remains of their own builds in it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def shared_cache(own_home: Path, session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Base chroots and layers of earlier tests are there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(session_cache))
    return session_cache
