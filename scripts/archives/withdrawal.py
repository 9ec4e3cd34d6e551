"""Withdraw a version from the lab's archive, so that nobody else installs a bad one.

The newest version that remains is listed again.  Every withdrawal is noted in ``withdrawn.json`` of the lab's state.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from debian.debian_support import Version
from pydantic import BaseModel, ConfigDict

from lab.base import environment, files
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.records import Stored, rfc3339
from lab.store.runs import Store
from lab.store.signing import lab_key
from scripts.archives.reprepro import Archive, Tracked


class Withdrawal(BaseModel):
    """One version that was taken out; ``restored`` is the one that is listed in its place, if any."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    track: str
    component: str
    version: str
    restored: str = ""
    withdrawn: str

    def is_same(self, other: Withdrawal) -> bool:
        """Return whether both are about the same version."""
        return (self.track, self.component, self.version) == (other.track, other.component, other.version)


class Withdrawals(Stored):
    """All withdrawals of a lab, the oldest first."""

    withdrawals: tuple[Withdrawal, ...] = ()

    @classmethod
    def of(cls, lab: Lab) -> Withdrawals:
        path = register(lab)
        return cls.read(path) if path.exists() else cls()


def register(lab: Lab) -> Path:
    """Return the path of the file that lists the withdrawals of a lab."""
    return Store.of(lab).root / "withdrawn.json"


def chosen(present: Sequence[Tracked], wanted: Tracked) -> tuple[Tracked, Tracked | None]:
    """Return the version to withdraw, and the one to list in its place if it is the one that is listed.

    Raises ConfigurationError for a version that the archive does not have.
    """
    versions = [item for item in present if item.source == wanted.source]
    if wanted not in versions:
        known = ", ".join(sorted((item.version for item in versions), key=Version)) or "none"
        raise ConfigurationError(f"{wanted.source} {wanted.version} is not in the archive; known: {known}")
    found = versions[versions.index(wanted)]
    rest = [item for item in versions if item != found]
    listed = any(found.files.values())
    return found, max(rest, key=lambda item: Version(item.version), default=None) if listed else None


def withdraw(lab: Lab, track: str, wanted: Tracked, log: IO[str], *, dry_run: bool = False) -> Withdrawal:
    """Withdraw a version from a track's archive, and return what was done (or would be).

    Raises ConfigurationError for a version that is not there.  A withdrawal that is interrupted is noted; repeat it to complete it.
    """
    store = Store.of(lab)
    if not (store.archive / "conf/distributions").exists():
        chosen([], wanted)
    with files.locked(store.lock_path("archive")) as lock, lab_key(lab, store, log) as key:
        archive = Archive(lab, track, wanted.source, key, lock, log)
        archive.open()
        found, earlier = chosen(archive.versions(), wanted)
        done = Withdrawal(
            track=track,
            component=wanted.source,
            version=wanted.version,
            restored=earlier.version if earlier else "",
            withdrawn=rfc3339(environment.now()),
        )
        if dry_run:
            return done
        # Noted first: a withdrawal that is killed is completed, not noted twice, when it is repeated.
        noted = [item for item in Withdrawals.of(lab).withdrawals if not done.is_same(item)]
        Withdrawals(withdrawals=(*noted, done)).write(register(lab))
        with archive.change():
            archive.remove(found)
            if earlier:
                archive.restore(earlier)
            archive.export()
        archive.sweep()
    return done
