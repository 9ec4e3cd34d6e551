"""``qalab env``: the environments that tracks deploy to."""

from __future__ import annotations

from cli.groups import LazyGroup

command = LazyGroup(
    "env",
    {name: f"cli.env.{name}" for name in ("create", "list", "shell", "cp", "logs", "forward", "reset", "destroy")},
    help="Create, inspect and destroy environments.  A track's environment has the name of the track.",
)
