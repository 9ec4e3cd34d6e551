"""The patience with a controller that is busy: an election among controllers, or an upgrade of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from lab.base.clock import Clock
from scripts.drivers.juju.client import PASSING, JujuRefused

T = TypeVar("T")
ASK_SECONDS = 5.0
BUSY_SECONDS = 300.0


def is_busy(error: JujuRefused) -> bool:
    """Return whether Juju refused a command for a while only."""
    return bool(PASSING.search(error.why))


@dataclass
class JujuPatience:
    """Calls again what a busy controller refuses, for some minutes; ``say`` is told."""

    say: Callable[[str], None]
    clock: Clock = field(default_factory=Clock)
    is_spent: bool = False
    """Whether the controller stayed busy: until it answers, nothing is waited for again."""

    def __call__(self, call: Callable[[], T], is_passing: Callable[[JujuRefused], bool] = is_busy) -> T:
        """Return what a call returns.  Raises JujuRefused for what does not pass."""
        began, last = self.clock.monotonic(), ""
        while True:
            try:
                result = call()
            except JujuRefused as error:
                if not is_passing(error):
                    raise
                self.is_spent = self.is_spent or self.clock.monotonic() - began >= BUSY_SECONDS
                if self.is_spent:
                    raise
                if str(error) != last:
                    self.say(f"{error}; asking again for {BUSY_SECONDS / 60:g} minutes")
                last = str(error)
                self.clock.sleep(ASK_SECONDS)
            else:
                self.is_spent = False
                return result
