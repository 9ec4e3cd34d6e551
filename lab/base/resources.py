"""qalab's own files: where its packages and their data are, in a checkout and installed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# The directory of the packages `lab`, `scripts`, ...: programs that run `python -m scripts.X` start here.
ROOT: Final = Path(__file__).resolve().parents[2]


def path(name: str) -> Path:
    """Return the path of one of qalab's own files, such as ``bindep.txt``."""
    return ROOT / name
