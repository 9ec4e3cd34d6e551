"""The packages that wait in a series' -proposed pocket for a track, and those that the track has tested.

An update is taken from the pocket with its companions, and nothing else is: see `scripts.pockets.selection` and
`scripts.chroots.bootstrap.Repository`.  The lab's state has the tested contents, so that a poll begins a run for new
content alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

from lab.base import environment, files
from lab.base.errors import InfrastructureError
from lab.base.run import ProgramFailed, run
from lab.config import apt
from lab.config.description import Lab, Series
from lab.store.records import Stored
from lab.store.run_directory import WHOLE
from lab.store.runs import Store
from lab.store.step import architecture
from scripts.archives.private_apt import own_apt
from scripts.chroots.bootstrap import Repository
from scripts.migration import indexes
from scripts.migration.indexes import IndexedSuite
from scripts.pockets.selection import DEBUG_SYMBOLS, Pocket, PocketUpdate, together

CAT = "/usr/lib/apt/apt-helper"
MOST_CONTENTS = 1000
NOTHING = Pocket(IndexedSuite(), IndexedSuite(), "")


@dataclass(frozen=True)
class Waiting:
    """The updates that wait for some components, and what is taken from the pocket for those that are ready.

    ``archive``: version and source by binary package of the ready updates.  ``content``: a name for all that is taken,
    companions included.
    """

    updates: tuple[PocketUpdate, ...]
    archive: Mapping[str, tuple[str, str]]
    repository: Repository
    content: str = ""
    pocket: Pocket = field(default=NOTHING, repr=False)

    @property
    def ready(self) -> tuple[PocketUpdate, ...]:
        return tuple(each for each in self.updates if not each.impediment)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the ready updates by source package."""
        return {each.source: each.version for each in self.ready}

    @property
    def packages(self) -> dict[str, list[str]]:
        """The binary packages of the ready updates that can be installed together, by source package."""
        return {source: names for source, (names, _) in self._together.items()}

    @property
    def left_out(self) -> dict[str, str]:
        """The reasons of the binary packages that are not installed for their own sake."""
        return {name: why for _, left in self._together.values() for name, why in left.items()}

    @cached_property
    def _together(self) -> Mapping[str, tuple[list[str], dict[str, str]]]:
        built = self.pocket.binaries(self.versions)
        return {
            source: together(
                [built[name] for name, (_, of) in self.archive.items() if of == source and name in built],
                self.pocket.architecture,
            )
            for source in self.versions
        }

    @property
    def companions(self) -> dict[str, str]:
        """The reason of each companion by source package; an update that waits for its own sake is none."""
        every = {name: why for each in self.ready for name, why in each.companions.items()}
        return {name: why for name, why in sorted(every.items()) if name not in self.versions}

    def __str__(self) -> str:
        return ", ".join(f"{name} {version}" for name, version in self.versions.items())


class Tested(Stored):
    """The contents of a pocket that a track has tested, the newest last: a description by the name of each."""

    contents: Mapping[str, str] = {}

    @classmethod
    def of(cls, lab: Lab, track: str) -> Tested:
        path = _path(lab, track)
        return cls.read(path) if path.exists() else cls()


def _path(lab: Lab, track: str) -> Path:
    return Store.of(lab).root / "proposed" / f"{track}-contents.json"


def remember(lab: Lab, track: str, content: str, description: str) -> None:
    """Note that a content was tested, whatever the verdict."""
    known = {**Tested.of(lab, track).contents, content: description}
    Tested(contents=dict([*known.items()][-MOST_CONTENTS:])).write(_path(lab, track))


def is_new(lab: Lab, track: str, content: str) -> bool:
    """Return whether a track has not tested a content."""
    return content not in Tested.of(lab, track).contents


def waiting_for(lab: Lab, track: str, component: str, pocket: Pocket) -> Waiting:
    """Return the updates that wait for a component of a track, or for all (`WHOLE`)."""
    if component != WHOLE:
        return chosen(lab, track, pocket, (component,))
    others = testable(pocket) if lab.tracks[track].whole_pocket else ()
    return chosen(lab, track, pocket, lab.components_of(track), others)


def testable(pocket: Pocket) -> list[str]:
    """Return all source packages that wait in a pocket and can be installed."""
    waiting = filter(pocket.waits, sorted(pocket.waiting.sources))
    return [source for source in waiting if not pocket.update(source).impediment]


