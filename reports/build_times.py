"""The times of a build that the lab accepts, from any source."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

from lab.base.errors import ConfigurationError, InfrastructureError
from reports.model import Build, started_ms

AHEAD_SECONDS: Final = 86_400.0


def check_times(build: Build, now: float) -> None:
    """Check the times and the duration of a build, which all other builds are compared with.

    Raises ConfigurationError for a time or a duration that is none, and InfrastructureError for a build from the future:
    its date would make all others old.  ``now``: Unix time.
    """
    for moment in (build.started, build.finished):
        if not _is_utc(moment):
            raise ConfigurationError(f"{moment[:40]!r} is not a time in UTC such as 2026-01-31T12:00:00.000Z")
        if started_ms(moment) / 1000 > now + AHEAD_SECONDS:
            hint = "is the clock of the machine wrong?"
            raise InfrastructureError(f"is of {moment}, which has not come yet", hint=hint)
    if not math.isfinite(build.seconds):
        raise ConfigurationError(f"{build.seconds} is not a duration")


def _is_utc(moment: str) -> bool:
    """Return whether a text is a time in the only form in which texts compare as times do."""
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return False
    return parsed.utcoffset() == timedelta(0) and moment.startswith(parsed.isoformat()[:19])
