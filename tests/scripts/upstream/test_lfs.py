"""Git LFS pointers as git-lfs itself reads them; see tests/integration/test_snapshot_lfs.py for their files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.upstream import lfs

OID = "0123456789abcdef" * 4
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 5\n"
EXTENSION = f"ext-0-foo sha256:{'0' * 64}\noid"
POINTERS = {
    "as written": POINTER,
    "no last line end": POINTER.rstrip("\n"),
    "line ends of Windows": POINTER.replace("\n", "\r\n"),
    "a blank line at the end": f"{POINTER}\n",
    "a blank line at the beginning": f"\n{POINTER}",
    "blank lines between": POINTER.replace("\n", "\n\n"),
    "hawser, the older name": POINTER.replace("git-lfs.github", "hawser.github"),
    "git-media, the oldest name": POINTER.replace("https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2"),
    "an extension": POINTER.replace("oid", EXTENSION),
}
OTHERS = {
    "text before": f"see {POINTER}",
    "text behind": f"{POINTER}more",
    "no size": POINTER.partition("size")[0],
    "a short id": POINTER.replace(OID, OID[:-1]),
    "another version": POINTER.replace("https://git-lfs.github.com", "https://x.example"),
    "nothing": "",
}


@pytest.mark.parametrize("name", POINTERS)
def test_pointer_is_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_text(POINTERS[name], newline="")
    assert lfs.in_directory(tmp_path) == [lfs.LfsPointer("big.bin", OID)]


@pytest.mark.parametrize("name", OTHERS)
def test_other_text_is_no_pointer(name: str) -> None:
    assert lfs.oid(OTHERS[name].encode()) is None


@pytest.mark.parametrize("text, expected", [*((text, True) for text in POINTERS.values()), ("see " + POINTER, False)])
def test_pointers_are_those_of_git_lfs(text: str, tmp_path: Path, *, expected: bool) -> None:
    path = tmp_path / "big.bin"
    path.write_text(text, newline="")
    found = subprocess.run(["git", "lfs", "pointer", "--check", "--file", path], check=False, capture_output=True)
    assert (found.returncode == 0) == expected
