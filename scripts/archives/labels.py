"""Labels move by promotion; pins keep states.

The record of a move is written first, then the label moves: `scripts.archives.lab_archive` completes a move that was
cut short.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lab.base import environment, files
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store import promotions
from lab.store.archive import SOURCE_LOCK, ArchiveReader, Move, Moves, Pin, Pins, State
from lab.store.records import rfc3339
from lab.store.runs import Store
from scripts.archives import states_index
from scripts.archives.lab_archive import LabArchive


@dataclass(frozen=True)
class Reasons:
    """Who moves a label or pins a state, and why."""

    who: str
    runs: tuple[str, ...] = ()
    reason: str = ""


def of_lab(lab: Lab) -> dict[str, str]:
    """Return the track of each label that moves by promotion."""
    return {f"{name}-{label}": name for name, track in lab.tracks.items() for label in track.labels}


def check_label(lab: Lab, label: str) -> str:
    """Return the track of a label.  Raises ConfigurationError for a label that nobody can move."""
    if label in lab.tracks:
        raise ConfigurationError(f"{label} is always the newest state of its track; it cannot be moved by hand")
    known = of_lab(lab)
    if label not in known:
        raise ConfigurationError(f"no label {label}; known: {', '.join(known) or 'none'}")
    return known[label]


def left_over(lab: Lab, labels: Iterable[str]) -> list[str]:
    """Return the labels that lab.yaml does not name any more."""
    return sorted({*labels} - lab.tracks.keys() - of_lab(lab).keys())


def check_left_over(lab: Lab, store: Store, label: str) -> None:
    """Raise ConfigurationError for a label that is not left over from an earlier lab.yaml."""
    if label in lab.tracks or label in of_lab(lab):
        raise ConfigurationError(f"{label} is a label of lab.yaml", hint="take it out of lab.yaml first")
    # Also what is left of one whose removal was cut short.
    places = [*(path for path in store.archive.glob("dists/*") if path.is_symlink()), *store.archive.glob("labels/*")]
    known = left_over(lab, {path.name.removesuffix(".json") for path in places} | promoted(store))
    if label not in known:
        raise ConfigurationError(f"no label {label} is left over; left over: {', '.join(known) or 'none'}")


def promoted(store: Store) -> set[str]:
    """Return the labels with an open promotion, which keeps its states; nothing has been promoted to some of them yet."""
    return {each.label for each in promotions.open_rounds(store)}


def drop(archive: LabArchive, label: str) -> None:
    """Remove a label that is left over: the record of its moves before it, else a repair would make it again.

    Raises ConfigurationError like `check_left_over`.
    """
    root = archive.root
    check_left_over(archive.lab, archive.store, label)
    if (last := promotions.last_round(archive.store, label)) and last.outcome == "open":  # else it keeps its states
        ended = last.model_copy(update={"outcome": "superseded", "finished": rfc3339(environment.now())})
        ended.write(promotions.round_path(archive.store, label, last.number))
    for path in (root / f"labels/{label}.json", root / "dists" / label):
        if path.is_symlink() or path.exists():
            path.unlink()
            files.sync([path.parent])
    shutil.rmtree(root / "labels" / label, ignore_errors=True)
    states_index.write(archive.reader)


def target(lab: Lab, reader: ArchiveReader, kind: Literal["promotion", "demotion"], label: str, name: str) -> State:
    """Return the state that a label is to move to; ``name``: a state or a label, empty for the default.

    A promotion goes to a newer state, by default the newest one; a demotion to an older one, by default the newest
    one of those that the label had.  Raises ConfigurationError where that is not so.
    """
    track = check_label(lab, label)
    now = reader.state(label)
    if name or kind == "promotion":
        state = reader.existing(name or track)
    else:
        earlier = {move.after for move in reader.moves(label)}
        below = [each for each in reader.states(track) if now and each.name in earlier and each.number < now.number]
        if not below:
            raise ConfigurationError(f"{label} had no older state that is still there", hint="name the state")
        state = below[-1]
    if state.track != track:
        raise ConfigurationError(f"{state.name} is a state of {state.track}, and {label} is a label of {track}")
    if now and kind == "promotion" and state.number < now.number:
        raise ConfigurationError(f"{state.name} is older than {now.name}", hint="qalab archive demote")
    if kind == "demotion" and not (now and state.number <= now.number):
        raise ConfigurationError(f"{state.name} is not older than the state of {label}", hint="qalab archive promote")
    return state


def move(
    archive: LabArchive, kind: Literal["promotion", "demotion"], label: str, name: str, by: Reasons
) -> Move | None:
    """Move a label, and return the record of it; None where the label names the state already.

    Raises ConfigurationError like `target`.
    """
    reader = archive.reader
    state, now = target(archive.lab, reader, kind, label, name), reader.state(label)
    if now and now.name == state.name:
        return None
    taken: set[tuple[str, str]] = set()
    if now and kind == "demotion":
        taken = {*reader.lock(now.name, SOURCE_LOCK)} - {*reader.lock(state.name, SOURCE_LOCK)}
    done = Move(
        kind=kind, before=now.name if now else "", after=state.name, when=rfc3339(environment.now()),
        who=by.who, runs=by.runs, reason=by.reason, taken=tuple(sorted(taken)),
    )  # fmt: skip
    Moves(moves=(*reader.moves(label), done)).write(archive.root / f"labels/{label}.json")
    archive.point(label, state)
    return done


def pin(archive: LabArchive, name: str, by: Reasons) -> State:
    """Keep a state, named by itself or by a label, until it is unpinned.  Raises ConfigurationError for a missing one."""
    state = archive.reader.existing(name)
    added = Pin(who=by.who, when=rfc3339(environment.now()), reason=by.reason)
    Pins(pins=archive.reader.pins() | {state.name: added}).write(archive.root / "pins.json")
    states_index.write(archive.reader)
    return state


def unpin(archive: LabArchive, names: Sequence[str]) -> tuple[str, ...]:
    """Let go of states, named by themselves or by labels; return their names.

    Raises ConfigurationError for one that is not pinned.
    """
    pins = archive.reader.pins()
    named = {label: state.name for label, state in archive.reader.labels().items()}
    states = tuple(dict.fromkeys(named.get(name, name) for name in names))
    for name in states:
        if pins.pop(name, None) is None:
            raise ConfigurationError(f"{name} is not pinned; pinned: {', '.join(pins) or 'none'}")
    Pins(pins=pins).write(archive.root / "pins.json")
    states_index.write(archive.reader)
    return states
