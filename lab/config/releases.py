"""The releases that this machine's distro-info-data knows, and doubts about a description that no model can have.

A doubt is no error: a release can be newer than the data, and a URL may contain braces.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lab.config.description import Lab

DATA: Final = Path("/usr/share/distro-info")
SUITES: Final = ("experimental", "oldstable", "sid", "stable", "testing", "unstable")
PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


def codenames(distribution: str) -> frozenset[str]:
    """Return the codenames and suites of a distribution; none without the package distro-info-data."""
    path = DATA / f"{distribution}.csv"
    if not path.is_file():
        return frozenset()
    with path.open(encoding="utf-8", newline="") as stream:
        names = {row["series"] for row in csv.DictReader(stream) if row.get("series")}
    return frozenset(names | set(SUITES if distribution == "debian" else ("devel",)))


def doubts(lab: Lab) -> Iterator[str]:
    """Yield what is probably a mistake, as ``KEY: what``."""
    for name, series in lab.series.items():
        known = codenames(series.distribution)
        codename = series.codename or name
        if known and codename not in known:
            key = f"series.{name}.codename" if series.codename else f"series.{name}"
            hint = _hint(codename, known, "ubuntu" if series.distribution == "debian" else "debian")
            yield f"{key}: distro-info-data knows no release {codename} of {series.distribution}{hint}"
        if series.distribution == "ubuntu" and len(series.architectures) > 1 and not series.mirror:
            yield (
                f"series.{name}.mirror: several architectures need a mirror that has all of them; Ubuntu's own has "
                "amd64, and ports.ubuntu.com the others"
            )
    built = {component for track in lab.tracks for component in lab.components_of(track)}
    yield from (f"components.{name}: no track has it" for name in lab.components if name not in built)
    yield from _placeholders("", lab.model_dump(include={"defaults", "components", "tracks"}, exclude_unset=True))


def _hint(codename: str, known: frozenset[str], other: str) -> str:
    if codename in codenames(other):
        return f"; it is one of {other}"
    near = difflib.get_close_matches(codename, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _placeholders(key: str, value: Any) -> Iterator[str]:
    match value:
        case dict():
            for name, item in value.items():
                yield from _placeholders(f"{key}.{name}".lstrip("."), item)
        case str() if key.endswith(".git"):
            for found in PLACEHOLDER.findall(value):
                if found != "{component}":
                    yield f"{key}: {found} stays as it is: only {{component}} is replaced"
