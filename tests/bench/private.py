"""Programs that keep global state, run where it is ours: whatever becomes of them, nothing is left behind."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.base.run import Word
from scripts.chroots.backends import PRIVATE


def private(argv: Sequence[Word], places: Mapping[str, Path]) -> list[Word]:
    """``argv`` in process and mount namespaces of its own, where our directories stand in for the machine's."""
    binds = "".join(f"mount --bind {shlex.quote(str(ours))} {theirs}\n" for theirs, ours in places.items())
    return [*PRIVATE, "sh", "-euc", f'{binds}exec "$@"', "sh", *argv]
