"""A plan: the steps that bring a Jenkins in line with the description, and the edits by hand on that Jenkins.

The mark in an item's description names the owner, and the mark's digest identifies the content that the lab applied
last (see `generator.mark`).  A plan therefore needs no state except three digests: of the description (wanted), of the
last applied content (applied), of the server (live).

========================  ==========================================================
live == wanted            nothing to do
live == applied           the description has changed: ``change``
wanted == applied         edited by hand: ``revert``
all three differ          both: ``change``, ``edited``
not on the server         ``create``; ``rename`` if the lab has the same by another name
not the lab's             ``taken``: no step until somebody adopts it
no longer described       ``delete``
========================  ==========================================================

The three digests exclude the undescribed parts of an item (see `generator.merge`).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from generator import mark
from generator.canonical import digest
from generator.differences import Difference, differences
from generator.items import Item, ItemKey, Kind
from generator.merge import described_part, has_secrets, merged
from generator.plugins import plugins_of
from generator.server import ListedItem, Server
from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.config.jenkins_failures import JenkinsForbidden, JenkinsMissing
from lab.results.ownership_mark import Mark
from lab.store.records import Stored

WORKERS = 8
Action = Literal["create", "change", "revert", "rename", "delete", "taken"]
SIGNS: Mapping[Action, str] = {
    "create": "+",
    "change": "~",
    "revert": "!",
    "rename": ">",
    "delete": "-",
    "taken": "?",
}


class PlanStep(BaseModel):
    """One step: ``before`` is the digest of the live item ("" without one), ``xml`` the config.xml to send."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    action: Action
    kind: Kind
    name: str
    old: str = ""
    """rename: the full name that it has now."""
    before: str = ""
    xml: str = ""
    edited: bool = False
    """Somebody has edited it by hand since the lab applied it."""
    differences: tuple[Difference, ...] = ()

    @property
    def key(self) -> ItemKey:
        return ItemKey(self.kind, self.name)

    @property
    def there(self) -> ItemKey:
        """The present key of the item."""
        return ItemKey(self.kind, self.old or self.name)


class Plan(Stored):
    """The steps on a server for an owner; ``-o`` saves them to a file.

    Differences contain no secrets; the ``xml`` of a step is sent as it is, and can contain them.
    """

    server: str
    owner: str
    steps: tuple[PlanStep, ...]
    unchanged: int
    missing_plugins: tuple[str, ...] = ()

    def save(self, path: Path) -> None:
        """Write the plan to a file that only this user can read."""
        files.write_atomic(path, self.model_dump_json(indent=2, by_alias=True) + "\n", mode=0o600)

    def as_json(self) -> str:
        """Return the plan as JSON, without the config.xml to send."""
        return self.model_dump_json(indent=2, by_alias=True, exclude={"steps": {"__all__": {"xml"}}})

    def of(self, *actions: Action) -> list[PlanStep]:
        return [step for step in self.steps if step.action in actions]

    @property
    def empty(self) -> bool:
        return not self.steps and not self.missing_plugins


@dataclass(frozen=True)
class Live:
    """The state of a Jenkins: all entries, the marks of the owner's items, and the config.xml of each item read."""

    owner: str
    entries: Mapping[ItemKey, ListedItem]
    applied: Mapping[ItemKey, Mark]
    configs: Mapping[ItemKey, bytes]


def compute(
    server: Server, owner: str, items: Sequence[Item], *, renames: Mapping[str, str] | None = None, quick: bool = False
) -> Plan:
    """Return the plan for the described items.  ``quick``: trust the marks, and detect no edits by hand.

    ``renames``: new names of jobs by old ones, which can contain a ``*``; a job of otherwise equal content needs none.
    Raises ConfigurationError for an impossible rename.
    """
    wanted = {item.key: item for item in items}
    digests = {key: digest(item.xml) for key, item in wanted.items()}
    entries = server.listing()
    applied = {key: found for key, entry in entries.items() if (found := owned(entry, owner))}
    moved = moves(wanted, Live(owner, entries, applied, {}), digests, renames or {})
    gone = deletable(set(applied) - set(wanted) - set(moved.values()), entries)
    look = [key for key in applied if key in wanted and not (quick and applied[key].digest == digests[key])]
    live = Live(owner, entries, applied, fetch(server, [*look, *moved.values(), *gone]))
    steps = [step for key in sorted(wanted) if (step := _step(wanted[key], digests[key], live, moved.get(key)))]
    steps += [_deletion(key, live) for key in gone if key in live.configs]
    return Plan(
        server=server.url,
        owner=owner,
        steps=tuple(steps),
        unchanged=len(wanted) - sum(step.action != "delete" for step in steps),
        missing_plugins=missing_plugins(server, items),
    )


