"""Dates: since when each source version is in the candidate."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from lab.base import environment
from lab.base.errors import ConfigurationError


def ages(path: Path, today: date | None = None) -> dict[tuple[str, str], float]:
    """Return the age in days of each source version in a file of lines ``SOURCE VERSION YYYY-MM-DD``."""
    now = today or environment.now().date()
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            source, version, day = words
            found[source, version] = float((now - date.fromisoformat(day)).days)
        except ValueError as error:
            raise ConfigurationError(f"{path}:{number}: not SOURCE VERSION YYYY-MM-DD: {line.strip()}") from error
    return found
