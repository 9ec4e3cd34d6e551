"""Work that is done at the same time, and ended together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from lab.base.errors import Aborted


@dataclass(frozen=True)
class Cancellation:
    """A flag that one of several workers has failed: the others then start nothing more and stop waiting."""

    event: Event = field(default_factory=Event)

    def cancel(self) -> None:
        self.event.set()

    def check(self) -> None:
        """Raise Aborted after `cancel`."""
        if self.event.is_set():
            raise Aborted("another application has failed")


def side_by_side(*parts: Callable[[], object]) -> None:
    """Call independent functions in parallel.  Raises the error of the first one that fails."""
    with ThreadPoolExecutor(len(parts)) as pool:
        for future in [pool.submit(part) for part in parts]:
            future.result()
