"""The configuration of an apt of the lab's own stays as it is while its sources do."""

from __future__ import annotations

import os
from pathlib import Path

from scripts.archives.private_apt import own_apt


def test_files_keep_their_date_while_sources_do_not_change(tmp_path: Path) -> None:
    """A later date of sources.list or status has apt read all indices again."""
    one, other = ["deb http://one.example/debian bookworm main"], ["deb http://other.example/debian bookworm main"]
    own_apt(tmp_path, one)
    paths = [tmp_path / name for name in ("sources.list", "status")]
    for path in paths:
        os.utime(path, (1, 1))
    own_apt(tmp_path, one)
    assert [path.stat().st_mtime for path in paths] == [1, 1]
    own_apt(tmp_path, other)
    assert (tmp_path / "sources.list").read_text() == f"{other[0]}\n"
    assert [path.stat().st_mtime > 1 for path in paths] == [True, False]
