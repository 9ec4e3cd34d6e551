"""``qalab watch``: one poll of a real upstream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import qalab


@pytest.mark.integration
def test_watch_once_exits_with_worst_code(small_lab: Callable[..., Path]) -> None:
    lab = small_lab(component={"packaging": {"branch": "gone"}})
    first = qalab("watch", "trunk", "--once", "--lab", lab)
    assert (first.returncode, "no branch gone" in first.stdout) == (2, True), first.stdout + first.stderr


def test_watch_of_unknown_track_names_known_tracks(small_lab: Callable[..., Path]) -> None:
    done = qalab("watch", "tronk", "--once", "--lab", small_lab())
    assert (done.returncode, done.stderr) == (2, "qalab: no track tronk; known: trunk\n")
