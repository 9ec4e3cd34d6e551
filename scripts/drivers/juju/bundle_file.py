"""A bundle of the lab's own, as a file: which applications and relations it has, with its overlays.

See "Bundle" in Juju's reference: a file can have several documents, of which the later ones are overlays; an
application that an overlay names as null is removed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.base.errors import ConfigurationError
from lab.config.loading import known_names


class _Loader(yaml.SafeLoader):
    """As Juju has no dates, texts that look like one are texts, and need not be in the calendar."""


_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


@dataclass(frozen=True)
class BundleFile:
    """The applications of a bundle, with their charms and numbers of units, and its relations."""

    charms: Mapping[str, str]
    units: Mapping[str, int]
    relations: tuple[tuple[str, str], ...]


def read(paths: Sequence[str]) -> BundleFile:
    """Read a bundle and its overlays.  Raises ConfigurationError for a file that is none."""
    charms: dict[str, str] = {}
    units: dict[str, int] = {}
    relations: list[tuple[str, tuple[str, str]]] = []
    elsewhere: set[str] = set()  # names that are removed, or of applications in other models
    for path, document in _documents(paths):
        if document.get("bundle") == "kubernetes":
            raise ConfigurationError(
                f"{path}: is a bundle for Kubernetes, whose charms have no machines to test packages on"
            )
        applications = document.get("applications", document.get("services")) or {}
        if not isinstance(applications, dict) or not isinstance(document.get("relations") or [], list):
            raise ConfigurationError(f"{path}: is no bundle of Juju: applications is no mapping, or relations no list")
        for name, described in applications.items():
            if not isinstance(name, str):  # such as one that YAML takes for a number, or for true
                raise ConfigurationError(f"{path}: applications: the name {name!r} is no text")
            if described is None:
                elsewhere.add(name)
                charms.pop(name, None)
                units.pop(name, None)
                continue
            if not isinstance(described, dict):
                raise ConfigurationError(f"{path}: applications.{name}: is no mapping")
            count = described.get("num_units", units.get(name, 0))
            if not isinstance(count, int):
                raise ConfigurationError(f"{path}: applications.{name}: num_units is no number")
            charms[name], units[name] = str(described.get("charm") or charms.get(name, name)), count
        relations += ((path, pair) for pair in _relations(path, document.get("relations") or []))
        elsewhere |= set(document.get("saas") or ())
    if not charms:
        raise ConfigurationError(f"{paths[0]}: has no applications")
    return BundleFile(charms, units, tuple(_between(charms, elsewhere, relations)))


def _between(
    charms: Mapping[str, str], elsewhere: Collection[str], relations: Iterable[tuple[str, tuple[str, str]]]
) -> Iterator[tuple[str, str]]:
    """Yield the relations between applications.  Raises ConfigurationError for one of an unknown name."""
    for path, pair in relations:
        names = {end.partition(":")[0] for end in pair}
        if unknown := names.difference(charms, elsewhere):
            why = f"there is no application {min(unknown)}; {known_names(min(unknown), charms)}"
            raise ConfigurationError(f"{path}: relations: {' and '.join(pair)}: {why}")
        if names <= charms.keys():
            yield pair


def _documents(paths: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in paths:
        try:
            documents = [*yaml.load_all(Path(path).read_text(encoding="utf-8"), _Loader)]
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise ConfigurationError(f"{path}: cannot be read as a bundle: {' '.join(str(error).split())}") from None
        for document in documents:
            if document is not None and not isinstance(document, dict):
                raise ConfigurationError(f"{path}: is no bundle of Juju: a document is no mapping")
            if document:
                yield path, document


def _relations(path: str, described: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Yield pairs: ``[A, B]``, or ``[A, [B, C]]`` for two of them."""
    for relation in described:
        sides = [side if isinstance(side, list) else [side] for side in relation] if isinstance(relation, list) else []
        if len(sides) != 2:  # noqa: PLR2004 - a relation has two ends
            raise ConfigurationError(f"{path}: relations: {relation!r} has not two ends")
        yield from ((str(left), str(right)) for left in sides[0] for right in sides[1])
