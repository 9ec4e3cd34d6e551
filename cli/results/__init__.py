"""``qalab results``: test results as JUnit XML and as public bundles."""

from __future__ import annotations

from cli.groups import LazyGroup

command = LazyGroup(
    "results",
    {name: f"cli.results.{name}" for name in ("convert", "junit", "redact", "bundle")},
    help="Convert results of tools and runs to JUnit XML; redact and bundle them for publication.",
)
