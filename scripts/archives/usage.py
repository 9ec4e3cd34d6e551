"""The states that processes use: nobody removes them meanwhile.

The machine of the archive knows the processes on it.  States that other machines use are safe for
``archive.states.keep_days``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.base import files
from lab.config.description import Lab
from lab.store.archive_place import is_apart, reader_of
from lab.store.runs import Store


@contextmanager
def held(lab: Lab, state: str) -> Iterator[None]:
    """Keep a state from being removed.  Raises ConfigurationError where it is not there."""
    reader = reader_of(lab)
    if is_apart(lab):
        reader.existing(state)
        yield
        return
    with files.locked(Store.of(lab).lock_path("state", state), shared=True):
        reader.existing(state)
        yield
