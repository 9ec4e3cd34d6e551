"""Release files and the indices that belong to them, as they are kept: odd ones, and ones that cannot be kept."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from scripts.archives import kept_indices

PACKAGES = "main/binary-amd64/Packages"


def release(text: str) -> str:
    return f"Suite: toy\nSHA256:\n {hashlib.sha256(text.encode()).hexdigest()} {len(text)} {PACKAGES}\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Provide the release file of a mirror with one index."""
    (tmp_path / PACKAGES).parent.mkdir(parents=True)
    (tmp_path / PACKAGES).write_text("one")
    (tmp_path / "InRelease").write_text(release("one"))
    return tmp_path / "InRelease"


def test_index_of_its_release(place: Path) -> None:
    index = place.parent / PACKAGES
    assert kept_indices.release_over(index) == place
    assert kept_indices.belonging(index, place) == index
    assert kept_indices.release_over(place.parent / "pool/greet.deb") is None
    index.write_text("two")
    assert kept_indices.belonging(index, place) is None


@pytest.mark.parametrize(
    "text",
    ["", "no release at all", "SHA256:\n abc\n", "SHA256:\n abc 3\n def\n", "SHA256: abc\n", "\0\udcff"],
    ids=["empty", "text", "cut row", "cut rows", "one line", "binary"],
)
def test_damaged_release_has_no_indices(place: Path, text: str) -> None:
    place.write_text(text, errors="surrogateescape")
    assert kept_indices.release_over(place.parent / PACKAGES) is None
    assert kept_indices.to_serve(place) == place
    kept_indices.set_aside(place)


def test_release_without_its_index_is_not_set_aside(place: Path) -> None:
    for text in ("two", "three"):  # whose indices never came
        kept_indices.set_aside(place)
        place.unlink()
        place.write_text(release(text))
    assert kept_indices.to_serve(place) == kept_indices.former(place)
    assert kept_indices.former(place).read_text() == release("one")


def test_file_system_without_links(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    kept_indices.set_aside(place)
    kept_indices.set_aside(place.parent / PACKAGES)
    assert kept_indices.to_serve(place) == place
