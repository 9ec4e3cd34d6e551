"""The lab's archive as its readers see it: suites for apt, states and labels.

::

    pool/AREA/P/SOURCE/FILE               the packages
    by-hash/SHA256/DIGEST                 the indices of all suites, each once, by their digest
    dists/STATE/                          a state: the suite with its lock lists, state.json, files for users
    dists/LABEL                           a label: a link to its present tree, labels/LABEL/NUMBER
    labels/LABEL.json                     the promotions of a label
    pins.json                             the states that are kept until somebody unpins them
    versions/TRACK/SOURCE/VERSION.json    the versions in the pool, see `scripts.archives.versions`
    sources/SOURCE.json                   all versions of a source package, see `lab.store.source_history`
    states.json                           the states, labels and pins, for readers that cannot list directories
    archive-id                            the identity of the archive, see `scripts.archives.archive_identity`
    archive-key.asc                       the public key

A reader on the machine of the archive has its path, all others have its URL.  Both read the same files.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.base import files
from lab.base.errors import ConfigurationError, InfrastructureError
from lab.store.records import Stored

PUBLIC_KEY = "archive-key.asc"
STATE_FILE, STATES = "state.json", "states.json"
BINARY_LOCK, SOURCE_LOCK = "packages.lock", "sources.lock"
STATE_NAME = re.compile(r"-\d{8}T\d{6}Z-[0-9a-f]{8}$")


class ArchivePart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VersionChange(ArchivePart):
    """A source package whose listed version differs; an empty version: it is not listed."""

    source: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.source} {self.before or '(none)'} -> {self.after or '(none)'}"


class State(Stored):
    """state.json: an immutable content of the archive.  Its name is TRACK-TIME-DIGEST."""

    migrations = dict.fromkeys((1,), lambda data: data)  # the new field has a default
    schema_version: int = Field(2, alias="schema")
    name: str
    track: str
    number: int
    """The position of the state among those of its track, from 1 on."""
    parent: str = ""
    """The state before it; empty for the first one."""
    created: str
    why: str
    """The operation that made it, for people."""
    changes: tuple[VersionChange, ...] = ()
    """The differences from the parent; none are listed for a first state."""
    candidate_for: str = ""
    """The label for which a promotion made the state; the label of the track names no such state."""


class Move(ArchivePart):
    """One move of a label."""

    kind: Literal["promotion", "demotion"]
    before: str = ""
    after: str
    who: str
    when: str
    runs: tuple[str, ...] = ()
    """The runs that are the reason for the move."""
    reason: str = ""
    taken: tuple[tuple[str, str], ...] = ()
    """The source versions that a demotion took away: its states can be removed."""


class Moves(Stored):
    """labels/LABEL.json: all moves of a label, the oldest first."""

    migrations = dict.fromkeys((1,), lambda data: data)  # the new field has a default
    schema_version: int = Field(2, alias="schema")
    moves: tuple[Move, ...] = ()


class Pin(ArchivePart):
    who: str
    when: str
    reason: str = ""


class Pins(Stored):
    """pins.json: the pinned states by name."""

    pins: Mapping[str, Pin] = {}


class StatesIndex(Stored):
    """states.json: the content of `ArchiveReader.states`, `labels`, `moves` and `pins`."""

    migrations = dict.fromkeys((1,), lambda data: data)  # the new field of a move has a default
    schema_version: int = Field(2, alias="schema")
    states: tuple[State, ...] = ()
    labels: Mapping[str, str] = {}
    """The name of the state of each label."""
    moves: Mapping[str, tuple[Move, ...]] = {}
    pins: Mapping[str, Pin] = {}


def lock_rows(text: str) -> list[tuple[str, str]]:
    """Return the names and versions of a lock list."""
    return [(package, version) for package, _, version in (line.partition("=") for line in text.splitlines())]


@dataclass(frozen=True)
class ArchiveReader:
    """An archive at a path or a URL."""

    location: str

    @classmethod
    def at(cls, root: Path) -> ArchiveReader:
        return cls(str(root))

    @property
    def is_remote(self) -> bool:
        """Whether it is read by its URL."""
        return "://" in self.location

    @property
    def root(self) -> Path:
        """The path of an archive on this machine.  Raises ConfigurationError for a URL."""
        if self.is_remote:
            raise ConfigurationError(f"{self.location}: this works on the machine of the archive only")
        return Path(self.location)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None for a missing one, and for a name that leads out of the archive.

        Raises InfrastructureError if it cannot be read.
        """
        if name.startswith("/") or ".." in name.split("/") or "\0" in name:
            return None
        if self.is_remote:
            from lab.store import archive_files  # noqa: PLC0415 - the HTTP client takes a tenth of a CPU second

            return archive_files.fetch(f"{self.location.rstrip('/')}/{name}")
        try:
            return Path(self.location, name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def has(self, suite: str) -> bool:
        """Return whether apt finds the suite: a state or a label."""
        return self.read(f"dists/{suite}/Release") is not None

    def key(self) -> str:
        """Return the public key.  Raises InfrastructureError for an archive without one."""
        if (key := self.read(PUBLIC_KEY)) is None:
            raise InfrastructureError(f"{self.location}: the archive has no {PUBLIC_KEY}")
        return key.decode()

    def index(self, suite: str, name: str) -> str:
        """Return an index of a suite, such as ``main/source/Sources``, or a lock list; an empty text for a missing one.

        Raises InfrastructureError for a damaged one.
        """
        if (packed := self.read(f"dists/{suite}/{name}.gz")) is not None:
            try:
                # A server that names gzip as the encoding of the content has had it decompressed already.
                return (gzip.decompress(packed) if packed.startswith(b"\x1f\x8b") else packed).decode()
            except (EOFError, OSError, zlib.error, UnicodeDecodeError) as error:
                raise InfrastructureError(f"{self.location}/dists/{suite}/{name}.gz: is damaged: {error}") from None
        return (self.read(f"dists/{suite}/{name}") or b"").decode()

    def state(self, suite: str) -> State | None:
        """Return a state by its name or by a label; None for a missing one, and for suites of older releases."""
        text = self.read(f"dists/{suite}/{STATE_FILE}")
        try:
            return State.model_validate_json(text) if text is not None else None
        except ValidationError as error:
            raise ConfigurationError(
                f"{self.location}/dists/{suite}/{STATE_FILE}: {error.errors()[0]['msg']}"
            ) from None

    def existing(self, suite: str) -> State:
        """Return a state by its name or by a label.  Raises ConfigurationError for a missing one."""
        found = self.state(suite)
        if found is None:
            raise self._missing(suite)
        return found

    def _missing(self, suite: str) -> ConfigurationError:
        if naming := [label for label, state in self.labels().items() if state.name == suite]:
            message = f"the label {', '.join(naming)} names the state {suite}, and somebody has removed its directory"
            return ConfigurationError(message, hint="qalab archive gc makes it again")
        if moves := self.moves(suite):
            named = f"the label {suite} named the state {moves[-1].after}, and somebody has removed"
            if self.state(moves[-1].after):
                return ConfigurationError(f"{named} the label's directory", hint="qalab archive gc makes it again")
            return ConfigurationError(f"{named} the directories of both", hint=f"qalab archive promote {suite}")
        if STATE_NAME.search(suite):
            message = f"the archive has no state {suite}: it was removed, or never was"
        else:
            message = f"{suite} names no state: nothing has been built for it or promoted to it yet, or it is no label"
        return ConfigurationError(message, hint="qalab archive states TRACK")

    def file(self, name: str, digest: str, directory: Path) -> Path:
        """Return a file of the pool: its path in the archive, or of a verified copy in ``directory``.

        Raises InfrastructureError for a missing file, and for a copy with another SHA-256.
        """
        if not self.is_remote:
            if not (self.root / name).is_file():
                raise InfrastructureError(f"the lab's archive lists {Path(name).name}, and does not have it")
            return self.root / name
        target = directory / Path(name).name
        if not (target.is_file() and files.sha256(target) == digest):
            directory.mkdir(parents=True, exist_ok=True)
            from lab.store import archive_files  # noqa: PLC0415 - as in `read`

            archive_files.download(f"{self.location.rstrip('/')}/{quote(name, safe='/+~')}", target)
        if files.sha256(target) != digest:
            raise InfrastructureError(f"{self.location}/{name}: is not the file that the archive lists")
        return target

    def lock(self, suite: str, name: str = BINARY_LOCK) -> list[tuple[str, str]]:
        """Return the names and versions of a suite, of its binary packages or (``SOURCE_LOCK``) its source packages.

        Nothing for a missing suite, and for one of an older release.  Raises InfrastructureError for a damaged list, and
        for a state without one: a removal would take its packages away.
        """
        text = self.index(suite, name)
        if not text and self.read(f"dists/{suite}/{name}.gz") is None and self.state(suite):
            where = f"{self.location}/dists/{suite}/{name}.gz"
            raise InfrastructureError(f"{where}: is missing", hint="restore it from a backup")
        return lock_rows(text)

    def index_of_states(self) -> StatesIndex:
        """Return states.json; an empty one for an archive that has none.  Raises ConfigurationError for a damaged file."""
        text = self.read(STATES)
        try:
            return StatesIndex.model_validate_json(text) if text is not None else StatesIndex()
        except ValidationError as error:
            raise ConfigurationError(f"{self.location}/{STATES}: {error.errors()[0]['msg']}") from None

    def states(self, track: str | None = None) -> list[State]:
        """Return the states, of a track or of all, the oldest first."""
        if self.is_remote:
            found = list(self.index_of_states().states)
        else:
            paths = self.root.glob(f"dists/{f'{track}-' if track else ''}*/{STATE_FILE}")
            trees = [path.parent for path in paths if not path.parent.is_symlink()]
            found = [state for tree in trees if (state := self.state(tree.name))]  # gc can have removed it meanwhile
        return sorted(
            (state for state in found if track in {None, state.track}), key=lambda each: (each.track, each.number)
        )

    def newest(self, track: str) -> State | None:
        """Return the newest state that the builds of a track have made; None without one."""
        return next((state for state in reversed(self.states(track)) if not state.candidate_for), None)

    def labels(self) -> dict[str, State]:
        """Return the labels with their states."""
        if self.is_remote:
            index = self.index_of_states()
            named = {state.name: state for state in index.states}
            return {label: named[name] for label, name in sorted(index.labels.items()) if name in named}
        links = sorted(path.name for path in self.root.glob("dists/*") if path.is_symlink())
        return {name: state for name in links if (state := self.state(name))}

    def moves(self, label: str) -> tuple[Move, ...]:
        """Return the moves of a label, the oldest first."""
        if self.is_remote:
            return self.index_of_states().moves.get(label, ())
        path = self.root / f"labels/{label}.json"
        return Moves.read(path).moves if path.exists() else ()

    def pins(self) -> dict[str, Pin]:
        """Return the pinned states."""
        if self.is_remote:
            return dict(self.index_of_states().pins)
        path = self.root / "pins.json"
        return dict(Pins.read(path).pins) if path.exists() else {}
