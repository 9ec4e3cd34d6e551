"""A clock that goes on when somebody sleeps, and at no other time."""

from __future__ import annotations

from dataclasses import dataclass

from lab.base.clock import Clock


@dataclass
class Moved:
    """The time of a test; ``clock`` is what the product is given."""

    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)
