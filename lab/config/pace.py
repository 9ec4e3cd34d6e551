"""The pace of writes to a Jenkins: a limit that the user sets, and a lower one while the server is busy.

A server that asks to wait (429, or 503 with Retry-After) or that answers slowly gets fewer writes: the interval between
two writes doubles, and shrinks again with each quick answer.  Requests that were under way together count once: all
workers wait for the same busy moment.
"""

from __future__ import annotations

import email.utils
import math
import threading
from datetime import UTC
from typing import Final

from lab.base import environment
from lab.base.clock import Clock

FIRST_SECONDS: Final = 0.25
MOST_SECONDS: Final = 30.0
SLOW_SECONDS: Final = 5.0
MOST_WAIT_SECONDS: Final = 300.0


class Pace:
    """The pace of one connection, for many threads."""

    def __init__(self, per_second: float | None, clock: Clock) -> None:
        self.clock = clock
        self.least = 1 / per_second if per_second else 0.0
        self.interval = self.least
        self._lock = threading.Lock()
        self._next_write = 0.0
        self._not_before = 0.0
        self._slowed = -math.inf

    def wait(self, *, write: bool) -> None:
        """Sleep until the next request may be sent."""
        with self._lock:
            now = self.clock.monotonic()
            start = max(now, self._not_before, self._next_write if write else 0.0)
            if write:
                self._next_write = start + self.interval
        if start > now:
            self.clock.sleep(start - now)

    def slow_down(self, begun: float, seconds: float = 0.0) -> None:
        """Double the interval between writes because of a request that begun then; send nothing for some seconds."""
        with self._lock:
            now = self.clock.monotonic()
            self._not_before = max(self._not_before, now + min(seconds, MOST_WAIT_SECONDS))
            if begun < self._slowed:
                return
            self._slowed = now
            self.interval = max(self.least, min(MOST_SECONDS, max(FIRST_SECONDS, 2 * self.interval)))
            self._next_write = max(self._next_write, now + self.interval)

    def answered(self, begun: float) -> None:
        """Adapt to the time that a write took which begun then."""
        if self.clock.monotonic() - begun > SLOW_SECONDS:
            self.slow_down(begun)
            return
        with self._lock:
            shorter = self.interval / 2
            self.interval = self.least if shorter < FIRST_SECONDS / 4 else max(self.least, shorter)


def retry_after(value: str) -> float:
    """Return the seconds of a Retry-After header, a number or a date (RFC 9110, section 10.2.3); 0 for none."""
    value = value.strip()
    if value.isdecimal() and value.isascii():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (OverflowError, ValueError):
        return 0.0
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - environment.now()).total_seconds())
