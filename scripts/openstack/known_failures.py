"""Known failures: tests that are expected to fail, each with its reason, in a file that people maintain.

Each line is ``TEST # REASON``.  TEST is the name of a test (``package.module.Class.test``), or a regular expression
that matches the whole names of one or more tests.  Empty lines, and lines that begin with ``#``, are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import ConfigurationError


@dataclass(frozen=True)
class KnownFailure:
    """A line of such a file."""

    test: re.Pattern[str]
    reason: str


def read(path: Path) -> tuple[KnownFailure, ...]:
    """Return the known failures of a file.  Raises ConfigurationError, which names the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigurationError(f"{path}: the known failures cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: the known failures cannot be read: this is no UTF-8") from None
    found: dict[str, int] = {}
    known = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        known.append(_read(f"{path}:{number}", line))
        first = found.setdefault(known[-1].test.pattern, number)
        if first != number:
            raise ConfigurationError(f"{path}:{number}: {known[-1].test.pattern}: is there already, on line {first}")
    return tuple(known)


def _read(where: str, line: str) -> KnownFailure:
    test, _, reason = (part.strip() for part in line.partition("#"))
    if not reason:
        raise ConfigurationError(f"{where}: {test}: no reason; write TEST # REASON")
    try:
        return KnownFailure(re.compile(test), reason)
    except re.error as error:
        raise ConfigurationError(f"{where}: {test}: not a regular expression: {error}") from None


def reason(known: Sequence[KnownFailure], test: str) -> str:
    """Return why a test is known to fail; "" when it is not."""
    return next((each.reason for each in known if each.test.fullmatch(test)), "")
