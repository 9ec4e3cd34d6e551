"""The identity of a build: a short name for it, in addresses and in the journal."""

from __future__ import annotations

import hashlib


def build_id(identity: str) -> str:
    """Return a build's short name, from its identity: its address survives a new bundle of the same build."""
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:20]
