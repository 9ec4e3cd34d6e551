"""Execution of programs on nodes, for all drivers: as root, in a clean environment."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Unpack

from lab.base.run import AttemptOptions, Result, Word, attempt

SETTINGS = (
    "HOME=/root", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)  # fmt: skip


def attempted(argv: Sequence[Word], log: IO[str] | None, **options: Unpack[AttemptOptions]) -> tuple[Result, list[str]]:
    """Run a program as `lab.run.attempt` does, from the root directory, with a log or without."""
    options = {"cwd": Path("/"), **options}
    if log:
        return attempt(argv, log, **options)
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as passing:
        return attempt(argv, passing, **options)


def writing(path: str, mode: int | None) -> list[Word]:
    """Return a command that writes its input to a file: see `scripts.drivers.interfaces.Node.write`."""
    # In place: a file that is there keeps its owner.
    script = 'umask 022; mkdir -p "$(dirname "$1")"; cat > "$1"; [ -z "$2" ] || chmod "$2" "$1"'
    return ["sh", "-euc", script, "sh", path, f"{mode:o}" if mode else ""]
