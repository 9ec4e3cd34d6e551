"""Packages that wait in a series' -proposed pocket: which, what they need from there, and which were tested.

What waits is newer than all that is released.  It is taken from the pocket with what it needs from there, and
nothing else is: see `scripts.chroots.bootstrap.Repository`.  Which versions were tested is kept in the lab's state, so that
who polls begins a run for what is new, and for that alone.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from debian.deb822 import Packages
from debian.debian_support import Version

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, run
from lab.config import apt
from lab.config.description import Lab, Series
from lab.store.records import Stored
from lab.store.run_directory import WHOLE
from lab.store.runs import Store
from scripts.archives.private_apt import own_apt
from scripts.chroots.bootstrap import Repository

CAT = "/usr/lib/apt/apt-helper"
COMPARED = {"<<": operator.lt, "<=": operator.le, "=": operator.eq, ">=": operator.ge, ">>": operator.gt}
Released = Mapping[str, Sequence[str]]
"""The versions of binary packages that everybody gets."""


@dataclass(frozen=True)
class Waiting:
    """The waiting packages of some components: versions and sources by binary package, and the repository."""

    archive: Mapping[str, tuple[str, str]]
    repository: Repository

    @property
    def versions(self) -> dict[str, str]:
        """The versions by source package."""
        found: dict[str, str] = {}
        for version, source in self.archive.values():
            found[source] = max(found.get(source, version), version, key=Version)
        return dict(sorted(found.items()))

    def __str__(self) -> str:
        return ", ".join(f"{name} {version}" for name, version in self.versions.items())


class Tested(Stored):
    """The versions of source packages that a track has tested."""

    versions: Mapping[str, str] = {}

    @classmethod
    def of(cls, lab: Lab, track: str) -> Tested:
        path = _path(lab, track)
        return cls.read(path) if path.exists() else cls()


def _path(lab: Lab, track: str) -> Path:
    return Store.of(lab).root / "proposed" / f"{track}.json"


def remember(lab: Lab, track: str, versions: Mapping[str, str]) -> None:
    """Note that versions were tested, whatever the verdict."""
    Tested(versions=dict(Tested.of(lab, track).versions) | dict(versions)).write(_path(lab, track))


def is_new(lab: Lab, track: str, versions: Mapping[str, str]) -> bool:
    """Return whether there is a version that the track has not tested."""
    return not versions.items() <= Tested.of(lab, track).versions.items()


def waiting(lab: Lab, track: str, component: str, log: IO[str]) -> Waiting:
    """Return the packages that wait for a component of a track, or for all (`WHOLE`).

    Raises InfrastructureError when the mirror cannot be asked.
    """
    name = lab.tracks[track].series
    series = lab.series[name]
    pocket, field = apt.PROPOSED[series.distribution]
    suite = f"{series.codename or name}-{pocket}"
    index, released = asked(name, series, suite, log)
    sources = set(lab.components_of(track)) if component == WHOLE else {component}
    found = newer(index, released, sources)
    return Waiting(
        {item["Package"]: (item["Version"], str(item.source)) for item in found},
        Repository(
            apt.mirror(name, series).rstrip("/"),
            suite,
            keyring=str(apt.keyring(name, series)),
            release=f"{field}={suite}",
            areas=series.components,
            only=tuple(sorted(needed(index, released, {str(item.source) for item in found}))),
        ),
    )


def asked(name: str, series: Series, suite: str, log: IO[str]) -> tuple[list[Packages], Released]:
    """Return all packages of the pocket, and the released versions of the same names."""
    pocket, _ = apt.PROPOSED[series.distribution]
    pockets = (*(each for each in series.pockets if each != pocket), pocket)
    lines = apt.sources(name, series.model_copy(update={"pockets": pockets}))
    home = environment.cache_home() / "proposed" / name
    with files.locked(home / "lock"):
        options = own_apt(home, lines)
        try:
            run(["apt-get", *options, "update", "--error-on=any"], log=log)
            index = list(_index(options, suite, log))
            names = [item["Package"] for item in index]
            listed = run(["apt-cache", *options, "madison", *names], log=log, capture=True).stdout if names else ""
        except ProgramFailed as error:
            raise InfrastructureError(f"series {name}: {suite} cannot be asked: {error.result.complaint}") from None
    return index, versions_outside(listed, suite)


def _index(options: Sequence[str], suite: str, log: IO[str]) -> Iterator[Packages]:
    form = ["--format", "$(RELEASE) $(FILENAME)", "Created-By: Packages"]
    for line in run(["apt-get", *options, "indextargets", *form], log=log, capture=True).stdout.splitlines():
        release, _, path = line.partition(" ")
        if release == suite:
            text = run([CAT, "cat-file", path], log=log, capture=True).stdout  # it may be compressed
            yield from Packages.iter_paragraphs(text, use_apt_pkg=False)


def versions_outside(listed: str, suite: str) -> dict[str, list[str]]:
    """Return the versions that ``apt-cache madison`` lists of other suites than one, by package."""
    found: dict[str, list[str]] = {}
    for line in listed.splitlines():
        name, version, place = (part.strip() for part in line.split("|"))
        if place.split()[1].partition("/")[0] != suite and place.endswith(" Packages"):
            found.setdefault(name, []).append(version)
    return found


def newer(index: Iterable[Packages], released: Released, sources: set[str]) -> list[Packages]:
    """Return the binary packages of those sources that have one which is newer than all that is released."""
    own = [item for item in index if item.source in sources and not item["Package"].endswith("-dbgsym")]
    fresh = {
        item.source
        for item in own
        if all(Version(item["Version"]) > Version(version) for version in released.get(item["Package"], ()))
    }
    return [item for item in own if item.source in fresh]


def needed(index: Iterable[Packages], released: Released, sources: set[str]) -> set[str]:
    """Return sources, and those in the same pocket that they need because the release does not satisfy them."""
    packages = {item["Package"]: item for item in index}
    found: set[str] = set()
    left = set(sources)
    while left:
        source = left.pop()
        found.add(source)
        for item in packages.values():
            if item.source == source:
                left |= {each for each in _dependencies(item, packages, released) if each not in found}
    return found


def _dependencies(item: Packages, packages: Mapping[str, Packages], released: Released) -> Iterator[str]:
    for group in [*(item.relations["pre-depends"] or ()), *(item.relations["depends"] or ())]:
        for relation in group:  # the first that can be had is taken
            name = relation["name"]
            if name not in packages or any(_will_do(version, relation) for version in released.get(name, ())):
                break
            if _will_do(packages[name]["Version"], relation):
                yield str(packages[name].source)
                break


def _will_do(version: str, relation: Mapping[str, Any]) -> bool:
    if not relation.get("version"):
        return True
    operation, wanted = relation["version"]
    return bool(COMPARED[operation](Version(version), Version(wanted)))
