"""The state of a phase of a component on a track: the one answer that all pages, feeds and badges give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from lab.results.history import State, standing
from lab.results.lab_health import ERRORS, errors_in_a_row, is_silent
from reports.site.lab_pages import is_quiet
from reports.site.lane_models import StandingPart
from reports.site.summary import Summary


@dataclass(frozen=True)
class PhaseState:
    """The state of a phase; ``since``: the index of the build that began it, None if none did.

    ``errors``: the number of errors after the last verdict.  ``last_verdict``: the end of the newest build with a
    verdict, "" without one.
    """

    state: State
    since: int | None
    errors: int
    last_verdict: str


def phase_state(builds: Sequence[Summary], newest: str, *, is_dropped: bool) -> PhaseState:
    """Return the state of a phase from its builds, oldest first; ``newest``: the end of the newest build of the lab.

    What passed is unknown once the lab only errs, or has had no verdict for long while it builds others.
    """
    last = next((build.finished for build in reversed(builds) if build.result != "neither"), "")
    if is_dropped:
        return PhaseState("dropped", None, 0, last)
    closed = next((place for place in range(len(builds), 0, -1) if builds[place - 1].results.closes), 0)
    now = standing(["neither" if place < closed else build.result for place, build in enumerate(builds)])
    errors = errors_in_a_row([build.verdict for build in builds])
    if now.state == "passing" and is_silent(errors, _days(last, builds[-1].finished)):
        return PhaseState("unknown", _first_error(builds), errors, last)
    if now.state == "passing" and is_quiet(last, newest):
        return PhaseState("unknown", None, errors, last)
    return PhaseState(now.state, now.since, errors, last)


def has_become_quiet(phase: StandingPart, newest: str) -> bool:
    """Return whether a phase passed when its state was computed, and is unknown now, without a new build."""
    return phase.state == "passing" and is_quiet(phase.last_verdict, newest)


def _first_error(builds: Sequence[Summary]) -> int:
    """Return the first error after the last verdict."""
    later = takewhile(lambda place: builds[place].result == "neither", reversed(range(len(builds))))
    return [place for place in later if builds[place].verdict in ERRORS][-1]


def _days(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)) / timedelta(days=1)
