"""What the lines after an opening line belong to."""

from __future__ import annotations

from typing import Protocol

CREDENTIAL = "[REDACTED:credential]"


class Continuation(Protocol):
    """A secret over several lines, of which the first one is read."""

    @property
    def rule(self) -> str: ...

    def take(self, line: str) -> tuple[str | None, Continuation | None]:
        """Return the published form of a line, None if it has nothing of the secret; and what the next line belongs to."""
        ...
