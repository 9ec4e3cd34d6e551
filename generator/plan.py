"""A plan: the steps that bring a Jenkins in line with the description, and the edits by hand on that Jenkins.

The mark in an item's description names the owner, and the mark's digest identifies the content that the lab applied
last (see `generator.mark`).  A plan therefore needs no state except three digests: of the description (wanted), of the
last applied content (applied), of the server (live).

========================  ==========================================================
live == wanted            nothing to do; ``change`` where the mark is of another name: its folder was renamed
live == applied           the description has changed: ``change``
wanted == applied         edited by hand: ``revert``
all three differ          both: ``change``, ``edited``
applied is unknown        ``change``, ``edited``: stock Jenkins Job Builder applied it
of another type           ``retype``: no step; ``replace`` where the user names it: its builds are lost
not on the server         ``create``; ``rename`` where the user names the old name
not the lab's             ``taken``: no step until somebody adopts it
a folder, not the lab's   nothing to do: the lab works inside it
no longer described       ``delete``
cannot be read            ``unreadable``: no step; neither changed nor deleted
========================  ==========================================================

A job of the lab that is no longer described, and has the content of a described job that does not exist, was perhaps
renamed.  The plan names such pairs; it renames nothing that the user did not name.

The three digests exclude the undescribed parts of an item (see `generator.merge`).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from generator import mark, renames
from generator.canonical import digest, parse
from generator.differences import differences
from generator.digests import Digests
from generator.items import Item, ItemKey
from generator.merge import described_part, has_secrets, is_folder, merged
from generator.plugins import plugins_of
from generator.reading import fetch_readable
from generator.server import FOLDER, ListedItem, Server, is_own_view
from generator.steps import NEW, Plan, PlanStep
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.config.jenkins_failures import JenkinsForbidden
from lab.results.ownership_mark import Mark


@dataclass(frozen=True)
class Live:
    """The state of a Jenkins: all entries, the marks of the owner's items, and the config.xml of each item read.

    ``failures``: why items could not be read.
    """

    owner: str
    entries: Mapping[ItemKey, ListedItem]
    applied: Mapping[ItemKey, Mark]
    configs: Mapping[ItemKey, bytes]
    failures: Mapping[ItemKey, LabError]
    known: Digests


@dataclass(frozen=True)
class PlanOptions:
    """What the user asks for.

    ``renames``: new names of jobs by old ones, with ``*``.  ``replaced``: patterns of names of items to replace.
    ``only``: patterns of names of the items to plan for; none: all.
    """

    renames: Mapping[str, str] = field(default_factory=dict)
    replaced: Sequence[str] = ()
    only: Sequence[str] = ()
    known: Digests = field(default_factory=Digests)
    """Digests that were computed before."""


def compute(
    server: Server, owner: str, items: Sequence[Item], options: PlanOptions = PlanOptions(), *, quick: bool = False
) -> Plan:
    """Return the plan for the described items.  ``quick``: trust the marks, and detect no edits by hand.

    Raises ConfigurationError for an impossible rename.
    """
    wanted = {item.key: item for item in items}
    digests, invalid = _described_digests(items, options.known)
    entries = server.listing()
    invalid |= {
        key: _own_view(key) for key in wanted if is_own_view(key) and key not in entries and server.is_there(key)
    }
    applied = {key: found for key, entry in entries.items() if (found := owned(entry, owner))}
    moved = renames.renamed(wanted, applied, entries, options.renames)
    along = renames.carried(moved, entries)
    entries, applied = renames.rekeyed(entries, along), renames.rekeyed(applied, along)
    others = [key for key in digests if is_others_folder(wanted[key], entries, applied)]
    copied = {key for key in applied if key not in wanted and is_copy(key, applied[key])}
    gone = [
        key
        for key in deletable(set(applied) - set(wanted) - set(moved.values()) - copied, entries)
        if is_chosen(key, options.only)
    ]
    chosen = {key for key in wanted if is_chosen(key, options.only)} - set(others)
    look = [
        key
        for key in applied
        if key in chosen & set(digests)
        and not (quick and applied[key].digest == digests[key] and not is_copy(key, applied[key]))
    ]
    asked = [*look, *moved.values(), *gone]
    read, unread = fetch_readable(server, [along.get(key, key) for key in asked])
    configs, failures = renames.rekeyed(read, along), renames.rekeyed(unread, along)
    deleted = {key for key in asked if key not in configs and key not in failures}  # since the listing
    entries = {key: entry for key, entry in entries.items() if key not in deleted}
    live = Live(owner, entries, applied, configs, failures, options.known)
    steps = [
        step
        for key in sorted(chosen)
        if (step := _step(wanted[key], invalid.get(key) or digests[key], live, moved.get(key), options.replaced))
    ]
    deletions = [_deletion(key, live) for key in gone if key in entries]
    return Plan(
        server=server.url,
        owner=owner,
        steps=(*steps, *deletions),
        unchanged=len(chosen) - len(steps),
        missing_plugins=missing_plugins(server, [wanted[key] for key in sorted(chosen) if key in digests]),
        guesses=tuple(renames.guesses(digests, moved, applied, entries)),
        others_folders=tuple(sorted(key.name for key in others if is_chosen(key, options.only))),
        unmanaged=tuple(sorted({*unmanaged(wanted, entries), *map(str, copied - set(moved.values()))})),
    )


def _described_digests(items: Iterable[Item], known: Digests) -> tuple[dict[ItemKey, str], dict[ItemKey, LabError]]:
    """Return the digests of described items, and the errors of those that Jenkins could not read."""
    digests, invalid = dict[ItemKey, str](), dict[ItemKey, LabError]()
    for item in items:
        try:
            digests[item.key] = known.of(item.xml)
        except InfrastructureError as error:
            invalid[item.key] = ConfigurationError(f"as described, Jenkins could not read it: {error}")
    return digests, invalid


def _own_view(key: ItemKey) -> ConfigurationError:
    hint = "give the described view another name"
    return ConfigurationError(f"{key}: is Jenkins' own view of everything, which the lab does not manage", hint=hint)


def is_chosen(key: ItemKey, patterns: Sequence[str]) -> bool:
    """Return True if a name matches one of the patterns, or if there are none."""
    return not patterns or any(fnmatch.fnmatch(key.name, pattern) for pattern in patterns)


def owned(entry: ListedItem, owner: str) -> Mark | None:
    """Return the mark of an item of the owner, None for an item of another owner or of none."""
    found = mark.read(entry.description)
    return found if found and found.lab == owner else None


def is_copy(key: ItemKey, found: Mark) -> bool:
    """Return True for an item with the mark of an item of another name: a person copied or renamed it."""
    return found.item not in {"", key.name, key.name.removesuffix(NEW)}


def is_others_folder(item: Item, entries: Mapping[ItemKey, ListedItem], applied: Collection[ItemKey]) -> bool:
    """Return True for a described folder that exists and is not the lab's, such as an administrator's."""
    there = entries.get(item.key)
    return there is not None and there.kind == FOLDER and item.key not in applied and is_folder(item.xml)


def unmanaged(wanted: Collection[ItemKey], entries: Mapping[ItemKey, ListedItem]) -> list[str]:
    """Return the items in folders of described items that have no mark of any lab, and that nobody describes."""
    inside = {key.folder for key in wanted} - {""}
    return sorted(
        str(key)
        for key, entry in entries.items()
        if key.folder in inside and key not in wanted and not mark.read(entry.description)
    )


def deletable(gone: Collection[ItemKey], entries: Mapping[ItemKey, ListedItem]) -> list[ItemKey]:
    """Return the items that are no longer described; a folder only if all its content is deleted too."""
    stays = [key.name for key in entries if key not in gone]
    return sorted(key for key in gone if not any(name.startswith(f"{key.name}/") for name in stays))


def _step(
    item: Item, described: str | LabError, live: Live, old: ItemKey | None, replaced: Sequence[str]
) -> PlanStep | None:
    """Return the step for an item, None for an item that matches its description.

    ``described``: the digest of the description, or why Jenkins could not read it.
    """
    key, now = item.key, old or item.key
    if isinstance(described, LabError):
        return PlanStep.unreadable(key, described)
    if now in live.failures:
        return PlanStep.unreadable(key, live.failures[now])
    try:
        if now not in live.entries:
            xml = mark.write(item.xml, Mark(live.owner, described, key.name))
            return PlanStep(action="create", kind=key.kind, name=key.name, xml=xml)
        if now not in live.applied:
            found = mark.read(live.entries[now].description)
            return PlanStep(action="taken", kind=key.kind, name=key.name, owner=found.lab if found else "")
        # Without its config.xml: its mark matches, and nothing else was asked for.
        return _comparison(item, described, live, old, replaced) if now in live.configs else None
    except InfrastructureError as error:
        return PlanStep.unreadable(key, error)


def _comparison(
    item: Item, described: str, live: Live, old: ItemKey | None, replaced: Sequence[str]
) -> PlanStep | None:
    key, now, ours = item.key, old or item.key, Mark(live.owner, described, item.key.name)
    there, applied = live.configs[now], live.applied[now].digest
    before = live.known.of(there)
    moved = bool(old) or is_copy(key, live.applied[now])  # or its folder was renamed: the mark is of its old name
    if before == described and not moved:
        return None
    if parse(there).tag != parse(item.xml).tag:
        return _of_another_type(item, there, ours, replaced)
    if not moved and before == digest(merged(there, item.xml)):
        return None
    return PlanStep(
        action="rename" if old else "revert" if applied == described and not moved else "change",
        is_from_jjb=not applied,
        kind=key.kind,
        name=key.name,
        old=old.name if old else "",
        before=before,
        owner=live.owner,
        xml=mark.write(item.xml, ours),
        edited=_is_edited(there, item.xml, applied, is_new=applied != described),
        differences=tuple(differences(there, merged(there, item.xml))),
    )


def _of_another_type(item: Item, there: bytes, ours: Mark, replaced: Sequence[str]) -> PlanStep:
    """Return the step for an item that Jenkins cannot change, because its type differs."""
    asked = any(fnmatch.fnmatchcase(item.key.name, pattern) for pattern in replaced)
    return PlanStep(
        action="replace" if asked else "retype",
        kind=item.key.kind,
        name=item.key.name,
        before=digest(there),
        owner=ours.lab,
        xml=mark.write(item.xml, ours),
        differences=tuple(differences(there, item.xml)),
    )


def _is_edited(there: bytes, xml: str, applied: str, *, is_new: bool) -> bool:
    """Return True if somebody has changed described parts of an item since the last apply.

    False for an unknown state: a secret that Jenkins has encrypted, and that the description may have changed.
    """
    if applied in {digest(there), digest(described_part(there, xml))}:
        return False
    return not (is_new and has_secrets(there, xml))


def _deletion(key: ItemKey, live: Live) -> PlanStep:
    if failure := live.failures.get(key):
        return PlanStep.unreadable(key, failure)
    try:
        before = live.known.of(live.configs[key])
    except InfrastructureError as error:
        return PlanStep.unreadable(key, error)
    return PlanStep(
        action="delete",
        kind=key.kind,
        name=key.name,
        before=before,
        owner=live.owner,
        edited=live.applied[key].digest not in {"", before},
    )


def missing_plugins(server: Server, items: Sequence[Item]) -> tuple[str, ...] | None:
    """Return required plugins that the server does not have; None if this account may not list plugins."""
    needed = plugins_of(items)
    try:
        return tuple(sorted(needed - set(server.plugins()))) if needed else ()
    except JenkinsForbidden:
        return None
