"""The journal: how far each build is on its way, and each of its deliveries, in one SQLite file.

A build is ``seen`` at its source, ``fetched`` from there and ``bundled``: converted and redacted in one go, so that
nothing unredacted outlives it.  ``private``: its job is not to be published; ``gone``: its source lost it before it
was fetched; ``parked``: a bug of qalab stands in its way, and its note names that.  What is done is committed before the next thing begins.  Nothing here is the only copy of anything:
deleted, it is found again from the sources, the store of bundles and the outputs themselves.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Literal

from lab.results.build_identity import build_id
from reports import database
from reports.database import statements
from reports.model import Build, started_ms
from reports.transitions import HistoryPoint

State = Literal["seen", "fetched", "bundled", "private", "gone", "parked", "retracted"]
Settled = Literal["delivered", "nothing", "parked", "withdrawn"]

FIRST_SECONDS: Final = 60.0
LONGEST_SECONDS: Final = 6 * 3600.0
TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS build (source TEXT PRIMARY KEY, origin TEXT, job TEXT, number INTEGER, started INTEGER,
    state TEXT, tries INTEGER DEFAULT 0, due REAL DEFAULT 0, note TEXT DEFAULT '',
    name TEXT DEFAULT '', bundle TEXT DEFAULT '', component TEXT, track TEXT, phase TEXT, verdict TEXT,
    authors TEXT DEFAULT '')""",
    "CREATE INDEX IF NOT EXISTS build_state ON build (state)",
    "CREATE INDEX IF NOT EXISTS build_name ON build (name)",
    "CREATE INDEX IF NOT EXISTS build_lane ON build (component, track, phase)",
    """CREATE TABLE IF NOT EXISTS delivery (name TEXT, output TEXT, state TEXT, tries INTEGER DEFAULT 0, due REAL DEFAULT 0,
    note TEXT DEFAULT '', PRIMARY KEY (name, output)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS output (name TEXT PRIMARY KEY, tries INTEGER, due REAL, note TEXT) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS mark (job TEXT PRIMARY KEY, number INTEGER, started INTEGER) WITHOUT ROWID",
)
MIGRATIONS: Final = (statements(*TABLES),)


@dataclass(frozen=True)
class Found:
    """A finished build at its source; ``started`` in milliseconds."""

    origin: str
    job: str
    number: int
    started: int

    @property
    def source(self) -> str:
        """Its identity there, as `reports.model.Build.id`."""
        return f"{self.origin}/{self.job}/{self.number}@{self.started}"


@dataclass(frozen=True)
class JournalEntry:
    """A build in the journal.  ``name``: its short name, once it is bundled; ``bundle``: the SHA-256 of that."""

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
    def found(self) -> Found:
        return Found(self.origin, self.job, self.number, self.started)


@dataclass(frozen=True)
class Delivery:
    """What is to be told of a delivery that is not simply done."""

    name: str
    output: str
    state: str
    tries: int
    due: float
    note: str
    source: str


@dataclass(frozen=True)
class Outage:
    """An output that could not be used; ``due`` is when it is tried again (Unix time)."""

    tries: int
    due: float
    note: str


def pause(tries: int, salt: str) -> float:
    """Seconds until the next try: from a minute to six hours, with up to a half less so that not all come at once."""
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(tries - 1, 20))
    part = hashlib.sha256(f"{salt} {tries}".encode("utf-8", "surrogatepass")).digest()[0] / 255
    return longest * (1 - part / 2)


@dataclass(frozen=True)
class Journal:
    """The open journal; each method is one transaction."""

    base: sqlite3.Connection

    def _rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        return self.base.execute(query, values).fetchall()

    def _write(self, query: str, *values: Any) -> None:
        with self.base:
            self.base.execute(query, values)

    # Builds

    def see(self, found: Iterable[Found], mark: Found | None = None) -> None:
        """Note builds that are new; ``mark``: up to which all of its job are known."""
        with self.base:
            self._insert(found)
            if mark:
                row = (mark.job, mark.number, mark.started)
                self.base.execute("INSERT OR REPLACE INTO mark (job, number, started) VALUES (?, ?, ?)", row)

    def marks(self) -> dict[str, tuple[int, int]]:
        """For each job of a Jenkins the number and the start of the build up to which all are known."""
        rows = self._rows("SELECT job, number, started FROM mark")
        return {row["job"]: (row["number"], row["started"]) for row in rows}

    def knows(self, source: str) -> bool:
        return bool(self._rows("SELECT 1 FROM build WHERE source = ?", source))

    def is_under_way(self, source: str) -> bool:
        """Whether a build is yet to be bundled."""
        return bool(self._rows("SELECT 1 FROM build WHERE source = ? AND state IN ('seen', 'fetched')", source))

    @property
    def is_new(self) -> bool:
        return not self._rows("SELECT 1 FROM build LIMIT 1")

    def unbundled(self, now: float) -> list[JournalEntry]:
        """The builds that are on their way to a bundle, oldest first."""
        query = "SELECT * FROM build WHERE state IN ('seen', 'fetched') AND due <= ? ORDER BY started, source"
        return [JournalEntry.of(row) for row in self._rows(query, now)]

    def advance(self, source: str, state: State, note: str = "") -> None:
        self._write("UPDATE build SET state = ?, tries = 0, due = 0, note = ? WHERE source = ?", state, note, source)

    def put_off(self, entry: JournalEntry, note: str, now: float) -> None:
        """A build that could not be bundled now."""
        due = now + pause(entry.tries + 1, entry.source)
        self._write("UPDATE build SET tries = tries + 1, due = ?, note = ? WHERE source = ?", due, note, entry.source)

    def bundled(self, source: str, build: Build, bundle: str, authors: Sequence[str] = ()) -> None:
        """A build's bundle lies in the store; ``authors``: the addresses of who wrote what it is the first to have."""
        with self.base:
            self._bundled(source, build, bundle, authors)

    def adopt(self, bundles: Iterable[tuple[Build, str]]) -> None:
        """Builds that the store has bundles of, and of which nothing was known: all of them, or none."""
        with self.base:
            for build, bundle in bundles:
                found = Found(build.origin, build.job, build.number, started_ms(build.started))
                self._insert([found])
                self._bundled(found.source, build, bundle, ())

    def _insert(self, found: Iterable[Found]) -> None:
        rows = [(one.source, one.origin, one.job, one.number, one.started) for one in found]
        self.base.executemany(
            "INSERT OR IGNORE INTO build (source, origin, job, number, started, state) VALUES (?, ?, ?, ?, ?, 'seen')",
            rows,
        )

    def _bundled(self, source: str, build: Build, bundle: str, authors: Sequence[str]) -> None:
        told = (build_id(build.id), bundle, build.component, build.track, build.phase, build.verdict)
        query = (
            "UPDATE build SET state = 'bundled', tries = 0, due = 0, note = '', name = ?, bundle = ?, component = ?, "
            "track = ?, phase = ?, verdict = ?, authors = ? WHERE source = ?"
        )
        self.base.execute(query, (*told, "\n".join(authors), source))

    def private_jobs(self) -> list[str]:
        return [row["job"] for row in self._rows("SELECT DISTINCT job FROM build WHERE state = 'private'")]

    def reopen(self, job: str) -> None:
        """A job's builds are private no longer."""
        self._write("UPDATE build SET state = 'seen' WHERE state = 'private' AND job = ?", job)

    def named(self, name: str) -> JournalEntry | None:
        """A build by its short name or its identity."""
        query = "SELECT * FROM build WHERE source = ? OR (name = ? AND name != '')"
        return next((JournalEntry.of(row) for row in self._rows(query, name, name)), None)

    def published(self) -> list[JournalEntry]:
        return [
            JournalEntry.of(row)
            for row in self._rows("SELECT * FROM build WHERE state = 'bundled' ORDER BY started, source")
        ]

    def lane(self, component: str, track: str, phase: str) -> list[HistoryPoint]:
        """What was published of a phase of a component on a track, oldest first."""
        query = (
            "SELECT name, started, verdict FROM build WHERE state = 'bundled' AND component = ? AND track = ? "
            "AND phase = ? ORDER BY started, source"
        )
        return [
            HistoryPoint(row["name"], row["started"] / 1000, row["verdict"])
            for row in self._rows(query, component, track, phase)
        ]

    def authors(self, name: str) -> list[str]:
        rows = self._rows("SELECT authors FROM build WHERE name = ?", name)
        return [address for row in rows for address in row["authors"].split("\n") if address]

    # Deliveries

    def waiting(self, output: str, now: float, *, is_ordered: bool = True) -> list[JournalEntry]:
        """What an output has yet to get, oldest first, and last what failed before.

        Where the output is ordered, nothing of a lane comes before, or while there waits, an older one of it.
        """
        query = (
            "SELECT build.*, COALESCE(delivery.due, 0) AS delivery_due, COALESCE(delivery.tries, 0) AS delivery_tries "
            "FROM build LEFT JOIN delivery ON delivery.name = build.name AND delivery.output = ? "
            "WHERE build.state = 'bundled' AND (delivery.state IS NULL "
            "OR delivery.state NOT IN ('delivered', 'nothing', 'parked', 'withdrawn')) "
            "ORDER BY build.started, build.source"
        )
        found: list[tuple[int, JournalEntry]] = []
        heads = dict[tuple[str, ...], int]()  # of each lane how often its oldest was tried
        put_off = set[tuple[str, ...]]()
        for row in self._rows(query, output):
            entry = JournalEntry.of(row)
            lane = entry.lane if is_ordered else (entry.source,)
            if row["delivery_due"] > now:
                put_off.add(lane)
            elif lane not in put_off:
                found.append((heads.setdefault(lane, row["delivery_tries"]), entry))
        return [entry for _, entry in sorted(found, key=itemgetter(0))]

    def settle(self, name: str, output: str, state: Settled, note: str = "") -> None:
        self._write(
            "INSERT OR REPLACE INTO delivery (name, output, state, note) VALUES (?, ?, ?, ?)", name, output, state, note
        )

    def settle_all(self, names: Iterable[str], output: str, state: Settled) -> None:
        with self.base:
            self.base.executemany(
                "INSERT OR REPLACE INTO delivery (name, output, state) VALUES (?, ?, ?)",
                [(name, output, state) for name in names],
            )

    def delay(self, name: str, output: str, note: str, now: float) -> int:
        """Put off a delivery that did not succeed now; return how often it was tried."""
        rows = self._rows("SELECT tries FROM delivery WHERE name = ? AND output = ?", name, output)
        tries = (rows[0]["tries"] if rows else 0) + 1
        row = (name, output, tries, now + pause(tries, f"{name} {output}"), note)
        query = (
            "INSERT OR REPLACE INTO delivery (name, output, state, tries, due, note) VALUES (?, ?, 'waiting', ?, ?, ?)"
        )
        self._write(query, *row)
        return tries

    def is_withdrawn(self, name: str, output: str) -> bool:
        query = "SELECT 1 FROM delivery WHERE name = ? AND output = ? AND state = 'withdrawn'"
        return bool(self._rows(query, name, output))

    def outage(self, output: str) -> Outage | None:
        rows = self._rows("SELECT tries, due, note FROM output WHERE name = ?", output)
        return Outage(**rows[0]) if rows else None

    def fail(self, output: str, note: str, now: float) -> None:
        """An output as a whole could not be used."""
        before = self.outage(output)
        tries = (before.tries if before else 0) + 1
        query = "INSERT OR REPLACE INTO output (name, tries, due, note) VALUES (?, ?, ?, ?)"
        self._write(query, output, tries, now + pause(tries, output), note)

    def recover(self, output: str) -> None:
        self._write("DELETE FROM output WHERE name = ?", output)

    def retry(self) -> None:
        """Forget what was put off, and what was parked."""
        with self.base:
            self.base.execute("UPDATE build SET due = 0")
            self.base.execute("UPDATE build SET state = 'seen', note = '' WHERE state = 'parked'")
            self.base.execute("DELETE FROM delivery WHERE state IN ('waiting', 'parked')")
            self.base.execute("DELETE FROM output")

    # What is told of it all

    def states(self) -> dict[str, int]:
        rows = self._rows("SELECT state, COUNT(*) AS builds FROM build GROUP BY state ORDER BY state")
        return {row["state"]: row["builds"] for row in rows}

    def deliveries(self, output: str) -> dict[str, int]:
        """How many builds are in which state at an output; ``waiting`` among them."""
        query = (
            "SELECT COALESCE(delivery.state, 'waiting') AS how, COUNT(*) AS builds FROM build LEFT JOIN delivery "
            "ON delivery.name = build.name AND delivery.output = ? WHERE build.state = 'bundled' GROUP BY how ORDER BY how"
        )
        return {row["how"]: row["builds"] for row in self._rows(query, output)}

    def troubles(self) -> Iterator[Delivery | JournalEntry]:
        """What does not go on by itself, or was put off: builds, then deliveries."""
        query = "SELECT * FROM build WHERE state IN ('seen', 'fetched', 'parked') ORDER BY started, source"
        yield from (JournalEntry.of(row) for row in self._rows(query))
        query = (
            "SELECT delivery.name, output, delivery.state, delivery.tries, delivery.due, delivery.note, build.source "
            "FROM delivery JOIN build ON build.name = delivery.name WHERE build.state = 'bundled' AND "
            "(delivery.state = 'parked' OR delivery.state = 'waiting') ORDER BY build.started, output"
        )
        yield from (Delivery(**row) for row in self._rows(query))


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """Open the journal, and make it when there is none.  Raises NewerSchemaError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with database.opened(path, MIGRATIONS, "journal_mode = WAL") as base:
        yield Journal(base)
