"""The published form of a log: redacted, and of a long log the beginning and the end with a mark between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.config.publication import LogLimits
from reports.redact.redactor import Redactor, RedactorState

# Read, but not shown, before the shown end: that can begin within a key.
RUN_UP = 1 << 18


@dataclass(frozen=True)
class PublishedLog:
    """A published log: its bytes and lines, the number of changed lines, and whether some are left out."""

    size: int
    lines: int
    changed: int
    cut: bool


@dataclass
class Window:
    """The bytes ``[start, end)`` of a file, as a file."""

    stream: IO[bytes]
    start: int
    end: int

    def __post_init__(self) -> None:
        self.stream.seek(self.start)

    def read(self, size: int, /) -> bytes:
        return self.stream.read(min(size, self.end - self.stream.tell()))


def publish(redactor: Redactor, limits: LogLimits, path: Path, to: Path) -> PublishedLog:
    """Write the published form of a log; memory does not grow with its size."""
    state, size, lines = RedactorState(), 0, 0
    with path.open("rb") as stream, to.open("wb") as out:
        length = stream.seek(0, os.SEEK_END)
        cut = length > limits.first + limits.last + 2 * RUN_UP
        whole = Window(stream, 0, length)
        for piece in _ends(redactor, limits, whole, state) if cut else redactor.stream(whole, state):
            out.write(piece)
            size += len(piece)
            lines += piece.count(b"\n")
    return PublishedLog(size, lines, state.changed, cut)


def _ends(redactor: Redactor, limits: LogLimits, log: Window, state: RedactorState) -> Iterator[bytes]:
    """Yield the beginning and the end, in complete lines."""
    stream, length = log.stream, log.end
    stream.seek(limits.first)
    first = limits.first + len(stream.readline(RUN_UP))  # of a longer line, more than the limit of a line
    yield from redactor.stream(Window(stream, 0, first), state)
    run_up, last = (_next_line(stream, length - before) for before in (limits.last + RUN_UP, limits.last))
    yield f"[... {last - first:,} bytes of this log are left out here ...]\n".encode()
    end = RedactorState()
    for _ in redactor.stream(Window(stream, run_up, last), end):
        end.changed = 0
    yield from redactor.stream(Window(stream, last, length), end)
    state.changed += end.changed


def _next_line(stream: IO[bytes], at: int) -> int:
    """Return the start of the first line at or after ``at``; the end of the file if no line starts there."""
    stream.seek(at - 1)
    while (part := stream.readline(RUN_UP)) and not part.endswith(b"\n"):
        pass
    return stream.tell()
