"""``qalab report``: texts about results, for people outside the lab."""

from __future__ import annotations

from cli.groups import LazyGroup

command = LazyGroup("report", {"sru": "cli.report.sru"}, help="Write texts about results for people outside the lab.")
