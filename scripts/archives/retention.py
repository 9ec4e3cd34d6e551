"""The removal of old states, and of pool files that only they have.

A state is removed if it is not among the newest ``archive.states.keep`` of any label, and it is older than
``archive.states.keep_days`` and no label has named it since; never one that a label names, that is pinned, that is deployed on this machine, that a
process uses, or that a demotion, an open promotion or an open bisection needs.  A version is removed if no state has it and it is past ``archive.keep`` or ``archive.keep_days``.

States go first, then the records of versions, then files: what is left of a removal that was cut short, the next one
removes.  Nothing is written before files are gone: people remove states when the disk is full.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from lab.base import environment, files
from lab.store import bisections, promotions, source_history
from lab.store.archive import SOURCE_LOCK, ArchiveReader, State
from lab.store.runs import Store
from scripts.archives import states_index, suites, versions
from scripts.archives.locked_archive import LockedArchive
from scripts.services.deployed_state import Deployed

# A change removes old states when there are so many of them, so that not each one has the cost.
BATCH = 10


@dataclass(frozen=True)
class Removal:
    """What is removed: states, versions (track, source, version), and files with their sizes."""

    states: tuple[str, ...]
    versions: tuple[tuple[str, str, str], ...]
    files: Mapping[Path, int]

    @property
    def size(self) -> int:
        return sum(self.files.values())


def reasons(archive: LockedArchive) -> dict[str, str]:
    """Return why a state is kept, by the names of states that are; without those that are in use."""
    reader, keep = archive.reader, archive.lab.archive.states.keep
    states = {state.name: state for state in reader.states()}
    kept: dict[str, str] = {}
    oldest = environment.now() - timedelta(days=archive.lab.archive.states.keep_days)
    for state in states.values():
        if datetime.fromisoformat(state.created) >= oldest:
            kept[state.name] = "new"
    for label, left in _left_lately(reader, states, oldest):
        kept |= dict.fromkeys(left, f"of {label} until lately")
    for label, last in _last_of_labels(reader, states, keep):
        kept |= dict.fromkeys(last, f"of the last of {label}")
    for label, both in _of_demotions(reader):
        kept |= dict.fromkeys(both, f"of a demotion of {label}")
    kept |= {state: f"deployed in {name}" for state, name in deployed(archive.store).items()}
    kept |= dict.fromkeys(reader.pins(), "pinned")
    kept |= dict.fromkeys(promotions.states_in_use(archive.store), "of an open promotion")
    kept |= dict.fromkeys(bisections.states_in_use(archive.store), "of an open bisection")
    kept |= {state.name: label for label, state in archive.meant().items()}
    return kept | {state.name: label for label, state in reader.labels().items()}


def _last_of_labels(
    reader: ArchiveReader, states: Mapping[str, State], keep: int
) -> Iterator[tuple[str, Iterable[str]]]:
    for label in reader.labels():
        moves = reader.moves(label)
        own = [name for name, state in states.items() if state.track == label and not state.candidate_for]
        had = list(dict.fromkeys(move.after for move in reversed(moves)))[:keep]
        yield label, had if moves else own[-keep:]


def _left_lately(
    reader: ArchiveReader, states: Mapping[str, State], oldest: datetime
) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the states that a label has named since ``oldest``: apt can have read that, and ask for files of them."""
    for label in reader.labels():
        own = [state for state in states.values() if state.track == label and not state.candidate_for]
        left = [(before.name, after.created) for before, after in pairwise(own)]
        left += [(move.before, move.when) for move in reader.moves(label)]
        yield label, [name for name, when in left if datetime.fromisoformat(when) >= oldest]


