"""How long each step of a component took the last time that it passed: a cache, which can be deleted.

It is ``CACHE/durations/LAB/TRACK/COMPONENT.json``, because the workspace of a Jenkins build has no earlier runs.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import Field

from lab.base import environment
from lab.base.errors import ConfigurationError
from lab.store.records import Record, RunInfo, Stored

SHORTEST_SECONDS: Final = 5.0
"""Nobody asks how long a shorter step takes."""


class Durations(Stored):
    """The seconds of each step."""

    seconds: dict[str, float] = Field(default_factory=dict)


def path_of(info: RunInfo) -> Path:
    return environment.cache_home() / "durations" / info.lab / info.track / f"{info.component}.json"


def read(info: RunInfo) -> Durations:
    """Return the durations of a component; none where they are missing or damaged."""
    with suppress(ConfigurationError):
        return Durations.read(path_of(info))
    return Durations()


def note(info: RunInfo, record: Record) -> None:
    """Keep the duration of a step that passed; a full disk is no reason to fail."""
    if record.verdict == "passed":
        seconds = read(info).seconds | {record.step: record.seconds}
        with suppress(OSError):
            Durations(seconds=seconds).write(path_of(info))


def last_time(info: RunInfo, step: str) -> str:
    """Return "last time M:SS" for a step, "" where that is not known or is short."""
    seconds = read(info).seconds.get(step, 0.0)
    return f"last time {clock(seconds)}" if seconds >= SHORTEST_SECONDS else ""


def clock(seconds: float) -> str:
    """Return a duration as ``M:SS``, or ``H:MM:SS``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
