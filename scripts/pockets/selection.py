"""The updates of a pocket: the source packages that wait, and the other ones of the pocket that must go with them.

The unit is the source package with all its binary packages, because that is what is released.  An update is compared
with what everybody gets: the newest versions of the release and its other pockets.  An update with no way to be
installed yet waits for more of the pocket and is not tested: a part of the source package that is not published, a
dependency that neither the pocket nor the release satisfies (criteria 1 and 2 of
https://wiki.ubuntu.com/ProposedMigration).

Companions are found by the relations of single packages: Depends, Pre-Depends, Provides, Breaks and Conflicts.  apt
decides on the rest when it installs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from scripts.migration.indexes import Binary, IndexedSuite
from scripts.migration.relations import (
    Alternative,
    alternatives,
    clauses,
    order,
    provided,
    provision_satisfies,
)

DEPENDENCIES = ("Pre-Depends", "Depends")
EXCLUSIONS = ("Breaks", "Conflicts")
DEBUG_SYMBOLS = "-dbgsym"
Offers = Mapping[str, list[tuple[Binary, str]]]
"""The packages that have a name or provide it, by that name, each with the version of the name."""


@dataclass(frozen=True)
class PocketUpdate:
    """A source package that waits, its version and the released version that it replaces ("": it is new).

    ``companions``: the other source packages of the pocket that go with it, each with the reason.  ``impediment``: why
    it cannot be tested yet, "" when it can.  ``breakage``: the first released package that it leaves uninstallable,
    with the reason; "" for none.
    """

    source: str
    version: str
    replaces: str = ""
    companions: Mapping[str, str] = field(default_factory=dict)
    impediment: str = ""
    breakage: str = ""


@dataclass(frozen=True)
class Pocket:
    """A pocket, and all that is released outside it, on one architecture."""

    waiting: IndexedSuite
    released: IndexedSuite
    architecture: str
    date: str = ""
    """The date of the pocket's Release file, as it is there; "" for unknown."""

    def version(self, source: str) -> str:
        """Return the version of a source package in the pocket, "" for none."""
        return self.waiting.sources[source].version if source in self.waiting.sources else ""

    def waits(self, source: str) -> bool:
        """Return whether the pocket has a newer version of a source package than all that is released."""
        known, version = self.released.sources.get(source), self.version(source)
        return bool(version) and (known is None or order(version, known.version) > 0)

    def binaries(self, sources: Iterable[str]) -> dict[str, Binary]:
        """Return the binary packages by name that source packages have in the pocket."""
        return {each.name: each for source in sources for each in self._built.get(source, ())}

    def released_packages(self, sources: Iterable[str]) -> dict[str, list[str]]:
        """Return the released binary packages by source package that can be installed together, without debugging symbols."""
        found: dict[str, list[Binary]] = {source: [] for source in sources}
        for binary in self.everybodys.values():
            if binary.source in found and not binary.name.endswith(DEBUG_SYMBOLS):
                found[binary.source].append(binary)
        return {source: together(each, self.architecture)[0] for source, each in found.items() if each}

    def digest(self, sources: Iterable[str]) -> str:
        """Return a name for the content that is taken from the pocket with source packages."""
        lines = sorted(f"{each.name}={each.version}" for each in self.binaries(sources).values())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def update(self, source: str) -> PocketUpdate:
        """Return the update of a source package that waits."""
        known = self.released.sources.get(source)
        companions = _Companions(self, source)
        impediment = self._unpublished(source) or companions.find()
        return PocketUpdate(
            source,
            self.version(source),
            known.version if known else "",
            {name: why for name, why in sorted(companions.reasons.items()) if name != source},
            impediment,
            "" if impediment else companions.breakage(),
        )

    def _unpublished(self, source: str) -> str:
        """Return what the pocket does not have of a source package's version yet, "" when it has all.

        What the version does not build any more can stay in a pocket: a kernel with the former ABI, say.
        """
        version, built = self.version(source), set(self.waiting.sources[source].binaries)
        here = {
            each.name: each
            for each in self._published.get(source, {}).get(self.architecture, ())
            if each.name in built or not built or each.source_version == version
        }
        for name, binary in sorted(here.items()):
            if binary.source_version != version:
                return f"not all of {source} {version} is published: {name} is of {binary.source_version}"
        before = {each.name for each in self.everybodys.values() if each.source == source}
        if missing := sorted(before & built - here.keys()):
            return f"not all of {source} {version} is published: the pocket has no {missing[0]}"
        return "" if here else f"{source} {version} is not published for {self.architecture}"

    @cached_property
    def _published(self) -> Mapping[str, Mapping[str, list[Binary]]]:
        """The binary packages of each source in the pocket by architecture, of all its versions there."""
        return self.waiting.of_source()

    @cached_property
    def _built(self) -> Mapping[str, list[Binary]]:
        """The binary packages of each source in the pocket, of its version there."""
        return {
            source: [each for each in on.get(self.architecture, ()) if each.source_version == self.version(source)]
            for source, on in self._published.items()
        }

    @cached_property
    def everybodys(self) -> Mapping[str, Binary]:
        """The released binary packages by name."""
        return self.released.binaries.get(self.architecture, {})

    @cached_property
    def _offers(self) -> Offers:
        """The binary packages of the release, and then those of the pocket."""
        found: dict[str, list[tuple[Binary, str]]] = {}
        pocket = (each for source, built in self._built.items() if self.waits(source) for each in built)
        for binary in (*self.everybodys.values(), *pocket):
            found.setdefault(binary.name, []).append((binary, binary.version))
            for name, version in provided(binary.relations.get("Provides", ""), self.architecture):
                found.setdefault(name, []).append((binary, version))
        return found

    def satisfying(self, wanted: Alternative) -> Iterator[Binary]:
        """Yield the packages of the release and the pocket that satisfy an alternative of a relation."""
        for binary, version in self._offers.get(wanted.name, ()):
            if provision_satisfies(version, wanted):
                yield binary

    def relations(self, binary: Binary, fields: Iterable[str]) -> Iterator[tuple[str, tuple[Alternative, ...]]]:
        """Yield the relations of a package: the text of each, and its alternatives."""
        for name in fields:
            for clause in clauses(binary.relations.get(name, "")):
                yield clause, alternatives(clause, self.architecture)

    @cached_property
    def dependents(self) -> Mapping[str, list[Binary]]:
        """The released packages whose dependencies name a package, by that name."""
        found: dict[str, list[Binary]] = {}
        for binary in self.everybodys.values():
            for _, choices in self.relations(binary, DEPENDENCIES):
                for choice in choices:
                    found.setdefault(choice.name, []).append(binary)
        return found


