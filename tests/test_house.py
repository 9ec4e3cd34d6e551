"""The house itself: its linters, its one-way imports, and what the tree must not hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab import __version__
from lab.config import loading
from scripts.registry import STEPS

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
    assert {track.trigger for track in lab.tracks.values()} == {"commit", "proposed", "review"}


def test_the_schema_in_docs_is_the_models() -> None:
    assert (HOUSE / "docs/lab.schema.json").read_text() == loading.schema()


def product() -> list[Path]:
    """Return the modules of the product."""
    return [path for name in ("cli", "generator", "lab", "reports", "scripts") for path in (HOUSE / name).rglob("*.py")]


def test_scripts_holds_the_steps_alone() -> None:
    files = {path.stem for path in (HOUSE / "scripts").glob("*.py")}
    assert files == {*STEPS, "registry", "__init__"}


# The longest module.
LINES = 300


def test_no_module_is_too_long() -> None:
    lengths = {str(path.relative_to(HOUSE)): len(path.read_text().splitlines()) for path in product()}
    assert {name: lines for name, lines in lengths.items() if lines > LINES} == {}


def test_no_class_name_is_used_twice() -> None:
    names: dict[str, list[str]] = {}
    for path in product():
        for name in re.findall(r"^ *class (\w+)[(:]", path.read_text(), re.MULTILINE):
            names.setdefault(name, []).append(str(path.relative_to(HOUSE)))
    assert {name: paths for name, paths in names.items() if len(paths) > 1} == {}


def test_the_version_has_one_home() -> None:
    done = subprocess.run([sys.executable, HOUSE / "qalab.py", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"qalab {__version__}\n"
