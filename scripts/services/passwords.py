"""The passwords of a deployment, made at random."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Passwords:
    """Passwords by use."""

    made: dict[str, str] = field(default_factory=dict)

    def of(self, use: str) -> str:
        """Return a password: the same one for the same use."""
        return self.made.setdefault(use, secrets.token_hex(16))

    def hidden(self, text: str) -> str:
        """Return a text without the passwords."""
        for password in self.made.values():
            text = text.replace(password, "[password]")
        return text
