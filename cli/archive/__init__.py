"""``qalab archive``: the lab's package archive, its states and labels."""

from __future__ import annotations

from cli.groups import LazyGroup

NAMES = (
    "states",
    "show",
    "diff",
    "promote",
    "demote",
    "pin",
    "unpin",
    "drop",
    "gc",
    "vote",
    "result",
    "withdraw",
    "migrate",
)

command = LazyGroup(
    "archive",
    {name: f"cli.archive.{name}" for name in NAMES},
    help="The states and labels of the lab's package archive.",
)
