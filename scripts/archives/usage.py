"""The states that processes on this machine use: nobody removes them meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.base import files
from lab.store.archive import ArchiveReader
from lab.store.runs import Store


@contextmanager
def held(store: Store, state: str) -> Iterator[None]:
    """Keep a state from being removed.  Raises ConfigurationError where it is not there."""
    with files.locked(store.lock_path("state", state), shared=True):
        ArchiveReader.at(store.archive).existing(state)
        yield
