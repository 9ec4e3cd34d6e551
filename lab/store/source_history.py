"""The versions of a source package that the lab's archive has or had, as all machines read them.

::

    sources/SOURCE.json     the history of a source package: a file that any web server serves

The machine of the archive writes it with each change (see `scripts.archives.lab_archive`).  A version stays in it after
its files have left the pool, so that no build number is given twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from debian.debian_support import Version
from pydantic import ValidationError

from lab.base.errors import ConfigurationError
from lab.store.archive import ArchivePart, ArchiveReader
from lab.store.records import Stored

HOME = "sources"


class PackagedVersion(ArchivePart):
    """A version of a source package in a track."""

    track: str
    version: str
    added: str
    commit: str = ""
    """The upstream commit that it was built from; empty where that is not known."""
    withdrawn: bool = False
    files: Mapping[str, str] = {}
    """The SHA-256 of each file by its path below the archive; empty once they have left the pool."""


class SourceHistory(Stored):
    """sources/SOURCE.json: all versions of a source package, in any order."""

    versions: tuple[PackagedVersion, ...] = ()

    def of_track(self, track: str) -> list[PackagedVersion]:
        """Return the versions of a track that were not withdrawn, the newest first."""
        found = [each for each in self.versions if each.track == track and not each.withdrawn]
        return sorted(found, key=lambda each: Version(each.version), reverse=True)

    def withdrawn(self, track: str) -> list[str]:
        """Return the withdrawn versions of a track, the oldest first."""
        return sorted((each.version for each in self.versions if each.track == track and each.withdrawn), key=Version)

    def version_of(self, track: str, commit: str) -> str:
        """Return the newest version of a track that was built from a commit; "" for none."""
        return next((each.version for each in self.of_track(track) if each.commit == commit), "")

    @property
    def files(self) -> dict[str, str]:
        """The SHA-256 of each file in the pool, by its path below the archive."""
        return {path: digest for each in self.versions for path, digest in each.files.items()}


def place(source: str) -> str:
    """Return the path of a history below the archive."""
    return f"{HOME}/{source}.json"


def read(reader: ArchiveReader, source: str) -> SourceHistory:
    """Return the history of a source package; an empty one for a package that was never built.

    Raises InfrastructureError where the archive cannot be read, ConfigurationError for a damaged history.
    """
    text = reader.read(place(source))
    if text is None:
        return SourceHistory() if reader.is_remote else collected(reader.root, source)
    try:
        return SourceHistory.model_validate_json(text)
    except ValidationError as error:
        raise ConfigurationError(f"{reader.location}/{place(source)}: {error.errors()[0]['msg']}") from None


def collected(root: Path, source: str) -> SourceHistory:
    """Return the history from the records of the versions, and from the present history of the package."""
    path = root / place(source)
    known = {(each.track, each.version): each for each in SourceHistory.read(path).versions} if path.exists() else {}
    known = {key: each.model_copy(update={"files": {}}) for key, each in known.items()}
    for record in sorted(root.glob(f"versions/*/{source}/*.json")):
        data, track = json.loads(record.read_bytes()), record.parts[-3]
        values = {name: data[name] for name in PackagedVersion.model_fields if name in data}
        known[track, data["version"]] = PackagedVersion(track=track, **values)
    return SourceHistory(versions=tuple(known.values()))


def write(root: Path, source: str) -> None:
    """Bring the history of a source package up to date; the archive's lock must be held."""
    collected(root, source).write(root / place(source))
