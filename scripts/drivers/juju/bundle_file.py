"""A bundle of the lab's own, as a file: which applications and relations it has, with its overlays.

See "Bundle" in Juju's reference: a file can have several documents, of which the later ones are overlays; an
application that an overlay names as null is removed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from lab.base.errors import ConfigurationError
from lab.base.text import plural
from lab.config.loading import known_names
from scripts.drivers.juju import charm_options

# See ApplicationSnippet and RelationSnippet in github.com/juju/names.
APPLICATION: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]*[a-z][a-z0-9]*)*")
END: Final = re.compile(r"[^:]+(?::[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*)?")
NO_NAME: Final = "not a name of Juju's: words of letters and digits, with a letter each, joined by -"


class _Loader(yaml.SafeLoader):
    """As Juju has no dates and no numbers with colons, texts that look like one are texts, and need not be in the calendar."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, re.compile(rf"(?!\S*:)(?:{form.pattern})", form.flags)) for tag, form in forms]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


# See ParsePlacement in github.com/juju/charm.
PLACE: Final = re.compile(
    rf"(?:[a-z]+:)?(?:(?P<application>{APPLICATION.pattern})(?:/(?P<unit>\d+))?|(?P<machine>\d+))"
)


@dataclass(frozen=True)
class BundleFile:
    """The applications of a bundle, with their charms and numbers of units, and its relations.

    ``options``: the names of the options of charms on this machine, by application.
    """

    charms: Mapping[str, str]
    units: Mapping[str, int]
    relations: tuple[tuple[str, str], ...]
    options: Mapping[str, Collection[str]]


def read(paths: Sequence[str]) -> BundleFile:
    """Read a bundle and its overlays.  Raises ConfigurationError for a file that is none."""
    charms: dict[str, str] = {}
    units: dict[str, int] = {}
    relations: list[tuple[str, tuple[str, str]]] = []
    places: dict[str, tuple[str, list[str]]] = {}
    machines: set[str] = set()
    elsewhere: set[str] = set()  # names that are removed, or of applications in other models
    documents = [*_documents(paths)]
    for number, (path, document) in enumerate(documents):
        if number and document.get("services"):
            raise ConfigurationError(
                f"{path}: services: Juju takes this old key in the first document only: write applications"
            )
        for name, described in _applications(path, document):
            if described is None:
                elsewhere.add(name)
                charms.pop(name, None)
                units.pop(name, None)
                places.pop(name, None)
                continue
            count = described.get("num_units", units.get(name, 0))
            if not isinstance(count, int):
                raise ConfigurationError(f"{path}: applications.{name}: num_units is no number")
            if "to" in described:
                places[name] = (path, [*map(str, _listed(described["to"]))])
            charms[name], units[name] = str(described.get("charm") or charms.get(name, name)), count
        relations += ((path, pair) for pair in _relations(path, document.get("relations") or []))
        elsewhere |= set(document.get("saas") or ())
        machines |= {*map(str, document.get("machines") or ())}
    if not charms:
        raise ConfigurationError(f"{paths[0]}: has no applications")
    for name, (path, to) in places.items():
        if fault := _placement_fault(to, name, units, machines):
            raise ConfigurationError(f"{path}: applications.{name}: to: {fault}")
    options = {name: _options(name, documents) for name, charm in charms.items() if charm_options.is_local(charm)}
    return BundleFile(charms, units, tuple(_between(charms, elsewhere, relations)), options)


def _options(name: str, documents: Sequence[tuple[str, Mapping[str, Any]]]) -> Collection[str]:
    """Return the names of the options of an application's charm, which is on this machine.

    Raises ConfigurationError for a charm that is not there, and for an option that Juju refuses.
    """
    settings = [
        (path, described)
        for path, document in documents
        for application, described in _applications(path, document)
        if application == name and described
    ]
    path, charm = [(path, each["charm"]) for path, each in settings if each.get("charm")][-1]
    places = [Path(file).parent / charm for file in (path, documents[0][0])]
    local = next(filter(Path.exists, places), None)
    if local is None:
        raise ConfigurationError(f"{path}: applications.{name}: charm: {places[0]}: there is no such file")
    known = charm_options.types(local)
    for file, described in settings:
        options = described.get("options") or {}
        if not isinstance(options, dict):
            raise ConfigurationError(f"{file}: applications.{name}: options: is no mapping")
        for option, fault in charm_options.faults(known, options):
            raise ConfigurationError(f"{file}: applications.{name}: options.{option}: {fault}: {charm}")
    return known


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _placement_fault(to: Sequence[str], name: str, units: Mapping[str, int], machines: Collection[str]) -> str:
    """Return why Juju refuses the places of an application's units; "" for no reason.

    See verifyPlacement in github.com/juju/charm.
    """
    if len(to) > units[name]:
        return f"{plural(len(to), 'place')} for {plural(units[name], 'unit')}"
    for place in to:
        match = PLACE.fullmatch(place)
        if not match:
            return f"{place}: not a place: write it as MACHINE, lxd:MACHINE, new, APPLICATION or APPLICATION/UNIT"
        if (machine := match["machine"]) and machine not in machines:
            return f"{place}: machines has no {machine}"
        beside = match["application"]
        if not beside or beside == "new":
            continue
        if beside not in units:
            return f"{place}: there is no application {beside}; {known_names(beside, units)}"
        if match["unit"] and int(match["unit"]) >= units[beside]:
            return f"{place}: {beside} has {plural(units[beside], 'unit')}"
    return ""


def _applications(path: str, document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield the applications of a document; None for one that it removes."""
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
        if not APPLICATION.fullmatch(name):
            raise ConfigurationError(f"{path}: applications.{name}: {NO_NAME}")
        if not isinstance(described, dict | None):
            raise ConfigurationError(f"{path}: applications.{name}: is no mapping")
        yield name, described


def _between(
    charms: Mapping[str, str], elsewhere: Collection[str], relations: Iterable[tuple[str, tuple[str, str]]]
) -> Iterator[tuple[str, str]]:
    """Yield the relations between applications.

    Raises ConfigurationError for one of an unknown name, and for one that Juju refuses: with itself, or there twice.
    """
    seen = set[frozenset[str]]()
    for path, pair in relations:
        if fault := relation_fault(pair, seen):
            raise ConfigurationError(f"{path}: relations: {fault}")
        names = {end.partition(":")[0] for end in pair}
        if unknown := names.difference(charms, elsewhere):
            why = f"there is no application {min(unknown)}; {known_names(min(unknown), charms)}"
            raise ConfigurationError(f"{path}: relations: {' and '.join(pair)}: {why}")
        if names <= charms.keys():
            yield pair


def relation_fault(pair: tuple[str, str], seen: set[frozenset[str]]) -> str:
    """Return why Juju refuses a relation, "" for no reason; ``seen`` are those before it, and has it afterwards.

    See verifyRelations in github.com/juju/charm.
    """
    if wrong := [end for end in pair if not END.fullmatch(end)]:
        return f"{wrong[0]}: not an end of a relation: write it as APPLICATION or APPLICATION:ENDPOINT"
    if pair[0].partition(":")[0] == pair[1].partition(":")[0]:
        return f"{' and '.join(pair)}: one application at both ends"
    if frozenset(pair) in seen:
        return f"{' and '.join(pair)}: is there twice"
    seen.add(frozenset(pair))
    return ""


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
