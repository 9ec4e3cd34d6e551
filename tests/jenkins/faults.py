"""What can go wrong on the way to a Jenkins, at which request."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

FOREVER = 10**9
Kind = Literal["reset", "lost", "silence", "slow", "crumb", "page", "empty", "meanwhile"]


@dataclass
class Fault:
    """Strikes ``times`` requests, from the ``at``-th on (1: the next) of those that match.

    ``kind``: a status that is answered before any work; ``reset``: the connection torn before the work; ``lost``: the
    same after it, so that the answer is lost; ``silence``: no work, and no answer either; ``slow``: after ``seconds``;
    ``crumb``: as if the crumb were of another session; ``page``: a login page with 200, before any work; ``empty``: 200 without a body,
    and without any work; ``meanwhile``: somebody else does something before it.  ``path`` is a pattern searched in path and
    query.
    """

    kind: int | Kind
    at: int = 1
    method: str = ""
    path: str = ""
    times: int = 1
    seconds: float = 0.5
    retry_after: str = ""
    """A header of the answer with a status."""
    action: Callable[[], object] = int
    """What somebody else does meanwhile."""
    seen: int = 0

    def strikes(self, method: str, target: str) -> bool:
        """Whether it strikes this request, which is counted."""
        if (self.method and method != self.method) or not re.search(self.path, target):
            return False
        self.seen += 1
        return self.at <= self.seen < self.at + self.times
