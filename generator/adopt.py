"""Adoption of existing items: the description gets the mark, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from generator import mark
from generator.apply import confirm
from generator.canonical import digest
from generator.items import Item, ItemKey
from generator.merge import described_part
from generator.server import ListedItem, Server
from lab.base.errors import ConfigurationError
from lab.results.ownership_mark import Mark


def adopt(
    server: Server, owner: str, items: Sequence[Item], names: Sequence[str], previous: str | None
) -> list[ItemKey]:
    """Mark items as the owner's; return those that were not marked before.

    Raises ConfigurationError, before any change, for a name that is not described (the next prune would delete it),
    that is not on the server, or that another lab owns, unless ``previous`` names that lab.
    """
    described = {item.key: item.xml for item in items}
    entries = server.listing()
    chosen = [_chosen(name, list(described), entries) for name in names]
    whose = {key: found.lab for key in chosen if (found := mark.read(entries[key].description))}
    for key, lab in whose.items():
        if lab not in {owner, previous}:
            raise ConfigurationError(f"{key}: is the lab {lab}'s", hint=f"--from {lab} takes it over")
    return list(_marked(server, owner, {key: described[key] for key in chosen if whose.get(key) != owner}))


def ownerless(server: Server, items: Sequence[Item]) -> list[str]:
    """Return the names of the described items that exist and have no owner."""
    entries = server.listing()
    return [item.key.name for item in items if item.key in entries and not mark.read(entries[item.key].description)]


def _chosen(name: str, described: Sequence[ItemKey], entries: dict[ItemKey, ListedItem]) -> ItemKey:
    found = [key for key in described if key.name == name]
    if not found:
        hint = "describe it first, because qalab jenkins prune deletes undescribed items of the lab"
        raise ConfigurationError(f"{name}: no job or view of this name is described", hint=hint)
    there = [key for key in found if key in entries]
    if not there:
        raise ConfigurationError(f"{found[0]}: does not exist: qalab jenkins apply creates it")
    return there[0]


def _marked(server: Server, owner: str, described: Mapping[ItemKey, str]) -> Iterator[ItemKey]:
    """Mark items.  The digest excludes undescribed parts, which stay as they are on the server."""
    marks = {}
    for key, xml in described.items():
        there = server.config(key)
        marks[key] = Mark(owner, digest(described_part(there, xml)))
        server.update(key, mark.write(there, marks[key]).encode())
    for error in confirm(server, marks).values():
        raise error
    yield from marks
