"""What a track deploys: the packages that the lab has built for it, or those that wait in a -proposed pocket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from lab.base import files
from lab.config.description import Lab
from lab.store.runs import Store
from scripts.archives import proposed
from scripts.archives.proposed import Waiting
from scripts.chroots.bootstrap import Repository
from scripts.deployment import installation
from scripts.drivers.interfaces import Provisioner


@dataclass(frozen=True)
class PackageSource:
    """Versions and source packages by binary package, versions by source package; ``waiting``: of a pocket."""

    lab: Lab
    track: str
    archive: Mapping[str, tuple[str, str]]
    waiting: Waiting | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return self.waiting.repository.codename if self.waiting else "the lab's archive"

    @property
    def state(self) -> str:
        """The name of its content: the SHA-256 of the archive's InRelease, or the versions of a pocket."""
        release = Store.of(self.lab).archive / "dists" / self.track / "InRelease"
        return str(self.waiting) if self.waiting else files.sha256(release) if release.exists() else ""

    @contextmanager
    def reached(self, target: Provisioner) -> Iterator[Repository | None]:
        """Yield the archive for the nodes of a target; None where there is nothing yet."""
        if self.waiting:
            yield self.waiting.repository
        else:
            with target.archive(self.lab, self.track) as repository:
                yield repository

    def remember(self) -> None:
        """Note that the waiting versions were tested, whatever the verdict."""
        if self.waiting:
            proposed.remember(self.lab, self.track, self.waiting.versions)


def for_track(lab: Lab, track: str, component: str, log: IO[str]) -> PackageSource:
    """Return what a track deploys for a component, or for all.  Raises InfrastructureError when a mirror does not answer."""
    if lab.tracks[track].trigger == "proposed":
        waiting = proposed.waiting(lab, track, component, log)
        return PackageSource(lab, track, waiting.archive, waiting, waiting.versions)
    root = Store.of(lab).archive
    return PackageSource(lab, track, installation.offered(root, track), sources=installation.sources(root, track))
