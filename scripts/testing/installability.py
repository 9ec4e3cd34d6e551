"""Installability: which packages cannot be installed or built with the lab's packages, and could be with the baseline's.

A source package of the lab replaces that of the series, with all its binaries: a library that the lab's version no longer
builds is gone, as in a distribution that takes this version.  The packages asked for are those of the lab, and those
of the series with a dependency on a name that the lab's packages replace.  Of all others, only what these need
matters, so dose reads a small part of a series.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from scripts.migration import dose
from scripts.migration.indexes import Binary
from scripts.migration.relations import alternatives, clauses, provided

Kind = Literal["binary", "source"]
NEEDS: Final = ("Pre-Depends", "Depends")
BUILD_NEEDS: Final = re.compile(
    r"^Build-Depends(?:-Arch|-Indep)?:[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE
)
ALWAYS: Final = ("build-essential",)  # every build needs it: Debian policy 4.2


@dataclass(frozen=True)
class PackageSet:
    """A series with the packages of a lab: what apt chooses from."""

    series: Sequence[Binary]
    lab: Sequence[Binary]
    architecture: str

    @cached_property
    def packages(self) -> dict[str, Binary]:
        """The packages by name."""
        sources, names = {each.source for each in self.lab}, {each.name for each in self.lab}
        theirs = {each.name: each for each in self.series if each.source not in sources and each.name not in names}
        return theirs | {each.name: each for each in self.lab}

    @cached_property
    def replaced(self) -> frozenset[str]:
        """The names that the lab's packages have, provide, or take out of the series."""
        sources = {each.source for each in self.lab}
        old = [each for each in self.series if each.source in sources]
        return frozenset(name for each in (*self.lab, *old) for name in self._names(each))

    def asked(self) -> list[str]:
        """Return the names of the packages whose installability the lab's packages can change."""
        ours = {each.name for each in self.lab}
        return sorted(
            name
            for name, binary in self.packages.items()
            if name in ours or not self.replaced.isdisjoint(self._needed(binary))
        )

    def needed_by(self, names: Iterable[str]) -> list[Binary]:
        """Return all packages that can take part in an installation of some packages, or names that they provide."""
        found: set[str] = set()
        waiting = [*names, *(name for name, binary in self.packages.items() if binary.essential)]
        seen = set(waiting)
        while waiting:
            for package in self._providers.get(waiting.pop(), ()):
                if package not in found:
                    found.add(package)
                    new = self._needed(self.packages[package]) - seen
                    seen |= new
                    waiting += new
        return [self.packages[name] for name in sorted(found)]

    @cached_property
    def _providers(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, binary in self.packages.items():
            for provides in self._names(binary):
                found.setdefault(provides, []).append(name)
        return found

    def _names(self, binary: Binary) -> set[str]:
        field = binary.relations.get("Provides", "")
        return {binary.name, *((name for name, _ in provided(field, self.architecture)) if field else ())}

    def _needed(self, binary: Binary) -> set[str]:
        return set(needed_names((binary.relations.get(key, "") for key in NEEDS), self.architecture))


def needed_names(fields: Iterable[str], architecture: str) -> Iterable[str]:
    """Return the names of packages in some dependency fields."""
    for text in fields:
        for clause in clauses(text):
            yield from (alternative.name for alternative in alternatives(clause, architecture))


@dataclass(frozen=True)
class Broken:
    """A package that cannot be installed, or a source package that cannot be built, and why, in one line."""

    kind: Kind
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} cannot be {'installed' if self.kind == 'binary' else 'built'}: {self.reason}"


@dataclass(frozen=True)
class Installability:
    """The broken packages of the lab (``new``), those of the series (``theirs``), and those broken in the baseline too."""

    new: Sequence[Broken] = ()
    theirs: Sequence[Broken] = ()
    already: Sequence[Broken] = ()
    checked: Sequence[tuple[Kind, str]] = ()


def uninstallable(packages: PackageSet, names: Sequence[str]) -> list[Broken]:
    """Return those of the named packages that cannot be installed."""
    if not names:
        return []
    found = dose.uninstallable(packages.needed_by(names), names, packages.architecture)
    return [Broken("binary", name, explanation.line) for name, explanation in found.items()]


def unbuildable(packages: PackageSet, sources: Path) -> list[Broken]:
    """Return the source packages of a Sources file whose build dependencies cannot be installed."""
    text = sources.read_text(encoding="utf-8")
    if not text.strip():
        return []
    names = {*needed_names(BUILD_NEEDS.findall(text), packages.architecture), *ALWAYS}
    found = dose.unbuildable(packages.needed_by(names), sources, packages.architecture)
    return [Broken("source", name, explanation.line) for name, explanation in found.items()]


def compare(
    found: Sequence[Broken],
    before: Iterable[Broken],
    ours: frozenset[str],
    checked: Sequence[tuple[Kind, str]] = (),
) -> Installability:
    """Sort broken packages by who has them and whether the baseline has the same; ``ours``: binaries of the lab."""
    known = {(each.kind, each.name) for each in before}
    new = [each for each in found if (each.kind, each.name) not in known]
    return Installability(
        new=[each for each in new if each.kind == "source" or each.name in ours],
        theirs=[each for each in new if each.kind == "binary" and each.name not in ours],
        already=[each for each in found if (each.kind, each.name) in known],
        checked=checked,
    )