def _of_demotions(reader: ArchiveReader) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the states before and after each demotion that took away what is still the newest version in its track.

    Without them, nobody knows that these versions must not be promoted again.
    """
    for label, state in reader.labels().items():
        demotions = [move for move in reader.moves(label) if move.kind == "demotion"]
        newest = set(reader.lock(state.track, SOURCE_LOCK)) if demotions else set()
        for move in demotions:
            before, after = (set(reader.lock(name, SOURCE_LOCK)) for name in (move.before, move.after))
            if (before - after) & newest:
                yield label, (move.before, move.after)


def removable(archive: LockedArchive) -> list[str]:
    """Return the states to remove, the oldest first; some of them can be in use."""
    kept = reasons(archive)
    return [state.name for state in archive.reader.states() if state.name not in kept]


def plan(archive: LockedArchive) -> Removal:
    """Return what a removal would do now."""
    gone = tuple(name for name in removable(archive) if _is_free(archive.store, name))
    return _rest(archive, gone)


def collect(archive: LockedArchive) -> Removal:
    """Remove what is old; return what was removed.

    What a killed process has begun stays to be completed, see `scripts.archives.lab_archive.LabArchive.repair`.
    """
    store, removed = archive.store, []
    complete = not states_index.differs(archive.reader)
    for name in removable(archive):
        with suppress(files.Busy), files.locked(store.lock_path("state", name), wait=False):
            shutil.rmtree(
                promotions.probe_home(store, name), ignore_errors=True
            )  # no promotion waits for these results
            (archive.root / "dists" / name).rename(archive.scratch)  # it vanishes in one step
            shutil.rmtree(archive.scratch)
            store.lock_path("state", name).unlink()
            removed.append(name)
    rest = _rest(archive, tuple(removed))
    for track, source, version in rest.versions:
        versions.record_path(archive.root, track, source, version).unlink()
    for path in rest.files:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # it has other files
            path.parent.rmdir()
    if complete:
        for source in {source for _, source, _ in rest.versions}:
            source_history.write(archive.root, source)
        states_index.write(archive.reader)
    return rest


def deployed(store: Store) -> dict[str, str]:
    """Return the environments by the state that is deployed in them."""
    homes = sorted(store.environments.iterdir()) if store.environments.exists() else []
    return {
        found.state: home.name for home in homes if (found := Deployed.of(home)) and found.state and not found.waiting
    }


def _is_free(store: Store, name: str) -> bool:
    path = store.lock_path("state", name)
    if not path.exists():
        return True
    with suppress(files.Busy), files.locked(path, wait=False):
        return True
    return False


def _rest(archive: LockedArchive, without: tuple[str, ...]) -> Removal:
    """Return the versions and files that nothing needs any more, once these states are gone."""
    reader, settings = archive.reader, archive.lab.archive
    states = [state for state in reader.states() if state.name not in without]
    used = {(state.track, *version) for state in states for version in reader.lock(state.name, SOURCE_LOCK)}
    for label, state in reader.labels().items():  # somebody can have removed the directory of the state
        used |= {(state.track, *version) for version in reader.lock(label, SOURCE_LOCK)}
    known = {(track, record.source, record.version): record for track, _, record in versions.everywhere(archive.root)}
    ages: dict[str, dict[tuple[str, str], float]] = {}
    for (track, source, version), record in known.items():
        if not record.withdrawn:
            age = environment.now() - datetime.fromisoformat(record.added)
            ages.setdefault(track, {})[source, version] = age / timedelta(days=1)
    late = {
        (track, *each) for track, of in ages.items() for each in versions.expired(of, settings.keep, settings.keep_days)
    }
    late |= {key for key, record in known.items() if record.withdrawn}
    gone = sorted(late - used)
    needed = {archive.root / path for key, record in known.items() if key not in gone for path in record.files}
    trees = [*(archive.root / "dists" / state.name for state in states), *archive.root.glob("labels/*/*")]
    indices = {index.digest for tree in trees for index in suites.indices_of(tree / "Release").values()}
    needed |= {archive.root / suites.BY_HASH / digest for digest in indices}
    there = {path for home in ("pool", "by-hash") for path in (archive.root / home).rglob("*") if path.is_file()}
    there |= {path for path in archive.root.rglob(".*") if path.is_file()}  # of writes that were cut short
    return Removal(without, tuple(gone), {path: path.stat().st_size for path in there if path not in needed})
