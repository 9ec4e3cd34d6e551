"""The dates of the indices that apt has in a chroot: how old the mirror is."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime

from lab.store.records import rfc3339
from scripts.chroots.bootstrap import Repository


def script() -> str:
    """Return a line of sh that prints the origins and the dates of the indices that apt has, for `newest`."""
    return "grep -Hs -E '^(Origin|Date): ' /var/lib/apt/lists/*Release || true\n"


def newest(printed: str, ours: str) -> str:
    """Return the newest date of the indices of a distribution, as RFC 3339; "" without one.

    ``printed``: by `script`.  ``ours``: the origin of the lab's own archive, whose date says nothing about a mirror.
    """
    fields: dict[str, dict[str, str]] = {}
    for line in printed.splitlines():
        path, _, field = line.partition("Release:")
        name, _, value = field.partition(": ")
        fields.setdefault(path, {})[name] = value
    dates = [one["Date"] for one in fields.values() if "Date" in one and one.get("Origin") != ours]
    moments = []
    for date in dates:
        with suppress(ValueError, OverflowError):
            moments.append(parsedate_to_datetime(date).replace(tzinfo=UTC))  # Release files are always in UTC
    return rfc3339(max(moments)) if moments else ""


def split(printed: str, repository: Repository | None) -> tuple[str, str]:
    """Split what `resolve_script` and `script` print: the changes, and the newest date but that of the lab's archive."""
    changes = (line for line in printed.splitlines(keepends=True) if line.startswith(("Inst ", "Remv ")))
    return "".join(changes), newest(printed, repository.origin if repository else "")
