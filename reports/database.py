"""SQLite files with a schema version (``PRAGMA user_version``), migrated in one transaction.

A file without a version (0) is new, or schema 1.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base import schema
from lab.base.errors import InfrastructureError

Migration = Callable[[sqlite3.Connection], None]
"""Make the tables of the next schema; a migration must not commit."""


class Damaged(InfrastructureError):
    """A file is no database, or a part of it cannot be read."""


def statements(*lines: str) -> Migration:
    """Return the migration that executes SQL statements (``executescript`` would commit first)."""

    def migrate(base: sqlite3.Connection) -> None:
        for line in lines:
            base.execute(line)

    return migrate


@contextmanager
def opened(path: Path, migrations: Sequence[Migration], *pragmas: str, cure: str = "") -> Iterator[sqlite3.Connection]:
    """Open a database whose rows have column names, and migrate its schema to the number of ``migrations``.

    The first migration makes the tables of schema 1 where they are missing.  ``pragmas`` apply to this connection.
    Raises NewerSchemaError, and leaves the file unchanged; Damaged with ``cure`` as its hint, also from the block;
    InfrastructureError for a file that is locked or on a full disk.
    """
    with closing(sqlite3.connect(path)) as base:
        base.row_factory = sqlite3.Row
        try:
            _prepare(base, path, migrations, pragmas)
            yield base
        except sqlite3.OperationalError as error:
            raise InfrastructureError(f"{path}: {error}") from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # a bug: a wrong statement, a broken rule
                raise
            raise Damaged(f"{path}: {error}", hint=cure) from error


def _prepare(base: sqlite3.Connection, path: Path, migrations: Sequence[Migration], pragmas: Sequence[str]) -> None:
    schema.check(path, _version(base), len(migrations))
    for pragma in pragmas:
        base.execute(f"PRAGMA {pragma}")
    if _version(base) < len(migrations):
        _migrate(base, migrations, path)


def _migrate(base: sqlite3.Connection, migrations: Sequence[Migration], path: Path) -> None:
    with base:
        base.execute("BEGIN IMMEDIATE")
        version = _version(base)  # another process may have migrated it meanwhile
        schema.check(path, version, len(migrations))
        for migration in migrations[version:]:
            migration(base)
        base.execute(f"PRAGMA user_version = {len(migrations)}")


def _version(base: sqlite3.Connection) -> int:
    return int(base.execute("PRAGMA user_version").fetchone()[0])


@dataclass(frozen=True)
class DatabaseTable:
    """A part of a database; each write is one transaction."""

    base: sqlite3.Connection

    def _rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        return self.base.execute(query, values).fetchall()

    def _write(self, query: str, *values: Any) -> None:
        with self.base:
            self.base.execute(query, values)
