"""The lab's archive while its lock is held: what needs no key of it, and no room on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from lab.base import files
from lab.config.description import Lab
from lab.store.archive import PUBLIC_KEY, STATE_FILE, STATES, ArchiveReader, State
from lab.store.runs import Store
from scripts.archives import archive_identity


@dataclass(frozen=True)
class LockedArchive:
    """The archive, while its lock is held."""

    lab: Lab
    log: IO[str]
    store: Store

    @property
    def root(self) -> Path:
        return self.store.archive

    @cached_property
    def reader(self) -> ArchiveReader:
        return ArchiveReader.at(self.root)

    @property
    def scratch(self) -> Path:
        """Where a tree is written before it is renamed to its place."""
        return self.root / "new"

    def meant(self) -> dict[str, State]:
        """Return the state that each label is to name once what a killed process has begun is complete."""
        known = (state for state in self.reader.states() if not state.candidate_for)
        # Nothing makes the label of a track again that lab.yaml does not name any more: see scripts.archives.labels.drop.
        found = {state.track: state for state in known if state.track in self.lab.tracks or self._is_label(state.track)}
        for path in sorted(self.root.glob("labels/*.json")):
            for move in self.reader.moves(path.stem)[-1:]:
                if moved := self.reader.state(move.after):
                    found[path.stem] = moved
        return found

    def _is_label(self, name: str) -> bool:
        return (self.root / "dists" / name).is_symlink()

    def older_suites(self) -> list[Path]:
        """Return the directories of the suites that an older release has left."""
        there = (path for path in sorted(self.root.glob("dists/*")) if not path.is_symlink())
        return [path for path in there if (path / "Release").exists() and not (path / STATE_FILE).exists()]


@contextmanager
def locked(lab: Lab, log: IO[str], scratch: Store | None = None) -> Iterator[LockedArchive]:
    """Wait for the lock of the archive, and give the archive as it is; ``scratch``: a store with one to throw away.

    Raises ConfigurationError on any machine but that of the archive, see `scripts.archives.archive_identity`.
    """
    store = scratch or Store.of(lab)
    if scratch is None:
        archive_identity.check(lab)
    with files.locked(store.lock_path("archive")):
        archive = LockedArchive(lab, log, store)
        shutil.rmtree(archive.scratch, ignore_errors=True)
        for pattern in (f".{PUBLIC_KEY}.????????", f".{STATES}.????????", "labels/.*.json.????????"):
            for path in archive.root.glob(pattern):  # of a write that was killed
                path.unlink()
        yield archive
