"""What a track deploys: the packages that the lab has built for it, or those that wait in a -proposed pocket.

A track of proposed packages also deploys its baseline, which is the release without the pocket.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.archive import ArchiveReader, State
from lab.store.archive_place import reader_of
from scripts.archives import usage
from scripts.chroots.bootstrap import Repository
from scripts.deployment import installation
from scripts.drivers.interfaces import Provisioner
from scripts.pockets import baseline, proposed
from scripts.pockets.proposed import Waiting


@dataclass(frozen=True)
class PackageSource:
    """Versions and source packages by binary package, versions by source package; ``waiting``: of a pocket.

    ``state``: the name of its content, which is a state of the archive, that of a pocket, or a baseline's.  ``newest``:
    the versions of the newest state.  ``baseline``: the name of a pocket's baseline.
    """

    lab: Lab
    track: str
    archive: Mapping[str, tuple[str, str]]
    waiting: Waiting | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    state: str = ""
    newest: Mapping[str, str] = field(default_factory=dict)
    baseline: str = ""

    @property
    def is_baseline(self) -> bool:
        return bool(self.baseline) and self.state == self.baseline

    @property
    def is_archive(self) -> bool:
        """Whether it is the lab's archive."""
        return not (self.waiting or self.baseline)

    @property
    def place(self) -> str:
        if self.is_baseline:
            return "the release"
        return self.waiting.repository.codename if self.waiting else "the lab's archive"

    @property
    def built(self) -> dict[str, list[str]]:
        """The binary packages to install for their own sake, by source package."""
        return self.waiting.packages if self.waiting else installation.built(self.archive)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep its state from being removed meanwhile.  Raises ConfigurationError where the state is not there."""
        if not (self.is_archive and self.state):
            yield
        else:
            with usage.held(self.lab, self.state):
                yield

    @contextmanager
    def reached(self, target: Provisioner) -> Iterator[Repository | None]:
        """Yield the archive for the nodes of a target; None where there is nothing yet."""
        if not self.is_archive:
            yield self.waiting.repository if self.waiting else None
        else:
            with target.archive(self.lab, self.state or self.track) as repository:
                yield repository

    def remember(self) -> None:
        """Note that the content of the pocket was tested, whatever the verdict."""
        if self.waiting:
            proposed.remember(self.lab, self.track, self.waiting.content, str(self.waiting))


def for_track(lab: Lab, track: str, component: str, log: IO[str], state: str = "") -> PackageSource:
    """Return what a track deploys for a component, or for all; ``state``: of the archive, empty for the newest.

    Raises InfrastructureError when a mirror does not answer, ConfigurationError for a state that the track does not have.
    """
    if lab.tracks[track].trigger == "proposed":
        pocket = proposed.asked(lab, track, log)
        name = baseline.name_of(lab, track, pocket)
        if baseline.is_baseline(state):
            released = pocket.released_packages(lab.components_of(track))
            everybodys = {
                each: (pocket.everybodys[each].version, of) for of, names in released.items() for each in names
            }
            return PackageSource(lab, track, everybodys, state=name, baseline=name)
        waiting = proposed.waiting_for(lab, track, component, pocket)
        return PackageSource(lab, track, waiting.archive, waiting, waiting.versions, waiting.content, baseline=name)
    reader = reader_of(lab)
    newest = reader.state(track)
    name = state_of_track(reader, track, state).name if state else newest.name if newest else ""
    suite = name or track  # an archive of an older release has no states yet
    sources = installation.sources(reader, suite)
    latest = installation.sources(reader, newest.name) if newest and newest.name != name else sources
    offered = installation.offered(reader, suite)
    return PackageSource(lab, track, offered, sources=sources, state=name, newest=latest)


def state_of_track(reader: ArchiveReader, track: str, name: str) -> State:
    """Return a state of a track, by its name or a label.  Raises ConfigurationError for a missing or another's one."""
    state = reader.existing(name)
    if state.track != track:
        raise ConfigurationError(f"{state.name} is a state of {state.track}, and not of {track}")
    return state
