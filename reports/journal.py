"""The journal: the progress of each build, and of each of its deliveries, in one SQLite file.

Each change is committed before the next begins.  The journal is not the only copy of anything: after its loss, the
sources, the store of bundles and the outputs have all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reports import database
from reports.database import statements
from reports.journal_builds import BuildTable
from reports.journal_deliveries import DeliveryTable

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
RESULTS: Final = (
    "ALTER TABLE build ADD COLUMN finished REAL DEFAULT 0",
    "ALTER TABLE build ADD COLUMN bundled REAL DEFAULT 0",
    "ALTER TABLE build ADD COLUMN revision TEXT DEFAULT ''",
    "ALTER TABLE build ADD COLUMN results TEXT DEFAULT ''",
    "CREATE TABLE roster (digest TEXT PRIMARY KEY, names TEXT) WITHOUT ROWID",
)
INTRODUCED: Final = (
    "CREATE TABLE introduced (output TEXT PRIMARY KEY) WITHOUT ROWID",
    "INSERT OR IGNORE INTO introduced SELECT DISTINCT output FROM delivery",
    "INSERT OR IGNORE INTO introduced SELECT name FROM output",
)
PROPOSAL: Final = (
    "ALTER TABLE build ADD COLUMN proposal TEXT DEFAULT ''",
    "CREATE INDEX build_proposal ON build (proposal) WHERE proposal != ''",
)
ARRIVAL: Final = (
    "ALTER TABLE build ADD COLUMN arrival INTEGER DEFAULT 0",
    "CREATE INDEX build_arrival ON build (arrival)",
    "UPDATE build SET results = '' WHERE proposal != ''",  # they counted as builds of the track
)
RETRACTED: Final = ("ALTER TABLE build ADD COLUMN retracted_after INTEGER DEFAULT 0",)
MIGRATIONS: Final = (
    statements(*TABLES), statements(*RESULTS), statements(*INTRODUCED), statements(*PROPOSAL), statements(*ARRIVAL),
    statements(*RETRACTED),
)  # fmt: skip
CURE: Final = (
    "move it away, with its -wal and -shm: the next pass makes it again from the bundles, and repeats no delivery"
)


@dataclass(frozen=True)
class Journal:
    """The open journal."""

    builds: BuildTable
    deliveries: DeliveryTable

    def retry(self) -> None:
        """Make everything that is postponed or parked due now."""
        self.builds.retry()
        self.deliveries.retry()


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """Open the journal, and make the file if it is missing.  Raises NewerSchemaError, and Damaged with a hint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with database.opened(path, MIGRATIONS, "journal_mode = WAL", cure=CURE) as base:
        yield Journal(BuildTable(base), DeliveryTable(base))
