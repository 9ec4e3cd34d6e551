"""Names in addresses: what stands for a component, a track, a test or a build in a path, safely and for ever."""

from __future__ import annotations

import hashlib
import re

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,79}")
KEPT = 40
FILES = (".html", ".json", ".atom", ".svg")  # a directory of such a name could stand where a file of ours does


def part(text: str) -> str:
    """One part of a path for any text, another for another text.

    A plain name stays as it is; of any other its plain characters stay, and a digest behind ``~``, which no plain
    name has, tells it from its like.
    """
    if SAFE.fullmatch(text) and not text.endswith(FILES):
        return text
    plain = re.sub(r"[^A-Za-z0-9.+_-]+", "-", text.rpartition("/")[2]).strip("-.")[-KEPT:].lstrip("-.")
    return f"{plain}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def build_path(name: str) -> str:
    return f"b/{name[:2]}/{name}/"


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
