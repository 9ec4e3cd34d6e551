"""Indices are put in their place so that a reader, and a kill at any step, finds one whole state."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base import files
from scripts.archives import index_export
from scripts.archives.index_export import by_hash, put_in_place

NAMES = ("main/binary-amd64/Packages", "main/source/Sources")


def stage(directory: Path, content: str) -> Path:
    """Write indices as reprepro does, with their Release, without signatures."""
    lines = []
    for name in NAMES:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content} {name}\n")
        lines.append(f" {hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_size} {name}")
    for name in ("Release", "InRelease", "Release.gpg"):
        (directory / name).write_text("Codename: trunk\nSHA256:\n" + "\n".join(lines) + "\n")
    return directory


def state(target: Path) -> str:
    """Return the content that a reader finds; fail where an index is not the one that Release names."""
    found = index_export.digests(target)
    assert set(found) == set(NAMES)
    for name, digest in found.items():
        assert files.sha256(target / name) == digest, f"{name} is not what Release says"
        assert files.sha256(target / by_hash(name, digest)) == digest
    return (target / NAMES[0]).read_text().split()[0]


class Killed(BaseException):
    """A kill."""


def killed_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Have the call number ``step`` that changes the disk be the end."""
    left = [step]

    def deadly(call: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object, **options: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return call(*args, **options)

        return counted

    for owner, name in ((Path, "replace"), (Path, "rename"), (Path, "hardlink_to"), (Path, "unlink"), (os, "utime"),
                        (files, "exchange"), (shutil, "rmtree")):  # fmt: skip
        monkeypatch.setattr(owner, name, deadly(getattr(owner, name)))


def test_export_killed_at_any_step_leaves_old_or_new_indices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for step in range(40):
        place = tmp_path / str(step)
        target = place / "dists/trunk"
        put_in_place(stage(place / "dists.new/trunk", "old"), target)
        staged = stage(place / "dists.new/trunk", "new")
        with monkeypatch.context() as patched:
            killed_at(patched, step)
            try:
                put_in_place(staged, target)
            except Killed:
                pass
            else:
                break
        seen.append(state(target))
        put_in_place(stage(place / "again", "again"), target)
        assert state(target) == "again"
    assert seen == sorted(seen, reverse=True)  # old, old, ... new
    assert set(seen) == {"old", "new"}


def test_by_hash_keeps_indices_for_slow_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "dists/trunk"
    put_in_place(stage(tmp_path / "new", "one"), target)
    first = index_export.digests(target)
    put_in_place(stage(tmp_path / "new", "two"), target)
    put_in_place(stage(tmp_path / "new", "three"), target)
    assert all((target / by_hash(name, digest)).exists() for name, digest in first.items())
    for name, digest in first.items():
        os.utime(target / by_hash(name, digest), (0, 0))
    put_in_place(stage(tmp_path / "new", "four"), target)
    assert not any((target / by_hash(name, digest)).exists() for name, digest in first.items())
    assert state(target) == "four"
    assert sorted(path.name for path in (tmp_path / "dists").iterdir()) == ["trunk"]


def test_exchange_without_support_of_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.mkdir()
        (path / path.name).touch()
    monkeypatch.setattr(files, "RENAME_EXCHANGE", 1 << 20)  # the kernel knows no such flag
    files.exchange(one, other)
    assert [path.name for each in (one, other) for path in each.iterdir()] == ["other", "one"]
    with pytest.raises(FileNotFoundError):
        files.exchange(one, tmp_path / "nosuch")
