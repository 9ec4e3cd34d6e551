"""Withdraw a version from the lab's archive, so that nobody else installs a bad one.

The newest version that remains is listed again, in a new state; older states keep what they have, and so do labels that
name one of them.  Every withdrawal is noted in ``withdrawn.json`` of the lab's state.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from debian.debian_support import Version
from pydantic import BaseModel, ConfigDict

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.config.description import Lab
from lab.store.records import Stored, rfc3339
from lab.store.runs import Store
from scripts.archives import lab_archive, versions
from scripts.archives.versions import PoolVersion


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


class SourceVersion(NamedTuple):
    """A version of a source package."""

    source: str
    version: str


def chosen(present: Sequence[PoolVersion], wanted: SourceVersion) -> tuple[PoolVersion, PoolVersion | None]:
    """Return the version to withdraw, and the newest of the others.

    Raises ConfigurationError for a version that the archive does not have.
    """
    there = [item for item in present if not item.withdrawn]
    found = next((item for item in there if item.version == wanted.version), None)
    if found is None:
        known = ", ".join(item.version for item in there) or "none"
        raise ConfigurationError(f"{wanted.source} {wanted.version} is not in the archive; known: {known}")
    return found, max((item for item in there if item != found), key=lambda item: Version(item.version), default=None)


def withdraw(lab: Lab, track: str, wanted: SourceVersion, log: IO[str], *, dry_run: bool = False) -> Withdrawal:
    """Withdraw a version from the newest state of a track, and return what was done (or would be).

    Raises ConfigurationError for a version that is not there.  A withdrawal that is interrupted is noted; repeat it to
    complete it.
    """
    if not Store.of(lab).archive.exists():
        chosen([], wanted)
    with lab_archive.opened(lab, log) as archive:
        found, earlier = chosen(versions.of_source(archive.root, track, wanted.source), wanted)
        content = archive.content(track)
        if not content.files(*wanted):
            earlier = None
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
        noted = []
        for item in Withdrawals.of(lab).withdrawals:
            if not done.is_same(item):
                noted.append(item)
            elif not done.restored:
                done = done.model_copy(update={"restored": item.restored})
        Withdrawals(withdrawals=(*noted, done)).write(register(lab))
        content = content.without(*wanted)
        if earlier:
            content = content.with_version(earlier.stanzas)
        archive.commit(track, content, f"withdraw {wanted.source} {wanted.version}")
        archive.record(track, found.model_copy(update={"withdrawn": True}))
    return done
