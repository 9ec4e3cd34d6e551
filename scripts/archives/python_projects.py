"""The Python projects in a package, by the metadata that pip and setuptools install beside their modules (PEP 376, PEP 627)."""

from __future__ import annotations

import re
from collections.abc import Iterable

METADATA = re.compile(
    r"usr/lib/python3/dist-packages/(?P<project>[^/]+?)(?:-(?P<version>\d[^/-]*))?\.(?:egg|dist)-info(?:/(?P<file>.*))?$"
)


def project(path: str) -> str:
    """Return the project whose metadata a file or a directory is, as pip compares names; "" for none."""
    match = METADATA.match(path)
    return re.sub(r"[-_.]+", "-", match["project"]).lower() if match else ""


def releases(paths: Iterable[str]) -> dict[str, str]:
    """Return the projects with their versions, where the name of the directory has one."""
    return {project(path): match["version"] for path in paths if (match := METADATA.match(path)) and match["version"]}


def with_entry_points(paths: Iterable[str]) -> set[str]:
    """Return the projects that have entry points: commands, and plug-ins of others."""
    return {project(path) for path in paths if (match := METADATA.match(path)) and match["file"] == "entry_points.txt"}


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a release (PEP 440), without zeros at the end: 1.0 and 1 are the same."""
    match = re.match(r"(?:\d+!)?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, re.sub(r"(\.0+)+$", "", match[1]).split("."))) if match else ()
