"""``qalab site``: the public results site."""

from __future__ import annotations

from cli.groups import LazyGroup

command = LazyGroup(
    "site",
    {name: f"cli.site.{name}" for name in ("build", "serve")},
    help="Build the public results site, and preview it.",
)
