"""Adoption of existing items: the description gets the mark, and nothing else changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator import mark
from generator.apply import confirm
from generator.canonical import digest
from generator.items import Item, ItemKey
from generator.merge import described_part
from generator.reading import fetch_readable
from generator.server import ListedItem, Server
from lab.base.errors import ConfigurationError, InfrastructureError, LabError
from lab.results.ownership_mark import Mark


@dataclass(frozen=True)
class Adopted:
    """The result for an item that had no mark of the owner; ``error``: why it still has none."""

    key: ItemKey
    error: LabError | None = None


def adopt(
    server: Server, owner: str, items: Sequence[Item], names: Sequence[str], previous: str | None
) -> list[Adopted]:
    """Mark items as the owner's; an item that cannot be marked stops no other one.

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
    return _marked(server, owner, {key: described[key] for key in chosen if whose.get(key) != owner})


def adoptable(server: Server, items: Sequence[Item], previous: str | None) -> list[str]:
    """Return the names of the described items that exist and have no owner, or the ``previous`` one."""
    entries = server.listing()
    there = [(item.key.name, mark.read(entries[item.key].description)) for item in items if item.key in entries]
    return [name for name, found in there if not found or found.lab == previous]


def _chosen(name: str, described: Sequence[ItemKey], entries: dict[ItemKey, ListedItem]) -> ItemKey:
    found = [key for key in described if key.name == name]
    if not found:
        hint = "describe it first, because qalab jenkins prune deletes undescribed items of the lab"
        raise ConfigurationError(f"{name}: no job or view of this name is described", hint=hint)
    there = [key for key in found if key in entries]
    if not there:
        raise ConfigurationError(f"{found[0]}: does not exist: qalab jenkins apply creates it")
    return there[0]


def _marked(server: Server, owner: str, described: Mapping[ItemKey, str]) -> list[Adopted]:
    """Mark items.  The digest excludes undescribed parts, which stay as they are on the server."""
    configs, failures = fetch_readable(server, described)
    marks = {}
    for key, there in configs.items():
        try:
            marks[key] = Mark(owner, digest(described_part(there, described[key])), key.name)
            server.update(key, mark.write(there, marks[key]).encode())
        except LabError as error:
            failures[key] = error
    written = {key: found for key, found in marks.items() if key not in failures}
    failures |= confirm(server, written)
    gone = {key: InfrastructureError(f"{key}: was deleted meanwhile") for key in described.keys() - configs.keys()}
    return [Adopted(key, (gone | failures).get(key)) for key in described]
