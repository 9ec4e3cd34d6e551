"""Schema versions of data on disk, and the migration of older data.

Data without a version is schema 1.  To change a schema, raise its number and add one migration.  Data of a
newer schema is refused and not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.base.errors import ConfigurationError

# From the raw JSON of one schema to that of the next.
Migration = Callable[[dict[str, Any]], dict[str, Any]]


class NewerSchemaError(ConfigurationError):
    """The data was written by a newer qalab."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(f"{path} was written by a newer qalab (schema {found}; this one knows {known}): upgrade qalab")


def check(path: Path, found: int, known: int) -> None:
    """Raise NewerSchemaError for data of a schema that this release does not know."""
    if found > known:
        raise NewerSchemaError(path, found, known)


def migrate(data: dict[str, Any], known: int, migrations: Mapping[int, Migration], path: Path) -> dict[str, Any]:
    """Return raw JSON as that of the schema ``known``; ``path`` is for messages.

    Raises NewerSchemaError, and ConfigurationError for an invalid version.
    """
    found = data.get("schema", 1)
    if type(found) is not int or found < 1:
        raise ConfigurationError(f"{path}: schema: must be a whole number from 1 on; found: {found!r}")
    check(path, found, known)
    for number in range(found, known):
        data = migrations[number](data)
    return {**data, "schema": known}
