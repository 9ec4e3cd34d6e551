"""Renamed jobs: those that the user names, and guesses by equal content, which only the user can confirm."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from generator.items import ItemKey
from lab.base.errors import ConfigurationError
from lab.results.ownership_mark import Mark

Thing = TypeVar("Thing")


def renamed(
    wanted: Collection[ItemKey],
    applied: Collection[ItemKey],
    entries: Collection[ItemKey],
    renames: Mapping[str, str],
) -> dict[ItemKey, ItemKey]:
    """Return the present keys, by the new ones, of jobs that the user renames within a folder.

    Raises ConfigurationError for a rename of a job that does not exist or is not the lab's.
    """
    absent = [key for key in wanted if key.kind == "job" and key not in entries]
    gone = {key for key in applied if key.kind == "job" and key not in wanted}
    found: dict[ItemKey, ItemKey] = {}
    for old, new in renames.items():
        pairs = dict(_pairs(old, new, gone, absent))
        done = any(fnmatch.fnmatchcase(key.name, new) for key in applied if key in wanted)
        if not pairs and not done:
            hint = "OLD is a job of the lab that is no longer described, NEW a described job that does not exist yet"
            raise ConfigurationError(f"--rename {old}={new}: no such pair in one folder", hint=hint)
        found |= pairs
        gone -= set(pairs.values())
    return found


def carried(moved: Mapping[ItemKey, ItemKey], entries: Iterable[ItemKey]) -> dict[ItemKey, ItemKey]:
    """Return the present keys, by the new ones, of the items in renamed folders: they move along, with their builds."""
    return {
        ItemKey(key.kind, new.name + key.name.removeprefix(old.name)): key
        for new, old in moved.items()
        for key in entries
        if key.name.startswith(f"{old.name}/")
    }


def rekeyed(things: Mapping[ItemKey, Thing], along: Mapping[ItemKey, ItemKey]) -> dict[ItemKey, Thing]:
    """Return things by the keys that they have after the renames of their folders; ``along``: see `carried`."""
    new = {old: key for key, old in along.items()}
    return {new.get(key, key): thing for key, thing in things.items()}


def guesses(
    digests: Mapping[ItemKey, str],
    moved: Mapping[ItemKey, ItemKey],
    applied: Mapping[ItemKey, Mark],
    entries: Collection[ItemKey],
) -> Iterator[tuple[str, str]]:
    """Yield the old and the new name of each job that was perhaps renamed: of equal content, and only one of it."""
    absent = [key for key in sorted(digests) if key.kind == "job" and key not in entries and key not in moved]
    twins = Counter((key.folder, digests[key]) for key in absent)
    same: dict[tuple[str, str], list[ItemKey]] = {}
    for key in applied:
        if key.kind == "job" and key not in digests and key not in moved.values():
            same.setdefault((key.folder, applied[key].digest), []).append(key)
    for key in absent:
        content = key.folder, digests[key]
        if twins[content] == len(same.get(content, ())) == 1:
            yield same[content][0].name, key.name


def _pairs(old: str, new: str, gone: Iterable[ItemKey], absent: Sequence[ItemKey]) -> Iterator[tuple[ItemKey, ItemKey]]:
    """Return pairs of new and old keys of jobs; a ``*`` matches the same text in both names."""
    for key in gone:
        if fnmatch.fnmatchcase(key.name, old):
            target = ItemKey("job", new.replace("*", _star(key.name, old)))
            if target in absent and target.folder == key.folder:
                yield target, key


def _star(name: str, pattern: str) -> str:
    before, _, after = pattern.partition("*")
    return name[len(before) : len(name) - len(after)]
