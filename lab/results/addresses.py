"""Safe and permanent names of components, tracks, tests and builds in the paths of pages."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,79}")
KEPT = 40
FILES = (".html", ".json", ".atom", ".svg")  # a directory of such a name could conflict with one of the site's files


@lru_cache(maxsize=20_000)
def part(text: str) -> str:
    """Return a unique part of a path for any text.

    A plain name does not change.  Any other text keeps its plain characters, followed by ``~``, which no plain name
    contains, and a digest that makes the part unique.
    """
    if SAFE.fullmatch(text) and not text.endswith(FILES):
        return text
    plain = re.sub(r"[^A-Za-z0-9.+_-]+", "-", text.rpartition("/")[2]).strip("-.")[-KEPT:].lstrip("-.")
    return f"{plain}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def build_path(name: str) -> str:
    return f"b/{name[:2]}/{name}/"


def comparison_path(name: str) -> str:
    """Return the page that compares a build with those before it."""
    return f"d/{name[:1]}/{name}.html"


def component_path(component: str) -> str:
    return f"p/{part(component)}/"


def lane_path(component: str, track: str) -> str:
    return f"p/{part(component)}/{part(track)}/"


def month_path(component: str, track: str, month: str) -> str:
    return f"{lane_path(component, track)}{month}/"


def commit_path(component: str, commit: str) -> str:
    return f"c/{part(component)}/{part(commit)}/"


def test_path(component: str, track: str, test: str) -> str:
    return f"t/{part(component)}/{part(track)}/{part(test)}/"


def bisection_path(number: int) -> str:
    return f"bisections/{number}/"
