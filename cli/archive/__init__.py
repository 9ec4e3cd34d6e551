"""``qalab archive``: the lab's package archive."""

from __future__ import annotations

from cli.groups import LazyGroup

command = LazyGroup(
    "archive",
    {"migrate": "cli.archive.migrate", "withdraw": "cli.archive.withdraw"},
    help="Change the lab's package archive.",
)