def owned(entry: ListedItem, owner: str) -> Mark | None:
    """Return the mark of an item of the owner, None for an item of another owner or of none."""
    found = mark.read(entry.description)
    return found if found and found.lab == owner else None


def moves(
    wanted: Mapping[ItemKey, Item], live: Live, digests: Mapping[ItemKey, str], renames: Mapping[str, str]
) -> dict[ItemKey, ItemKey]:
    """Return the present keys, by the new ones, of jobs that the lab has by another name in the same folder.

    Raises ConfigurationError for a rename of a job that does not exist or is not the lab's.
    """
    absent = [key for key in wanted if key.kind == "job" and key not in live.entries]
    gone = {key for key in live.applied if key.kind == "job" and key not in wanted}
    found: dict[ItemKey, ItemKey] = {}
    for old, new in renames.items():
        pairs = dict(_pairs(old, new, gone, absent))
        done = any(fnmatch.fnmatchcase(key.name, new) for key in live.applied if key in wanted)
        if not pairs and not done:
            hint = "OLD is a job of the lab that is no longer described, NEW a described job that does not exist yet"
            raise ConfigurationError(f"--rename {old}={new}: no such pair in one folder", hint=hint)
        found |= pairs
        gone -= set(pairs.values())
    for key in absent:
        same = [it for it in gone if it.folder == key.folder and live.applied[it].digest == digests[key]]
        twins = [it for it in absent if it.folder == key.folder and digests[it] == digests[key]]
        if key not in found and len(same) == len(twins) == 1:
            found[key] = same[0]
    return found


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


def deletable(gone: Collection[ItemKey], entries: Mapping[ItemKey, ListedItem]) -> list[ItemKey]:
    """Return the items that are no longer described; a folder only if all its content is deleted too."""
    stays = [key.name for key in entries if key not in gone]
    return sorted(key for key in gone if not any(name.startswith(f"{key.name}/") for name in stays))


def _step(item: Item, described: str, live: Live, old: ItemKey | None) -> PlanStep | None:
    """Return the step for an item, None for an item that matches its description."""
    key, now, ours = item.key, old or item.key, Mark(live.owner, described)
    if now not in live.entries:
        return PlanStep(action="create", kind=key.kind, name=key.name, xml=mark.write(item.xml, ours))
    if now not in live.applied:
        return PlanStep(action="taken", kind=key.kind, name=key.name)
    if now not in live.configs:  # its mark matches, and its config.xml was not read
        return None
    there, applied = live.configs[now], live.applied[now].digest
    before = _digest(now, there)
    if not old and (before == described or before == digest(merged(there, item.xml))):
        return None
    return PlanStep(
        action="rename" if old else "revert" if applied == described else "change",
        kind=key.kind,
        name=key.name,
        old=old.name if old else "",
        before=before,
        xml=mark.write(item.xml, ours),
        edited=_is_edited(there, item.xml, applied, is_new=applied != described),
        differences=tuple(differences(there, merged(there, item.xml))),
    )


def _is_edited(there: bytes, xml: str, applied: str, *, is_new: bool) -> bool:
    """Return True if somebody has changed described parts of an item since the last apply.

    False for an unknown state: a secret that Jenkins has encrypted, and that the description may have changed.
    """
    if applied in {digest(there), digest(described_part(there, xml))}:
        return False
    return not (is_new and has_secrets(there, xml))


def _deletion(key: ItemKey, live: Live) -> PlanStep:
    before = _digest(key, live.configs[key])
    return PlanStep(
        action="delete", kind=key.kind, name=key.name, before=before, edited=before != live.applied[key].digest
    )


def _digest(key: ItemKey, there: bytes) -> str:
    try:
        return digest(there)
    except InfrastructureError as error:
        raise InfrastructureError(f"{key}: {error}") from None


def fetch(server: Server, keys: Iterable[ItemKey]) -> dict[ItemKey, bytes]:
    """Return the config.xml of each item, without items that were deleted meanwhile."""

    def one(key: ItemKey) -> tuple[ItemKey, bytes] | None:
        with suppress(JenkinsMissing):
            return key, server.config(key)
        return None

    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(found for found in pool.map(one, keys) if found)


def missing_plugins(server: Server, items: Sequence[Item]) -> tuple[str, ...]:
    """Return required plugins that the server does not have; none if this account cannot list plugins."""
    needed = plugins_of(items)
    try:
        return tuple(sorted(needed - set(server.plugins()))) if needed else ()
    except JenkinsForbidden:
        return ()
