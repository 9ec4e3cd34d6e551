"""The rows of the journal as types, and the pause between two tries."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass, fields
from typing import Final, Literal

State = Literal["seen", "fetched", "bundled", "private", "gone", "parked", "retracted"]
"""The state of a build.

``seen``: known from its source.  ``fetched``: copied from there.  ``bundled``: converted and redacted in one go, so
that nothing unredacted outlives it.  ``private``: its job is not published.  ``gone``: its source lost it before it
was fetched.  ``parked``: a bug of qalab or too many failures prevent its bundle; the note has the reason.  ``retracted``: unpublished.
"""
Settled = Literal["delivered", "nothing", "parked", "withdrawn"]
"""The final state of a delivery."""

FIRST_SECONDS: Final = 60.0
LONGEST_SECONDS: Final = 6 * 3600.0


@dataclass(frozen=True)
class SourceBuild:
    """A finished build at its source; ``started`` in milliseconds."""

    origin: str
    job: str
    number: int
    started: int

    @property
    def source(self) -> str:
        """The build's identity at its source, as in `reports.model.Build.id`."""
        return f"{self.origin}/{self.job}/{self.number}@{self.started}"


@dataclass(frozen=True)
class JournalEntry:
    """A build in the journal.  ``name``: the short name of a bundled build; ``bundle``: the bundle's SHA-256."""

    source: str
    origin: str
    job: str
    number: int
    started: int
    state: State
    tries: int
    due: float
    note: str
    name: str
    bundle: str
    component: str | None
    track: str | None
    phase: str | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> JournalEntry:
        """Return a row of the table ``build`` as an entry."""
        return cls(**{column.name: row[column.name] for column in fields(cls)})

    @property
    def lane(self) -> tuple[str, str, str]:
        return self.component or "", self.track or "", self.phase or ""

    @property
    def source_build(self) -> SourceBuild:
        return SourceBuild(self.origin, self.job, self.number, self.started)


@dataclass(frozen=True)
class Delivery:
    """A delivery that is postponed or parked."""

    name: str
    output: str
    state: str
    tries: int
    due: float
    note: str
    source: str


@dataclass(frozen=True)
class Outage:
    """An output that could not be used; ``due`` is the time of the next try (Unix time)."""

    tries: int
    due: float
    note: str


def pause(tries: int, salt: str) -> float:
    """Return the seconds until the next try: from a minute to six hours.

    The pause is up to a half shorter, depending on ``salt``, so that not all tries come at once.
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(tries - 1, 20))
    part = hashlib.sha256(f"{salt} {tries}".encode("utf-8", "surrogatepass")).digest()[0] / 255
    return longest * (1 - part / 2)
