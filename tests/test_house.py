"""The house itself: its linters, its one-way imports, and what the tree must not hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.config import loading

HOUSE = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "argv",
    [
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
        pytest.param(["mypy"], marks=pytest.mark.integration),  # also: tox -e type
        ["lint-imports", "--no-cache"],
        ["shellcheck", "-s", "sh", "qalab", *(str(path) for path in (HOUSE / "scripts").rglob("*.sh"))],
    ],
    ids=lambda argv: " ".join(argv[:2]),
)
def test_linters(argv: list[str]) -> None:
    program = BIN / argv[0] if (BIN / argv[0]).exists() else argv[0]
    done = subprocess.run([program, *argv[1:]], cwd=HOUSE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_flagship_is_a_good_description() -> None:
    lab = loading.load(HOUSE / "lab.yaml")
    assert len(lab.components) >= 12
    assert {track.trigger for track in lab.tracks.values()} == {"commit", "proposed", "gerrit"}


def test_the_schema_in_docs_is_the_models() -> None:
    assert (HOUSE / "docs/lab.schema.json").read_text() == loading.schema()
