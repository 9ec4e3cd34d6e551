"""The installability of what is taken from a pocket, and of the released packages that depend on it.

dose decides, on the release with what is taken from the pocket; what cannot be installed without the pocket either does
not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scripts.migration.indexes import Binary
from scripts.migration.relations import provided
from scripts.pockets.selection import Pocket
from scripts.testing.installability import Broken, PackageSet, uninstallable


@dataclass(frozen=True)
class Consequences:
    """What cannot be installed with the pocket's packages, and could be before: ``own`` packages, and released ones."""

    own: tuple[Broken, ...] = ()
    dependents: tuple[Broken, ...] = ()


def consequences(pocket: Pocket, sources: Iterable[str]) -> Consequences:
    """Return what becomes uninstallable when source packages are released."""
    taken = pocket.binaries(sources)
    before, after = pocket.everybodys, {**pocket.everybodys, **taken}
    names = {given for name in taken for given in _names(pocket, before.get(name)) | _names(pocket, taken[name])}
    asked = {*taken, *(each.name for name in names for each in pocket.dependents.get(name, ()))}
    broken = _uninstallable(pocket, after, asked)
    known = {each.name for each in _uninstallable(pocket, before, {each.name for each in broken} & before.keys())}
    new = [each for each in broken if each.name not in known]
    return Consequences(
        tuple(each for each in new if each.name in taken), tuple(each for each in new if each.name not in taken)
    )


def _names(pocket: Pocket, binary: Binary | None) -> set[str]:
    """Return the names that a package has and provides."""
    if binary is None:
        return set()
    return {binary.name, *(name for name, _ in provided(binary.relations.get("Provides", ""), pocket.architecture))}


def _uninstallable(pocket: Pocket, packages: Mapping[str, Binary], names: set[str]) -> list[Broken]:
    return uninstallable(PackageSet([*packages.values()], (), pocket.architecture), sorted(names))