def chosen(lab: Lab, track: str, pocket: Pocket, components: Sequence[str], others: Iterable[str] = ()) -> Waiting:
    """Return the updates that wait for some components in a pocket that was asked; ``others``: taken with any of them."""
    updates = tuple(pocket.update(name) for name in sorted(components) if pocket.waits(name))
    ready = [each for each in updates if not each.impediment]
    taken = sorted({*(name for each in ready for name in (each.source, *each.companions)), *(others if ready else ())})
    built = pocket.binaries(each.source for each in ready)
    archive = {
        each.name: (each.version, each.source) for each in built.values() if not each.name.endswith(DEBUG_SYMBOLS)
    }
    return Waiting(updates, archive, repository(lab, track, taken), pocket.digest(taken) if taken else "", pocket)


def sets(lab: Lab, track: str, pocket: Pocket) -> Iterator[tuple[str, Waiting]]:
    """Yield what a track tests of its pocket: each ready update with its companions, and then all of them together.

    Each has the component of its run.  A content that another one has too is tested once.
    """
    seen = set[str]()
    for component in (*lab.components_of(track), WHOLE):
        found = waiting_for(lab, track, component, pocket)
        if found.ready and found.content not in seen:
            seen.add(found.content)
            yield component, found


def suite_of(lab: Lab, track: str) -> str:
    """Return the suite of a track's pocket."""
    name = lab.tracks[track].series
    series = lab.series[name]
    return f"{series.codename or name}-{apt.PROPOSED[series.distribution][0]}"


def repository(lab: Lab, track: str, taken: Sequence[str]) -> Repository:
    """Return a track's pocket for apt, from which some source packages are taken."""
    name, suite = lab.tracks[track].series, suite_of(lab, track)
    series = lab.series[name]
    return Repository(
        apt.mirror(name, series).rstrip("/"),
        suite,
        keyring=str(apt.keyring(name, series)),
        release=f"{apt.PROPOSED[series.distribution][1]}={suite}",
        areas=series.components,
        only=tuple(taken),
    )


def asked(lab: Lab, track: str, log: IO[str]) -> Pocket:
    """Return a track's pocket, and all that is released outside it, from the mirror.

    Raises InfrastructureError when the mirror cannot be asked.
    """
    name, suite = lab.tracks[track].series, suite_of(lab, track)
    home = environment.cache_home() / "proposed" / name
    with files.locked(home / "lock"):
        options = (*own_apt(home, _lines(name, lab.series[name])), f"-oAPT::Architectures={architecture()}")
        try:
            run(["apt-get", *options, "update", "--error-on=any"], log=log)
            texts = [*_texts(options, log)]
        except ProgramFailed as error:
            raise InfrastructureError(f"series {name}: {suite} cannot be asked: {error.result.complaint}") from None
    packages = [(release, text) for kind, release, text in texts if kind == "Packages"]
    sources = [text for kind, release, text in texts if (kind, release) == ("Sources", suite)]
    return Pocket(
        indexes.of_texts(architecture(), [text for release, text in packages if release == suite], sources),
        indexes.of_texts(architecture(), [text for release, text in packages if release != suite]),
        architecture(),
        _release_date(home / "lists", suite),
    )


def _release_date(lists: Path, suite: str) -> str:
    """Return the date of a suite's Release file among apt's lists, "" for none."""
    for path in (*lists.glob(f"*_dists_{suite}_InRelease"), *lists.glob(f"*_dists_{suite}_Release")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line.removeprefix("Date: ") for line in lines if line.startswith("Date: ")), "")
    return ""


def _lines(name: str, series: Series) -> list[str]:
    """Return the sources.list for a series with its pocket, whose source packages count too."""
    pocket, _ = apt.PROPOSED[series.distribution]
    released = tuple(each for each in series.pockets if each != pocket)
    lines = apt.sources(name, series.model_copy(update={"pockets": (*released, pocket)}))
    alone = series.model_copy(update={"pockets": (pocket,), "archives": ()})
    return [*lines, apt.sources(name, alone, kind="deb-src")[-1]]


def _texts(options: Sequence[str], log: IO[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the kind, the suite and the text of each index."""
    form = ["--format", "$(CREATED_BY) $(RELEASE) $(FILENAME)"]
    for line in run(["apt-get", *options, "indextargets", *form], log=log, capture=True).stdout.splitlines():
        kind, release, path = line.split(" ", 2)
        if kind in {"Packages", "Sources"}:
            yield kind, release, run([CAT, "cat-file", path], capture=True).stdout  # it may be compressed
