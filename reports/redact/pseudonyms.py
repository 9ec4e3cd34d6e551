"""Pseudonyms of private names, stable in all bundles of a lab: an HMAC with the lab's own key."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from functools import lru_cache

from lab.base import files
from lab.store.runs import Store

DIGITS = 6
KEY_BYTES = 32


@dataclass(frozen=True)
class Pseudonyms:
    """The pseudonyms of a lab, such as ``node-1c3f0a`` for the name or address of a machine."""

    key: bytes = field(repr=False)

    @classmethod
    def of(cls, store: Store) -> Pseudonyms:
        """Read the lab's key, or make one if it is missing.  With a new key, all pseudonyms change."""
        path = store.root / "pseudonyms.key"
        with files.locked(store.lock_path("pseudonyms")):
            if not path.exists():
                files.write_atomic(path, secrets.token_bytes(KEY_BYTES), 0o600)
            return cls(path.read_bytes())

    def name(self, kind: str, text: str) -> str:
        return f"{kind}-{_digits(self.key, f'{kind} {text.lower()}')}"


@lru_cache(1 << 12)
def _digits(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:DIGITS]
