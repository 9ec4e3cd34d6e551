"""The state of the site in one SQLite file next to it: summaries of builds, summaries of lanes, and the pages.

The state is a cache of the bundles; with the tables of an older release, it is built again.  If several bundles are of
the same build, the site shows the one with the smallest SHA-256.  Of the others, the state has their names only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from lab.results.build_environment import BuildEnvironment
from lab.store.run_order import RunPlace, in_order
from reports import database
from reports.database import statements
from reports.outcomes import BadTest
from reports.site.lane_history import History
from reports.site.lane_models import Lane
from reports.site.summary import Summary, environment_digest

SUMMARIES: Final = TypeAdapter(tuple[Summary, ...])
# The marks of a build are most of its summary; their own table has each of them once, and takes less time to read.
WITHOUT_MARKS: Final = {"results": {"marks": True}}
# Increased by one with each change of the tables.
SCHEMA: Final = 6
TABLES: Final = (
    "CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    """CREATE TABLE build (bundle TEXT PRIMARY KEY, id TEXT, component TEXT, track TEXT, revision TEXT,
    number INTEGER, started REAL, finished TEXT, told TEXT, marks TEXT)""",
    "CREATE INDEX build_id ON build (id)",
    "CREATE INDEX build_lane ON build (component, track)",
    "CREATE INDEX build_revision ON build (component, revision)",
    "CREATE INDEX build_finished ON build (finished)",
    "CREATE TABLE roster (digest TEXT PRIMARY KEY, names TEXT) WITHOUT ROWID",
    "CREATE TABLE mark (id INTEGER PRIMARY KEY, told TEXT UNIQUE)",
    "CREATE TABLE environment (digest TEXT PRIMARY KEY, told TEXT) WITHOUT ROWID",
    "CREATE TABLE lane (component TEXT, track TEXT, told TEXT, PRIMARY KEY (component, track))",
    "CREATE TABLE page (path TEXT PRIMARY KEY, digest TEXT, generation INTEGER) WITHOUT ROWID",
    "CREATE INDEX page_generation ON page (generation)",
    "CREATE TABLE slot (name TEXT PRIMARY KEY, generation INTEGER)",
)
NAMES: Final = ("fact", "build", "roster", "mark", "environment", "lane", "page", "slot")
DROPS: Final = tuple(f"DROP TABLE IF EXISTS {name}" for name in NAMES)
# A cache is not migrated: each schema begins empty, and the site is built again from the bundles.
MIGRATIONS: Final = (statements(*DROPS, *TABLES),) * SCHEMA


@dataclass
class SiteState:
    """The open database.  Changes take effect with `commit`."""

    base: sqlite3.Connection
    rosters: dict[str, frozenset[str]] = field(default_factory=dict)
    read_lanes: dict[tuple[str, str], Lane] | None = None
    """All lanes, once they were read: several pages need them, and reading those with many tests takes long."""

    def fact(self, name: str) -> str:
        row = self.base.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(row["value"]) if row else ""

    def set_fact(self, name: str, value: str) -> None:
        self.base.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (name, value))

    @property
    def generation(self) -> int:
        return int(self.fact("generation") or 0)

    def commit(self) -> None:
        self.base.commit()

    def rollback(self) -> None:
        """Undo everything since the last commit."""
        self.base.rollback()
        self.read_lanes = None

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Roll back the changes of the block if it raises; commit nothing."""
        if not self.base.in_transaction:
            self.base.execute("BEGIN")
        self.base.execute("SAVEPOINT whole")
        try:
            yield
        except BaseException:
            self.base.execute("ROLLBACK TO whole")
            raise
        finally:
            self.base.execute("RELEASE whole")

    def forget(self) -> None:
        """Delete everything but the slots and the generation."""
        self.base.execute("DELETE FROM build")
        self.base.execute("DELETE FROM roster")
        self.base.execute("DELETE FROM mark")
        self.base.execute("DELETE FROM environment")
        self.base.execute("DELETE FROM lane")
        self.base.execute("DELETE FROM page")
        self.rosters.clear()
        self.read_lanes = None

    def bundles(self) -> set[str]:
        return {row["bundle"] for row in self.base.execute("SELECT bundle FROM build")}

    def ids(self) -> set[str]:
        """Return the builds that have pages."""
        return {row["id"] for row in self.base.execute("SELECT id FROM build")}

    @property
    def newest(self) -> str:
        """The end of the newest build of the lab, "" without builds."""
        return self.base.execute("SELECT MAX(finished) AS newest FROM build").fetchone()["newest"] or ""

    def shown(self, build: str) -> str:
        """Return the name of the bundle that the site shows of a build, "" without one."""
        row = self.base.execute("SELECT MIN(bundle) AS shown FROM build WHERE id = ?", (build,)).fetchone()
        return row["shown"] or ""

    def add(self, bundle: str, started: float, summary: Summary, roster: Sequence[str]) -> None:
        """Add a build."""
        self.base.execute(
            "INSERT OR IGNORE INTO roster (digest, names) VALUES (?, ?)", (summary.results.roster, json.dumps(roster))
        )
        row = (
            bundle,
            summary.id,
            summary.component,
            summary.track,
            summary.commit,
            summary.number,
            started,
            summary.finished,
        )
        told, marks = summary.model_dump_json(exclude=WITHOUT_MARKS), self._put_marks(summary.results.marks)
        self.base.execute(
            "INSERT INTO build (bundle, id, component, track, revision, number, started, finished, told, marks) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, told, json.dumps(marks)),
        )

    def add_hidden(self, bundle: str, build: str) -> None:
        """Add a further bundle of a build: no page shows it."""
        self.base.execute("INSERT INTO build (bundle, id) VALUES (?, ?)", (bundle, build))

    def _put_marks(self, marks: Iterable[BadTest]) -> list[int]:
        """Store the marks of a build; return their numbers.  The same test with the same message is stored once."""
        numbers = []
        for mark in marks:
            told = (json.dumps(mark),)
            self.base.execute("INSERT OR IGNORE INTO mark (told) VALUES (?)", told)
            numbers.append(self.base.execute("SELECT id FROM mark WHERE told = ?", told).fetchone()["id"])
        return numbers

    def _mark(self, number: int) -> BadTest:
        row = self.base.execute("SELECT told FROM mark WHERE id = ?", (number,)).fetchone()
        return BadTest(*json.loads(row["told"]))

    def _summaries(self, rows: Sequence[sqlite3.Row]) -> tuple[Summary, ...]:
        numbers = json.loads(f"[{','.join(row['marks'] for row in rows)}]")
        marks = {number: self._mark(number) for number in set(chain.from_iterable(numbers))}
        summaries = SUMMARIES.validate_json(f"[{','.join(row['told'] for row in rows)}]")
        return tuple(
            summary.with_marks(tuple([marks[number] for number in its])) if its else summary
            for summary, its in zip(summaries, numbers, strict=True)
        )

    def history(self, component: str, track: str) -> History:
        """Return the builds of a component on a track."""
        query = "SELECT told, marks, bundle, started FROM build WHERE component = ? AND track = ? ORDER BY started, number, id"
        rows = self.base.execute(query, (component, track)).fetchall()
        found = in_order(zip(self._summaries(rows), rows, strict=True), _place)
        builds, bundles = tuple(build for build, _ in found), tuple(row["bundle"] for _, row in found)
        return History(builds, self.roster, bundles, self.environment)

    def commit_builds(self, component: str, commit: str) -> tuple[Summary, ...]:
        query = "SELECT told, marks FROM build WHERE component = ? AND revision = ? ORDER BY started, number, id"
        return self._summaries(self.base.execute(query, (component, commit)).fetchall())

    def roster(self, digest: str) -> frozenset[str]:
        if digest not in self.rosters:
            row = self.base.execute("SELECT names FROM roster WHERE digest = ?", (digest,)).fetchone()
            self.rosters[digest] = frozenset(json.loads(row["names"]))
        return self.rosters[digest]

    def put_environment(self, environment: BuildEnvironment) -> None:
        row = (environment_digest(environment), environment.model_dump_json())
        self.base.execute("INSERT OR IGNORE INTO environment (digest, told) VALUES (?, ?)", row)

    def environment(self, digest: str) -> BuildEnvironment | None:
        row = self.base.execute("SELECT told FROM environment WHERE digest = ?", (digest,)).fetchone()
        return BuildEnvironment.model_validate_json(row["told"]) if row else None

    def put_lane(self, lane: Lane) -> None:
        row = (lane.component, lane.track, lane.model_dump_json())
        self.base.execute("INSERT OR REPLACE INTO lane (component, track, told) VALUES (?, ?, ?)", row)
        if self.read_lanes is not None:
            self.read_lanes[lane.component, lane.track] = lane

    def lanes(self, component: str | None = None) -> tuple[Lane, ...]:
        """Return the lanes, or those of a component, sorted by name."""
        if self.read_lanes is None:
            rows = self.base.execute("SELECT told FROM lane")
            lanes = LANES.validate_json(f"[{','.join(row['told'] for row in rows)}]")
            self.read_lanes = {(lane.component, lane.track): lane for lane in lanes}
        found = sorted(self.read_lanes.items(), key=itemgetter(0))
        return tuple(lane for _, lane in found if component in {None, lane.component})

    def page_digest(self, path: str) -> str:
        row = self.base.execute("SELECT digest FROM page WHERE path = ?", (path,)).fetchone()
        return str(row["digest"]) if row else ""

    def put_page(self, path: str, digest: str, generation: int) -> None:
        row = (path, digest, generation)
        self.base.execute("INSERT OR REPLACE INTO page (path, digest, generation) VALUES (?, ?, ?)", row)

    def pages_below(self, home: str) -> list[str]:
        """Return the pages whose paths begin with a directory, as they are."""
        query = "SELECT path FROM page WHERE digest != '' AND substr(path, 1, length(?)) = ? ORDER BY path"
        return [row["path"] for row in self.base.execute(query, (home, home))]

    def pages_since(self, generation: int) -> list[str]:
        """Return the pages that changed after a generation."""
        return [row["path"] for row in self.base.execute("SELECT path FROM page WHERE generation > ?", (generation,))]

    def slots(self) -> Mapping[str, int]:
        """Return the generation of each slot."""
        return {row["name"]: row["generation"] for row in self.base.execute("SELECT name, generation FROM slot")}

    def set_slot(self, name: str, generation: int) -> None:
        self.base.execute("INSERT OR REPLACE INTO slot (name, generation) VALUES (?, ?)", (name, generation))


LANES: Final = TypeAdapter(tuple[Lane, ...])


def _place(found: tuple[Summary, sqlite3.Row]) -> RunPlace:
    build, row = found
    return RunPlace((build.origin, build.phase), build.number, row["started"] / 1000)


@contextmanager
def opened(path: Path) -> Iterator[SiteState]:
    """Open the site's state, and make the file if it is missing.  Raises NewerSchemaError."""
    # secure_delete: withdrawn content must not stay in the file.
    with database.opened(path, MIGRATIONS, "secure_delete = ON") as base:
        yield SiteState(base)
