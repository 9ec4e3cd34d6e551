"""Unexpected exceptions: one line for people, and the traceback in a log."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab import environment
from lab.errors import InfrastructureError, LabError

MOST_BYTES: Final = 1_000_000
MOST_OF_A_MESSAGE: Final = 300


class Bug(LabError):
    """qalab itself is at fault; trying again does not help."""

    exit_code = 70
    verdict = "error"


def log_path() -> Path:
    """Return where tracebacks are written."""
    return environment.state_home() / "bugs.log"


@contextmanager
def caught(*passing: type[Exception]) -> Iterator[None]:
    """Turn an OSError into InfrastructureError, and any other exception but a `LabError` into `Bug`.

    ``passing``: what the caller handles itself.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (LabError, *passing)):
            raise
        if isinstance(error, OSError):
            said = f"{error.strerror or error}: {error.filename or 'this machine'}"
            raise InfrastructureError(said) from error
        raise _noted(error) from error


def _noted(error: Exception) -> Bug:
    said = " ".join(f"{type(error).__name__}: {error}".split())[:MOST_OF_A_MESSAGE]
    path = log_path()
    try:
        _append(path, f"{environment.now():%Y-%m-%dT%H:%M:%SZ}\n{''.join(traceback.format_exception(error))}\n")
    except OSError as failure:
        return Bug(said, hint=f"a bug of qalab; its traceback cannot be written: {failure.strerror}")
    return Bug(said, hint=f"a bug of qalab; traceback: {path}")


def _append(path: Path, text: str) -> None:
    """Add to a log that only its owner can read; one older part is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MOST_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    with open(path, "a", encoding="utf-8", errors="backslashreplace", opener=_private) as stream:
        stream.write(text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
