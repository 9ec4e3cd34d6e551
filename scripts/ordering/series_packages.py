"""The packages of a series that builds use: what a base chroot has, and the versions of build dependencies."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Final

from debian.debian_support import version_compare

from lab.base import files
from lab.config.description import Series
from scripts.archives import series_index

FIELD: Final = re.compile(r"^(Package|Version|Provides|Essential|Build-Essential): *(.*)$", re.MULTILINE)
PROVIDED: Final = re.compile(r"(?:^|,)\s*([^\s,:(]+)")


@dataclass(frozen=True)
class SeriesPackages:
    """The packages of a series and its pockets.

    ``base``: the digest of the essential and build-essential packages with their versions.  ``versions``: the newest
    version of each package; for a name that is only provided, the providers with their versions.
    """

    base: str
    versions: Mapping[str, str]


def read_series(name: str, series: Series, log: IO[str]) -> SeriesPackages | None:
    """Return the packages of a series, at most an hour old; older ones, or None, where the mirror does not answer."""
    with series_index.opened(name, series, log) as index:
        series_index.refreshed(index)
        if not index.stamp.exists():
            return None
        kept = index.home / f"packages-{index.stamp.name}.json"
        if kept.exists() and kept.stat().st_mtime >= index.stamp.stat().st_mtime:
            return SeriesPackages(**json.loads(kept.read_text()))
        found = packages_of(index.texts())
        files.write_atomic(kept, json.dumps(asdict(found)))
        return found


def packages_of(indices: Iterable[str]) -> SeriesPackages:
    """Return the packages of Packages files."""
    newest: dict[str, dict[str, str]] = {}
    for text in indices:
        for paragraph in text.split("\n\n"):
            fields = dict(FIELD.findall(paragraph))
            if name := fields.get("Package"):
                known = newest.get(name)
                if known is None or version_compare(known["Version"], fields["Version"]) < 0:
                    newest[name] = fields
    base = sorted(
        f"{name} {fields['Version']}"
        for name, fields in newest.items()
        if "yes" in {fields.get("Essential"), fields.get("Build-Essential")}
    )
    providers: dict[str, list[str]] = {}
    for name, fields in newest.items():
        for provided in dict.fromkeys(PROVIDED.findall(fields.get("Provides", ""))):
            providers.setdefault(provided, []).append(f"{name} {fields['Version']}")
    versions = {name: ", ".join(sorted(each)) for name, each in providers.items()}
    versions |= {name: fields["Version"] for name, fields in newest.items()}
    return SeriesPackages(hashlib.sha256("\n".join(base).encode()).hexdigest()[:16] if base else "", versions)
