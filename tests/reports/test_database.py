"""SQLite files: migrated completely or not at all, and refused if they are newer."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from lab.base.errors import InfrastructureError
from lab.base.schema import NewerSchemaError
from reports.database import Migration, opened, statements
from tests.processes import python

FIRST = statements("CREATE TABLE IF NOT EXISTS fruit (title TEXT)")
SECOND = statements("ALTER TABLE fruit RENAME COLUMN title TO name", "INSERT INTO fruit VALUES ('of the second')")
THIRD = statements("CREATE TABLE colour (name TEXT)", "INSERT INTO colour SELECT name FROM fruit")

# Killed after the change of the tables, and before the end of the transaction.
KILLED = """
import os, signal, sys
from pathlib import Path
from reports.database import opened, statements
def die(base):
    base.execute("INSERT INTO fruit VALUES ('of the killed')")
    os.kill(os.getpid(), signal.SIGKILL)
second = statements("ALTER TABLE fruit RENAME COLUMN title TO name", "CREATE TABLE colour (name TEXT)")
with opened(Path(sys.argv[1]), [statements(), second, die], *sys.argv[2:]):
    pass
"""


def dump(path: Path) -> tuple[int, list[str]]:
    with closing(sqlite3.connect(path)) as base:
        return base.execute("PRAGMA user_version").fetchone()[0], list(base.iterdump())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a database of schema 1, from a release without schema versions."""
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE TABLE fruit (title TEXT)")
        base.execute("INSERT INTO fruit VALUES ('apple')")
    return path


@pytest.mark.parametrize(
    "migrations, query, rows",
    [
        ([FIRST], "SELECT title AS name FROM fruit", ["apple"]),
        ([FIRST, SECOND], "SELECT name FROM fruit", ["apple", "of the second"]),
        ([FIRST, SECOND, THIRD], "SELECT name FROM colour", ["apple", "of the second"]),
    ],
)
def test_older_database_is_migrated(old: Path, migrations: list[Migration], query: str, rows: list[str]) -> None:
    for number in range(1, len(migrations) + 1):  # one release after another, and the last one twice
        with opened(old, migrations[:number]):
            pass
    with opened(old, migrations) as base:
        assert [row["name"] for row in base.execute(query)] == rows
    assert dump(old)[0] == len(migrations)


def test_migration_over_several_schemas_equals_single_steps(old: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.sqlite"
    for path in (old, new):
        with opened(path, [FIRST, SECOND, THIRD]):
            pass
    assert dump(old)[0] == dump(new)[0] == 3
    assert "apple" in str(dump(old))
    assert [line for line in dump(old)[1] if "apple" not in line] == dump(new)[1]


@pytest.mark.parametrize("pragmas", [(), ("journal_mode = WAL",)])
def test_kill_during_migration_keeps_old_database(old: Path, pragmas: Sequence[str]) -> None:
    with opened(old, [FIRST], *pragmas):
        pass
    before = dump(old)
    with python(KILLED, old, *pragmas) as killed:
        assert killed.wait() == -signal.SIGKILL
    assert dump(old) == before
    with opened(old, [FIRST, SECOND], *pragmas) as base:
        assert [row["name"] for row in base.execute("SELECT name FROM fruit")] == ["apple", "of the second"]


def test_failed_migration_keeps_old_database(old: Path) -> None:
    before = dump(old)
    broken = statements("DELETE FROM fruit", "INSERT INTO nowhere VALUES (1)")
    with (
        pytest.raises(InfrastructureError, match=r"old\.sqlite: no such table: nowhere$"),
        opened(old, [FIRST, broken]),
    ):
        pass
    assert dump(old) == before


def test_newer_database_is_unchanged(old: Path) -> None:
    with opened(old, [FIRST, SECOND, THIRD]):
        pass
    before = old.read_bytes()
    message = rf"^{old} was written by a newer qalab \(schema 3; this one knows 2\): upgrade qalab$"
    with pytest.raises(NewerSchemaError, match=message), opened(old, [FIRST, SECOND], "journal_mode = WAL"):
        pass
    assert old.read_bytes() == before


def test_invalid_file_is_named_in_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.sqlite"
    path.write_text("no database, and long enough to be asked" * 100)
    with pytest.raises(InfrastructureError, match=rf"^{path}: file is not a database$"), opened(path, [FIRST]):
        pass
