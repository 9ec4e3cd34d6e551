"""``qalab machine``: bare machines."""

from __future__ import annotations

from cli.groups import LazyGroup

command = LazyGroup(
    "machine",
    {
        name: f"cli.machine.{name}"
        for name in (
            "list",
            "status",
            "doctor",
            "power",
            "hold",
            "release",
            "restore",
            "install",
            "preseed",
            "console",
            "serve",
        )
    },
    help="List and check bare machines, switch their power, hold and release them, and serve their network boot.",
)
