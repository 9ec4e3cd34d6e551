"""Packages from a series' mirror, with a separate apt configuration; that of the host does not change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.config.apt import KEPT_CACHE
from scripts.archives import mirror_cache


def own_apt(root: Path, sources: Sequence[str]) -> list[str]:
    """Return the options of an apt that knows these sources alone, and has nothing installed; its files are in ``root``."""
    for directory in ("lists/partial", "archives/partial"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    # Only where they are not so: a later date of either has apt make its cache again.
    for name, text in (("status", ""), ("sources.list", "\n".join(sources) + "\n")):
        path = root / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    return [
        f"-oDir::Etc::SourceList={root / 'sources.list'}",
        "-oDir::Etc::SourceParts=-",
        f"-oDir::State={root}",
        f"-oDir::State::Status={root / 'status'}",
        f"-oDir::State::Lists={root / 'lists'}",
        f"-oDir::Cache={root}",
        *KEPT_CACHE,
        "-oAPT::Sandbox::User=",
        *mirror_cache.options(),
    ]