def together(binaries: Iterable[Binary], architecture: str) -> tuple[list[str], dict[str, str]]:
    """Return the packages of a source that can be installed together, in the order of their names.

    Each other one follows with the reason: such as nova-compute-lxc, which conflicts with nova-compute-kvm.
    """
    chosen: list[Binary] = []
    left: dict[str, str] = {}
    for binary in sorted(binaries, key=lambda each: each.name):
        if other := next((each for each in chosen if _exclude(binary, each, architecture)), None):
            left[binary.name] = f"it cannot be installed beside {other.name}"
        else:
            chosen.append(binary)
    return [each.name for each in chosen], left


def _exclude(one: Binary, other: Binary, architecture: str) -> bool:
    return any(
        provision_satisfies(version, choice)
        for left, right in ((one, other), (other, one))
        for field_name in EXCLUSIONS
        for clause in clauses(left.relations.get(field_name, ""))
        for choice in alternatives(clause, architecture)
        for name, version in ((right.name, right.version), *provided(right.relations.get("Provides", ""), architecture))
        if name == choice.name
    )


class _Companions:
    """The search for what goes with a source package; ``reasons`` has each source package that is taken."""

    def __init__(self, pocket: Pocket, source: str) -> None:
        self.pocket = pocket
        self.reasons: dict[str, str] = {}
        self.taken: dict[str, Binary] = {}
        self._take(source, "it waits")

    def _take(self, source: str, why: str) -> None:
        self.reasons[source] = why
        self.taken |= self.pocket.binaries([source])

    def find(self) -> str:
        """Take the companions; return the first dependency that nothing satisfies, "" for none."""
        checked: set[str] = set()
        while left := sorted(self.taken.keys() - checked):
            checked.add(left[0])
            if missing := self._check(self.taken[left[0]]):
                return missing
        return self._follow_dependents()

    def _check(self, binary: Binary) -> str:
        for clause, choices in self.pocket.relations(binary, DEPENDENCIES):
            if not self._holds(choices) and not self._take_one(choices, f"{binary.name} needs {clause}"):
                return f"{binary.name} {binary.version} needs {clause}, which neither the pocket nor the release has"
        for clause, choices in self.pocket.relations(binary, EXCLUSIONS):
            for broken in self._present(choices):
                if broken.name != binary.name and (cure := self._newer(broken)) and not self._excludes(binary, cure):
                    self._take(cure.source, f"{binary.name} breaks {clause}")
        return ""

    def _follow_dependents(self) -> str:
        """Take the newer versions of released packages whose dependencies no longer hold."""
        while broken := next((found for found in self._broken() if self._cure(*found)), None):
            binary, clause = broken
            self._take(self._cure(binary, clause), f"{binary.name} {binary.version} needs {clause}")
            if missing := self.find():
                return missing
        return ""

    def breakage(self) -> str:
        """Return the first released package that becomes uninstallable, "" for none."""
        found = next(self._broken(), None)
        return f"{found[0].name} {found[0].version} needs {found[1]}" if found else ""

    def _broken(self) -> Iterator[tuple[Binary, str]]:
        """Yield the released packages with a dependency that held before and does not hold now."""
        names = set(self.taken)
        for name in sorted(self.taken):
            if old := self.pocket.everybodys.get(name):
                names.update(given for given, _ in provided(old.relations.get("Provides", ""), old.architecture))
        seen = {each.name: each for name in sorted(names) for each in self.pocket.dependents.get(name, ())}
        for binary in seen.values():
            if binary.name in self.taken:
                continue
            for clause, choices in self.pocket.relations(binary, DEPENDENCIES):
                if not self._holds(choices) and self._held_before(choices):
                    yield binary, clause

    def _cure(self, binary: Binary, clause: str) -> str:
        """Return the source package whose newer version of a package does not have a dependency any more."""
        newer = self._newer(binary)
        held = newer and all(text != clause for text, _ in self.pocket.relations(newer, DEPENDENCIES))
        return newer.source if newer and held and newer.source not in self.reasons else ""

    def _newer(self, binary: Binary) -> Binary | None:
        """Return the pocket's newer version of a released package that waits and is not taken yet."""
        choices = (each for each in self.pocket.satisfying(Alternative(binary.name)) if each.name == binary.name)
        return next((each for each in choices if each is not binary and each.source not in self.reasons), None)

    def _excludes(self, binary: Binary, other: Binary) -> bool:
        excluded = (choices for _, choices in self.pocket.relations(binary, EXCLUSIONS))
        return any(
            each is other for choices in excluded for choice in choices for each in self.pocket.satisfying(choice)
        )

    def _take_one(self, choices: Iterable[Alternative], why: str) -> bool:
        """Take the first source package of the pocket that satisfies a dependency; return whether one does."""
        for choice in choices:
            for binary in self.pocket.satisfying(choice):
                if binary is not self.pocket.everybodys.get(binary.name) and binary.source not in self.reasons:
                    self._take(binary.source, why)
                    return True
        return False

    def _holds(self, choices: Iterable[Alternative]) -> bool:
        return any(True for _ in self._present(choices))

    def _held_before(self, choices: Iterable[Alternative]) -> bool:
        satisfying = (each for choice in choices for each in self.pocket.satisfying(choice))
        return any(self.pocket.everybodys.get(each.name) is each for each in satisfying)

    def _present(self, choices: Iterable[Alternative]) -> Iterator[Binary]:
        """Yield the packages that satisfy a relation, of the release with what is taken."""
        for choice in choices:
            for binary in self.pocket.satisfying(choice):
                if self.taken.get(binary.name, self.pocket.everybodys.get(binary.name)) is binary:
                    yield binary
