"""The newest restorations of a machine: bounded, the newest first, and never in the way of the next."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.store import restorations
from lab.store.restorations import KEPT, Restoration
from lab.store.runs import Store

AT = "2026-01-01T00:00:00.000Z"


def noted(store: Store, number: int) -> None:
    restorations.note(store, "node0", Restoration(finished=AT, seconds=number, way="kexec"))


def test_newest_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert restorations.newest(store, "node0") == ()
    for number in range(KEPT + 5):
        noted(store, number)
    found = [one.seconds for one in restorations.newest(store, "node0")]
    assert found == [*range(KEPT + 4, 4, -1)]
    assert restorations.newest(store, "node1") == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1, "newest": [{}]}'])
def test_damaged_record_is_a_failed_restoration(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    noted(store, 1)
    (path,) = tmp_path.rglob("restorations.json")
    path.write_text(text)
    os.utime(path, (1_767_225_600, 1_767_225_600))
    (lost,) = restorations.newest(store, "node0")
    assert lost.finished == AT
    assert lost.failed.startswith(f"the record of the former restorations is damaged: {path}")
    noted(store, 2)
    assert [one.seconds for one in restorations.newest(store, "node0")] == [2, 0]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"seconds": 28.4, "way": "kexec"}, f"restored in 28 s by kexec {AT}"),
        ({"seconds": 61, "way": "switch_root", "installed": True}, f"installed in 61 s by switch_root {AT}"),
        ({"failed": "no lease"}, f"restoration failed {AT}: no lease"),
    ],
)
def test_line(values: dict[str, object], text: str) -> None:
    assert str(Restoration.model_validate({"finished": AT, **values})) == text
