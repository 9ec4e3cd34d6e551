"""The passwords of a deployment, made at random."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

GENERATED = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


@dataclass(frozen=True)
class Passwords:
    """Passwords by use."""

    made: dict[str, str] = field(default_factory=dict)

    @classmethod
    def given(cls, texts: Iterable[str]) -> Passwords:
        """Return the passwords that are in texts, such as the settings of a deployment."""
        return cls({password: password for password in chain.from_iterable(map(GENERATED.findall, texts))})

    def of(self, use: str) -> str:
        """Return a password: the same one for the same use."""
        return self.made.setdefault(use, secrets.token_hex(16))

    def hidden(self, text: str) -> str:
        """Return a text without the passwords."""
        for password in self.made.values():
            text = text.replace(password, "[password]")
        return text
